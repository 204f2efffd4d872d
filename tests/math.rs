//! The guarded functions of the shaders against the host's, in double precision.

#[path = "common/gpu.rs"]
mod device;

use std::collections::BTreeMap;
use std::fmt::Write;

use keraunos::gpu::{Gpu, shader};
use keraunos::graph::ops::{BINARY, UNARY};
use keraunos::tensor::convert::round_f32;

const CHAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/numerics.rs");
const POINTS: usize = 1 << 18;

/// What a function is swept over, and by what its error is divided.
struct Sweep {
    name: &'static str,
    low: f32,
    high: f32,
    /// Errors are relative to the result, but to this where the result is smaller.
    floor: f64,
}

/// Smallest normal number: below it devices may give zero.
const NORMAL: f64 = f32::MIN_POSITIVE as f64;

const fn over(name: &'static str, low: f32, high: f32) -> Sweep {
    Sweep { name, low, high, floor: NORMAL }
}

const SWEEPS: &[Sweep] = &[
    over("sqrt", 1e-37, 1e38),
    over("rsqrt", 1e-37, 1e38),
    over("cbrt", -3e38, 3e38),
    over("recip", 1e-37, 1e37),
    over("exp", -87.0, 88.7),
    over("expm1", -100.0, 88.7),
    over("log", 1e-37, 3e38),
    over("log1p", -0.999_999, 3e38),
    Sweep { floor: 1.0, ..over("sin", -1e4, 1e4) },
    Sweep { floor: 1.0, ..over("cos", -1e4, 1e4) },
    over("tan", -1.5, 1.5),
    over("asin", -1.0, 1.0),
    over("acos", -1.0, 1.0),
    over("atan", -1e38, 1e38),
    over("sinh", -89.0, 89.0),
    over("cosh", -89.0, 89.0),
    over("tanh", -100.0, 100.0),
    over("asinh", -1e38, 1e38),
    over("acosh", 1.0, 1e38),
    over("atanh", -1.0, 1.0),
    over("sigmoid", -87.0, 100.0),
    over("erf", -10.0, 10.0),
    over("erfc", -10.0, 9.0),
    over("erfinv", -1.0, 1.0),
    over("i0", -90.0, 90.0),
    over("i1", -90.0, 90.0),
];

/// Half of the points evenly spaced, half evenly in their exponents, on both sides of zero.
fn points(low: f32, high: f32, count: usize) -> Vec<f32> {
    let linear = (0..count / 2).map(|i| {
        let t = i as f64 / (count / 2 - 1) as f64;
        (f64::from(low) * (1.0 - t) + f64::from(high) * t) as f32
    });
    let nearest = if low > 0.0 { low } else { 1e-30 };
    let mut all: Vec<f32> = linear.collect();
    for (limit, sign) in [(high, 1.0f32), (-low, -1.0)] {
        if limit <= 0.0 {
            continue;
        }
        let (first, last) = (nearest.to_bits(), limit.to_bits());
        let step = ((last - first) / (count / 4) as u32).max(1);
        all.extend((first..=last).step_by(step as usize).map(|b| sign * f32::from_bits(b)));
    }
    all
}

fn unary_kernel(expression: &str, lane: &str) -> String {
    format!(
        "#import lib/math\n\
         @group(0) @binding(0) var<storage, read> xs: array<{lane}>;\n\
         @group(0) @binding(1) var<storage, read_write> ys: array<u32>;\n\
         @compute @workgroup_size(256)\n\
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {{\n\
           let i = id.x;\n\
           if i < arrayLength(&xs) {{ let x = xs[i]; ys[i] = bitcast<u32>({expression}); }}\n\
         }}\n"
    )
}

fn binary_kernel(expression: &str, lane: &str) -> String {
    format!(
        "#import lib/math\n\
         @group(0) @binding(0) var<storage, read> xs: array<{lane}>;\n\
         @group(0) @binding(1) var<storage, read> zs: array<{lane}>;\n\
         @group(0) @binding(2) var<storage, read_write> ys: array<u32>;\n\
         @compute @workgroup_size(256)\n\
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {{\n\
           let i = id.x;\n\
           if i < arrayLength(&xs) {{\n\
             let a = xs[i]; let b = zs[i]; ys[i] = bitcast<u32>({expression});\n\
           }}\n\
         }}\n"
    )
}

fn run(gpu: &Gpu, kernel: &str, inputs: &[&[u32]]) -> Vec<u32> {
    let source = shader::compose("test", "", &[("test", kernel)]).unwrap();
    device::run(gpu, source, inputs).unwrap_or_else(|e| panic!("{e}\n{kernel}"))
}

fn unary(gpu: &Gpu, name: &str, xs: &[f32]) -> Vec<f32> {
    let row = UNARY.iter().find(|r| r.name == name).unwrap();
    let kernel = unary_kernel(&row.wgsl.replace("LANE", "f32"), "f32");
    floats(run(gpu, &kernel, &[bytemuck::cast_slice(xs)]))
}

fn binary(gpu: &Gpu, name: &str, a: &[f32], b: &[f32]) -> Vec<f32> {
    let row = BINARY.iter().find(|r| r.name == name).unwrap();
    let kernel = binary_kernel(&row.wgsl.replace("LANE", "f32"), "f32");
    floats(run(gpu, &kernel, &[bytemuck::cast_slice(a), bytemuck::cast_slice(b)]))
}

fn floats(words: Vec<u32>) -> Vec<f32> {
    words.into_iter().map(f32::from_bits).collect()
}

/// The largest error, and where.
#[derive(Default)]
struct Worst {
    error: f64,
    at: String,
}

impl Worst {
    fn see(&mut self, got: f32, want: f64, floor: f64, at: impl FnOnce() -> String) {
        if want.abs() < NORMAL && floor == NORMAL {
            return;
        }
        let error = (f64::from(got) - want).abs() / want.abs().max(floor);
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if error > self.error {
            *self = Worst { error, at: at() };
        }
    }
}

fn sweep_unary(gpu: &Gpu, sweep: &Sweep) -> Worst {
    let xs = points(sweep.low, sweep.high, POINTS);
    let host = UNARY.iter().find(|r| r.name == sweep.name).unwrap().host;
    let mut worst = Worst::default();
    for (&x, y) in xs.iter().zip(unary(gpu, sweep.name, &xs)) {
        let want = host(f64::from(x));
        // Equal infinities have no difference.
        if f64::from(y) != want {
            worst.see(y, want, sweep.floor, || format!("{x:?}"));
        }
    }
    worst
}

/// Pairs that cover the plane, with large exponents of bases near 1.
fn sweep_pow(gpu: &Gpu) -> Worst {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for x in points(1e-37, 1e38, 1 << 12) {
        for k in 0..64 {
            let reach = 87.0 / f64::from(x).ln().abs().max(1e-7);
            a.push(x);
            b.push((reach * (f64::from(k) / 31.5 - 1.0)) as f32);
        }
    }
    sweep_pairs(gpu, "pow", &a, &b, f64::powf)
}

fn sweep_atan2(gpu: &Gpu) -> Worst {
    let axis = points(-1e30, 1e30, 1 << 9);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for &y in &axis {
        for &x in &axis {
            a.push(y);
            b.push(x);
        }
    }
    sweep_pairs(gpu, "atan2", &a, &b, f64::atan2)
}

fn sweep_pairs(gpu: &Gpu, name: &str, a: &[f32], b: &[f32], host: fn(f64, f64) -> f64) -> Worst {
    let mut worst = Worst::default();
    for ((&a, &b), y) in a.iter().zip(b).zip(binary(gpu, name, a, b)) {
        let want = host(f64::from(a), f64::from(b));
        if f64::from(y) != want {
            worst.see(y, want, NORMAL, || format!("{a:?}, {b:?}"));
        }
    }
    worst
}

/// The next of 1, 1.5, 2, 3, 5, 7 times a power of ten: a bound that small changes of a driver do
/// not move.
fn bound(error: f64) -> f64 {
    let power = 10f64.powf(error.max(1e-12).log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0];
    steps.iter().map(|s| s * power).find(|&b| b >= error).unwrap_or(error)
}

fn range_of(name: &str) -> String {
    match (name, SWEEPS.iter().find(|s| s.name == name)) {
        ("pow", _) => "`a` from 1e-37 to 1e38, results from 1e-37 to 1e37".into(),
        (_, Some(s)) if s.floor == 1.0 => format!("{} to {}, absolute", s.low, s.high),
        (_, Some(s)) => format!("{:?} to {:?}", s.low, s.high),
        _ => "both from -1e30 to 1e30".into(),
    }
}

const BEGIN: &str = "//! | function | arguments | error at most |\n//! | --- | --- | --- |\n";
const END: &str = "//!\n//! <!-- end of the table -->\n";

fn table_text(bounds: &BTreeMap<&str, f64>) -> String {
    bounds.iter().fold(String::new(), |mut text, (name, bound)| {
        writeln!(text, "//! | `{name}` | {} | {bound:.1e} |", range_of(name)).unwrap();
        text
    })
}

/// The recorded bounds, by function.
fn recorded(chapter: &str) -> BTreeMap<String, f64> {
    let start = chapter.find(BEGIN).expect("the chapter has a table") + BEGIN.len();
    let stop = chapter.find(END).expect("the table has an end");
    let cells = |line: &str| line.split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    let row = |line| {
        let cells = cells(line);
        (cells[1].trim_matches('`').to_owned(), cells[3].parse().unwrap())
    };
    chapter[start..stop].lines().map(row).collect()
}

/// Measures every function; the manual's table holds the bounds. `KERAUNOS_BLESS=1` writes it anew.
#[test]
fn errors_are_within_the_bounds_in_the_manual() {
    let Some(gpu) = device::gpu() else { return };
    let mut worst: BTreeMap<&str, Worst> =
        SWEEPS.iter().map(|sweep| (sweep.name, sweep_unary(gpu, sweep))).collect();
    worst.insert("pow", sweep_pow(gpu));
    worst.insert("atan2", sweep_atan2(gpu));
    for (name, worst) in &worst {
        println!("{name:<8} {:.2e} at {}", worst.error, worst.at);
    }
    let chapter = std::fs::read_to_string(CHAPTER).unwrap();
    if std::env::var_os("KERAUNOS_BLESS").is_some() {
        let bounds = worst.iter().map(|(&name, worst)| (name, bound(worst.error))).collect();
        let (head, rest) = chapter.split_once(BEGIN).unwrap();
        let (_, tail) = rest.split_once(END).unwrap();
        let text = format!("{head}{BEGIN}{}{END}{tail}", table_text(&bounds));
        return std::fs::write(CHAPTER, text).unwrap();
    }
    let recorded = recorded(&chapter);
    assert!(
        worst.keys().eq(recorded.keys()),
        "other functions than in the table: KERAUNOS_BLESS=1"
    );
    for (name, worst) in &worst {
        let bound = recorded[*name];
        assert!(worst.error <= bound, "{name}: {:.2e} > {bound:.1e} at {}", worst.error, worst.at);
    }
}

#[test]
fn every_function_of_the_tables_is_measured_or_exact() {
    let measured: Vec<&str> = SWEEPS.iter().map(|s| s.name).chain(["pow", "atan2"]).collect();
    for (name, wgsl) in
        UNARY.iter().map(|r| (r.name, r.wgsl)).chain(BINARY.iter().map(|r| (r.name, r.wgsl)))
    {
        let approximate = wgsl.contains("safe_");
        assert!(!approximate || measured.contains(&name), "{name} has no sweep");
    }
}

fn same(got: f32, want: f64) -> bool {
    if want.is_nan() { got.is_nan() } else { f64::from(got) == f64::from(want as f32) }
}

/// Arguments at which most functions do something special.
const SPECIAL: [f32; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0,
    -2.0,
    3.0,
    -3.0,
    0.5,
    -0.5,
    1e38,
    -1e38,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    -7.25,
];

#[test]
fn special_arguments_of_one() {
    let Some(gpu) = device::gpu() else { return };
    for row in UNARY.iter().filter(|r| r.name != "not") {
        let expression = row.wgsl.replace("LANE", "f32");
        let words = run(gpu, &unary_kernel(&expression, "f32"), &[bytemuck::cast_slice(&SPECIAL)]);
        for (x, word) in SPECIAL.into_iter().zip(words) {
            let want = (row.host)(f64::from(x));
            let test = row.wgsl.starts_with("u32(");
            let got = if test { word as f32 } else { f32::from_bits(word) };
            let far = row.name.len() == 3 && matches!(row.name, "sin" | "cos" | "tan");
            if want.is_finite() && (far && x.abs() > 1e4) {
                assert!(got.abs() <= 1.0 || row.name == "tan", "{}({x}) = {got}", row.name);
            } else if want.is_finite() && (want as f32).is_finite() {
                let error = (f64::from(got) - want).abs();
                assert!(error <= want.abs() * 1e-6, "{}({x}) = {got}, not {want}", row.name);
            } else {
                assert!(same(got, want), "{}({x}) = {got}, not {want}", row.name);
            }
        }
    }
}

#[test]
fn special_pairs() {
    let Some(gpu) = device::gpu() else { return };
    let pairs: Vec<(f32, f32)> =
        SPECIAL.iter().flat_map(|&a| SPECIAL.iter().map(move |&b| (a, b))).collect();
    let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
    for row in BINARY.iter().filter(|r| !r.wgsl.is_empty()) {
        let kernel = binary_kernel(&row.wgsl.replace("LANE", "f32"), "f32");
        let words = run(gpu, &kernel, &[bytemuck::cast_slice(&a), bytemuck::cast_slice(&b)]);
        for (&(a, b), word) in pairs.iter().zip(words) {
            let want = (row.host)(f64::from(a), f64::from(b));
            let got = if row.test { word as f32 } else { f32::from_bits(word) };
            let near = (f64::from(got) - want).abs() <= want.abs() * 1e-6;
            // A quotient or remainder of 1e38 has no digits left for its unit.
            let vague = matches!(row.name, "mod" | "floor_div") && a.abs() > 1e30;
            assert!(near || vague || same(got, want), "{}({a}, {b}) = {got}, not {want}", row.name);
        }
    }
}

#[test]
fn integers_divide_and_multiply_as_on_the_host() {
    let Some(gpu) = device::gpu() else { return };
    let special = [0i32, 1, -1, 2, -2, 3, 7, -7, 31, 100, -100, i32::MAX, i32::MIN, 65537];
    let pairs: Vec<(i32, i32)> =
        special.iter().flat_map(|&a| special.iter().map(move |&b| (a, b))).collect();
    let (a, b): (Vec<i32>, Vec<i32>) = pairs.iter().copied().unzip();
    for row in BINARY.iter().filter(|r| !r.wgsl_int.is_empty()) {
        for lane in ["i32", "u32"] {
            let kernel = binary_kernel(&row.wgsl_int.replace("LANE", lane), lane);
            let words = run(gpu, &kernel, &[bytemuck::cast_slice(&a), bytemuck::cast_slice(&b)]);
            for (&(a, b), got) in pairs.iter().zip(words) {
                let wide = |x: i32| if lane == "u32" { i64::from(x as u32) } else { i64::from(x) };
                let want = (row.host_int)(wide(a), wide(b)) as u32;
                assert_eq!(got, want, "{} {lane}: {a}, {b}", row.name);
            }
        }
    }
    for name in ["neg", "abs", "sign"] {
        let row = UNARY.iter().find(|r| r.name == name).unwrap();
        for lane in ["i32", "u32"] {
            let kernel = unary_kernel(&row.wgsl.replace("LANE", lane), lane);
            for (&x, got) in
                special.iter().zip(run(gpu, &kernel, &[bytemuck::cast_slice(&special)]))
            {
                let wide = if lane == "u32" { f64::from(x as u32) } else { f64::from(x) };
                assert_eq!(got, (row.host)(wide) as i64 as u32, "{name} {lane}: {x}");
            }
        }
    }
}

#[test]
fn narrow_floats_and_casts_round_as_on_the_host() {
    use keraunos::base::DType::{BFloat16, Float8E4M3FN, Float8E5M2, Float16};
    let Some(gpu) = device::gpu() else { return };
    let mut xs: Vec<f32> =
        (0..1u32 << 18).map(|i| f32::from_bits(i.wrapping_mul(16_411))).collect();
    xs.extend(SPECIAL);
    xs.extend([
        65_504.0,
        65_519.99,
        65_520.0,
        6e-8,
        2.98e-8,
        2.9802322e-8,
        6.1e-5,
        3.4e38,
        4294967295.0,
    ]);
    xs.extend([464.0, 464.1, 448.0, 1.0625, 1.1875, 0.0009765625, 61_440.0, 61_439.0, 1.125]);
    let bits: Vec<u32> = xs.iter().map(|x| x.to_bits()).collect();
    let eights = [("round_e4m3fn", Float8E4M3FN), ("round_e5m2", Float8E5M2)];
    for (function, dtype) in
        [("round_f16", Float16), ("round_bf16", BFloat16)].into_iter().chain(eights)
    {
        let got = run(gpu, &unary_kernel(&format!("{function}(x)"), "f32"), &[&bits]);
        for (&x, got) in xs.iter().zip(got).filter(|(x, _)| x.is_normal() || **x == 0.0) {
            let want = round_f32(dtype, x);
            let got = f32::from_bits(got);
            assert!(got == want || got.is_nan() && want.is_nan(), "{function}({x:e}): {got}");
        }
        let nan =
            run(gpu, &unary_kernel(&format!("{function}(x)"), "f32"), &[&[f32::NAN.to_bits()]]);
        assert!(f32::from_bits(nan[0]).is_nan());
    }
    let signed = run(gpu, &unary_kernel("f32_to_i32(x)", "f32"), &[&bits]);
    let unsigned = run(gpu, &unary_kernel("f32_to_u32(x)", "f32"), &[&bits]);
    for ((&x, i), u) in xs.iter().zip(signed).zip(unsigned) {
        assert_eq!(i as i32, x as i32, "i32({x:e})");
        assert_eq!(u, x as u32, "u32({x:e})");
    }
}

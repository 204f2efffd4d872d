//! What functions of Keras give here, against double precision and against Keras: the tables of
//! `manual::numerics` on whole operations, and what NaN, infinities and the smallest numbers become.
//!
//! `tests/keras/make_numerics.py` records models of one function for each output.

mod common;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use common::gpu;
use keraunos::saving::npz::read_npz;
use keraunos::{Device, Tensor, load_model};

const CHAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/numerics.rs");
const BEGIN: &str = "//! | operation | host | units | software GPU | units | Keras, units |\n\
                     //! | --- | --- | --- | --- | --- | --- |\n";
const END: &str = "//!\n//! <!-- end of the operations -->\n";

/// Below the smallest normal number devices may give zero.
const NORMAL: f64 = f32::MIN_POSITIVE as f64;

/// Functions whose zeros come from sums that cancel, in Keras too: their errors are relative to 1
/// where results are smaller.
const CANCELLING: &[&str] = &[
    "average",
    "cos",
    "cumsum",
    "gelu",
    "layer_normalization",
    "logaddexp",
    "logaddexp2",
    "matmul",
    "mean",
    "mod",
    "sin",
    "sinc",
    "sum",
    "tan",
    "tanh_shrink",
    "silu",
    "log_softmax",
    "celu",
    "binary_crossentropy",
    "squareplus",
    "fmod",
    "floor_divide",
];

/// Functions with their results, wherever they come from.
struct Recorded {
    names: Vec<String>,
    inputs: Vec<Tensor>,
    /// In double precision.
    exact: Vec<Tensor>,
    /// Of Keras in float32.
    keras: Vec<Tensor>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/numerics")
}

fn recorded(name: &str) -> Recorded {
    let arrays = read_npz(&folder().join(format!("{name}.npz"))).unwrap();
    let all = |letter: char| {
        let of = move |name: &str| name.starts_with(letter) && name != "names";
        arrays.iter().filter(move |(name, _)| of(name)).map(|(_, t)| t.clone()).collect()
    };
    let names = arrays.iter().find(|(name, _)| name == "names");
    Recorded {
        names: names.map(|(_, names)| names.strings().unwrap().to_vec()).unwrap_or_default(),
        inputs: all('x'),
        exact: all('r'),
        keras: all('y'),
    }
}

fn outputs(model: &str, inputs: &[Tensor], device: &Device) -> Vec<Tensor> {
    let model = load_model(folder().join(format!("{model}.keras"))).unwrap();
    model.call(inputs, device).unwrap()
}

/// The largest error of a function, relative and in units in the last place.
#[derive(Clone, Copy, Default)]
struct Worst {
    relative: f64,
    units: f64,
}

fn worst(name: &str, found: &Tensor, exact: &Tensor) -> Worst {
    let floor = if CANCELLING.contains(&name) { 1.0 } else { NORMAL };
    let mut worst = Worst::default();
    for (found, exact) in found.iter_f64().zip(exact.iter_f64()) {
        let in_range = exact.abs() < f64::from(f32::MAX) && (exact.abs() >= NORMAL || floor == 1.0);
        if !in_range || found == exact {
            continue;
        }
        let size = exact.abs().max(floor);
        let error = (found - exact).abs();
        let error = if error.is_nan() { f64::INFINITY } else { error };
        worst.relative = worst.relative.max(error / size);
        worst.units = worst.units.max(error / unit(size));
    }
    worst
}

/// The distance of float32 numbers around a size.
fn unit(size: f64) -> f64 {
    2f64.powi(size.log2().floor() as i32 - 23)
}

/// The next of 1, 1.5, 2, 3, 5, 7 times a power of ten.
fn bound(error: f64) -> f64 {
    let power = 10f64.powf(error.max(1e-12).log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0];
    steps.iter().map(|s| s * power).find(|&b| b >= error).unwrap_or(error)
}

/// One line of the table: errors on the host, on a GPU and of Keras.
struct Row {
    name: String,
    errors: [Worst; 3],
}

fn measured() -> Vec<Row> {
    let gpu = gpu();
    let rows = |model: &str| {
        let recorded = recorded(model);
        let host = outputs(model, &recorded.inputs, &Device::Host);
        let device = outputs(model, &recorded.inputs, &gpu);
        let row = |i: usize| {
            let name = &recorded.names[i];
            let of = |found: &Tensor| worst(name, found, &recorded.exact[i]);
            let errors = [of(&host[i]), of(&device[i]), of(&recorded.keras[i])];
            Row { name: name.clone(), errors }
        };
        (0..recorded.names.len()).map(row).collect::<Vec<_>>()
    };
    ["unary", "binary", "composites"].into_iter().flat_map(rows).collect()
}

fn table(rows: &[Row]) -> String {
    rows.iter().fold(String::new(), |mut text, row| {
        let cells = row.errors.map(|worst| (bound(worst.relative), bound(worst.units)));
        let exact = |(relative, units): (f64, f64)| match units <= 1e-12 {
            true => ("exact".to_owned(), "0".to_owned()),
            false => (format!("{relative:.1e}"), shortest(units)),
        };
        let [host, gpu, keras] = cells.map(exact);
        let name = if CANCELLING.contains(&row.name.as_str()) { "†" } else { "" };
        writeln!(
            text,
            "//! | `{}`{name} | {} | {} | {} | {} | {} |",
            row.name, host.0, host.1, gpu.0, gpu.1, keras.1
        )
        .unwrap();
        text
    })
}

/// A bound without the tail of its binary fraction.
fn shortest(bound: f64) -> String {
    format!("{bound:.1e}").parse::<f64>().map_or_else(|e| e.to_string(), |x| x.to_string())
}

/// Names and the relative bounds on the host and on a GPU.
fn stated(chapter: &str) -> Vec<(String, [f64; 2])> {
    let (_, rest) = chapter.split_once(BEGIN).expect("the chapter has the table");
    let (rows, _) = rest.split_once(END).expect("the table has an end");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number = |cell: &str| if cell == "exact" { 0.0 } else { cell.parse().unwrap() };
        let name = cells[1].trim_end_matches('†').trim_matches('`').to_owned();
        (name, [number(cells[2]), number(cells[4])])
    };
    rows.lines().map(row).collect()
}

/// `KERAUNOS_BLESS=1` writes the table anew.
#[test]
fn operations_are_as_exact_as_the_manual_says() {
    let rows = measured();
    let chapter = std::fs::read_to_string(CHAPTER).unwrap();
    if std::env::var_os("KERAUNOS_BLESS").is_some() {
        let (head, rest) = chapter.split_once(BEGIN).unwrap();
        let (_, tail) = rest.split_once(END).unwrap();
        return std::fs::write(CHAPTER, format!("{head}{BEGIN}{}{END}{tail}", table(&rows)))
            .unwrap();
    }
    let stated = stated(&chapter);
    assert!(
        rows.iter().map(|row| &row.name).eq(stated.iter().map(|(name, _)| name)),
        "other operations than in the table: KERAUNOS_BLESS=1"
    );
    for (row, (name, bounds)) in rows.iter().zip(stated) {
        for (error, bound) in row.errors.iter().zip(bounds) {
            assert!(error.relative <= bound, "{name}: {:.2e} > {bound:.1e}", error.relative);
        }
    }
}

/// Results that are not Keras's, and why.
const OTHERWISE: &[(&str, &str)] = &[
    ("i0", "at 88.8 Keras's product of two factors overflows, the result does not"),
    ("logaddexp2", "Keras's own rounding at two equal numbers, whose result here is exact"),
];

/// Functions of the angle's distance to a multiple of π / 2: on a GPU nothing is left of that for
/// large angles, as the chapter says.
const PERIODIC: [&str; 4] = ["sin", "cos", "tan", "sinc"];
const LARGE: f64 = 1e6;

/// Whether the arguments are left to the device: numbers too small to be normal, which devices, and
/// Keras on the processor, take for zero; and large angles.
fn is_open(name: &str, arguments: &[f64], device: &Device) -> bool {
    let large = |x: &f64| x.is_finite() && x.abs() > LARGE;
    arguments.iter().any(|x| *x != 0.0 && x.abs() < NORMAL)
        || (!device.is(&Device::Host) && PERIODIC.contains(&name) && arguments.iter().any(large))
}

fn same(found: f64, expected: f64) -> bool {
    match expected {
        e if e.is_nan() => found.is_nan(),
        e if e.is_infinite() => found == e,
        e if e.abs() < NORMAL => found.abs() < NORMAL * 1.001,
        e => (found - e).abs() <= 1e-5 * e.abs(),
    }
}

fn special(model: &str, device: &Device) -> Vec<String> {
    let names = recorded(model).names;
    let special = recorded(&format!("{model}_special"));
    let found = outputs(model, &special.inputs, device);
    let mut differences = Vec::new();
    for ((name, found), expected) in names.iter().zip(&found).zip(&special.keras) {
        if OTHERWISE.iter().any(|(otherwise, _)| otherwise == name) {
            continue;
        }
        for (i, (f, e)) in found.iter_f64().zip(expected.iter_f64()).enumerate() {
            let at: Vec<f64> = special.inputs.iter().filter_map(|x| x.iter_f64().nth(i)).collect();
            if !same(f, e) && !is_open(name, &at, device) {
                differences.push(format!("{name} at {at:?}: {f}, Keras gives {e}"));
            }
        }
    }
    differences
}

#[test]
fn what_is_not_finite_or_tiny_is_as_in_keras() {
    let devices = [Device::Host, gpu()];
    let all = ["unary", "binary"].into_iter().flat_map(|model| {
        let on = |device: &Device| {
            special(model, device).into_iter().map(|d| format!("{device}: {d}")).collect::<Vec<_>>()
        };
        devices.iter().flat_map(on).collect::<Vec<_>>()
    });
    let all: Vec<String> = all.collect();
    assert!(all.is_empty(), "{} results:\n{}", all.len(), all.join("\n"));
}

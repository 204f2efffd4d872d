//! Functions of the host executor over runs of words.

use pulp::Arch;

use crate::base::DType;
use crate::base::dtype::Lane;
use crate::graph::ops::{BinaryRow, Domain, UnaryRow};
use crate::runtime::host_functions as functions;

/// `f` of every word as a float, with the widest vectors that this processor has.
fn each_float(x: &[u32], out: &mut [u32], f: impl Fn(f32) -> f32) {
    Arch::new().dispatch(|| {
        for (o, &x) in out.iter_mut().zip(x) {
            *o = f(f32::from_bits(x)).to_bits();
        }
    });
}

/// Functions that are frequent enough for a form in single precision; the others are computed in
/// double precision by their row.
fn frequent(name: &str, x: &[u32], out: &mut [u32]) -> bool {
    match name {
        "neg" => each_float(x, out, |x| -x),
        "abs" => each_float(x, out, f32::abs),
        "floor" => each_float(x, out, f32::floor),
        "ceil" => each_float(x, out, f32::ceil),
        "sqrt" => each_float(x, out, f32::sqrt),
        "rsqrt" => each_float(x, out, |x| 1.0 / x.sqrt()),
        "recip" => each_float(x, out, f32::recip),
        "exp" => each_float(x, out, functions::exp),
        "log" => each_float(x, out, functions::log),
        "tanh" => each_float(x, out, functions::tanh),
        "sigmoid" => each_float(x, out, functions::sigmoid),
        "erf" => each_float(x, out, functions::erf),
        _ => return false,
    }
    true
}

pub fn apply_unary(row: &UnaryRow, lane: Lane, x: &[u32], out: &mut [u32]) {
    if lane == Lane::F32 && frequent(row.name, x, out) {
        return;
    }
    let test = row.domain == Domain::Test;
    for (o, &x) in out.iter_mut().zip(x) {
        *o = match lane {
            Lane::F32 if test => (row.host)(f64::from(f32::from_bits(x))) as u32,
            Lane::F32 => ((row.host)(f64::from(f32::from_bits(x))) as f32).to_bits(),
            Lane::I32 => (row.host)(f64::from(x as i32)) as i64 as u32,
            Lane::U32 => (row.host)(f64::from(x)) as i64 as u32,
        };
    }
}

pub fn apply_binary(row: &BinaryRow, lane: Lane, a: &[u32], b: &[u32], out: &mut [u32]) {
    fn words(a: &[u32], b: &[u32], out: &mut [u32], f: impl Fn(f32, f32) -> u32) {
        // With the widest vectors that this processor has.
        Arch::new().dispatch(|| {
            for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *o = f(f32::from_bits(a), f32::from_bits(b));
            }
        });
    }
    fn floats(a: &[u32], b: &[u32], out: &mut [u32], f: impl Fn(f32, f32) -> f32) {
        words(a, b, out, |a, b| f(a, b).to_bits());
    }
    fn tests(a: &[u32], b: &[u32], out: &mut [u32], f: impl Fn(f32, f32) -> bool) {
        words(a, b, out, |a, b| u32::from(f(a, b)));
    }
    if lane == Lane::F32 {
        match row.name {
            "add" => floats(a, b, out, |a, b| a + b),
            "sub" => floats(a, b, out, |a, b| a - b),
            "mul" => floats(a, b, out, |a, b| a * b),
            "div" => floats(a, b, out, |a, b| a / b),
            // The comparison is false for NaN on either side, the sum then is NaN.
            "max" => floats(a, b, out, |a, b| {
                if a >= b {
                    a
                } else if b > a {
                    b
                } else {
                    a + b
                }
            }),
            "min" => floats(a, b, out, |a, b| {
                if a <= b {
                    a
                } else if b < a {
                    b
                } else {
                    a + b
                }
            }),
            "eq" => tests(a, b, out, |a, b| a == b),
            "lt" => tests(a, b, out, |a, b| a < b),
            "gt" => tests(a, b, out, |a, b| a > b),
            "le" => tests(a, b, out, |a, b| a <= b),
            "ge" => tests(a, b, out, |a, b| a >= b),
            _ if row.test => {
                tests(a, b, out, |a, b| (row.host)(f64::from(a), f64::from(b)) != 0.0);
            }
            _ => floats(a, b, out, |a, b| (row.host)(f64::from(a), f64::from(b)) as f32),
        }
        return;
    }
    let wide = |word: u32| if lane == Lane::I32 { i64::from(word as i32) } else { i64::from(word) };
    for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *o = (row.host_int)(wide(a), wide(b)) as u32;
    }
}

/// `a` where the condition is not 0, else `b`.
pub fn select(condition: &[u32], a: &[u32], b: &[u32], out: &mut [u32]) {
    Arch::new().dispatch(|| {
        for (((o, &c), &a), &b) in out.iter_mut().zip(condition).zip(a).zip(b) {
            *o = if c != 0 { a } else { b };
        }
    });
}

pub fn cast(from: Lane, to: DType, x: &[u32], out: &mut [u32]) {
    fn words(x: &[u32], out: &mut [u32], f: impl Fn(u32) -> u32) {
        Arch::new().dispatch(|| {
            for (o, &x) in out.iter_mut().zip(x) {
                *o = f(x);
            }
        });
    }
    let to_bool = to == DType::Bool;
    match (from, to.lane()) {
        (Lane::F32, _) if to_bool => words(x, out, |x| u32::from(f32::from_bits(x) != 0.0)),
        (_, _) if to_bool => words(x, out, |x| u32::from(x != 0)),
        (Lane::F32, Lane::I32) => words(x, out, |x| f32::from_bits(x) as i32 as u32),
        (Lane::F32, Lane::U32) => words(x, out, |x| f32::from_bits(x) as u32),
        (Lane::I32, Lane::F32) => words(x, out, |x| (x as i32 as f32).to_bits()),
        (Lane::U32, Lane::F32) => words(x, out, |x| (x as f32).to_bits()),
        _ => out.copy_from_slice(x),
    }
}

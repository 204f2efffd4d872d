//! Functions of two elements. A new one is one row of [`BINARY`].
//!
//! Operands have equal specs: [`Value`] broadcasts them first, so that only `Broadcast` needs a
//! rule that sums gradients back.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp};
use crate::tensor::{Array, Words};

/// A function of two elements, by its row in [`BINARY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Binary {
    /// The row's name in [`BINARY`].
    pub name: &'static str,
}

type Grads<'g> = (Option<Value<'g>>, Option<Value<'g>>);

/// What is to know of a function of two elements.
pub struct BinaryRow {
    /// What [`Value::binary`] calls it.
    pub name: &'static str,
    /// WGSL expression of `a` and `b` for the float lane.
    pub wgsl: &'static str,
    /// WGSL expression for the integer lanes, in which `LANE` stands for i32 or u32; empty where
    /// the function takes floats only.
    pub wgsl_int: &'static str,
    /// The function of floats on the host, in double precision; 1 is true where the result is
    /// boolean.
    pub host: fn(f64, f64) -> f64,
    /// The function of integers on the host; the result wraps to the lane, and 1 is true as above.
    pub host_int: fn(i64, i64) -> i64,
    /// Gradients from `g`, `a`, `b` and the output `y`.
    pub vjp: for<'g> fn(Value<'g>, Value<'g>, Value<'g>, Value<'g>) -> Grads<'g>,
    /// Whether the result is boolean.
    pub test: bool,
}

const fn row(
    name: &'static str,
    (wgsl, wgsl_int): (&'static str, &'static str),
    host: fn(f64, f64) -> f64,
    host_int: fn(i64, i64) -> i64,
    vjp: for<'g> fn(Value<'g>, Value<'g>, Value<'g>, Value<'g>) -> Grads<'g>,
) -> BinaryRow {
    BinaryRow { name, wgsl, wgsl_int, host, host_int, vjp, test: false }
}

const fn test(
    name: &'static str,
    (wgsl, wgsl_int): (&'static str, &'static str),
    host: fn(f64, f64) -> f64,
    host_int: fn(i64, i64) -> i64,
) -> BinaryRow {
    BinaryRow { name, wgsl, wgsl_int, host, host_int, vjp: |_, _, _, _| (None, None), test: true }
}

/// Where one operand is chosen, its share of the gradient; ties are split evenly, as in Keras.
fn share<'g>(g: Value<'g>, mine: Value<'g>, chosen: Value<'g>, other: Value<'g>) -> Value<'g> {
    let zero = g.like(0.0);
    let tie = mine.binary("eq", other);
    mine.binary("eq", chosen).select(tie.select(g * 0.5, g), zero)
}

/// All functions of two elements.
pub const BINARY: &[BinaryRow] = &[
    row(
        "add",
        ("a + b", "a + b"),
        |a, b| a + b,
        i64::wrapping_add,
        |g, _, _, _| (Some(g), Some(g)),
    ),
    row(
        "sub",
        ("a - b", "a - b"),
        |a, b| a - b,
        i64::wrapping_sub,
        |g, _, _, _| (Some(g), Some(-g)),
    ),
    row(
        "mul",
        ("a * b", "a * b"),
        |a, b| a * b,
        i64::wrapping_mul,
        |g, a, b, _| (Some(g * b), Some(g * a)),
    ),
    row(
        "div",
        ("a / b", ""),
        |a, b| a / b,
        |_, _| 0,
        |g, _, b, y| (Some(g / b), Some(-(g * y / b))),
    ),
    row(
        "floor_div",
        ("floor_div_f32(a, b)", "floor_div_LANE(a, b)"),
        floor_div,
        |a, b| if b == 0 { 0 } else { (a - a.rem_euclid(b) - excess(a, b)) / b },
        |_, _, _, _| (None, None),
    ),
    row(
        "mod",
        ("floor_mod_f32(a, b)", "floor_mod_LANE(a, b)"),
        floor_mod,
        |a, b| if b == 0 { 0 } else { a.rem_euclid(b) + excess(a, b) },
        |g, a, b, _| (Some(g), Some(-(g * a.binary("floor_div", b)))),
    ),
    row("pow", ("safe_pow(a, b)", "int_pow_LANE(a, b)"), f64::powf, int_pow, |g, a, b, y| {
        let zero = g.like(0.0);
        let by_base = b.binary("eq", zero).select(zero, g * b * a.binary("pow", b - 1.0));
        let by_power = a.binary("gt", zero).select(g * y * a.unary("log"), zero);
        (Some(by_base), Some(by_power))
    }),
    row("max", ("nan_max(a, b)", "max(a, b)"), max, i64::max, |g, a, b, y| {
        (Some(share(g, a, y, b)), Some(share(g, b, y, a)))
    }),
    row("min", ("nan_min(a, b)", "min(a, b)"), min, i64::min, |g, a, b, y| {
        (Some(share(g, a, y, b)), Some(share(g, b, y, a)))
    }),
    row(
        "atan2",
        ("safe_atan2(a, b)", ""),
        f64::atan2,
        |_, _| 0,
        |g, a, b, _| {
            let square = a * a + b * b;
            (Some(g * b / square), Some(-(g * a / square)))
        },
    ),
    test(
        "eq",
        ("u32(comparable(a, b) && a == b)", "u32(a == b)"),
        |a, b| f64::from(a == b),
        |a, b| i64::from(a == b),
    ),
    test(
        "ne",
        ("u32(!(comparable(a, b) && a == b))", "u32(a != b)"),
        |a, b| f64::from(a != b),
        |a, b| i64::from(a != b),
    ),
    test(
        "lt",
        ("u32(comparable(a, b) && a < b)", "u32(a < b)"),
        |a, b| f64::from(a < b),
        |a, b| i64::from(a < b),
    ),
    test(
        "le",
        ("u32(comparable(a, b) && a <= b)", "u32(a <= b)"),
        |a, b| f64::from(a <= b),
        |a, b| i64::from(a <= b),
    ),
    test(
        "gt",
        ("u32(comparable(a, b) && a > b)", "u32(a > b)"),
        |a, b| f64::from(a > b),
        |a, b| i64::from(a > b),
    ),
    test(
        "ge",
        ("u32(comparable(a, b) && a >= b)", "u32(a >= b)"),
        |a, b| f64::from(a >= b),
        |a, b| i64::from(a >= b),
    ),
    row("and", ("", "a & b"), |_, _| 0.0, |a, b| a & b, |_, _, _, _| (None, None)),
    row("or", ("", "a | b"), |_, _| 0.0, |a, b| a | b, |_, _, _, _| (None, None)),
    row("xor", ("", "a ^ b"), |_, _| 0.0, |a, b| a ^ b, |_, _, _, _| (None, None)),
    row("shl", ("", "shift_left_LANE(a, b)"), |_, _| 0.0, shift_left, |_, _, _, _| (None, None)),
    row("shr", ("", "shift_right_LANE(a, b)"), |_, _| 0.0, shift_right, |_, _, _, _| (None, None)),
    row("gcd", ("", "gcd_LANE(a, b)"), |_, _| 0.0, gcd, |_, _, _, _| (None, None)),
];

/// Zero where all bits are shifted out; a negative distance counts as a long one.
fn shift_left(a: i64, b: i64) -> i64 {
    if (0..32).contains(&b) { a << b } else { 0 }
}

/// The sign's bits where all others are shifted out; a negative distance counts as a long one.
fn shift_right(a: i64, b: i64) -> i64 {
    a >> if (0..32).contains(&b) { b } else { 63 }
}

/// The greatest common divisor, which is not negative.
fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// What Euclid's remainder lacks to Python's, whose sign is the divisor's.
fn excess(a: i64, b: i64) -> i64 {
    if b < 0 && a.rem_euclid(b) != 0 { b } else { 0 }
}

/// Python's quotient.
fn floor_div(a: f64, b: f64) -> f64 {
    match (a.is_infinite(), b.is_infinite()) {
        (true, _) if b != 0.0 => f64::NAN,
        (false, true) if a * b.signum() < 0.0 => -1.0,
        _ => (a / b).floor(),
    }
}

/// Python's remainder: its sign is the divisor's.
fn floor_mod(a: f64, b: f64) -> f64 {
    match (b.is_infinite() && a.is_finite(), a * b.signum() < 0.0) {
        (true, true) => b,
        (true, false) => a,
        _ => a - b * (a / b).floor(),
    }
}

fn int_pow(a: i64, b: i64) -> i64 {
    u32::try_from(b).map_or(i64::from(a == 1), |b| a.wrapping_pow(b))
}

fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

impl Binary {
    /// The function's row.
    pub fn row(&self) -> Result<&'static BinaryRow> {
        BINARY
            .iter()
            .find(|row| row.name == self.name)
            .ok_or_else(|| Error::Internal(format!("no binary function '{}'", self.name)))
    }
}

impl OpDef for Binary {
    fn label(&self) -> String {
        self.name.into()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let (row, [a, b]) = (self.row()?, [inputs[0], inputs[1]]);
        if a != b {
            return Err(Error::shape(self.name, format!("{a} and {b}"), "equal shapes and dtypes"));
        }
        let missing =
            if a.dtype.is_float() { row.wgsl.is_empty() } else { row.wgsl_int.is_empty() };
        if missing {
            let expected = if a.dtype.is_float() { "integers or bool" } else { "a floating dtype" };
            return Err(Error::DType {
                context: self.name.into(),
                found: a.dtype.name().into(),
                expected: expected.into(),
            });
        }
        Ok(Spec::new(a.shape.clone(), if row.test { DType::Bool } else { a.dtype }))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let Ok(row) = self.row() else { return vec![None, None] };
        let (a, b) = (row.vjp)(cx.grad, cx.inputs[0], cx.inputs[1], cx.output);
        vec![a, b]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let row = self.row()?;
        let (f, i) = (row.host, row.host_int);
        let words = match (&inputs[0].words, &inputs[1].words) {
            (Words::F32(a), Words::F32(b)) => {
                let results = a.iter().zip(b).map(|(&a, &b)| f(f64::from(a), f64::from(b)));
                if row.test {
                    Words::U32(results.map(|y| y as u32).collect())
                } else {
                    Words::F32(results.map(|y| y as f32).collect())
                }
            }
            (Words::I32(a), Words::I32(b)) => {
                let results = a.iter().zip(b).map(|(&a, &b)| i(i64::from(a), i64::from(b)));
                if row.test {
                    Words::U32(results.map(|y| y as u32).collect())
                } else {
                    Words::I32(results.map(|y| y as i32).collect())
                }
            }
            (Words::U32(a), Words::U32(b)) => {
                let results = a.iter().zip(b).map(|(&a, &b)| i(i64::from(a), i64::from(b)));
                Words::U32(results.map(|y| y as u32).collect())
            }
            _ => return Err(Error::Internal(format!("{}: operands in two lanes", self.name))),
        };
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_division_and_remainder_follow_python() {
        let find = |name| BINARY.iter().find(|r| r.name == name).unwrap().host_int;
        for (a, b, quotient, remainder) in
            [(7, 2, 3, 1), (-7, 2, -4, 1), (7, -2, -4, -1), (-7, -2, 3, -1), (6, -2, -3, 0)]
        {
            assert_eq!(find("floor_div")(a, b), quotient, "{a} // {b}");
            assert_eq!(find("mod")(a, b), remainder, "{a} % {b}");
        }
    }
}

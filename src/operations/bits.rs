//! `keras.ops.numpy`, on the bits of numbers and on integers.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Bits, divisors and the parts of a float.
    BITS:
    BitwiseInvert(x) |c| invert(c);
    BitwiseNot(x) |c| invert(c);
    BitwiseLeftShift(x, y) |c| integers(c, "shl");
    LeftShift(x, y) |c| integers(c, "shl");
    BitwiseRightShift(x, y) |c| integers(c, "shr");
    RightShift(x, y) |c| integers(c, "shr");
    Gcd(x1, x2) |c| integers(c, "gcd");
    Lcm(x1, x2) |c| {
        let (a, b) = c.pair()?;
        // Nothing divides by zero: the quotient then is zero, as the result.
        Ok(size(a) * size(b).binary("floor_div", a.binary("gcd", b)))
    };
    Signbit(x) |c| {
        let x = c.value(0)?;
        Ok(match x.dtype() {
            dtype if dtype.is_float() => {
                let bits = x.cast(DType::Float32).bitcast(DType::Int32);
                bits.binary("lt", bits.like(0.0))
            }
            dtype if dtype.is_signed_int() => x.binary("lt", x.like(0.0)),
            _ => x.binary("ne", x),
        })
    };
    Nextafter(x1, x2) |c| {
        let (a, b) = c.float_pair()?;
        next_after(a, b)
    };
    Ldexp(x1, x2) |c| {
        let (x, n) = (c.float(0)?, c.value(1)?);
        if !n.dtype().is_int() {
            return Err(c.bad(1, "integers"));
        }
        Ok(scaled(x, n.cast(DType::Int32)))
    };
    View(x) { dtype: null } |c| {
        let x = c.value(0)?;
        let dtype = c.dtype("dtype")?.unwrap_or(x.dtype());
        view(x, dtype)
    };
}

/// The magnitude of integers.
fn size(v: Value<'_>) -> Value<'_> {
    if v.dtype().is_signed_int() { v.abs() } else { v }
}

fn invert<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    Ok(match x.dtype() {
        DType::Bool => x.unary("not"),
        // All bits: −1, which narrow dtypes cut to their width.
        dtype => x.binary("xor", c.cx.graph().scalar(-1.0, DType::Int32).cast(dtype)),
    })
}

fn integers<'g>(c: &Call<'_, 'g>, name: &'static str) -> Result<Value<'g>> {
    let (a, b) = c.pair()?;
    Ok(a.binary(name, b))
}

/// `x · 2^n`: powers of two are taken in parts, so that none overflows before the result does.
fn scaled<'g>(x: Value<'g>, n: Value<'g>) -> Value<'g> {
    let dtype = x.dtype();
    let shape = x.shape().broadcast(&n.shape());
    let x = x.cast(DType::Float32);
    let bound = |v: Value<'g>, by: f64| v.binary("max", v.like(-by)).binary("min", v.like(by));
    let power = |n: Value<'g>| {
        let bits = (n + 127.0).binary("shl", n.like(23.0));
        bits.bitcast(DType::Float32)
    };
    let mut rest = bound(n, 500.0);
    let y = (0..4).fold(x, |y, _| {
        let step = bound(rest, 126.0);
        rest = rest - step;
        y * power(step)
    });
    match shape {
        Ok(_) => y.cast(dtype),
        Err(error) => x.graph().failed(error),
    }
}

/// The unsigned integer that holds a dtype's bits.
fn bits_dtype(dtype: DType) -> Result<DType> {
    match dtype.size() {
        1 => Ok(DType::UInt8),
        2 => Ok(DType::UInt16),
        4 => Ok(DType::UInt32),
        _ => Err(Error::Unsupported(format!(
            "the bits of {dtype}: devices hold 32 bits of an element"
        ))),
    }
}

fn next_after<'g>(a: Value<'g>, b: Value<'g>) -> Result<Value<'g>> {
    let dtype = if a.dtype() == DType::Float64 { DType::Float32 } else { a.dtype() };
    let unsigned = bits_dtype(dtype)?;
    let sign = if dtype.size() == 2 { 32768.0 } else { 2_147_483_648.0 };
    let (wide, zero) = (a.dtype(), a.like(0.0));
    let bits = |v: Value<'g>| v.cast(dtype).bitcast(unsigned).cast(DType::UInt32);
    let (from, to) = (bits(a), bits(b));
    let one = from.like(1.0);
    let away = a.binary("lt", b).binary("eq", a.binary("gt", zero));
    let moved = away.select(from + 1.0, from - one);
    let first = to.binary("and", to.like(sign)).binary("or", one);
    let found = a.binary("eq", zero).select(first, moved);
    let found = found.cast(unsigned).bitcast(dtype).cast(wide);
    let found = a.binary("eq", b).select(b, found);
    let nan = a.unary("isnan").binary("or", b.unary("isnan"));
    Ok(nan.select(a.like(f64::NAN), found))
}

/// The bytes along the last axis under another dtype.
fn view<'g>(x: Value<'g>, dtype: DType) -> Result<Value<'g>> {
    let shape = x.shape();
    if dtype == x.dtype() {
        return Ok(x);
    }
    let (from, to) = (bits_dtype(x.dtype())?, bits_dtype(dtype)?);
    if [x.dtype(), dtype].contains(&DType::Bool) {
        return Err(Error::Unsupported("a view of or as bool".into()));
    }
    let words = x.bitcast(from).cast(DType::UInt32);
    let (old, new) = (from.size(), to.size());
    let Some((&last, lead)) =
        shape.split_last().filter(|(last, _)| (*last * old).is_multiple_of(new))
    else {
        return match old == new {
            true => Ok(words.cast(to).bitcast(dtype)),
            false => Err(Error::shape(
                "view",
                shape.to_string(),
                format!("a last axis of whole {dtype}"),
            )),
        };
    };
    let extents = |tail: &[usize]| lead.iter().chain(tail).copied().collect::<Vec<_>>();
    let graph = x.graph();
    let bits = if old >= new {
        // Little-endian: the lowest part comes first.
        let parts = old / new;
        let shift = graph.iota([parts], 0).cast(DType::UInt32) * (8 * new) as f64;
        words
            .reshape(extents(&[last, 1]))
            .binary("shr", shift)
            .cast(to)
            .reshape(extents(&[last * parts]))
    } else {
        let parts = new / old;
        let shift = graph.iota([parts], 0).cast(DType::UInt32) * (8 * old) as f64;
        let placed = words.reshape(extents(&[last / parts, parts])).binary("shl", shift);
        placed.sum(&[lead.len() + 1]).cast(to)
    };
    Ok(bits.bitcast(dtype))
}

//! `keras.ops` of complex numbers: how an operation that the tables define for real ones goes on with
//! their parts. What is not listed here refuses them.

use crate::base::{DType, Error, Result};
use crate::graph::{Complex, Value};
use crate::layers::{Arg, Args, Outputs};
use crate::operations::call::Call;
use crate::operations::promotion::{Kind, result_type};
use crate::operations::{OperationDef, operations};

operations! {
    /// Complex numbers and their parts on a last axis.
    VIEWS:
    ViewAsComplex(x) |c| {
        let x = c.value(0)?;
        match x.shape().last() {
            Some(2) => Ok(Complex::from_last_axis(x.cast(DType::Float32)).value()),
            _ => Err(c.bad(0, "a last axis of two, the real and the imaginary part")),
        }
    };
    ViewAsReal(x) |c| {
        let x = c.value(0)?;
        Ok(side_by_side(x, x.like(0.0)))
    };
}

operations! {
    /// Complex numbers of their distance from zero and their angle.
    POLAR:
    Polar(abs_, angle) |c| {
        let (abs, angle) = (c.operand(0)?, c.float(1)?);
        let dtype = result_type(&[abs.kind(), Kind::Strong(angle.dtype())]);
        if dtype != DType::Float32 {
            return Err(c.bad(0, "float32"));
        }
        let abs = abs.cast(c.cx, dtype);
        let part = |name| abs * angle.unary(name).cast(dtype);
        Ok(Complex { re: part("cos"), im: part("sin") }.value())
    };
}

/// How an operation continues to complex numbers.
enum Rule {
    /// Both parts go through it on their own; these arguments are numbers, the others say what to do.
    Linear(&'static [usize]),
    /// It is a product of its first two arguments.
    Product,
    /// A function of the first argument.
    Function(for<'g> fn(Complex<'g>) -> Value<'g>),
    /// A function of the first two arguments.
    Pairs(for<'g> fn(Complex<'g>, Complex<'g>) -> Value<'g>),
}

use Rule::{Function, Linear, Pairs, Product};

fn rule(c: &Call<'_, '_>, class_name: &str) -> Option<Rule> {
    Some(match class_name {
        "Append" | "Add" | "Subtract" | "Pad" => Linear(&[0, 1]),
        "Where" => Linear(&[1, 2]),
        "ArraySplit" | "BroadcastTo" | "Concatenate" | "Copy" | "Cumsum" | "Diag" | "Diagflat"
        | "Diagonal" | "Diff" | "Dsplit" | "Dstack" | "ExpandDims" | "Flip" | "Fliplr"
        | "Flipud" | "GetItem" | "Hsplit" | "Hstack" | "Mean" | "Moveaxis" | "Negative"
        | "Ravel" | "Rearrange" | "Repeat" | "Reshape" | "Roll" | "Rot90" | "Slice" | "Split"
        | "Squeeze" | "Stack" | "StopGradient" | "Sum" | "Swapaxes" | "Take" | "TakeAlongAxis"
        | "Tile" | "Trace" | "Transpose" | "Trapezoid" | "Tril" | "Triu" | "Unstack" | "Vsplit"
        | "Vstack" => Linear(&[0]),
        "Einsum" if c.args.positional.len() == 1 => Linear(&[0]),
        "Einsum" if c.args.positional.len() == 2 => Product,
        "Cross" | "Dot" | "Inner" | "Kron" | "Matmul" | "Multiply" | "Outer" | "Tensordot"
        | "Vdot" => Product,
        "Abs" | "Absolute" => Function(abs),
        "Angle" => Function(angle),
        "Conj" | "Conjugate" => Function(|x| x.conjugate().value()),
        "Exp" => Function(exp),
        "Imag" => Function(|x| x.im),
        "Isfinite" => Function(|x| both(x, "and", |v| v.unary("isfinite"))),
        "Isinf" => Function(|x| both(x, "or", |v| v.unary("isinf"))),
        "Isnan" => Function(|x| both(x, "or", |v| v.unary("isnan"))),
        "Isreal" => Function(|x| x.im.binary("eq", x.im.like(0.0))),
        "Log" => Function(|x| Complex { re: x.abs().log(), im: angle(x) }.value()),
        "Real" => Function(|x| x.re),
        "Reciprocal" => Function(|x| Complex::from_any(x.re.like(1.0)).over(x).value()),
        "Square" => Function(|x| x.times(x).value()),
        "ViewAsReal" => Function(|x| side_by_side(x.re, x.im)),
        "Divide" | "TrueDivide" => Pairs(|a, b| a.over(b).value()),
        "Equal" => Pairs(equal),
        "NotEqual" => Pairs(|a, b| a.equals(b).unary("not")),
        _ => return None,
    })
}

/// Whether an argument is complex.
pub(super) fn is_given(args: &Args<'_>) -> bool {
    let mut found = false;
    args.visit(&mut |value: &Value<'_>| found |= value.dtype() == DType::Complex64);
    found
}

/// The operation on arguments some of which are complex.
///
/// # Errors
/// If it knows no complex numbers, at least not there.
pub(super) fn call<'g>(def: &OperationDef, c: &Call<'_, 'g>) -> Result<Outputs<'g>> {
    if ["Cast", "ConvertToTensor"].contains(&def.class_name) {
        return cast(c).map(Outputs::from);
    }
    match rule(c, def.class_name) {
        Some(Linear(numbers)) => linear(def, c, numbers),
        Some(Product) => product(def, c),
        Some(Function(f)) => Ok(f(number(c, 0)?).into()),
        Some(Pairs(f)) => Ok(f(number(c, 0)?, number(c, 1)?).into()),
        None => Err(Error::Unsupported(format!("{} of complex numbers", def.class_name))),
    }
}

/// An argument, as complex numbers.
fn number<'g>(c: &Call<'_, 'g>, position: usize) -> Result<Complex<'g>> {
    Ok(Complex::from_any(c.operand(position)?.cast(c.cx, DType::Complex64)))
}

/// Takes the real parts of complex numbers; other dtypes than real ones are as they are.
fn cast<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = number(c, 0)?;
    Ok(match c.dtype("dtype")? {
        None | Some(DType::Complex64) => x.value(),
        Some(DType::Bool) => both(x, "or", |v| v.cast(DType::Bool)),
        Some(dtype) => x.re.cast(dtype),
    })
}

/// Which part of complex numbers.
type Part = for<'g> fn(Complex<'g>) -> Value<'g>;

fn linear<'g>(def: &OperationDef, c: &Call<'_, 'g>, numbers: &[usize]) -> Result<Outputs<'g>> {
    let of = |part: Part| {
        let of = |position: usize, arg: &Arg<Value<'g>>| match numbers.contains(&position) {
            true => in_part(c, arg, part),
            false => Ok(arg.clone()),
        };
        let positional = c.args.positional.iter().enumerate().map(|(i, arg)| of(i, arg));
        let keyword = c.args.keyword.iter().map(|(name, arg)| {
            let position = c.arguments.iter().position(|argument| argument == name);
            Ok((name.clone(), position.map_or(Ok(arg.clone()), |i| of(i, arg))?))
        });
        let (positional, keyword) =
            (positional.collect::<Result<_>>()?, keyword.collect::<Result<_>>()?);
        real(def, c, &Args { positional, keyword })
    };
    let imaginary = of(|x| x.im)?.flatten().into_iter().copied().collect::<Vec<_>>();
    let mut imaginary = imaginary.into_iter();
    of(|x| x.re)?.try_map(&mut |&re| match imaginary.next() {
        Some(im) => Ok(Complex { re, im }.value()),
        None => Err(Error::Internal("fewer imaginary parts than real ones".into())),
    })
}

/// One part of an argument's numbers, which may be in a list.
fn in_part<'g>(c: &Call<'_, 'g>, arg: &Arg<Value<'g>>, part: Part) -> Result<Arg<Value<'g>>> {
    match arg {
        Arg::Plain(json) if json.is_null() => Ok(arg.clone()),
        Arg::List(items) => {
            Ok(Arg::List(items.iter().map(|item| in_part(c, item, part)).collect::<Result<_>>()?))
        }
        _ => {
            let operand = c.operand_of(arg, 0)?.cast(c.cx, DType::Complex64);
            Ok(Arg::Tensor(part(Complex::from_any(operand))))
        }
    }
}

/// The sum of the products of all parts.
fn product<'g>(def: &OperationDef, c: &Call<'_, 'g>) -> Result<Outputs<'g>> {
    let second = || match (c.arguments.len(), c.args.positional.get(1)) {
        // The operands of einsum have no names.
        (1, Some(arg)) => c.operand_of(arg, 0).map(|b| b.cast(c.cx, DType::Complex64)),
        _ => c.operand(1).map(|b| b.cast(c.cx, DType::Complex64)),
    };
    let (a, b) = (number(c, 0)?, Complex::from_any(second()?));
    let a = if def.class_name == "Vdot" { a.conjugate() } else { a };
    let of = |a: Value<'g>, b: Value<'g>| {
        let args = Args { positional: vec![Arg::Tensor(a), Arg::Tensor(b)], keyword: Vec::new() };
        let output = real(def, c, &args)?.leaf().copied();
        output.ok_or_else(|| Error::Internal("a product of several values".into()))
    };
    let re = of(a.re, b.re)? - of(a.im, b.im)?;
    let im = of(a.re, b.im)? + of(a.im, b.re)?;
    Ok(Complex { re, im }.value().into())
}

/// The operation on other arguments, which are real.
fn real<'g>(def: &OperationDef, c: &Call<'_, 'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
    if is_given(args) {
        let what = format!("{} with complex numbers as such an argument", def.class_name);
        return Err(Error::Unsupported(what));
    }
    (def.call)(&Call { cx: c.cx, config: c.config, args, arguments: c.arguments })
}

fn both<'g>(x: Complex<'g>, name: &'static str, f: impl Fn(Value<'g>) -> Value<'g>) -> Value<'g> {
    let Complex { re, im } = x.map(f);
    re.binary(name, im)
}

fn equal<'g>(a: Complex<'g>, b: Complex<'g>) -> Value<'g> {
    a.equals(b)
}

fn abs(x: Complex<'_>) -> Value<'_> {
    x.abs()
}

fn angle(x: Complex<'_>) -> Value<'_> {
    x.im.binary("atan2", x.re)
}

fn exp(x: Complex<'_>) -> Value<'_> {
    let size = x.re.exp();
    Complex { re: size * x.im.unary("cos"), im: size * x.im.unary("sin") }.value()
}

/// Parts on a new last axis of two.
fn side_by_side<'g>(re: Value<'g>, im: Value<'g>) -> Value<'g> {
    let axis = re.rank();
    let mut shape = re.shape().to_vec();
    shape.push(1);
    re.graph().concat(&[re.reshape(shape.clone()), im.reshape(shape)], axis)
}

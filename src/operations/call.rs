//! How a row of the table reads its arguments.

use crate::base::error::quote;
use crate::base::{DType, Error, Result, Shape};
use crate::graph::{Op, Value};
use crate::layers::config::{Config, Json};
use crate::layers::constants::constant;
use crate::layers::{Arg, Args, Context};
use crate::operations::promotion::{Kind, result_type};
use crate::saving::json::float;
use crate::tensor::Tensor;

/// One call of an operation: constructor arguments in `config`, the others in `args`.
pub struct Call<'a, 'g> {
    pub cx: &'a Context<'g>,
    pub config: &'a Config<'a>,
    pub args: &'a Args<'g>,
    pub arguments: &'static [&'static str],
}

/// An argument that is computed with: a tensor, or a plain number whose dtype gives way.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'g> {
    Value(Value<'g>),
    Int(i64),
    Float(f64),
}

impl<'g> Operand<'g> {
    pub fn kind(self) -> Kind {
        match self {
            Operand::Value(v) => Kind::Strong(v.dtype()),
            Operand::Int(_) => Kind::WeakInt,
            Operand::Float(_) => Kind::WeakFloat,
        }
    }

    /// The operand in a dtype.
    pub fn cast(self, cx: &Context<'g>, dtype: DType) -> Value<'g> {
        match self {
            Operand::Value(v) => v.cast(dtype),
            Operand::Int(n) => cx.graph().scalar(n as f64, dtype),
            Operand::Float(x) => cx.graph().scalar(x, dtype),
        }
    }
}

impl<'g> Call<'_, 'g> {
    /// An argument by its position in the table's list; null counts as absent.
    pub fn arg(&self, position: usize) -> Option<&Arg<Value<'g>>> {
        self.args.get(position, self.arguments.get(position)?)
    }

    /// An error about an argument.
    pub fn bad(&self, position: usize, expected: &str) -> Error {
        let name = self.arguments.get(position).unwrap_or(&"?");
        let found = self.arg(position).map_or("nothing".into(), |a| quote(&format!("{a:?}")));
        Error::shape(format!("argument '{name}'"), found, expected)
    }

    /// A tensor or number, when the argument is given.
    pub fn optional(&self, position: usize) -> Result<Option<Operand<'g>>> {
        self.arg(position).map(|arg| self.operand_of(arg, position)).transpose()
    }

    /// A tensor or number.
    pub fn operand(&self, position: usize) -> Result<Operand<'g>> {
        self.optional(position)?.ok_or_else(|| self.bad(position, "a tensor or a number"))
    }

    /// An argument, or an item of one, as a tensor or number; `position` is for errors.
    pub fn operand_of(&self, arg: &Arg<Value<'g>>, position: usize) -> Result<Operand<'g>> {
        if let Arg::Tensor(v) = arg {
            return Ok(Operand::Value(*v));
        }
        let bad = || self.bad(position, "a tensor or a number");
        match plain(arg).ok_or_else(bad)? {
            Json::Number(n) if !n.is_f64() => n.as_i64().map(Operand::Int).ok_or_else(bad),
            json => match float(&json) {
                Some(x) => Ok(Operand::Float(x)),
                None => constant(&json)
                    .map(|tensor| Operand::Value(self.cx.graph().constant(tensor)))
                    .map_err(|_| bad()),
            },
        }
    }

    /// The elements of an argument that are known while tracing: a plain one, or a constant.
    pub fn known(&self, position: usize) -> Result<Option<Tensor>> {
        match self.arg(position) {
            None => Ok(None),
            Some(Arg::Tensor(value)) => {
                Ok(self.cx.graph().with_node(value.id(), |node| match &node.op {
                    Op::Constant(constant) => Some(constant.tensor.clone()),
                    _ => None,
                }))
            }
            Some(arg) => {
                let json = plain(arg).ok_or_else(|| self.bad(position, "plain numbers"))?;
                crate::layers::numbers::array(&json).map(Some)
            }
        }
    }

    /// The argument as a tensor; a plain number gets the dtype Keras gives it.
    pub fn value(&self, position: usize) -> Result<Value<'g>> {
        let operand = self.operand(position)?;
        Ok(operand.cast(self.cx, result_type(&[operand.kind()])))
    }

    /// The argument as a floating tensor: integers become float32.
    pub fn float(&self, position: usize) -> Result<Value<'g>> {
        let operand = self.operand(position)?;
        Ok(operand.cast(self.cx, result_type(&[operand.kind(), Kind::WeakFloat])))
    }

    /// The first two arguments in the dtype of their result.
    pub fn pair(&self) -> Result<(Value<'g>, Value<'g>)> {
        let (a, b) = (self.operand(0)?, self.operand(1)?);
        let dtype = result_type(&[a.kind(), b.kind()]);
        Ok((a.cast(self.cx, dtype), b.cast(self.cx, dtype)))
    }

    /// The first two arguments in the floating dtype of their result.
    pub fn float_pair(&self) -> Result<(Value<'g>, Value<'g>)> {
        let (a, b) = (self.operand(0)?, self.operand(1)?);
        let dtype = result_type(&[a.kind(), b.kind(), Kind::WeakFloat]);
        Ok((a.cast(self.cx, dtype), b.cast(self.cx, dtype)))
    }

    /// A list argument, in the dtype of its result.
    pub fn list(&self, position: usize) -> Result<Vec<Value<'g>>> {
        let Some(Arg::List(items)) = self.arg(position) else {
            return Err(self.bad(position, "a list of tensors"));
        };
        let operands: Vec<Operand<'g>> =
            items.iter().map(|item| self.operand_of(item, position)).collect::<Result<_>>()?;
        let kinds: Vec<Kind> = operands.iter().map(|o| o.kind()).collect();
        let dtype = result_type(&kinds);
        Ok(operands.into_iter().map(|o| o.cast(self.cx, dtype)).collect())
    }

    /// A plain argument as JSON.
    pub fn plain(&self, position: usize) -> Option<Json> {
        self.arg(position).and_then(plain)
    }

    /// The axes under a key: null for all, one, or a list; ascending and distinct.
    pub fn axes(&self, key: &str, rank: usize) -> Result<Vec<usize>> {
        if self.config.is_null(key) {
            return Ok((0..rank).collect());
        }
        let mut axes: Vec<usize> = self
            .config
            .ints(key)?
            .into_iter()
            .map(|axis| crate::base::shape::normalize_axis(axis, rank))
            .collect::<Result<_>>()?;
        axes.sort_unstable();
        axes.dedup();
        Ok(axes)
    }

    /// The one axis under a key.
    pub fn axis(&self, key: &str, shape: &Shape) -> Result<usize> {
        shape.axis(self.config.int(key)?)
    }

    /// The dtype under a key, when it is given.
    pub fn dtype(&self, key: &str) -> Result<Option<DType>> {
        let name = self.config.optional_str(key)?;
        // Keras takes the names of Python's types too.
        let name = name.map(|name| match name {
            "int" => "int32",
            "float" => "float32",
            name => name,
        });
        name.map(DType::from_name).transpose()
    }
}

/// An argument without tensors, as the JSON it came from.
fn plain(arg: &Arg<Value<'_>>) -> Option<Json> {
    Some(match arg {
        Arg::Tensor(_) => return None,
        Arg::Plain(json) => json.clone(),
        Arg::List(items) => Json::Array(items.iter().map(plain).collect::<Option<_>>()?),
        Arg::Dict(items) => Json::Object(
            items.iter().map(|(k, a)| Some((k.clone(), plain(a)?))).collect::<Option<_>>()?,
        ),
    })
}

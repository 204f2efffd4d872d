//! Reduction over axes.

use crate::base::{DType, Error, Result, Shape, Spec};
use crate::graph::{FusionClass, OpDef, Value, Vjp, unravel};
use crate::tensor::{Array, Words};

/// What elements are combined by. On booleans, `Max` is any and `Min` is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceKind {
    /// The sum.
    Sum,
    /// The product.
    Prod,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// Combines all elements along `axes` (ascending); those axes disappear.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reduce {
    /// How elements are combined.
    pub kind: ReduceKind,
    /// The axes that disappear, ascending.
    pub axes: Vec<usize>,
}

impl ReduceKind {
    /// The result for no elements, in double precision.
    pub fn start(self) -> f64 {
        match self {
            ReduceKind::Sum => 0.0,
            ReduceKind::Prod => 1.0,
            ReduceKind::Max => f64::NEG_INFINITY,
            ReduceKind::Min => f64::INFINITY,
        }
    }

    /// Combines two floats; a NaN wins.
    pub fn float(self, a: f64, b: f64) -> f64 {
        match self {
            ReduceKind::Sum => a + b,
            ReduceKind::Prod => a * b,
            _ if a.is_nan() || b.is_nan() => f64::NAN,
            ReduceKind::Max => a.max(b),
            ReduceKind::Min => a.min(b),
        }
    }

    /// Combines two integers.
    pub fn int(self, a: i64, b: i64) -> i64 {
        match self {
            ReduceKind::Sum => a.wrapping_add(b),
            ReduceKind::Prod => a.wrapping_mul(b),
            ReduceKind::Max => a.max(b),
            ReduceKind::Min => a.min(b),
        }
    }

    /// The result for no integers of a dtype.
    pub fn int_start(self, dtype: DType) -> i64 {
        let (low, high) = match dtype {
            DType::Bool => (0, 1),
            _ if dtype.is_signed_int() => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (0, i64::from(u32::MAX)),
        };
        match self {
            ReduceKind::Sum => 0,
            ReduceKind::Prod => 1,
            ReduceKind::Max => low,
            ReduceKind::Min => high,
        }
    }
}

impl Reduce {
    /// The shape with every reduced axis kept as 1.
    pub fn kept(&self, shape: &Shape) -> Shape {
        let extent = |(i, &d): (usize, &usize)| if self.axes.contains(&i) { 1 } else { d };
        shape.iter().enumerate().map(extent).collect()
    }
}

impl OpDef for Reduce {
    fn label(&self) -> String {
        format!("reduce {:?} axes={:?}", self.kind, self.axes).to_lowercase()
    }

    fn infer(&self, inputs: &[&Spec]) -> Result<Spec> {
        let shape = &inputs[0].shape;
        let ascending = self.axes.windows(2).all(|w| w[0] < w[1]);
        if !ascending || self.axes.iter().any(|&a| a >= shape.rank()) {
            return Err(Error::shape("reduce", self.label(), format!("distinct axes of {shape}")));
        }
        let kept = (0..shape.rank()).filter(|i| !self.axes.contains(i)).map(|i| shape[i]);
        Ok(Spec::new(kept.collect::<Vec<_>>(), inputs[0].dtype))
    }

    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>> {
        let (x, shape) = (cx.inputs[0], cx.inputs[0].shape());
        let kept = self.kept(&shape);
        let spread = |v: Value<'g>| v.reshape(kept.clone()).broadcast(shape.clone());
        let g = spread(cx.grad);
        vec![match self.kind {
            ReduceKind::Sum => Some(g),
            ReduceKind::Prod => {
                // The product of the others: where one is zero, that is the product of the rest.
                let (zero, one) = (x.binary("eq", x.like(0.0)), x.like(1.0));
                let others = spread(zero.select(one, x).prod(&self.axes));
                let zeros = spread(zero.cast(x.dtype()).sum(&self.axes));
                let count = |n: f64| zeros.binary("eq", x.like(n));
                let at_zero = count(1.0).select(others, x.like(0.0));
                let elsewhere = count(0.0).select(others / x, x.like(0.0));
                Some(g * zero.select(at_zero, elsewhere))
            }
            ReduceKind::Max | ReduceKind::Min => {
                let chosen = x.binary("eq", spread(cx.output));
                let count = chosen.cast(g.dtype()).sum(&self.axes);
                Some(chosen.select(g / spread(count), g.like(0.0)))
            }
        }]
    }

    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array> {
        let input = &inputs[0].spec.shape;
        let kept_axes: Vec<usize> = (0..input.rank()).filter(|i| !self.axes.contains(i)).collect();
        let strides = output.shape.strides();
        let mut index = vec![0; input.rank()];
        let mut position = |i: usize| -> usize {
            unravel(i, input, &mut index);
            kept_axes.iter().zip(&strides).map(|(&axis, s)| index[axis] * s).sum()
        };
        let len = output.shape.len();
        let words = match &inputs[0].words {
            Words::F32(v) => {
                let mut sums = vec![self.kind.start(); len];
                for (i, &x) in v.iter().enumerate() {
                    let sum = &mut sums[position(i)];
                    *sum = self.kind.float(*sum, f64::from(x));
                }
                Words::F32(sums.into_iter().map(|x| x as f32).collect())
            }
            words => {
                let mut sums = vec![self.kind.int_start(output.dtype); len];
                for i in 0..words.len() {
                    let sum = &mut sums[position(i)];
                    *sum = self.kind.int(*sum, inputs[0].index(i));
                }
                match words {
                    Words::I32(_) => Words::I32(sums.into_iter().map(|x| x as i32).collect()),
                    _ => Words::U32(sums.into_iter().map(|x| x as u32).collect()),
                }
            }
        };
        Ok(crate::graph::array(output.clone(), words))
    }

    fn fusion(&self) -> FusionClass {
        FusionClass::Reduce
    }
}

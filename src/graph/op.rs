//! The set of operations and what each must define.

use crate::base::{Result, Spec};
use crate::graph::Value;
use crate::graph::ops::*;
use crate::tensor::Array;

/// What the fuser may do with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FusionClass {
    /// A buffer or a constant: nothing to compute.
    Leaf,
    /// Element by element over one index space.
    Map,
    /// The same elements at other positions: becomes index arithmetic.
    View,
    /// A reduction: takes a map in front and behind.
    Reduce,
    /// A kernel of its own that takes a map behind.
    Anchor,
    /// A kernel of its own, nothing fused.
    Opaque,
}

/// The operands of a gradient rule.
pub struct Vjp<'a, 'g> {
    /// The operation's own inputs.
    pub inputs: &'a [Value<'g>],
    /// What the operation gave.
    pub output: Value<'g>,
    /// Gradient of the loss with respect to the output; same spec as the output.
    pub grad: Value<'g>,
}

/// The meaning of an operation. No method has a default: a missing rule cannot be silent.
pub trait OpDef {
    /// Name and attributes, for dumps and errors.
    fn label(&self) -> String;

    /// Shape and dtype of the result, or why the inputs do not fit.
    fn infer(&self, inputs: &[&Spec]) -> Result<Spec>;

    /// Gradients with respect to the inputs; `None` states that no gradient flows to that input.
    fn vjp<'g>(&self, cx: &Vjp<'_, 'g>) -> Vec<Option<Value<'g>>>;

    /// The value, by plain loops with double accumulation: the oracle of all tests.
    fn eval(&self, inputs: &[&Array], output: &Spec) -> Result<Array>;

    /// What the fuser may do with it.
    fn fusion(&self) -> FusionClass;
}

macro_rules! ops {
    ($($name:ident),* $(,)?) => {
        /// An operation with its attributes.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Op {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($name),
            )*
        }

        impl Op {
            /// The definition of the operation.
            pub fn def(&self) -> &dyn OpDef {
                match self { $(Op::$name(op) => op),* }
            }
        }

        $(impl From<$name> for Op { fn from(op: $name) -> Op { Op::$name(op) } })*
    };
}

ops! {
    Input, Read, Hoisted, Placeholder, Constant, Iota,
    Unary, Binary, Select, Cast, Bitcast,
    Reshape, Transpose, Broadcast, Slice, Pad, Concat,
    Reduce, ArgReduce,
    MatMul, Conv, Pool, PoolGrad,
    Gather, RandomBits, SegmentReduce, SortStep, StopGradient,
    LoopOverTime, LoopResult,
    Factor, TriangularSolve,
    Pair,
}

//! One file per kind of operation: shape rule, gradient rule, host evaluation.

mod arg_reduce;
mod binary;
mod broadcast;
mod cast;
mod concat;
mod conv;
mod gather;
mod leaf;
mod matmul;
mod pad;
mod pool;
mod reduce;
mod reshape;
mod select;
mod slice;
mod stop_gradient;
mod transpose;
mod unary;

pub use arg_reduce::ArgReduce;
pub use binary::{BINARY, Binary, BinaryRow};
pub use broadcast::Broadcast;
pub use cast::Cast;
pub use concat::Concat;
pub use conv::{Conv, ConvGeometry, ConvKind};
pub use gather::Gather;
pub use leaf::{Constant, Hoisted, Input, Iota, Read};
pub use matmul::MatMul;
pub use pad::Pad;
pub use pool::{Pool, PoolGrad, PoolMode};
pub use reduce::{Reduce, ReduceKind};
pub use reshape::Reshape;
pub use select::Select;
pub use slice::Slice;
pub use stop_gradient::StopGradient;
pub use transpose::Transpose;
pub use unary::{UNARY, Unary, UnaryRow};

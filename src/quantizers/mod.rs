//! `keras.quantizers`: weights of few bits, and how they are computed with.
//!
//! A quantized layer keeps the bytes of its file. Where a product needs the weights as floats, they
//! are unpacked and scaled while the product reads them.

mod abs_max;
mod config;
mod float8;
mod groups;
mod integers;
mod kernel;
mod mode;
mod packing;

pub use abs_max::AbsMaxQuantizer;
pub use config::QuantizationConfig;
pub use float8::{Float8Scales, quantize_and_dequantize};
pub use groups::{Groups, dequantize_groups, group_index};
pub use integers::{Summed, contract_integers};
pub use kernel::{KernelShape, QuantizedKernel};
pub use mode::Mode;
pub use packing::{unpack_int4, unpack_ternary};

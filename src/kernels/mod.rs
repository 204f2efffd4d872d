//! Hand-written kernels: each is a `.wgsl` file under `shaders/` and a launcher of the same name.
//!
//! A launcher turns a problem (extents, strides, flags) into a [`Launch`]; it involves no device,
//! so it works on any machine. Extents are never part of the shader text, only of the parameters:
//! one text, and so one pipeline, serves all sizes. All sums are float32 in a fixed order.

mod access;
mod attention;
pub mod attention_row;
pub mod attention_tile;
mod build;
mod conv;
pub mod conv_block;
pub mod conv_depthwise;
pub mod conv_depthwise_line;
pub mod conv_direct;
pub mod conv_filter_grad;
pub mod conv_filter_grad_split;
pub mod conv_gemm;
mod epilogue;
mod expr;
pub mod factor;
mod fours;
pub mod map;
mod matmul;
pub mod matmul_block;
pub mod matmul_line;
pub mod matmul_matrix;
pub mod matmul_tile;
pub mod matmul_vec;
pub mod matmul_vec_subgroup;
pub mod pool;
pub mod pool_grad;
pub mod reduce;
pub mod rows;
pub mod segment_reduce;
pub mod sort_step;
pub mod triangular_solve;
mod variant;

pub use access::{Access, Rows};
pub use attention::{Attention, Strides, choose_attention, text as attention_text};
pub use build::fold;
pub use conv::{Conv, ConvKind, choose_conv};
pub use epilogue::{around_product, epilogue};
pub use matmul::{MatMul, choose_matmul};
pub use pool::{Pool, PoolMode};

pub use crate::gpu::Launch;

/// Binding of an epilogue's first own operand in kernels with two inputs: matmul, convolution.
pub const CONTRACTION_OPERAND: usize = 3;
/// Binding of an epilogue's first own operand in kernels with one input: pooling.
pub const WINDOW_OPERAND: usize = 2;

/// Generated text applied to each output element of a contraction or window kernel.
///
/// The text defines `alias Out = f32;` (or `i32`, `u32`),
/// `fn epilogue(acc: f32, b: u32, row: u32, col: u32) -> Out`, and `fn store(i: u32, value: Out)`,
/// which writes element `i` of `out`, an array of `Out`. The element lies at
/// `(b * rows + row) * cols + col`; convolutions and pooling have `b = 0`, a row for each batch
/// element and position, and a column for each channel. With two places for the result, the second
/// one takes the binding behind `out`, which is [`CONTRACTION_OPERAND`] or [`WINDOW_OPERAND`]. Behind
/// them own operands are declared as `@group(0) @binding(N) var<storage, read> …`; if `params` is not
/// empty, as `@group(1) @binding(1) var<uniform> ep: array<vec4<i32>, K>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epilogue {
    /// The WGSL text.
    pub source: String,
    /// Number of own operands.
    pub operands: usize,
    /// Words of the uniform `ep`, four to an element.
    pub params: Vec<u32>,
    /// Buffers that `store` writes.
    pub places: usize,
    /// Whether it reads the number of a loop's step.
    pub steps: bool,
    /// What the right operand of a product, or a convolution's filter, is in its buffer.
    pub right: Right,
}

/// What the right operand of a product, or a convolution's filter, is in its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// A word for each element.
    Words,
    /// Floats of 16 bits, two in a word.
    Halves(HalfFormat),
    /// Whatever the epilogue's text reads in `fn element_b(i: u32) -> f32`, which gives the elements by
    /// their linear position. The text's first operand takes the place of the buffer.
    Computed,
}

impl Right {
    /// What it adds to the name of a problem, by which measurements are kept.
    fn title(self) -> &'static str {
        match self {
            Right::Words => "",
            Right::Halves(_) => " halves",
            Right::Computed => " unpacking",
        }
    }
}

/// The formats of floats of 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfFormat {
    /// IEEE 754's.
    Float16,
    /// The upper half of a float32.
    BFloat16,
}

impl Epilogue {
    /// No text at all, for kernels that take none.
    pub fn none() -> Epilogue {
        Epilogue {
            source: String::new(),
            operands: 0,
            params: Vec::new(),
            places: 1,
            steps: false,
            right: Right::Words,
        }
    }

    /// The result as it is, in float32.
    pub fn identity() -> Epilogue {
        let source = "alias Out = f32;\n\
            fn epilogue(acc: f32, b: u32, row: u32, col: u32) -> Out { return acc; }\n\
            fn store(i: u32, value: Out) { out[i] = value; }\n";
        Epilogue { source: source.into(), ..Epilogue::none() }
    }
}

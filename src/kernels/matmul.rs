//! Matrix products: the problem, and the choice among its kernels.

use crate::base::{Error, Result};
use crate::gpu::{Caps, Kind};
use crate::kernels::build::words;
use crate::kernels::variant::{Variant, choose};
use crate::kernels::{
    Conv, ConvKind, Epilogue, Launch, Right, conv_filter_grad_split, matmul_block, matmul_line,
    matmul_matrix, matmul_tile, matmul_vec, matmul_vec_subgroup,
};

/// `out[b,m,n] = sum over k of A[b,m,k] * B[b,k,n]`, all row-major float32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatMul {
    /// Number of products.
    pub batch: usize,
    /// Rows of A and of the result.
    pub m: usize,
    /// Columns of B and of the result.
    pub n: usize,
    /// Elements in each sum.
    pub k: usize,
    /// Whether A has a batch axis; otherwise it is the same for all.
    pub a_batch: bool,
    /// Whether B has a batch axis; otherwise it is the same for all.
    pub b_batch: bool,
    /// A is `[batch, k, m]` instead of `[batch, m, k]`.
    pub transpose_a: bool,
    /// B is `[batch, n, k]` instead of `[batch, k, n]`.
    pub transpose_b: bool,
    /// Whether all elements of A and B are numbers of float16.
    pub halves: bool,
}

/// The `Params` of `shaders/lib/matmul.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    m: u32,
    n: u32,
    k: u32,
    a_stride: u32,
    b_stride: u32,
    a_row: u32,
    a_k: u32,
    b_k: u32,
    b_col: u32,
    row_tiles: u32,
    col_tiles: u32,
    tiles: u32,
}

/// The kernel for a product on an adapter.
///
/// Where no measurement has chosen: a software adapter gets register blocks without workgroup memory,
/// because barriers cost it more than loads, of one row where there is one; a GPU gets tiles in workgroup memory, and the vector kernel
/// for up to four rows, where B is read once and tiles would be mostly empty. A product of few tiles that
/// sums over many rows, as gradients of weights are, would keep most of a GPU idle: it is the gradient
/// of a filter with one tap, whose kernel divides the sum.
///
/// # Errors
/// [`crate::base::Error::Limit`] when an extent does not fit 32 bits.
pub fn choose_matmul(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let name = problem.label("matmul") + &problem.layout() + epilogue.right.title();
    choose(name, problem, &problem.variants(caps, epilogue), caps, epilogue)
}

/// The product as the gradient of a filter.
fn launch_divided(problem: &MatMul, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let gradient = problem.as_filter_grad();
    let gradient =
        gradient.ok_or_else(|| Error::Internal(format!("no sums to divide: {problem:?}")))?;
    conv_filter_grad_split::launch(&gradient, caps, epilogue)
}

/// Fewer tiles than this leave a GPU idle.
const FEW_TILES: usize = 32;
/// Sums longer than this are worth dividing.
const LONG_SUM: usize = 256;

impl MatMul {
    /// The kernels that can compute it, the one for the adapter's kind first.
    fn variants(&self, caps: &Caps, epilogue: &Epilogue) -> Vec<Variant<MatMul>> {
        let block = Variant { kernel: "matmul_block", launch: matmul_block::launch };
        let tile = Variant { kernel: "matmul_tile", launch: matmul_tile::launch };
        let mut variants = Vec::with_capacity(7);
        if matmul_vec::applies(self) {
            variants.push(Variant { kernel: "matmul_vec", launch: matmul_vec::launch });
        }
        if self.as_filter_grad().is_some() && epilogue.right == Right::Words {
            variants.push(Variant { kernel: "conv_filter_grad_split", launch: launch_divided });
        }
        variants.extend([tile, block]);
        if caps.kind == Kind::Software {
            if matmul_line::applies(self) {
                variants.push(Variant { kernel: "matmul_line", launch: matmul_line::launch });
            }
            variants.reverse();
        }
        // Measurements alone choose these.
        if matmul_matrix::applies(self, caps) {
            variants.push(Variant { kernel: "matmul_matrix", launch: matmul_matrix::launch });
        }
        if matmul_vec_subgroup::applies(self, caps) {
            let launch = matmul_vec_subgroup::launch;
            variants.push(Variant { kernel: "matmul_vec_subgroup", launch });
        }
        variants
    }

    /// The parameters of the product by tiles of so many rows and columns, and the number of tiles.
    ///
    /// # Errors
    /// [`Error::Limit`] when an extent does not fit 32 bits.
    pub(super) fn tiles(&self, [rows, cols]: [usize; 2]) -> Result<(Params, usize)> {
        let (row_tiles, col_tiles) = (self.m.div_ceil(rows), self.n.div_ceil(cols));
        let count = self.batch * row_tiles * col_tiles;
        let [m, n, k] = words([self.m, self.n, self.k])?;
        let [a_stride, b_stride] = words([self.a_stride(), self.b_stride()])?;
        let [a_row, a_k] = words(self.a_strides())?;
        let [b_k, b_col] = words(self.b_strides())?;
        let [row_tiles, col_tiles, tiles] = words([row_tiles, col_tiles, count])?;
        let params = Params {
            m,
            n,
            k,
            a_stride,
            b_stride,
            a_row,
            a_k,
            b_k,
            b_col,
            row_tiles,
            col_tiles,
            tiles,
        };
        Ok((params, count))
    }

    /// The filter gradient that a long product over the rows of both operands is.
    fn as_filter_grad(&self) -> Option<Conv> {
        let tiles = self.m.div_ceil(matmul_tile::TILE) * self.n.div_ceil(matmul_tile::TILE);
        let over_rows = self.batch == 1 && self.transpose_a && !self.transpose_b;
        (over_rows && tiles < FEW_TILES && self.k > LONG_SUM).then_some(Conv {
            batch: self.k,
            input: [1; 3],
            in_channels: self.m,
            output: [1; 3],
            out_channels: self.n,
            kernel: [1; 3],
            stride: [1; 3],
            dilation: [1; 3],
            pad: [0; 3],
            groups: 1,
            kind: ConvKind::FilterGrad,
        })
    }

    /// Elements from one batch element of A to the next; 0 where A is the same for all.
    pub(super) fn a_stride(&self) -> usize {
        if self.a_batch { self.m * self.k } else { 0 }
    }

    /// Elements from one batch element of B to the next; 0 where B is the same for all.
    pub(super) fn b_stride(&self) -> usize {
        if self.b_batch { self.k * self.n } else { 0 }
    }

    /// Strides of A along rows and k.
    pub(super) fn a_strides(&self) -> [usize; 2] {
        if self.transpose_a { [1, self.m] } else { [self.k, 1] }
    }

    /// Strides of B along k and columns.
    pub(super) fn b_strides(&self) -> [usize; 2] {
        if self.transpose_b { [1, self.k] } else { [self.n, 1] }
    }

    /// The words that tell products of the same extents apart.
    fn layout(&self) -> String {
        let words = [
            (self.a_batch, " a_batch"),
            (self.b_batch, " b_batch"),
            (self.transpose_a, " transpose_a"),
            (self.transpose_b, " transpose_b"),
            (self.halves, " float16"),
        ];
        words.into_iter().filter_map(|(applies, word)| applies.then_some(word)).collect()
    }

    pub(super) fn label(&self, kernel: &str) -> String {
        format!("{kernel} {}x{}x{}x{}", self.batch, self.m, self.n, self.k)
    }
}

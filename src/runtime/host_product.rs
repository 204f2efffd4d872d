//! Products on the host: blocks of rows times strips of columns, summed in registers.
//!
//! The left operand is read where it lies, piece by piece, so that a convolution needs no copy of the
//! windows that its filters see. Every element is summed in one order, whatever the number of threads.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::runtime::host_strips::{Lower, Strips, VECTORS};

/// Rows whose sums are held in registers together, where there are 32 registers, and where fewer.
const TALL: usize = 8;
const SHORT: usize = 4;

/// Elements of a row that are summed before the next rows: rows and strip then stay in the cache.
pub const DEPTH: usize = 1024;

/// Rows that are computed before what comes behind them, and rows of one task unless they are cheap.
const ROWS: usize = 64;

/// Multiply-adds that are worth a task.
const TASK: usize = 1 << 20;

/// The left operand of a product: rows in pieces that each lie together in memory.
pub trait Rows: Sync {
    /// What is computed once for each row.
    type At: Copy;

    /// Pieces of a row.
    fn pieces(&self) -> usize;

    /// Elements of each piece, but for the last, which may be shorter.
    fn piece_len(&self) -> usize;

    fn at(&self, row: usize) -> Self::At;

    /// [`at`](Rows::at) for neighbouring rows.
    fn places(&self, rows: Range<usize>) -> Vec<Self::At> {
        rows.map(|row| self.at(row)).collect()
    }

    fn piece(&self, at: Self::At, piece: usize) -> &[f32];

    /// Whether a piece is zeros in this row and all others of the same block.
    #[inline(always)]
    fn is_skipped(&self, _at: Self::At, _piece: usize) -> bool {
        false
    }
}

/// Rows that lie in memory one behind the other.
pub struct Dense<'a> {
    pub data: &'a [f32],
    pub depth: usize,
    /// How many there are before they start again.
    pub count: usize,
}

impl Rows for Dense<'_> {
    type At = usize;

    fn pieces(&self) -> usize {
        self.depth.div_ceil(DEPTH)
    }

    fn piece_len(&self) -> usize {
        self.depth.min(DEPTH)
    }

    #[inline(always)]
    fn at(&self, row: usize) -> usize {
        // A division takes longer than a row of few elements.
        let row = if row < self.count { row } else { row % self.count };
        row * self.depth
    }

    #[inline(always)]
    fn piece(&self, at: usize, piece: usize) -> &[f32] {
        let (from, to) = (piece * DEPTH, ((piece + 1) * DEPTH).min(self.depth));
        &self.data[at + from..at + to]
    }
}

/// Told of finished elements: the linear position of the first, and all of them.
pub type Finish<'a> = dyn Fn(usize, &mut [f32]) + Sync + 'a;

/// `out = rows · strips`, for `rows_of_each` rows with each matrix; a single matrix is for all rows.
pub fn multiply<R: Rows>(
    out: &mut [f32],
    rows: &R,
    rows_of_each: usize,
    strips: &Strips,
    finish: &Finish<'_>,
) {
    let columns = strips.layout().columns;
    let row_cost = (columns * strips.layout().depth).max(1);
    let whole =
        if strips.layout().matrices == 1 { out.len() / columns.max(1) } else { rows_of_each };
    if out.is_empty() {
        return;
    }
    let matrices = out.len() / (whole * columns);
    let cores = rayon::current_num_threads();
    if whole <= TALL && matrices < cores && whole * row_cost > TASK {
        return by_strips(out, rows, whole, strips, finish);
    }
    let share = (whole * matrices).div_ceil(2 * cores).next_multiple_of(TALL);
    let block = share.min(ROWS).max(TASK.div_ceil(row_cost)).min(whole.max(1));
    let size = (whole * columns).max(1);
    out.par_chunks_mut(size).enumerate().for_each(|(matrix, out)| {
        let strips = strips.matrix(matrix);
        out.par_chunks_mut((block * columns).max(1)).enumerate().for_each(|(i, out)| {
            // What comes behind finds the elements in the cache.
            for (j, out) in out.chunks_mut(ROWS * columns).enumerate() {
                let first = matrix * whole + i * block + j * ROWS;
                let some = first..first + out.len() / columns;
                let (chosen, pieces) = (0..strips.count(), 0..rows.pieces());
                Block { rows, some, strips, chosen, pieces, stride: columns }.fill(out);
                finish(first * columns, out);
            }
        });
    });
}

/// The same for few rows: each task takes some strips.
fn by_strips<R: Rows>(
    out: &mut [f32],
    rows: &R,
    whole: usize,
    strips: &Strips,
    finish: &Finish<'_>,
) {
    for (matrix, out) in out.chunks_exact_mut(whole * strips.layout().columns).enumerate() {
        let strips = strips.matrix(matrix);
        let each = strips.count().div_ceil(4 * rayon::current_num_threads()).max(1);
        let stride = each * strips.width;
        let mut parts = vec![0.0; strips.count().div_ceil(each) * whole * stride];
        parts.par_chunks_mut(whole * stride).enumerate().for_each(|(i, part)| {
            let chosen = i * each..((i + 1) * each).min(strips.count());
            let some = matrix * whole..(matrix + 1) * whole;
            Block { rows, some, strips, chosen, pieces: 0..rows.pieces(), stride }.fill(part);
        });
        for (i, part) in parts.chunks_exact(whole * stride).enumerate() {
            let columns = i * stride..((i + 1) * stride).min(strips.columns);
            for (out, part) in out.chunks_exact_mut(strips.columns).zip(part.chunks(stride)) {
                out[columns.clone()].copy_from_slice(&part[..columns.len()]);
            }
        }
        finish(matrix * whole * strips.columns, out);
    }
}

/// Some rows times some strips of one matrix.
pub struct Block<'a, R> {
    pub rows: &'a R,
    pub some: Range<usize>,
    pub strips: Lower<'a>,
    pub chosen: Range<usize>,
    /// The pieces of the rows to sum over; all but the first are added to the output.
    pub pieces: Range<usize>,
    /// Distance of the output's rows.
    pub stride: usize,
}

impl<R: Rows> Block<'_, R> {
    /// Computes the block; the first of the chosen strips goes where `out` starts.
    pub fn fill(self, out: &mut [f32]) {
        Arch::new().dispatch(Filling { block: self, out });
    }
}

struct Filling<'a, R> {
    block: Block<'a, R>,
    out: &'a mut [f32],
}

impl<R: Rows> WithSimd for Filling<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Filling { block, out } = self;
        let together = (DEPTH / block.rows.piece_len().max(1)).max(1);
        let places = block.rows.places(block.some.clone());
        if block.pieces.is_empty() {
            out.fill(0.0);
        }
        for first in block.pieces.clone().step_by(together) {
            let pieces = first..(first + together).min(block.pieces.end);
            for strip in block.chosen.clone() {
                let mut row = 0;
                while row < places.len() {
                    let left = places.len() - row;
                    let at = &places[row..];
                    let tile = Tile { block: &block, row, at, strip, pieces: pieces.clone() };
                    row += match left {
                        TALL.. if S::REGISTER_COUNT >= 32 => tile.compute::<S, TALL>(simd, out),
                        SHORT.. => tile.compute::<S, SHORT>(simd, out),
                        2.. => tile.compute::<S, 2>(simd, out),
                        _ => tile.compute::<S, 1>(simd, out),
                    };
                }
            }
        }
    }
}

/// As many rows as registers hold the sums of, times one strip.
struct Tile<'a, R: Rows> {
    block: &'a Block<'a, R>,
    /// The first row, counted from the block's.
    row: usize,
    /// Where rows are, from the first on.
    at: &'a [R::At],
    strip: usize,
    pieces: Range<usize>,
}

impl<R: Rows> Tile<'_, R> {
    /// Adds the pieces' products to the output, or sets it by the first; returns the number of rows.
    #[inline(always)]
    fn compute<S: Simd, const N: usize>(&self, simd: S, out: &mut [f32]) -> usize {
        let Tile { block, row, at, strip, pieces } = self;
        let width = VECTORS * S::F32_LANES;
        let len = block.rows.piece_len();
        let at = &at[..N];
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; N];
        for piece in pieces.clone() {
            if block.rows.is_skipped(at[0], piece) {
                continue;
            }
            // No `map`: it would stay a call.
            let mut rows = [&[][..]; N];
            for i in 0..N {
                rows[i] = block.rows.piece(at[i], piece);
            }
            let strip = block.strips.at_piece(*strip, piece, len);
            sums = add_products(simd, rows, strip, sums);
        }
        let column = (strip - block.chosen.start) * width;
        let columns = width.min(block.strips.columns - strip * width);
        for (i, sums) in sums.iter().enumerate() {
            let first = (row + i) * block.stride + column;
            store::<S>(simd, sums, &mut out[first..first + columns], pieces.start > 0);
        }
        N
    }
}

/// The sums with the products of these rows and a strip's rows added.
#[inline(always)]
fn add_products<S: Simd, const N: usize>(
    simd: S,
    rows: [&[f32]; N],
    strip: &[f32],
    mut sums: [[S::f32s; VECTORS]; N],
) -> [[S::f32s; VECTORS]; N] {
    let (vectors, _) = S::as_simd_f32s(strip);
    let (vectors, _) = vectors.as_chunks::<VECTORS>();
    let depth = rows[0].len().min(vectors.len());
    let mut cut = [&[][..]; N];
    for i in 0..N {
        cut[i] = &rows[i][..depth];
    }
    for (k, vectors) in vectors[..depth].iter().enumerate() {
        for i in 0..N {
            let x = simd.splat_f32s(cut[i][k]);
            sums[i][0] = simd.mul_add_e_f32s(x, vectors[0], sums[i][0]);
            sums[i][1] = simd.mul_add_e_f32s(x, vectors[1], sums[i][1]);
        }
    }
    sums
}

/// Stores as many sums as there is room for, or adds them to what is there.
#[inline(always)]
fn store<S: Simd>(simd: S, sums: &[S::f32s; VECTORS], out: &mut [f32], add: bool) {
    if let ([first, second], []) = S::as_mut_simd_f32s(out) {
        let before = if add { [*first, *second] } else { [simd.splat_f32s(0.0); VECTORS] };
        [*first, *second] = [simd.add_f32s(sums[0], before[0]), simd.add_f32s(sums[1], before[1])];
        return;
    }
    let pairs = out.iter_mut().zip(bytemuck::cast_slice::<S::f32s, f32>(sums));
    pairs.for_each(|(out, sum)| *out = if add { *out + sum } else { *sum });
}

//! The right operand of a product as the inner loop reads it: strips of columns, row by row.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::base::{Error, Result};

/// Vectors in a row of a strip: with eight rows, their sums fill half of 32 registers.
pub const VECTORS: usize = 2;

/// Elements that one task packs at least.
const TASK: usize = 64 << 10;

/// Where the elements of some matrices lie in a slice, by the distances between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub matrices: usize,
    /// Rows of a matrix: what a product sums over.
    pub depth: usize,
    pub columns: usize,
    pub matrix_stride: usize,
    pub row_stride: usize,
    pub column_stride: usize,
}

/// Matrices in strips. The last strip of a matrix is filled up with zeros.
#[derive(Debug)]
pub struct Strips {
    words: Vec<f32>,
    layout: Layout,
    width: usize,
}

/// The strips that a product reads: of one matrix, or of several that lie below each other.
#[derive(Clone, Copy)]
pub struct Lower<'a> {
    words: &'a [f32],
    pub columns: usize,
    pub width: usize,
    /// Words between neighbouring strips.
    strip: usize,
    /// Words between pieces of a strip, where a piece is a matrix.
    matrix: Option<usize>,
}

impl Layout {
    /// One matrix, row by row.
    pub fn rows(depth: usize, columns: usize) -> Layout {
        let (matrices, row_stride) = (1, columns);
        Layout { matrices, depth, columns, matrix_stride: 0, row_stride, column_stride: 1 }
    }

    /// The same memory with rows and columns exchanged.
    pub fn transposed(self) -> Layout {
        Layout {
            depth: self.columns,
            columns: self.depth,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Whether every element lies inside a slice of this length.
    fn fits(&self, len: usize) -> bool {
        let reach = |extent: usize, stride: usize| extent.saturating_sub(1).checked_mul(stride);
        let last = reach(self.matrices, self.matrix_stride)
            .zip(reach(self.depth, self.row_stride))
            .zip(reach(self.columns, self.column_stride))
            .and_then(|((a, b), c)| a.checked_add(b)?.checked_add(c));
        let empty = self.matrices == 0 || self.depth == 0 || self.columns == 0;
        empty || last.is_some_and(|last| last < len)
    }
}

impl Strips {
    /// Words that a packed operand takes.
    pub fn words(layout: &Layout) -> usize {
        let width = width();
        layout.matrices * layout.columns.div_ceil(width) * width * layout.depth
    }

    /// Packs matrices, into memory of [`words`](Strips::words) words whose contents do not matter.
    ///
    /// # Errors
    /// [`Error::Internal`] if the layout reaches beyond the data, or the memory has another size.
    pub fn pack(data: &[f32], layout: Layout, mut words: Vec<f32>) -> Result<Strips> {
        if !layout.fits(data.len()) || words.len() != Strips::words(&layout) {
            let (len, room) = (data.len(), words.len());
            return Err(Error::Internal(format!("{layout:?} in {len} words, packed into {room}")));
        }
        let width = width();
        let strips = layout.columns.div_ceil(width);
        let size = (width * layout.depth).max(1);
        let each = TASK.div_ceil(size);
        words.par_chunks_mut(each * size).enumerate().for_each(|(task, words)| {
            for (i, strip) in words.chunks_exact_mut(size).enumerate() {
                let (matrix, at) = ((task * each + i) / strips, (task * each + i) % strips);
                let columns = width.min(layout.columns - at * width);
                let first = matrix * layout.matrix_stride + at * width * layout.column_stride;
                fill(strip, width, &data[first..], columns, &layout);
            }
        });
        Ok(Strips { words, layout, width })
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The memory, to be used again.
    pub fn take_words(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.words)
    }

    /// The strips of one matrix.
    pub fn matrix(&self, matrix: usize) -> Lower<'_> {
        let strip = self.width * self.layout.depth;
        let size = self.layout.columns.div_ceil(self.width) * strip;
        let words = &self.words[matrix * size..][..size];
        Lower { words, columns: self.layout.columns, width: self.width, strip, matrix: None }
    }

    /// The strips of all matrices below each other: each is a piece of the depth.
    pub fn stacked(&self) -> Lower<'_> {
        let strip = self.width * self.layout.depth;
        let matrix = Some(self.layout.columns.div_ceil(self.width) * strip);
        let (columns, width) = (self.layout.columns, self.width);
        Lower { words: &self.words, columns, width, strip, matrix }
    }
}

impl<'a> Lower<'a> {
    pub fn count(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    /// The same without the first rows of every matrix.
    pub fn below(self, row: usize) -> Lower<'a> {
        Lower { words: self.words.get(row * self.width..).unwrap_or_default(), ..self }
    }

    /// A strip from a piece on, when pieces have so many rows.
    #[inline(always)]
    pub fn at_piece(&self, strip: usize, piece: usize, rows: usize) -> &'a [f32] {
        let piece = piece * self.matrix.unwrap_or(rows * self.width);
        &self.words[strip * self.strip + piece..]
    }
}

/// Fills one strip with some columns of the matrix that `data` starts with.
fn fill(strip: &mut [f32], width: usize, data: &[f32], columns: usize, layout: &Layout) {
    if layout.column_stride == 1 {
        for (k, row) in strip.chunks_exact_mut(width).enumerate() {
            row[..columns].copy_from_slice(&data[k * layout.row_stride..][..columns]);
            row[columns..].fill(0.0);
        }
        return;
    }
    for column in 0..width {
        let to = strip.iter_mut().skip(column).step_by(width);
        if column >= columns {
            to.for_each(|to| *to = 0.0);
            continue;
        }
        let data = &data[column * layout.column_stride..];
        let from = data.iter().step_by(layout.row_stride.max(1));
        to.zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// Columns of a strip on this processor.
pub fn width() -> usize {
    struct Width;
    impl WithSimd for Width {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            VECTORS * S::F32_LANES
        }
    }
    Arch::new().dispatch(Width)
}

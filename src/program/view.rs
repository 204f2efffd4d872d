//! Index arithmetic: which element of a value a thread looks at.
//!
//! A kernel's threads run over a [`Space`] of dimensions. Views (transpose, slice, broadcast, …)
//! turn into one [`Affine`] index per axis, and a load into one affine position. A reshape that does
//! not line up with the space asks for a dimension to be split; what cannot be expressed asks for a
//! value to be stored first.

use crate::base::Shape;

/// `offset + Σ strides[k] · index[k]` over the dimensions of a space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Affine {
    /// The index at the origin of the space.
    pub offset: i64,
    /// For each dimension of the space, what one step along it adds.
    pub strides: Vec<i64>,
}

/// The dimensions that threads run over. Dimensions of one group together are one coordinate of the
/// kernel, outermost first: a linear index, a row, a column, a position in a reduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Extents, outermost first.
    pub dims: Vec<usize>,
    /// For each dimension, the number of the coordinate that it is part of.
    pub group: Vec<usize>,
}

/// Why an index cannot be expressed.
#[derive(Debug, PartialEq, Eq)]
pub enum Misfit {
    /// Dimension `dim` must be split so that its inner part has this extent.
    Split {
        /// Position of the dimension in the space.
        dim: usize,
        /// Extent of its inner part.
        inner: usize,
    },
    /// No splitting helps.
    Never,
}

/// A tensor cut into what a reduction keeps apart and what it combines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Shape of the tensor.
    pub shape: Shape,
    /// What is combined, ascending.
    pub axes: Vec<usize>,
}

impl Frame {
    /// The extents of the axes that stay, and of those that are combined.
    pub fn extents(&self) -> [Vec<usize>; 2] {
        let (combined, kept): (Vec<usize>, Vec<usize>) =
            (0..self.shape.rank()).partition(|axis| self.axes.contains(axis));
        [kept, combined].map(|axes| axes.into_iter().map(|axis| self.shape[axis]).collect())
    }

    /// How many reductions there are, and what each combines.
    pub fn rows_and_len(&self) -> [usize; 2] {
        self.extents().map(|extents| extents.iter().product())
    }

    /// Whether neighbours in a reduction are neighbours in memory.
    pub fn is_contiguous(&self) -> bool {
        let innermost = (0..self.shape.rank()).rev().find(|&axis| self.shape[axis] > 1);
        innermost.is_some_and(|axis| self.axes.contains(&axis))
    }

    /// A space of two coordinates: the number of the reduction and the position in it.
    pub fn space(&self) -> Space {
        let [kept, combined] = self.extents();
        Space::new(&[&kept, &combined])
    }

    /// The index along every axis of the tensor, in [`Frame::space`] or one that was split.
    pub fn index(&self, space: &Space) -> Result<Vec<Affine>, Misfit> {
        let [kept, combined] = self.extents().map(Shape::new);
        let mut kept = space.unravel(&space.position(0..1), &kept)?.into_iter();
        let mut combined = space.unravel(&space.position(1..2), &combined)?.into_iter();
        let axis = |axis: usize| match self.axes.contains(&axis) {
            true => combined.next(),
            false => kept.next(),
        };
        // Each list has an index for each of its axes.
        Ok((0..self.shape.rank()).filter_map(axis).collect())
    }
}

impl Affine {
    /// The same index everywhere in a space of `rank` dimensions.
    pub fn constant(offset: i64, rank: usize) -> Affine {
        Affine { offset, strides: vec![0; rank] }
    }

    /// `self · factor + shift`.
    pub fn scaled(&self, factor: i64, shift: i64) -> Affine {
        let strides = self.strides.iter().map(|s| s * factor).collect();
        Affine { offset: self.offset * factor + shift, strides }
    }

    /// The sum of two indices over one space.
    pub fn plus(&self, other: &Affine) -> Affine {
        let strides = self.strides.iter().zip(&other.strides).map(|(a, b)| a + b).collect();
        Affine { offset: self.offset + other.offset, strides }
    }

    /// Smallest and largest value over a space.
    pub fn range(&self, dims: &[usize]) -> (i64, i64) {
        let (mut low, mut high) = (self.offset, self.offset);
        for (&stride, &extent) in self.strides.iter().zip(dims) {
            let reach = stride * (extent as i64 - 1).max(0);
            if reach < 0 { low += reach } else { high += reach }
        }
        (low, high)
    }
}

impl Space {
    /// A space whose groups have these shapes.
    pub fn new(groups: &[&[usize]]) -> Space {
        let dims = groups.concat();
        let group = groups.iter().enumerate().flat_map(|(g, dims)| vec![g; dims.len()]).collect();
        Space { dims, group }
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The index along one dimension.
    pub fn index(&self, dim: usize) -> Affine {
        let mut affine = Affine::constant(0, self.rank());
        affine.strides[dim] = 1;
        affine
    }

    /// The linear position over the dimensions of these groups, row-major.
    pub fn position(&self, groups: std::ops::Range<usize>) -> Affine {
        let mut affine = Affine::constant(0, self.rank());
        let mut stride = 1;
        for dim in (0..self.rank()).rev().filter(|&d| groups.contains(&self.group[d])) {
            affine.strides[dim] = stride;
            stride *= self.dims[dim] as i64;
        }
        affine
    }

    /// The same space with one dimension written as two.
    pub fn split(&mut self, dim: usize, inner: usize) {
        self.dims[dim] /= inner;
        self.dims.insert(dim + 1, inner);
        self.group.insert(dim + 1, self.group[dim]);
    }

    /// The index along every axis of `shape` of the element at a linear position.
    pub fn unravel(&self, position: &Affine, shape: &Shape) -> Result<Vec<Affine>, Misfit> {
        if shape.is_empty() || self.dims.contains(&0) {
            // There is no element to look at.
            return Ok(vec![Affine::constant(0, self.rank()); shape.rank()]);
        }
        if self.dims.contains(&0) {
            // No thread looks at anything, so any index will do.
            return Ok(vec![Affine::constant(0, self.rank()); shape.rank()]);
        }
        let strides: Vec<i64> = shape.strides().iter().map(|&s| s as i64).collect();
        let (low, high) = position.range(&self.dims);
        if low < 0 || high >= (shape.len() as i64).max(1) {
            return Err(Misfit::Never);
        }
        let mut axes: Vec<Affine> = Vec::with_capacity(shape.rank());
        let mut rest = low;
        for &stride in &strides {
            axes.push(Affine::constant(rest / stride, self.rank()));
            rest %= stride;
        }
        for dim in (0..self.rank()).filter(|&d| self.dims[d] > 1 && position.strides[d] != 0) {
            let axis = self.axis_of(position.strides[dim], dim, shape, &strides)?;
            let step = position.strides[dim] / strides[axis];
            axes[axis].strides[dim] = step;
            if step < 0 {
                // The base was taken at the lowest position, where this index is at its end.
                axes[axis].offset -= step * (self.dims[dim] as i64 - 1);
            }
        }
        let inside = |(axis, affine): (usize, &Affine)| {
            let (low, high) = affine.range(&self.dims);
            low >= 0 && high < (shape[axis] as i64).max(1)
        };
        if axes.iter().enumerate().all(inside) { Ok(axes) } else { Err(Misfit::Never) }
    }

    /// The axis along which a dimension of this stride moves.
    fn axis_of(
        &self,
        stride: i64,
        dim: usize,
        shape: &Shape,
        strides: &[i64],
    ) -> Result<usize, Misfit> {
        let step = stride.abs();
        let holds =
            |&axis: &usize| step >= strides[axis] && step < strides[axis] * shape[axis] as i64;
        let axis = (0..shape.rank()).find(holds).ok_or(Misfit::Never)?;
        if step % strides[axis] != 0 {
            return Err(Misfit::Never);
        }
        // How many steps fit before the next outer axis moves.
        let fits = strides[axis] * shape[axis] as i64 / step;
        let extent = self.dims[dim] as i64;
        if extent <= fits {
            return Ok(axis);
        }
        let whole = strides[axis] * shape[axis] as i64 % step == 0 && extent % fits == 0;
        if whole { Err(Misfit::Split { dim, inner: fits as usize }) } else { Err(Misfit::Never) }
    }

    /// Merges neighbouring dimensions of a group that all indices step through as one, and drops
    /// those of extent 1.
    pub fn collapse(&mut self, affines: &mut [&mut Affine]) {
        let mut dim = self.rank();
        while dim > 0 {
            dim -= 1;
            if self.dims[dim] == 1 {
                self.remove(dim, affines);
            } else if dim + 1 < self.rank() && self.group[dim] == self.group[dim + 1] {
                let inner = self.dims[dim + 1] as i64;
                let one = |a: &&mut Affine| a.strides[dim] == a.strides[dim + 1] * inner;
                if affines.iter().all(one) {
                    self.dims[dim + 1] *= self.dims[dim];
                    self.remove(dim, affines);
                }
            }
        }
    }

    fn remove(&mut self, dim: usize, affines: &mut [&mut Affine]) {
        self.dims.remove(dim);
        self.group.remove(dim);
        affines.iter_mut().for_each(|a| {
            a.strides.remove(dim);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reshape_that_lines_up_splits_a_dimension() {
        let mut space = Space::new(&[&[12]]);
        let position = space.position(0..1);
        let shape = Shape::from([3, 4]);
        assert_eq!(space.unravel(&position, &shape), Err(Misfit::Split { dim: 0, inner: 4 }));
        space.split(0, 4);
        let axes = space.unravel(&space.position(0..1), &shape).unwrap();
        assert_eq!(axes, [space.index(0), space.index(1)]);
    }

    #[test]
    fn a_reversed_position_keeps_its_direction() {
        let space = Space::new(&[&[4]]);
        let reversed = Affine { offset: 3, strides: vec![-1] };
        let axes = space.unravel(&reversed, &Shape::from([1, 4])).unwrap();
        assert_eq!(axes[1], reversed);
    }

    #[test]
    fn what_does_not_line_up_is_refused() {
        let space = Space::new(&[&[10]]);
        let strided = Affine { offset: 0, strides: vec![3] };
        assert_eq!(space.unravel(&strided, &Shape::from([7, 4])), Err(Misfit::Never));
    }

    #[test]
    fn dimensions_that_move_together_collapse() {
        let mut space = Space::new(&[&[2, 3, 4]]);
        let mut whole = space.position(0..1);
        let mut channel = space.index(2);
        space.collapse(&mut [&mut whole, &mut channel]);
        assert_eq!(space.dims, [6, 4]);
        assert_eq!(whole.strides, [4, 1]);
        assert_eq!(channel.strides, [0, 1]);
    }
}

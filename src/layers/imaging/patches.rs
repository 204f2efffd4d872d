//! Windows of a tensor side by side, and their opposite: images cut into patches, and patches summed
//! into images.

use crate::base::{Error, Result, Shape};
use crate::graph::Value;

/// The most elements that a window has along one axis: each of them is an operation of the graph.
const MAX_WINDOW: usize = 1 << 12;

/// Windows along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sliding {
    /// Elements of one window.
    pub size: usize,
    /// Elements from the start of one window to that of the next.
    pub stride: usize,
    /// Elements from one element of a window to the next.
    pub dilation: usize,
}

impl Sliding {
    /// Elements that a window reaches over.
    ///
    /// # Errors
    /// If the window is larger than can be computed with.
    pub fn reach(self) -> Result<usize> {
        let reach = self.size.checked_sub(1).filter(|_| self.size <= MAX_WINDOW);
        let reach = reach.and_then(|n| n.checked_mul(self.dilation)?.checked_add(1));
        reach.ok_or_else(|| {
            let found = format!("{} elements, {} apart", self.size, self.dilation);
            Error::shape("a window", found, format!("from 1 to {MAX_WINDOW} elements"))
        })
    }

    /// Windows that lie within `extent` elements.
    pub fn count(self, extent: usize) -> Result<usize> {
        let room = extent.checked_sub(self.reach()?).filter(|_| self.stride > 0);
        room.map(|room| room / self.stride + 1).ok_or_else(|| {
            let found = format!("windows {self:?} of {extent} elements");
            Error::shape("windows", found, "a window that fits in, and a stride")
        })
    }

    /// Zeros in front and behind, so that there is a window for every `stride` elements.
    pub fn same_padding(self, extent: usize) -> Result<(usize, usize)> {
        let windows = extent.div_ceil(self.stride.max(1)).saturating_sub(1);
        let covered =
            windows.checked_mul(self.stride).and_then(|n| n.checked_add(self.reach().ok()?));
        let covered = covered.ok_or_else(|| {
            Error::shape("windows", format!("{self:?} of {extent} elements"), "a smaller window")
        })?;
        let total = covered.saturating_sub(extent);
        Ok((total / 2, total - total / 2))
    }

    /// `x` with an axis replaced by two: the windows, and the elements of each.
    pub fn windows<'g>(self, x: Value<'g>, axis: usize) -> Result<Value<'g>> {
        let count = self.count(x.extent(axis))?;
        let (shape, graph) = (x.shape(), x.graph());
        let size = shape.with(axis, count);
        let step: Vec<i64> =
            (0..shape.rank()).map(|i| if i == axis { self.stride as i64 } else { 1 }).collect();
        let element = |i: usize| {
            let mut start = vec![0; shape.rank()];
            start[axis] = i * self.dilation;
            let element = x.slice(&start, &size, &step);
            let mut extents = size.to_vec();
            extents.insert(axis + 1, 1);
            element.reshape(extents)
        };
        let elements: Vec<Value<'g>> = (0..self.size).map(element).collect();
        Ok(graph.concat(&elements, axis + 1))
    }

    /// The opposite of [`windows`](Sliding::windows): the axes `axis` (windows) and `axis + 1` (elements)
    /// replaced by one of `extent`, where all elements that fall on one place are summed.
    pub fn sum<'g>(self, x: Value<'g>, axis: usize, extent: usize) -> Result<Value<'g>> {
        let shape = x.shape();
        let (reach, count) = (self.reach()?, x.extent(axis));
        let spread = count.saturating_sub(1).saturating_mul(self.stride);
        if x.extent(axis + 1) != self.size || extent < spread.saturating_add(reach) || count == 0 {
            let expected = format!("windows {self:?} that fit into {extent} elements");
            return Err(Error::shape("a sum of windows", shape.to_string(), expected));
        }
        let rank = shape.rank() - 1;
        let flat: Shape =
            shape.iter().enumerate().filter(|(i, _)| *i != axis + 1).map(|(_, &d)| d).collect();
        let at =
            |n: usize| (0..rank).map(|i| if i == axis { n } else { 0 }).collect::<Vec<usize>>();
        let element = |i: usize| {
            let (low, high) = (i * self.dilation, extent - spread - 1 - i * self.dilation);
            let element = x.narrow(axis + 1, i, 1).reshape(flat.clone());
            element.pad_with(&at(low), &at(high), &at(self.stride - 1), 0.0)
        };
        let sum = (0..self.size).map(element).reduce(|a, b| a + b);
        sum.ok_or_else(|| Error::Internal("a window without elements".into()))
    }
}

/// Patches of images `(batch, spatial…, channels)`: every spatial axis becomes the patches along it, and
/// the last axis holds the elements of one patch, channels fastest. With `same`, zeros stand around.
pub(crate) fn extract_patches<'g>(
    images: Value<'g>,
    windows: &[Sliding],
    same: bool,
) -> Result<Value<'g>> {
    let rank = windows.len();
    let mut x = images;
    for (i, window) in windows.iter().enumerate() {
        // Each axis before this one has become two.
        let axis = 1 + 2 * i;
        if same {
            let (front, behind) = window.same_padding(x.extent(axis))?;
            let at = |n: usize| {
                (0..x.rank()).map(|j| if j == axis { n } else { 0 }).collect::<Vec<usize>>()
            };
            x = x.pad(&at(front), &at(behind), 0.0);
        }
        x = window.windows(x, axis)?;
    }
    let counts = (0..rank).map(|i| 1 + 2 * i);
    let elements = (0..rank).map(|i| 2 + 2 * i);
    let order: Vec<usize> =
        std::iter::once(0).chain(counts).chain(elements).chain([2 * rank + 1]).collect();
    let shape = x.shape();
    let mut extents: Vec<usize> = order[..=rank].iter().map(|&axis| shape[axis]).collect();
    extents.push(order[rank + 1..].iter().map(|&axis| shape[axis]).product());
    Ok(x.transpose(&order).reshape(extents))
}

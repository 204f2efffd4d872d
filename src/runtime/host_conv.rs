//! Convolutions on the host: products whose left rows are the windows that filters see, read where
//! they lie.

use std::ops::Range;

use rayon::prelude::*;

use crate::base::Result;
use crate::graph::ops::ConvGeometry;
use crate::runtime::host_product::{Block, Dense, Finish, Rows, multiply};
use crate::runtime::host_strips::{Layout, Strips};
use crate::runtime::host_value::{HostValue, Memory};

/// Channels below which neighbouring taps are read together.
const FEW: usize = 16;

/// Output positions of one task.
pub const POSITIONS: usize = 64;

/// The windows that positions see, in pieces: one tap, or the neighbouring ones of a row.
pub struct Windows<'a> {
    x: &'a [f32],
    /// Extents of what is looked at, and what lies between its positions.
    extents: [usize; 3],
    channels: usize,
    /// Extents of the positions that look.
    positions: [usize; 3],
    step: Step,
    pad: [usize; 3],
    /// How far each piece lies from a window's first position.
    taps: Vec<[usize; 3]>,
    /// The same in memory, forwards.
    offsets: Vec<usize>,
    first_channel: usize,
    len: usize,
    zeros: Vec<f32>,
}

/// From a position to what it looks at.
#[derive(Clone, Copy)]
enum Step {
    /// At `position · stride + tap - pad`.
    Forward([usize; 3]),
    /// Where `position + pad - tap` is a multiple of the stride.
    Back([usize; 3]),
}

/// Where a window is.
#[derive(Clone, Copy)]
pub struct Place {
    image: usize,
    /// What a tap at 0 looks at, which may lie in front of the image.
    start: [usize; 3],
    /// The same in memory, where all taps look at the image.
    whole: Option<usize>,
}

impl Rows for Windows<'_> {
    type At = Place;

    fn pieces(&self) -> usize {
        self.taps.len()
    }

    fn piece_len(&self) -> usize {
        self.len
    }

    fn at(&self, row: usize) -> Place {
        let (image, position) = self.position(row);
        self.place(image, position)
    }

    fn places(&self, rows: Range<usize>) -> Vec<Place> {
        let (mut image, mut position) = self.position(rows.start);
        let next = |_| {
            let place = self.place(image, position);
            // Counted on: divisions would take longer than a window of few elements.
            let axis = (0..3).rev().find(|&i| position[i] + 1 < self.positions[i]);
            position[axis.map_or(0, |i| i + 1)..].fill(0);
            match axis {
                Some(i) => position[i] += 1,
                None => image += 1,
            }
            place
        };
        rows.map(next).collect()
    }

    /// One of the rows stands for all: those of a block lie equally far from multiples of the stride.
    #[inline(always)]
    fn is_skipped(&self, Place { start, .. }: Place, piece: usize) -> bool {
        let Step::Back(stride) = self.step else { return false };
        // May lie in front of the first position, where the distance counts with its sign.
        let reach = |i: usize| start[i].wrapping_sub(self.taps[piece][i]) as isize;
        (0..3).any(|i| stride[i] > 1 && reach(i) % stride[i] as isize != 0)
    }

    #[inline(always)]
    fn piece(&self, Place { image, start, whole }: Place, piece: usize) -> &[f32] {
        if let Some(first) = whole {
            return &self.x[first + self.offsets[piece]..][..self.len];
        }
        let mut element = image;
        for (i, extent) in self.extents.into_iter().enumerate() {
            let tap = self.taps[piece][i];
            let (place, fits) = match self.step {
                Step::Forward(_) => (start[i].wrapping_add(tap), true),
                Step::Back(stride) => {
                    let reach = start[i].wrapping_sub(tap);
                    match stride[i] {
                        1 => (reach, true),
                        stride => (reach / stride, reach.is_multiple_of(stride)),
                    }
                }
            };
            if !fits || place >= extent {
                return &self.zeros;
            }
            element = element * extent + place;
        }
        &self.x[element * self.channels + self.first_channel..][..self.len]
    }
}

impl<'a> Windows<'a> {
    /// The image and the position in it of a row.
    fn position(&self, row: usize) -> (usize, [usize; 3]) {
        let [d, h, w] = self.positions;
        let (image, o) = (row / (d * h * w), row % (d * h * w));
        (image, [o / w / h, o / w % h, o % w])
    }

    #[inline(always)]
    fn place(&self, image: usize, position: [usize; 3]) -> Place {
        let Step::Forward(stride) = self.step else {
            let start = [0, 1, 2].map(|i| position[i] + self.pad[i]);
            return Place { image, start, whole: None };
        };
        let start = [0, 1, 2].map(|i| (position[i] * stride[i]).wrapping_sub(self.pad[i]));
        // The last tap reaches farthest along every axis; a place in front of the image is a large one.
        let last = self.taps.last().copied().unwrap_or_default();
        let inside = |i: usize| start[i] < self.extents[i] && start[i] + last[i] < self.extents[i];
        let whole = (0..3).all(inside).then(|| {
            let element = (0..3).fold(image, |sum, i| sum * self.extents[i] + start[i]);
            element * self.channels + self.first_channel
        });
        Place { image, start, whole }
    }

    /// The same with what follows from the other fields.
    fn with_offsets(self) -> Windows<'a> {
        let [_, h, w] = self.extents;
        let offset = |[d, y, x]: [usize; 3]| ((d * h + y) * w + x) * self.channels;
        let offsets = self.taps.iter().map(|&tap| offset(tap)).collect();
        Windows { offsets, ..self }
    }

    /// Those that output positions see of a group's channels.
    pub fn forward(g: &ConvGeometry, x: &'a [f32], group: usize) -> Windows<'a> {
        let len = g.in_channels / g.groups;
        Windows {
            x,
            extents: g.input,
            channels: g.in_channels,
            positions: g.output,
            step: Step::Forward(g.stride),
            pad: g.pad,
            taps: taps(g.kernel, g.dilation),
            offsets: Vec::new(),
            first_channel: group * len,
            len,
            zeros: vec![0.0; len],
        }
        .with_offsets()
    }

    /// Those of one group with the taps of a row together: the input has its padding there.
    fn with_whole_rows(g: &ConvGeometry, padded: &'a [f32]) -> Windows<'a> {
        let [d, h, kw] = g.kernel;
        let len = kw * g.in_channels;
        Windows {
            extents: [g.input[0], g.input[1], reach(g)],
            pad: [g.pad[0], g.pad[1], 0],
            taps: taps([d, h, 1], g.dilation),
            len,
            zeros: vec![0.0; len],
            ..Windows::forward(g, padded, 0)
        }
        .with_offsets()
    }

    /// The gradients of a group's outputs that input positions have a part in.
    pub fn back(g: &ConvGeometry, dy: &'a [f32], group: usize) -> Windows<'a> {
        let len = g.out_channels / g.groups;
        Windows {
            extents: g.output,
            channels: g.out_channels,
            positions: g.input,
            step: Step::Back(g.stride),
            first_channel: group * len,
            len,
            zeros: vec![0.0; len],
            ..Windows::forward(g, dy, 0)
        }
    }
}

fn taps([d, h, w]: [usize; 3], dilation: [usize; 3]) -> Vec<[usize; 3]> {
    let tap = |i: usize| [i / w / h, i / w % h, i % w];
    let far = |at: [usize; 3]| [0, 1, 2].map(|i| at[i] * dilation[i]);
    (0..d * h * w).map(|i| far(tap(i))).collect()
}

/// `y` of a convolution, `[positions, out_channels]`.
///
/// # Errors
/// If the kernel has fewer elements than the geometry says.
pub fn forward(
    g: &ConvGeometry,
    x: &[f32],
    kernel: &HostValue,
    out: &mut [f32],
    memory: &Memory,
    finish: &Finish<'_>,
) -> Result<()> {
    let filters = g.out_channels / g.groups;
    let layout = Layout {
        matrices: g.groups,
        matrix_stride: filters,
        columns: filters,
        ..Layout::rows(window(g), g.out_channels)
    };
    let strips = kernel.strips(layout, memory)?;
    let count = positions(g);
    if is_product(g) {
        let rows = Dense { data: x, depth: g.in_channels, count };
        multiply(out, &rows, count, &strips, finish);
    } else if g.groups == 1 && g.in_channels < FEW && g.kernel[2] > 1 && g.dilation[2] == 1 {
        let mut words = memory.take(padded_len(g));
        let padded: &mut [f32] = bytemuck::cast_slice_mut(&mut words);
        pad_rows(g, x, padded);
        multiply(out, &Windows::with_whole_rows(g, padded), count, &strips, finish);
        memory.keep(words);
    } else if g.groups == 1 {
        multiply(out, &Windows::forward(g, x, 0), count, &strips, finish);
    } else {
        in_groups(g, x, &strips, out, finish);
    }
    Ok(())
}

/// Each group's filters see its channels only.
fn in_groups(g: &ConvGeometry, x: &[f32], strips: &Strips, out: &mut [f32], finish: &Finish<'_>) {
    let stride = g.out_channels;
    let windows: Vec<Windows<'_>> = (0..g.groups).map(|i| Windows::forward(g, x, i)).collect();
    out.par_chunks_mut((POSITIONS * stride).max(1)).enumerate().for_each(|(task, out)| {
        let first = task * POSITIONS;
        let some = first..first + out.len() / stride;
        for (group, rows) in windows.iter().enumerate() {
            let lower = strips.matrix(group);
            let (some, chosen, pieces) = (some.clone(), 0..lower.count(), 0..rows.pieces());
            let block = Block { rows, some, strips: lower, chosen, pieces, stride };
            block.fill(&mut out[group * lower.columns..]);
        }
        finish(first * stride, out);
    });
}

/// Elements along the last axis that windows reach.
fn reach(g: &ConvGeometry) -> usize {
    g.output[2].saturating_sub(1) * g.stride[2] + g.kernel[2]
}

/// Elements of the input with the zeros of its last axis.
fn padded_len(g: &ConvGeometry) -> usize {
    g.batch * g.input[0] * g.input[1] * reach(g) * g.in_channels
}

/// Copies the input, with the zeros of its last axis.
fn pad_rows(g: &ConvGeometry, x: &[f32], padded: &mut [f32]) {
    let (from, to) = (g.input[2] * g.in_channels, reach(g) * g.in_channels);
    let before = (g.pad[2] * g.in_channels).min(to);
    let len = from.min(to - before);
    padded.par_chunks_exact_mut(to.max(1)).enumerate().for_each(|(row, to)| {
        to[..before].fill(0.0);
        to[before..before + len].copy_from_slice(&x[row * from..][..len]);
        to[before + len..].fill(0.0);
    });
}

/// Whether the windows are the input's elements as they lie: one tap, nothing skipped or padded.
fn is_product(g: &ConvGeometry) -> bool {
    let all = g.groups == 1 && g.input == g.output;
    all && g.kernel == [1; 3] && g.stride == [1; 3] && g.pad == [0; 3]
}

/// Elements of one window of one group.
fn window(g: &ConvGeometry) -> usize {
    g.kernel.iter().product::<usize>() * g.in_channels / g.groups
}

/// Output positions of the whole batch.
pub fn positions(g: &ConvGeometry) -> usize {
    g.batch * g.output.iter().product::<usize>()
}

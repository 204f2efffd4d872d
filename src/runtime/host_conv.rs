//! Convolutions on the host: products whose left rows are the windows that filters see, read where
//! they lie.

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

/// An image, and the place in it that a tap at 0 looks at, which may lie in front of it.
pub type Place = (usize, [usize; 3]);

impl Rows for Windows<'_> {
    type At = Place;

    fn pieces(&self) -> usize {
        self.taps.len()
    }

    fn piece_len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn at(&self, row: usize) -> Place {
        let [d, h, w] = self.positions;
        let (image, o) = (row / (d * h * w), row % (d * h * w));
        let position = [o / w / h, o / w % h, o % w];
        let start = |i: usize| match self.step {
            Step::Forward(stride) => (position[i] * stride[i]).wrapping_sub(self.pad[i]),
            Step::Back(_) => position[i] + self.pad[i],
        };
        (image, [start(0), start(1), start(2)])
    }

    /// One of the rows stands for all: those of a block lie equally far from multiples of the stride.
    #[inline(always)]
    fn is_skipped(&self, (_, start): Place, piece: usize) -> bool {
        let Step::Back(stride) = self.step else { return false };
        // May lie in front of the first position, where the distance counts with its sign.
        let reach = |i: usize| start[i].wrapping_sub(self.taps[piece][i]) as isize;
        (0..3).any(|i| stride[i] > 1 && reach(i) % stride[i] as isize != 0)
    }

    #[inline(always)]
    fn piece(&self, (image, start): Place, piece: usize) -> &[f32] {
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
            first_channel: group * len,
            len,
            zeros: vec![0.0; len],
        }
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
        let padded = padded_rows(g, x);
        multiply(out, &Windows::with_whole_rows(g, &padded), count, &strips, finish);
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

/// The input with the zeros of its last axis.
fn padded_rows(g: &ConvGeometry, x: &[f32]) -> Vec<f32> {
    let (from, to) = (g.input[2] * g.in_channels, reach(g) * g.in_channels);
    let before = (g.pad[2] * g.in_channels).min(to);
    let len = from.min(to - before);
    let mut padded = vec![0.0; g.batch * g.input[0] * g.input[1] * to];
    let rows = padded.par_chunks_exact_mut(to.max(1)).zip(x.par_chunks_exact(from.max(1)));
    rows.for_each(|(to, from)| to[before..before + len].copy_from_slice(&from[..len]));
    padded
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

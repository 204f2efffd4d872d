//! Both gradients of convolutions on the host, as products of windows like the convolution itself.

use rayon::prelude::*;

use crate::base::Result;
use crate::graph::ops::ConvGeometry;
use crate::runtime::host_conv::{POSITIONS, Place, Windows, positions};
use crate::runtime::host_product::{Block, DEPTH, Finish, Rows};
use crate::runtime::host_strips::Layout;
use crate::runtime::host_value::{HostValue, Memory};

/// Channels of a filter's gradient that one task computes at least: rows that registers hold together.
const CHANNELS: usize = 8;

/// `dx` of a convolution.
///
/// # Errors
/// If the kernel has fewer elements than the geometry says.
pub fn input_grad(
    g: &ConvGeometry,
    dy: &[f32],
    kernel: &HostValue,
    out: &mut [f32],
    memory: &Memory,
    finish: &Finish<'_>,
) -> Result<()> {
    let (taps, channels, filters) = (g.kernel.iter().product(), g.in_channels, g.out_channels);
    let lines = channels / g.groups;
    // Every group's filters are some rows of each tap's matrix.
    let layout = Layout {
        matrices: taps,
        matrix_stride: lines * filters,
        ..Layout::rows(lines, filters).transposed()
    };
    let strips = kernel.strips(layout, memory)?;
    let windows: Vec<Windows<'_>> = (0..g.groups).map(|i| Windows::back(g, dy, i)).collect();
    let line = g.input[2].max(1);
    // Positions as far from a multiple of the stride see the same taps; the others are left out.
    let (together, apart) = match g.stride {
        [1, 1, 1] => (POSITIONS, 1),
        [.., step] => (line, step),
    };
    out.par_chunks_mut((together * channels).max(1)).enumerate().for_each(|(task, out)| {
        let (first, count) = (task * together, out.len() / channels);
        for (group, windows) in windows.iter().enumerate() {
            let strips = strips.stacked().below(group * filters / g.groups);
            for start in 0..apart.min(count) {
                let rows = &Apart { windows, first: first + start, by: apart };
                let some = 0..(count - start).div_ceil(apart);
                let (chosen, pieces) = (0..strips.count(), 0..rows.pieces());
                let stride = apart * channels;
                let block = Block { rows, some, strips, chosen, pieces, stride };
                block.fill(&mut out[start * channels + group * lines..]);
            }
        }
        finish(first * channels, out);
    });
    Ok(())
}

/// Windows of positions at a distance.
struct Apart<'a> {
    windows: &'a Windows<'a>,
    first: usize,
    by: usize,
}

impl Rows for Apart<'_> {
    type At = Place;

    fn pieces(&self) -> usize {
        self.windows.pieces()
    }

    fn piece_len(&self) -> usize {
        self.windows.piece_len()
    }

    #[inline(always)]
    fn at(&self, row: usize) -> Place {
        self.windows.at(self.first + row * self.by)
    }

    #[inline(always)]
    fn piece(&self, at: Place, piece: usize) -> &[f32] {
        self.windows.piece(at, piece)
    }

    #[inline(always)]
    fn is_skipped(&self, at: Place, piece: usize) -> bool {
        self.windows.is_skipped(at, piece)
    }
}

/// `dkernel` of a convolution.
///
/// # Errors
/// If `dy` has fewer elements than the geometry says.
pub fn filter_grad(
    g: &ConvGeometry,
    x: &[f32],
    dy: &HostValue,
    out: &mut [f32],
    memory: &Memory,
    finish: &Finish<'_>,
) -> Result<()> {
    let (count, filters) = (positions(g), g.out_channels);
    let (lines, each) = (g.in_channels / g.groups, filters / g.groups);
    let layout = Layout {
        matrices: g.groups,
        matrix_stride: each,
        columns: each,
        ..Layout::rows(count, filters)
    };
    let strips = dy.strips(layout, memory)?;
    let windows: Vec<Windows<'_>> = (0..g.groups).map(|i| Windows::forward(g, x, i)).collect();
    if count == 0 {
        out.fill(0.0);
    }
    // Some channels of one tap for each task: a row of each, along the output positions.
    let taps = g.kernel.iter().product::<usize>();
    let share = (taps * lines).div_ceil(2 * rayon::current_num_threads());
    let channels = share.next_multiple_of(CHANNELS).min(lines).max(1);
    let tap_size = (lines * filters).max(1);
    out.par_chunks_mut(tap_size).enumerate().for_each(|(tap, out)| {
        out.par_chunks_mut(channels * filters).enumerate().for_each(|(part, out)| {
            let from = part * channels;
            let to = from + out.len() / filters;
            let mut columns = vec![0.0; (to - from) * COLUMN];
            for (group, windows) in windows.iter().enumerate() {
                let strips = strips.matrix(group);
                for (piece, first) in (0..count).step_by(DEPTH).enumerate() {
                    let len = DEPTH.min(count - first);
                    for i in 0..len {
                        let window = &windows.piece(windows.at(first + i), tap)[from..to];
                        let to = columns.iter_mut().skip(i).step_by(COLUMN);
                        to.zip(window).for_each(|(to, from)| *to = *from);
                    }
                    let rows = &Columns { data: &columns, len };
                    let (some, chosen, pieces) =
                        (0..to - from, 0..strips.count(), piece..piece + 1);
                    let block = Block { rows, some, strips, chosen, pieces, stride: filters };
                    block.fill(&mut out[group * each..]);
                }
            }
            finish(tap * tap_size + from * filters, out);
        });
    });
    Ok(())
}

/// Distance of gathered columns: not a power of two, so that they spread over the cache.
const COLUMN: usize = DEPTH + 16;

/// One piece of rows that have been gathered.
struct Columns<'a> {
    data: &'a [f32],
    len: usize,
}

impl Rows for Columns<'_> {
    type At = usize;

    fn pieces(&self) -> usize {
        1
    }

    fn piece_len(&self) -> usize {
        DEPTH
    }

    #[inline(always)]
    fn at(&self, row: usize) -> usize {
        row * COLUMN
    }

    #[inline(always)]
    fn piece(&self, at: usize, _: usize) -> &[f32] {
        &self.data[at..at + self.len]
    }
}

//! Both gradients of convolutions of each channel by itself, on the host.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::graph::ops::ConvGeometry;
use crate::runtime::host_depthwise::{Filtered, LANES};
use crate::runtime::host_product::Finish;

/// `dx` of a convolution of each channel by itself, with one or several filters for each.
pub fn input_grad(
    g: &ConvGeometry,
    dy: &[f32],
    kernel: &[f32],
    out: &mut [f32],
    finish: &Finish<'_>,
) {
    let (channels, filters) = (g.in_channels.max(1), g.out_channels);
    let line = g.input[2].max(1);
    out.par_chunks_mut(line * channels).enumerate().for_each(|(row, out)| {
        let mut found = Vec::new();
        for (i, out) in out.chunks_exact_mut(channels).enumerate() {
            found.clear();
            seen_by(g, row * line + i, &mut found);
            if filters == channels {
                Filtered { taps: &found, step: 0, x: dy, kernel, channels, out }.fill();
            } else {
                several_filters(&found, dy, kernel, filters / channels, out);
            }
        }
        finish(row * line * channels, out);
    });
}

/// The taps by which output positions see an input position, each with the place of the output's
/// first channel.
fn seen_by(g: &ConvGeometry, position: usize, found: &mut Vec<(usize, usize)>) {
    let [id, ih, iw] = g.input;
    let (n, i) = (position / (id * ih * iw), position % (id * ih * iw));
    let at = [i / iw / ih, i / iw % ih, i % iw];
    let along = |axis: usize, k: usize| {
        let reach = (at[axis] + g.pad[axis]).checked_sub(k * g.dilation[axis])?;
        let place = reach / g.stride[axis];
        (reach.is_multiple_of(g.stride[axis]) && place < g.output[axis]).then_some(place)
    };
    let [kd, kh, kw] = g.kernel;
    for d in 0..kd {
        let Some(od) = along(0, d) else { continue };
        for h in 0..kh {
            let Some(oh) = along(1, h) else { continue };
            for w in 0..kw {
                let Some(ow) = along(2, w) else { continue };
                let y = ((n * g.output[0] + od) * g.output[1] + oh) * g.output[2] + ow;
                found.push(((d * kh + h) * kw + w, y * g.out_channels));
            }
        }
    }
}

/// One position where every channel has `multiplier` filters.
fn several_filters(
    taps: &[(usize, usize)],
    dy: &[f32],
    kernel: &[f32],
    multiplier: usize,
    out: &mut [f32],
) {
    let filters = out.len() * multiplier;
    out.fill(0.0);
    for &(tap, from) in taps {
        let weights = kernel[tap * filters..][..filters].chunks_exact(multiplier);
        let grads = dy[from..][..filters].chunks_exact(multiplier);
        for ((out, w), dy) in out.iter_mut().zip(weights).zip(grads) {
            *out += w.iter().zip(dy).map(|(w, dy)| w * dy).sum::<f32>();
        }
    }
}

/// `dkernel` of a convolution of each channel by itself, with one or several filters for each.
pub fn filter_grad(g: &ConvGeometry, x: &[f32], dy: &[f32], out: &mut [f32], finish: &Finish<'_>) {
    let filters = g.out_channels.max(1);
    let arch = Arch::new();
    out.par_chunks_mut(filters).enumerate().for_each(|(tap, out)| {
        out.par_chunks_mut(LANES).enumerate().for_each(|(part, out)| {
            let first = part * LANES;
            arch.dispatch(Filters { g, x, dy, tap, first, out });
            finish(tap * filters + first, out);
        });
    });
}

/// One tap of neighbouring filters, at most [`LANES`].
struct Filters<'a> {
    g: &'a ConvGeometry,
    x: &'a [f32],
    dy: &'a [f32],
    tap: usize,
    first: usize,
    out: &'a mut [f32],
}

impl WithSimd for Filters<'_> {
    type Output = ();

    /// Lines are summed apart, so that rounding errors of many positions do not add up.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Filters { g, x, dy, tap, first, out } = self;
        let [_, kh, kw] = g.kernel;
        let tap = [tap / kw / kh, tap / kw % kh, tap % kw];
        let along = |axis: usize, o: usize| {
            let reach = o * g.stride[axis] + tap[axis] * g.dilation[axis];
            reach.checked_sub(g.pad[axis]).filter(|&p| p < g.input[axis])
        };
        let [od, oh, ow] = g.output;
        let inside: Vec<(usize, usize)> =
            (0..ow).filter_map(|o| along(2, o).map(|p| (o, p))).collect();
        let multiplier = g.out_channels / g.in_channels;
        out.fill(0.0);
        for line in 0..g.batch * od * oh {
            let (n, d, h) = (line / oh / od, line / oh % od, line % oh);
            let (Some(d), Some(h)) = (along(0, d), along(1, h)) else { continue };
            let source = ((n * g.input[0] + d) * g.input[1] + h) * g.input[2];
            let mut sums = [0.0; LANES];
            for &(o, p) in &inside {
                let dy = &dy[(line * ow + o) * g.out_channels + first..][..out.len()];
                let x = &x[(source + p) * g.in_channels..][..g.in_channels];
                if multiplier == 1 {
                    let x = &x[first..][..dy.len()];
                    sums.iter_mut().zip(x).zip(dy).for_each(|((sum, x), dy)| *sum += x * dy);
                } else {
                    let x = (first..).map(|filter| x[filter / multiplier]);
                    sums.iter_mut().zip(x).zip(dy).for_each(|((sum, x), dy)| *sum += x * dy);
                }
            }
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
        }
    }
}

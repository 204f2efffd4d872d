//! Convolutions of each channel by itself, on the host.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::graph::ops::ConvGeometry;
use crate::runtime::host_product::Finish;

/// Channels whose sums a gradient keeps in registers.
pub const LANES: usize = 32;

/// Neighbouring positions that are summed together: each weight is loaded once for them.
const TOGETHER: usize = 4;

/// `y` of a convolution of each channel by itself, with one or several filters for each.
pub fn depthwise(
    g: &ConvGeometry,
    x: &[f32],
    kernel: &[f32],
    out: &mut [f32],
    finish: &Finish<'_>,
) {
    let filters = g.out_channels;
    let line = g.output[2].max(1);
    let whole = whole_windows(g);
    out.par_chunks_mut((line * filters).max(1)).enumerate().for_each(|(row, out)| {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut done = 0;
        while done < line {
            // Positions whose windows lie inside see the same taps, one step further each.
            let count = if done == whole.start { whole.len().max(1) } else { 1 };
            found.clear();
            taps(g, row * line + done, |tap, from, count| {
                found.extend((0..count).map(|k| (tap + k, from + k * g.in_channels)));
            });
            let out = &mut out[done * filters..][..count * filters];
            let step = g.stride[2] * g.in_channels;
            if filters == g.in_channels {
                Filtered { taps: &found, step, x, kernel, channels: filters, out }.fill();
            } else {
                for (i, out) in out.chunks_exact_mut(filters.max(1)).enumerate() {
                    several_filters(&found, &x[i * step..], kernel, filters / g.in_channels, out);
                }
            }
            done += count;
        }
        finish(row * line * filters, out);
    });
}

/// The positions of a line whose windows lie inside of the input along it.
fn whole_windows(g: &ConvGeometry) -> Range<usize> {
    let reach = g.kernel[2].saturating_sub(1) * g.dilation[2];
    let first = g.pad[2].div_ceil(g.stride[2]);
    let past = (g.input[2] + g.pad[2]).saturating_sub(reach).div_ceil(g.stride[2]);
    first..past.min(g.output[2]).max(first)
}

/// Neighbouring positions with one filter for each channel.
pub struct Filtered<'a> {
    /// The filter's and the input's places that the first position looks at.
    pub taps: &'a [(usize, usize)],
    /// From a position's place in the input to the next one's.
    pub step: usize,
    pub x: &'a [f32],
    pub kernel: &'a [f32],
    pub channels: usize,
    /// `channels` sums for each position.
    pub out: &'a mut [f32],
}

impl Filtered<'_> {
    /// Computes the positions, with the widest vectors that this processor has.
    pub fn fill(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Filtered<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Filtered { taps, step, x, kernel, channels, out } = self;
        let sums = Sums { simd, taps, step, kernel, channels };
        let mut groups = out.chunks_exact_mut((TOGETHER * channels).max(1));
        let mut first = 0;
        for out in &mut groups {
            sums.fill::<TOGETHER>(x, first, out);
            first += TOGETHER * step;
        }
        for out in groups.into_remainder().chunks_exact_mut(channels.max(1)) {
            sums.fill::<1>(x, first, out);
            first += step;
        }
    }
}

/// What all positions of a line have in common.
struct Sums<'a, S> {
    simd: S,
    taps: &'a [(usize, usize)],
    step: usize,
    kernel: &'a [f32],
    channels: usize,
}

impl<S: Simd> Sums<'_, S> {
    /// So many positions, of which the first lies behind the line's.
    #[inline(always)]
    fn fill<const P: usize>(&self, x: &[f32], first: usize, out: &mut [f32]) {
        let lanes = S::F32_LANES;
        let mut channel = 0;
        while channel + 2 * lanes <= self.channels {
            self.some_channels::<P, 2>(x, first, channel..channel + 2 * lanes, out);
            channel += 2 * lanes;
        }
        while channel < self.channels {
            let past = (channel + lanes).min(self.channels);
            self.some_channels::<P, 1>(x, first, channel..past, out);
            channel = past;
        }
    }

    /// Vectors of channels; a single one may be cut short.
    #[inline(always)]
    fn some_channels<const P: usize, const V: usize>(
        &self,
        x: &[f32],
        first: usize,
        channels: Range<usize>,
        out: &mut [f32],
    ) {
        let simd = self.simd;
        let mut sums = [[simd.splat_f32s(0.0); V]; P];
        for &(tap, from) in self.taps {
            let weights = &self.kernel[tap * self.channels + channels.start..][..channels.len()];
            let weights = load::<S, V>(simd, weights);
            for i in 0..P {
                let x = &x[from + first + i * self.step + channels.start..][..channels.len()];
                let x = load::<S, V>(simd, x);
                for v in 0..V {
                    sums[i][v] = simd.mul_add_e_f32s(x[v], weights[v], sums[i][v]);
                }
            }
        }
        for (i, sums) in sums.into_iter().enumerate() {
            let out = &mut out[i * self.channels + channels.start..][..channels.len()];
            match <&mut [S::f32s; V]>::try_from(S::as_mut_simd_f32s(out).0) {
                Ok(out) => *out = sums,
                Err(_) => simd.partial_store_f32s(out, sums[0]),
            }
        }
    }
}

/// Vectors that lie together; a single one may be cut short.
#[inline(always)]
fn load<S: Simd, const V: usize>(simd: S, from: &[f32]) -> [S::f32s; V] {
    match S::as_simd_f32s(from).0.try_into() {
        Ok(vectors) => vectors,
        Err(_) => [simd.partial_load_f32s(from); V],
    }
}

/// One position with `multiplier` filters for each channel.
fn several_filters(
    taps: &[(usize, usize)],
    x: &[f32],
    kernel: &[f32],
    multiplier: usize,
    out: &mut [f32],
) {
    let filters = out.len();
    out.fill(0.0);
    for &(tap, from) in taps {
        let weights = kernel[tap * filters..][..filters].chunks_exact(multiplier);
        for ((out, w), x) in out.chunks_exact_mut(multiplier).zip(weights).zip(&x[from..]) {
            out.iter_mut().zip(w).for_each(|(out, w)| *out += x * w);
        }
    }
}

/// Calls `f(tap, x, count)` for the taps of an output position that fall inside the input, `count`
/// neighbours at a time, in order, with the place of the first one's first channel in `x`.
fn taps(g: &ConvGeometry, position: usize, mut f: impl FnMut(usize, usize, usize)) {
    let [od, oh, ow] = g.output;
    let (n, o) = (position / (od * oh * ow), position % (od * oh * ow));
    let at = [o / ow / oh, o / ow % oh, o % ow];
    let along = |axis: usize, k: usize| {
        let reach = at[axis] * g.stride[axis] + k * g.dilation[axis];
        reach.checked_sub(g.pad[axis]).filter(|&p| p < g.input[axis])
    };
    let [kd, kh, kw] = g.kernel;
    // Those inside lie together: the reach grows with the tap.
    let first = (0..kw).find(|&w| along(2, w).is_some()).unwrap_or(kw);
    let inside = (first..kw).take_while(|&w| along(2, w).is_some()).count();
    let together = if g.dilation[2] == 1 { inside.max(1) } else { 1 };
    for d in 0..kd {
        let Some(pd) = along(0, d) else { continue };
        for h in 0..kh {
            let Some(ph) = along(1, h) else { continue };
            for w in (first..first + inside).step_by(together) {
                let Some(pw) = along(2, w) else { continue };
                let x = ((n * g.input[0] + pd) * g.input[1] + ph) * g.input[2] + pw;
                f((d * kh + h) * kw + w, x * g.in_channels, together);
            }
        }
    }
}

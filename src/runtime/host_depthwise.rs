//! Convolutions of each channel by itself, on the host.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::graph::ops::ConvGeometry;
use crate::runtime::host_product::Finish;

/// Channels that are summed in registers.
pub const LANES: usize = 32;

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
    let arch = Arch::new();
    out.par_chunks_mut((line * filters).max(1)).enumerate().for_each(|(row, out)| {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (i, out) in out.chunks_exact_mut(filters.max(1)).enumerate() {
            found.clear();
            taps(g, row * line + i, |tap, from, count| {
                found.extend((0..count).map(|k| (tap + k, from + k * g.in_channels)));
            });
            if filters == g.in_channels {
                arch.dispatch(OneFilter { taps: &found, x, kernel, out });
            } else {
                several_filters(&found, x, kernel, filters / g.in_channels, out);
            }
        }
        finish(row * line * filters, out);
    });
}

/// One position with one filter for each channel; `taps` are the filter's and the input's places.
pub struct OneFilter<'a> {
    pub taps: &'a [(usize, usize)],
    pub x: &'a [f32],
    pub kernel: &'a [f32],
    pub out: &'a mut [f32],
}

impl WithSimd for OneFilter<'_> {
    type Output = ();

    /// Plain loops: inlined into a function for wide vectors, they become such.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let OneFilter { taps, x, kernel, out } = self;
        let channels = out.len();
        let (whole, rest) = out.as_chunks_mut::<LANES>();
        let first_of_rest = whole.len() * LANES;
        for (i, out) in whole.iter_mut().enumerate() {
            let mut sums = [0.0; LANES];
            for &(tap, from) in taps {
                let x = &x[from + i * LANES..][..LANES];
                let weights = &kernel[tap * channels + i * LANES..][..LANES];
                for ((sum, x), w) in sums.iter_mut().zip(x).zip(weights) {
                    *sum += x * w;
                }
            }
            *out = sums;
        }
        rest.fill(0.0);
        for &(tap, from) in taps {
            let x = &x[from + first_of_rest..];
            let weights = &kernel[tap * channels + first_of_rest..];
            for ((out, x), w) in rest.iter_mut().zip(x).zip(weights) {
                *out += x * w;
            }
        }
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

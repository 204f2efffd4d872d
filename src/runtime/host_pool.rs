//! Pooling on the host: channels of one position next to each other.

use pulp::Arch;
use rayon::prelude::*;

use crate::graph::ops::{Pool, PoolMode};
use crate::runtime::host_product::Finish;

/// `[positions, channels]` of the windows of `x`, into memory whose contents do not matter.
pub fn pool(op: &Pool, x: &[f32], out: &mut [f32], finish: &Finish<'_>) {
    let [od, oh, ow] = op.output;
    let channels = op.channels;
    out.par_chunks_mut((ow * channels).max(1)).enumerate().for_each(|(row, out)| {
        let (n, d, h) = (row / oh / od, row / oh % od, row % oh);
        let mut found: Vec<usize> = Vec::new();
        let mut sums = vec![0.0; channels];
        for (w, line) in out.chunks_exact_mut(channels.max(1)).enumerate() {
            found.clear();
            for_each_tap(op, [d, h, w], |[d, h, w]| {
                found
                    .push((((n * op.input[0] + d) * op.input[1] + h) * op.input[2] + w) * channels);
            });
            match op.mode {
                PoolMode::Max => max(&found, x, line),
                PoolMode::Average => average(&found, x, line, &mut sums),
            }
        }
        finish(row * ow * channels, out);
    });
}

/// The largest element of each channel; a NaN wins.
fn max(positions: &[usize], x: &[f32], out: &mut [f32]) {
    out.fill(f32::NEG_INFINITY);
    Arch::new().dispatch(|| {
        for &position in positions {
            for (out, &x) in out.iter_mut().zip(&x[position..]) {
                // False when a NaN was found, which then stays.
                *out = if x > *out || x.is_nan() { x } else { *out };
            }
        }
    });
}

/// The mean of each channel, summed in double precision as the oracle does.
fn average(positions: &[usize], x: &[f32], out: &mut [f32], sums: &mut [f64]) {
    sums.fill(0.0);
    Arch::new().dispatch(|| {
        for &position in positions {
            for (sum, &x) in sums.iter_mut().zip(&x[position..]) {
                *sum += f64::from(x);
            }
        }
        for (out, &mut sum) in out.iter_mut().zip(sums) {
            *out = (sum / positions.len() as f64) as f32;
        }
    });
}

/// Calls `f` with the positions in the input that the window at an output position covers.
fn for_each_tap(op: &Pool, at: [usize; 3], mut f: impl FnMut([usize; 3])) {
    let range = |axis: usize| {
        let start = at[axis] * op.stride[axis];
        let end = (start + op.window[axis]).saturating_sub(op.pad[axis]).min(op.input[axis]);
        start.saturating_sub(op.pad[axis])..end
    };
    for d in range(0) {
        for h in range(1) {
            range(2).for_each(|w| f([d, h, w]));
        }
    }
}

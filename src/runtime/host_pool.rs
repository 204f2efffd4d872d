//! Pooling on the host: channels of one position next to each other.

use rayon::prelude::*;

use crate::graph::ops::{Pool, PoolMode};

/// `[positions, channels]` of the windows of `x`.
pub fn pool(op: &Pool, x: &[f32]) -> Vec<f32> {
    let [od, oh, ow] = op.output;
    let channels = op.channels;
    let mut out = vec![0.0; op.batch * od * oh * ow * channels];
    out.par_chunks_mut((ow * channels).max(1)).enumerate().for_each(|(row, out)| {
        let (n, d, h) = (row / oh / od, row / oh % od, row % oh);
        let mut found: Vec<usize> = Vec::new();
        for (w, out) in out.chunks_exact_mut(channels.max(1)).enumerate() {
            found.clear();
            for_each_tap(op, [d, h, w], |[d, h, w]| {
                found
                    .push((((n * op.input[0] + d) * op.input[1] + h) * op.input[2] + w) * channels);
            });
            match op.mode {
                PoolMode::Max => max(&found, x, out),
                PoolMode::Average => average(&found, x, out),
            }
        }
    });
    out
}

/// The largest element of each channel; a NaN wins.
fn max(positions: &[usize], x: &[f32], out: &mut [f32]) {
    out.fill(f32::NEG_INFINITY);
    for &position in positions {
        for (out, &x) in out.iter_mut().zip(&x[position..]) {
            // False when a NaN was found, which then stays.
            if x > *out || x.is_nan() {
                *out = x;
            }
        }
    }
}

/// The mean of each channel, summed in double precision as the oracle does.
fn average(positions: &[usize], x: &[f32], out: &mut [f32]) {
    let mut sums = vec![0.0f64; out.len()];
    for &position in positions {
        sums.iter_mut().zip(&x[position..]).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum / positions.len() as f64) as f32);
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

//! Contractions on the host: products by [`gemm`](crate::runtime::gemm), convolutions as products
//! of gathered windows, depthwise convolutions directly.

use rayon::prelude::*;

use crate::base::{Result, Spec};
use crate::graph::Op;
use crate::graph::ops::{Conv, ConvGeometry, ConvKind, MatMul};
use crate::runtime::gemm::{Matrix, multiply};
use crate::tensor::convert::round_f32;
use crate::tensor::{Array, Words};

/// Elements of gathered windows held at a time.
const WINDOWS: usize = 4 << 20;

/// The value of an operation that has a kernel of its own. Inputs come with their spec, which may
/// be another shape of the same elements.
pub fn compute(op: &Op, inputs: &[(&Spec, &Array)], output: &Spec) -> Result<Array> {
    let words = match op {
        Op::MatMul(op) => matmul(op, inputs)?,
        Op::Conv(op) if op.geometry.groups == 1 && op.kind == ConvKind::Forward => {
            forward(&op.geometry, inputs[0].1.as_f32(), inputs[1].1.as_f32())
        }
        Op::Conv(op) if op.geometry.groups == 1 && op.kind == ConvKind::InputGrad => {
            input_grad(&op.geometry, inputs[0].1.as_f32(), inputs[1].1.as_f32())
        }
        Op::Conv(op) if is_depthwise(op) => {
            depthwise(&op.geometry, inputs[0].1.as_f32(), inputs[1].1.as_f32())
        }
        other => {
            let arrays: Vec<Array> = inputs
                .iter()
                .map(|(spec, array)| Array { spec: (*spec).clone(), words: array.words.clone() })
                .collect();
            return other.def().eval(&arrays.iter().collect::<Vec<_>>(), output);
        }
    };
    let words = words.into_iter().map(|x| round_f32(output.dtype, x)).collect();
    Ok(Array { spec: output.clone(), words: Words::F32(words) })
}

fn is_depthwise(op: &Conv) -> bool {
    op.kind == ConvKind::Forward && op.geometry.groups == op.geometry.in_channels
}

fn matmul(op: &MatMul, inputs: &[(&Spec, &Array)]) -> Result<Vec<f32>> {
    let e = op.extents(inputs[0].0, inputs[1].0)?;
    let (a, b) = (inputs[0].1.as_f32(), inputs[1].1.as_f32());
    let start = |spec: &Spec, i: usize| if spec.shape[0] == 1 { 0 } else { i };
    let mut out = vec![0.0; e.batch * e.m * e.n];
    for (i, out) in out.chunks_exact_mut((e.m * e.n).max(1)).enumerate() {
        let a = &a[start(inputs[0].0, i) * e.m * e.k..];
        let b = &b[start(inputs[1].0, i) * e.k * e.n..];
        let strides = |transposed: bool, rows: usize, columns: usize| {
            if transposed { (1, rows) } else { (columns, 1) }
        };
        let (ar, ac) = strides(op.transpose_a, e.m, e.k);
        let (br, bc) = strides(op.transpose_b, e.k, e.n);
        let a = Matrix { data: a, row_stride: ar, column_stride: ac };
        let b = Matrix { data: b, row_stride: br, column_stride: bc };
        multiply(out, a, b, [e.m, e.n, e.k]);
    }
    Ok(out)
}

fn rows_of(data: &[f32], columns: usize) -> Matrix<'_> {
    Matrix { data, row_stride: columns, column_stride: 1 }
}

/// Elements of one gathered window.
fn window(g: &ConvGeometry) -> usize {
    g.kernel.iter().product::<usize>() * g.in_channels
}

/// Output positions of the whole batch.
fn positions(g: &ConvGeometry) -> usize {
    g.batch * g.output.iter().product::<usize>()
}

/// Calls `f(tap, x)` for the taps of an output position that fall inside the input, with the
/// position of their first channel in `x`.
fn taps(g: &ConvGeometry, position: usize, mut f: impl FnMut(usize, usize)) {
    let [od, oh, ow] = g.output;
    let (n, o) = (position / (od * oh * ow), position % (od * oh * ow));
    let at = [o / ow / oh, o / ow % oh, o % ow];
    let along = |axis: usize, k: usize| {
        let reach = at[axis] * g.stride[axis] + k * g.dilation[axis];
        reach.checked_sub(g.pad[axis]).filter(|&p| p < g.input[axis])
    };
    let [kd, kh, kw] = g.kernel;
    for d in 0..kd {
        let Some(pd) = along(0, d) else { continue };
        for h in 0..kh {
            let Some(ph) = along(1, h) else { continue };
            for w in 0..kw {
                let Some(pw) = along(2, w) else { continue };
                let x = ((n * g.input[0] + pd) * g.input[1] + ph) * g.input[2] + pw;
                f((d * kh + h) * kw + w, x * g.in_channels);
            }
        }
    }
}

fn forward(g: &ConvGeometry, x: &[f32], kernel: &[f32]) -> Vec<f32> {
    let (depth, filters) = (window(g), g.out_channels);
    let mut out = vec![0.0; positions(g) * filters];
    let rows = (WINDOWS / depth.max(1)).max(1);
    let mut windows = vec![0.0; rows.min(positions(g)) * depth];
    for (block, out) in out.chunks_mut((rows * filters).max(1)).enumerate() {
        let count = out.len() / filters;
        windows.par_chunks_mut(depth).take(count).enumerate().for_each(|(i, window)| {
            window.fill(0.0);
            taps(g, block * rows + i, |tap, from| {
                let to = tap * g.in_channels;
                window[to..to + g.in_channels].copy_from_slice(&x[from..from + g.in_channels]);
            });
        });
        multiply(out, rows_of(&windows, depth), rows_of(kernel, filters), [count, filters, depth]);
    }
    out
}

fn input_grad(g: &ConvGeometry, dy: &[f32], kernel: &[f32]) -> Vec<f32> {
    let (depth, filters) = (window(g), g.out_channels);
    let mut dx = vec![0.0; g.batch * g.input.iter().product::<usize>() * g.in_channels];
    let rows = (WINDOWS / depth.max(1)).max(1);
    let mut windows = vec![0.0; rows.min(positions(g)) * depth];
    for (block, dy) in dy.chunks((rows * filters).max(1)).enumerate() {
        let count = dy.len() / filters;
        let transposed = Matrix { data: kernel, row_stride: 1, column_stride: filters };
        let windows = &mut windows[..count * depth];
        multiply(windows, rows_of(dy, filters), transposed, [count, depth, filters]);
        // Windows overlap, so their sums are taken in order, by one thread.
        for (i, window) in windows.chunks_exact(depth.max(1)).enumerate() {
            taps(g, block * rows + i, |tap, to| {
                let from = &window[tap * g.in_channels..(tap + 1) * g.in_channels];
                dx[to..to + g.in_channels].iter_mut().zip(from).for_each(|(to, from)| *to += from);
            });
        }
    }
    dx
}

fn depthwise(g: &ConvGeometry, x: &[f32], kernel: &[f32]) -> Vec<f32> {
    let (channels, filters) = (g.in_channels, g.out_channels);
    let multiplier = filters / channels;
    let mut out = vec![0.0; positions(g) * filters];
    out.par_chunks_mut(filters.max(1)).enumerate().for_each(|(position, out)| {
        taps(g, position, |tap, from| {
            let x = &x[from..from + channels];
            let weights = &kernel[tap * filters..(tap + 1) * filters];
            if multiplier == 1 {
                for ((out, x), w) in out.iter_mut().zip(x).zip(weights) {
                    *out += x * w;
                }
            } else {
                for (f, (out, w)) in out.iter_mut().zip(weights).enumerate() {
                    *out += x[f / multiplier] * w;
                }
            }
        });
    });
    out
}

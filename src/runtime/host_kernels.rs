//! What has a kernel of its own on the host: products, convolutions and pooling.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::base::{Result, Spec};
use crate::graph::Op;
use crate::graph::ops::{ConvGeometry, ConvKind, MatMul};
use crate::runtime::host_body::Behind;
use crate::runtime::host_product::{Dense, Finish, multiply};
use crate::runtime::host_strips::Layout;
use crate::runtime::host_value::{HostValue, Memory};
use crate::runtime::{host_conv, host_conv_grad, host_depthwise, host_depthwise_grad, host_pool};
use crate::tensor::Array;

/// An operand with its spec, which may be another shape of the same elements.
pub type Input<'a> = (&'a Spec, &'a HostValue);

/// The words of an operation that has a kernel of its own, and of what is computed behind it.
pub fn compute(
    op: &Op,
    inputs: &[Input<'_>],
    output: &Spec,
    behind: &Behind<'_>,
    memory: &Memory,
) -> Result<Vec<u32>> {
    let finish =
        |first: usize, words: &mut [f32]| behind.apply(first, bytemuck::cast_slice_mut(words));
    let mut words = memory.take(output.shape.len());
    let out: &mut [f32] = bytemuck::cast_slice_mut(&mut words);
    let x = || inputs[0].1.as_f32();
    match op {
        Op::MatMul(op) => matmul(op, inputs, out, memory, &finish)?,
        Op::Conv(op) if is_depthwise(&op.geometry) => {
            let (g, other) = (&op.geometry, inputs[1].1.as_f32());
            match op.kind {
                ConvKind::Forward => host_depthwise::depthwise(g, x(), other, out, &finish),
                ConvKind::InputGrad => {
                    host_depthwise_grad::input_grad(g, x(), other, out, &finish);
                }
                ConvKind::FilterGrad => {
                    host_depthwise_grad::filter_grad(g, x(), other, out, &finish);
                }
            }
        }
        Op::Conv(op) if op.kind == ConvKind::Forward => {
            host_conv::forward(&op.geometry, x(), inputs[1].1, out, memory, &finish)?;
        }
        Op::Conv(op) if op.kind == ConvKind::InputGrad => {
            host_conv_grad::input_grad(&op.geometry, x(), inputs[1].1, out, memory, &finish)?;
        }
        Op::Conv(op) => {
            host_conv_grad::filter_grad(&op.geometry, x(), inputs[1].1, out, memory, &finish)?;
        }
        Op::Pool(op) => host_pool::pool(op, x(), out, &finish),
        other => {
            let mut words = evaluate(other, inputs, output)?;
            behind.apply_to_all(&mut words);
            return Ok(words);
        }
    }
    Ok(words)
}

/// An operation by its own host evaluation.
fn evaluate(op: &Op, inputs: &[Input<'_>], output: &Spec) -> Result<Vec<u32>> {
    let arrays: Vec<Cow<'_, Array>> = inputs
        .iter()
        .map(|(spec, value)| {
            if value.spec == **spec {
                return Cow::Borrowed(&***value);
            }
            Cow::Owned(Array { spec: (*spec).clone(), words: value.words.clone() })
        })
        .collect();
    let arrays: Vec<&Array> = arrays.iter().map(AsRef::as_ref).collect();
    Ok(op.def().eval(&arrays, output)?.words.into_bits())
}

fn is_depthwise(g: &ConvGeometry) -> bool {
    g.groups == g.in_channels && g.groups > 1
}

fn matmul(
    op: &MatMul,
    inputs: &[Input<'_>],
    out: &mut [f32],
    memory: &Memory,
    finish: &Finish<'_>,
) -> Result<()> {
    let e = op.extents(inputs[0].0, inputs[1].0)?;
    let layout =
        if op.transpose_b { Layout::rows(e.n, e.k).transposed() } else { Layout::rows(e.k, e.n) };
    let matrices = inputs[1].0.shape[0];
    let layout = Layout { matrices, matrix_stride: e.k * e.n, ..layout };
    let strips = inputs[1].1.strips(layout, memory)?;
    let count = inputs[0].0.shape[0] * e.m;
    let a = inputs[0].1.as_f32();
    if !op.transpose_a {
        multiply(out, &Dense { data: a, depth: e.k, count }, e.m, &strips, finish);
        return Ok(());
    }
    let mut rows = memory.take(count * e.k);
    let data: &mut [f32] = bytemuck::cast_slice_mut(&mut rows);
    transpose(a, data, e.k, e.m);
    multiply(out, &Dense { data, depth: e.k, count }, e.m, &strips, finish);
    memory.keep(rows);
    Ok(())
}

/// Rows and columns that are transposed together: both fit the first-level cache.
const TILE: usize = 32;

/// Transposes matrices of `rows` × `columns`.
fn transpose(from: &[f32], to: &mut [f32], rows: usize, columns: usize) {
    let size = (rows * columns).max(1);
    to.par_chunks_exact_mut(size).zip(from.par_chunks_exact(size)).for_each(|(to, from)| {
        to.par_chunks_mut(TILE * rows).enumerate().for_each(|(tile, to)| {
            for first in (0..rows).step_by(TILE) {
                for (column, to) in to.chunks_exact_mut(rows).enumerate() {
                    let from = from[first * columns + tile * TILE + column..].iter();
                    let to = &mut to[first..rows.min(first + TILE)];
                    to.iter_mut().zip(from.step_by(columns)).for_each(|(to, from)| *to = *from);
                }
            }
        });
    });
}

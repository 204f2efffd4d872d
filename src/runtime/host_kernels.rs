//! What has a kernel of its own on the host: products by [`gemm`](crate::runtime::gemm),
//! convolutions and pooling.

use crate::base::{DType, Result, Spec};
use crate::graph::Op;
use crate::graph::ops::{Conv, ConvKind, MatMul};
use crate::runtime::gemm::{Matrix, multiply};
use crate::runtime::{host_conv, host_pool};
use crate::tensor::convert::round_f32;
use crate::tensor::{Array, Words};

/// The value of an operation that has a kernel of its own. Inputs come with their spec, which may
/// be another shape of the same elements.
pub fn compute(op: &Op, inputs: &[(&Spec, &Array)], output: &Spec) -> Result<Array> {
    let mut words = match op {
        Op::MatMul(op) => matmul(op, inputs)?,
        Op::Conv(op) if op.geometry.groups == 1 && op.kind == ConvKind::Forward => {
            host_conv::forward(&op.geometry, inputs[0].1.as_f32(), inputs[1].1.as_f32())
        }
        Op::Conv(op) if op.geometry.groups == 1 && op.kind == ConvKind::InputGrad => {
            host_conv::input_grad(&op.geometry, inputs[0].1.as_f32(), inputs[1].1.as_f32())
        }
        Op::Conv(op) if is_depthwise(op) => {
            host_conv::depthwise(&op.geometry, inputs[0].1.as_f32(), inputs[1].1.as_f32())
        }
        Op::Pool(op) => host_pool::pool(op, inputs[0].1.as_f32()),
        other => {
            let arrays: Vec<Array> = inputs
                .iter()
                .map(|(spec, array)| Array { spec: (*spec).clone(), words: array.words.clone() })
                .collect();
            return other.def().eval(&arrays.iter().collect::<Vec<_>>(), output);
        }
    };
    if output.dtype != DType::Float32 {
        words.iter_mut().for_each(|x| *x = round_f32(output.dtype, *x));
    }
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

//! From regions to launches: which kernel computes what.

use crate::base::{DType, Error, Result};
use crate::gpu::{Caps, Launch};
use crate::graph::ops::{Conv, ConvKind, MatMul, Pool, PoolMode};
use crate::graph::{NodeId, Op};
use crate::kernels::{
    self, Access, Attention, CONTRACTION_OPERAND, Epilogue, WINDOW_OPERAND, reduce,
};
use crate::program::pass::memory;
use crate::program::region::{Region, RegionKind};
use crate::program::view::Frame;
use crate::program::{Cost, Program};

/// A launch and the values it binds, in order; the output comes at `launch.first_output`.
pub struct Lowered {
    pub launch: Launch,
    pub reads: Vec<NodeId>,
}

/// Chooses and parametrises the kernel of a region that is no loop.
pub fn lower(
    program: &Program,
    region: &Region,
    caps: &Caps,
    access: &Access<'_>,
) -> Result<Lowered> {
    let scope = &program.nodes[region.root].scope;
    let len = |id: NodeId| program.nodes[id].spec.shape.len();
    let (mut launch, reads) = match region.kind {
        RegionKind::Map => kernels::map::launch(&region.body, len(region.root), caps, access)?,
        RegionKind::Reduce { anchor } => {
            let prologue = region.prologue.as_ref();
            let prologue =
                prologue.ok_or_else(|| Error::Internal("a reduction without elements".into()))?;
            let outputs = len(anchor);
            let reduction = reduce::Reduction {
                op: &program.nodes[anchor].op,
                prologue,
                body: &region.body,
                outputs,
                len: reduced_len(program, anchor),
                contiguous: frame(program, anchor).is_none_or(|frame| frame.is_contiguous()),
            };
            reduce::launch(&reduction, caps, access)?
        }
        RegionKind::Kernel { anchor } => kernel(program, region, anchor, caps, access)?,
        RegionKind::Attention { anchor } => attention(program, region, anchor, caps, access)?,
        RegionKind::Rows => {
            let plan = region.rows.as_ref();
            let plan = plan.ok_or_else(|| Error::Internal("rows without a plan".into()))?;
            kernels::rows::launch(plan, caps, access)?
        }
        RegionKind::Loop => return Err(Error::Internal("a kernel for a loop".into())),
    };
    let cost = Cost::of(program, region);
    launch.work = cost.flops.saturating_add(cost.bytes.saturating_mul(2));
    if !scope.is_empty() {
        launch.label = format!("{scope}: {}", launch.label);
    }
    Ok(Lowered { launch, reads })
}

/// What a reduction keeps apart and what it combines.
fn frame(program: &Program, anchor: NodeId) -> Option<Frame> {
    let node = &program.nodes[anchor];
    let Op::Reduce(op) = &node.op else { return None };
    let shape = program.nodes[node.inputs[0]].spec.shape.clone();
    Some(Frame { shape, axes: op.axes.clone() })
}

/// Number of elements in each reduction.
pub fn reduced_len(program: &Program, anchor: NodeId) -> usize {
    let node = &program.nodes[anchor];
    let shape = &program.nodes[node.inputs[0]].spec.shape;
    match &node.op {
        Op::Reduce(op) => op.axes.iter().map(|&a| shape[a]).product(),
        Op::ArgReduce(op) => shape[op.axis],
        _ => 0,
    }
}

fn kernel(
    program: &Program,
    region: &Region,
    anchor: NodeId,
    caps: &Caps,
    access: &Access<'_>,
) -> Result<(Launch, Vec<NodeId>)> {
    let node = &program.nodes[anchor];
    let mut reads = memory::kernel_inputs(program, region, anchor).to_vec();
    let mut epilogue = |first: usize| -> Result<Epilogue> {
        let (epilogue, more) = match &region.prologue {
            None => kernels::epilogue(&region.body, first, access)?,
            Some(unpacking) => kernels::around_product(unpacking, &region.body, access)?,
        };
        reads.extend(more);
        Ok(epilogue)
    };
    let launch = match &node.op {
        Op::MatMul(op) => {
            let problem = matmul(program, op, &node.inputs)?;
            kernels::choose_matmul(&problem, caps, &epilogue(CONTRACTION_OPERAND)?)?
        }
        Op::Conv(op) => kernels::choose_conv(&conv(op), caps, &epilogue(CONTRACTION_OPERAND)?)?,
        Op::Pool(op) => kernels::pool::launch(&pool(op), caps, &epilogue(WINDOW_OPERAND)?)?,
        Op::PoolGrad(op) if op.pool.mode == PoolMode::Max => {
            kernels::pool_grad::launch(&pool(&op.pool), caps, &epilogue(WINDOW_OPERAND + 1)?)?
        }
        Op::PoolGrad(op) => {
            let launch =
                kernels::pool_grad::launch(&pool(&op.pool), caps, &epilogue(WINDOW_OPERAND)?)?;
            // A mean's gradient does not look at the elements.
            reads.remove(0);
            launch
        }
        Op::SortStep(op) => {
            let shape = &program.nodes[anchor].spec.shape;
            kernels::sort_step::launch(op, [shape[0], shape[1]], caps)?
        }
        Op::Factor(op) => {
            let matrices = &program.nodes[node.inputs[0]].spec.shape;
            kernels::factor::launch(op, [matrices[0], matrices[1], matrices[2]], caps)?
        }
        Op::TriangularSolve(op) => {
            let shape = &program.nodes[anchor].spec.shape;
            kernels::triangular_solve::launch(op, [shape[0], shape[1], shape[2]], caps)?
        }
        Op::SegmentReduce(op) => {
            let values = &program.nodes[node.inputs[2]].spec;
            let [n, inner] = [values.shape[0], values.shape[1]];
            kernels::segment_reduce::launch(op, [n, inner], values.dtype, caps)?
        }
        other => {
            return Err(Error::Unsupported(format!("{} on a GPU", other.def().label())));
        }
    };
    Ok((launch, reads))
}

fn attention(
    program: &Program,
    region: &Region,
    anchor: NodeId,
    caps: &Caps,
    access: &Access<'_>,
) -> Result<(Launch, Vec<NodeId>)> {
    let plan = region.attention.as_ref();
    let plan = plan.ok_or_else(|| Error::Internal("attention without a plan".into()))?;
    let product = |id: NodeId| {
        let node = &program.nodes[id];
        match &node.op {
            Op::MatMul(op) => matmul(program, op, &node.inputs),
            other => Err(Error::Internal(format!("attention by {}", other.def().label()))),
        }
    };
    let problem = Attention::of(&product(plan.scored)?, &product(anchor)?);
    let (text, more) = kernels::attention_text(plan, &region.body, access)?;
    let mut reads = memory::attended(program, region, anchor);
    reads.extend(more);
    Ok((kernels::choose_attention(&problem, caps, &text)?, reads))
}

fn matmul(program: &Program, op: &MatMul, inputs: &[NodeId]) -> Result<kernels::MatMul> {
    let (a, b) = (&program.nodes[inputs[0]].spec, &program.nodes[inputs[1]].spec);
    let e = op.extents(a, b)?;
    Ok(kernels::MatMul {
        batch: e.batch,
        m: e.m,
        n: e.n,
        k: e.k,
        a_batch: a.shape[0] > 1,
        b_batch: b.shape[0] > 1,
        transpose_a: op.transpose_a,
        transpose_b: op.transpose_b,
        halves: a.dtype == DType::Float16 && b.dtype == DType::Float16,
    })
}

fn conv(op: &Conv) -> kernels::Conv {
    let g = &op.geometry;
    kernels::Conv {
        batch: g.batch,
        input: g.input,
        in_channels: g.in_channels,
        output: g.output,
        out_channels: g.out_channels,
        kernel: g.kernel,
        stride: g.stride,
        dilation: g.dilation,
        pad: g.pad,
        groups: g.groups,
        kind: match op.kind {
            ConvKind::Forward => kernels::ConvKind::Forward,
            ConvKind::InputGrad => kernels::ConvKind::InputGrad,
            ConvKind::FilterGrad => kernels::ConvKind::FilterGrad,
        },
    }
}

fn pool(op: &Pool) -> kernels::Pool {
    kernels::Pool {
        batch: op.batch,
        input: op.input,
        channels: op.channels,
        output: op.output,
        window: op.window,
        stride: op.stride,
        pad: op.pad,
        mode: match op.mode {
            PoolMode::Max => kernels::PoolMode::Max,
            PoolMode::Average => kernels::PoolMode::AverageValid,
        },
    }
}

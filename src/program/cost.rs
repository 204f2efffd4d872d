//! What a region has to compute and to move, whoever computes it: the ground of rooflines.

use std::iter::Sum;
use std::ops::{Add, Mul};

use crate::graph::{NodeId, Op};
use crate::program::Program;
use crate::program::pass::{at_rest, memory, storage_of};
use crate::program::region::{Body, Inst, Region, RegionKind, RowPlan};

/// Arithmetic and traffic of one run.
///
/// A multiply-add counts as two operations, any function of an element as one. Traffic counts each
/// value that is read once and the value that is stored, in the bytes in which a device holds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Operations of arithmetic.
    pub flops: u64,
    /// Bytes read and stored.
    pub bytes: u64,
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost {
            flops: self.flops.saturating_add(other.flops),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl Mul<u64> for Cost {
    type Output = Cost;

    fn mul(self, times: u64) -> Cost {
        Cost { flops: self.flops.saturating_mul(times), bytes: self.bytes.saturating_mul(times) }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(costs: I) -> Cost {
        costs.fold(Cost::default(), Add::add)
    }
}

impl Cost {
    /// The cost of a region of a program.
    pub fn of(program: &Program, region: &Region) -> Cost {
        let len = |id: NodeId| program.nodes[id].spec.shape.len() as u64;
        let behind = arithmetic(&region.body) * len(region.root);
        let flops = match region.kind {
            RegionKind::Map => behind,
            RegionKind::Reduce { anchor } => {
                let elements = len(program.nodes[anchor].inputs[0]);
                behind + elements * (1 + region.prologue.as_ref().map_or(0, arithmetic))
            }
            RegionKind::Kernel { anchor } => behind + contraction(program, anchor),
            RegionKind::Attention { anchor } => behind + of_attention(program, region, anchor),
            RegionKind::Rows => region.rows.as_ref().map_or(0, |rows| of_rows(rows)),
            // What a loop costs is what its body costs in each step.
            RegionKind::Loop => return Cost::default(),
        };
        let mut stored: Vec<NodeId> = memory::reads(program, region);
        stored.iter_mut().for_each(|id| *id = storage_of(program, *id));
        stored.sort_unstable();
        stored.dedup();
        stored.extend(region.stores(program));
        let bytes = |id: NodeId| match at_rest::is_packed(program, id) {
            true => program.nodes[id].spec.bytes_at_rest() as u64,
            false => len(id) * 4,
        };
        Cost { flops, bytes: stored.into_iter().map(bytes).sum() }
    }
}

/// Operations of an attention in front of its result: two products, and a softmax of four functions
/// for each score.
fn of_attention(program: &Program, region: &Region, anchor: NodeId) -> u64 {
    let scores = region.attention.as_ref().map_or(0, |plan| {
        let len = program.nodes[plan.scored].spec.shape.len() as u64;
        contraction(program, plan.scored) + len * (4 + arithmetic(&plan.score))
    });
    scores + contraction(program, anchor)
}

/// Operations of a region of rows.
fn of_rows(plan: &RowPlan) -> u64 {
    let (rows, elements) = (plan.rows as u64, (plan.rows * plan.len) as u64);
    let combined = plan.combined.iter().map(|combined| {
        elements * (1 + arithmetic(&combined.element)) + rows * arithmetic(&combined.value)
    });
    let each = plan.each.iter().map(|each| elements * arithmetic(&each.body));
    combined.chain(each).sum()
}

/// Operations of a body for one element.
fn arithmetic(body: &Body) -> u64 {
    let counts = |inst: &&Inst| {
        matches!(inst, Inst::Unary { .. } | Inst::Binary { .. } | Inst::Select { .. })
    };
    body.code.iter().filter(counts).count() as u64
}

/// Operations of a hand-written kernel; what only moves elements has none.
fn contraction(program: &Program, anchor: NodeId) -> u64 {
    let node = &program.nodes[anchor];
    let spec = |i: usize| &program.nodes[node.inputs[i]].spec;
    let pooled = |pool: &crate::graph::ops::Pool| {
        pool.y_shape().len() as u64 * pool.window.iter().product::<usize>() as u64
    };
    match &node.op {
        Op::MatMul(op) => op.extents(spec(0), spec(1)).map_or(0, |e| {
            2 * [e.batch, e.m, e.n, e.k].into_iter().map(|n| n as u64).product::<u64>()
        }),
        Op::Conv(op) => 2 * op.geometry.multiply_adds(),
        Op::Pool(op) => pooled(op),
        Op::PoolGrad(op) => pooled(&op.pool),
        Op::SegmentReduce(_) => spec(2).shape.len() as u64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{DType, Spec};
    use crate::graph::Graph;
    use crate::program::pass::fuse;

    #[test]
    fn a_product_and_what_follows_it_are_one_region() {
        let graph = Graph::new();
        let a = graph.input(Spec::new([1, 4, 8], DType::Float32));
        let b = graph.input(Spec::new([1, 8, 2], DType::Float32));
        let y = a.matmul(b).tanh();
        let id = y.id();
        let program = Program::new(graph.finish().unwrap(), &[id]);
        let regions = fuse::run(&program, true).unwrap().regions;
        let costs: Vec<Cost> = regions.iter().map(|region| Cost::of(&program, region)).collect();
        assert_eq!(costs, [Cost { flops: 2 * 4 * 8 * 2 + 4 * 2, bytes: (32 + 16 + 8) * 4 }]);
    }
}

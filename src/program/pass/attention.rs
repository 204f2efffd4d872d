//! Joins scores, softmax and the sum of values to one region: attention without a matrix of scores.
//!
//! softmax(E(Q·Kᵀ))·V is two products with a region of rows between them. `E` is whatever is fused
//! behind the first product: scale, bias, masks. Where nothing else looks at the scores or at the
//! shares, one kernel walks along the keys and keeps, for each query, the largest score so far, the
//! sum of exponentials and the weighted sum of values (Milakov and Gimelshein 2018; Dao et al. 2022).

use std::collections::{HashMap, HashSet};

use crate::base::{DType, Result};
use crate::graph::ops::{MatMulExtents, Reduce, ReduceKind};
use crate::graph::{NodeId, Op};
use crate::program::Program;
use crate::program::pass::assign::{is_scalar, storage_of};
use crate::program::pass::fuse::{BINDINGS, Regions, splitting};
use crate::program::pass::memory;
use crate::program::pass::pull::{Puller, Stop};
use crate::program::region::{AttentionPlan, Body, Region, RegionKind};
use crate::program::view::Space;

/// Columns of queries, keys and values that the kernels hold for each row.
const WIDEST: usize = 256;

/// A workgroup walks along all keys: along so many, only if queries keep a device busy. Products divide
/// them among workgroups.
const LONG: usize = 2048;
/// So many queries of all heads do.
const BUSY: usize = 256;

/// Runs the pass on the regions of a program, behind the pass `rows`; attention with fewer scores
/// than `least` stays as it is.
pub fn run(program: &Program, regions: &mut Regions, least: usize) -> Result<()> {
    let finder = Finder::new(program, regions, least);
    let mut found = Vec::new();
    for last in 0..regions.regions.len() {
        if let Some(parts) = finder.parts(last)
            && let Some(region) = finder.join(&parts)?
        {
            found.push((parts, region));
        }
    }
    let mut gone = HashSet::new();
    for (parts, region) in found {
        for part in [parts.scores, parts.softmax] {
            let root = regions.regions[part].root;
            let holds = |id: &NodeId| storage_of(program, *id) == root;
            (0..program.nodes.len()).filter(holds).for_each(|id| regions.stored[id] = false);
            gone.insert(part);
        }
        regions.regions[parts.values] = region;
    }
    let mut position = 0..;
    regions.regions.retain(|_| position.next().is_none_or(|i| !gone.contains(&i)));
    Ok(())
}

/// The places of three regions that are one attention.
struct Parts {
    scores: usize,
    softmax: usize,
    values: usize,
    /// The softmax itself; what the second product reads may be a mask on it.
    shares: NodeId,
}

struct Finder<'a> {
    program: &'a Program,
    regions: &'a Regions,
    least: usize,
    outputs: HashSet<NodeId>,
    /// The region that stores a value.
    writer: HashMap<NodeId, usize>,
    /// How many regions read a value.
    readers: HashMap<NodeId, usize>,
}

impl<'a> Finder<'a> {
    fn new(program: &'a Program, regions: &'a Regions, least: usize) -> Finder<'a> {
        let (mut writer, mut readers) = (HashMap::new(), HashMap::new());
        for (i, region) in regions.regions.iter().enumerate() {
            region.stores(program).into_iter().for_each(|id| {
                writer.insert(id, i);
            });
            memory::reads(program, region)
                .into_iter()
                .for_each(|id| *readers.entry(id).or_default() += 1);
        }
        let outputs = program.outputs.iter().map(|&id| storage_of(program, id)).collect();
        Finder { program, regions, least, outputs, writer, readers }
    }

    /// The attention whose sum of values the region at `values` is.
    fn parts(&self, values: usize) -> Option<Parts> {
        let (product, e) = self.product(values)?;
        let Op::MatMul(op) = &self.program.nodes[product].op else { return None };
        let masked = storage_of(self.program, self.program.nodes[product].inputs[0]);
        let softmax = self.only_for_one(masked)?;
        if op.transpose_a || self.regions.regions[softmax].kind != RegionKind::Rows {
            return None;
        }
        let shares = self.below_mask(masked);
        let (scored, len) = self.scored(shares)?;
        let scores = self.only_for_one(storage_of(self.program, scored))?;
        let (_, s) = self.product(scores)?;
        let same = s.batch == e.batch && s.m == e.m && s.n == e.k && s.n == len;
        let fits = s.k <= WIDEST && e.n <= WIDEST;
        let enough = s.batch * s.m * s.n >= self.least;
        let busy = s.n <= LONG || s.batch * s.m >= BUSY;
        (same && fits && enough && busy).then_some(Parts { scores, softmax, values, shares })
    }

    /// The product that a region is built around.
    fn product(&self, region: usize) -> Option<(NodeId, MatMulExtents)> {
        let region = &self.regions.regions[region];
        let RegionKind::Kernel { anchor } = region.kind else { return None };
        let node = &self.program.nodes[anchor];
        let Op::MatMul(op) = &node.op else { return None };
        let [a, b] = [0, 1].map(|i| &self.program.nodes[node.inputs[i]].spec);
        let plain = region.prologue.is_none() && node.spec.dtype == DType::Float32;
        op.extents(a, b).ok().filter(|_| plain).map(|extents| (anchor, extents))
    }

    /// The region that stores a value which one region alone reads.
    fn only_for_one(&self, id: NodeId) -> Option<usize> {
        let alone = self.readers.get(&id) == Some(&1) && !self.outputs.contains(&id);
        let region = *self.writer.get(&id).filter(|_| alone)?;
        (self.regions.regions[region].stores(self.program) == [id]).then_some(region)
    }

    /// The value under a mask that puts zeros where shares are not allowed.
    fn below_mask(&self, id: NodeId) -> NodeId {
        let node = &self.program.nodes[id];
        match node.op {
            Op::Select(_) if self.is_zero(node.inputs[2]) => self.source(node.inputs[1]),
            _ => id,
        }
    }

    fn is_zero(&self, id: NodeId) -> bool {
        let node = &self.program.nodes[id];
        match &node.op {
            Op::Broadcast(_) => self.is_zero(node.inputs[0]),
            Op::Constant(c) if is_scalar(&node.op) => {
                c.tensor.to_array().is_ok_and(|zero| zero.word_bytes() == [0; 4])
            }
            _ => false,
        }
    }

    /// The value that another name stands for.
    fn source(&self, mut id: NodeId) -> NodeId {
        while let Op::StopGradient(_) = self.program.nodes[id].op {
            id = self.program.nodes[id].inputs[0];
        }
        id
    }

    /// What a softmax is of, and how many elements it combines, which lie together.
    fn scored(&self, shares: NodeId) -> Option<(NodeId, usize)> {
        let [e, sum] = self.binary(shares, "div")?;
        let node = &self.program.nodes[e];
        let exp = matches!(&node.op, Op::Unary(op) if op.name == "exp");
        let [scores, largest] = self.binary(node.inputs[0], "sub").filter(|_| exp)?;
        let axes = self.reduced(sum, ReduceKind::Sum, e)?;
        let shape = &self.program.nodes[scores].spec.shape;
        let innermost = axes.iter().copied().eq(shape.rank() - axes.len()..shape.rank());
        let same = self.reduced(largest, ReduceKind::Max, scores)? == axes;
        let float = self.program.nodes[shares].spec.dtype == DType::Float32;
        let len = axes.iter().map(|&axis| shape[axis]).product();
        (innermost && same && float).then_some((scores, len))
    }

    /// The operands of a function of two elements.
    fn binary(&self, id: NodeId, name: &str) -> Option<[NodeId; 2]> {
        let node = &self.program.nodes[id];
        let matches = matches!(&node.op, Op::Binary(op) if op.name == name);
        matches.then(|| [0, 1].map(|i| self.source(node.inputs[i])))
    }

    /// The axes that `id` combines of `of` and repeats its result along.
    fn reduced(&self, id: NodeId, kind: ReduceKind, of: NodeId) -> Option<&'a [usize]> {
        let node = |id: NodeId| &self.program.nodes[self.source(id)];
        let (broadcast, of_shape) = (node(id), &node(of).spec.shape);
        let Op::Broadcast(_) = broadcast.op else { return None };
        let kept = node(broadcast.inputs[0]);
        let Op::Reshape(_) = kept.op else { return None };
        let reduction = node(kept.inputs[0]);
        let Op::Reduce(Reduce { kind: found, axes }) = &reduction.op else { return None };
        let ones = (0..of_shape.rank()).map(|i| if axes.contains(&i) { 1 } else { of_shape[i] });
        let repeats = broadcast.spec.shape == *of_shape && kept.spec.shape.iter().copied().eq(ones);
        (*found == kind && self.source(reduction.inputs[0]) == of && repeats).then_some(axes)
    }

    /// The region of all parts; none if it would bind too many buffers.
    fn join(&self, parts: &Parts) -> Result<Option<Region>> {
        let [scores, softmax, values] =
            [parts.scores, parts.softmax, parts.values].map(|i| &self.regions.regions[i]);
        let share = match self.share(softmax.root, parts.shares, scores) {
            Ok(share) => share,
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Split { .. } | Stop::Store(_)) => return Ok(None),
        };
        let (Some(scored), Some(anchor)) = (scores.anchor(), values.anchor()) else {
            return Ok(None);
        };
        let mut members = [&scores.members[..], &softmax.members, &values.members].concat();
        members.sort_unstable();
        members.dedup();
        let plan = AttentionPlan { scored, score: scores.body.clone(), share };
        let region = Region {
            kind: RegionKind::Attention { anchor },
            attention: Some(Box::new(plan)),
            members,
            ..values.clone()
        };
        let own = OWN_BINDINGS + region.operands().len();
        Ok((own <= BINDINGS).then_some(region))
    }

    /// What a mask makes of a share, at the coordinates of the scores.
    fn share(&self, root: NodeId, shares: NodeId, scores: &Region) -> Result<Option<Body>, Stop> {
        let Some(anchor) = scores.anchor().filter(|_| root != shares) else { return Ok(None) };
        let puller = Puller {
            program: self.program,
            stored: &self.regions.stored,
            root,
            anchor: Some(shares),
            numbers: &[],
            bindings: BINDINGS - OWN_BINDINGS,
        };
        let extents = &self.program.nodes[anchor].spec.shape;
        let groups: Vec<&[usize]> = extents.iter().map(std::slice::from_ref).collect();
        let body = splitting(Space::new(&groups), |space| {
            puller.body(root, space, &space.position(0..3))
        })?;
        Ok(Some(body.0))
    }
}

/// Queries, keys, values and the result.
const OWN_BINDINGS: usize = 4;

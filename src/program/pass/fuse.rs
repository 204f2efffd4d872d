//! Cuts a program into regions.
//!
//! The pass repeats: assign values to regions, write each region's body; when a body asks for a
//! value to be stored, start again with that value stored. Every round stores more, so it ends.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::base::{Error, Result, Shape};
use crate::graph::ops::Reduce;
use crate::graph::{NodeId, Op};
use crate::program::pass::assign::{Assignment, assign};
use crate::program::pass::pull::{Puller, Stop};
use crate::program::region::{Body, Region, RegionKind};
use crate::program::view::{Frame, Misfit, Space};
use crate::program::{LoopPlan, Program};

/// Storage buffers that every WebGPU device can bind in one kernel.
pub const BINDINGS: usize = 8;

/// The regions of a program, in an order in which they can run.
pub struct Regions {
    /// The regions; what one reads, those before it have stored.
    pub regions: Vec<Region>,
    /// Whether a value is in a buffer.
    pub stored: Vec<bool>,
    /// The regions inside of loops, by their loop.
    pub loops: HashMap<NodeId, LoopPlan>,
}

/// Runs the pass for a device; without `fuse`, every operation is a region.
pub fn run(program: &Program, fuse: bool) -> Result<Regions> {
    run_body(program, fuse, &HashSet::new())
}

/// [`run`] for the host, where a region may read any number of values.
pub fn run_on_host(program: &Program, fuse: bool) -> Result<Regions> {
    run_within(program, fuse, usize::MAX, &HashSet::new())
}

/// [`run`] for the body of a loop; values of `double` are stored in two places.
pub fn run_body(program: &Program, fuse: bool, double: &HashSet<NodeId>) -> Result<Regions> {
    run_within(program, fuse, BINDINGS, double)
}

/// Runs the pass for regions that read and store so many values at most.
fn run_within(
    program: &Program,
    fuse: bool,
    bindings: usize,
    double: &HashSet<NodeId>,
) -> Result<Regions> {
    let mut forced = BTreeSet::new();
    loop {
        let assignment = assign(program, fuse, &forced);
        match regions(program, &assignment, bindings, double)? {
            Ok(regions) => {
                let loops = loops(program, &regions, fuse)?;
                return Ok(Regions { regions, stored: assignment.stored, loops });
            }
            Err(store) => {
                let known = forced.len();
                forced.extend(&store);
                if let (true, Some(&id)) = (forced.len() == known, store.first()) {
                    let label = program.nodes[id].op.def().label();
                    let what = format!("no kernel can be written for %{id} {label}");
                    return Err(Error::Internal(what));
                }
            }
        }
    }
}

/// The plans of all loops among the regions.
fn loops(program: &Program, regions: &[Region], fuse: bool) -> Result<HashMap<NodeId, LoopPlan>> {
    let ops = regions.iter().filter_map(|region| match &program.nodes[region.root].op {
        Op::LoopOverTime(op) => Some((region.root, op)),
        _ => None,
    });
    ops.map(|(id, op)| Ok((id, LoopPlan::new(op, fuse)?))).collect()
}

/// All regions, or the values that must be stored.
fn regions(
    program: &Program,
    assignment: &Assignment,
    bindings: usize,
    double: &HashSet<NodeId>,
) -> Result<Result<Vec<Region>, Vec<NodeId>>> {
    let mut store = Vec::new();
    let mut regions = Vec::with_capacity(assignment.roots.len());
    for &root in &assignment.roots {
        // What is stored is bound as well.
        let places = 1 + usize::from(double.contains(&root));
        match region(program, assignment, root, bindings - places) {
            Ok(region) => regions.push(region),
            Err(Stop::Store(id)) => store.push(id),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Split { .. }) => {
                return Err(Error::Internal("a split that was not taken".into()));
            }
        }
    }
    Ok(if store.is_empty() { Ok(regions) } else { Err(store) })
}

/// The region of a root that reads so many values at most.
fn region(
    program: &Program,
    assignment: &Assignment,
    root: NodeId,
    bindings: usize,
) -> Result<Region, Stop> {
    let anchor = assignment.anchor.get(&root).copied();
    let shape = |id: NodeId| program.nodes[id].spec.shape.clone();
    let kind = match anchor.map(|id| (id, &program.nodes[id].op)) {
        None => RegionKind::Map,
        Some((_, Op::LoopOverTime(_))) => return Ok(Region::of_loop(root)),
        Some((anchor, Op::Reduce(_) | Op::ArgReduce(_))) => RegionKind::Reduce { anchor },
        Some((anchor, _)) => RegionKind::Kernel { anchor },
    };
    let unpacks = match kind {
        RegionKind::Kernel { anchor } => unpacks(program, assignment, anchor),
        _ => None,
    };
    // A kernel's own operands are bound in front.
    let own = match kind {
        RegionKind::Kernel { anchor } => {
            program.nodes[anchor].inputs.len() - usize::from(unpacks.is_some())
        }
        _ => 0,
    };
    let bindings = bindings.saturating_sub(own);
    let stored = &assignment.stored;
    let mut puller = Puller { program, stored, root, anchor, numbers: &[], bindings };
    let mut prologue = None;
    let mut unpacking = Vec::new();
    if let Some((anchor, input)) = unpacks {
        let inner = Puller { anchor: None, root: anchor, ..puller };
        let space = Space::new(&[&[shape(input).len()]]);
        let (code, members) =
            splitting(space, |space| inner.body(input, space, &space.position(0..1)))?;
        puller.bindings = puller.bindings.saturating_sub(code.operands.len());
        prologue = Some(code);
        unpacking = members;
    }
    let groups: Vec<Vec<usize>> = match kind {
        RegionKind::Map | RegionKind::Rows | RegionKind::Loop => vec![shape(root).to_vec()],
        RegionKind::Reduce { anchor } => vec![shape(anchor).to_vec()],
        RegionKind::Kernel { anchor } | RegionKind::Attention { anchor } => {
            coordinates(&program.nodes[anchor].op, &shape(anchor)).map(|d| vec![d]).to_vec()
        }
    };
    let groups: Vec<&[usize]> = groups.iter().map(Vec::as_slice).collect();
    let (body, mut members) =
        splitting(Space::new(&groups), |space| puller.body(root, space, &space.position(0..3)))?;
    members.extend(unpacking);
    if let RegionKind::Reduce { anchor } = kind {
        let room =
            Puller { bindings: puller.bindings.saturating_sub(body.operands.len()), ..puller };
        let (code, more) = self::prologue(&room, anchor)?;
        prologue = Some(code);
        members.extend(more);
    }
    members.extend(anchor);
    members.sort_unstable();
    members.dedup();
    Ok(Region { root, kind, prologue, body, rows: None, attention: None, members })
}

/// The product or convolution and its right operand, when it unpacks that while it reads it.
fn unpacks(program: &Program, assignment: &Assignment, anchor: NodeId) -> Option<(NodeId, NodeId)> {
    let node = &program.nodes[anchor];
    let contracts = matches!(node.op, Op::MatMul(_) | Op::Conv(_));
    let right = *node.inputs.get(1).filter(|_| contracts)?;
    (!assignment.stored[right]).then_some((anchor, right))
}

/// Batch, row and column of an element as hand-written kernels count them.
fn coordinates(op: &Op, shape: &Shape) -> [usize; 3] {
    match op {
        Op::MatMul(_) => [shape[0], shape[1], shape[2]],
        _ => {
            let columns = shape.last().copied().unwrap_or(1);
            [1, shape.len() / columns.max(1), columns]
        }
    }
}

/// What a reduction combines, over its output's dimensions and the reduced ones.
pub(super) fn prologue(puller: &Puller<'_>, anchor: NodeId) -> Result<(Body, Vec<NodeId>), Stop> {
    let node = &puller.program.nodes[anchor];
    let input = node.inputs[0];
    let shape = puller.program.nodes[input].spec.shape.clone();
    let axes = match &node.op {
        Op::Reduce(Reduce { axes, .. }) => axes.clone(),
        Op::ArgReduce(op) => vec![op.axis],
        other => {
            let label = other.def().label();
            return Err(Stop::Failed(Error::Internal(format!("{label} is not a reduction"))));
        }
    };
    let frame = Frame { shape, axes };
    let inner = Puller { anchor: None, root: anchor, ..*puller };
    splitting(frame.space(), |space| {
        let index = frame.index(space).map_err(|misfit| match misfit {
            Misfit::Split { dim, inner } => Stop::Split { dim, inner },
            Misfit::Never => Stop::Store(input),
        })?;
        inner.body_at(input, space, &index)
    })
}

/// Calls `write` with the space, split further as it asks.
pub(super) fn splitting<T>(
    mut space: Space,
    mut write: impl FnMut(&Space) -> Result<T, Stop>,
) -> Result<T, Stop> {
    loop {
        match write(&space) {
            Err(Stop::Split { dim, inner }) => space.split(dim, inner),
            other => return other,
        }
    }
}

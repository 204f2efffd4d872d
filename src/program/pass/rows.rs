//! Joins regions that work on the same rows of a tensor: softmax, normalizations, their gradients.
//!
//! A row is what one reduction combines. Reductions that look at each other's results and the maps
//! between them and behind them become one region: its threads find a row in the cache when they
//! look at it again, and the numbers in between need no buffer. What a map between reductions gives
//! is computed again where it is used; only what others read is stored.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::base::Result;
use crate::graph::ops::Reduce;
use crate::graph::{NodeId, Op};
use crate::program::Program;
use crate::program::pass::assign::storage_of;
use crate::program::pass::fuse::{BINDINGS, Regions, prologue, splitting};
use crate::program::pass::memory;
use crate::program::pass::pull::{Puller, Stop, position};
use crate::program::region::{Body, Combined, Each, Inst, Region, RegionKind, RowPlan};
use crate::program::view::{Frame, Space};

/// Instructions of all bodies of one region; more take long to compile.
const LONGEST: usize = 256;
/// So many rows keep a device busy when each is one thread's.
const MANY_ROWS: usize = 4096;
/// So many keep it busy when each is a workgroup's.
const SOME_ROWS: usize = 32;
/// A row that one workgroup reads in no time.
const SHORT_ROW: usize = 8192;

/// Runs the pass on the regions of a program.
pub fn run(program: &Program, regions: &mut Regions) -> Result<()> {
    let mut joiner = Joiner {
        program,
        readers: readers(program, &regions.regions),
        outputs: program.outputs.iter().map(|&id| storage_of(program, id)).collect(),
        taken: vec![false; regions.regions.len()],
        joined: BTreeMap::new(),
        regions,
    };
    for first in 0..joiner.taken.len() {
        joiner.visit(first)?;
    }
    let Joiner { taken, mut joined, .. } = joiner;
    let old = std::mem::take(&mut regions.regions).into_iter().zip(taken).enumerate();
    for (i, (region, taken)) in old {
        match joined.remove(&i) {
            Some((region, inlined)) => {
                inlined.into_iter().for_each(|id| regions.stored[id] = false);
                regions.regions.push(region);
            }
            None if taken => {}
            None => regions.regions.push(region),
        }
    }
    Ok(())
}

/// The regions that read each stored value.
fn readers(program: &Program, regions: &[Region]) -> HashMap<NodeId, Vec<usize>> {
    let mut readers: HashMap<NodeId, Vec<usize>> = HashMap::new();
    for (i, region) in regions.iter().enumerate() {
        for id in memory::reads(program, region) {
            readers.entry(id).or_default().push(i);
        }
    }
    readers
}

struct Joiner<'a> {
    program: &'a Program,
    regions: &'a Regions,
    readers: HashMap<NodeId, Vec<usize>>,
    outputs: HashSet<NodeId>,
    /// Whether a region has become part of another one.
    taken: Vec<bool>,
    /// The new regions, by the place of their last part, and the values that are no longer stored.
    joined: BTreeMap<usize, (Region, Vec<NodeId>)>,
}

impl Joiner<'_> {
    /// Joins what follows a reduction with it, as much as one kernel can compute.
    fn visit(&mut self, first: usize) -> Result<()> {
        let frame = match self.frame(first) {
            Some(frame) if !self.taken[first] && is_worthwhile(&frame) => frame,
            _ => return Ok(()),
        };
        let mut parts = self.parts(first, &frame);
        while let [_, .., last] = parts[..] {
            match self.join(&frame, &parts) {
                Ok(region) => {
                    parts.iter().for_each(|&part| self.taken[part] = true);
                    self.joined.insert(last, region);
                    return Ok(());
                }
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Split { .. } | Stop::Store(_)) => {
                    parts.pop();
                }
            }
        }
        Ok(())
    }

    fn frame(&self, region: usize) -> Option<Frame> {
        let RegionKind::Reduce { anchor } = self.regions.regions[region].kind else { return None };
        let node = &self.program.nodes[anchor];
        let Op::Reduce(op) = &node.op else { return None };
        let shape = self.program.nodes[node.inputs[0]].spec.shape.clone();
        Some(Frame { shape, axes: op.axes.clone() })
    }

    /// The regions that may be joined with a reduction. They run where the last one is, so nothing
    /// else before that may read what they store.
    fn parts(&self, first: usize, frame: &Frame) -> Vec<usize> {
        let regions = &self.regions.regions;
        let len = |id: NodeId| self.program.nodes[id].spec.shape.len();
        let elements = frame.shape.len();
        let rows = frame.rows_and_len()[0];
        let mut parts = vec![first];
        let mut roots = HashSet::from([regions[first].root]);
        let mut tensors: HashSet<NodeId> = HashSet::new();
        tensors.extend(memory::reads(self.program, &regions[first]));
        for (i, region) in regions.iter().enumerate().skip(first + 1) {
            let reads = memory::reads(self.program, region);
            let touches = reads.iter().any(|id| roots.contains(id));
            let shares = || reads.iter().any(|id| tensors.contains(id) && len(*id) == elements);
            let joins = !self.taken[i]
                && match region.kind {
                    RegionKind::Map => touches && [elements, rows].contains(&len(region.root)),
                    _ => self.frame(i).as_ref() == Some(frame) && (touches || shares()),
                };
            if joins {
                parts.push(i);
                roots.insert(region.root);
                tensors.extend(reads);
            } else if touches {
                break;
            }
        }
        parts
    }

    /// One region of several, and the values that are no longer stored.
    fn join(&self, frame: &Frame, parts: &[usize]) -> Result<(Region, Vec<NodeId>), Stop> {
        let mut writer = Writer::new(self.program, frame, self.regions.stored.clone());
        let mut inlined = Vec::new();
        let mut members: Vec<NodeId> = Vec::new();
        for &part in parts {
            let region = &self.regions.regions[part];
            let root = region.root;
            let readers = self.readers.get(&root);
            let outside = self.outputs.contains(&root)
                || readers.is_some_and(|all| all.iter().any(|reader| !parts.contains(reader)));
            match region.kind {
                RegionKind::Reduce { anchor } => writer.combine(anchor, root, outside)?,
                _ => writer.each(root, outside)?,
            }
            if !outside {
                inlined.push(root);
            }
            members.extend(&region.members);
        }
        members.sort_unstable();
        members.dedup();
        let root = parts.last().map_or(0, |&last| self.regions.regions[last].root);
        let rows = Box::new(writer.finish(root)?);
        let region = Region {
            root,
            kind: RegionKind::Rows,
            prologue: None,
            body: Body::none(),
            rows: Some(rows),
            attention: None,
            members,
        };
        if region.operands().len() + region.stores(self.program).len() > BINDINGS {
            return Err(Stop::Store(root));
        }
        Ok((region, inlined))
    }
}

/// Whether rows are many enough to share a device, or short.
fn is_worthwhile(frame: &Frame) -> bool {
    let [rows, len] = frame.rows_and_len();
    let for_workgroups = frame.is_contiguous() && (rows >= SOME_ROWS || len <= SHORT_ROW);
    rows > 0 && len > 1 && (rows >= MANY_ROWS || for_workgroups)
}

/// Writes the bodies of a region of rows.
struct Writer<'a> {
    program: &'a Program,
    frame: &'a Frame,
    /// Whether a value is in a buffer; maps that are joined are computed instead.
    stored: Vec<bool>,
    numbers: Vec<NodeId>,
    combined: Vec<Combined>,
    each: Vec<Each>,
}

impl<'a> Writer<'a> {
    fn new(program: &'a Program, frame: &'a Frame, stored: Vec<bool>) -> Writer<'a> {
        let (numbers, combined, each) = (Vec::new(), Vec::new(), Vec::new());
        Writer { program, frame, stored, numbers, combined, each }
    }

    fn puller(&self, root: NodeId, anchor: Option<NodeId>) -> Puller<'_> {
        Puller {
            program: self.program,
            stored: &self.stored,
            root,
            anchor,
            numbers: &self.numbers,
            bindings: BINDINGS,
        }
    }

    fn combine(&mut self, anchor: NodeId, root: NodeId, stored: bool) -> Result<(), Stop> {
        let Op::Reduce(Reduce { kind, .. }) = self.program.nodes[anchor].op else {
            return Err(Stop::Store(root));
        };
        let puller = self.puller(root, Some(anchor));
        let kept = self.program.nodes[anchor].spec.shape.to_vec();
        let value = splitting(Space::new(&[&kept]), |space| {
            puller.body(root, space, &space.position(0..1))
        })?;
        let element = prologue(&puller, anchor)?.0;
        self.combined.push(Combined { kind, root, stored, element, value: value.0 });
        self.numbers.push(root);
        Ok(())
    }

    /// A map: its elements are stored, or computed where they are used.
    fn each(&mut self, root: NodeId, stored: bool) -> Result<(), Stop> {
        if stored {
            if self.program.nodes[root].spec.shape.len() != self.frame.shape.len() {
                // A number of each row that is no reduction's is computed where it is used.
                return Err(Stop::Store(root));
            }
            let puller = self.puller(root, None);
            let shape = &self.frame.shape;
            let (body, _) = splitting(self.frame.space(), |space| {
                let index = self.frame.index(space).map_err(|_| Stop::Store(root))?;
                puller.body(root, space, &position(&index, shape, space.rank()))
            })?;
            self.each.push(Each { root, body });
        }
        for id in root..self.stored.len() {
            if storage_of(self.program, id) == root {
                self.stored[id] = false;
            }
        }
        Ok(())
    }

    fn finish(self, root: NodeId) -> Result<RowPlan, Stop> {
        let space = self.frame.space();
        let index = self.frame.index(&space).map_err(|_| Stop::Store(root))?;
        let at = position(&index, &self.frame.shape, space.rank());
        let mut position = Body { space, operands: Vec::new(), code: vec![Inst::Index { at }] };
        position.collapse();
        let [rows, len] = self.frame.rows_and_len();
        let contiguous = self.frame.is_contiguous();
        let (combined, each) = (self.combined, self.each);
        let plan = RowPlan { rows, len, contiguous, combined, each, position };
        let instructions: usize = plan.bodies().map(|body| body.code.len()).sum();
        if instructions > LONGEST { Err(Stop::Store(root)) } else { Ok(plan) }
    }
}

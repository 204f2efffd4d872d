//! Splits variables that are larger than a device can bind into panels of rows.
//!
//! A product with such a matrix becomes a sum of products with its panels, a gather a choice among
//! gathers; each panel is still read once.

use crate::base::{Error, Result, Spec};
use crate::graph::ops::{
    Binary, Broadcast, Constant, Gather, MatMul, Read, Reshape, Select, Slice,
};
use crate::graph::{Node, NodeId, Op};
use crate::program::Program;
use crate::program::rewrite::{Builder, remove_unused};
use crate::tensor::Tensor;

/// Rows of one panel of a tensor, when at rest it does not fit `limit` bytes: `None` when it does, or
/// when not even one row does.
pub fn panel_rows(spec: &Spec, limit: u64) -> Option<usize> {
    let bytes = spec.bytes_at_rest() as u64;
    let rows = *spec.shape.first()?;
    let row = spec.shape.len() as u64 / rows.max(1) as u64 * spec.dtype.bytes_at_rest() as u64;
    // A panel is whole words.
    let fitting = limit / 4 * 4 / row.max(1);
    (bytes > limit && fitting > 0).then_some(fitting as usize)
}

/// First row and spec of every panel of a tensor.
pub fn panels(spec: &Spec, limit: u64) -> Vec<(usize, Spec)> {
    let Some(rows) = panel_rows(spec, limit) else { return vec![(0, spec.clone())] };
    let total = spec.shape[0];
    let panel = |first: usize| {
        let shape = spec.shape.with(0, rows.min(total - first));
        (first, Spec::new(shape, spec.dtype))
    };
    (0..total).step_by(rows).map(panel).collect()
}

/// Rewrites the uses of variables above `limit` bytes.
///
/// # Errors
/// [`Error::Limit`], with the variable's name, where a use cannot be split.
pub fn run(program: &mut Program, limit: u64) -> Result<()> {
    let large = |node: &Node| match &node.op {
        Op::Read(read) => read.spec.bytes_at_rest() as u64 > limit,
        _ => false,
    };
    if !program.nodes.iter().any(large) {
        return Ok(());
    }
    let mut pass = Panels { to: Builder::default(), limit };
    let mut moved: Vec<NodeId> = Vec::with_capacity(program.nodes.len());
    for node in &program.nodes {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|&i| moved[i]).collect();
        moved.push(pass.node(node, inputs)?);
    }
    program.nodes = pass.to.nodes;
    program.outputs.iter_mut().for_each(|id| *id = moved[*id]);
    remove_unused(program);
    match program.nodes.iter().find(|node| large(node)) {
        None => Ok(()),
        Some(node) => Err(too_large(program, node, limit)),
    }
}

fn too_large(program: &Program, node: &Node, limit: u64) -> Error {
    let name = match &node.op {
        Op::Read(read) => program.variables.get(&read.id).map_or("?", |v| v.name()),
        _ => "?",
    };
    Error::Limit {
        what: format!("variable '{name}' of layer '{}'", node.scope),
        need: format!("{} bytes in one binding", node.spec.bytes_at_rest()),
        limit: format!("{limit} bytes"),
        owner: "the device; a matrix product or a lookup could be split, this use cannot".into(),
    }
}

struct Panels {
    to: Builder,
    limit: u64,
}

impl Panels {
    fn node(&mut self, node: &Node, inputs: Vec<NodeId>) -> Result<NodeId> {
        match &node.op {
            Op::MatMul(op) if !op.transpose_a && !op.transpose_b => {
                if let Some(panels) = self.matrix(inputs[1]) {
                    return self.matmul(node, inputs[0], &panels);
                }
            }
            Op::Gather(op) if op.axis == 0 => {
                if let Some(panels) = self.panels_of(inputs[0]) {
                    return self.gather(node, inputs[1], &panels);
                }
            }
            _ => {}
        }
        self.to.push(node.op.clone(), inputs, &node.scope)
    }

    fn panels_of(&self, id: NodeId) -> Option<Vec<Read>> {
        let Op::Read(read) = &self.to.nodes[id].op else { return None };
        panel_rows(&read.spec, self.limit)?;
        let part = |(first_row, spec)| Read { id: read.id, spec, first_row };
        Some(panels(&read.spec, self.limit).into_iter().map(part).collect())
    }

    /// The panels of a variable `[K, N]` that is used as a matrix `[1, K, N]`.
    fn matrix(&self, id: NodeId) -> Option<Vec<Read>> {
        let node = &self.to.nodes[id];
        let source = *node.inputs.first().filter(|_| matches!(node.op, Op::Reshape(_)))?;
        let same = self.to.spec(source).shape[..] == node.spec.shape[1..];
        self.panels_of(source).filter(|_| same)
    }

    fn matmul(&mut self, node: &Node, a: NodeId, panels: &[Read]) -> Result<NodeId> {
        let scope = &node.scope;
        let shape = self.to.spec(a).shape.clone();
        let mut sum = None;
        for panel in panels {
            let (rows, columns) = (panel.spec.shape[0], panel.spec.shape[1]);
            let part = Slice {
                start: vec![0, 0, panel.first_row],
                size: vec![shape[0], shape[1], rows],
                step: vec![1; 3],
            };
            let part = self.to.push(part, vec![a], scope)?;
            let matrix = self.to.push(panel.clone(), Vec::new(), scope)?;
            let reshape = Reshape { shape: [1, rows, columns].into() };
            let matrix = self.to.push(reshape, vec![matrix], scope)?;
            let product = MatMul { transpose_a: false, transpose_b: false };
            let product = self.to.push(product, vec![part, matrix], scope)?;
            sum = Some(match sum {
                None => product,
                Some(sum) => self.to.push(Binary { name: "add" }, vec![sum, product], scope)?,
            });
        }
        sum.ok_or_else(|| Error::Internal("a variable without panels".into()))
    }

    /// A gather clamps its indices, so each panel gives something; the choice takes the right one.
    fn gather(&mut self, node: &Node, indices: NodeId, panels: &[Read]) -> Result<NodeId> {
        let scope = &node.scope;
        let spec = self.to.spec(indices).clone();
        let inner = node.spec.shape.rank() - spec.shape.rank();
        let mut chosen = None;
        for panel in panels {
            let first = self.number(&spec, panel.first_row, scope)?;
            let local = self.to.push(Binary { name: "sub" }, vec![indices, first], scope)?;
            let rows = self.to.push(panel.clone(), Vec::new(), scope)?;
            let picked = self.to.push(Gather { axis: 0 }, vec![rows, local], scope)?;
            chosen = Some(match chosen {
                None => picked,
                Some(before) => {
                    let here = self.to.push(Binary { name: "ge" }, vec![indices, first], scope)?;
                    let mut extents = spec.shape.to_vec();
                    extents.extend(std::iter::repeat_n(1, inner));
                    let here =
                        self.to.push(Reshape { shape: extents.into() }, vec![here], scope)?;
                    let wide = Broadcast { shape: node.spec.shape.clone() };
                    let here = self.to.push(wide, vec![here], scope)?;
                    self.to.push(Select, vec![here, picked, before], scope)?
                }
            });
        }
        chosen.ok_or_else(|| Error::Internal("a variable without panels".into()))
    }

    fn number(&mut self, spec: &Spec, value: usize, scope: &std::sync::Arc<str>) -> Result<NodeId> {
        let tensor = Tensor::new([], &[value as i64])?.cast(spec.dtype);
        let scalar = self.to.push(Constant { tensor }, Vec::new(), scope)?;
        self.to.push(Broadcast { shape: spec.shape.clone() }, vec![scalar], scope)
    }
}

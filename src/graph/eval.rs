//! Host evaluation, node by node: the oracle.

use std::collections::HashMap;

use crate::base::{Error, Result, ResultExt};
use crate::graph::{Node, NodeId, Op};
use crate::tensor::{Array, VariableId};

/// The values that leaves stand for.
#[derive(Default)]
pub struct Leaves<'a> {
    /// The model inputs, by their index.
    pub inputs: &'a [Array],
    /// The values of variables, all rows of each.
    pub variables: HashMap<VariableId, Array>,
    /// What the prelude gave, by [`Hoisted`](crate::graph::ops::Hoisted)'s index.
    pub hoisted: &'a [Array],
}

impl Leaves<'_> {
    /// The value of a leaf, or `None` for an operation that is to be computed.
    pub fn of(&self, op: &Op) -> Result<Option<&Array>> {
        let missing = |what: &str| Error::Internal(format!("no value for {what}"));
        Ok(Some(match op {
            Op::Input(i) => self.inputs.get(i.index).ok_or_else(|| missing("a model input"))?,
            // Rows of a variable are a matter of devices: the host has all of it.
            Op::Read(r) => self
                .variables
                .get(&r.id)
                .filter(|array| array.spec == r.spec)
                .ok_or_else(|| missing("a variable"))?,
            Op::Hoisted(h) => {
                self.hoisted.get(h.index).ok_or_else(|| missing("a hoisted value"))?
            }
            _ => return Ok(None),
        }))
    }
}

/// Computes `outputs` by each operation's own host evaluation. Values are dropped after their last
/// use.
pub fn eval(nodes: &[Node], outputs: &[NodeId], leaves: &Leaves<'_>) -> Result<Vec<Array>> {
    eval_with(nodes, outputs, leaves, &mut |_, node, inputs| node.op.def().eval(inputs, &node.spec))
}

/// Computes one node from the values of its inputs.
pub type Compute<'a> = dyn FnMut(NodeId, &Node, &[&Array]) -> Result<Array> + 'a;

/// [`eval`] with another way to compute one node.
pub fn eval_with(
    nodes: &[Node],
    outputs: &[NodeId],
    leaves: &Leaves<'_>,
    compute: &mut Compute<'_>,
) -> Result<Vec<Array>> {
    let last_use = last_uses(nodes, outputs);
    let mut values: Vec<Option<Array>> = vec![None; nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        if last_use[id].is_none() || leaves.of(&node.op)?.is_some() {
            continue;
        }
        let inputs = node
            .inputs
            .iter()
            .map(|&i| value(nodes, &values, leaves, i))
            .collect::<Result<Vec<&Array>>>()?;
        let result = compute(id, node, &inputs).at(|| node.scope.to_string())?;
        values[id] = Some(result);
        for &input in node.inputs.iter().filter(|&&i| last_use[i] == Some(id)) {
            values[input] = None;
        }
    }
    outputs.iter().map(|&id| value(nodes, &values, leaves, id).cloned()).collect()
}

fn value<'a>(
    nodes: &[Node],
    values: &'a [Option<Array>],
    leaves: &'a Leaves<'_>,
    id: NodeId,
) -> Result<&'a Array> {
    match leaves.of(&nodes[id].op)? {
        Some(array) => Ok(array),
        None => values[id]
            .as_ref()
            .ok_or_else(|| Error::Internal(format!("value %{id} was not computed"))),
    }
}

/// For every node, the last node that uses it: `None` for an unused one, `usize::MAX` for an output.
pub fn last_uses(nodes: &[Node], outputs: &[NodeId]) -> Vec<Option<NodeId>> {
    let mut last = vec![None; nodes.len()];
    for &id in outputs {
        last[id] = Some(NodeId::MAX);
    }
    for (id, node) in nodes.iter().enumerate().rev() {
        if last[id].is_some() {
            for &input in &node.inputs {
                last[input] = last[input].max(Some(id));
            }
        }
    }
    last
}

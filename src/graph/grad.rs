//! Reverse-mode differentiation as a transformation of the graph.

use std::collections::HashMap;

use crate::base::{DType, Error, Result, Shape};
use crate::graph::{Graph, NodeId, Op, Value, Vjp};

impl Graph {
    /// Gradients of a scalar `loss` with respect to each value of `wrt`; `None` for one that the loss
    /// does not depend on, so that the caller can say so by name.
    ///
    /// # Errors
    /// If the loss is not a floating scalar.
    pub fn grad<'g>(
        &'g self,
        loss: Value<'g>,
        wrt: &[Value<'g>],
    ) -> Result<Vec<Option<Value<'g>>>> {
        if loss.shape() != Shape::scalar() || !loss.dtype().is_float() {
            let expected = "a floating scalar";
            return Err(Error::shape("gradient of a loss", loss.spec().to_string(), expected));
        }
        let depends = self.depends_on(loss.id(), wrt);
        let mut grads: Vec<Option<Value<'g>>> = vec![None; loss.id() + 1];
        grads[loss.id()] = Some(self.scalar(1.0, loss.dtype()));
        let at = |id: NodeId| self.with_node(id, |n| (n.op.clone(), n.inputs.clone()));
        let tape = Tape { graph: self, at: &at, value: &|id| self.value(id), depends: &depends };
        tape.walk(&mut grads, &mut |_| true)?;
        Ok(wrt.iter().map(|v| grads.get(v.id()).copied().flatten()).collect())
    }

    /// For every node up to `last`, whether it depends on one of `wrt`.
    fn depends_on(&self, last: NodeId, wrt: &[Value<'_>]) -> Vec<bool> {
        let mut depends = vec![false; last + 1];
        for v in wrt.iter().filter(|v| v.id() <= last) {
            depends[v.id()] = true;
        }
        for id in 0..=last {
            let inherited = self.with_node(id, |n| n.inputs.iter().any(|&i| depends[i]));
            depends[id] |= inherited && self.with_node(id, |n| n.spec.dtype != DType::Bool);
        }
        depends
    }
}

/// Operations in order, and what they gave: those of a graph, or of a loop's body in one step.
pub(super) struct Tape<'a, 'g> {
    pub graph: &'g Graph,
    pub at: &'a dyn Fn(NodeId) -> (Op, Vec<NodeId>),
    pub value: &'a dyn Fn(NodeId) -> Value<'g>,
    /// Which values a gradient is wanted of, or flows through.
    pub depends: &'a [bool],
}

/// A gradient on its way from an operation to one of its inputs.
pub(super) struct Flow<'g> {
    pub from: NodeId,
    /// Position of the input.
    pub position: usize,
    pub part: Value<'g>,
    /// Gradient of the operation's result; a loop has several and none of them is here.
    pub grad: Option<Value<'g>>,
}

/// Whether a gradient is to be added to those that the input has already.
pub(super) type Adds<'a, 'g> = dyn FnMut(&Flow<'g>) -> bool + 'a;

impl<'g> Tape<'_, 'g> {
    /// Carries gradients from the last value to the first. `grads` holds those that are known from
    /// elsewhere.
    pub fn walk(&self, grads: &mut [Option<Value<'g>>], adds: &mut Adds<'_, 'g>) -> Result<()> {
        // Gradients of the results of loops, until all of a loop are known.
        let mut results: HashMap<NodeId, Vec<(usize, Value<'g>)>> = HashMap::new();
        for id in (0..grads.len()).rev().filter(|&id| self.depends[id]) {
            let (op, inputs) = match (grads[id], results.contains_key(&id)) {
                (None, false) => continue,
                _ => (self.at)(id),
            };
            let values: Vec<Value<'g>> = inputs.iter().map(|&i| (self.value)(i)).collect();
            let parts = match (op, grads[id]) {
                (Op::LoopOverTime(op), _) => {
                    let known = results.remove(&id).unwrap_or_default();
                    self.graph.loop_grad(&op, &values, &known)?
                }
                (Op::LoopResult(result), Some(grad)) => {
                    results.entry(inputs[0]).or_default().push((result.index, grad));
                    continue;
                }
                (op, Some(grad)) => {
                    op.def().vjp(&Vjp { inputs: &values, output: (self.value)(id), grad })
                }
                (_, None) => continue,
            };
            for (position, (&input, part)) in inputs.iter().zip(parts).enumerate() {
                let Some(part) = part.filter(|_| self.depends[input]) else { continue };
                if adds(&Flow { from: id, position, part, grad: grads[id] }) {
                    grads[input] = Some(grads[input].map_or(part, |sum| sum + part));
                }
            }
        }
        Ok(())
    }
}

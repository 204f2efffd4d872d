//! Reverse-mode differentiation as a transformation of the graph.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::{Graph, NodeId, Value, Vjp};

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
        for id in (0..=loss.id()).rev() {
            let Some(grad) = grads[id].filter(|_| depends[id]) else { continue };
            let (op, inputs) = self.with_node(id, |n| (n.op.clone(), n.inputs.clone()));
            let values: Vec<Value<'g>> = inputs.iter().map(|&i| self.value(i)).collect();
            let cx = Vjp { inputs: &values, output: self.value(id), grad };
            for (&input, part) in inputs.iter().zip(op.def().vjp(&cx)) {
                let Some(part) = part.filter(|_| depends[input]) else { continue };
                let sum = grads[input].map_or(part, |sum| sum + part);
                grads[input] = Some(sum);
            }
        }
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

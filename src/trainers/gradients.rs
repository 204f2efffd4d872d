//! Gradients of a model's outputs.

use crate::base::{DType, Error, Result};
use crate::graph::{Graph, NodeId, Value};
use crate::models::Model;
use crate::operations::formulas::sum_all;
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::tensor::Tensor;
use crate::trainers::weights::trained;

/// Gradients of a sum of a model's outputs, each element multiplied by a factor.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// With respect to each input; none where the outputs do not depend on it, or it is not of
    /// floating-point numbers.
    pub inputs: Vec<Option<Tensor>>,
    /// With respect to each trainable weight, with its path, in Keras's order; none where the outputs
    /// do not depend on it.
    pub weights: Vec<(String, Option<Tensor>)>,
}

impl Model {
    /// Gradients of the sum of all outputs, multiplied by `factors` of the outputs' shapes, with
    /// respect to the inputs and to every trainable weight. State that a call in training changes,
    /// such as moving statistics, stays.
    ///
    /// # Errors
    /// If inputs or factors do not fit the model, or it works on texts.
    pub fn gradients(
        &self,
        inputs: &[Tensor],
        factors: &[Tensor],
        training: bool,
        device: &Device,
    ) -> Result<Gradients> {
        if self.on_host {
            let what = "gradients of a model with layers that work on texts";
            return Err(Error::Unsupported(what.into()));
        }
        let inputs = self.conform(inputs)?;
        let all: Vec<Tensor> = inputs.iter().chain(factors).cloned().collect();
        let graph = Graph::new();
        let traced = self.trace_gradients(&graph, &all, inputs.len(), training);
        // An error inside a formula is kept by the graph, with its place: it comes first.
        let trace = graph.finish()?;
        let (of_inputs, of_weights) = traced?;
        let found = of_inputs.iter().chain(of_weights.iter().map(|(_, id)| id));
        let ids: Vec<_> = found.flatten().copied().collect();
        let mut program = Program::new(trace, &ids);
        program.assigns.clear();
        let compiled = Compiled::new(program, device, &Options::default(), &mut |_, _| {})?;
        let mut tensors = compiled.run(&all)?.into_iter();
        let mut take = |id: Option<_>| id.and_then(|_| tensors.next());
        Ok(Gradients {
            inputs: of_inputs.into_iter().map(&mut take).collect(),
            weights: of_weights.into_iter().map(|(path, id)| (path, take(id))).collect(),
        })
    }

    fn trace_gradients(
        &self,
        graph: &Graph,
        tensors: &[Tensor],
        inputs: usize,
        training: bool,
    ) -> Result<Traced> {
        let input = |tensor: &Tensor| graph.input(tensor.spec().clone());
        let values: Vec<Value<'_>> = tensors.iter().map(input).collect();
        let (x, factors) = values.split_at(inputs);
        let weights = trained(self.root().as_ref());
        let mut sources = x.to_vec();
        sources.extend(weights.iter().map(|trained| graph.read(&trained.weight.variable)));
        let (outputs, _) = self.outputs_and_masks(graph, x, training)?;
        let shapes = |values: &[Value<'_>]| values.iter().map(|v| v.shape()).collect::<Vec<_>>();
        if shapes(&outputs) != shapes(factors) {
            let list = |values: &[Value<'_>]| {
                let specs: Vec<String> = values.iter().map(|v| v.spec().to_string()).collect();
                specs.join(", ")
            };
            let expected = format!("factors of the outputs' shapes, {}", list(&outputs));
            return Err(Error::shape("gradients", format!("factors {}", list(factors)), expected));
        }
        let products = outputs.iter().zip(factors).map(|(output, factor)| {
            sum_all(output.cast(DType::Float32) * factor.cast(DType::Float32))
        });
        let none = || Error::Invalid("gradients of a model without outputs".into());
        let sum = products.reduce(|a, b| a + b).ok_or_else(none)?;
        let found = graph.grad(sum, &sources)?;
        let mut ids = found.into_iter().map(|gradient| gradient.map(Value::id));
        let of_inputs = ids.by_ref().take(inputs).collect();
        let path = weights.into_iter().map(|trained| trained.weight.path);
        Ok((of_inputs, path.zip(ids).collect()))
    }
}

/// The nodes of the gradients of inputs, and of weights with their paths.
type Traced = (Vec<Option<NodeId>>, Vec<(String, Option<NodeId>)>);

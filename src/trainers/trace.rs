//! One step of training or testing, written as one graph: forward, losses, gradients, the optimizer's
//! update, metrics.

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{Graph, Value};
use crate::losses::Weights;
use crate::models::Model;
use crate::optimizers::Step;
use crate::trainers::Training;
use crate::trainers::objectives::{Objectives, Output};

impl Training {
    /// Writes a step on inputs of these specs: as many inputs and labels as said, then weights of
    /// samples.
    pub(super) fn trace_into<'g>(
        &mut self,
        graph: &'g Graph,
        model: &Model,
        specs: &[Spec],
        [inputs, labels]: [usize; 2],
        training: bool,
    ) -> Result<()> {
        let values: Vec<Value<'g>> = specs.iter().map(|s| graph.input(s.clone())).collect();
        let (x, rest) = values.split_at(inputs);
        let (y, sample_weight) = rest.split_at(labels);
        let weights: Vec<Value<'g>> =
            self.weights.iter().map(|t| graph.read(&t.weight.variable)).collect();
        let (predictions, masks) = model.outputs_and_masks(graph, x, training)?;
        let rows = specs.first().and_then(|s| s.shape.first().copied()).unwrap_or(1);
        let mut outputs = self.outputs(y, sample_weight, &predictions, &masks)?;
        if self.objectives.is_none() {
            let of = |o: &Output<'g>| (o.y_true.map(Value::spec), o.y_pred.spec());
            let specs: Vec<_> = outputs.iter().map(of).collect();
            self.objectives = Some(Objectives::new(&self.compile, model, &specs)?);
        }
        let Some(objectives) = &self.objectives else { return Ok(()) };
        let mut losses: Vec<Value<'g>> = objectives.loss(graph, &outputs)?.into_iter().collect();
        losses.extend(graph.losses());
        for (trained, value) in self.weights.iter().zip(&weights) {
            if let Some(regularizer) = &trained.regularizer {
                losses.push(regularizer.call(*value)?);
            }
        }
        let sum = losses.into_iter().map(|l| l.cast(DType::Float32)).reduce(|a, b| a + b);
        let loss = sum.ok_or_else(|| {
            Error::Invalid("there is no loss to compute: give compile one".into())
        })?;
        if training {
            // As in Keras with JAX: predictions come out of differentiation without their masks.
            outputs.iter_mut().for_each(|output| output.weights.mask = None);
            self.without_gradient = self.update(graph, loss, &weights)?;
        }
        let Some(objectives) = &self.objectives else { return Ok(()) };
        objectives.update(graph, loss, rows, &outputs)
    }

    /// Writes gradients and the optimizer's update; gives the paths of weights without a gradient.
    fn update<'g>(
        &self,
        graph: &'g Graph,
        loss: Value<'g>,
        weights: &[Value<'g>],
    ) -> Result<Vec<String>> {
        let optimizer = self.optimizer.as_ref();
        let optimizer = optimizer
            .ok_or_else(|| Error::Invalid("the model was compiled without an optimizer".into()))?;
        let mut gradients = graph.grad(optimizer.scale_loss(loss), weights)?;
        self.complete(&mut gradients, weights)?;
        let missing: Vec<String> = self
            .weights
            .iter()
            .zip(&gradients)
            .filter(|(_, gradient)| gradient.is_none())
            .map(|(trained, _)| trained.weight.path.clone())
            .collect();
        if !missing.is_empty() && missing.len() == gradients.len() {
            let what = format!("the loss depends on none of the weights {}", missing.join(", "));
            return Err(Error::Invalid(what));
        }
        if !missing.is_empty() {
            log::warn!("no gradients exist for the weights {}", missing.join(", "));
        }
        optimizer.apply(&Step::new(graph), &gradients)?;
        Ok(missing)
    }

    /// Gives the factors of low-rank adaptations their gradients. A factor's is a product with the
    /// other one, and both are zero since the model was loaded.
    ///
    /// # Errors
    /// If a model was not loaded: then the first factor is random in Keras, and the second one learns.
    fn complete<'g>(
        &self,
        gradients: &mut [Option<Value<'g>>],
        weights: &[Value<'g>],
    ) -> Result<()> {
        for ((trained, gradient), value) in self.weights.iter().zip(gradients).zip(weights) {
            let Some(adapted) = &trained.adapts else { continue };
            if adapted.version() == 0 {
                return Err(Error::Unsupported(format!(
                    "training of '{}', whose layer was not loaded: a low-rank adaptation is trained as \
                     Keras trains that of a loaded model",
                    trained.weight.path
                )));
            }
            *gradient = Some(value.like(0.0));
        }
        Ok(())
    }

    /// Labels, predictions and weights, output by output. Labels may leave out outputs without a loss.
    fn outputs<'g>(
        &self,
        labels: &[Value<'g>],
        sample_weight: &[Value<'g>],
        predictions: &[Value<'g>],
        masks: &[Option<Value<'g>>],
    ) -> Result<Vec<Output<'g>>> {
        let n = predictions.len();
        if !labels.is_empty() && labels.len() != n {
            let found = format!("{} labels", labels.len());
            return Err(Error::shape("training data", found, format!("{n}, one for each output")));
        }
        if sample_weight.len() > 1 && sample_weight.len() != n {
            let found = format!("{} sample weights", sample_weight.len());
            return Err(Error::shape("training data", found, format!("none, 1 or {n}")));
        }
        let weight = |i: usize| match sample_weight {
            [one] => Some(*one),
            many => many.get(i).copied(),
        };
        let output = |(i, &y_pred): (usize, &Value<'g>)| Output {
            y_true: labels.get(i).copied(),
            y_pred,
            weights: Weights { sample_weight: weight(i), mask: masks.get(i).copied().flatten() },
        };
        Ok(predictions.iter().enumerate().map(output).collect())
    }
}

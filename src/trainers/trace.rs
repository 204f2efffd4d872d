//! One step of training or testing, written as one graph: forward, losses, gradients, the optimizer's
//! update, metrics.

use std::collections::{BTreeSet, HashMap};

use crate::base::{DType, Error, Result, Spec};
use crate::graph::{Graph, Value};
use crate::losses::Weights;
use crate::models::Model;
use crate::optimizers::Step;
use crate::trainers::Training;
use crate::trainers::objectives::{Objectives, Output};
use crate::trainers::placed;

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
        let places = self.places(y.len(), model, predictions.len())?;
        let labels = places.into_iter().zip(y).collect::<HashMap<_, _>>();
        let mut outputs = outputs(&labels, sample_weight, &predictions, &masks)?;
        if self.objectives.is_none() {
            let of = |o: &Output<'g>| (o.y_true.map(Value::spec), o.y_pred.spec());
            let specs: Vec<_> = outputs.iter().map(of).collect();
            self.objectives = Some(Objectives::new(&self.compile, model, &specs)?);
        }
        let Some(objectives) = &self.objectives else { return Ok(()) };
        let mut losses: Vec<Value<'g>> = objectives.loss(graph, &outputs)?.into_iter().collect();
        losses.extend(graph.losses());
        for trained in &self.weights {
            if let Some(regularizer) = &trained.regularizer {
                losses.push(regularizer.call(graph.read(&trained.weight.variable))?);
            }
        }
        let sum = losses.into_iter().map(|l| l.cast(DType::Float32)).reduce(|a, b| a + b);
        let loss = match sum {
            Some(sum) => sum,
            // As in Keras with JAX.
            None if !training => graph.scalar(0.0, DType::Float32),
            None => {
                let what = "there is no loss to train for: give compile one";
                return Err(Error::Invalid(what.into()));
            }
        };
        if training {
            self.restore(graph, &weights);
            // As in Keras with JAX: predictions come out of differentiation without their masks.
            outputs.iter_mut().for_each(|output| output.weights.mask = None);
            self.without_gradient = self.update(graph, loss, &weights)?;
        }
        let Some(objectives) = &self.objectives else { return Ok(()) };
        objectives.update(graph, loss, rows, &outputs)
    }

    /// Takes back what layers have assigned to weights that train: as in Keras with JAX it was for this
    /// step's loss, and the optimizer updates what was there before.
    fn restore<'g>(&self, graph: &'g Graph, weights: &[Value<'g>]) {
        for (trained, value) in self.weights.iter().zip(weights) {
            let variable = &trained.weight.variable;
            if graph.read(variable).id() != value.id() {
                graph.assign(variable, *value);
            }
        }
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

    /// The outputs that labels belong to, one after the other. Labels may leave out the outputs without
    /// a loss.
    fn places(&self, labels: usize, model: &Model, outputs: usize) -> Result<Vec<usize>> {
        if labels == 0 || labels == outputs {
            return Ok((0..labels).collect());
        }
        let (loss, weights) = (self.compile.get("loss"), self.compile.get("loss_weights"));
        let losses = placed::Outputs::of(model).losses(loss, weights)?;
        let places: BTreeSet<usize> = losses.iter().map(|loss| loss.output).collect();
        if labels != places.len() {
            let expected =
                format!("{outputs}, one for each output, or {} for losses", places.len());
            return Err(Error::shape("training data", format!("{labels} labels"), expected));
        }
        let given =
            ["metrics", "weighted_metrics"].iter().any(|key| !self.compile.get(key).is_null());
        let places: Vec<usize> = places.into_iter().collect();
        if given && !places.iter().copied().eq(0..labels) {
            return Err(Error::Invalid(
                "metrics of a model some of whose first outputs have no labels: Keras would hand them \
                 labels of other outputs; give labels for all outputs"
                    .into(),
            ));
        }
        Ok(places)
    }
}

/// Labels, predictions and weights, output by output.
fn outputs<'g>(
    labels: &HashMap<usize, &Value<'g>>,
    sample_weight: &[Value<'g>],
    predictions: &[Value<'g>],
    masks: &[Option<Value<'g>>],
) -> Result<Vec<Output<'g>>> {
    let n = predictions.len();
    if let ([one], true) = (sample_weight, n > 1)
        && !matches!(one.shape().as_slice(), [_] | [_, 1])
    {
        let expected = "one number for each sample, or weights for each output";
        return Err(Error::shape("sample_weight", one.shape().to_string(), expected));
    }
    let weight = |i: usize| match sample_weight {
        [one] => Some(*one),
        // As many as labels, which may be fewer than outputs.
        many if many.len() == n => many.get(i).copied(),
        many => {
            let place = labels.keys().filter(|&&place| place < i).count();
            labels.contains_key(&i).then(|| many.get(place).copied()).flatten()
        }
    };
    if sample_weight.len() > 1 && ![labels.len(), n].contains(&sample_weight.len()) {
        let found = format!("{} sample weights", sample_weight.len());
        return Err(Error::shape("training data", found, format!("none, 1 or {n}")));
    }
    let output = |(i, &y_pred): (usize, &Value<'g>)| Output {
        y_true: labels.get(&i).map(|label| **label),
        y_pred,
        weights: Weights { sample_weight: weight(i), mask: masks.get(i).copied().flatten() },
    };
    Ok(predictions.iter().enumerate().map(output).collect())
}

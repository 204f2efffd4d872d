//! `model.summary()`: rows for the table Keras prints.

use crate::base::Spec;
use crate::models::functional::{Call, Functional};
use crate::models::model::{Form, Model};
use crate::tensor::Variable;

/// One row of a summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// The layer's name.
    pub name: String,
    /// The layer's class.
    pub class_name: String,
    /// As Keras prints it: `(None, 32)`, or `?` for a layer that is not built.
    pub output_shape: String,
    /// Elements of all of the layer's weights.
    pub params: usize,
    /// `layer[call][output]` of each input, for models that are not a chain.
    pub connected_to: Vec<String>,
}

/// A model's summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The model's name.
    pub name: String,
    /// The model's class.
    pub class_name: String,
    /// The layers in Keras's order.
    pub rows: Vec<SummaryRow>,
    /// Elements of all weights, without the optimizer's state.
    pub total_params: usize,
    /// Elements of the weights that training changes by gradient.
    pub trainable_params: usize,
    /// Bytes of all weights, as stored.
    pub bytes: usize,
    /// Bytes of the weights that training changes by gradient.
    pub trainable_bytes: usize,
    /// Elements of the optimizer's state.
    pub optimizer_params: usize,
    /// Bytes of that state.
    pub optimizer_bytes: usize,
}

impl Model {
    /// The rows and sums of Keras's summary.
    pub fn summary(&self) -> Summary {
        let variables = self.variables();
        let frozen = frozen_variables(self.root().as_ref());
        let trains = |v: &Variable| v.trainable() && !frozen.contains(&v.id());
        let all = || variables.iter().map(|(_, v)| v);
        let total = sum(all().map(Variable::spec));
        let trainable = sum(all().filter(|v| trains(v)).map(Variable::spec));
        let optimizer = self.optimizer_size();
        Summary {
            name: self.name(),
            class_name: self.class_name().into(),
            rows: self.rows(),
            total_params: total.0,
            trainable_params: trainable.0,
            bytes: total.1,
            trainable_bytes: trainable.1,
            optimizer_params: optimizer.0,
            optimizer_bytes: optimizer.1,
        }
    }

    /// Elements and bytes of the optimizer's state: its variables, or what the file holds of an
    /// optimizer that was not built.
    fn optimizer_size(&self) -> (usize, usize) {
        match self.optimizer() {
            Some(optimizer) => sum(optimizer.variables().iter().map(Variable::spec)),
            None => {
                let kept = self.kept_groups().iter().flat_map(|group| &group.datasets);
                sum(kept.map(|(_, dataset)| dataset.spec()))
            }
        }
    }

    fn rows(&self) -> Vec<SummaryRow> {
        match &self.form {
            Form::Functional(model) => functional_rows(model),
            Form::Single(model) => {
                let shapes: Vec<String> =
                    self.outputs().iter().map(|output| output.shape.to_string()).collect();
                vec![row(model.layer.as_ref(), shapes.join(", "), Vec::new())]
            }
            Form::Sequential(model) => model
                .layers
                .iter()
                .enumerate()
                .map(|(i, layer)| {
                    let shape = model.specs.get(i).map(|nested| nested.flatten());
                    let shape = shape.and_then(|specs| specs.first().map(|s| s.shape.to_string()));
                    row(layer.as_ref(), shape.unwrap_or("?".into()), Vec::new())
                })
                .collect(),
        }
    }
}

/// Elements and bytes of tensors.
fn sum<'a>(specs: impl Iterator<Item = &'a Spec>) -> (usize, usize) {
    specs.fold((0, 0), |(elements, bytes), s| (elements + s.shape.len(), bytes + s.bytes()))
}

fn functional_rows(model: &Functional) -> Vec<SummaryRow> {
    let mut calls_of: Vec<Vec<&Call>> = vec![Vec::new(); model.members.len()];
    // Which of its layer's calls each call is.
    let mut nth = Vec::with_capacity(model.calls.len());
    for call in &model.calls {
        nth.push(calls_of[call.layer].len());
        calls_of[call.layer].push(call);
    }
    let name = |member: usize| &model.members[member].layer.base().name;
    let rows = model.order().iter().map(|&member| {
        let calls = &calls_of[member];
        let mut connected = Vec::new();
        for call in calls {
            call.args.visit(&mut |t| {
                let source = name(model.calls[t.call].layer);
                connected.push(format!("{source}[{}][{}]", nth[t.call], t.output));
            });
        }
        let shape = calls.last().map_or("?".into(), |call| output_shape(call));
        row(model.members[member].layer.as_ref(), shape, connected)
    });
    rows.collect()
}

/// The shape that a call gives, or a list of several.
fn output_shape(call: &Call) -> String {
    let shapes: Vec<String> = call.outputs.iter().map(|s| s.shape.to_string()).collect();
    match shapes.as_slice() {
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    }
}

fn row(
    layer: &dyn crate::layers::Layer,
    output_shape: String,
    connected_to: Vec<String>,
) -> SummaryRow {
    SummaryRow {
        name: layer.base().name.clone(),
        class_name: layer.base().class_name.into(),
        output_shape,
        params: params(layer),
        connected_to,
    }
}

/// Elements of all weights of a layer and the layers in it, each counted once.
fn params(layer: &dyn crate::layers::Layer) -> usize {
    let mut seen = std::collections::HashSet::new();
    let mut total = 0;
    visit(layer, &mut |layer| {
        for variable in layer.base().variables.iter().filter(|v| seen.insert(v.id())) {
            total += variable.spec().shape.len();
        }
    });
    total
}

/// Variables of layers that are set not to train.
fn frozen_variables(
    root: &dyn crate::layers::Layer,
) -> std::collections::HashSet<crate::tensor::VariableId> {
    let mut frozen = std::collections::HashSet::new();
    visit(root, &mut |layer| {
        if !layer.base().trainable {
            visit(layer, &mut |inner| {
                frozen.extend(inner.base().variables.iter().map(crate::tensor::Variable::id));
            });
        }
    });
    frozen
}

fn visit(layer: &dyn crate::layers::Layer, f: &mut dyn FnMut(&dyn crate::layers::Layer)) {
    f(layer);
    for (_, children) in layer.children() {
        children.flatten().into_iter().for_each(|child| visit(child.as_ref(), f));
    }
}

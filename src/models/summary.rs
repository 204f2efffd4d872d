//! `model.summary()`: rows for the table Keras prints.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::Spec;
use crate::layers::{Layer, Stage, SymbolicSpec};
use crate::models::form::Form;
use crate::models::functional::{Call, Functional};
use crate::models::model::Model;
use crate::models::weights::{frozen_variables, visit};
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
    /// Whether it has its weights: those of a layer that is not built count as none.
    pub is_built: bool,
    /// Whether its weights train; nothing for a layer without any.
    pub trainable: Option<bool>,
    /// How many models of [`Model::summary_expanded`] it stands in.
    pub level: usize,
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
    /// Whether each layer is called once, with what the one before it gives: then Keras leaves out
    /// the connections.
    pub is_chain: bool,
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
        self.summary_of(self.rows())
    }

    /// The summary with the layers of models within the model, as `expand_nested` in Keras.
    pub fn summary_expanded(&self) -> Summary {
        let layers = self.summary_layers();
        let nested = layers.iter().zip(self.rows()).flat_map(|(layer, row)| {
            let mut rows = vec![row];
            expand(layer.as_ref(), 1, &mut rows);
            rows
        });
        self.summary_of(nested.collect())
    }

    fn summary_of(&self, rows: Vec<SummaryRow>) -> Summary {
        let mut variables = self.variables();
        let mut seen = HashSet::new();
        variables.retain(|(_, variable)| seen.insert(variable.id()));
        let frozen = frozen_variables(self.root().as_ref());
        let trains = |v: &Variable| v.trainable() && !frozen.contains(&v.id());
        let all = || variables.iter().map(|(_, v)| v);
        let total = sum(all().map(Variable::spec));
        let trainable = sum(all().filter(|v| trains(v)).map(Variable::spec));
        let optimizer = self.optimizer_size();
        Summary {
            name: self.name(),
            class_name: self.class_name().into(),
            rows,
            is_chain: self.is_chain(),
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

    /// The layers, and operations, of the rows.
    fn summary_layers(&self) -> Vec<Arc<dyn Layer>> {
        match &self.form {
            Form::Functional(model) => {
                let members = model.operations().iter();
                members.map(|&member| model.members[member].layer.clone()).collect()
            }
            Form::Sequential(_) | Form::Distiller(_) | Form::Single(_) => self.layers(),
        }
    }

    fn is_chain(&self) -> bool {
        match &self.form {
            Form::Functional(model) => is_chain(model),
            Form::Sequential(_) | Form::Distiller(_) | Form::Single(_) => true,
        }
    }

    fn rows(&self) -> Vec<SummaryRow> {
        match &self.form {
            Form::Functional(model) => functional_rows(model),
            Form::Distiller(model) => model
                .layers()
                .iter()
                .map(|layer| row(layer.as_ref(), None, Vec::new(), 0))
                .collect(),
            Form::Single(model) => {
                let outputs = self.outputs();
                let shapes: Vec<String> =
                    outputs.iter().map(|output| output.shape.to_string()).collect();
                vec![row(model.layer.as_ref(), Some(shapes.join(", ")), Vec::new(), 0)]
            }
            Form::Sequential(model) => rows_of(&model.stages(), 0),
        }
    }
}

/// Rows of layers in a chain, or in a model within the model.
fn rows_of(stages: &[Stage], level: usize) -> Vec<SummaryRow> {
    let row_of = |(layer, outputs): &Stage| {
        let shape = outputs.as_deref().map(shapes);
        row(layer.as_ref(), shape, Vec::new(), level)
    };
    stages.iter().map(row_of).collect()
}

/// Adds the rows of the layers in a layer.
fn expand(layer: &dyn Layer, level: usize, rows: &mut Vec<SummaryRow>) {
    let stages = layer.stages();
    for (stage, row) in stages.iter().zip(rows_of(&stages, level)) {
        rows.push(row);
        expand(stage.0.as_ref(), level + 1, rows);
    }
}

/// As Keras decides it: one call at each distance from the outputs, of one tensor or none.
fn is_chain(model: &Functional) -> bool {
    let mut called = HashSet::new();
    let calls = model.operations().iter().map(|&member| {
        let calls = model.calls.iter().enumerate().filter(move |(_, call)| call.layer == member);
        calls.collect::<Vec<_>>()
    });
    let calls: Vec<_> = calls.flatten().collect();
    calls.iter().enumerate().all(|(i, (_, call))| {
        let mut sources = Vec::new();
        call.args.visit(&mut |tensor| sources.push(tensor.call));
        let follows = match (i, sources.as_slice()) {
            (0, []) => true,
            (_, [source]) => i > 0 && calls[i - 1].0 == *source,
            _ => false,
        };
        follows && called.insert(call.layer)
    })
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
    let rows = model.operations().iter().map(|&member| {
        let calls = &calls_of[member];
        let mut connected = Vec::new();
        for call in calls {
            for t in call.args.flatten().into_iter().flatten() {
                let source = name(model.calls[t.call].layer);
                connected.push(format!("{source}[{}][{}]", nth[t.call], t.output));
            }
        }
        let shape = calls.last().map(|call| shapes(&call.outputs));
        row(model.members[member].layer.as_ref(), shape, connected, 0)
    });
    rows.collect()
}

/// One shape, or a list of several.
fn shapes(outputs: &[SymbolicSpec]) -> String {
    let shapes: Vec<String> = outputs.iter().map(|spec| spec.shape.to_string()).collect();
    match shapes.as_slice() {
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    }
}

fn row(
    layer: &dyn Layer,
    output_shape: Option<String>,
    connected_to: Vec<String>,
    level: usize,
) -> SummaryRow {
    let base = layer.base();
    let (weights, params) = params(layer);
    SummaryRow {
        name: base.name.clone(),
        class_name: base.class_name.into(),
        // What was called is built.
        is_built: base.built || output_shape.is_some(),
        output_shape: output_shape.unwrap_or("?".into()),
        params,
        trainable: (weights > 0).then_some(base.trainable),
        level,
        connected_to,
    }
}

/// Number of the weights of a layer and the layers in it, and of their elements, each counted once.
fn params(layer: &dyn Layer) -> (usize, usize) {
    let mut seen = HashSet::new();
    let mut total = 0;
    visit(layer, &mut |layer| {
        for variable in layer.base().variables.iter().filter(|v| seen.insert(v.id())) {
            total += variable.spec().shape.len();
        }
    });
    (seen.len(), total)
}

//! The forms of a model: what stands at the root of a file.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::base::{Nested, Result};
use crate::graph::Value;
use crate::layers::{Args, Context, Layer, Outputs, SymbolicSpec};
use crate::models::InputSpec;
use crate::models::deserialize::Root;
use crate::models::distiller::Distiller;
use crate::models::functional::Functional;
use crate::models::sequential::Sequential;
use crate::models::single::Single;

/// A model, by its form.
#[derive(Clone)]
pub enum Form {
    Functional(Arc<Functional>),
    Sequential(Arc<Sequential>),
    Distiller(Arc<Distiller>),
    Single(Arc<Single>),
}

impl From<Root> for Form {
    fn from(root: Root) -> Form {
        match root {
            Root::Functional(model) => Form::Functional(Arc::new(model)),
            Root::Sequential(model) => Form::Sequential(Arc::new(model)),
        }
    }
}

impl Form {
    /// Whether the extents of an input may be others than those declared. Keras leaves it to the layers
    /// of a sequential model.
    pub fn takes_other_extents(&self) -> bool {
        matches!(self, Form::Sequential(_))
    }

    /// The model as a layer.
    pub fn root(&self) -> Arc<dyn Layer> {
        match self {
            Form::Functional(model) => model.clone(),
            Form::Sequential(model) => model.clone(),
            Form::Distiller(model) => model.clone(),
            Form::Single(model) => model.layer.clone(),
        }
    }

    /// The layers in Keras's order.
    pub fn layers(&self) -> Vec<Arc<dyn Layer>> {
        match self {
            Form::Functional(model) => model.layers(),
            Form::Sequential(model) => model.layers.clone(),
            Form::Distiller(model) => model.layers(),
            Form::Single(model) => vec![model.layer.clone()],
        }
    }

    /// The inputs in order. Empty for a sequential model that is not built.
    pub fn inputs(&self) -> Vec<InputSpec> {
        match self {
            Form::Functional(model) => {
                let input = |&t: &_| InputSpec {
                    optional: model.is_optional(t),
                    ..InputSpec::new(model.name_of(t), model.spec(t))
                };
                model.inputs.flatten().into_iter().map(input).collect()
            }
            Form::Sequential(model) => {
                model.input.iter().map(|(name, spec)| InputSpec::new(name, spec)).collect()
            }
            Form::Distiller(model) => model.student.inputs(),
            Form::Single(model) => {
                model.inputs.iter().map(|(name, spec)| InputSpec::new(name, spec)).collect()
            }
        }
    }

    /// The outputs in order, under the names of the layers that make them.
    pub fn outputs(&self) -> Vec<InputSpec> {
        let mut outputs = Named::default();
        match self {
            Form::Functional(model) => {
                for &tensor in model.outputs.flatten() {
                    outputs.push(model.name_of(tensor), model.spec(tensor));
                }
            }
            Form::Sequential(model) => {
                let last = model.layers.last().map(|l| l.base().name.clone());
                let name =
                    last.or(model.input.as_ref().map(|(n, _)| n.clone())).unwrap_or_default();
                if let Some(specs) = model.output() {
                    outputs.push_all(&name, &specs);
                }
            }
            Form::Distiller(model) => return model.student.outputs(),
            Form::Single(model) => match model.outputs().unwrap_or(Nested::None) {
                Nested::Dict(mut named) => {
                    // In the order in which they are flattened.
                    named.sort_by(|(a, _), (b, _)| a.cmp(b));
                    named.iter().for_each(|(name, specs)| outputs.push_all(name, specs));
                }
                specs => outputs.push_all(&model.layer.base().name, &specs),
            },
        }
        outputs.specs
    }

    /// Structure of the inputs, with their positions in [`inputs`](Form::inputs).
    pub fn input_structure(&self) -> Nested<usize> {
        match self {
            Form::Functional(model) => numbered(&model.inputs),
            Form::Sequential(_) => Nested::Leaf(0),
            Form::Distiller(model) => model.student.input_structure(),
            Form::Single(model) => {
                let named = model.inputs.iter().enumerate();
                Nested::Dict(named.map(|(i, (name, _))| (name.clone(), Nested::Leaf(i))).collect())
            }
        }
    }

    /// Structure of the outputs, with their positions in [`outputs`](Form::outputs).
    pub fn output_structure(&self) -> Nested<usize> {
        match self {
            Form::Functional(model) => numbered(&model.outputs),
            Form::Sequential(model) => {
                model.output().map_or(Nested::Leaf(0), |spec| numbered(&spec))
            }
            Form::Distiller(model) => model.student.output_structure(),
            Form::Single(model) => model.outputs().map_or(Nested::None, |specs| numbered(&specs)),
        }
    }

    /// Outputs and their masks.
    ///
    /// # Errors
    /// As the model's call.
    pub fn call_with_masks<'g>(
        &self,
        cx: &Context<'g>,
        args: &Args<'g>,
    ) -> Result<(Outputs<'g>, Vec<Option<Value<'g>>>)> {
        match self {
            Form::Functional(model) => model.call_with_masks(cx, args, &[]),
            Form::Sequential(model) => model.call_with_masks(cx, args, &[]),
            Form::Distiller(model) => model.student.call_with_masks(cx, args),
            Form::Single(model) => cx.call_with_masks(model.layer.as_ref(), args, &[]),
        }
    }
}

/// The structure with the positions of its leaves.
fn numbered<T>(nested: &Nested<T>) -> Nested<usize> {
    let mut next = 0..;
    let mut number = |_: &T| Ok::<usize, crate::base::Error>(next.next().unwrap_or(0));
    nested.try_map(&mut number).unwrap_or(Nested::None)
}

/// Outputs under names of their own: what is taken gets a number.
#[derive(Default)]
struct Named {
    specs: Vec<InputSpec>,
    counts: HashMap<String, usize>,
    taken: HashSet<String>,
}

impl Named {
    fn push(&mut self, name: &str, spec: &SymbolicSpec) {
        let count = self.counts.entry(name.to_owned()).or_insert(0);
        let mut unique = name.to_owned();
        while !self.taken.insert(unique.clone()) {
            *count += 1;
            unique = format!("{name}_{count}");
        }
        self.specs.push(InputSpec::new(&unique, spec));
    }

    fn push_all(&mut self, name: &str, specs: &Nested<SymbolicSpec>) {
        specs.flatten().into_iter().for_each(|spec| self.push(name, spec));
    }
}

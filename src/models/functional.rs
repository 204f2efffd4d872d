//! Functional models: a graph of calls of layers.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Map;

use crate::base::error::quote;
use crate::base::{Error, Nested, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, Stage, SymbolicSpec};
use crate::models::calls::structure;
use crate::models::deserialize::Reader;
use crate::models::flow::{Flow, masks_of_inputs, values, with_unchanged};
use crate::models::order::by_depth;
use crate::models::rebuild::Rebuild;
use crate::saving::Kind;

/// Output `output` of call `call`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TensorRef {
    pub call: usize,
    pub output: usize,
}

/// One call of a layer; an input is a call without arguments.
pub struct Call {
    pub layer: usize,
    pub args: CallArgs<TensorRef>,
    /// What it gives, flattened.
    pub outputs: Vec<SymbolicSpec>,
}

/// A layer within the model.
pub struct Member {
    pub layer: Arc<dyn Layer>,
    /// Whether it is a layer of Keras, rather than an operation.
    pub is_layer: bool,
}

/// A model that is a graph of calls.
pub struct Functional {
    base: LayerBase,
    pub members: Vec<Member>,
    /// In an order in which they can be made.
    pub calls: Vec<Call>,
    pub inputs: Nested<TensorRef>,
    pub outputs: Nested<TensorRef>,
    /// The calls of inputs that may be left out.
    optional: HashSet<usize>,
    /// Calls in the order in which they run.
    running: Vec<usize>,
    /// Members that are layers, in Keras's order, which decides the paths of weights.
    order: Vec<usize>,
    /// All members that take part, operations too, in that order.
    operations: Vec<usize>,
}

impl Functional {
    pub fn from_config(config: &Map<String, Json>, reader: &Reader<'_>) -> Result<Functional> {
        let missing = |key: &str| Error::Json {
            member: "config.json".into(),
            what: format!("a functional model without '{key}'"),
        };
        let get = |key: &str| config.get(key).ok_or_else(|| missing(key));
        let own = ["name", "trainable", "layers", "input_layers", "output_layers", "dtype"];
        if let Some(key) = config.keys().find(|key| !own.contains(&key.as_str())) {
            return Err(Error::Config {
                owner: "functional model".into(),
                key: quote(key),
                found: quote(&config[key].to_string()),
                expected: "no such key".into(),
            });
        }
        let settings = Config::new("functional model".into(), config.clone(), Json::Null);
        let base = LayerBase::new("Functional", &settings)?;
        let graph = Rebuild::new(get("layers")?, reader)?;
        let inputs = graph.references(&structure(get("input_layers")?)?)?;
        let outputs = graph.references(&structure(get("output_layers")?)?)?;
        if outputs.flatten().is_empty() || inputs.flatten().is_empty() {
            return Err(missing("inputs and outputs"));
        }
        Functional::new(base, graph, inputs, outputs)
    }

    fn new(
        base: LayerBase,
        graph: Rebuild,
        inputs: Nested<TensorRef>,
        outputs: Nested<TensorRef>,
    ) -> Result<Functional> {
        let mut base = base;
        let (members, calls, optional) = graph.into_parts();
        // Inner layers cast to their own dtypes; the model passes its inputs on as they are.
        base.autocast = false;
        base.built = true;
        let order = by_depth(&calls, &inputs, &outputs);
        let layers = order.layers.iter().copied().filter(|&m| members[m].is_layer).collect();
        Ok(Functional {
            base,
            members,
            calls,
            inputs,
            outputs,
            optional,
            running: order.calls,
            order: layers,
            operations: order.layers,
        })
    }

    /// The spec of a tensor of the graph.
    pub fn spec(&self, tensor: TensorRef) -> &SymbolicSpec {
        &self.calls[tensor.call].outputs[tensor.output]
    }

    /// The name of the layer that makes a tensor.
    pub fn name_of(&self, tensor: TensorRef) -> &str {
        &self.members[self.calls[tensor.call].layer].layer.base().name
    }

    /// Whether a tensor is an input that a call may leave out.
    pub fn is_optional(&self, tensor: TensorRef) -> bool {
        self.optional.contains(&tensor.call)
    }

    /// The values of a call's inputs, in order; nothing for those that are left out.
    fn given<'g>(&self, args: &Args<'g>) -> Result<Vec<Option<Value<'g>>>> {
        let given = args.positional.first().or_else(|| args.keyword("inputs"));
        let given = given.filter(|arg| arg.nested().is_some()).map(values).unwrap_or_default();
        let inputs = self.inputs.flatten();
        if given.len() != inputs.len() {
            return Err(Error::shape(
                format!("model '{}'", quote(&self.base.name)),
                format!("{} inputs", given.len()),
                format!("{} inputs", inputs.len()),
            ));
        }
        let mut missing = inputs.into_iter().zip(&given).filter(|(_, value)| value.is_none());
        match missing.find(|(tensor, _)| !self.is_optional(**tensor)) {
            Some((&tensor, _)) => Err(Error::Invalid(format!(
                "the input '{}' of model '{}' is not optional, and nothing is given for it",
                quote(self.name_of(tensor)),
                quote(&self.base.name)
            ))),
            None => Ok(given),
        }
    }

    /// The layers in Keras's order.
    pub fn layers(&self) -> Vec<Arc<dyn Layer>> {
        self.order.iter().map(|&i| self.members[i].layer.clone()).collect()
    }

    /// The members that compute the outputs, layers and operations, in Keras's order.
    pub fn operations(&self) -> &[usize] {
        &self.operations
    }
}

impl Layer for Functional {
    layer_base!();

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        self.call_with_masks(cx, args, &[]).map(|(outputs, _)| outputs)
    }

    /// Runs the calls in their order; masks ride along with the values.
    fn call_with_masks<'g>(
        &self,
        cx: &Context<'g>,
        args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<(Outputs<'g>, Vec<Option<Value<'g>>>)> {
        let given = self.given(args)?;
        let masks = masks_of_inputs(args, masks);
        let mut flow = Flow::new(self.calls.len());
        for (i, (tensor, value)) in self.inputs.flatten().into_iter().zip(given).enumerate() {
            let mask = masks.get(i).copied().flatten();
            flow.put(tensor.call, vec![value], &[mask]);
        }
        for &i in &self.running {
            let call = &self.calls[i];
            if flow.is_empty(i)
                && !(call.args.positional.is_empty() && call.args.keyword.is_empty())
            {
                let layer = self.members[call.layer].layer.as_ref();
                let (args, masks) = flow.arguments(&call.args, layer, cx.graph())?;
                let (outputs, masks) = cx.call_with_masks(layer, &args, &masks)?;
                let outputs: Vec<_> = outputs.flatten().into_iter().copied().collect();
                let masks = with_unchanged(&outputs, &masks, &flow.inputs(&call.args));
                if layer.takes_masks() {
                    flow.forget_masks(&call.args, layer.base().policy.compute);
                }
                flow.put(i, outputs.into_iter().map(Some).collect(), &masks);
            }
        }
        let outputs = self.outputs.try_map(&mut |t| {
            flow.value(t)?.ok_or_else(|| {
                let name = quote(self.name_of(*t));
                Error::Unsupported(format!("the output '{name}', an input that is left out"))
            })
        })?;
        let masks = self.outputs.flatten().into_iter().map(|t| flow.mask(t)).collect();
        Ok((outputs, masks))
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["mask"]
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        let layers = self.layers().into_iter().map(Nested::Leaf).collect();
        vec![("layers", Nested::List(layers))]
    }

    fn stages(&self) -> Vec<Stage> {
        let stage = |&member: &usize| {
            let last = self.calls.iter().rev().find(|call| call.layer == member);
            (self.members[member].layer.clone(), last.map(|call| call.outputs.clone()))
        };
        self.order.iter().map(stage).collect()
    }

    fn kind(&self) -> Kind {
        Kind::Functional
    }
}

//! Functional models: a graph of calls of layers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde_json::Map;

use crate::base::error::quote;
use crate::base::{DType, Error, Nested, Result, ResultExt};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::symbolic::output_specs;
use crate::layers::{
    Arg, Args, CallArgs, Context, InputLayer, Layer, LayerBase, Outputs, Stage, SymbolicSpec,
};
use crate::models::calls::{History, inbound_nodes, structure};
use crate::models::deserialize::{Names, Reader, Record};
use crate::models::flow::{Flow, masks_of_inputs, with_unchanged};
use crate::models::order::by_depth;
use crate::models::shared::build;
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
    /// Calls in the order in which they run.
    running: Vec<usize>,
    /// Members that are layers, in Keras's order, which decides the paths of weights.
    order: Vec<usize>,
    /// All members that take part, operations too, in that order.
    operations: Vec<usize>,
}

/// A layer being put into the graph.
struct Pending {
    layer: Arc<dyn Layer>,
    input: Option<SymbolicSpec>,
    is_layer: bool,
    /// Whether histories of `output_layers` count its own node as the first.
    is_functional: bool,
    nodes: Vec<CallArgs<History>>,
    /// Calls made so far.
    calls: Vec<usize>,
    /// Calls that the next one waits for.
    missing: usize,
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
        let (pending, index) = pending_layers(get("layers")?, reader)?;
        let mut graph = Rebuild { pending, index, calls: Vec::new(), waiting: HashMap::new() };
        graph.make_all()?;
        graph.check_float64(reader)?;
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
        // Inner layers cast to their own dtypes; the model passes its inputs on as they are.
        base.autocast = false;
        base.built = true;
        let members: Vec<Member> = graph
            .pending
            .into_iter()
            .map(|p| Member { layer: p.layer, is_layer: p.is_layer })
            .collect();
        let order = by_depth(&graph.calls, &inputs, &outputs);
        let layers = order.layers.iter().copied().filter(|&m| members[m].is_layer).collect();
        Ok(Functional {
            base,
            members,
            calls: graph.calls,
            inputs,
            outputs,
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

    /// The layers in Keras's order.
    pub fn layers(&self) -> Vec<Arc<dyn Layer>> {
        self.order.iter().map(|&i| self.members[i].layer.clone()).collect()
    }

    /// The members that compute the outputs, layers and operations, in Keras's order.
    pub fn operations(&self) -> &[usize] {
        &self.operations
    }
}

fn pending_layers(
    json: &Json,
    reader: &Reader<'_>,
) -> Result<(Vec<Pending>, HashMap<String, usize>)> {
    let fail = |what: String| Error::Json { member: "config.json".into(), what };
    let records = json.as_array().ok_or_else(|| fail("'layers' is not a list".into()))?;
    let mut pending = Vec::with_capacity(records.len());
    let mut index = HashMap::with_capacity(records.len());
    let mut names = Names::default();
    for record in records {
        let name = record.get("name").and_then(Json::as_str);
        let name = name.ok_or_else(|| fail("a layer of a functional model without name".into()))?;
        let nodes = record.get("inbound_nodes");
        let nodes =
            nodes.ok_or_else(|| fail(format!("layer '{}' without inbound_nodes", quote(name))))?;
        let parsed = Record::parse(record)?;
        names.claim(&parsed)?;
        let mut input = None;
        if parsed.class_name == "InputLayer" {
            let config =
                Config::new(format!("input '{}'", quote(name)), parsed.config.clone(), Json::Null);
            input = Some(InputLayer::spec(&config)?);
        }
        let layer = reader.member(record)?;
        if index.insert(name.to_owned(), pending.len()).is_some() {
            return Err(fail(format!("two layers are called '{}'", quote(name))));
        }
        let is_functional = layer.base().class_name == "Functional";
        let is_layer = layer.kind() != Kind::Operation;
        let nodes = inbound_nodes(nodes).at(|| format!("layer '{}'", quote(name)))?;
        pending.push(Pending {
            layer,
            input,
            is_layer,
            is_functional,
            nodes,
            calls: Vec::new(),
            missing: 0,
        });
    }
    Ok((pending, index))
}

impl Rebuild {
    /// Tells the reader of operations whose results are float64. Layers have policies for that, and
    /// an input of float64 is cast by the first of them.
    fn check_float64(&self, reader: &Reader<'_>) -> Result<()> {
        let wide = |call: &&Call| call.outputs.iter().any(|spec| spec.dtype == DType::Float64);
        let layers = self.calls.iter().filter(wide).map(|call| &self.pending[call.layer]);
        for operation in layers.filter(|pending| !pending.is_layer) {
            reader.float64(&operation.layer.base().name)?;
        }
        Ok(())
    }
}

/// Makes the calls of a config in an order in which their inputs exist.
struct Rebuild {
    pending: Vec<Pending>,
    index: HashMap<String, usize>,
    calls: Vec<Call>,
    /// Layers that wait for a call, by the layer and the number of the call.
    waiting: HashMap<(usize, usize), Vec<usize>>,
}

impl Rebuild {
    fn make_all(&mut self) -> Result<()> {
        for layer in 0..self.pending.len() {
            if let Some(spec) = self.pending[layer].input.clone() {
                self.pending[layer].calls.push(self.calls.len());
                self.calls.push(Call { layer, args: CallArgs::default(), outputs: vec![spec] });
            }
        }
        let mut ready: VecDeque<usize> =
            (0..self.pending.len()).filter(|&l| self.pending[l].input.is_none()).collect();
        while let Some(layer) = ready.pop_front() {
            self.make_ready(layer, &mut ready)?;
        }
        match self.pending.iter().position(|p| p.calls.len() < p.nodes.len()) {
            Some(layer) => Err(self.stuck(layer)),
            None => Ok(()),
        }
    }

    /// Makes a layer's calls as far as their inputs exist. Layers that wait for nothing else than one
    /// of these calls become ready.
    fn make_ready(&mut self, layer: usize, ready: &mut VecDeque<usize>) -> Result<()> {
        while self.pending[layer].calls.len() < self.pending[layer].nodes.len() {
            let node = self.pending[layer].calls.len();
            let missing = self.missing(layer, node)?;
            if !missing.is_empty() {
                self.pending[layer].missing = missing.len();
                for call in missing {
                    self.waiting.entry(call).or_default().push(layer);
                }
                return Ok(());
            }
            self.make(layer, node)?;
            for waiting in self.waiting.remove(&(layer, node)).unwrap_or_default() {
                self.pending[waiting].missing -= 1;
                if self.pending[waiting].missing == 0 {
                    ready.push_back(waiting);
                }
            }
        }
        Ok(())
    }

    /// The calls, by layer and number, that a call needs and that are not made yet, each once.
    fn missing(&self, layer: usize, node: usize) -> Result<HashSet<(usize, usize)>> {
        let mut missing = HashSet::new();
        let mut failure = None;
        self.pending[layer].nodes[node].visit(
            &mut |history| match self.reference(history, false) {
                Ok(Some(_)) => {}
                Ok(None) => {
                    missing.extend(self.index.get(&history.layer).map(|&l| (l, history.node)));
                }
                Err(error) => failure = Some(error),
            },
        );
        failure.map_or(Ok(missing), Err)
    }

    fn make(&mut self, layer: usize, node: usize) -> Result<()> {
        let args = self.pending[layer].nodes[node].try_map(&mut |history| {
            self.reference(history, false)?
                .ok_or_else(|| Error::Internal("an input that was there is gone".into()))
        })?;
        let specs =
            args.try_map(&mut |t: &TensorRef| Ok(self.calls[t.call].outputs[t.output].clone()))?;
        let pending = &mut self.pending[layer];
        let name = pending.layer.base().name.clone();
        build(&mut pending.layer, &specs).at(|| format!("layer '{}'", quote(&name)))?;
        let outputs = output_specs(pending.layer.as_ref(), &specs)?;
        let outputs = outputs.flatten().into_iter().cloned().collect();
        pending.calls.push(self.calls.len());
        self.calls.push(Call { layer, args, outputs });
        Ok(())
    }

    /// The tensor of a history; `None` when its call is not made yet.
    fn reference(&self, history: &History, of_model: bool) -> Result<Option<TensorRef>> {
        let fail = |what: String| Error::Json { member: "config.json".into(), what };
        let &layer = self.index.get(&history.layer).ok_or_else(|| {
            fail(format!("a tensor of the unknown layer '{}'", quote(&history.layer)))
        })?;
        let pending = &self.pending[layer];
        // Keras counts a functional model's own node there, and only there.
        let shift = usize::from(of_model && pending.is_functional && history.node > 0);
        let node = history.node - shift;
        let total = pending.nodes.len().max(usize::from(pending.input.is_some()));
        if node >= total {
            return Err(fail(format!(
                "call {} of layer '{}', which is called {total} times",
                history.node,
                quote(&history.layer)
            )));
        }
        let Some(&call) = pending.calls.get(node) else { return Ok(None) };
        if history.tensor >= self.calls[call].outputs.len() {
            return Err(fail(format!(
                "output {} of layer '{}', which has {}",
                history.tensor,
                quote(&history.layer),
                self.calls[call].outputs.len()
            )));
        }
        Ok(Some(TensorRef { call, output: history.tensor }))
    }

    fn references(&self, nested: &Nested<History>) -> Result<Nested<TensorRef>> {
        nested.try_map(&mut |history| {
            self.reference(history, true)?
                .ok_or_else(|| Error::Internal("a call was not made".into()))
        })
    }

    fn stuck(&self, layer: usize) -> Error {
        let name = &self.pending[layer].layer.base().name;
        Error::Json {
            member: "config.json".into(),
            what: format!("the calls of layer '{}' wait for each other in a circle", quote(name)),
        }
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
        let given = args.get(0, "inputs").and_then(Arg::nested);
        let given: Vec<Value<'g>> =
            given.iter().flat_map(|nested| nested.flatten()).copied().collect();
        let inputs = self.inputs.flatten();
        if given.len() != inputs.len() {
            return Err(Error::shape(
                format!("model '{}'", quote(&self.base.name)),
                format!("{} inputs", given.len()),
                format!("{} inputs", inputs.len()),
            ));
        }
        let masks = masks_of_inputs(args, masks);
        let mut flow = Flow::new(self.calls.len());
        for (i, (tensor, value)) in inputs.into_iter().zip(given).enumerate() {
            let mask = masks.get(i).copied().flatten();
            flow.put(tensor.call, vec![value], &[mask]);
        }
        for &i in &self.running {
            let call = &self.calls[i];
            if flow.is_empty(i)
                && !(call.args.positional.is_empty() && call.args.keyword.is_empty())
            {
                let layer = self.members[call.layer].layer.as_ref();
                let (args, masks) = flow.arguments(&call.args, layer)?;
                let (outputs, masks) = cx.call_with_masks(layer, &args, &masks)?;
                let outputs: Vec<_> = outputs.flatten().into_iter().copied().collect();
                let masks = with_unchanged(&outputs, &masks, &flow.inputs(&call.args));
                if layer.takes_masks() {
                    flow.forget_masks(&call.args, layer.base().policy.compute);
                }
                flow.put(i, outputs, &masks);
            }
        }
        let outputs = self.outputs.try_map(&mut |t| flow.value(t))?;
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

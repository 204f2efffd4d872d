//! The calls of a functional config, made in an order in which their inputs exist.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{DType, Error, Nested, Result, ResultExt, SymbolicShape};
use crate::layers::config::{Config, Json};
use crate::layers::{CallArgs, InputLayer, Layer, SymbolicSpec, build, output_specs};
use crate::models::calls::{History, inbound_nodes};
use crate::models::deserialize::{Names, Reader, Record};
use crate::models::functional::{Call, Member, TensorRef};
use crate::saving::Kind;

/// A layer being put into the graph.
struct Pending {
    layer: Arc<dyn Layer>,
    /// What an input declares, and whether a call may leave it out.
    input: Option<(SymbolicSpec, bool)>,
    is_layer: bool,
    /// Whether histories of `output_layers` count its own node as the first.
    is_functional: bool,
    nodes: Vec<CallArgs<History>>,
    /// Calls made so far.
    calls: Vec<usize>,
    /// Calls that the next one waits for.
    missing: usize,
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
            let optional = config.optional_bool("optional")?.unwrap_or(false);
            input = Some((InputLayer::spec(&config)?, optional));
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

/// Makes the calls of a config in an order in which their inputs exist.
pub(super) struct Rebuild {
    pending: Vec<Pending>,
    index: HashMap<String, usize>,
    calls: Vec<Call>,
    /// Layers that wait for a call, by the layer and the number of the call.
    waiting: HashMap<(usize, usize), Vec<usize>>,
}

impl Rebuild {
    /// The calls of a model's layers, all made.
    pub fn new(layers: &Json, reader: &Reader<'_>) -> Result<Rebuild> {
        let (pending, index) = pending_layers(layers, reader)?;
        let mut graph = Rebuild { pending, index, calls: Vec::new(), waiting: HashMap::new() };
        graph.make_all()?;
        graph.check_float64(reader)?;
        Ok(graph)
    }

    /// The layers, the calls, and which of these are inputs that may be left out.
    pub fn into_parts(self) -> (Vec<Member>, Vec<Call>, HashSet<usize>) {
        let may_be_left_out = |pending: &&Pending| matches!(pending.input, Some((_, true)));
        let optional = self.pending.iter().filter(may_be_left_out);
        let optional = optional.filter_map(|pending| pending.calls.first().copied()).collect();
        let member = |p: Pending| Member { layer: p.layer, is_layer: p.is_layer };
        (self.pending.into_iter().map(member).collect(), self.calls, optional)
    }

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
    fn make_all(&mut self) -> Result<()> {
        for layer in 0..self.pending.len() {
            if let Some((spec, _)) = self.pending[layer].input.clone() {
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
        let mut specs =
            args.try_map(&mut |t: &TensorRef| Ok(self.calls[t.call].outputs[t.output].clone()))?;
        let pending = &mut self.pending[layer];
        if pending.layer.kind() != Kind::Operation {
            specs = specs.with_constants(&|tensor| SymbolicSpec {
                shape: SymbolicShape::from(tensor.shape()),
                dtype: tensor.dtype(),
            })?;
        }
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

    /// The tensors of a model's inputs or outputs.
    pub fn references(&self, nested: &Nested<History>) -> Result<Nested<TensorRef>> {
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

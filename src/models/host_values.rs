//! Predictions of models in which layers work on the host: on text, on tables, with hashes.
//!
//! Such layers compute while the model is traced ([`HostRun`]). What they give becomes inputs of the
//! graph, so the rest of the model is one program as ever, and its plan is kept for further batches of
//! the same shapes. A value that the device must compute first is computed when it is asked for, by
//! the part of the graph that exists by then.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::base::{Error, Result};
use crate::graph::{Graph, NodeId, Trace};
use crate::layers::{Context, HostRun};
use crate::models::model::Model;
use crate::models::predict::Part;
use crate::program::{Options, Program};
use crate::runtime::Device;
use crate::tensor::Tensor;

/// What is known while one batch is traced.
struct HostValues<'m> {
    model: &'m Model,
    device: &'m Device,
    passes: &'m Options,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// The graph's inputs: the model's, then what layers have given.
    feeds: Vec<Tensor>,
    known: HashMap<NodeId, Tensor>,
    /// Results by layer and inputs.
    done: HashMap<(usize, Vec<NodeId>), NodeId>,
    /// Values computed so far on the device.
    computed: usize,
}

/// A model traced with data.
pub(crate) struct Traced {
    pub trace: Trace,
    pub outputs: Vec<NodeId>,
    /// The tensors of the trace's inputs.
    pub feeds: Vec<Tensor>,
    /// Values that need no computing any more.
    known: HashMap<NodeId, Tensor>,
}

impl Model {
    /// A prediction of rows that fit one batch.
    pub(crate) fn run_on_host(
        &self,
        inputs: &[Option<Tensor>],
        device: &Device,
        passes: &Options,
    ) -> Result<Vec<Tensor>> {
        let traced = self.trace_with(inputs, device, passes)?;
        let open = |id: &NodeId| !traced.known.contains_key(id);
        let wanted: Vec<NodeId> = traced.outputs.iter().copied().filter(open).collect();
        let run = Run { model: self, device, passes };
        let computed = run.part(Part::Outputs, traced.trace, &wanted, &traced.feeds)?;
        let mut computed = computed.into_iter();
        let output = |id| traced.known.get(id).cloned().or_else(|| computed.next());
        let outputs: Option<Vec<Tensor>> = traced.outputs.iter().map(output).collect();
        outputs.ok_or_else(|| Error::Internal("fewer values than outputs".into()))
    }

    /// Traces the model with the data of one batch; layers of the host work now.
    pub(crate) fn trace_with(
        &self,
        inputs: &[Option<Tensor>],
        device: &Device,
        passes: &Options,
    ) -> Result<Traced> {
        let graph = Graph::new();
        let host = HostValues { model: self, device, passes, state: RefCell::default() };
        let place = |t: &Option<Tensor>| Some(graph.at(host.place(&graph, t.clone()?)));
        let values: Vec<_> = inputs.iter().map(place).collect();
        let outputs = self.call_root(&Context::new(&graph, false).with_host(&host), &values);
        let State { feeds, known, .. } = host.state.into_inner();
        // An error inside a formula is kept by the graph, with its place: it comes first.
        let trace = graph.finish()?;
        Ok(Traced { trace, outputs: outputs?, feeds, known })
    }
}

/// Where a batch is computed.
struct Run<'m> {
    model: &'m Model,
    device: &'m Device,
    passes: &'m Options,
}

impl Run<'_> {
    /// Computes values of a trace from the tensors of its inputs.
    fn part(
        &self,
        part: Part,
        trace: Trace,
        wanted: &[NodeId],
        feeds: &[Tensor],
    ) -> Result<Vec<Tensor>> {
        if wanted.is_empty() && trace.assigns.is_empty() {
            return Ok(Vec::new());
        }
        let mut program = Program::new(trace, wanted);
        let kept = program.drop_unused_inputs();
        let inputs: Vec<Tensor> = kept.into_iter().map(|i| feeds[i].clone()).collect();
        let specs: Vec<_> = inputs.iter().map(|t| Some(t.spec().clone())).collect();
        let plan = self.model.plan(part, &specs, self.device, self.passes, || Ok(program))?;
        plan.run(&inputs)
    }
}

impl HostValues<'_> {
    /// Makes a tensor an input of the graph.
    fn place(&self, graph: &Graph, tensor: Tensor) -> NodeId {
        let id = graph.input(tensor.spec().clone()).id();
        let mut state = self.state.borrow_mut();
        state.feeds.push(tensor.clone());
        state.known.insert(id, tensor);
        id
    }

    /// The tensor of a value, computed if it is not known yet.
    fn tensor(&self, graph: &Graph, id: NodeId) -> Result<Tensor> {
        if let Some(tensor) = self.state.borrow().known.get(&id) {
            return Ok(tensor.clone());
        }
        // Variables change when the outputs are computed, not before.
        let trace = Trace { assigns: Vec::new(), ..graph.so_far()? };
        let (feeds, part) = {
            let mut state = self.state.borrow_mut();
            state.computed += 1;
            (state.feeds.clone(), Part::Value(state.computed))
        };
        let run = Run { model: self.model, device: self.device, passes: self.passes };
        let computed = run.part(part, trace, &[id], &feeds)?.pop();
        let tensor = computed.ok_or_else(|| Error::Internal("no value computed".into()))?;
        self.state.borrow_mut().known.insert(id, tensor.clone());
        Ok(tensor)
    }
}

impl HostRun for HostValues<'_> {
    fn run(
        &self,
        graph: &Graph,
        layer: usize,
        inputs: &[NodeId],
        work: &mut dyn FnMut(&[Tensor]) -> Result<Tensor>,
    ) -> Result<NodeId> {
        let key = (layer, inputs.to_vec());
        if let Some(&id) = self.state.borrow().done.get(&key) {
            return Ok(id);
        }
        let tensors = inputs.iter().map(|&id| self.tensor(graph, id));
        let tensors: Vec<Tensor> = tensors.collect::<Result<_>>()?;
        let id = self.place(graph, work(&tensors)?);
        self.state.borrow_mut().done.insert(key, id);
        Ok(id)
    }
}

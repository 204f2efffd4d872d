//! What a layer's `call` may touch besides its inputs.

use std::collections::HashSet;

use crate::base::error::quote;
use crate::base::{DType, Error, Result, ResultExt};
use crate::graph::{Graph, LossOwner, Value};
use crate::layers::config::Json;
use crate::layers::{Arg, Args, CallArgs, HostRun, Layer, Outputs};
use crate::tensor::Variable;

/// The surroundings of a call: the graph it writes into, the mode, and access to variables.
#[derive(Clone, Copy)]
pub struct Context<'g> {
    graph: &'g Graph,
    training: bool,
    shapes_only: bool,
    /// Whether outputs add nothing to the loss.
    silent: bool,
    /// Whether the call is within that of another layer.
    inside: bool,
    /// What floating variables are cast to where they are read.
    compute: DType,
    /// The compute dtype of the layer itself.
    own: DType,
    host: Option<&'g dyn HostRun>,
    unknown: usize,
}

impl<'g> Context<'g> {
    /// A context that traces into `graph`, for inference or for training.
    pub fn new(graph: &'g Graph, training: bool) -> Context<'g> {
        Context {
            graph,
            training,
            shapes_only: false,
            silent: false,
            inside: false,
            compute: DType::Float32,
            own: DType::Float32,
            host: None,
            unknown: 1,
        }
    }

    /// A context for the shapes of a call's outputs, with inputs of which only the known extents mean
    /// anything.
    pub fn for_shapes(graph: &'g Graph) -> Context<'g> {
        Context { shapes_only: true, ..Context::new(graph, false) }
    }

    /// The same context for a call that changes no state and adds no loss.
    #[must_use]
    pub fn without_effects(&self) -> Context<'g> {
        Context { training: false, silent: true, ..*self }
    }

    /// The same, where layers that work on the host compute while the trace goes on.
    #[must_use]
    pub fn with_host(self, host: &'g dyn HostRun) -> Context<'g> {
        Context { host: Some(host), ..self }
    }

    /// The same, where extents that only such layers' results tell are taken to be `unknown`.
    #[must_use]
    pub fn with_unknown(self, unknown: usize) -> Context<'g> {
        Context { unknown, ..self }
    }

    pub(crate) fn host(&self) -> Option<&'g dyn HostRun> {
        self.host
    }

    pub(crate) fn unknown(&self) -> usize {
        self.unknown
    }

    /// The graph that the call is written in.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// Whether a training step is traced.
    pub fn training(&self) -> bool {
        self.training
    }

    /// Whether the trace is for shapes only, and will not be run.
    pub fn shapes_only(&self) -> bool {
        self.shapes_only
    }

    /// The dtype in which the layer computes.
    pub fn compute_dtype(&self) -> DType {
        self.own
    }

    /// The value of a variable; a floating one is cast to the layer's compute dtype.
    pub fn read(&self, variable: &Variable) -> Value<'g> {
        let value = self.graph.read(variable);
        if value.dtype().is_float() { value.cast(self.compute) } else { value }
    }

    /// The value of a variable that `build` was to make.
    ///
    /// # Errors
    /// [`Error::Internal`] if `build` has not made it.
    pub fn weight(&self, variable: &Option<Variable>, name: &str) -> Result<Value<'g>> {
        let missing = || Error::Internal(format!("variable '{name}' is used before it is built"));
        variable.as_ref().map(|v| self.read(v)).ok_or_else(missing)
    }

    /// Calls a layer: opens its scope, checks keywords, casts floating inputs to its compute dtype,
    /// adds the penalty on its outputs to the loss.
    ///
    /// As in Keras, a layer that is not within another one forgets what it and its parts have added to
    /// the loss in earlier calls.
    ///
    /// # Errors
    /// If the layer has no such keyword, or cannot compute what it was given; further errors come
    /// out when the trace ends.
    pub fn call(&self, layer: &dyn Layer, args: &Args<'g>) -> Result<Outputs<'g>> {
        let call = |inner: &Context<'g>, args: &Args<'g>| Ok((layer.call(inner, args)?, ()));
        self.penalized(layer, args, call).map(|(outputs, ())| outputs)
    }

    /// [`call`](Context::call) with tensors at its positions, of a layer that gives one: Python's
    /// `layer(x, y)`.
    ///
    /// # Errors
    /// As [`call`](Context::call), and if there are several outputs.
    pub fn apply(
        &self,
        layer: &dyn Layer,
        tensors: impl IntoIterator<Item = Value<'g>>,
    ) -> Result<Value<'g>> {
        let outputs = self.call(layer, &CallArgs::of(tensors))?;
        let name = || format!("outputs of '{}'", quote(&layer.base().name));
        let several = || Error::shape(name(), format!("{}", outputs.flatten().len()), "one tensor");
        outputs.leaf().copied().ok_or_else(several)
    }

    /// [`call`](Context::call) where `masks` come with the tensors of the first argument, and masks
    /// with the outputs.
    ///
    /// # Errors
    /// As [`call`](Context::call).
    pub fn call_with_masks(
        &self,
        layer: &dyn Layer,
        args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<(Outputs<'g>, Vec<Option<Value<'g>>>)> {
        self.penalized(layer, args, |inner, args| layer.call_with_masks(inner, args, masks))
    }

    /// Only a layer's `call`, where Keras does not call the layer itself: nothing is added to the loss for
    /// its outputs, its inputs are not cast, and its variables are read in the caller's compute dtype. A
    /// caller of a low precision throughout casts none, and the layer computes as if it were called.
    ///
    /// # Errors
    /// As [`call`](Context::call).
    pub fn call_inside(
        &self,
        caller: &dyn Layer,
        layer: &dyn Layer,
        args: &Args<'g>,
    ) -> Result<Outputs<'g>> {
        let policy = &caller.base().policy;
        let casts = policy.compute != policy.variable || policy.compute == DType::Float32;
        let call = |inner: &Context<'g>, args: &Args<'g>| {
            let compute = if casts { self.compute } else { inner.compute };
            Ok((layer.call(&Context { compute, ..*inner }, args)?, ()))
        };
        let autocast = !casts && layer.base().autocast;
        self.called(layer, args, autocast, call).map(|(outputs, ())| outputs)
    }

    fn penalized<T>(
        &self,
        layer: &dyn Layer,
        args: &Args<'g>,
        call: impl FnOnce(&Context<'g>, &Args<'g>) -> Result<(Outputs<'g>, T)>,
    ) -> Result<(Outputs<'g>, T)> {
        let adds = !self.shapes_only && !self.silent;
        if adds && !self.inside && !self.graph.losses().is_empty() {
            let mut owners = HashSet::new();
            collect_owners(layer, &mut owners);
            self.graph.drop_losses(|owner| owners.contains(&owner));
        }
        let (outputs, more) = self.called(layer, args, layer.base().autocast, call)?;
        let rules = &layer.base().rules;
        if adds && rules.activity.is_some() {
            let penalize = |output: &Value<'g>| rules.add_activity_loss(owner(layer), *output);
            self.within(layer, |_| outputs.flatten().into_iter().try_for_each(penalize))?;
        }
        Ok((outputs, more))
    }

    fn called<T>(
        &self,
        layer: &dyn Layer,
        args: &Args<'g>,
        autocast: bool,
        call: impl FnOnce(&Context<'g>, &Args<'g>) -> Result<(Outputs<'g>, T)>,
    ) -> Result<(Outputs<'g>, T)> {
        if self.graph.has_failed() {
            // The graph keeps the first error, and nothing after it means anything.
            return Err(Error::Internal("a call after an error".into()));
        }
        let base = layer.base();
        let name = quote(&base.name);
        for (keyword, arg) in &args.keyword {
            let accepted = keyword == "inputs"
                || layer.takes_any_keyword()
                || layer.keywords().contains(&keyword.as_str());
            if !accepted && !is_idle(keyword, arg) {
                return Err(Error::Unsupported(format!(
                    "layer '{name}' ({}) called with argument '{}'",
                    base.class_name,
                    quote(keyword)
                )));
            }
        }
        let compute = base.policy.compute;
        let cast =
            |v: &Value<'g>| Ok(if autocast && v.dtype().is_float() { v.cast(compute) } else { *v });
        self.within(layer, |inner| call(inner, &args.try_map(&mut { cast })?))
    }

    /// Runs `f` inside of a layer: in its scope and with its compute dtype. For layers that use a part
    /// of another one; [`call`](Context::call) is the way to all of it.
    ///
    /// # Errors
    /// That of `f`, with the layer's name.
    pub fn within<T>(
        &self,
        layer: &dyn Layer,
        f: impl FnOnce(&Context<'g>) -> Result<T>,
    ) -> Result<T> {
        let name = quote(&layer.base().name);
        let compute = layer.base().policy.compute;
        let inner = Context { compute, own: compute, inside: true, ..*self };
        self.graph.scope(&name, || f(&inner)).at(|| format!("layer '{name}'"))
    }
}

/// What stands for a layer as the owner of losses.
fn owner(layer: &dyn Layer) -> LossOwner {
    std::ptr::from_ref(layer.base()).addr()
}

/// The owners that a layer and its parts are.
fn collect_owners(layer: &dyn Layer, owners: &mut HashSet<LossOwner>) {
    if owners.insert(owner(layer)) {
        for (_, nested) in layer.children() {
            nested.flatten().into_iter().for_each(|part| collect_owners(part.as_ref(), owners));
        }
    }
}

/// Whether leaving an argument out changes nothing: null, and `training`, since predicting and
/// training both say which it is and a model passes that on to every layer.
fn is_idle(keyword: &str, arg: &Arg<Value<'_>>) -> bool {
    match arg {
        Arg::Plain(Json::Null) => true,
        Arg::Plain(Json::Bool(_)) => keyword == "training",
        _ => false,
    }
}

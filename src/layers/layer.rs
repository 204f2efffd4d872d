//! What every layer is.

use std::sync::Arc;

use crate::base::{DType, Error, Nested, Result, Shape, Source, Spec, SymbolicShape};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::lora::Adaptation;
use crate::layers::weight_rules::WeightRules;
use crate::layers::{Args, CallArgs, Cell, Context, DTypePolicy, masks};
use crate::saving::saveable::{Assets, Kind};
use crate::tensor::Variable;

/// What a call gives: one value, or a structure of them.
pub type Outputs<'g> = Nested<Value<'g>>;

/// Shape, possibly with unknown extents, and dtype of a symbolic tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolicSpec {
    /// Extents with the batch axis; `None` where unknown.
    pub shape: SymbolicShape,
    /// Element type.
    pub dtype: DType,
}

/// A layer that a model calls, and what it gives, flattened, where it is known.
pub type Stage = (Arc<dyn Layer>, Option<Vec<SymbolicSpec>>);

/// A layer of a model: it makes its variables from input shapes and writes its mathematics on graph
/// values. Constructors read the layer's config; its shape function is its `call`, traced.
pub trait Layer: Send + Sync {
    /// What all layers have.
    fn base(&self) -> &LayerBase;
    /// What all layers have, to be changed: `build` adds variables here.
    fn base_mut(&mut self) -> &mut LayerBase;

    /// Makes variables and sub-layers, in Keras's order, for inputs of these shapes. Called once.
    /// A layer without variables needs none.
    ///
    /// # Errors
    /// If the layer cannot work on inputs of these shapes.
    fn build(&mut self, _inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        Ok(())
    }

    /// The layer's mathematics.
    ///
    /// # Errors
    /// If the arguments are not those that the layer takes; further errors come out when the trace
    /// ends.
    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>>;

    /// The mask that goes with the first output, where `masks` came with the tensors of the first
    /// argument: booleans (batch, steps), true for steps that count. Keras's `compute_mask`.
    ///
    /// # Errors
    /// If the masks do not fit the layer.
    fn output_mask<'g>(
        &self,
        _cx: &Context<'g>,
        _args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<Option<Value<'g>>> {
        let first = masks.first().copied().flatten();
        Ok(first.filter(|_| masks::keeps(self.base().class_name)))
    }

    /// The layer's mathematics with the masks of its outputs, the first ones if there are fewer masks.
    /// Models overwrite it, whose layers decide on the masks.
    ///
    /// # Errors
    /// As [`call`](Layer::call) and [`output_mask`](Layer::output_mask).
    fn call_with_masks<'g>(
        &self,
        cx: &Context<'g>,
        args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<(Outputs<'g>, Vec<Option<Value<'g>>>)> {
        let outputs = self.call(cx, args)?;
        Ok((outputs, vec![self.output_mask(cx, args, masks)?]))
    }

    /// Whether a call takes the masks away from its inputs, so that later calls do not see them.
    fn takes_masks(&self) -> bool {
        false
    }

    /// Sub-layers under Keras's Python attribute names (`cell`, `_query_dense`): one, or a list of
    /// them, as the attribute holds.
    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        Vec::new()
    }

    /// The layers that a model calls, in Keras's order.
    fn stages(&self) -> Vec<Stage> {
        Vec::new()
    }

    /// The layer as a cell, which a recurrent layer runs once for every time step.
    fn cell(&self) -> Option<&dyn Cell> {
        None
    }

    /// The layer's own variables that no file holds: keys of random numbers, and what it remembers from
    /// one call to the next.
    fn memory(&self) -> Vec<Variable> {
        Vec::new()
    }

    /// Puts back what the layer remembers from one prediction to the next. Keras's `reset_state`.
    ///
    /// # Errors
    /// If a state cannot be written.
    fn reset_state(&self) -> Result<()> {
        Ok(())
    }

    /// What the layer is to the walk that orders a file's weights.
    fn kind(&self) -> Kind {
        Kind::Layer
    }

    /// Keyword arguments of `call` that the layer makes use of.
    fn keywords(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a call may have any other keyword too, whose names the layer's own arguments give.
    fn takes_any_keyword(&self) -> bool {
        false
    }

    /// How many words a lookup knows, with the special ones; nothing for other layers. Keras's
    /// `vocabulary_size`.
    fn vocabulary_size(&self) -> Option<usize> {
        None
    }

    /// Whether the layer itself works on the host while a model is traced, as layers of text do.
    fn on_host(&self) -> bool {
        false
    }

    /// The layer's own variables with the keys of their datasets: `"0"`, `"1"`…, for most.
    fn own_variables(&self) -> Vec<(String, Variable)> {
        numbered(self.base().saved_variables())
    }

    /// What the layer keeps in files of its own, such as a vocabulary.
    fn assets(&self) -> Option<Arc<dyn Assets>> {
        None
    }
}

/// Builds a layer within a layer for these arguments if it is not built. What holds it calls this in its
/// own [`build`](Layer::build).
///
/// # Errors
/// If the layer cannot be built for them.
pub fn build(layer: &mut Arc<dyn Layer>, args: &CallArgs<SymbolicSpec>) -> Result<()> {
    if !layer.base().built {
        let in_use = || Error::Internal("a layer in use is built".into());
        let layer = Arc::get_mut(layer).ok_or_else(in_use)?;
        layer.build(args)?;
        layer.base_mut().built = true;
    }
    Ok(())
}

/// Variables under the keys `"0"`, `"1"`… of their datasets.
pub(crate) fn numbered(variables: Vec<Variable>) -> Vec<(String, Variable)> {
    variables.into_iter().enumerate().map(|(i, variable)| (i.to_string(), variable)).collect()
}

/// The two accessors of [`Layer`], for a struct whose `LayerBase` is at `self.base`, or elsewhere.
macro_rules! layer_base {
    () => {
        layer_base!(base);
    };
    ($($field:ident).+) => {
        fn base(&self) -> &$crate::layers::LayerBase {
            &self.$($field).+
        }

        fn base_mut(&mut self) -> &mut $crate::layers::LayerBase {
            &mut self.$($field).+
        }
    };
}
pub(crate) use layer_base;

/// What all layers have.
pub struct LayerBase {
    /// The Keras class, such as `Dense`.
    pub class_name: &'static str,
    /// The layer's name within its model.
    pub name: String,
    /// Keras's `trainable`: false for a frozen layer.
    pub trainable: bool,
    /// Dtypes of computation and variables, and the quantization.
    pub policy: DTypePolicy,
    /// Whether floating inputs are cast to the compute dtype.
    pub autocast: bool,
    /// Whether the variables have been made.
    pub built: bool,
    /// The layer's own variables in creation order.
    pub variables: Vec<Variable>,
    /// What training asks of them.
    pub rules: WeightRules,
    /// The low-rank adaptation of one of them.
    pub(crate) adaptation: Option<Adaptation>,
}

impl LayerBase {
    /// Reads the keys that every layer has: `name`, `trainable`, `dtype`.
    ///
    /// # Errors
    /// If one of them holds what Keras would not write there.
    pub fn new(class_name: &'static str, config: &Config) -> Result<LayerBase> {
        let name = match config.optional_str("name")? {
            Some(name) if name.contains('/') => {
                return Err(config.bad("name", "a name without '/'"));
            }
            Some(name) => name.to_owned(),
            None => crate::base::naming::snake_case(class_name),
        };
        Ok(LayerBase {
            class_name,
            name,
            trainable: config.optional_bool("trainable")?.unwrap_or(true),
            policy: DTypePolicy::from_config(config)?,
            autocast: true,
            built: false,
            variables: Vec::new(),
            rules: WeightRules::from_config(config)?,
            adaptation: None,
        })
    }

    /// [`new`](LayerBase::new) for a part that the config of the layer around it describes, such as the
    /// cell of a recurrent layer. Without a name the config is the layer's own.
    pub(crate) fn of_part(
        class_name: &'static str,
        name: Option<&str>,
        config: &Config,
    ) -> Result<LayerBase> {
        let mut base = LayerBase::new(class_name, config)?;
        if let Some(name) = name {
            base.name = name.into();
            base.policy = DTypePolicy::at_place(config, &config.place().part(name))?;
        }
        Ok(base)
    }

    /// Makes a trainable variable of the policy's variable dtype.
    ///
    /// # Errors
    /// If the shape is too large, or the initializer has no weight of it.
    pub fn add_weight(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        initializer: &Initializer,
    ) -> Result<Variable> {
        self.add_variable(name, Spec::new(shape, self.policy.variable), initializer, true)
    }

    /// Makes a trainable variable that starts with the elements of `initial`.
    ///
    /// # Errors
    /// If the shape is too large.
    pub fn add_weight_from(&mut self, name: &str, initial: Arc<dyn Source>) -> Result<Variable> {
        self.add_source(name, initial, true)
    }

    /// Makes a variable that training does not touch by gradient, such as a moving mean.
    ///
    /// # Errors
    /// As [`add_weight`](LayerBase::add_weight).
    pub fn add_non_trainable(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        initializer: &Initializer,
    ) -> Result<Variable> {
        self.add_variable(name, Spec::new(shape, self.policy.variable), initializer, false)
    }

    /// Makes a variable of any dtype that training does not touch, such as packed weights.
    pub(crate) fn add_frozen(
        &mut self,
        name: &str,
        spec: Spec,
        initializer: &Initializer,
    ) -> Result<Variable> {
        self.add_variable(name, spec, initializer, false)
    }

    /// Makes a variable that Keras lists with those that are trained, although a step overwrites it.
    pub(crate) fn add_overwritten(
        &mut self,
        name: &str,
        spec: Spec,
        initializer: &Initializer,
    ) -> Result<Variable> {
        self.add_variable(name, spec, initializer, true)
    }

    /// [`add_frozen`](LayerBase::add_frozen) with the elements of `initial`.
    pub(crate) fn add_frozen_from(
        &mut self,
        name: &str,
        initial: Arc<dyn Source>,
    ) -> Result<Variable> {
        self.add_source(name, initial, false)
    }

    /// Makes an integer that training does not touch by gradient.
    ///
    /// # Errors
    /// If the variable cannot be made.
    pub fn add_counter(&mut self, name: &str) -> Result<Variable> {
        self.add_variable(name, Spec::new([], DType::Int32), &Initializer::ZEROS, false)
    }

    fn add_variable(
        &mut self,
        name: &str,
        spec: Spec,
        initializer: &Initializer,
        trainable: bool,
    ) -> Result<Variable> {
        spec.shape.checked_len()?;
        self.add_source(name, initializer.source(spec.shape, spec.dtype)?, trainable)
    }

    fn add_source(
        &mut self,
        name: &str,
        initial: Arc<dyn Source>,
        trainable: bool,
    ) -> Result<Variable> {
        initial.spec().shape.checked_len()?;
        let variable = Variable::new(name, trainable, initial);
        self.variables.push(variable.clone());
        Ok(variable)
    }

    /// What layers have whose config may name any policy and which compute with none: the policy is
    /// float32, whatever the key `dtype` holds.
    pub(crate) fn without_policy(class_name: &'static str, config: &Config) -> Result<LayerBase> {
        let mut given = config.given().clone();
        for key in ["name", "trainable", "dtype"] {
            config.get(key);
        }
        given.remove("dtype");
        LayerBase::new(class_name, &Config::new(config.owner().into(), given, Json::Null))
    }

    /// What training may change, with the weight that a low-rank factor belongs to.
    pub(crate) fn trained_variables(&self) -> Vec<(&Variable, Option<&Variable>)> {
        let adapted = self.adaptation.as_ref();
        let mut all: Vec<_> = self.variables.iter().map(|variable| (variable, None)).collect();
        if let Some(Adaptation { weight, factors, position }) = adapted {
            let factors = factors.iter().map(|factor| (factor, Some(weight)));
            all.splice(position..position, factors);
        }
        let stays = |variable: &Variable| adapted.is_some_and(|a| a.weight.id() == variable.id());
        all.retain(|(variable, _)| variable.trainable() && !stays(variable));
        all
    }

    /// The layer's variables in the order of a weights file: trainable ones first.
    pub fn saved_variables(&self) -> Vec<Variable> {
        let (mut first, rest): (Vec<_>, Vec<_>) =
            self.variables.iter().cloned().partition(Variable::trainable);
        first.extend(rest);
        first
    }
}

impl CallArgs<SymbolicSpec> {
    /// The shape of the only tensor of the first argument.
    ///
    /// # Errors
    /// If there is none, or several.
    pub fn input_shape(&self) -> Result<&SymbolicShape> {
        match self.input_shapes().as_slice() {
            [one] => Ok(one),
            all => Err(Error::shape("build", format!("{} tensors", all.len()), "one tensor")),
        }
    }

    /// The shapes of the tensors of the first argument.
    pub fn input_shapes(&self) -> Vec<&SymbolicShape> {
        fn collect<'a>(arg: &'a crate::layers::Arg<SymbolicSpec>, to: &mut Vec<&'a SymbolicShape>) {
            match arg {
                crate::layers::Arg::Tensor(spec) => to.push(&spec.shape),
                crate::layers::Arg::Plain(_) => {}
                crate::layers::Arg::List(items) => items.iter().for_each(|a| collect(a, to)),
                crate::layers::Arg::Dict(items) => items.iter().for_each(|(_, a)| collect(a, to)),
            }
        }
        let mut shapes = Vec::new();
        if let Some(arg) = self.get(0, "inputs") {
            collect(arg, &mut shapes);
        }
        shapes
    }
}

impl SymbolicShape {
    /// The extent of an axis (negative: from the back), which must be known to make variables.
    ///
    /// # Errors
    /// If there is no such axis, or its extent is unknown.
    pub fn known(&self, axis: i64) -> Result<usize> {
        let i = crate::base::shape::normalize_axis(axis, self.rank())?;
        self.0[i].ok_or_else(|| {
            Error::shape("build", format!("input shape {self}"), format!("axis {axis} to be known"))
        })
    }
}

impl<'g> From<Value<'g>> for Outputs<'g> {
    fn from(value: Value<'g>) -> Outputs<'g> {
        Nested::Leaf(value)
    }
}

impl<'g> From<Vec<Value<'g>>> for Outputs<'g> {
    fn from(values: Vec<Value<'g>>) -> Outputs<'g> {
        Nested::List(values.into_iter().map(Nested::Leaf).collect())
    }
}

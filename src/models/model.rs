//! A model: what a user holds.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::base::{DType, Error, Nested, Result, SymbolicShape};
use crate::graph::{Graph, Value};
use crate::layers::config::Json;
use crate::layers::host::any_on_host;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, SymbolicSpec};
use crate::models::custom::CustomObjects;
use crate::models::deserialize::Reader;
use crate::models::form::Form;
use crate::models::predict::Plans;
use crate::models::saveable::{SaveableLayer, SaveableModel};
use crate::runtime::Device;
use crate::saving::{GroupPlan, Limits, Saved, walk};
use crate::tensor::Variable;
use crate::trainers::Training;

/// Name, shape with the batch axis, and dtype of a model's input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSpec {
    /// Name of the input, or of the layer that gives the output, with a number where that is taken.
    pub name: String,
    /// Extents with the batch axis; `None` where unknown.
    pub shape: SymbolicShape,
    /// Element type.
    pub dtype: DType,
    /// Whether a call may leave the input out, as Keras's `Input(..., optional=True)` says.
    pub optional: bool,
}

impl InputSpec {
    pub(crate) fn new(name: &str, spec: &SymbolicSpec) -> InputSpec {
        let (name, shape) = (name.to_owned(), spec.shape.clone());
        InputSpec { name, shape, dtype: spec.dtype, optional: false }
    }
}

/// A Keras model: layers, weights, and the file state around them.
///
/// Several threads may predict with one model at once: on a GPU their runs take turns with a plan's
/// buffers, and the next starts while the outputs of the last are read back.
///
/// Made by [`load_model`](crate::load_model) or by a builder. Its config is kept as it was read, so a
/// model that is loaded and saved says what it said before.
pub struct Model {
    pub(crate) form: Form,
    pub(crate) config: Json,
    /// Where losses and metrics of the user's own come from.
    pub(crate) custom: CustomObjects,
    pub(crate) metadata: Option<Json>,
    /// Groups of the file that belong to no layer, such as the optimizer's.
    pub(crate) kept_groups: Vec<GroupPlan>,
    pub(crate) assets: Vec<(String, Vec<u8>)>,
    /// Optimizer, losses and metrics of a compiled model.
    pub(crate) training: Option<Training>,
    /// The optimizer's groups of the file, and the versions that its variables then had: as long as
    /// nothing has trained them, they are written back as they were read.
    pub(crate) loaded_state: Option<(Vec<u64>, Vec<GroupPlan>)>,
    pub(crate) plans: Mutex<Plans>,
    /// Bytes of the values that a prediction of 32 rows may hold at one time.
    pub(crate) predict_bytes: u64,
    /// Whether some layer works on the host, while a prediction is traced.
    pub(crate) on_host: bool,
    /// Layers that Keras computes in float64.
    narrowed: Vec<String>,
}

impl fmt::Debug for Model {
    /// What the model is, without its weights and its config.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("class_name", &self.class_name())
            .field("name", &self.name())
            .field("inputs", &self.inputs())
            .field("layers", &self.layers().len())
            .field("compiled", &self.training.is_some())
            .finish_non_exhaustive()
    }
}

impl Model {
    /// The model of a root record, as `config.json` holds it. Its weights start as the layers'
    /// initializers say.
    ///
    /// # Errors
    /// If it is none, or holds what this version does not have.
    pub fn from_config(config: Json, custom: &CustomObjects) -> Result<Model> {
        Model::read(config, custom, false)
    }

    /// [`from_config`](Model::from_config); with `narrow_float64` layers of float64 are not refused.
    pub(crate) fn read(
        config: Json,
        custom: &CustomObjects,
        narrow_float64: bool,
    ) -> Result<Model> {
        let narrowed = RefCell::default();
        let mut reader = Reader::new(custom);
        if narrow_float64 {
            reader = reader.narrowing(&narrowed);
        }
        let form = reader.model(&config)?;
        let mut model = Model {
            form,
            config,
            custom: custom.clone(),
            metadata: None,
            kept_groups: Vec::new(),
            assets: Vec::new(),
            training: None,
            loaded_state: None,
            plans: Mutex::default(),
            predict_bytes: Limits::default().predict_bytes,
            on_host: false,
            narrowed: narrowed.into_inner(),
        };
        for name in &model.narrowed {
            log::warn!("'{name}' is computed in float32 instead of float64");
        }
        model.on_host = any_on_host(model.root().as_ref());
        Ok(model)
    }

    /// The model as a layer.
    pub fn root(&self) -> Arc<dyn Layer> {
        self.form.root()
    }

    /// The model's name, as its config says it.
    pub fn name(&self) -> String {
        self.root().base().name.clone()
    }

    /// `Functional`, `Sequential`, or the class of the layer that stands at the file's root.
    pub fn class_name(&self) -> &'static str {
        self.root().base().class_name
    }

    /// The root record, as `config.json` holds it.
    pub fn config(&self) -> &Json {
        &self.config
    }

    /// The names of layers and operations that are computed in float32 though the model wants float64:
    /// none unless [`LoadOptions::narrow_float64`](crate::LoadOptions::narrow_float64) asked for it.
    pub fn narrowed(&self) -> &[String] {
        &self.narrowed
    }

    /// The layers in Keras's order.
    pub fn layers(&self) -> Vec<Arc<dyn Layer>> {
        self.form.layers()
    }

    /// The inputs in order. Empty for a sequential model that is not built.
    pub fn inputs(&self) -> Vec<InputSpec> {
        self.form.inputs()
    }

    /// The outputs in order, under the names of the layers that make them; a layer that makes
    /// several has them numbered from the second on.
    pub fn outputs(&self) -> Vec<InputSpec> {
        self.form.outputs()
    }

    /// Structure of the inputs, with their positions in [`inputs`](Model::inputs).
    pub(crate) fn input_structure(&self) -> Nested<usize> {
        self.form.input_structure()
    }

    /// Structure of the outputs, with their positions in [`outputs`](Model::outputs).
    pub(crate) fn output_structure(&self) -> Nested<usize> {
        self.form.output_structure()
    }

    /// Whether this is a `keras.distillation.Distiller`, which is compiled in a way of its own.
    pub(crate) fn is_distiller(&self) -> bool {
        matches!(self.form, Form::Distiller(_))
    }

    /// All objects with state, in the order of a weights file.
    pub(crate) fn saved(&self) -> Vec<Saved> {
        let optimizer = self.training.as_ref().and_then(|t| t.optimizer.clone());
        walk(&SaveableModel { root: SaveableLayer(self.root()), optimizer })
    }

    /// The layers with state, without the optimizer.
    pub(crate) fn saved_layers(&self) -> Vec<Saved> {
        walk(&SaveableLayer(self.root()))
    }

    /// Takes the state of a compiled model and the configuration that says so.
    pub(crate) fn set_compiled(&mut self, config: Json, training: Training) {
        if let Some(root) = self.config.as_object_mut() {
            root.insert("compile_config".into(), config);
        }
        self.kept_groups.retain(|group| !group.path.starts_with("optimizer/"));
        self.loaded_state = None;
        self.training = Some(training);
    }

    /// The versions of the optimizer's variables.
    pub(crate) fn optimizer_versions(&self) -> Vec<u64> {
        let optimizer = self.training.as_ref().and_then(|t| t.optimizer.as_ref());
        let variables = optimizer.map(|o| o.variables()).unwrap_or_default();
        variables.iter().map(Variable::version).collect()
    }

    /// The arguments of a call on inputs in the order of [`inputs`](Model::inputs), null for those that
    /// are left out.
    pub(crate) fn call_args<'g>(&self, inputs: &[Option<Value<'g>>]) -> Result<Args<'g>> {
        let missing = || Error::shape("model", format!("{} inputs", inputs.len()), "more");
        let place = Arg::from(&self.input_structure());
        let arg = place.try_replace(&mut |&i| {
            let given = inputs.get(i).ok_or_else(missing)?;
            Ok(given.map_or(Arg::Plain(Json::Null), Arg::Tensor))
        })?;
        Ok(CallArgs::one(arg))
    }

    /// Outputs and their masks for a training step or a test.
    pub(crate) fn outputs_and_masks<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        training: bool,
    ) -> Result<(Vec<Value<'g>>, Vec<Option<Value<'g>>>)> {
        let inputs: Vec<_> = inputs.iter().copied().map(Some).collect();
        let (cx, args) = (Context::new(graph, training), self.call_args(&inputs)?);
        let (outputs, masks) = self.form.call_with_masks(&cx, &args)?;
        Ok((outputs.flatten().into_iter().copied().collect(), masks))
    }

    /// Moves all weights to a device now, instead of when they are first computed with.
    ///
    /// # Errors
    /// If a weight cannot be read, or the device fails or has too little memory.
    pub fn place(&self, device: &Device) -> Result<()> {
        let variables = self.variables();
        device.place(&variables.iter().map(|(_, v)| v).collect::<Vec<_>>())
    }

    /// Every variable with its path in a weights file, such as `layers/dense/vars/0`.
    pub fn variables(&self) -> Vec<(String, Variable)> {
        self.saved_layers()
            .into_iter()
            .flat_map(|object| {
                let path = object.group_path();
                let named = move |(key, v): (String, Variable)| (format!("{path}/{key}"), v);
                object.variables.into_iter().map(named)
            })
            .collect()
    }

    /// The variables of the optimizer that the file holds, by path, shape and dtype.
    pub fn kept_groups(&self) -> &[GroupPlan] {
        self.loaded_state.as_ref().map_or(&self.kept_groups, |(_, groups)| groups)
    }
}

//! Prediction: tracing, planning and running, batch by batch.

use std::sync::{Arc, PoisonError};

use crate::base::error::quote;
use crate::base::{DType, Error, Result, ResultExt, Shape, Spec};
use crate::graph::{Graph, NodeId, Trace, Value};
use crate::layers::Context;
use crate::models::inputs::{Inputs, not_optional};
use crate::models::model::{InputSpec, Model};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::tensor::Tensor;

/// Plans kept for each model; shapes beyond that are planned again.
pub(super) const PLANS: usize = 8;

/// Rows computed at once where nothing is said, as in Keras.
const BATCH: usize = 32;

/// Rows of a batch, as Keras finds them: what was said; else as many as share out the rows among the
/// steps; else 32.
///
/// # Errors
/// If 0 was said.
pub(crate) fn batch_size(said: Option<usize>, rows: usize, steps: Option<usize>) -> Result<usize> {
    match (said, steps) {
        (Some(0), _) => Err(Error::Invalid("the batch size is 0, expected at least 1".into())),
        (Some(size), _) => Ok(size),
        (None, Some(steps)) if steps > 0 => Ok(rows.div_ceil(steps).max(1)),
        (None, _) => Ok(BATCH),
    }
}

/// How to predict.
pub struct PredictOptions<'a> {
    /// What computes.
    pub device: Device,
    /// Rows computed at once. Where nothing is said, 32, or with `steps` their share of all rows.
    pub batch_size: Option<usize>,
    /// Batches; all where nothing is said.
    pub steps: Option<usize>,
    /// Which optimisations the program goes through.
    pub passes: Options,
    /// Called with the rows done and all rows.
    pub progress: Option<&'a mut dyn FnMut(usize, usize)>,
}

impl<'a> PredictOptions<'a> {
    /// The default options on a device.
    pub fn on(device: Device) -> PredictOptions<'a> {
        PredictOptions {
            device,
            batch_size: None,
            steps: None,
            passes: Options::default(),
            progress: None,
        }
    }
}

/// The batches that a number of steps comes to in executions of some batches each, `None` for all. As in
/// Keras, an execution that was begun is finished.
pub(crate) fn whole_executions(steps: Option<usize>, execution: usize) -> Option<usize> {
    let begun = steps.filter(|&steps| steps > 0)?.div_ceil(execution.max(1));
    Some(begun.saturating_mul(execution))
}

/// The plans of a model, by what they were made for; the newest last.
#[derive(Default)]
pub(crate) struct Plans(Vec<Plan>);

struct Plan {
    device: Device,
    passes: Options,
    part: Part,
    /// Nothing for those that are left out.
    inputs: Vec<Option<Spec>>,
    compiled: Arc<Compiled>,
}

/// What of a model a plan computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The outputs.
    Outputs,
    /// The value that work on the host needs as its so manieth computed one.
    Value(usize),
}

impl Model {
    /// Predicts on the default device in batches of 32 rows.
    ///
    /// [`Inputs`] are made of tensors in the order of [`Model::inputs`], of tensors by name, of text,
    /// and of nested structures; the batch axis comes first. Outputs come in the order of
    /// [`Model::outputs`].
    ///
    /// # Errors
    /// If the inputs are not those that the model declares, or the device fails.
    pub fn predict(&self, inputs: impl Into<Inputs>) -> Result<Vec<Tensor>> {
        self.predict_with(inputs, &mut PredictOptions::on(Device::default_device()?))
    }

    /// Predicts batch by batch. The last batch may be smaller, and is computed as it is: padding it
    /// would change models that look across rows.
    ///
    /// # Errors
    /// As [`predict`](Model::predict).
    pub fn predict_with(
        &self,
        inputs: impl Into<Inputs>,
        options: &mut PredictOptions<'_>,
    ) -> Result<Vec<Tensor>> {
        let inputs = self.conform_given(inputs)?;
        let all = rows(&inputs)?;
        let size = batch_size(options.batch_size, all, options.steps)?;
        let size = self.fixed_batch().unwrap_or(size);
        let steps =
            whole_executions(options.steps, self.steps_per_execution()).unwrap_or(usize::MAX);
        let rows = all.min(size.saturating_mul(steps));
        let mut parts: Vec<Vec<Tensor>> = Vec::new();
        let mut done = 0;
        while done < rows || parts.is_empty() {
            let count = size.min(rows - done);
            let part = |t: &Option<Tensor>| t.as_ref().map(|t| t.rows(done, count)).transpose();
            let batch = inputs.iter().map(part).collect::<Result<Vec<_>>>()?;
            parts.push(self.run(&batch, &options.device, &options.passes)?);
            done += count;
            if let Some(progress) = &mut options.progress {
                progress(done, rows);
            }
        }
        join(parts)
    }

    /// Computes all rows at once, as calling a model in Keras does.
    ///
    /// # Errors
    /// As [`predict`](Model::predict).
    pub fn call(&self, inputs: impl Into<Inputs>, device: &Device) -> Result<Vec<Tensor>> {
        let inputs = self.conform_given(inputs)?;
        self.run(&inputs, device, &Options::default())
    }

    /// The plan for inputs of these specs, made if there is none yet.
    ///
    /// # Errors
    /// If a layer cannot take such inputs, the values take more memory than
    /// [`Limits`](crate::saving::Limits) allow, or the device fails.
    pub fn compiled(
        &self,
        inputs: &[Spec],
        device: &Device,
        passes: &Options,
    ) -> Result<Arc<Compiled>> {
        let inputs: Vec<Option<Spec>> = inputs.iter().cloned().map(Some).collect();
        self.compiled_given(&inputs, device, passes)
    }

    /// [`compiled`](Model::compiled) for inputs some of which are left out.
    fn compiled_given(
        &self,
        inputs: &[Option<Spec>],
        device: &Device,
        passes: &Options,
    ) -> Result<Arc<Compiled>> {
        self.plan(Part::Outputs, inputs, device, passes, || self.program_given(inputs))
    }

    /// The plan for a part of the model, made of the program if there is none yet.
    pub(crate) fn plan(
        &self,
        part: Part,
        inputs: &[Option<Spec>],
        device: &Device,
        passes: &Options,
        program: impl FnOnce() -> Result<Program>,
    ) -> Result<Arc<Compiled>> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |p: &Plan| {
            p.device.plans_as(device) && p.passes == *passes && p.part == part && p.inputs == inputs
        };
        if let Some(plan) = plans.0.iter().find(|p| fits(p)) {
            return Ok(plan.compiled.clone());
        }
        let compiled = Arc::new(Compiled::new(program()?, device, passes, &mut |_, _| {})?);
        self.check_memory(&compiled, inputs)?;
        if plans.0.len() == PLANS {
            plans.0.remove(0);
        }
        plans.0.push(Plan {
            device: device.clone(),
            passes: passes.clone(),
            part,
            inputs: inputs.to_vec(),
            compiled: compiled.clone(),
        });
        Ok(compiled)
    }

    /// Refuses a plan whose values take too much memory, before it is run.
    fn check_memory(&self, compiled: &Compiled, inputs: &[Option<Spec>]) -> Result<()> {
        let rows = inputs.iter().flatten().filter_map(|spec| spec.shape.first()).max();
        let batches = rows.map_or(1, |rows| rows.div_ceil(BATCH).max(1)) as u64;
        let need = compiled.summary().peak_live as u64;
        let limit = self.predict_bytes.saturating_mul(batches);
        if need <= limit {
            return Ok(());
        }
        Err(Error::Limit {
            what: "a prediction on inputs of these shapes".into(),
            need: format!("{need} bytes at one time"),
            limit: format!("{limit} bytes"),
            owner: "Limits::predict_bytes; a smaller batch_size needs less".into(),
        })
    }

    /// The traced program of a prediction, before any pass.
    ///
    /// # Errors
    /// If a layer cannot take such inputs; the error names it.
    pub fn program(&self, inputs: &[Spec]) -> Result<Program> {
        self.program_given(&inputs.iter().cloned().map(Some).collect::<Vec<_>>())
    }

    fn program_given(&self, inputs: &[Option<Spec>]) -> Result<Program> {
        let (trace, outputs) = self.trace(inputs)?;
        Ok(Program::new(trace, &outputs))
    }

    /// Every operation of a prediction, and the positions of the model's outputs among them.
    fn trace(&self, inputs: &[Option<Spec>]) -> Result<(Trace, Vec<NodeId>)> {
        let graph = Graph::new();
        let value = |spec: &Option<Spec>| spec.clone().map(|spec| graph.input(spec));
        let values: Vec<_> = inputs.iter().map(value).collect();
        let outputs = self.call_root(&Context::new(&graph, false), &values);
        // An error inside a formula is kept by the graph, with its place: it comes first.
        let trace = graph.finish()?;
        Ok((trace, outputs?))
    }

    /// Writes the model into the graph of a context; gives the outputs.
    pub(crate) fn call_root<'g>(
        &self,
        cx: &Context<'g>,
        inputs: &[Option<Value<'g>>],
    ) -> Result<Vec<NodeId>> {
        let outputs = self.root().call(cx, &self.call_args(inputs)?)?;
        Ok(outputs.flatten().into_iter().map(|v| v.id()).collect())
    }

    fn run(
        &self,
        inputs: &[Option<Tensor>],
        device: &Device,
        passes: &Options,
    ) -> Result<Vec<Tensor>> {
        if self.on_host {
            return self.run_on_host(inputs, device, passes);
        }
        let spec = |t: &Option<Tensor>| t.as_ref().map(|t| t.spec().clone());
        let specs: Vec<Option<Spec>> = inputs.iter().map(spec).collect();
        let given: Vec<Tensor> = inputs.iter().flatten().cloned().collect();
        self.compiled_given(&specs, device, passes)?.run(&given)
    }

    /// Inputs in the declared dtypes and ranks, in the order of [`Model::inputs`].
    ///
    /// # Errors
    /// When their number or their shapes are not what the model declares.
    pub fn conform(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let inputs = self.conform_given(inputs)?;
        Ok(inputs.into_iter().flatten().collect())
    }

    /// [`conform`](Model::conform) for inputs some of which may be left out.
    pub(crate) fn conform_given(&self, inputs: impl Into<Inputs>) -> Result<Vec<Option<Tensor>>> {
        let inputs = inputs.into().ordered(self)?;
        let declared = self.inputs();
        if declared.is_empty() {
            let what = "a model that has not been built: it has no input shape and no weights";
            return Err(Error::Unsupported(what.into()));
        }
        if declared.len() != inputs.len() {
            return Err(Error::shape(
                "model inputs",
                format!("{} tensors", inputs.len()),
                format!("{}: {}", declared.len(), names(&declared)),
            ));
        }
        let conform = |(spec, tensor): (&InputSpec, &Option<Tensor>)| match tensor {
            Some(tensor) => self.conform_one(spec, tensor).map(Some),
            None if spec.optional => Ok(None),
            None => Err(not_optional(spec)),
        };
        declared.iter().zip(&inputs).map(conform).collect()
    }

    /// One input in its declared dtype. As in Keras, a missing last axis of extent 1 is added and an
    /// extra one is dropped.
    fn conform_one(&self, spec: &InputSpec, tensor: &Tensor) -> Result<Tensor> {
        let rank = spec.shape.rank();
        let shape = tensor.shape();
        let last_is_one = |extents: &[usize]| extents.last() == Some(&1);
        let tensor = if shape.rank() == rank + 1 && last_is_one(shape) {
            tensor.reshape(Shape::from(&shape[..rank]))?
        } else if shape.rank() + 1 == rank && matches!(spec.shape.0.last(), Some(Some(1) | None)) {
            let mut extents = shape.to_vec();
            extents.push(1);
            tensor.reshape(extents)?
        } else {
            tensor.clone()
        };
        self.check_extents(spec, &tensor)?;
        let is_text = |dtype: DType| dtype == DType::String;
        let loses_parts = tensor.dtype() == DType::Complex64 && spec.dtype != DType::Complex64;
        if is_text(tensor.dtype()) != is_text(spec.dtype) || loses_parts {
            return Err(Error::DType {
                context: format!("input '{}'", quote(&spec.name)),
                found: tensor.dtype().name().into(),
                expected: spec.dtype.name().into(),
            });
        }
        tensor.cast_exactly(spec.dtype).at(|| format!("input '{}'", quote(&spec.name)))
    }

    /// The extents of an input are those declared. As in Keras the layers of a sequential model may take
    /// others.
    fn check_extents(&self, spec: &InputSpec, tensor: &Tensor) -> Result<()> {
        let (declared, shape) = (&spec.shape.0, tensor.shape());
        let wrong = |expected: String| {
            let what = format!("input '{}'", quote(&spec.name));
            Err(Error::shape(what, shape.to_string(), expected))
        };
        let ranks = declared.len() == shape.rank();
        // The batch extent is the caller's choice even where the file declares one.
        let mut extents = declared.iter().zip(shape.iter()).skip(1);
        if ranks && extents.all(|(d, n)| d.is_none_or(|d| d == *n)) {
            return Ok(());
        }
        if !ranks || !self.form.takes_other_extents() {
            return wrong(spec.shape.to_string());
        }
        if tensor.dtype() == DType::String {
            // Text is looked up before a graph is traced.
            return Ok(());
        }
        match self.trace(&[Some(Spec::new(shape.clone(), tensor.dtype()))]) {
            Ok(_) => Ok(()),
            Err(error) => wrong(format!("{}, or what the layers take: {error}", spec.shape)),
        }
    }

    /// The batch size that all inputs declare, if they do.
    fn fixed_batch(&self) -> Option<usize> {
        let inputs = self.inputs();
        let batch = inputs.iter().map(|i| i.shape.0.first().copied().flatten());
        batch.reduce(|a, b| if a == b { a } else { None }).flatten().filter(|&n| n > 0)
    }
}

fn names(inputs: &[InputSpec]) -> String {
    let names: Vec<_> = inputs.iter().map(|i| format!("{} {}", quote(&i.name), i.shape)).collect();
    names.join(", ")
}

/// The number of rows, which all inputs share.
fn rows(inputs: &[Option<Tensor>]) -> Result<usize> {
    let mut counts = inputs.iter().flatten().map(|t| t.shape().first().copied().unwrap_or(1));
    let first = counts.next().unwrap_or(0);
    if counts.any(|n| n != first) {
        let found: Vec<_> = inputs.iter().flatten().map(|t| t.shape().to_string()).collect();
        return Err(Error::shape("model inputs", found.join(", "), "equal numbers of rows"));
    }
    Ok(first)
}

/// Outputs of all batches, joined along the first axis.
fn join(mut parts: Vec<Vec<Tensor>>) -> Result<Vec<Tensor>> {
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let outputs = parts.first().map_or(0, Vec::len);
    (0..outputs)
        .map(|i| {
            let pieces: Vec<&Tensor> = parts.iter().filter_map(|part| part.get(i)).collect();
            Tensor::concat_rows(&pieces)
        })
        .collect()
}

//! What every metric is.

use crate::base::{DType, Error, Result, Shape, Spec};
use crate::graph::{Graph, Value};
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::losses::{Weights, weighting};
use crate::metrics::Direction;
use crate::tensor::Variable;

/// A metric: state in variables, an update from a batch, a result from the state.
pub trait Metric: Send + Sync {
    /// What all metrics have.
    fn base(&self) -> &MetricBase;
    /// What all metrics have, to be changed: `build` adds variables here.
    fn base_mut(&mut self) -> &mut MetricBase;

    /// Makes variables whose shapes depend on what is measured. Called once, before the first
    /// [`update`](Metric::update), with the specs of its inputs.
    ///
    /// # Errors
    /// If the metric cannot measure inputs of these shapes.
    fn build(&mut self, _inputs: &[Spec]) -> Result<()> {
        Ok(())
    }

    /// Writes the assignments that take a batch into account: `[y_true, y_pred]`, or `[values]` for
    /// [`Mean`](crate::metrics::Mean) and [`Sum`](crate::metrics::Sum).
    ///
    /// # Errors
    /// If the inputs are not ones the metric can measure; further errors come out when the trace
    /// ends.
    fn update<'g>(
        &self,
        graph: &'g Graph,
        inputs: &[Value<'g>],
        weights: Weights<'g>,
    ) -> Result<()>;

    /// What the state says, written as a formula of the variables.
    ///
    /// # Errors
    /// If the metric has not been built.
    fn result<'g>(&self, graph: &'g Graph) -> Result<Value<'g>>;
}

/// What all metrics have.
#[derive(Clone, Debug)]
pub struct MetricBase {
    /// The name under which results are reported.
    pub name: String,
    /// The dtype of the computation.
    pub dtype: DType,
    /// Where it goes when a model gets better, where that is known.
    pub direction: Option<Direction>,
    /// The state, in Keras's order.
    pub variables: Vec<Variable>,
}

impl MetricBase {
    /// The `name` and `dtype` of a config.
    ///
    /// # Errors
    /// If one of them holds what Keras would not write there.
    pub fn new(config: &Config, otherwise_named: &str) -> Result<MetricBase> {
        Ok(MetricBase {
            name: weighting::name(config, otherwise_named)?,
            dtype: weighting::dtype(config)?,
            direction: None,
            variables: Vec::new(),
        })
    }

    /// A metric called `name` that computes in float32.
    pub fn named(name: impl Into<String>) -> MetricBase {
        MetricBase {
            name: name.into(),
            dtype: DType::Float32,
            direction: None,
            variables: Vec::new(),
        }
    }

    /// Adds a variable of zeros.
    ///
    /// # Errors
    /// If the shape is too large.
    pub fn add_variable(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        dtype: DType,
    ) -> Result<Variable> {
        let shape = shape.into();
        shape.checked_len()?;
        let variable = Variable::new(name, false, Initializer::ZEROS.source(shape, dtype)?);
        self.variables.push(variable.clone());
        Ok(variable)
    }

    /// Sets all variables to zero, as `reset_state` does at the start of an epoch.
    ///
    /// # Errors
    /// If zeros of a variable cannot be made.
    pub fn reset(&self) -> Result<()> {
        self.variables.iter().try_for_each(|variable| {
            let spec = variable.spec();
            variable.load(Initializer::ZEROS.source(spec.shape.clone(), spec.dtype)?)
        })
    }
}

/// Adds to a variable of a metric.
pub(crate) fn assign_add<'g>(graph: &'g Graph, variable: &Variable, value: Value<'g>) {
    let sum = graph.read(variable) + value.cast(variable.spec().dtype);
    graph.assign(variable, sum);
}

/// The labels and predictions among the inputs of an update.
pub(crate) fn pair<'g>(inputs: &[Value<'g>]) -> Result<(Value<'g>, Value<'g>)> {
    match inputs {
        &[y_true, y_pred] => Ok((y_true, y_pred)),
        _ => Err(wrong_count(inputs, "labels and predictions")),
    }
}

/// An integer under a key, or `None` for null.
pub(crate) fn optional_int(config: &Config, key: &str) -> Result<Option<i64>> {
    if config.is_null(key) { Ok(None) } else { config.int(key).map(Some) }
}

/// A metric is used before it has seen what it measures.
pub(crate) fn unbuilt(base: &MetricBase) -> Error {
    Error::Invalid(format!(
        "metric '{}' has no variables before labels and predictions are known: build it with their \
         specs",
        base.name
    ))
}

pub(crate) fn wrong_count(inputs: &[Value<'_>], expected: &str) -> Error {
    Error::shape("update of a metric", format!("{} tensors", inputs.len()), expected)
}

/// The accessors of [`Metric`], for a struct whose base is at `self.base`, or elsewhere.
macro_rules! metric_base {
    () => {
        metric_base!(base);
    };
    ($($field:ident).+) => {
        fn base(&self) -> &$crate::metrics::MetricBase {
            &self.$($field).+
        }

        fn base_mut(&mut self) -> &mut $crate::metrics::MetricBase {
            &mut self.$($field).+
        }
    };
}
pub(crate) use metric_base;

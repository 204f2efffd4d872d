//! One training step's graph, as optimizers write into it.

use crate::base::DType;
use crate::graph::{Graph, Value};
use crate::tensor::Variable;

/// The graph of a step, and the condition under which it changes anything.
#[derive(Clone, Copy)]
pub struct Step<'g> {
    graph: &'g Graph,
    /// A boolean scalar; where it is false, variables keep their values.
    guard: Option<Value<'g>>,
}

impl<'g> Step<'g> {
    /// A step that changes variables in any case.
    pub fn new(graph: &'g Graph) -> Step<'g> {
        Step { graph, guard: None }
    }

    /// The graph that the step is written in.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// A step that changes variables only where `condition`, a boolean scalar, holds too.
    #[must_use]
    pub fn only_if(&self, condition: Value<'g>) -> Step<'g> {
        let guard = self.guard.map_or(condition, |guard| guard.binary("and", condition));
        Step { graph: self.graph, guard: Some(guard) }
    }

    /// The value of a variable, with what this step has assigned to it so far.
    pub fn read(&self, variable: &Variable) -> Value<'g> {
        self.graph.read(variable)
    }

    /// Gives a variable its next value, rounded to its dtype.
    pub fn assign(&self, variable: &Variable, value: Value<'g>) {
        let value = value.cast(variable.spec().dtype);
        let value = match self.guard {
            Some(guard) => guard.select(value, self.read(variable)),
            None => value,
        };
        self.graph.assign(variable, value);
    }

    /// Assigns a value and returns what the variable then holds.
    pub fn assigned(&self, variable: &Variable, value: Value<'g>) -> Value<'g> {
        self.assign(variable, value);
        self.read(variable)
    }

    /// A scalar of a dtype.
    pub fn scalar(&self, value: f64, dtype: DType) -> Value<'g> {
        self.graph.scalar(value, dtype)
    }
}

//! The traced graph: what layers write their mathematics into.
//!
//! A [`Graph`] is an arena of [`Node`]s in creation order, so ids are already topologically sorted
//! and every pass is a loop over a vector. [`Value`] is a `Copy` handle with the operators of
//! mathematics. Nothing is computed while tracing.
//!
//! Errors are *sticky*: the first wrong shape or dtype is kept, with the layer path in which it
//! happened, and [`Graph::freeze`](crate::program::Program) returns it. Layer code stays formulas.

mod by_parts;
mod complex;
pub mod einsum;
pub mod eval;
mod factor;
pub mod grad;
mod linear;
mod loop_body;
mod loop_grad;
mod loops;
pub mod math;
pub mod op;
pub mod ops;
mod random;
mod sorting;
mod value;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{DType, Error, Result, Shape, Spec};
use crate::tensor::{Array, Tensor, Variable, VariableId};

pub use complex::Complex;
pub(crate) use complex::parts_side_by_side;
pub use loops::Step;
pub use op::{FusionClass, Op, OpDef, Vjp};
pub use value::Value;

use ops::{Constant, Input, Read};

/// How many scopes a trace may open. Models that call others twice, which call others twice, ask for
/// any number with a short config.
const MAX_SCOPES: usize = 1 << 16;

/// Index of a node; inputs of a node have smaller ids.
pub type NodeId = usize;

/// Who has added to the loss: the same number every time, another one for everyone else.
pub type LossOwner = usize;

/// One operation and what it gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The operation and its attributes.
    pub op: Op,
    /// Its operands, in order.
    pub inputs: Vec<NodeId>,
    /// Shape and dtype of what it gives.
    pub spec: Spec,
    /// Path of the layer that wrote it, such as `model/conv1`.
    pub scope: Arc<str>,
}

/// Everything written during one trace.
#[derive(Clone, Default)]
pub struct Trace {
    /// Every node, operands before those that use them; a [`NodeId`] is an index here.
    pub nodes: Vec<Node>,
    /// Model inputs in order.
    pub inputs: Vec<Spec>,
    /// Variables that were read or assigned.
    pub variables: HashMap<VariableId, Variable>,
    /// New values of variables, taken when the program has run.
    pub assigns: Vec<(Variable, NodeId)>,
}

#[derive(Default)]
struct Inner {
    trace: Trace,
    interned: HashMap<(Op, Vec<NodeId>), NodeId>,
    scopes: Vec<Arc<str>>,
    /// Scopes opened so far.
    opened: usize,
    /// Bodies of loops that are being traced, the innermost last.
    loops: Vec<loops::Frame>,
    /// Scalars added to the loss, and by whom.
    losses: Vec<(LossOwner, NodeId)>,
    error: Option<Error>,
}

/// An arena that a trace writes into.
#[derive(Default)]
pub struct Graph {
    inner: RefCell<Inner>,
}

impl Graph {
    /// A graph that nothing has been written into.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// The next model input.
    pub fn input(&self, spec: Spec) -> Value<'_> {
        if spec.dtype == DType::Complex64 {
            return self.complex_input(&spec);
        }
        let index = {
            let mut inner = self.inner.borrow_mut();
            inner.trace.inputs.push(spec.clone());
            inner.trace.inputs.len() - 1
        };
        self.push(Op::Input(Input { index, spec }), &[])
    }

    /// The value a variable has when the program runs, or the value assigned earlier in this trace.
    pub fn read(&self, variable: &Variable) -> Value<'_> {
        let assigned = {
            let mut inner = self.inner.borrow_mut();
            inner.trace.variables.insert(variable.id(), variable.clone());
            let before = inner.loops.last().map_or(0, loops::Frame::first_assign);
            let mut assigns = inner.trace.assigns[before..].iter().rev();
            assigns.find(|(v, _)| v.id() == variable.id()).map(|(_, id)| *id)
        };
        if let Some(id) = assigned {
            return self.value(id);
        }
        self.read_in_loop(variable).unwrap_or_else(|| {
            let spec = variable.spec().clone();
            self.push(Op::Read(Read { id: variable.id(), spec, first_row: 0 }), &[])
        })
    }

    /// Sets a variable when the program has run; later reads in this trace see the new value.
    pub fn assign(&self, variable: &Variable, value: Value<'_>) {
        if value.spec() != *variable.spec() {
            self.fail(Error::shape(
                format!("assign to variable '{}'", variable.name()),
                value.spec().to_string(),
                variable.spec().to_string(),
            ));
            return;
        }
        let mut inner = self.inner.borrow_mut();
        inner.trace.variables.insert(variable.id(), variable.clone());
        inner.trace.assigns.push((variable.clone(), value.id()));
    }

    /// Adds a scalar to the loss of a training step; Keras's `add_loss`.
    pub fn add_loss(&self, owner: LossOwner, loss: Value<'_>) {
        self.inner.borrow_mut().losses.push((owner, loss.id()));
    }

    /// Takes back what owners have added to the loss.
    pub fn drop_losses(&self, dropped: impl Fn(LossOwner) -> bool) {
        self.inner.borrow_mut().losses.retain(|(owner, _)| !dropped(*owner));
    }

    /// What has been added to the loss so far.
    pub fn losses(&self) -> Vec<Value<'_>> {
        let losses = self.inner.borrow().losses.clone();
        losses.into_iter().map(|(_, id)| self.value(id)).collect()
    }

    /// A constant tensor.
    pub fn constant(&self, tensor: Tensor) -> Value<'_> {
        if tensor.dtype() == DType::Complex64 {
            return self.complex_constant(&tensor);
        }
        self.push(Op::Constant(Constant { tensor }), &[])
    }

    /// A scalar constant, rounded to `dtype`.
    pub fn scalar(&self, value: f64, dtype: DType) -> Value<'_> {
        match Tensor::new([], &[value]) {
            Ok(tensor) => self.constant(tensor.cast(dtype)),
            Err(error) => self.failed(error),
        }
    }

    /// Runs `f` with one more level in the layer path of new nodes.
    pub fn scope<T>(&self, name: &str, f: impl FnOnce() -> T) -> T {
        {
            let mut inner = self.inner.borrow_mut();
            let path = match inner.scopes.last() {
                Some(outer) => format!("{outer}/{name}"),
                None => name.to_owned(),
            };
            inner.scopes.push(path.into());
            inner.opened += 1;
        }
        if self.inner.borrow().opened == MAX_SCOPES {
            self.fail(Error::Limit {
                what: "a model".into(),
                need: "more calls of layers".into(),
                limit: format!("{MAX_SCOPES} calls"),
                owner: "this program".into(),
            });
        }
        let result = f();
        self.inner.borrow_mut().scopes.pop();
        result
    }

    /// Remembers an error of the code that is tracing; the first one is kept.
    pub fn fail(&self, error: Error) {
        let mut inner = self.inner.borrow_mut();
        if inner.error.is_none() {
            let place = inner.scopes.last().map(ToString::to_string);
            inner.error = Some(match place {
                Some(place) => Error::At { place, source: Box::new(error) },
                None => error,
            });
        }
    }

    /// Remembers an error and returns a placeholder, so that tracing can go on.
    pub fn failed(&self, error: Error) -> Value<'_> {
        self.fail(error);
        let tensor = Tensor::scalar(0.0);
        let op = Op::Constant(Constant { tensor });
        let spec = Spec::new([], DType::Float32);
        let id = self.append(op, Vec::new(), spec);
        self.value(id)
    }

    /// The value or a placeholder for its error.
    pub fn ok<'g>(&'g self, value: Result<Value<'g>>) -> Value<'g> {
        value.unwrap_or_else(|error| self.failed(error))
    }

    /// Whether an error has been remembered.
    pub fn has_failed(&self) -> bool {
        self.inner.borrow().error.is_some()
    }

    /// Ends the trace.
    ///
    /// # Errors
    /// The first error that happened while tracing.
    pub fn finish(self) -> Result<Trace> {
        let inner = self.inner.into_inner();
        match inner.error {
            Some(error) => Err(error),
            None => Ok(inner.trace),
        }
    }

    /// What has been written up to now.
    ///
    /// # Errors
    /// The first error that happened while tracing.
    pub fn so_far(&self) -> Result<Trace> {
        if self.has_failed() {
            return Err(Error::Internal("computing after an error".into()));
        }
        Ok(self.inner.borrow().trace.clone())
    }

    /// Writes an operation on values of this graph; an equal one is taken from before. [`Value`] has
    /// a method for what layers need every day.
    pub fn push(&self, op: Op, inputs: &[NodeId]) -> Value<'_> {
        if self.has_failed() {
            // Shapes downstream of an error mean nothing: do not look at them.
            return self.failed(Error::Internal("an earlier error".into()));
        }
        if self.any_complex(inputs) {
            return self.ok(self.push_by_parts(&op, inputs));
        }
        let key = (op, inputs.to_vec());
        if let Some(&id) = self.inner.borrow().interned.get(&key) {
            return self.value(id);
        }
        let (op, inputs) = key;
        let spec = {
            let inner = self.inner.borrow();
            let specs: Vec<&Spec> = inputs.iter().map(|&i| &inner.trace.nodes[i].spec).collect();
            refuse_text(&op, &specs)
                .and_then(|()| op.def().infer(&specs))
                .and_then(|spec| spec.shape.checked_len().map(|_| spec))
        };
        match spec {
            Ok(spec) => {
                let id = self.append(op.clone(), inputs.clone(), spec);
                self.inner.borrow_mut().interned.insert((op, inputs), id);
                self.value(id)
            }
            Err(error) => self.failed(error),
        }
    }

    fn append(&self, op: Op, inputs: Vec<NodeId>, spec: Spec) -> NodeId {
        let mut inner = self.inner.borrow_mut();
        let scope = inner.scopes.last().cloned().unwrap_or_else(|| "".into());
        inner.trace.nodes.push(Node { op, inputs, spec, scope });
        inner.trace.nodes.len() - 1
    }

    /// An operation on values, with all its attributes.
    pub fn apply<'g>(&'g self, op: impl Into<Op>, inputs: &[Value<'g>]) -> Value<'g> {
        let ids: Vec<NodeId> = inputs.iter().map(|v| v.id()).collect();
        self.push(op.into(), &ids)
    }

    /// The value of a node that this graph has.
    pub fn at(&self, id: NodeId) -> Value<'_> {
        self.value(id)
    }

    pub(crate) fn value(&self, id: NodeId) -> Value<'_> {
        Value::new(self, id)
    }

    pub(crate) fn with_node<T>(&self, id: NodeId, f: impl FnOnce(&Node) -> T) -> T {
        f(&self.inner.borrow().trace.nodes[id])
    }

    /// Number of nodes written so far.
    pub fn len(&self) -> usize {
        self.inner.borrow().trace.nodes.len()
    }

    /// Whether nothing has been written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Text may be an input of a graph, where layers of text find it, but nothing computes with it.
fn refuse_text(op: &Op, inputs: &[&Spec]) -> Result<()> {
    let to_text = matches!(op, Op::Cast(cast) if cast.dtype == DType::String);
    if to_text || inputs.iter().any(|spec| spec.dtype == DType::String) {
        return Err(Error::Unsupported(format!(
            "text in '{}': only layers such as StringLookup, TextVectorization and Hashing work \
             with it",
            op.def().label()
        )));
    }
    Ok(())
}

/// Shape and words of a host value, checked against each other in debug builds.
pub(crate) fn array(spec: Spec, words: crate::tensor::Words) -> Array {
    debug_assert_eq!(spec.shape.len(), words.len());
    Array { spec, words }.round_to_dtype()
}

/// The multi-index of a linear position, written into `index`.
pub(crate) fn unravel(mut position: usize, shape: &Shape, index: &mut [usize]) {
    for (i, &extent) in index.iter_mut().zip(shape.iter()).rev() {
        *i = position % extent;
        position /= extent;
    }
}

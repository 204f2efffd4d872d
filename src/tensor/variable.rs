//! A model's weight: a name, a spec, and bytes that may be in a file, in host memory or on a device.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{Error, Result, Source, Spec};
use crate::tensor::Tensor;

/// Identifies a variable within the process; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VariableId(u64);

/// A variable's bytes on a device. Everything but the runtime knows it only as a [`Source`].
pub trait Resident: Source {
    /// The runtime's own type.
    fn as_any(&self) -> &dyn Any;
}

#[derive(Clone)]
enum State {
    /// Not read yet: a dataset in a file, or an initializer. Read when first needed.
    Pending(Arc<dyn Source>),
    Host(Tensor),
    Device(Arc<dyn Resident>),
}

/// A weight of a model. Clones share the weight.
#[derive(Clone)]
pub struct Variable(Arc<Inner>);

struct Inner {
    id: VariableId,
    name: String,
    spec: Spec,
    trainable: bool,
    state: Mutex<(u64, State)>,
}

impl Variable {
    /// A variable that starts with the bytes of `initial`, which is read when first needed.
    pub fn new(name: &str, trainable: bool, initial: Arc<dyn Source>) -> Variable {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Variable(Arc::new(Inner {
            id: VariableId(NEXT.fetch_add(1, Ordering::Relaxed)),
            name: name.into(),
            spec: initial.spec().clone(),
            trainable,
            state: Mutex::new((0, State::Pending(initial))),
        }))
    }

    /// What programs know the variable by; clones share it.
    pub fn id(&self) -> VariableId {
        self.0.id
    }

    /// The name given to `add_weight`, such as `kernel`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Shape and dtype, which never change.
    pub fn spec(&self) -> &Spec {
        &self.0.spec
    }

    /// Whether the variable was created trainable; this decides its place in a weights file.
    pub fn trainable(&self) -> bool {
        self.0.trainable
    }

    /// Counts the changes of the value: equal versions mean equal bytes.
    pub fn version(&self) -> u64 {
        self.lock().0
    }

    /// Where the bytes are, for reading them.
    pub fn source(&self) -> Arc<dyn Source> {
        match &self.lock().1 {
            State::Pending(source) => source.clone(),
            State::Host(tensor) => Arc::new(tensor.clone()),
            State::Device(resident) => resident.clone(),
        }
    }

    /// The value, read into host memory.
    ///
    /// # Errors
    /// If it is in a file that cannot be read or has changed, or on a device that is lost.
    pub fn value(&self) -> Result<Tensor> {
        if let State::Host(tensor) = &self.lock().1 {
            return Ok(tensor.clone());
        }
        Tensor::from_source(self.source().as_ref())
    }

    /// Replaces the value by bytes that are read when first needed.
    ///
    /// # Errors
    /// If shape or dtype differ; a source in another dtype must be converted first.
    pub fn load(&self, source: Arc<dyn Source>) -> Result<()> {
        if source.spec() != self.spec() {
            return Err(Error::Weights(format!(
                "variable '{}' is {}, the given value is {}",
                self.name(),
                self.spec(),
                source.spec()
            )));
        }
        self.replace(State::Pending(source), true);
        Ok(())
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// [`Error::Weights`] if shape or dtype differ.
    pub fn assign(&self, tensor: Tensor) -> Result<()> {
        self.load(Arc::new(tensor))
    }

    /// Says that the value has changed where it is, on its device.
    pub fn touch(&self) {
        self.lock().0 += 1;
    }

    /// Keeps the value in host memory from now on; the value itself does not change.
    ///
    /// # Errors
    /// As [`value`](Variable::value).
    pub fn keep_on_host(&self) -> Result<Tensor> {
        let tensor = self.value()?;
        self.replace(State::Host(tensor.clone()), false);
        Ok(tensor)
    }

    /// The device storage, when the value is on a device.
    pub fn resident(&self) -> Option<Arc<dyn Resident>> {
        match &self.lock().1 {
            State::Device(resident) => Some(resident.clone()),
            _ => None,
        }
    }

    /// Hands the value over to a device, which holds the same bytes; other copies are dropped.
    pub fn set_resident(&self, resident: Arc<dyn Resident>) {
        self.replace(State::Device(resident), false);
    }

    fn replace(&self, state: State, changed: bool) {
        let mut guard = self.lock();
        guard.0 += u64::from(changed);
        guard.1 = state;
    }

    fn lock(&self) -> MutexGuard<'_, (u64, State)> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Variable {} {}", self.0.name, self.0.spec)
    }
}

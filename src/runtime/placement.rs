//! Variables on their way to a device.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, Builder};

use crate::base::{Error, Result, Source};
use crate::gpu::{Buffer, DeviceTensor, Gpu, Rows};
use crate::program::pass::panels;
use crate::tensor::{Resident, Variable, VariableId};

/// The buffers of variables, those that are still empty included: a plan can be bound to buffers and
/// its kernels be compiled while the bytes arrive.
pub struct Placement<'a> {
    gpu: &'a Gpu,
    tensors: HashMap<VariableId, Arc<dyn Resident>>,
    /// Those that are not on the device yet.
    moving: Vec<&'a Variable>,
    items: Vec<(Arc<dyn Source>, Buffer)>,
}

impl<'a> Placement<'a> {
    /// Makes buffers for the variables that are not on the device yet. What does not fit one binding is
    /// cut into panels of rows.
    ///
    /// # Errors
    /// [`Error::Limit`] and [`Error::Device`] when the device has no room.
    pub fn new(gpu: &'a Gpu, variables: &[&'a Variable]) -> Result<Placement<'a>> {
        let mut placement =
            Placement { gpu, tensors: HashMap::new(), moving: Vec::new(), items: Vec::new() };
        let mut variables = variables.to_vec();
        // In the order in which they were made, which is that of most files.
        variables.sort_by_key(|v| v.id());
        variables.dedup_by_key(|v| v.id());
        for variable in variables {
            placement.add(variable)?;
        }
        Ok(placement)
    }

    fn add(&mut self, variable: &'a Variable) -> Result<()> {
        if let Some(there) = on_device(self.gpu, variable) {
            self.tensors.insert(variable.id(), there);
            return Ok(());
        }
        let mut buffers = Vec::new();
        for (first, spec) in panels::panels(variable.spec(), self.gpu.max_binding()) {
            let buffer = self.gpu.create_buffer(spec.bytes_at_rest() as u64, variable.name())?;
            self.items.push((Arc::new(Rows::new(variable.source(), first, spec)), buffer.clone()));
            buffers.push((first, buffer));
        }
        let tensor = DeviceTensor::new(self.gpu, buffers, variable.spec().clone());
        self.tensors.insert(variable.id(), Arc::new(tensor));
        self.moving.push(variable);
        Ok(())
    }

    pub fn gpu(&self) -> &'a Gpu {
        self.gpu
    }

    /// Where a variable is, or will be.
    pub fn resident(&self, variable: &Variable) -> Option<&Arc<dyn Resident>> {
        self.tensors.get(&variable.id())
    }

    /// The buffer with the rows of a variable from one of its panels' first on.
    pub fn panel(&self, variable: VariableId, first_row: usize) -> Option<Buffer> {
        let resident = self.tensors.get(&variable)?;
        resident.as_any().downcast_ref::<DeviceTensor>()?.panel(first_row).cloned()
    }

    /// Streams the bytes to the device.
    ///
    /// # Errors
    /// Those of reading and of the device; no variable has moved then.
    pub fn stream(self) -> Result<()> {
        self.gpu.upload_many(&self.items)?;
        self.settle();
        Ok(())
    }

    /// Streams the bytes to the device and does other work meanwhile.
    ///
    /// # Errors
    /// As [`stream`](Placement::stream), and those of the work.
    pub fn stream_beside<T>(self, work: impl FnOnce(&Placement<'_>) -> Result<T>) -> Result<T> {
        if self.items.is_empty() {
            return work(&self);
        }
        let (streamed, done) = thread::scope(|scope| {
            let stream = || self.gpu.upload_many(&self.items);
            let streaming = Builder::new().name("placing weights".into());
            match streaming.spawn_scoped(scope, stream) {
                Ok(thread) => {
                    let done = work(&self);
                    let lost = |_| Err(Error::Internal("placing weights panicked".into()));
                    (thread.join().unwrap_or_else(lost), done)
                }
                Err(_) => (stream(), work(&self)),
            }
        });
        // What is wrong with a file says more than what followed from it.
        streamed?;
        let done = done?;
        self.settle();
        Ok(done)
    }

    fn settle(&self) {
        for variable in &self.moving {
            if let Some(resident) = self.resident(variable) {
                variable.set_resident(resident.clone());
            }
        }
    }
}

/// A variable's tensor, when it is on this device.
fn on_device(gpu: &Gpu, variable: &Variable) -> Option<Arc<dyn Resident>> {
    let resident = variable.resident()?;
    let is_here = resident.as_any().downcast_ref::<DeviceTensor>()?.gpu().is(gpu);
    is_here.then_some(resident)
}

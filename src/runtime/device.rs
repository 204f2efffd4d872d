//! The choice of what computes.

use std::fmt;

use crate::base::{Error, Result};
use crate::gpu::{Choice, Gpu};
use crate::runtime::Tuning;
use crate::runtime::host;
use crate::runtime::placement::Placement;
use crate::tensor::Variable;

/// What computes: a GPU, a software adapter, or the host's own executor.
#[derive(Clone)]
pub enum Device {
    /// An adapter that wgpu reaches; software ones count.
    Gpu(Gpu),
    /// The host's executor: threads of this process.
    Host,
}

/// The environment variable that names a device where none is asked for.
pub const ENVIRONMENT: &str = "KERAUNOS_DEVICE";

impl Device {
    /// The device of a name, with the kernels that [`Tuning`] has kept for it:
    ///
    /// | name | device |
    /// | --- | --- |
    /// | `auto` | a real GPU, else the host |
    /// | `gpu` | a real GPU, else a software adapter |
    /// | `host` | the host executor |
    /// | `discrete`, `integrated`, `software` | an adapter of that kind |
    /// | anything else | the adapter whose name contains it, whatever the case |
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such adapter.
    pub fn open(name: &str) -> Result<Device> {
        match name {
            "host" => Ok(Device::Host),
            "gpu" => Gpu::open(&Choice::AnyGpu).map(Device::tuned_before),
            "auto" => match Gpu::open(&Choice::BestGpu) {
                Ok(gpu) => Ok(Device::tuned_before(gpu)),
                Err(reason) => {
                    log::info!("computing on the host: {reason}");
                    Ok(Device::Host)
                }
            },
            _ => Gpu::open(&Choice::Named(name.into())).map(Device::tuned_before),
        }
    }

    /// A GPU, with what `keraunos tune` has found out about it on this machine.
    fn tuned_before(gpu: Gpu) -> Device {
        let device = Device::Gpu(gpu);
        match Tuning::cached().filter(|tuning| tuning.mismatch(&device).is_none()) {
            Some(tuning) => device.tuned(&tuning),
            None => device,
        }
    }

    /// The device with the kernels that a table has for it, instead of those it had; without any for
    /// what the table does not have. Plans that were made before keep their kernels.
    ///
    /// [`Device::open`] does so with the table in the cache folder, where there is one.
    pub fn tuned(&self, tuning: &Tuning) -> Device {
        if let Some(reason) = tuning.mismatch(self) {
            log::warn!("a table of tuned kernels is of no use here: {reason}");
        }
        match self {
            Device::Gpu(gpu) => Device::Gpu(gpu.with_choices(tuning.choices(self))),
            Device::Host => Device::Host,
        }
    }

    /// The device named by `KERAUNOS_DEVICE`, or `auto`.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such adapter.
    pub fn default_device() -> Result<Device> {
        match std::env::var(ENVIRONMENT) {
            Ok(name) => Device::open(&name).map_err(|error| Error::At {
                place: format!("{ENVIRONMENT}={name}"),
                source: Box::new(error),
            }),
            Err(_) => Device::open("auto"),
        }
    }

    /// Moves variables to the device now, instead of when they are first computed with. Each is
    /// streamed from where it is; what is there already stays.
    ///
    /// # Errors
    /// If a variable cannot be read, or the device fails or has too little memory.
    pub fn place(&self, variables: &[&Variable]) -> Result<()> {
        match self {
            Device::Gpu(gpu) => Placement::new(gpu, variables)?.stream(),
            Device::Host => host::place(variables),
        }
    }

    /// Whether a plan for one device is what the other would make: they share buffers and choose the same
    /// kernels.
    pub fn plans_as(&self, other: &Device) -> bool {
        match (self, other) {
            (Device::Gpu(a), Device::Gpu(b)) => a.is(b) && a.caps().choices == b.caps().choices,
            _ => self.is(other),
        }
    }

    /// Whether two devices share buffers.
    pub fn is(&self, other: &Device) -> bool {
        match (self, other) {
            (Device::Gpu(a), Device::Gpu(b)) => a.is(b),
            (Device::Host, Device::Host) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({self})")
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Gpu(gpu) => {
                write!(f, "{} ({:?}, {})", gpu.caps().name, gpu.caps().kind, gpu.caps().backend)
            }
            Device::Host => f.write_str("host"),
        }
    }
}

//! The choice of what computes.

use std::fmt;

use crate::base::{Error, Result};
use crate::gpu::{Choice, Gpu};
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
    /// The device of a name:
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
            "gpu" => Gpu::open(&Choice::AnyGpu).map(Device::Gpu),
            "auto" => match Gpu::open(&Choice::BestGpu) {
                Ok(gpu) => Ok(Device::Gpu(gpu)),
                Err(reason) => {
                    log::info!("computing on the host: {reason}");
                    Ok(Device::Host)
                }
            },
            _ => Gpu::open(&Choice::Named(name.into())).map(Device::Gpu),
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

//! Choice of an adapter, the open device, and what is known of both.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::gpu::memory::Memory;
use crate::gpu::pipeline::Pipelines;
use crate::gpu::staging::{ReadRing, WriteRing};

/// What stands behind an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Discrete,
    Integrated,
    /// A virtual GPU, or one whose driver does not say.
    Other,
    /// A processor that plays a GPU, such as Mesa's lavapipe.
    Software,
}

/// Facts about an adapter that decide which kernels run on it and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Caps {
    pub name: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Graphics interface: `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    pub kind: Kind,
    /// Largest storage binding in bytes.
    pub max_storage_binding: u64,
    /// Largest buffer in bytes.
    pub max_buffer: u64,
    /// Storage buffers that one kernel may bind.
    pub max_bindings: usize,
    /// Invocations per workgroup.
    pub max_workgroup_size: u32,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Workgroups per dimension of a grid.
    pub max_groups: u32,
    /// 16-bit floats in shaders.
    pub f16: bool,
    pub subgroups: bool,
    pub timestamps: bool,
    /// Whether compiled pipelines can be read back.
    pub pipeline_cache: bool,
}

/// Which adapter to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The best real GPU; software adapters do not count.
    BestGpu,
    /// The best adapter of any kind.
    AnyGpu,
    /// The best adapter whose name or driver contains the text, whatever the case, or whose kind
    /// is the text: `discrete`, `integrated`, `software`.
    Named(String),
}

/// An open device. Clones share it.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    alignment: usize,
    caps: Caps,
    status: Arc<Status>,
    memory: Arc<Memory>,
    writes: Mutex<Option<WriteRing>>,
    reads: Mutex<Option<ReadRing>>,
    pipelines: Pipelines,
}

/// What the driver reported from elsewhere.
#[derive(Default)]
struct Status {
    lost: Mutex<Option<String>>,
    /// The first report since the last check; those that follow are its consequences.
    error: Mutex<Option<String>>,
}

/// Every adapter of this machine: real ones first, software last.
pub fn adapters() -> Vec<Caps> {
    enumerate().iter().map(|adapter| Caps::of(adapter)).collect()
}

impl Gpu {
    /// Opens an adapter with all its limits and the features that kernels can use.
    ///
    /// # Errors
    /// [`Error::Device`] when no adapter fits the choice, or its driver refuses.
    pub fn open(choice: &Choice) -> Result<Gpu> {
        let adapters = enumerate();
        let fitting = adapters.iter().find(|adapter| choice.accepts(&Caps::of(adapter)));
        let adapter = fitting.ok_or_else(|| no_adapter(choice, &adapters))?;
        let caps = Caps::of(adapter);
        let limits = adapter.limits();
        let alignment = limits.min_uniform_buffer_offset_alignment as usize;
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("keraunos"),
            required_features: adapter.features() & useful_features(),
            required_limits: limits,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request)
            .map_err(|e| Error::Device(format!("adapter '{}' could not open: {e}", caps.name)))?;
        let status = Arc::new(Status::default());
        status.listen_to(&device);
        Ok(Gpu(Arc::new(Inner {
            device,
            queue,
            alignment,
            caps,
            status,
            memory: Memory::new(),
            writes: Mutex::new(None),
            reads: Mutex::new(None),
            pipelines: Pipelines::default(),
        })))
    }

    pub fn caps(&self) -> &Caps {
        &self.0.caps
    }

    /// Reports what went wrong since the last call, outside of any call.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] for ever after the device went away; [`Error::Device`] once for a
    /// recorded error.
    pub fn check(&self) -> Result<()> {
        if let Some(reason) = lock(&self.0.status.lost).as_ref() {
            return Err(Error::DeviceLost(reason.clone()));
        }
        match lock(&self.0.status.error).take() {
            Some(message) => Err(Error::Device(message)),
            None => Ok(()),
        }
    }

    /// Bounds the bytes that buffers of this device may hold together; `None` lifts the bound.
    pub fn set_memory_limit(&self, bytes: Option<u64>) {
        self.0.memory.set_limit(bytes);
    }

    /// Bytes that buffers of this device hold together.
    pub fn memory_used(&self) -> u64 {
        self.0.memory.used()
    }

    /// Gives the device up: everything that uses it fails with [`Error::DeviceLost`] from now on.
    pub fn destroy(&self) {
        self.0.device.destroy();
        lock(&self.0.status.lost).get_or_insert_with(|| "it was given up".into());
    }

    /// Waits until everything submitted so far is done.
    pub fn wait(&self) -> Result<()> {
        self.check()?;
        self.poll(wgpu::PollType::wait_indefinitely())
    }

    /// Runs `make` and turns what the driver holds against it into an error.
    pub(super) fn guarded<T>(&self, what: &str, make: impl FnOnce() -> T) -> Result<T> {
        self.check()?;
        let memory = self.0.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.0.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let made = make();
        let invalid = pollster::block_on(validation.pop());
        let exhausted = pollster::block_on(memory.pop());
        self.check()?;
        match exhausted.or(invalid) {
            None => Ok(made),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(Error::Device(format!(
                "{what}: out of device memory with {} bytes in use on '{}'; use a smaller batch \
                 or another device",
                self.memory_used(),
                self.0.caps.name
            ))),
            Some(e) => Err(Error::Device(format!("{what}: {e}"))),
        }
    }

    /// Drives callbacks; blocks when asked to wait.
    pub(super) fn poll(&self, how: wgpu::PollType) -> Result<()> {
        let polled = self.0.device.poll(how);
        self.check()?;
        polled.map(|_| ()).map_err(|e| Error::Device(format!("waiting for the device: {e}")))
    }

    /// The device, for making commands and objects.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// The queue, for submitting.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    /// Submits one command buffer.
    pub fn submit(&self, encoder: wgpu::CommandEncoder) -> Result<wgpu::SubmissionIndex> {
        self.check()?;
        let index = self.0.queue.submit([encoder.finish()]);
        self.check()?;
        Ok(index)
    }

    /// Whether both are the same open device.
    pub fn is(&self, other: &Gpu) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn memory(&self) -> &Arc<Memory> {
        &self.0.memory
    }

    pub(super) fn pipeline_cache(&self) -> &Pipelines {
        &self.0.pipelines
    }

    /// Bytes to which offsets of uniforms in one buffer are aligned.
    pub(super) fn uniform_alignment(&self) -> usize {
        self.0.alignment
    }

    pub(super) fn write_ring(&self) -> MutexGuard<'_, Option<WriteRing>> {
        lock(&self.0.writes)
    }

    pub(super) fn read_ring(&self) -> MutexGuard<'_, Option<ReadRing>> {
        lock(&self.0.reads)
    }
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu '{}' ({}, {})", self.0.caps.name, self.0.caps.backend, self.0.caps.driver)
    }
}

impl Status {
    /// Records what the device reports, in place of wgpu's default of a panic.
    fn listen_to(self: &Arc<Status>, device: &wgpu::Device) {
        let status = self.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            log::error!("device error: {e}");
            lock(&status.error).get_or_insert_with(|| e.to_string());
        }));
        let status = self.clone();
        device.set_device_lost_callback(move |reason, message| {
            // A device that is merely dropped at the end of its life is not news.
            log::debug!("device lost ({reason:?}): {message}");
            lock(&status.lost).get_or_insert(format!("{reason:?}: {message}"));
        });
    }
}

impl Choice {
    fn accepts(&self, caps: &Caps) -> bool {
        match self {
            Choice::BestGpu => caps.kind != Kind::Software,
            Choice::AnyGpu => true,
            Choice::Named(words) => match words.to_lowercase().as_str() {
                "discrete" => caps.kind == Kind::Discrete,
                "integrated" => caps.kind == Kind::Integrated,
                "software" => caps.kind == Kind::Software,
                part => [&caps.name, &caps.driver].iter().any(|s| s.to_lowercase().contains(part)),
            },
        }
    }
}

impl Caps {
    /// The least that every adapter offers: WebGPU's default limits and no features.
    pub fn minimum() -> Caps {
        let limits = wgpu::Limits::default();
        Caps {
            name: "minimum".into(),
            driver: String::new(),
            backend: String::new(),
            kind: Kind::Other,
            max_storage_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            max_bindings: limits.max_storage_buffers_per_shader_stage as usize,
            max_workgroup_size: limits.max_compute_invocations_per_workgroup,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            max_groups: limits.max_compute_workgroups_per_dimension,
            f16: false,
            subgroups: false,
            timestamps: false,
            pipeline_cache: false,
        }
    }

    fn of(adapter: &wgpu::Adapter) -> Caps {
        let info = adapter.get_info();
        let limits = adapter.limits();
        let features = adapter.features();
        Caps {
            driver: format!("{} {}", info.driver, info.driver_info).trim().into(),
            backend: info.backend.to_str().into(),
            kind: kind(info.device_type),
            name: info.name,
            max_storage_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            max_bindings: limits.max_storage_buffers_per_shader_stage as usize,
            max_workgroup_size: limits.max_compute_invocations_per_workgroup,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            max_groups: limits.max_compute_workgroups_per_dimension,
            f16: features.contains(wgpu::Features::SHADER_F16),
            subgroups: features.contains(wgpu::Features::SUBGROUP),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            pipeline_cache: features.contains(wgpu::Features::PIPELINE_CACHE),
        }
    }
}

fn kind(device_type: wgpu::DeviceType) -> Kind {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => Kind::Discrete,
        wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
        wgpu::DeviceType::Cpu => Kind::Software,
        wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => Kind::Other,
    }
}

fn useful_features() -> wgpu::Features {
    wgpu::Features::SHADER_F16
        | wgpu::Features::SUBGROUP
        | wgpu::Features::TIMESTAMP_QUERY
        | wgpu::Features::PIPELINE_CACHE
}

/// Adapters in order of preference. GL shows the same hardware once more and takes long to start,
/// so it is asked only when nothing else answers.
fn enumerate() -> Vec<wgpu::Adapter> {
    let first = adapters_of(wgpu::Backends::PRIMARY);
    let found = if first.is_empty() { adapters_of(wgpu::Backends::GL) } else { first };
    let mut kept: Vec<wgpu::Adapter> = Vec::new();
    for adapter in found {
        let info = adapter.get_info();
        // Two interfaces to one card have the same name; two equal cards share the interface.
        let known = kept.iter().map(wgpu::Adapter::get_info);
        if !known.into_iter().any(|k| k.name == info.name && k.backend != info.backend) {
            kept.push(adapter);
        }
    }
    kept.sort_by_key(|adapter| kind(adapter.get_info().device_type));
    kept
}

fn adapters_of(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    pollster::block_on(instance.enumerate_adapters(backends))
}

fn no_adapter(choice: &Choice, adapters: &[wgpu::Adapter]) -> Error {
    let wanted = match choice {
        Choice::BestGpu => "a real GPU".into(),
        Choice::AnyGpu => "any adapter".into(),
        Choice::Named(words) => format!("an adapter named '{}'", quote(words)),
    };
    let names: Vec<String> = adapters.iter().map(|a| quote(&a.get_info().name)).collect();
    let found = if names.is_empty() { "none".into() } else { names.join(", ") };
    Error::Device(format!(
        "no adapter fits: wanted {wanted}, found {found}; install a Vulkan driver or use the host"
    ))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The open device and what its driver reports.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::{Error, Result};
use crate::gpu::Choices;
use crate::gpu::adapter::{Caps, Choice, enumerate, no_adapter, useful_features};
use crate::gpu::memory::Memory;
use crate::gpu::pipeline::Pipelines;
use crate::gpu::pipeline_cache::PipelineCache;
use crate::gpu::staging::{ReadRing, WriteRing};

/// An open device, and what is known about it. Clones share it.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>, Arc<Caps>);

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    alignment: usize,
    status: Arc<Status>,
    memory: Arc<Memory>,
    /// How many buffers, bind groups and pipelines were made.
    made: AtomicU64,
    /// How many command buffers were submitted.
    submits: AtomicU64,
    /// Most bytes in one binding, below what the adapter allows.
    binding_limit: AtomicU64,
    writes: Mutex<Option<WriteRing>>,
    reads: Mutex<Option<ReadRing>>,
    pipelines: Pipelines,
    pipeline_cache: Option<PipelineCache>,
}

/// What the driver reported from elsewhere.
#[derive(Default)]
struct Status {
    lost: Mutex<Option<String>>,
    /// The first report since the last check; those that follow are its consequences.
    error: Mutex<Option<String>>,
}

impl Gpu {
    /// Opens an adapter with all its limits and the features that kernels can use.
    ///
    /// Compiled kernels are kept in the user's cache folder where the driver offers it; the
    /// environment variable `KERAUNOS_CACHE` names another folder or is `off`.
    ///
    /// # Errors
    /// [`Error::Device`] when no adapter fits the choice, or its driver refuses.
    pub fn open(choice: &Choice) -> Result<Gpu> {
        let adapters = enumerate();
        let fitting = adapters.iter().find(|adapter| choice.accepts(&Caps::of(adapter)));
        let adapter = fitting.ok_or_else(|| no_adapter(choice, &adapters))?;
        let mut caps = Caps::of(adapter);
        let alignment = adapter.limits().min_uniform_buffer_offset_alignment as usize;
        let mut opened = request(adapter, caps.matrix_units);
        if let (Err(reason), true) = (&opened, caps.matrix_units) {
            log::warn!("'{}' does not open with its matrix units: {reason}", caps.name);
            caps.matrix_units = false;
            opened = request(adapter, false);
        }
        let (device, queue) = opened
            .map_err(|e| Error::Device(format!("adapter '{}' could not open: {e}", caps.name)))?;
        let status = Arc::new(Status::default());
        status.listen_to(&device);
        let pipeline_cache = PipelineCache::open(&device, &adapter.get_info());
        let inner = Inner {
            device,
            queue,
            alignment,
            status,
            memory: Memory::new(),
            made: AtomicU64::new(0),
            submits: AtomicU64::new(0),
            binding_limit: AtomicU64::new(u64::MAX),
            writes: Mutex::new(None),
            reads: Mutex::new(None),
            pipelines: Pipelines::default(),
            pipeline_cache,
        };
        Ok(Gpu(Arc::new(inner), Arc::new(caps)))
    }

    /// Facts about the adapter behind the device.
    pub fn caps(&self) -> &Caps {
        &self.1
    }

    /// The same device with these kernels for these problems, instead of those it had. Plans that were
    /// made before keep theirs.
    pub fn with_choices(&self, choices: Choices) -> Gpu {
        let caps = Caps { choices, ..(*self.1).clone() };
        Gpu(self.0.clone(), Arc::new(caps))
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

    /// Bounds the bytes that a kernel may bind in one buffer, below what the adapter allows: to try
    /// on one device what a smaller one would do. Variables that are on the device already stay as
    /// they are.
    pub fn set_binding_limit(&self, bytes: u64) {
        self.0.binding_limit.store(bytes, Ordering::Relaxed);
    }

    /// Most bytes of a buffer that a kernel can bind, a multiple of 4.
    pub fn max_binding(&self) -> u64 {
        let caps = self.caps();
        let limit = self.0.binding_limit.load(Ordering::Relaxed);
        caps.max_buffer.min(caps.max_storage_binding).min(limit) / 4 * 4
    }

    /// How many buffers, bind groups and pipelines this device was asked for so far. Running a plan
    /// again asks for none: what a run needs is made with the plan, or by the first run.
    pub fn objects_made(&self) -> u64 {
        self.0.made.load(Ordering::Relaxed)
    }

    /// How many times work was handed to this device so far. A run of a plan is one, but for plans of
    /// thousands of dispatches.
    pub fn submits(&self) -> u64 {
        self.0.submits.load(Ordering::Relaxed)
    }

    /// Counts an object that is about to be made.
    pub(super) fn count_object(&self) {
        self.0.made.fetch_add(1, Ordering::Relaxed);
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
                self.1.name
            ))),
            Some(e) => Err(Error::Device(format!("{what}: {e}"))),
        }
    }

    /// Drives callbacks; blocks when asked to wait.
    pub(super) fn poll(&self, how: wgpu::PollType) -> Result<()> {
        // wgpu panics where a driver reports the loss of the device to a waiting call.
        let wait = AssertUnwindSafe(|| self.0.device.poll(how));
        let polled = catch_unwind(wait);
        if polled.is_err() {
            lock(&self.0.status.lost).get_or_insert_with(|| "it failed while waited for".into());
        }
        self.check()?;
        polled
            .unwrap_or(Ok(wgpu::PollStatus::Poll))
            .map(|_| ())
            .map_err(|e| Error::Device(format!("waiting for the device: {e}")))
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
        self.0.submits.fetch_add(1, Ordering::Relaxed);
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

    pub(super) fn made_pipelines(&self) -> &Pipelines {
        &self.0.pipelines
    }

    pub(super) fn pipeline_cache(&self) -> Option<&PipelineCache> {
        self.0.pipeline_cache.as_ref()
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

/// Opens an adapter, with the experimental feature for its matrix units or without.
#[allow(unsafe_code, reason = "wgpu marks its experimental features so")]
fn request(
    adapter: &wgpu::Adapter,
    matrix_units: bool,
) -> std::result::Result<(wgpu::Device, wgpu::Queue), wgpu::RequestDeviceError> {
    let mut required_features = adapter.features() & useful_features();
    let mut experimental_features = wgpu::ExperimentalFeatures::disabled();
    if matrix_units {
        required_features |= wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        // SAFETY: what is asked of the caller is to know that there may be errors in what wgpu makes of
        // this feature, which one kernel of ours uses: `matmul_matrix`, whose loads and stores of
        // fragments lie inside of arrays of its own. No text from elsewhere reaches a shader. It runs
        // only on adapters that report the feature, and in place of another kernel only where it was
        // found to compute what the host computes.
        experimental_features = unsafe { wgpu::ExperimentalFeatures::enabled() };
    }
    pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        label: Some("keraunos"),
        required_features,
        required_limits: adapter.limits(),
        experimental_features,
        ..Default::default()
    }))
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu '{}' ({}, {})", self.1.name, self.1.backend, self.1.driver)
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

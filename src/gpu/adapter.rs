//! Adapters: what they are, their order, and the choice of one.

use crate::base::Error;
use crate::base::error::quote;
use crate::gpu::Choices;

/// What stands behind an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A graphics card with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A virtual GPU, or one whose driver does not say.
    Other,
    /// A processor that plays a GPU, such as Mesa's lavapipe.
    Software,
}

/// Facts about an adapter that decide which kernels run on it and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Caps {
    /// The adapter's name, as its driver tells it.
    pub name: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Graphics interface: `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// What stands behind it.
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
    /// Subgroup operations in shaders.
    pub subgroups: Option<Subgroups>,
    /// Matrix units that multiply 16 x 16 numbers of float16 and add float32, a feature of wgpu that is
    /// experimental.
    pub matrix_units: bool,
    /// Timestamps around each dispatch, without which single kernels cannot be timed.
    pub timestamps: bool,
    /// Compiled kernels can be kept on disk.
    pub pipeline_cache: bool,
    /// Kernels that measurements on it have chosen; for other problems its kind decides.
    pub choices: Choices,
}

/// Invocations of a subgroup, which can exchange values: powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subgroups {
    /// The least, at least 4.
    pub least: u32,
    /// The most, at most 128.
    pub most: u32,
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

/// Every adapter of this machine: real ones first, software last.
pub fn adapters() -> Vec<Caps> {
    enumerate().iter().map(Caps::of).collect()
}

impl Choice {
    /// Whether an adapter is one of those to choose from.
    pub fn accepts(&self, caps: &Caps) -> bool {
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
            subgroups: None,
            matrix_units: false,
            timestamps: false,
            pipeline_cache: false,
            choices: Choices::default(),
        }
    }

    pub(super) fn of(adapter: &wgpu::Adapter) -> Caps {
        let info = adapter.get_info();
        let limits = adapter.limits();
        let features = adapter.features();
        let subgroups = Subgroups::of(&info, features);
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
            subgroups,
            matrix_units: has_matrix_units(adapter),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            pipeline_cache: features.contains(wgpu::Features::PIPELINE_CACHE),
            choices: Choices::default(),
        }
    }
}

impl Subgroups {
    /// Those of an adapter, if kernels can use them.
    fn of(info: &wgpu::AdapterInfo, features: wgpu::Features) -> Option<Subgroups> {
        let [least, most] = [info.subgroup_min_size, info.subgroup_max_size];
        let usable = least.is_power_of_two() && most.is_power_of_two() && least >= 4 && most <= 128;
        let there = features.contains(wgpu::Features::SUBGROUP) && usable && least <= most;
        there.then_some(Subgroups { least, most })
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

/// Whether an adapter has the matrix units that kernels can use.
fn has_matrix_units(adapter: &wgpu::Adapter) -> bool {
    use wgpu::CooperativeScalarType::{F16, F32};
    let fits = |p: &wgpu::CooperativeMatrixProperties| {
        [p.m_size, p.n_size, p.k_size] == [16; 3] && (p.ab_type, p.cr_type) == (F16, F32)
    };
    let there = adapter.features().contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX);
    there && adapter.cooperative_matrix_properties().iter().any(fits)
}

/// Features that kernels, profiling and start-up can use.
pub(super) fn useful_features() -> wgpu::Features {
    wgpu::Features::SHADER_F16
        | wgpu::Features::SUBGROUP
        | wgpu::Features::TIMESTAMP_QUERY
        | wgpu::Features::PIPELINE_CACHE
}

/// Adapters in order of preference. GL shows the same hardware once more and takes long to start,
/// so it is asked only when nothing else answers.
pub(super) fn enumerate() -> Vec<wgpu::Adapter> {
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

pub(super) fn no_adapter(choice: &Choice, adapters: &[wgpu::Adapter]) -> Error {
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

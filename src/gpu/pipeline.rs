//! Compute pipelines, cached by their text, and the layouts of what they bind.
//!
//! These live as long as the device; [`pipeline_cache`](super::pipeline_cache) keeps what the driver
//! made of them between processes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::base::threads::in_parallel;
use crate::base::{Error, Result};
use crate::gpu::device::lock;
use crate::gpu::pipeline_cache::PipelineCache;
use crate::gpu::{Gpu, Launch, shader};

/// A compiled kernel and the layouts of its two bind groups.
#[derive(Debug)]
pub struct Pipeline {
    pub(super) raw: wgpu::ComputePipeline,
    pub(super) layout: Arc<Layout>,
}

/// Binding of the number of a loop's step in the group of parameters; its offset is chosen for every
/// dispatch.
pub(super) const STEP: usize = 2;

/// Layouts of a kernel's bind groups: storage buffers, then parameters.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) buffers: wgpu::BindGroupLayout,
    pub(super) params: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

/// What decides a [`Layout`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shape {
    bindings: usize,
    writable: Vec<usize>,
    params: bool,
    extra: bool,
    steps: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: Arc<str>,
    shape: Shape,
    fills_workgroup_memory: bool,
}

/// The pipelines of one device.
#[derive(Default)]
pub(super) struct Pipelines {
    made: Mutex<HashMap<Key, Arc<Pipeline>>>,
    layouts: Mutex<HashMap<Shape, Arc<Layout>>>,
}

impl Gpu {
    /// The pipelines of some launches; those not made yet are compiled in parallel. For each launch,
    /// `beside` lists the bindings that are read from buffers of which the kernel writes another part:
    /// WebGPU wants a buffer bound in one way in a dispatch.
    ///
    /// # Errors
    /// [`Error::Device`] with file and line when a shader is not accepted.
    pub fn pipelines(
        &self,
        launches: &[&Launch],
        beside: &[Vec<usize>],
    ) -> Result<Vec<Arc<Pipeline>>> {
        let cache = self.made_pipelines();
        let keys = launches.iter().zip(beside).map(|(launch, beside)| Key::of(launch, beside));
        let keys = keys.collect::<Result<Vec<Key>>>()?;
        let mut missing: HashMap<&Key, &Launch> =
            keys.iter().zip(launches.iter().copied()).collect();
        missing.retain(|key, _| !lock(&cache.made).contains_key(key));
        let missing: Vec<_> = missing.into_iter().collect();
        let compile = |(): &mut (), i: usize| {
            let (key, launch): (&Key, &Launch) = missing[i];
            Ok((key.clone(), Arc::new(self.compile(key, launch)?)))
        };
        let fresh = in_parallel(missing.len(), || (), compile)?;
        if !fresh.is_empty()
            && let Some(cache) = self.pipeline_cache()
        {
            cache.update();
        }
        let mut made = lock(&cache.made);
        made.extend(fresh);
        keys.iter()
            .map(|key| made.get(key).cloned())
            .collect::<Option<_>>()
            .ok_or_else(|| Error::Internal("a pipeline is missing after its creation".into()))
    }

    fn compile(&self, key: &Key, launch: &Launch) -> Result<Pipeline> {
        let layout = self.layout(&key.shape)?;
        let module = self.shader_module(launch.kernel, &key.source)?;
        self.count_object();
        let raw = self.guarded(&format!("pipeline of '{}'", launch.kernel), || {
            self.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(launch.kernel),
                layout: Some(&layout.pipeline),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: !key.fills_workgroup_memory,
                    ..Default::default()
                },
                cache: self.pipeline_cache().map(PipelineCache::raw),
            })
        })?;
        Ok(Pipeline { raw, layout })
    }

    /// Bounds checks stay on: indices may come from data.
    fn shader_module(&self, kernel: &str, source: &str) -> Result<wgpu::ShaderModule> {
        self.check()?;
        let scope = self.device().push_error_scope(wgpu::ErrorFilter::Validation);
        let module = self.device().create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let Some(error) = pollster::block_on(scope.pop()) else {
            return Ok(module);
        };
        let info = pollster::block_on(module.get_compilation_info());
        let place = info
            .messages
            .iter()
            .find_map(|message| message.location)
            .map(|at| shader::locate(source, at.line_number as usize))
            .unwrap_or_else(|| kernel.into());
        Err(Error::Device(format!("shader {place}: {error}")))
    }

    fn layout(&self, shape: &Shape) -> Result<Arc<Layout>> {
        if let Some(layout) = lock(&self.made_pipelines().layouts).get(shape) {
            return Ok(layout.clone());
        }
        let made =
            self.guarded("layout of bindings", || Arc::new(make_layout(self.device(), shape)))?;
        Ok(lock(&self.made_pipelines().layouts).entry(shape.clone()).or_insert(made).clone())
    }
}

impl Key {
    fn of(launch: &Launch, beside: &[usize]) -> Result<Key> {
        let source = match beside {
            [] => launch.source.clone(),
            _ => shader::writable(&launch.source, beside)?.into(),
        };
        Ok(Key {
            source,
            shape: Shape {
                bindings: launch.bindings,
                writable: launch.written().chain(beside.iter().copied()).collect(),
                params: !launch.params.is_empty(),
                extra: !launch.extra.is_empty(),
                steps: launch.steps,
            },
            fills_workgroup_memory: launch.fills_workgroup_memory,
        })
    }
}

fn make_layout(device: &wgpu::Device, shape: &Shape) -> Layout {
    let buffers: Vec<_> = (0..shape.bindings)
        .map(|i| {
            let read_only = !shape.writable.contains(&i);
            entry(i, wgpu::BufferBindingType::Storage { read_only }, false)
        })
        .collect();
    let uniforms = [shape.params, shape.extra, shape.steps];
    let params: Vec<_> = (0..uniforms.len())
        .filter(|&i| uniforms[i])
        .map(|i| entry(i, wgpu::BufferBindingType::Uniform, i == STEP))
        .collect();
    let group = |label, entries: &[wgpu::BindGroupLayoutEntry]| {
        let label = Some(label);
        device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries })
    };
    let (buffers, params) = (group("buffers", &buffers), group("params", &params));
    let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&buffers), Some(&params)],
        immediate_size: 0,
    });
    Layout { buffers, params, pipeline }
}

fn entry(
    binding: usize,
    ty: wgpu::BufferBindingType,
    has_dynamic_offset: bool,
) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding: binding as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    }
}

//! One dispatch, before any device is involved.

use std::ops::Range;
use std::sync::Arc;

use crate::gpu::KernelChoice;

/// One dispatch as data: text, parameters, grid and what it binds.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Name of the kernel, which is the name of its shader file.
    pub kernel: &'static str,
    /// What profilers and error messages call this dispatch.
    pub label: String,
    /// The whole shader text, as [`crate::gpu::shader::compose`] returns it; entry point `main`.
    pub source: Arc<str>,
    /// Words of the uniform struct at group 1, binding 0; empty when the kernel has none.
    pub params: Vec<u32>,
    /// Words of the uniform at group 1, binding 1, the epilogue's; empty when it has none.
    pub extra: Vec<u32>,
    /// Whether the kernel reads the number of a loop's step, the first word of the uniform at group 1,
    /// binding 2.
    pub steps: bool,
    /// Workgroups per dimension; a zero means that there is nothing to do.
    pub grid: [u32; 3],
    /// Number of storage buffers, bound at group 0 from 0 on.
    pub bindings: usize,
    /// The first buffer that is written.
    pub first_output: usize,
    /// How many buffers are written, from `first_output` on; the others are only read.
    pub outputs: usize,
    /// Whether the kernel writes its workgroup memory before it reads it, so that the driver need
    /// not clear it first.
    pub fills_workgroup_memory: bool,
    /// How much there is to do, roughly: operations of arithmetic, and two for each byte that is moved.
    /// It bounds what one submit takes.
    pub work: u64,
    /// The kernels among which this one was chosen; `None` where there is only one.
    pub choice: Option<KernelChoice>,
}

impl Launch {
    /// The bindings that are written.
    pub(super) fn written(&self) -> Range<usize> {
        self.first_output..self.first_output + self.outputs
    }
}

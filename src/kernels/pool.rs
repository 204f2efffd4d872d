//! Pooling; see `shaders/pool.wgsl`.

use crate::base::Result;
use crate::gpu::Caps;
use crate::kernels::build::{Kernel, words};
use crate::kernels::{Epilogue, Launch};

pub(super) const WORKGROUP: usize = 64;

/// How a window becomes one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolMode {
    /// The largest element; NaN is larger than any number, padding is smaller.
    Max,
    /// The mean of the elements; padding does not count.
    AverageValid,
    /// The sum of the elements.
    Sum,
}

/// Pooling of a channels-last float32 tensor of three spatial axes (fewer are led by extents
/// of 1): input `[batch, input…, channels]`, output `[batch, output…, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// Number of examples.
    pub batch: usize,
    /// Spatial extents of the input.
    pub input: [usize; 3],
    /// Channels of input and output.
    pub channels: usize,
    /// Spatial extents of the output.
    pub output: [usize; 3],
    /// Spatial extents of a window.
    pub window: [usize; 3],
    /// Steps of the window along each axis.
    pub stride: [usize; 3],
    /// Padding before the first element; that behind the last follows from the output's extents.
    pub pad: [usize; 3],
    /// How a window becomes one value.
    pub mode: PoolMode,
}

/// The shaders' `Params`, of `shaders/lib/pool.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    mode: u32,
    lowest: f32,
    channels: u32,
    elements: u32,
    input: [u32; 3],
    output: [u32; 3],
    window: [u32; 3],
    stride: [u32; 3],
    pad: [u32; 3],
}

/// The launch for pooling; binds the input and the output.
pub fn launch(problem: &Pool, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    let elements = problem.elements(problem.output);
    Kernel {
        name: "pool",
        label: problem.label("pool"),
        prelude: format!("const WG = {WORKGROUP}u;\n"),
        modules: Vec::new(),
        params: &problem.params(elements)?,
        groups: elements.div_ceil(WORKGROUP),
        inputs: 1,
        fills_workgroup_memory: false,
    }
    .launch(caps, epilogue)
}

impl Pool {
    /// Elements of a tensor with these spatial extents.
    pub(super) fn elements(&self, extents: [usize; 3]) -> usize {
        self.batch * self.channels * extents.iter().product::<usize>()
    }

    pub(super) fn params(&self, elements: usize) -> Result<Params> {
        let mode = match self.mode {
            PoolMode::Max => 0,
            PoolMode::AverageValid => 1,
            PoolMode::Sum => 2,
        };
        let [channels, elements] = words([self.channels, elements])?;
        Ok(Params {
            mode,
            lowest: f32::NEG_INFINITY,
            channels,
            elements,
            input: words(self.input)?,
            output: words(self.output)?,
            window: words(self.window)?,
            stride: words(self.stride)?,
            pad: words(self.pad)?,
        })
    }

    pub(super) fn label(&self, kernel: &str) -> String {
        let join = |e: [usize; 3]| e.map(|n| n.to_string()).join("x");
        format!(
            "{kernel} {}x{}x{} by {}",
            self.batch,
            join(self.input),
            self.channels,
            join(self.window)
        )
    }
}

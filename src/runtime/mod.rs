//! Running programs: on a GPU through recorded dispatches, or on the host.

mod compiled;
mod device;
mod gemm;
mod gpu_plan;
mod host;
mod host_body;
mod host_conv;
mod host_kernels;
mod host_math;
mod host_pool;
mod lower;

pub use compiled::{Compiled, PlanSummary};
pub use device::Device;

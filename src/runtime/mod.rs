//! Running programs: on a GPU through recorded dispatches, or on the host.

mod compiled;
mod device;
mod gpu_loop;
mod gpu_plan;
mod host;
mod host_body;
mod host_chain;
mod host_conv;
mod host_conv_grad;
mod host_depthwise;
mod host_depthwise_grad;
mod host_functions;
mod host_kernels;
mod host_loop;
mod host_math;
mod host_narrow;
mod host_pool;
mod host_product;
mod host_reduce;
mod host_steps;
mod host_strips;
mod host_unpacked;
mod host_value;
mod lower;
mod placement;
mod rates;
mod times;
mod tune;
mod tune_sample;
mod tuning;

pub use compiled::{Compiled, PlanSummary, RegionSummary};
pub use device::{Device, ENVIRONMENT};
pub use rates::Rates;
pub use times::Times;
pub use tune::{Measured, Verdict};
pub use tuning::{Tuned, Tuning};

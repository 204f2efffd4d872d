//! The device layer: adapters, buffers, staging, shader text, pipelines and recorded dispatches.
//!
//! Nothing here knows what a kernel computes. A [`Launch`] describes one dispatch as data; a
//! [`Recording`] turns a list of them into command buffers.

mod adapter;
mod buffer;
mod cache_folder;
mod choice;
mod device;
mod feed;
mod launch;
mod memory;
mod pipeline;
mod pipeline_cache;
mod recording;
mod resident;
pub mod shader;
mod staging;
mod submit;
mod timing;
mod uniforms;

pub use adapter::{Caps, Choice, Kind, Subgroups, adapters};
pub use buffer::Buffer;
pub use cache_folder::{cache_folder, replace_file};
pub use choice::{Choices, KernelChoice};
pub use device::Gpu;
pub use launch::Launch;
pub use pipeline::Pipeline;
pub use recording::{Loop, Recording, Step, Work};
pub use resident::{DeviceTensor, Rows};

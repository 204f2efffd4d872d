//! Storage on a device.

use std::sync::Arc;

use crate::base::{Error, Result};
use crate::gpu::Gpu;
use crate::gpu::memory::Reservation;

/// A storage buffer. Clones share it; the memory is free again when the last clone, and the last
/// recording that binds it, is gone.
#[derive(Clone, Debug)]
pub struct Buffer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    raw: wgpu::Buffer,
    bytes: u64,
    label: String,
    _share: Reservation,
}

impl Gpu {
    /// A buffer of zeros for kernels to read and write. Its size is rounded up to whole words, and
    /// to one word at least, because a binding cannot be empty.
    ///
    /// # Errors
    /// [`Error::Limit`] above the adapter's or the caller's limits, [`Error::Device`] when the
    /// driver has no memory left.
    pub fn create_buffer(&self, bytes: u64, label: &str) -> Result<Buffer> {
        let (caps, limit) = (self.caps(), self.max_binding());
        let bytes = bytes.max(1).div_ceil(4).saturating_mul(4);
        if bytes > limit {
            return Err(Error::Limit {
                what: format!("buffer '{label}'"),
                need: format!("{bytes} bytes"),
                limit: format!("{limit} bytes in one binding"),
                owner: format!("adapter '{}'", caps.name),
            });
        }
        let share = self.memory().reserve(bytes, label)?;
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let raw = self.create_raw(bytes, label, usage)?;
        Ok(Buffer(Arc::new(Inner { raw, bytes, label: label.into(), _share: share })))
    }

    /// Copies all words of one buffer to the start of another.
    ///
    /// # Errors
    /// [`Error::Internal`] when the target is smaller.
    pub fn copy(&self, from: &Buffer, to: &Buffer) -> Result<()> {
        to.check_range(0, from.bytes())?;
        let mut encoder = self.device().create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(from.raw(), 0, to.raw(), 0, from.bytes());
        self.submit(encoder).map(|_| ())
    }

    /// A buffer outside the accounting: staging, parameters.
    pub(super) fn create_raw(
        &self,
        bytes: u64,
        label: &str,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer> {
        self.count_object();
        self.guarded(&format!("buffer '{label}' of {bytes} bytes"), || {
            self.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes,
                usage,
                mapped_at_creation: false,
            })
        })
    }
}

impl Buffer {
    /// Size in bytes, a multiple of 4.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// The name it was made with, for errors and debuggers.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// The underlying buffer.
    pub fn raw(&self) -> &wgpu::Buffer {
        &self.0.raw
    }

    /// Whether both are the same memory.
    pub fn is(&self, other: &Buffer) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Checks that a range of whole words lies inside.
    pub(super) fn check_range(&self, offset: u64, bytes: u64) -> Result<()> {
        let inside = offset.checked_add(bytes).is_some_and(|end| end <= self.0.bytes);
        if inside && offset.is_multiple_of(4) && bytes.is_multiple_of(4) {
            return Ok(());
        }
        Err(Error::Internal(format!(
            "copy of {bytes} bytes at {offset} of buffer '{}' of {} bytes",
            self.0.label, self.0.bytes
        )))
    }
}

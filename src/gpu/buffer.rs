//! Storage on a device.

use std::sync::Arc;

use crate::base::shape::BINDING_ALIGNMENT;
use crate::base::{Error, Result};
use crate::gpu::Gpu;
use crate::gpu::memory::Reservation;

/// A storage buffer, or a part of one. Clones and parts share it; the memory is free again when the last
/// of them, and the last recording that binds one, is gone.
#[derive(Clone, Debug)]
pub struct Buffer {
    whole: Arc<Whole>,
    /// The first byte, counted from the start of the whole.
    offset: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Whole {
    raw: wgpu::Buffer,
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
        let whole = Arc::new(Whole { raw, label: label.into(), _share: share });
        Ok(Buffer { whole, offset: 0, bytes })
    }

    /// Copies all words of one buffer to the start of another.
    ///
    /// # Errors
    /// [`Error::Internal`] when the target is smaller.
    pub fn copy(&self, from: &Buffer, to: &Buffer) -> Result<()> {
        to.check_range(0, from.bytes())?;
        let mut encoder = self.device().create_command_encoder(&Default::default());
        from.encode_copy(to, &mut encoder);
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
    /// A part of it: `bytes` from `offset` on, both rounded up to whole words.
    ///
    /// # Errors
    /// [`Error::Internal`] if it does not lie inside or starts where no binding may start.
    pub fn part(&self, offset: u64, bytes: u64) -> Result<Buffer> {
        let bytes = bytes.max(1).next_multiple_of(4);
        self.check_range(offset, bytes)?;
        let offset = self.offset + offset;
        if !offset.is_multiple_of(BINDING_ALIGNMENT as u64) {
            let label = self.label();
            return Err(Error::Internal(format!("a part of buffer '{label}' starts at {offset}")));
        }
        Ok(Buffer { whole: self.whole.clone(), offset, bytes })
    }

    /// Size in bytes, a multiple of 4.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The name it was made with, for errors and debuggers.
    pub fn label(&self) -> &str {
        &self.whole.label
    }

    /// What a bind group holds of it.
    pub(super) fn binding(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.whole.raw,
            offset: self.offset,
            size: wgpu::BufferSize::new(self.bytes),
        })
    }

    /// The underlying buffer, and where in it a byte lies.
    pub(super) fn at(&self, offset: u64) -> (&wgpu::Buffer, u64) {
        (&self.whole.raw, self.offset + offset)
    }

    /// Records a copy of all words to the start of another buffer.
    pub(super) fn encode_copy(&self, to: &Buffer, encoder: &mut wgpu::CommandEncoder) {
        let ((from, start), (to, end)) = (self.at(0), to.at(0));
        encoder.copy_buffer_to_buffer(from, start, to, end, self.bytes);
    }

    /// Whether both lie in the same memory.
    pub(super) fn is_beside(&self, other: &Buffer) -> bool {
        Arc::ptr_eq(&self.whole, &other.whole)
    }

    /// Whether both have bytes in common.
    pub fn overlaps(&self, other: &Buffer) -> bool {
        let before = |a: &Buffer, b: &Buffer| a.offset + a.bytes <= b.offset;
        self.is_beside(other) && !before(self, other) && !before(other, self)
    }

    /// Checks that a range of whole words lies inside.
    pub(super) fn check_range(&self, offset: u64, bytes: u64) -> Result<()> {
        let inside = offset.checked_add(bytes).is_some_and(|end| end <= self.bytes);
        if inside && offset.is_multiple_of(4) && bytes.is_multiple_of(4) {
            return Ok(());
        }
        Err(Error::Internal(format!(
            "{bytes} bytes at {offset} of buffer '{}' of {} bytes",
            self.label(),
            self.bytes
        )))
    }
}

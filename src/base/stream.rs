//! How bytes move between files, host memory and devices without anybody holding a model twice.

use crate::base::{Result, Spec};

/// Bytes that can be read at any offset: a dataset in a file, host memory, a buffer on a device.
///
/// The bytes are the tensor's elements in row-major order, little-endian, in the stored dtype.
pub trait Source: Send + Sync {
    /// What the bytes are.
    fn spec(&self) -> &Spec;

    /// Fills `buf` with the bytes from `offset` on; both stay inside `spec().bytes()`.
    ///
    /// Sources may be much faster when read once, in order, in large pieces.
    ///
    /// # Errors
    /// If the bytes are not there, cannot be read or cannot be converted.
    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()>;

    /// Says whether the bytes read so far can be believed; to be called when all that are wanted have
    /// been read, and before any is used. Bytes of a file are, when the file's checksum fits and the
    /// file has not changed since it was opened. A source that reads from another one asks that one.
    ///
    /// # Errors
    /// If they are damaged or not what was opened.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// A place that takes the bytes of one tensor, in order.
pub trait Sink {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// If the place refuses them.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

/// Size of the buffers through which bytes are streamed.
pub const CHUNK: usize = 4 << 20;

/// Bytes that are read at a time where the same thread goes on with them: they are still in its cache.
pub const PIECE: usize = 1 << 20;

/// Sends all bytes of a source to a sink through one chunk of host memory.
///
/// # Errors
/// Those of the source and of the sink.
pub fn copy(source: &dyn Source, sink: &mut dyn Sink) -> Result<()> {
    let total = source.spec().bytes();
    let mut chunk = vec![0; CHUNK.min(total)];
    let mut offset = 0;
    while offset < total {
        let piece = &mut chunk[..CHUNK.min(total - offset)];
        source.read(offset, piece)?;
        sink.write(piece)?;
        offset += piece.len();
    }
    source.check()
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

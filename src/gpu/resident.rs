//! A tensor whose words are on a device.

use std::any::Any;

use crate::base::{Result, Source, Spec};
use crate::gpu::{Buffer, Gpu};
use crate::tensor::{Array, Resident};

/// Words of a downloaded piece that are converted at a time.
const CONVERTED: usize = 256 << 10;

/// A tensor in a device's buffer, readable as its stored bytes.
#[derive(Clone, Debug)]
pub struct DeviceTensor {
    gpu: Gpu,
    buffer: Buffer,
    spec: Spec,
}

impl DeviceTensor {
    /// The tensor whose words, one per element, are in `buffer`.
    pub fn new(gpu: &Gpu, buffer: Buffer, spec: Spec) -> DeviceTensor {
        DeviceTensor { gpu: gpu.clone(), buffer, spec }
    }

    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }
}

impl Resident for DeviceTensor {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Source for DeviceTensor {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        let size = self.spec.dtype.size();
        let first = offset / size;
        let last = (offset + buf.len()).div_ceil(size);
        // Bytes of the first element that lie before the offset.
        let mut skip = offset % size;
        let mut rest = buf;
        let mut store = |words: &[u8]| -> Result<()> {
            for words in words.chunks(CONVERTED * 4) {
                let bytes = stored(&self.spec, words);
                let fresh = bytes.get(skip..).unwrap_or_default();
                let n = fresh.len().min(rest.len());
                let (now, later) = std::mem::take(&mut rest).split_at_mut(n);
                now.copy_from_slice(&fresh[..n]);
                rest = later;
                skip = 0;
            }
            Ok(())
        };
        let words = (last.saturating_sub(first) * 4) as u64;
        self.gpu.download(&self.buffer, first as u64 * 4, words, &mut store)
    }
}

/// Words of elements as the spec's dtype stores them.
fn stored(spec: &Spec, words: &[u8]) -> Vec<u8> {
    if spec.dtype.size() == 4 {
        return words.to_vec();
    }
    let piece = Spec::new([words.len() / 4], spec.dtype);
    Array::from_word_bytes(piece, words).to_tensor().bytes().to_vec()
}

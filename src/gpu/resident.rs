//! A tensor whose elements are on a device.

use std::any::Any;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::base::{Result, Source, Spec};
use crate::gpu::{Buffer, Gpu};
use crate::tensor::{Array, Resident};

/// Bytes of a downloaded piece that are converted at a time.
const CONVERTED: usize = 1 << 20;

/// A tensor in one or several buffers of a device, readable as its stored bytes.
#[derive(Clone, Debug)]
pub struct DeviceTensor {
    gpu: Gpu,
    /// First row and words of each panel.
    panels: Vec<(usize, Buffer)>,
    spec: Spec,
}

impl DeviceTensor {
    /// The tensor whose elements are [at rest](Spec::bytes_at_rest) in `panels`: buffers of whole rows,
    /// each with its first row, in order.
    pub fn new(gpu: &Gpu, panels: Vec<(usize, Buffer)>, spec: Spec) -> DeviceTensor {
        DeviceTensor { gpu: gpu.clone(), panels, spec }
    }

    /// The device that the buffers are on.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The buffer that starts with a row.
    pub fn panel(&self, first_row: usize) -> Option<&Buffer> {
        self.panels.iter().find(|(first, _)| *first == first_row).map(|(_, buffer)| buffer)
    }

    /// Number of buffers.
    pub fn panels(&self) -> usize {
        self.panels.len()
    }

    /// Hands the bytes at rest of elements `first..last` to `into`, in order.
    fn at_rest(
        &self,
        first: usize,
        last: usize,
        into: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let row = self.spec.shape.len() / self.spec.shape.first().copied().unwrap_or(1).max(1);
        let each = self.spec.dtype.bytes_at_rest();
        for (i, (first_row, buffer)) in self.panels.iter().enumerate() {
            let start = first_row * row;
            let next = self.panels.get(i + 1).map(|(next, _)| next * row);
            let end = next.unwrap_or(self.spec.shape.len());
            let (from, to) = (first.max(start), last.min(end));
            if from < to {
                part(&self.gpu, buffer, (from - start) * each..(to - start) * each, into)?;
            }
        }
        Ok(())
    }
}

/// Hands some bytes of a buffer to `into`: whole words are copied, what is too much is cut off.
fn part(
    gpu: &Gpu,
    buffer: &Buffer,
    range: Range<usize>,
    into: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let words = range.start / 4 * 4..range.end.next_multiple_of(4);
    let (mut skip, mut left) = (range.start - words.start, range.len());
    gpu.download(buffer, words.start as u64, words.len() as u64, &mut |bytes| {
        let bytes = &bytes[skip..];
        let bytes = &bytes[..left.min(bytes.len())];
        (skip, left) = (0, left - bytes.len());
        into(bytes)
    })
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
        let mut store = |bytes: &[u8]| -> Result<()> {
            for bytes in bytes.chunks(CONVERTED) {
                let bytes = stored(&self.spec, bytes);
                let fresh = bytes.get(skip..).unwrap_or_default();
                let n = fresh.len().min(rest.len());
                let (now, later) = std::mem::take(&mut rest).split_at_mut(n);
                now.copy_from_slice(&fresh[..n]);
                rest = later;
                skip = 0;
            }
            Ok(())
        };
        self.at_rest(first, last, &mut store)
    }
}

/// Elements at rest as the spec's dtype stores them.
fn stored<'a>(spec: &Spec, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    if spec.dtype.size() <= 4 {
        return Cow::Borrowed(bytes);
    }
    let piece = Spec::new([bytes.len() / 4], spec.dtype);
    Cow::Owned(Array::from_word_bytes(piece, bytes).to_tensor().bytes().to_vec())
}

/// Some rows of a source, as a source.
pub struct Rows {
    source: Arc<dyn Source>,
    spec: Spec,
    offset: usize,
}

impl Rows {
    /// The rows from `first_row` on that `spec` describes.
    pub fn new(source: Arc<dyn Source>, first_row: usize, spec: Spec) -> Rows {
        let total = source.spec();
        let row = total.bytes() / total.shape.first().copied().unwrap_or(1).max(1);
        Rows { source, spec, offset: first_row * row }
    }
}

impl Source for Rows {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        self.source.read(self.offset + offset, buf)
    }

    fn check(&self) -> Result<()> {
        self.source.check()
    }
}

//! Bytes between host and device through two small rings of mapped buffers.
//!
//! A ring is made when it is first needed and then lives as long as the device, so the host memory
//! of all transfers together is bounded: 4 × 4 MiB in each direction, and what
//! [`feed`](super::feed) reads ahead. After an error a ring may hold half a transfer; it is dropped and
//! made anew.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::base::stream::CHUNK;
use crate::base::{Error, Result, Source};
use crate::gpu::{Buffer, Gpu, feed};

const SLOTS: usize = 4;
const SLOT_BYTES: u64 = CHUNK as u64;
/// Writes up to this size ride along with the next submit, without a submit of their own.
const SMALL: usize = 64 << 10;

impl Gpu {
    /// Streams a source into a buffer, as its elements lie [at rest](crate::base::Spec::bytes_at_rest).
    ///
    /// # Errors
    /// Those of the source; [`Error::DType`] for 64-bit integers that do not fit a word.
    pub fn upload(&self, source: &dyn Source, to: &Buffer) -> Result<()> {
        self.stream(&[(source, to)])
    }

    /// Streams many sources; small ones share staging buffers and submits. Large ones are read by
    /// another thread, while this one copies.
    ///
    /// # Errors
    /// As [`upload`](Gpu::upload), or what checking a source gives when all were read.
    pub fn upload_many(&self, items: &[(Arc<dyn Source>, Buffer)]) -> Result<()> {
        let items: Vec<_> = items.iter().map(|(source, to)| (source.as_ref(), to)).collect();
        self.stream(&items)
    }

    fn stream(&self, items: &[(&dyn Source, &Buffer)]) -> Result<()> {
        for (source, to) in items {
            to.check_range(0, source.spec().bytes_at_rest() as u64)?;
        }
        let named: Vec<_> = items.iter().map(|(source, to)| (*source, to.label())).collect();
        self.with_write_ring(|ring| {
            feed::read(&named, &mut |item, offset, words| {
                ring.push(self, words, items[item].1, offset)
            })?;
            ring.flush(self)
        })
    }

    /// Writes words, as the device holds them, to the start of a buffer.
    pub fn upload_words(&self, words: &[u8], to: &Buffer) -> Result<()> {
        to.check_range(0, words.len() as u64)?;
        if words.len() <= SMALL {
            self.check()?;
            let (raw, start) = to.at(0);
            self.queue().write_buffer(raw, start, words);
            return self.check();
        }
        self.with_write_ring(|ring| {
            ring.push(self, words, to, 0)?;
            ring.flush(self)
        })
    }

    /// Hands the bytes of a range of a buffer to `into`, in order, in pieces of at most 4 MiB, with
    /// the next copies under way meanwhile. `into` must not download from this device.
    pub fn download(
        &self,
        from: &Buffer,
        offset: u64,
        bytes: u64,
        into: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        from.check_range(offset, bytes)?;
        self.read(pieces(0, from, offset, bytes), || (), &mut |_, piece| into(piece))
    }

    /// Hands the first bytes of several buffers to `into`, with their place in the list. All copies
    /// that fit the staging buffers are under way at once. `issued` is called when the last one has been
    /// submitted: what is submitted then may overwrite the buffers.
    pub fn download_many(
        &self,
        from: &[(Buffer, u64)],
        issued: impl FnOnce(),
        into: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        from.iter().try_for_each(|(buffer, bytes)| buffer.check_range(0, *bytes))?;
        let items = from.iter().enumerate();
        self.read(items.flat_map(|(i, (buffer, bytes))| pieces(i, buffer, 0, *bytes)), issued, into)
    }

    fn read<'a>(
        &self,
        pieces: impl Iterator<Item = Piece<'a>>,
        issued: impl FnOnce(),
        into: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut guard = self.read_ring();
        let mut ring = match guard.take() {
            Some(ring) => ring,
            None => ReadRing::new(self)?,
        };
        ring.run(self, pieces, issued, into)?;
        *guard = Some(ring);
        Ok(())
    }

    fn with_write_ring(&self, work: impl FnOnce(&mut WriteRing) -> Result<()>) -> Result<()> {
        let mut guard = self.write_ring();
        let mut ring = match guard.take() {
            Some(ring) => ring,
            None => WriteRing::new(self)?,
        };
        work(&mut ring)?;
        *guard = Some(ring);
        Ok(())
    }
}

/// A mappable buffer and how far its mapping is.
struct Slot {
    raw: wgpu::Buffer,
    mapping: Arc<AtomicU8>,
    /// The submission that must end before the mapping can.
    busy: Option<wgpu::SubmissionIndex>,
}

const PENDING: u8 = 0;
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

impl Slot {
    fn ring(gpu: &Gpu, label: &str, usage: wgpu::BufferUsages) -> Result<Vec<Slot>> {
        let slot = |_| {
            let raw = gpu.create_raw(SLOT_BYTES, label, usage)?;
            Ok(Slot { raw, mapping: Arc::new(AtomicU8::new(PENDING)), busy: None })
        };
        (0..SLOTS).map(slot).collect()
    }

    /// Asks for a mapping, to be ready after `busy`.
    fn map(&mut self, mode: wgpu::MapMode, busy: Option<wgpu::SubmissionIndex>) {
        self.busy = busy;
        self.mapping.store(PENDING, Ordering::Release);
        let mapping = self.mapping.clone();
        self.raw.map_async(mode, .., move |result| {
            let state = if result.is_ok() { MAPPED } else { FAILED };
            mapping.store(state, Ordering::Release);
        });
    }

    /// Waits for the mapping.
    fn wait(&mut self, gpu: &Gpu) -> Result<()> {
        if self.mapping.load(Ordering::Acquire) == PENDING {
            let submission_index = self.busy.take();
            gpu.poll(wgpu::PollType::Wait { submission_index, timeout: None })?;
        }
        match self.mapping.load(Ordering::Acquire) {
            MAPPED => Ok(()),
            _ => {
                // The news of a device's loss may come behind what failed for it.
                gpu.poll(wgpu::PollType::Poll)?;
                Err(Error::Device("a staging buffer could not be mapped".into()))
            }
        }
    }
}

/// Staging buffers on their way to the device.
pub(super) struct WriteRing {
    slots: Vec<Slot>,
    current: usize,
    /// Bytes used in the current slot; 0 means that its mapping was not waited for yet.
    filled: u64,
    copies: Vec<Copy>,
}

/// A piece of the current slot and where it goes.
struct Copy {
    from: u64,
    to: Buffer,
    offset: u64,
    bytes: u64,
}

impl WriteRing {
    fn new(gpu: &Gpu) -> Result<WriteRing> {
        let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        let mut slots = Slot::ring(gpu, "upload staging", usage)?;
        slots.iter_mut().for_each(|slot| slot.map(wgpu::MapMode::Write, None));
        Ok(WriteRing { slots, current: 0, filled: 0, copies: Vec::new() })
    }

    fn push(&mut self, gpu: &Gpu, mut words: &[u8], to: &Buffer, mut offset: u64) -> Result<()> {
        while !words.is_empty() {
            if self.filled >= SLOT_BYTES {
                self.flush(gpu)?;
            }
            let slot = &mut self.slots[self.current];
            if self.filled == 0 {
                slot.wait(gpu)?;
            }
            let bytes = (words.len() as u64).min(SLOT_BYTES - self.filled);
            let (piece, rest) = words.split_at(bytes as usize);
            slot.raw
                .get_mapped_range_mut(self.filled..self.filled + bytes)
                .map_err(|e| Error::Device(format!("staging: {e}")))?
                .copy_from_slice(piece);
            self.copies.push(Copy { from: self.filled, to: to.clone(), offset, bytes });
            self.filled = (self.filled + bytes).next_multiple_of(wgpu::MAP_ALIGNMENT);
            offset += bytes;
            words = rest;
        }
        Ok(())
    }

    /// Sends the current slot on its way.
    fn flush(&mut self, gpu: &Gpu) -> Result<()> {
        if self.copies.is_empty() {
            return Ok(());
        }
        let slot = &mut self.slots[self.current];
        slot.raw.unmap();
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        for copy in self.copies.drain(..) {
            let (to, start) = copy.to.at(copy.offset);
            encoder.copy_buffer_to_buffer(&slot.raw, copy.from, to, start, copy.bytes);
        }
        let index = gpu.submit(encoder)?;
        slot.map(wgpu::MapMode::Write, Some(index));
        self.current = (self.current + 1) % self.slots.len();
        self.filled = 0;
        Ok(())
    }
}

/// What one staging buffer brings from the device, for an item of a list.
struct Piece<'a> {
    item: usize,
    from: &'a Buffer,
    at: u64,
    bytes: u64,
}

/// The pieces of a range of a buffer.
fn pieces(item: usize, from: &Buffer, offset: u64, bytes: u64) -> impl Iterator<Item = Piece<'_>> {
    let end = offset + bytes;
    let starts = (offset..end).step_by(SLOT_BYTES as usize);
    starts.map(move |at| Piece { item, from, at, bytes: SLOT_BYTES.min(end - at) })
}

/// Staging buffers on their way from the device.
pub(super) struct ReadRing {
    slots: Vec<Slot>,
}

impl ReadRing {
    fn new(gpu: &Gpu) -> Result<ReadRing> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        Ok(ReadRing { slots: Slot::ring(gpu, "download staging", usage)? })
    }

    fn run<'a>(
        &mut self,
        gpu: &Gpu,
        pieces: impl Iterator<Item = Piece<'a>>,
        issued: impl FnOnce(),
        into: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let (mut pieces, mut issued) = (pieces.peekable(), Some(issued));
        let mut free: VecDeque<usize> = (0..self.slots.len()).collect();
        let mut under_way: VecDeque<(usize, Piece<'a>)> = VecDeque::new();
        loop {
            while !free.is_empty()
                && let Some(piece) = pieces.next()
                && let Some(slot) = free.pop_front()
            {
                self.issue(gpu, slot, &piece)?;
                under_way.push_back((slot, piece));
            }
            if pieces.peek().is_none()
                && let Some(issued) = issued.take()
            {
                issued();
            }
            let Some((slot, piece)) = under_way.pop_front() else {
                return Ok(());
            };
            self.collect(gpu, slot, &piece, into)?;
            free.push_back(slot);
        }
    }

    fn issue(&mut self, gpu: &Gpu, slot: usize, piece: &Piece<'_>) -> Result<()> {
        let slot = &mut self.slots[slot];
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        let (from, start) = piece.from.at(piece.at);
        encoder.copy_buffer_to_buffer(from, start, &slot.raw, 0, piece.bytes);
        let index = gpu.submit(encoder)?;
        slot.map(wgpu::MapMode::Read, Some(index));
        Ok(())
    }

    fn collect(
        &mut self,
        gpu: &Gpu,
        slot: usize,
        piece: &Piece<'_>,
        into: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let slot = &mut self.slots[slot];
        slot.wait(gpu)?;
        let view = slot
            .raw
            .get_mapped_range(..piece.bytes)
            .map_err(|e| Error::Device(format!("staging: {e}")))?;
        into(piece.item, &view)?;
        drop(view);
        slot.raw.unmap();
        Ok(())
    }
}

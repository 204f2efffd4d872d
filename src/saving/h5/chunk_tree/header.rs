//! What a dataset's object header says about its chunks, where `hdf5_pure` does not tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_pure::FormatError;

use crate::saving::bytes::{Cursor, ReadAt};

const SIGNATURE: &[u8; 4] = b"OHDR";
const CONTINUATION_SIGNATURE: &[u8; 4] = b"OCHK";
/// More pieces than any header has.
const MAX_PIECES: usize = 64;
/// More bytes than any piece of a header of a dataset has.
const MAX_PIECE_BYTES: u64 = 1 << 20;
const NOWHERE: u64 = u64::MAX;

/// Message types.
const FILL_VALUE: u8 = 5;
const LAYOUT: u8 = 8;
const CONTINUATION: u8 = 16;

/// How a file writes addresses.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Where the file starts in its bytes.
    pub(super) base: u64,
    /// Bytes of an address.
    pub(super) offset_bytes: usize,
    /// Bytes of a length.
    pub(super) length_bytes: usize,
}

/// Bytes that remember the object header that was looked at last: `hdf5_pure` opens a dataset by
/// its path, and does not say where it found it.
pub(super) struct Witness {
    bytes: Arc<dyn ReadAt>,
    last: Arc<AtomicU64>,
}

impl Witness {
    /// The bytes, and where the address of the header will stand.
    pub(super) fn new(bytes: Arc<dyn ReadAt>) -> (Witness, Arc<AtomicU64>) {
        let last = Arc::new(AtomicU64::new(NOWHERE));
        (Witness { bytes, last: last.clone() }, last)
    }
}

impl hdf5_pure::Source for Witness {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), FormatError> {
        self.bytes.read_at(offset, buf).map_err(|e| FormatError::Source(e.to_string()))?;
        if buf.starts_with(SIGNATURE) {
            self.last.store(offset, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// What the header of a chunked dataset says.
#[derive(Default)]
pub(super) struct ChunkHeader {
    /// Where the B-tree's header is; `None` when no chunk was written.
    pub(super) tree: Option<u64>,
    /// Whether chunks that the dataset does not fill are stored without filters.
    pub(super) edges_unfiltered: bool,
    /// The extents of a chunk, the bytes of an element last.
    pub(super) chunk: Vec<u64>,
    /// The bytes of an element that was not written; empty for zeros.
    pub(super) fill: Vec<u8>,
}

impl ChunkHeader {
    /// Reads the header at an address in the bytes. `hdf5_pure` has checked its checksums.
    pub(super) fn read(
        bytes: &dyn ReadAt,
        address: u64,
        frame: Frame,
    ) -> Result<ChunkHeader, String> {
        let mut header = ChunkHeader::default();
        let mut seen_layout = false;
        let (first, has_order) = first_piece(bytes, address).ok_or("has a damaged header")?;
        let mut pieces = vec![first];
        for _ in 0..MAX_PIECES {
            let Some(piece) = pieces.pop() else { break };
            let mut rest = Cursor(&piece);
            while let Some((kind, body)) = message(&mut rest, has_order) {
                match kind {
                    FILL_VALUE => header.fill_value(body).ok_or("has a damaged fill value")?,
                    LAYOUT => {
                        header.layout(body, frame).ok_or("has a damaged layout")?;
                        seen_layout = true;
                    }
                    CONTINUATION => {
                        let next = continuation(bytes, body, frame);
                        pieces.push(next.ok_or("has a header that leads nowhere")?);
                    }
                    _ => {}
                }
            }
        }
        if seen_layout { Ok(header) } else { Err("has no layout".into()) }
    }

    /// The value of what was not written.
    fn fill_value(&mut self, body: &[u8]) -> Option<()> {
        const DEFINED: u8 = 0x20;
        let mut body = Cursor(body);
        let defined = match body.u8()? {
            2 => body.take(3)?.last() == Some(&1),
            3 => body.u8()? & DEFINED != 0,
            _ => return None,
        };
        if defined {
            let len = body.u32()?;
            self.fill = body.take(usize::try_from(len).ok()?)?.to_vec();
        }
        Some(())
    }

    /// The version 4 layout of chunks with a version 2 B-tree.
    fn layout(&mut self, body: &[u8], frame: Frame) -> Option<()> {
        const CHUNKED: u8 = 2;
        const TREE: u8 = 5;
        /// Bytes of nodes, and when they split and merge: the tree's header says so as well.
        const PARAMETERS: usize = 6;
        let mut body = Cursor(body);
        let [version, class, flags, rank, width] = body.take(5)?.try_into().ok()?;
        if version < 4 || class != CHUNKED || width == 0 {
            return None;
        }
        self.edges_unfiltered = flags & 1 != 0;
        let extents = (0..rank).map(|_| body.uint(usize::from(width)));
        self.chunk = extents.collect::<Option<_>>()?;
        if body.u8()? != TREE {
            return None;
        }
        body.take(PARAMETERS)?;
        self.tree = address(&mut body, frame)?;
        Some(())
    }
}

/// An address as the bytes count it; `Some(None)` where the file says that there is nothing.
pub(super) fn address(from: &mut Cursor, frame: Frame) -> Option<Option<u64>> {
    let value = from.uint(frame.offset_bytes)?;
    let nowhere = NOWHERE >> (64 - 8 * frame.offset_bytes.clamp(1, 8));
    if value == nowhere { Some(None) } else { value.checked_add(frame.base).map(Some) }
}

/// The messages in front, and whether they carry an order.
fn first_piece(bytes: &dyn ReadAt, address: u64) -> Option<(Vec<u8>, bool)> {
    const PREFIX: u64 = 34;
    let len = PREFIX.min(bytes.len().checked_sub(address)?);
    let prefix = piece(bytes, address, len)?;
    let mut rest = Cursor(&prefix);
    rest.take(5)?;
    let flags = rest.u8()?;
    if flags & 0x20 != 0 {
        rest.take(16)?;
    }
    if flags & 0x10 != 0 {
        rest.take(4)?;
    }
    let len = rest.uint(1 << (flags & 3))?;
    let start = (prefix.len() - rest.0.len()) as u64;
    Some((piece(bytes, address.checked_add(start)?, len)?, flags & 4 != 0))
}

fn continuation(bytes: &dyn ReadAt, body: &[u8], frame: Frame) -> Option<Vec<u8>> {
    let mut body = Cursor(body);
    let start = address(&mut body, frame)??;
    let len = body.uint(frame.length_bytes)?;
    let mut piece = piece(bytes, start, len)?;
    piece.truncate(piece.len().checked_sub(4)?);
    piece.starts_with(CONTINUATION_SIGNATURE).then(|| piece.split_off(4))
}

fn piece(bytes: &dyn ReadAt, start: u64, len: u64) -> Option<Vec<u8>> {
    let end = start.checked_add(len)?;
    if len > MAX_PIECE_BYTES || end > bytes.len() {
        return None;
    }
    let mut piece = vec![0; usize::try_from(len).ok()?];
    bytes.read_at(start, &mut piece).ok()?;
    Some(piece)
}

fn message<'a>(from: &mut Cursor<'a>, has_order: bool) -> Option<(u8, &'a [u8])> {
    let kind = from.u8()?;
    let len = from.u16()?;
    from.take(if has_order { 3 } else { 1 })?;
    Some((kind, from.take(usize::from(len))?))
}

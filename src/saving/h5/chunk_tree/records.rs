//! The version 2 B-tree that says where chunks are.

use super::checksum::lookup3;
use super::header::{Frame, address};
use crate::saving::bytes::{Cursor, ReadAt};

/// Signature, version, type and checksum of a node.
const NODE_OVERHEAD: u64 = 10;
const CHECKSUM: usize = 4;
/// Chunks as they are, and chunks that went through filters.
const PLAIN: u8 = 10;
const FILTERED: u8 = 11;
/// Deeper than any tree that fits a file.
const MAX_DEPTH: u16 = 16;

/// A chunk in the file.
pub(super) struct Record {
    pub(super) address: u64,
    /// Bytes in the file.
    pub(super) stored: u64,
    /// The filters that were not applied.
    pub(super) skipped: u32,
    /// Its place in the grid of chunks.
    pub(super) place: Vec<u64>,
}

/// A tree, from its header.
struct Tree {
    kind: u8,
    node_bytes: u64,
    record_bytes: usize,
    /// Bytes of the counts of records: in a child, and below the children of each level.
    count_bytes: usize,
    total_bytes: Vec<usize>,
}

/// A node to be read.
struct Node {
    address: u64,
    records: u64,
    level: u16,
}

/// All chunks of the tree at an address, sorted by place. `chunk_bytes` is the size of one without
/// filters.
///
/// # Errors
/// What is wrong with the tree: nothing is believed but what stands under a checksum that is right.
pub(super) fn read(
    bytes: &dyn ReadAt,
    at: u64,
    frame: Frame,
    rank: usize,
    chunk_bytes: u64,
) -> Result<Vec<Record>, String> {
    let (tree, root, total) = open(bytes, at, frame).ok_or("has a damaged B-tree of chunks")?;
    // Every node has its own bytes, so a tree with more of them leads in circles.
    let mut nodes_left = bytes.len() / tree.node_bytes + 1;
    let mut pending = Vec::from_iter(root);
    let mut records = Vec::new();
    while let Some(node) = pending.pop() {
        nodes_left = nodes_left.checked_sub(1).ok_or("has a B-tree of chunks without an end")?;
        let read = tree.node(bytes, &node, frame).and_then(|(found, children)| {
            pending.extend(children);
            let found = found.chunks_exact(tree.record_bytes);
            records.extend(
                found
                    .map(|record| tree.record(record, frame, rank, chunk_bytes))
                    .collect::<Option<Vec<_>>>()?,
            );
            Some(())
        });
        read.ok_or("has a damaged node in its B-tree of chunks")?;
    }
    if records.len() as u64 != total {
        return Err(format!("has {} chunks in a B-tree of {total}", records.len()));
    }
    records.sort_by(|a, b| a.place.cmp(&b.place));
    match records.windows(2).any(|pair| pair[0].place == pair[1].place) {
        true => Err("has a chunk twice".into()),
        false => Ok(records),
    }
}

fn checked(bytes: &dyn ReadAt, at: u64, len: u64, signature: &[u8; 4]) -> Option<Vec<u8>> {
    if at.checked_add(len)? > bytes.len() {
        return None;
    }
    let mut found = vec![0; usize::try_from(len).ok()?];
    bytes.read_at(at, &mut found).ok()?;
    let (body, checksum) = found.split_last_chunk::<CHECKSUM>()?;
    let right = lookup3(body) == u32::from_le_bytes(*checksum) && body.starts_with(signature);
    right.then(|| body.to_vec())
}

fn open(bytes: &dyn ReadAt, at: u64, frame: Frame) -> Option<(Tree, Option<Node>, u64)> {
    const FIXED: usize = 16;
    let len = FIXED + frame.offset_bytes + 2 + frame.length_bytes + CHECKSUM;
    let body = checked(bytes, at, len as u64, b"BTHD")?;
    let mut body = Cursor(&body);
    body.take(5)?;
    let kind = body.u8()?;
    let node_bytes = u64::from(body.u32()?);
    let record_bytes = usize::from(body.u16()?);
    let level = body.u16()?;
    body.take(2)?;
    let root = address(&mut body, frame)?;
    let records = u64::from(body.u16()?);
    let total = body.uint(frame.length_bytes)?;
    let sound = matches!(kind, PLAIN | FILTERED)
        && record_bytes > 0
        && level <= MAX_DEPTH
        && (64..=bytes.len()).contains(&node_bytes);
    if !sound {
        return None;
    }
    let tree = Tree::new(kind, node_bytes, record_bytes, level, frame)?;
    let root = root.map(|address| Node { address, records, level });
    Some((tree, root, total))
}

/// Bytes of a number that can be as large as `most`.
fn bytes_for(most: u64) -> usize {
    (most.max(1).ilog2() / 8 + 1) as usize
}

impl Tree {
    /// Works out how wide the counts in the nodes are: as wide as the most records that fit need.
    fn new(
        kind: u8,
        node_bytes: u64,
        record_bytes: usize,
        depth: u16,
        frame: Frame,
    ) -> Option<Tree> {
        let record = record_bytes as u64;
        let in_leaf = node_bytes.checked_sub(NODE_OVERHEAD)? / record;
        let count_bytes = bytes_for(in_leaf);
        let mut below = in_leaf;
        let mut total_bytes = vec![0];
        for level in 1..=usize::from(depth) {
            let pointer = (frame.offset_bytes + count_bytes + total_bytes[level - 1]) as u64;
            let here = node_bytes.checked_sub(NODE_OVERHEAD + pointer)? / (record + pointer);
            below = here.checked_add(1)?.checked_mul(below)?.checked_add(here)?;
            total_bytes.push(bytes_for(below));
        }
        Some(Tree { kind, node_bytes, record_bytes, count_bytes, total_bytes })
    }

    /// The bytes of a node's records, and its children.
    fn node(&self, bytes: &dyn ReadAt, node: &Node, frame: Frame) -> Option<(Vec<u8>, Vec<Node>)> {
        let records = usize::try_from(node.records).ok()?.checked_mul(self.record_bytes)?;
        let level = usize::from(node.level);
        let signature = if level == 0 { b"BTLF" } else { b"BTIN" };
        let mut len = records as u64 + NODE_OVERHEAD;
        if level > 0 {
            let below = self.total_bytes.get(level - 1)?;
            let pointer = (frame.offset_bytes + self.count_bytes + below) as u64;
            len = len.checked_add(node.records.checked_add(1)?.checked_mul(pointer)?)?;
        }
        if len > self.node_bytes {
            return None;
        }
        let body = checked(bytes, node.address, len, signature)?;
        let mut body = Cursor(&body);
        let head = body.take(6)?;
        if head[5] != self.kind {
            return None;
        }
        let found = body.take(records)?.to_vec();
        let children = match node.level {
            0 => Vec::new(),
            level => (0..=node.records)
                .map(|_| self.child(&mut body, level, frame))
                .collect::<Option<_>>()?,
        };
        Some((found, children))
    }

    fn child(&self, from: &mut Cursor, level: u16, frame: Frame) -> Option<Node> {
        let address = address(from, frame)??;
        let records = from.uint(self.count_bytes)?;
        from.take(*self.total_bytes.get(usize::from(level) - 1)?)?;
        Some(Node { address, records, level: level - 1 })
    }

    fn record(&self, record: &[u8], frame: Frame, rank: usize, chunk_bytes: u64) -> Option<Record> {
        let mut from = Cursor(record);
        let address = address(&mut from, frame)??;
        let (mut stored, mut skipped) = (chunk_bytes, 0);
        if self.kind == FILTERED {
            let size = record.len().checked_sub(frame.offset_bytes + 4 + 8 * rank)?;
            stored = from.uint(size)?;
            skipped = from.u32()?;
        }
        let place = (0..rank).map(|_| from.u64()).collect::<Option<_>>()?;
        from.0.is_empty().then_some(Record { address, stored, skipped, place })
    }
}

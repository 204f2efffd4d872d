//! The part of an HDF5 file that is not data: superblock, groups and object headers.

use std::sync::Arc;

use super::encode::{Encoded, Header, NOWHERE, pad};
use crate::base::{Result, Source, Spec};

/// The superblock, with the root's entry at its end.
const SUPERBLOCK_BYTES: usize = 96;
const ENTRY_BYTES: usize = 40;
/// Half the entries of a symbol node, and half the children of a tree node: the defaults.
const LEAF_K: usize = 4;
const NODE_K: usize = 16;

/// An object in the file.
pub(super) struct Placed {
    header: u64,
    /// For a group, its tree and heap.
    table: Option<(u64, u64)>,
}

/// A node of the tree that finds a group's members: its address, and where its greatest name
/// stands in the group's heap.
struct Child {
    address: u64,
    greatest: u64,
}

/// Sources and where in the file their data starts, in file order.
pub(super) type PlacedData = Vec<(u64, Arc<dyn Source>)>;

/// The growing structure.
pub(super) struct Structure {
    bytes: Vec<u8>,
    /// Where the addresses of data stand, in the order of the datasets.
    addresses: Vec<usize>,
}

impl Structure {
    pub(super) fn new() -> Structure {
        Structure { bytes: vec![0; SUPERBLOCK_BYTES], addresses: Vec::new() }
    }

    /// The address of what is pushed next.
    pub(super) fn end(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Adds a record; returns its address.
    pub(super) fn push(&mut self, record: &[u8]) -> u64 {
        let address = self.end();
        self.bytes.extend_from_slice(record);
        pad(&mut self.bytes);
        address
    }

    /// Adds a dataset's header.
    pub(super) fn dataset(&mut self, spec: &Spec, attributes: &[Encoded]) -> Result<Placed> {
        let mut header = Header::default();
        header.tensor(&spec.shape, spec.dtype)?;
        let address = header.contiguous(spec.bytes() as u64)?;
        for attribute in attributes {
            header.text_attribute(attribute)?;
        }
        let header = self.push(&header.finish());
        self.addresses.push(header as usize + address);
        Ok(Placed { header, table: None })
    }

    /// Adds a group with members sorted by name.
    pub(super) fn group(
        &mut self,
        members: &[(&str, Placed)],
        attributes: &[Encoded],
    ) -> Result<Placed> {
        // The heap starts with the empty name, which is before all others.
        let mut names = vec![0; 8];
        let mut offsets = Vec::with_capacity(members.len());
        for (name, _) in members {
            offsets.push(names.len() as u64);
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            pad(&mut names);
        }
        let heap = self.heap(&names);
        let mut children = Vec::new();
        for (members, offsets) in members.chunks(2 * LEAF_K).zip(offsets.chunks(2 * LEAF_K)) {
            children.push(self.symbol_node(members, offsets));
        }
        let tree = self.tree(children);
        let mut header = Header::default();
        header.symbol_table(tree, heap)?;
        for attribute in attributes {
            header.text_attribute(attribute)?;
        }
        Ok(Placed { header: self.push(&header.finish()), table: Some((tree, heap)) })
    }

    /// Adds a local heap without free space.
    fn heap(&mut self, names: &[u8]) -> u64 {
        const HEAD_BYTES: u64 = 32;
        const NONE_FREE: u64 = 1;
        let mut record = b"HEAP\0\0\0\0".to_vec();
        for field in [names.len() as u64, NONE_FREE, self.end() + HEAD_BYTES] {
            record.extend_from_slice(&field.to_le_bytes());
        }
        record.extend_from_slice(names);
        self.push(&record)
    }

    fn symbol_node(&mut self, members: &[(&str, Placed)], offsets: &[u64]) -> Child {
        let mut record = b"SNOD\x01\0".to_vec();
        record.extend_from_slice(&(members.len() as u16).to_le_bytes());
        for ((_, placed), &offset) in members.iter().zip(offsets) {
            record.extend(entry(offset, placed));
        }
        record.resize(8 + 2 * LEAF_K * ENTRY_BYTES, 0);
        let greatest = offsets.last().copied().unwrap_or_default();
        Child { address: self.push(&record), greatest }
    }

    /// Adds tree nodes over the children, level by level; returns the root's address.
    fn tree(&mut self, mut children: Vec<Child>) -> u64 {
        let mut level = 0;
        loop {
            children = self.tree_level(level, &children);
            match children.as_slice() {
                [root] => return root.address,
                _ => level += 1,
            }
        }
    }

    fn tree_level(&mut self, level: u8, children: &[Child]) -> Vec<Child> {
        const NODE_BYTES: u64 = 24 + 8 * (4 * NODE_K as u64 + 1);
        let start = self.end();
        let count = children.len().div_ceil(2 * NODE_K).max(1);
        let address = |i: usize| if i < count { start + i as u64 * NODE_BYTES } else { NOWHERE };
        let mut least = 0;
        let mut nodes = Vec::with_capacity(count);
        for i in 0..count {
            let own = children.chunks(2 * NODE_K).nth(i).unwrap_or_default();
            let mut record = b"TREE\0".to_vec();
            record.push(level);
            record.extend_from_slice(&(own.len() as u16).to_le_bytes());
            let left = if i == 0 { NOWHERE } else { address(i - 1) };
            for field in [left, address(i + 1), least] {
                record.extend_from_slice(&field.to_le_bytes());
            }
            for child in own {
                record.extend_from_slice(&child.address.to_le_bytes());
                record.extend_from_slice(&child.greatest.to_le_bytes());
                least = child.greatest;
            }
            record.resize(NODE_BYTES as usize, 0);
            nodes.push(Child { address: self.push(&record), greatest: least });
        }
        nodes
    }

    /// Fills in the superblock and the addresses of the data, which follows in order. Returns the
    /// structure's bytes, and the data with its addresses.
    pub(super) fn finish(
        mut self,
        root: &Placed,
        data: &[Arc<dyn Source>],
    ) -> (Vec<u8>, PlacedData) {
        let mut placed = Vec::with_capacity(data.len());
        let mut end = self.end();
        for (source, &field) in data.iter().zip(&self.addresses) {
            let bytes = source.spec().bytes() as u64;
            if bytes == 0 {
                continue;
            }
            let start = end.next_multiple_of(8);
            self.bytes[field..field + 8].copy_from_slice(&start.to_le_bytes());
            placed.push((start, source.clone()));
            end = start + bytes;
        }
        let mut superblock = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0".to_vec();
        for k in [LEAF_K, NODE_K, 0, 0] {
            superblock.extend_from_slice(&(k as u16).to_le_bytes());
        }
        for field in [0, NOWHERE, end, NOWHERE] {
            superblock.extend_from_slice(&field.to_le_bytes());
        }
        superblock.extend(entry(0, root));
        self.bytes[..SUPERBLOCK_BYTES].copy_from_slice(&superblock);
        (self.bytes, placed)
    }
}

/// A symbol table entry: an object and its name's place in the heap.
fn entry(name: u64, placed: &Placed) -> Vec<u8> {
    let (tree, heap) = placed.table.unwrap_or_default();
    let mut entry = [name.to_le_bytes(), placed.header.to_le_bytes()].concat();
    let cached = u64::from(placed.table.is_some());
    for field in [cached, tree, heap] {
        entry.extend_from_slice(&field.to_le_bytes());
    }
    entry
}

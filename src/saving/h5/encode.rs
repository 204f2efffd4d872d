//! Records of the HDF5 format, as the C library writes them by default: superblock version 0,
//! version 1 object headers, symbol tables.

use crate::base::{DType, Error, Result, Shape};

/// The address that means "nowhere".
pub(super) const NOWHERE: u64 = u64::MAX;

/// Message types of an object header.
const DATASPACE: u16 = 0x01;
const DATATYPE: u16 = 0x03;
const FILL_VALUE: u16 = 0x05;
const LAYOUT: u16 = 0x08;
const ATTRIBUTE: u16 = 0x0c;
const SYMBOL_TABLE: u16 = 0x11;
/// The message flag of what never changes.
const CONSTANT: u8 = 1;

/// A UTF-8 string of any length, as a datatype.
const TEXT: [u8; 24] = [
    0x19, 1, 1, 0, 16, 0, 0, 0, // variable length, a string, UTF-8; 16 bytes per element
    0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, // of bytes
];
/// One value, as a dataspace.
const SCALAR: [u8; 8] = [1, 0, 0, 0, 0, 0, 0, 0];
/// What a string takes in an attribute: its length, and its place in a global heap.
const TEXT_BYTES: usize = 16;
/// How many strings one attribute holds: a message of a header is smaller than 64 KiB.
pub(super) const MAX_TEXTS: usize = 4_000;

/// Fills up with zeros to a multiple of eight.
pub(super) fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// Where a global heap keeps a string.
pub(super) struct HeapString {
    pub(super) len: usize,
    pub(super) collection: u64,
    pub(super) index: u16,
}

/// An attribute whose strings have their places.
pub(super) struct Encoded {
    pub(super) name: String,
    pub(super) texts: Vec<HeapString>,
    pub(super) is_list: bool,
}

/// The messages of one object header.
#[derive(Default)]
pub(super) struct Header {
    bytes: Vec<u8>,
    count: u16,
}

impl Header {
    fn message(&mut self, kind: u16, flags: u8, body: &[u8]) -> Result<()> {
        let len = u16::try_from(body.len().next_multiple_of(8)).map_err(|_| {
            Error::Invalid(format!("{} bytes do not fit an HDF5 header message", body.len()))
        })?;
        self.bytes.extend_from_slice(&kind.to_le_bytes());
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(&[flags, 0, 0, 0]);
        self.bytes.extend_from_slice(body);
        pad(&mut self.bytes);
        self.count += 1;
        Ok(())
    }

    /// The members of a group.
    pub(super) fn symbol_table(&mut self, tree: u64, heap: u64) -> Result<()> {
        let body = [tree.to_le_bytes(), heap.to_le_bytes()].concat();
        self.message(SYMBOL_TABLE, 0, &body)
    }

    /// Shape, datatype and fill value of a dataset.
    pub(super) fn tensor(&mut self, shape: &Shape, dtype: DType) -> Result<()> {
        self.message(DATASPACE, 0, &dataspace(shape)?)?;
        self.message(DATATYPE, CONSTANT, &datatype(dtype))?;
        // Version 2, allocated late, written when set; the default value.
        self.message(FILL_VALUE, CONSTANT, &[2, 2, 2, 1, 0, 0, 0, 0])
    }

    /// The place of a dataset's data; returns where in the header the address stands.
    pub(super) fn contiguous(&mut self, bytes: u64) -> Result<usize> {
        let mut body = vec![3, 1];
        body.extend_from_slice(&NOWHERE.to_le_bytes());
        body.extend_from_slice(&bytes.to_le_bytes());
        self.message(LAYOUT, 0, &body)?;
        Ok(HEADER_BYTES + self.bytes.len() - 24 + 2)
    }

    /// An attribute that holds one string, or a list of at most [`MAX_TEXTS`].
    pub(super) fn text_attribute(&mut self, attribute: &Encoded) -> Result<()> {
        let space = match attribute.is_list {
            true => dataspace(&Shape::from(vec![attribute.texts.len()]))?,
            false => SCALAR.to_vec(),
        };
        let name = &attribute.name;
        let mut body = vec![1, 0];
        let len = |len: usize| (len as u16).to_le_bytes();
        // The datatype's length leaves out its padding.
        for part in [name.len() + 1, 20, space.len()] {
            body.extend_from_slice(&len(part));
        }
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        pad(&mut body);
        body.extend_from_slice(&TEXT);
        body.extend_from_slice(&space);
        pad(&mut body);
        body.reserve(attribute.texts.len() * TEXT_BYTES);
        for text in &attribute.texts {
            body.extend_from_slice(&(text.len as u32).to_le_bytes());
            body.extend_from_slice(&text.collection.to_le_bytes());
            body.extend_from_slice(&u32::from(text.index).to_le_bytes());
        }
        self.message(ATTRIBUTE, 0, &body)
    }

    /// The header's bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut out = vec![1, 0];
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&1u32.to_le_bytes());
        out.extend_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        out.resize(HEADER_BYTES, 0);
        out.extend_from_slice(&self.bytes);
        out
    }
}

const HEADER_BYTES: usize = 16;

fn dataspace(shape: &Shape) -> Result<Vec<u8>> {
    let rank = u8::try_from(shape.rank()).ok().filter(|&rank| rank <= 32);
    let rank = rank.ok_or_else(|| {
        Error::Invalid(format!("HDF5 has at most 32 axes, a tensor has {}", shape.rank()))
    })?;
    let limits_follow = u8::from(rank > 0);
    let mut body = vec![1, rank, limits_follow, 0, 0, 0, 0, 0];
    for &extent in shape.iter().chain(shape.iter()) {
        body.extend_from_slice(&(extent as u64).to_le_bytes());
    }
    Ok(body)
}

fn datatype(dtype: DType) -> Vec<u8> {
    match dtype {
        DType::Float64 => float(8, 11, 52, 1023),
        DType::Float32 => float(4, 8, 23, 127),
        DType::Float16 => float(2, 5, 10, 15),
        DType::BFloat16 => vec![0x15, 0, 0, 0, 2, 0, 0, 0],
        DType::Bool => boolean(),
        _ => integer(dtype.size() as u8, dtype.is_signed_int()),
    }
}

fn integer(size: u8, signed: bool) -> Vec<u8> {
    vec![0x10, u8::from(signed) << 3, 0, 0, size, 0, 0, 0, 0, 0, size * 8, 0]
}

fn float(size: u8, exponent: u8, mantissa: u8, bias: u32) -> Vec<u8> {
    let bits = size * 8;
    let mut body = vec![0x11, 0x20, bits - 1, 0, size, 0, 0, 0, 0, 0, bits, 0];
    body.extend_from_slice(&[mantissa, exponent, 0, mantissa]);
    body.extend_from_slice(&bias.to_le_bytes());
    body
}

/// h5py's boolean: an enumeration over a signed byte.
fn boolean() -> Vec<u8> {
    let mut body = vec![0x18, 2, 0, 0, 1, 0, 0, 0];
    body.extend(integer(1, true));
    body.extend_from_slice(b"FALSE\0\0\0TRUE\0\0\0\0");
    body.extend_from_slice(&[0, 1]);
    body
}

/// Strings of attributes, all in one place.
pub(super) struct GlobalHeap {
    address: u64,
    bytes: Vec<u8>,
    index: u16,
}

impl GlobalHeap {
    const HEAD_BYTES: usize = 16;
    const SMALLEST: usize = 4096;

    /// An empty collection that will stand at `address`.
    pub(super) fn new(address: u64) -> GlobalHeap {
        GlobalHeap { address, bytes: vec![0; GlobalHeap::HEAD_BYTES], index: 0 }
    }

    /// Whether there is room for another string.
    pub(super) fn is_full(&self) -> bool {
        self.index == u16::MAX
    }

    pub(super) fn push(&mut self, text: &str) -> HeapString {
        self.index += 1;
        self.bytes.extend_from_slice(&self.index.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 6]);
        self.bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        pad(&mut self.bytes);
        HeapString { len: text.len(), collection: self.address, index: self.index }
    }

    /// The collection's bytes; what is free at the end is object 0.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let used = self.bytes.len();
        let total = (used + GlobalHeap::HEAD_BYTES).max(GlobalHeap::SMALLEST);
        self.bytes.extend_from_slice(&[0; 8]);
        self.bytes.extend_from_slice(&((total - used) as u64).to_le_bytes());
        self.bytes.resize(total, 0);
        let mut head = b"GCOL\x01\0\0\0".to_vec();
        head.extend_from_slice(&(total as u64).to_le_bytes());
        self.bytes[..GlobalHeap::HEAD_BYTES].copy_from_slice(&head);
        self.bytes
    }
}

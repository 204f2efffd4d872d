//! Datasets whose chunks a version 2 B-tree finds: HDF5's newest format uses one where a dataset can
//! grow along several axes. `hdf5_pure` reads all other indices, but not this one.

mod checksum;
mod filters;
mod header;
mod records;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hdf5_pure::{Dataset, Filter};

use super::dataset::ReadRows;
use super::reader::H5File;
use crate::base::error::quote;
use crate::base::{Result, Spec};
use crate::saving::bytes::ReadAt;
use header::{ChunkHeader, Frame, Witness};
use records::Record;

/// The chunks of a dataset.
pub(super) struct ChunkTree {
    bytes: Arc<dyn ReadAt>,
    spec: Spec,
    /// The extents of a chunk.
    chunk: Vec<usize>,
    header: ChunkHeader,
    filters: Vec<Filter>,
    /// Sorted by their places.
    records: Vec<Record>,
}

/// The chunks of the dataset at a path; their extents and filters have been checked.
///
/// # Errors
/// If the tree or a part of the header is damaged, or a chunk lies outside the file.
pub(super) fn open(
    file: &H5File,
    path: &str,
    dataset: &Dataset,
    spec: &Spec,
    chunk: &[u64],
) -> Result<ChunkTree> {
    let tree = try_open(file, path, dataset, spec, chunk);
    tree.map_err(|what| file.error(path, &what))
}

fn try_open(
    file: &H5File,
    path: &str,
    dataset: &Dataset,
    spec: &Spec,
    chunk: &[u64],
) -> Result<ChunkTree, String> {
    let (address, frame) = locate(file, path)?;
    let bytes = file.bytes.clone();
    let header = ChunkHeader::read(bytes.as_ref(), address, frame)?;
    let width = spec.dtype.size();
    let fill_fits = header.fill.is_empty() || header.fill.len() == width;
    let chunk_fits = header.chunk.split_last() == Some((&(width as u64), chunk));
    if !chunk_fits || !fill_fits || chunk.contains(&0) {
        return Err("has a header that says two things".into());
    }
    let chunk_bytes = chunk.iter().product::<u64>() * width as u64;
    let records = match header.tree {
        Some(at) => records::read(bytes.as_ref(), at, frame, chunk.len(), chunk_bytes)?,
        None => Vec::new(),
    };
    let most = file.limits.h5_chunk_bytes;
    let inside = |record: &Record| {
        record.address.checked_add(record.stored).is_some_and(|end| end <= bytes.len())
    };
    if let Some(outside) = records.iter().find(|&record| !inside(record) || record.stored > most) {
        let Record { address, stored, .. } = outside;
        return Err(format!("has a chunk of {stored} bytes at {address}, outside the file"));
    }
    let chunk = chunk.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<_>>();
    let chunk = chunk.ok_or("has chunks of more elements than memory")?;
    let (filters, spec) = (dataset.filter_pipeline(), spec.clone());
    Ok(ChunkTree { bytes, spec, chunk, header, filters, records })
}

/// Where the object header of a dataset is.
fn locate(file: &H5File, path: &str) -> Result<(u64, Frame), String> {
    let (witness, last) = Witness::new(file.bytes.clone());
    let damaged = |e: hdf5_pure::Error| format!("cannot be read: {}", quote(&e.to_string()));
    let again = hdf5_pure::File::from_source(witness).map_err(damaged)?;
    let superblock = again.superblock();
    let frame = Frame {
        base: superblock.base_address.get(),
        offset_bytes: usize::from(superblock.offset_size),
        length_bytes: usize::from(superblock.length_size),
    };
    again.dataset(path).map_err(damaged)?;
    Ok((last.load(Ordering::Relaxed), frame))
}

impl ReadRows for ChunkTree {
    fn read_rows(&self, first: usize, count: usize) -> Result<Vec<u8>, String> {
        let rows = self.spec.shape.first().copied().unwrap_or(1);
        let end = first.saturating_add(count).min(rows);
        let mut out = self.unwritten(first, end);
        let bands = (first / self.chunk[0]) as u64..end.div_ceil(self.chunk[0]) as u64;
        let start = self.records.partition_point(|record| record.place[0] < bands.start);
        let found = self.records[start..].iter().take_while(|r| r.place[0] < bands.end);
        for record in found {
            // What shrank keeps chunks outside of it, as HDF5 does.
            if let Some(corner) = self.corner(record) {
                let chunk = self.chunk_bytes(record, &corner)?;
                self.copy(&chunk, &corner, first, end, &mut out);
            }
        }
        Ok(out)
    }
}

impl ChunkTree {
    /// Rows of the value that stands for what was never written.
    fn unwritten(&self, first: usize, end: usize) -> Vec<u8> {
        let rows = self.spec.shape.first().copied().unwrap_or(1).max(1);
        let bytes = self.spec.bytes() / rows * end.saturating_sub(first);
        match self.header.fill.is_empty() {
            true => vec![0; bytes],
            false => self.header.fill.iter().copied().cycle().take(bytes).collect(),
        }
    }

    /// The first element of a chunk, if it is one of the dataset's.
    fn corner(&self, record: &Record) -> Option<Vec<usize>> {
        let axes = record.place.iter().zip(&self.chunk).zip(self.spec.shape.iter());
        let corner = axes.map(|((&place, &chunk), &extent)| {
            let start = usize::try_from(place).ok()?.checked_mul(chunk)?;
            (start < extent).then_some(start)
        });
        corner.collect()
    }

    fn chunk_bytes(&self, record: &Record, corner: &[usize]) -> Result<Vec<u8>, String> {
        let mut stored = vec![0; usize::try_from(record.stored).unwrap_or_default()];
        let read = self.bytes.read_at(record.address, &mut stored);
        read.map_err(|e| format!("cannot be read: {}", quote(&e.to_string())))?;
        let mut extents = corner.iter().zip(&self.chunk).zip(self.spec.shape.iter());
        let at_edge = extents.any(|((start, chunk), extent)| start + chunk > *extent);
        let raw = self.header.edges_unfiltered && at_edge;
        let filters = if raw { &[] } else { self.filters.as_slice() };
        let bytes = self.chunk.iter().product::<usize>() * self.spec.dtype.size();
        filters::undo(stored, filters, record.skipped, bytes)
    }

    /// Puts the part of a chunk that lies in the rows from `first` to `end` in its place.
    fn copy(&self, chunk: &[u8], corner: &[usize], first: usize, end: usize, out: &mut [u8]) {
        let (shape, width) = (&self.spec.shape, self.spec.dtype.size());
        let last = shape.rank() - 1;
        let run = self.chunk[last].min(shape[last] - corner[last]) * width;
        // The lines of a chunk along its last axis, in order.
        for (i, line) in chunk.chunks_exact(self.chunk[last] * width).enumerate() {
            let (mut left, mut at, mut stride, mut inside) = (i, corner[last], shape[last], true);
            for axis in (0..last).rev() {
                let index = corner[axis] + left % self.chunk[axis];
                left /= self.chunk[axis];
                inside &= index < shape[axis];
                at += index * stride;
                stride *= shape[axis];
            }
            let row_elements = self.spec.shape.iter().skip(1).product::<usize>();
            let (from, to) = (first * row_elements, end * row_elements);
            if inside && (from..to).contains(&at) {
                let run = run.min((to - at) * width);
                out[(at - from) * width..][..run].copy_from_slice(&line[..run]);
            }
        }
    }
}

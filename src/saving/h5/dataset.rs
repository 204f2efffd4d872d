//! Datasets of an HDF5 file as sources.

use std::sync::{Arc, Mutex, PoisonError};

use hdf5_pure::{ChunkIndex, Dataset, Layout};

use super::chunk_tree;
use super::datatype::{Fix, dtype_of};
use super::reader::H5File;
use crate::base::error::quote;
use crate::base::stream::CHUNK;
use crate::base::{Error, Result, Shape, Source, Spec};
use crate::saving::bytes::ReadAt;
use crate::saving::limits::check;

/// Deflate, shuffle, Fletcher-32 and LZF: what h5py's own options write.
const FILTERS: [u16; 4] = [1, 2, 3, 32_000];
const MAX_FILTERS: usize = 8;

/// The dataset as a source; nothing of its data is read.
pub(super) fn open(file: &H5File, path: &str, dataset: Dataset) -> Result<Arc<dyn Source>> {
    let (dtype, fix) = dtype_of(&dataset).map_err(|found| {
        file.error(path, &format!("holds {found}, expected numbers, booleans or bfloat16"))
    })?;
    let spec = Spec::new(shape_of(file, path, &dataset)?, dtype);
    let bytes = spec.bytes() as u64;
    let what = || format!("the dataset '{path}' of shape {} in bytes", spec.shape);
    check(what, bytes, file.limits.h5_dataset(file.bytes.len()), "h5_ratio")?;
    let layout = dataset.layout().map_err(|e| file.damaged(path, &e))?;
    match layout {
        Layout::Contiguous { address: Some(address), size } => {
            let end = address.checked_add(bytes);
            if size < bytes || end.is_none_or(|end| end > file.bytes.len()) {
                let what =
                    format!("{spec} needs {bytes} bytes, but {size} at {address} are stored");
                return Err(file.error(path, &what));
            }
            Ok(Arc::new(Contiguous { spec, fix, bytes: file.bytes.clone(), address }))
        }
        Layout::Chunked { chunk_shape, index } => {
            check_chunks(file, path, &dataset, &chunk_shape)?;
            let rows: Box<dyn ReadRows> = match index {
                ChunkIndex::BTreeV2 => {
                    Box::new(chunk_tree::open(file, path, &dataset, &spec, &chunk_shape)?)
                }
                _ => Box::new(dataset),
            };
            let band = chunk_shape.first().copied().unwrap_or(1);
            Ok(Arc::new(Rows::new(file, path, rows, spec, fix, band)))
        }
        Layout::Virtual => Err(file.error(path, "is a virtual dataset, made of other files")),
        _ => {
            // Reading no rows refuses data that lies in other files.
            dataset.read_raw_rows(0, 0).map_err(|e| file.damaged(path, &e))?;
            Ok(Arc::new(Rows::new(file, path, Box::new(dataset), spec, fix, 1)))
        }
    }
}

fn shape_of(file: &H5File, path: &str, dataset: &Dataset) -> Result<Shape> {
    let extents = dataset.shape().map_err(|e| file.damaged(path, &e))?;
    let extents: Option<Vec<usize>> = extents.iter().map(|&d| usize::try_from(d).ok()).collect();
    let shape = extents.map(Shape::from).filter(|shape| shape.checked_len().is_ok());
    shape.ok_or_else(|| file.error(path, "has more elements than a tensor can have"))
}

fn check_chunks(file: &H5File, path: &str, dataset: &Dataset, chunk: &[u64]) -> Result<()> {
    let filters = dataset.filter_pipeline();
    if let Some(unknown) = filters.iter().find(|f| !FILTERS.contains(&f.id)) {
        let what =
            format!("is packed with filter {}; filters {FILTERS:?} are supported", unknown.id);
        return Err(file.error(path, &what));
    }
    if filters.len() > MAX_FILTERS {
        return Err(file.error(path, &format!("has {} filters", filters.len())));
    }
    let element = dataset.element_size().map_err(|e| file.damaged(path, &e))?;
    let bytes = chunk.iter().fold(element, |n, &d| n.saturating_mul(d));
    let what = || format!("a chunk of the dataset '{path}' in bytes");
    check(what, bytes, file.limits.h5_chunk_bytes, "h5_chunk_bytes")
}

/// Data in one run: read straight from its place.
struct Contiguous {
    spec: Spec,
    fix: Fix,
    bytes: Arc<dyn ReadAt>,
    address: u64,
}

impl Source for Contiguous {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        check_range(&self.spec, offset, buf.len())?;
        let width = self.spec.dtype.size();
        if self.fix == Fix::Nothing
            || (offset.is_multiple_of(width) && buf.len().is_multiple_of(width))
        {
            self.bytes.read_at(self.address + offset as u64, buf)?;
            self.fix.apply(width, buf);
            return Ok(());
        }
        // The piece starts or ends inside an element.
        let start = offset - offset % width;
        let mut whole = vec![0; (offset + buf.len()).next_multiple_of(width) - start];
        self.bytes.read_at(self.address + start as u64, &mut whole)?;
        self.fix.apply(width, &mut whole);
        buf.copy_from_slice(&whole[offset - start..][..buf.len()]);
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.bytes.check()
    }
}

fn check_range(spec: &Spec, offset: usize, len: usize) -> Result<()> {
    match offset.checked_add(len) {
        Some(end) if end <= spec.bytes() => Ok(()),
        _ => Err(Error::Internal(format!("read of {len} bytes at {offset} of {spec}"))),
    }
}

/// A dataset of which some rows can be read.
pub(super) trait ReadRows: Send + Sync {
    /// The bytes of up to `count` rows from `first` on, as they are stored.
    ///
    /// # Errors
    /// What is wrong with them, said of the dataset.
    fn read_rows(&self, first: usize, count: usize) -> Result<Vec<u8>, String>;
}

impl ReadRows for Dataset {
    fn read_rows(&self, first: usize, count: usize) -> Result<Vec<u8>, String> {
        let read = self.read_raw_rows(first as u64, count as u64);
        read.map_err(|e| format!("cannot be read: {}", quote(&e.to_string())))
    }
}

/// Data in chunks, in the object's header, or not written at all: read some rows at a time.
struct Rows {
    dataset: Box<dyn ReadRows>,
    spec: Spec,
    fix: Fix,
    row_bytes: usize,
    /// Rows read at a time: whole chunks, about [`CHUNK`] bytes.
    window: usize,
    /// The first row and the bytes of the rows read last, for the next piece of a stream.
    last: Mutex<Option<(usize, Vec<u8>)>>,
    /// What the dataset lies in.
    bytes: Arc<dyn ReadAt>,
    member: String,
    path: String,
}

impl Rows {
    fn new(
        file: &H5File,
        path: &str,
        dataset: Box<dyn ReadRows>,
        spec: Spec,
        fix: Fix,
        band: u64,
    ) -> Rows {
        let rows = spec.shape.first().copied().unwrap_or(1).max(1);
        let row_bytes = spec.bytes() / rows;
        let band = usize::try_from(band).unwrap_or(rows).clamp(1, rows);
        let window = (CHUNK / row_bytes.max(1)).next_multiple_of(band).max(band);
        let (bytes, member, path) = (file.bytes.clone(), file.member.clone(), path.into());
        Rows { dataset, spec, fix, row_bytes, window, last: Mutex::new(None), bytes, member, path }
    }

    /// The rows from `first` on, one window of them.
    fn read_window(&self, first: usize) -> Result<Vec<u8>> {
        let error = |what: String| Error::Hdf5 {
            member: self.member.clone(),
            what: format!("'/{}' {what}", quote(&self.path)),
        };
        let mut bytes = self.dataset.read_rows(first, self.window).map_err(&error)?;
        let rows = self.spec.shape.first().copied().unwrap_or(1) - first;
        if bytes.len() != rows.min(self.window) * self.row_bytes {
            return Err(error(format!("gave {} bytes for {}", bytes.len(), self.spec)));
        }
        self.fix.apply(self.spec.dtype.size(), &mut bytes);
        Ok(bytes)
    }
}

impl Source for Rows {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        check_range(&self.spec, offset, buf.len())?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let window_bytes = self.window * self.row_bytes;
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done;
            let first = at / window_bytes * self.window;
            let bytes = match last.take() {
                Some((row, bytes)) if row == first => bytes,
                _ => self.read_window(first)?,
            };
            let piece = &bytes[at % window_bytes..];
            let count = piece.len().min(buf.len() - done);
            buf[done..done + count].copy_from_slice(&piece[..count]);
            done += count;
            // A window read to its end is not asked for again by a stream.
            if count < piece.len() {
                *last = Some((first, bytes));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.bytes.check()
    }
}

#[cfg(test)]
mod tests {
    use hdf5_pure::FileBuilder;

    use super::*;
    use crate::base::DType;
    use crate::saving::Limits;
    use crate::tensor::Tensor;

    /// More than three windows of rows, the last one short.
    const SHAPE: [u64; 2] = [3_500, 1_000];

    fn values() -> Vec<f32> {
        (0..3_500_000).map(|i| i as f32).collect()
    }

    fn open(build: impl FnOnce(&mut hdf5_pure::DatasetBuilder)) -> Arc<dyn Source> {
        let mut file = FileBuilder::new();
        build(file.create_dataset("x"));
        let file = H5File::open(Arc::new(file.finish().unwrap()), "test", &Limits::default());
        file.unwrap().dataset("x").unwrap().unwrap()
    }

    #[test]
    fn chunked_data_is_read_in_windows() {
        let source = open(|x| {
            x.with_f32_data(&values()).with_shape(&SHAPE).with_chunks(&[128, 333]).with_deflate(1);
        });
        let expected = Tensor::new([3_500, 1_000], &values()).unwrap();
        assert!(Tensor::from_source(source.as_ref()).unwrap() == expected);
        let mut streamed = Vec::new();
        crate::base::stream::copy(source.as_ref(), &mut streamed).unwrap();
        assert!(streamed == expected.bytes());
        for offset in [0, 1, 4_095_999, 13_999_993] {
            let mut piece = [0; 7];
            source.read(offset, &mut piece).unwrap();
            assert_eq!(piece, expected.bytes()[offset..offset + 7]);
        }
        assert!(source.read(13_999_994, &mut [0; 7]).is_err());
    }

    #[test]
    fn pieces_that_split_elements_are_put_in_order() {
        let bytes: Vec<u8> = (1..=16).collect();
        let spec = Spec::new([4], DType::Float32);
        let source = Contiguous { spec, fix: Fix::Swap, bytes: Arc::new(bytes), address: 0 };
        let mut all = [0; 16];
        source.read(0, &mut all).unwrap();
        assert_eq!(all[..5], [4, 3, 2, 1, 8]);
        for (offset, len) in [(0, 3), (3, 2), (5, 11), (4, 4)] {
            let mut piece = vec![0; len];
            source.read(offset, &mut piece).unwrap();
            assert_eq!(piece, all[offset..offset + len]);
        }
    }
}

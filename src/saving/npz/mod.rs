//! Arrays in NumPy's `.npz` archives.

mod header;
mod text;

use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{DType, Error, Result, ResultExt};
use crate::saving::Limits;
use crate::saving::archive::Archive;
use crate::saving::atomic::{AtomicFile, Replace};
use crate::saving::bytes::{FileBytes, ReadAt};
use crate::saving::file_system::Disk;
use crate::saving::limits::check;
use crate::saving::stored_zip::StoredZip;
use crate::tensor::Tensor;
use header::Header;

/// How NumPy ends the names of members.
const ENDING: &str = ".npy";
/// How far zeros can be deflated; data given to a model may well be zeros.
const DEFLATE_RATIO: u64 = 1_100;

/// An `.npz` archive whose arrays are read one by one.
///
/// All numeric dtypes but complex128 are read, in both byte orders and both memory orders; ml_dtypes' bfloat16,
/// which NumPy writes as two bytes without a meaning (`V2`), is read as bfloat16. Text is read from
/// arrays of characters (`U`) and of bytes in UTF-8 (`S`).
pub struct Npz {
    archive: Archive,
    limits: Limits,
}

impl Npz {
    /// Opens an archive anywhere.
    ///
    /// # Errors
    /// If it is damaged or asks for too much.
    pub fn from_source(source: Arc<dyn ReadAt>) -> Result<Npz> {
        let limits = Limits { inflated_ratio: DEFLATE_RATIO, ..Limits::default() };
        Ok(Npz { archive: Archive::from_source(source, &limits)?, limits })
    }

    /// The names of the arrays, in the order of the archive.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.archive.members().iter().filter_map(|member| member.name.strip_suffix(ENDING))
    }

    /// The array of a name.
    ///
    /// # Errors
    /// If there is none, it is damaged, or it holds Python objects, which are never unpickled.
    pub fn read(&self, name: &str) -> Result<Tensor> {
        let bytes = self.archive.member(&format!("{name}{ENDING}"));
        let array = bytes.and_then(|bytes| read_npy(bytes.as_ref(), &self.limits));
        array.at(|| format!("array '{}'", quote(name)))
    }
}

/// The arrays of an `.npz` file by name, in the order of the archive.
///
/// # Errors
/// If the file is damaged, or holds Python objects, which are never unpickled.
pub fn read_npz(path: &Path) -> Result<Vec<(String, Tensor)>> {
    let npz = Npz::from_source(Arc::new(FileBytes::open(path)?));
    let npz = npz.at(|| path.display().to_string())?;
    npz.names().map(|name| Ok((name.to_owned(), npz.read(name)?))).collect()
}

/// The array in the bytes of an `.npy` file.
fn read_npy(bytes: &dyn ReadAt, limits: &Limits) -> Result<Tensor> {
    let (header, data_start) = Header::read(bytes)?;
    let need = (header.spec.shape.len() as u64).saturating_mul(header.width as u64);
    check(
        || format!("an array of {}", header.spec),
        need,
        limits.npz_array_bytes,
        "npz_array_bytes",
    )?;
    let found = bytes.len() - data_start;
    if found != need {
        let spec = &header.spec;
        return Err(Error::Archive(format!("{spec} needs {need} bytes, there are {found}")));
    }
    let mut data = vec![0; usize::try_from(need).unwrap_or_default()];
    bytes.read_at(data_start, &mut data)?;
    if header.big_endian {
        let word = match header.spec.dtype {
            DType::Complex64 => header.width / 2,
            _ if header.is_unicode => text::CODE_POINT,
            _ => header.width,
        };
        data.chunks_exact_mut(word).for_each(<[u8]>::reverse);
    }
    if header.spec.dtype == DType::Bool {
        data.iter_mut().for_each(|b| *b = u8::from(*b != 0));
    }
    if header.fortran_order {
        data = row_major(&header, &data);
    }
    if header.spec.dtype == DType::String {
        let strings = text::decode(&header, &data)?;
        return Tensor::from_strings(header.spec.shape, &strings);
    }
    Tensor::from_bytes(header.spec, data)
}

/// Column-major elements in row-major order.
fn row_major(header: &Header, data: &[u8]) -> Vec<u8> {
    let (shape, width) = (&header.spec.shape, header.width);
    let mut strides = Vec::with_capacity(shape.rank());
    let mut stride = width;
    for &extent in shape.iter() {
        strides.push(stride);
        stride *= extent;
    }
    let mut out = Vec::with_capacity(data.len());
    let mut index = vec![0; shape.rank()];
    while out.len() < data.len() {
        let at: usize = index.iter().zip(&strides).map(|(i, stride)| i * stride).sum();
        out.extend_from_slice(&data[at..at + width]);
        for axis in (0..shape.rank()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

/// Writes arrays as NumPy's `savez` does; the file appears when it is complete.
///
/// bfloat16, which NumPy lacks, is written as uint16 with the same bits, floats of eight bits as uint8:
/// `array.view(ml_dtypes.bfloat16)` gives the numbers back in Python.
///
/// # Errors
/// If two arrays have one name, or the file cannot be written.
pub fn write_npz(path: &Path, arrays: &[(String, Tensor)]) -> Result<()> {
    let mut file = AtomicFile::create(&Disk, path, Replace::default())?;
    file.write(|out| write_arrays(out, arrays))?;
    file.commit()
}

fn write_arrays(out: impl Write + Seek, arrays: &[(String, Tensor)]) -> Result<()> {
    let mut zip = StoredZip::new(out);
    for (i, (name, tensor)) in arrays.iter().enumerate() {
        if arrays[..i].iter().any(|(other, _)| other == name) {
            return Err(Error::Invalid(format!("two arrays are named '{}'", quote(name))));
        }
        let text = tensor.strings().ok().map(text::encode);
        let (characters, data) = match &text {
            Some((characters, data)) => (*characters, data.as_slice()),
            None => (0, tensor.bytes()),
        };
        let header = header::write(tensor.spec(), characters);
        zip.start(&format!("{name}{ENDING}"), (header.len() + data.len()) as u64)?;
        let written = zip.write_all(&header).and_then(|()| zip.write_all(data));
        written.map_err(|e| Error::io("", e))?;
    }
    zip.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Result<Tensor> {
        let dict = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((dict.len() as u16).to_le_bytes());
        bytes.extend(dict.as_bytes());
        bytes.extend(data);
        read_npy(&bytes, &Limits::default())
    }

    #[test]
    fn orders_and_dtypes_are_understood() {
        let x = npy("'<i2'", "True", "(2, 3)", &[1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0]).unwrap();
        assert_eq!(x, Tensor::new([2, 3], &[1i16, 2, 3, 4, 5, 6]).unwrap());
        let x = npy("'>f4'", "False", "(1,)", &1.5f32.to_be_bytes()).unwrap();
        assert_eq!(x, Tensor::new([1], &[1.5f32]).unwrap());
        assert_eq!(npy("'|b1'", "False", "()", &[1]).unwrap().dtype(), DType::Bool);
        assert_eq!(npy("'<f2'", "False", "(0, 3)", &[]).unwrap().dtype(), DType::Float16);
        let parts = Tensor::new([1, 2], &[1.5f32, 1.5]).unwrap();
        let x = npy("'>c8'", "False", "(1,)", &[1.5f32.to_be_bytes(); 2].concat()).unwrap();
        assert_eq!(x, Tensor::from_parts(&parts).unwrap());
        assert_eq!(npy("'<V2'", "False", "(1,)", &[0, 0]).unwrap().dtype(), DType::BFloat16);
    }

    #[test]
    fn text_is_read_in_characters_and_bytes() {
        let wide = |text: &str| text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        let bytes: Vec<u8> = wide("né\0\0\0a");
        let x = npy("'>U3'", "False", "(2,)", &bytes).unwrap();
        assert_eq!(x, Tensor::from_strings([2], &["né", "\0\0a"]).unwrap());
        let x = npy("'|S2'", "True", "(2, 2)", b"a\0\xc3\xa9\0\0bc").unwrap();
        assert_eq!(x, Tensor::from_strings([2, 2], &["a", "", "é", "bc"]).unwrap());
        assert!(npy("'<U0'", "False", "(0,)", &[]).unwrap().is_empty());
        let message = |r: Result<Tensor>| r.unwrap_err().to_string();
        assert!(message(npy("'|S1'", "False", "(1,)", &[0xff])).contains("UTF-8"));
        assert!(message(npy("'<U1'", "False", "(1,)", &[0, 0xd8, 0, 0])).contains("Unicode"));
        assert!(message(npy("'<U4294967295'", "False", "(2,)", &[0; 8])).contains("needs"));
        assert!(npy("'<U0'", "False", "(4000000000,)", &[]).is_err());
        assert!(npy("'<U99999999999'", "False", "(1,)", &[]).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let message = |r: Result<Tensor>| r.unwrap_err().to_string();
        assert!(message(npy("'|O'", "False", "(1,)", &[0; 8])).contains("Python objects"));
        assert!(message(npy("[('a', '<f4')]", "False", "(1,)", &[0; 4])).contains("header"));
        assert!(message(npy("'<c16'", "False", "(1,)", &[0; 16])).contains("c16"));
        assert!(message(npy("'<f4'", "False", "(2,)", &[0; 4])).contains("needs 8 bytes"));
        for shape in ["(-1,)", "(1 1)", "1", "(99999999999999999999,)", "(4294967296, 4294967296)"]
        {
            assert!(npy("'<f4'", "False", shape, &[]).is_err(), "{shape}");
        }
        assert!(
            read_npy(&b"\x93NUMPY\x02\0\xff\xff\xff\xff".to_vec(), &Limits::default()).is_err()
        );
    }

    #[test]
    fn arrays_survive_writing_and_reading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let x = Tensor::new([2, 2], &[1f32, 2.0, 3.0, 4.0]).unwrap();
        let arrays: Vec<(String, Tensor)> = DType::ALL
            .into_iter()
            .filter(|&dtype| dtype != DType::BFloat16)
            .map(|dtype| (dtype.name().to_string(), x.cast(dtype)))
            .chain([("scalar".into(), Tensor::scalar(2.5))])
            .chain([("complex".into(), x.cast(DType::Complex64))])
            .chain([("text".into(), Tensor::from_strings([2], &["é", ""]).unwrap())])
            .collect();
        write_npz(&path, &arrays).unwrap();
        assert_eq!(read_npz(&path).unwrap(), arrays);
        let twice = [("a".to_string(), x.clone()), ("a".to_string(), x)];
        assert!(write_npz(&path, &twice).is_err());
        assert_eq!(read_npz(&path).unwrap(), arrays);
    }
}

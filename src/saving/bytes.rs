//! Random access to the bytes of a file, and careful reading of little-endian records.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::base::{Error, Result};

/// Bytes that can be read at any offset, from several threads at once.
pub trait ReadAt: Send + Sync {
    /// Number of bytes.
    fn len(&self) -> u64;

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    /// If fewer bytes are there, or the operating system refuses.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// Says whether the bytes read so far can be believed; see
    /// [`Source::check`](crate::base::Source::check).
    ///
    /// # Errors
    /// If they are damaged or not what was opened.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        read_slice(self, offset, buf)
    }
}

impl ReadAt for &'static [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        read_slice(self, offset, buf)
    }
}

impl ReadAt for Arc<[u8]> {
    fn len(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        read_slice(self, offset, buf)
    }
}

fn read_slice(bytes: &[u8], offset: u64, buf: &mut [u8]) -> Result<()> {
    let piece = usize::try_from(offset)
        .ok()
        .and_then(|start| bytes.get(start..start.checked_add(buf.len())?))
        .ok_or_else(|| past_end(offset, buf.len(), bytes.len() as u64))?;
    buf.copy_from_slice(piece);
    Ok(())
}

fn past_end(offset: u64, len: usize, total: u64) -> Error {
    Error::Archive(format!(
        "{len} bytes at offset {offset} are wanted, but there are {total} bytes"
    ))
}

/// A file opened for reading. It keeps what it opened: a file that takes its name later is another
/// one.
pub struct FileBytes {
    file: File,
    path: PathBuf,
    len: u64,
    /// Where the system tells.
    modified: Option<SystemTime>,
}

impl FileBytes {
    /// Opens a regular file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened, or is a folder or a device.
    pub fn open(path: &Path) -> Result<FileBytes> {
        let io = |e| Error::io(path, e);
        let meta = std::fs::metadata(path).map_err(io)?;
        if !meta.is_file() {
            return Err(io(io::Error::other("not a regular file")));
        }
        FileBytes::from_file(File::open(path).map_err(io)?, path)
    }

    /// An open file; `path` is its name in messages.
    ///
    /// # Errors
    /// [`Error::Io`] if the system does not tell its size.
    pub fn from_file(file: File, path: &Path) -> Result<FileBytes> {
        let meta = file.metadata().map_err(|e| Error::io(path, e))?;
        let (len, modified) = (meta.len(), meta.modified().ok());
        Ok(FileBytes { file, path: path.into(), len, modified })
    }
}

impl ReadAt for FileBytes {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        read_file(&self.file, offset, buf).map_err(|e| Error::io(&self.path, e))
    }

    fn check(&self) -> Result<()> {
        let now = self.file.metadata().map_err(|e| Error::io(&self.path, e))?;
        if (now.len(), now.modified().ok()) == (self.len, self.modified) {
            return Ok(());
        }
        Err(Error::Archive(format!(
            "'{}' was written to while its weights were still being read from it: it had {} bytes \
             and has {}; load it again, and replace files instead of changing them",
            self.path.display(),
            self.len,
            now.len()
        )))
    }
}

#[cfg(unix)]
fn read_file(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(windows)]
fn read_file(file: &File, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !buf.is_empty() {
        match file.seek_read(buf, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                buf = &mut buf[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Anything that can be read and has a position, as bytes at any offset. Reads from several threads
/// wait for each other.
pub struct Seekable<R> {
    reader: Mutex<R>,
    len: u64,
}

impl<R: io::Read + io::Seek> Seekable<R> {
    /// All bytes of a reader, wherever its position is.
    ///
    /// # Errors
    /// [`Error::Io`] with an empty path if the reader cannot say how many there are.
    pub fn new(mut reader: R) -> Result<Seekable<R>> {
        let len = reader.seek(io::SeekFrom::End(0)).map_err(|e| Error::io("", e))?;
        Ok(Seekable { reader: Mutex::new(reader), len })
    }
}

impl<R: io::Read + io::Seek + Send> ReadAt for Seekable<R> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let sought = reader.seek(io::SeekFrom::Start(offset));
        sought.and_then(|_| reader.read_exact(buf)).map_err(|e| Error::io("", e))
    }
}

/// A part of other bytes, such as a stored member of an archive.
pub struct Window {
    inner: Arc<dyn ReadAt>,
    start: u64,
    len: u64,
}

impl Window {
    /// The `len` bytes from `start` on, which must exist.
    ///
    /// # Errors
    /// [`Error::Archive`] if they do not.
    pub fn new(inner: Arc<dyn ReadAt>, start: u64, len: u64) -> Result<Window> {
        match start.checked_add(len) {
            Some(end) if end <= inner.len() => Ok(Window { inner, start, len }),
            _ => Err(Error::Archive(format!(
                "{len} bytes at offset {start} are wanted, but there are {} bytes",
                inner.len()
            ))),
        }
    }
}

impl ReadAt for Window {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        match offset.checked_add(buf.len() as u64) {
            Some(end) if end <= self.len => self.inner.read_at(self.start + offset, buf),
            _ => Err(past_end(offset, buf.len(), self.len)),
        }
    }

    fn check(&self) -> Result<()> {
        self.inner.check()
    }
}

/// Reads bytes in order, for decoders that want an [`io::Read`].
pub(crate) struct Stream {
    inner: Arc<dyn ReadAt>,
    offset: u64,
}

impl Stream {
    pub(crate) fn new(inner: Arc<dyn ReadAt>) -> Stream {
        Stream { inner, offset: 0 }
    }
}

impl io::Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.inner.len().saturating_sub(self.offset));
        let count = left.unwrap_or(usize::MAX).min(buf.len());
        self.inner.read_at(self.offset, &mut buf[..count]).map_err(io::Error::other)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// All bytes in memory; the caller has checked their number.
pub(crate) fn read_all(bytes: &dyn ReadAt) -> Result<Vec<u8>> {
    let len = usize::try_from(bytes.len())
        .map_err(|_| Error::Archive(format!("{} bytes do not fit memory", bytes.len())))?;
    let mut all = Vec::new();
    all.try_reserve_exact(len).map_err(|_| Error::Limit {
        what: "reading a file into memory".into(),
        need: format!("{len} bytes"),
        limit: "less".into(),
        owner: "memory of this machine".into(),
    })?;
    all.resize(len, 0);
    bytes.read_at(0, &mut all)?;
    Ok(all)
}

/// Takes little-endian numbers from the front of a slice; `None` when it is too short.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// A number of `width` bytes, at most eight.
    pub(crate) fn uint(&mut self, width: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes.get_mut(..width)?.copy_from_slice(self.take(width)?);
        Some(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_where_they_say() {
        let bytes: Arc<dyn ReadAt> = Arc::new((0u8..10).collect::<Vec<_>>());
        let window = Window::new(bytes.clone(), 4, 3).unwrap();
        let mut buf = [0; 3];
        window.read_at(0, &mut buf).unwrap();
        assert_eq!(buf, [4, 5, 6]);
        assert!(window.read_at(1, &mut buf).is_err());
        assert!(window.read_at(u64::MAX, &mut buf).is_err());
        assert!(Window::new(bytes.clone(), 8, 3).is_err());
        assert!(Window::new(bytes, u64::MAX, 2).is_err());
    }
}

//! What was written to a file, to be compared with what can be read from it.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::base::stream::CHUNK;
use crate::saving::file_system::{FileSystem, NewFile};

/// A file that is being written, and, where it is to be verified, checksums of what was written.
pub(crate) struct Witness {
    file: Box<dyn NewFile>,
    position: u64,
    record: Option<Record>,
}

/// Checksums of a file's pieces. Writers write every byte once, in few pieces.
#[derive(Default)]
pub(super) struct Record {
    pieces: Vec<Piece>,
}

struct Piece {
    start: u64,
    len: u64,
    crc: crc32fast::Hasher,
}

impl Witness {
    /// A file in which nothing is yet.
    pub(super) fn new(file: Box<dyn NewFile>, verify: bool) -> Witness {
        Witness { file, position: 0, record: verify.then(Record::default) }
    }

    /// Returns when everything written is on the disk, with what was written if that is to be verified.
    pub(super) fn sync(&mut self) -> io::Result<Option<Record>> {
        self.file.sync()?;
        Ok(self.record.take())
    }
}

impl Write for Witness {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if let Some(record) = &mut self.record {
            record.add(self.position, bytes.get(..written).unwrap_or(bytes));
        }
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Witness {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

impl Record {
    fn add(&mut self, at: u64, bytes: &[u8]) {
        match self.pieces.last_mut() {
            Some(piece) if piece.start + piece.len == at => piece.add(bytes),
            _ => {
                let mut piece = Piece { start: at, len: 0, crc: crc32fast::Hasher::new() };
                piece.add(bytes);
                self.pieces.push(piece);
            }
        }
    }

    /// Compares the file at a path with what was written to it.
    ///
    /// # Errors
    /// If it holds anything else, or cannot be read.
    pub(super) fn check(mut self, files: &dyn FileSystem, path: &Path) -> io::Result<()> {
        let mut file = files.open(path)?;
        let mut chunk = vec![0; CHUNK];
        let mut position = 0;
        self.pieces.retain(|piece| piece.len > 0);
        self.pieces.sort_by_key(|piece| piece.start);
        for piece in self.pieces {
            if piece.start != position || !piece.is_next_in(&mut file, &mut chunk)? {
                return Err(differs(position));
            }
            position += piece.len;
        }
        match file.take(1).read_to_end(&mut Vec::new())? {
            0 => Ok(()),
            _ => Err(differs(position)),
        }
    }
}

impl Piece {
    fn add(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// Whether a reader goes on with what was written.
    fn is_next_in(&self, file: &mut dyn Read, chunk: &mut [u8]) -> io::Result<bool> {
        let mut crc = crc32fast::Hasher::new();
        let mut left = self.len;
        while left > 0 {
            let len = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            let (part, _) = chunk.split_at_mut(len);
            match file.read_exact(part) {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                read => read?,
            }
            crc.update(part);
            left -= len as u64;
        }
        Ok(crc.finalize() == self.crc.clone().finalize())
    }
}

fn differs(from: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "what was written reads back as something else, from byte {from} on; the disk or the \
             memory may be failing, save elsewhere"
        ),
    )
}

/// Files whose contents are still to be compared with what was written to them.
#[derive(Default)]
pub(super) struct Unverified(Vec<(PathBuf, Record)>);

impl Unverified {
    /// Adds a file, if it is to be verified.
    pub(super) fn add(&mut self, path: PathBuf, record: Option<Record>) {
        self.0.extend(record.map(|record| (path, record)));
    }

    /// Compares all of them.
    ///
    /// # Errors
    /// As [`Record::check`].
    pub(super) fn check(&mut self, files: &dyn FileSystem) -> io::Result<()> {
        self.0.drain(..).try_for_each(|(path, record)| record.check(files, &path))
    }
}

//! Writing zip archives of stored members whose sizes are known.
//!
//! Written here because writers made for compression seek back to sizes they did not know and try
//! to complete an archive that is given up, which on a full disk can go wrong in new ways.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use crate::base::{Error, Result};

/// Sizes, offsets and counts from these on stand in 64-bit fields.
const LARGE: u64 = u32::MAX as u64;
const MANY: u64 = u16::MAX as u64;

const VERSION: u16 = 20;
const VERSION_64: u16 = 45;
/// Made on UNIX, where names are UTF-8 and the upper half of the attributes is the mode.
const UNIX: u16 = 3 << 8;
/// The mode that Python gives members.
const MODE: u32 = 0o600 << 16;
/// 1980-01-01, the first day there is.
const DATE: u16 = 1 << 5 | 1;
const UTF8_NAME: u16 = 1 << 11;
const DESCRIPTOR: u16 = 1 << 3;
/// Where in a local header the checksum stands.
const CRC_AT: usize = 14;
const CRC_BYTES: usize = 4;

/// A zip archive that is being written. Dates are fixed: equal members give equal bytes.
///
/// Errors of the system come without a path ([`Error::Io`] with an empty one).
pub(super) struct StoredZip<W: Write> {
    out: BufWriter<W>,
    /// How to go to another place; where there is no way back, a checksum follows its member.
    seek: Option<SeekTo<W>>,
    position: u64,
    entries: Vec<Entry>,
    /// Sizes and offsets from this on stand in 64-bit fields.
    large: u64,
    crc: crc32fast::Hasher,
    /// Bytes of the current member that are still to come.
    left: u64,
}

type SeekTo<W> = fn(&mut BufWriter<W>, u64) -> io::Result<()>;

struct Entry {
    name: String,
    bytes: u64,
    offset: u64,
    crc: u32,
    /// Sizes and offsets from this on stand in 64-bit fields.
    large: u64,
    checksum: Checksum,
}

/// When a member's checksum is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checksum {
    /// With the header, as it is known.
    First,
    /// In the header, where its place is left free until the member is written.
    FilledIn,
    /// Behind the member, in a data descriptor.
    Behind,
}

impl<W: Write + Seek> StoredZip<W> {
    /// An archive in `out`, which is empty.
    pub(super) fn new(out: W) -> StoredZip<W> {
        let seek: SeekTo<W> = |out, place| out.seek(SeekFrom::Start(place)).map(drop);
        StoredZip { seek: Some(seek), ..StoredZip::streamed(out) }
    }
}

impl<W: Write> StoredZip<W> {
    /// An archive that is written from start to end: what is not known before a member stands
    /// behind it.
    pub(super) fn streamed(out: W) -> StoredZip<W> {
        StoredZip {
            out: BufWriter::new(out),
            seek: None,
            position: 0,
            entries: Vec::new(),
            large: LARGE,
            crc: crc32fast::Hasher::new(),
            left: 0,
        }
    }

    /// Puts all sizes and offsets into 64-bit fields, or only those that need them.
    pub(super) fn zip64(mut self, always: bool) -> StoredZip<W> {
        self.large = if always { 0 } else { LARGE };
        self
    }

    /// Starts a member of `bytes` bytes, which are then written.
    pub(super) fn start(&mut self, name: &str, bytes: u64) -> Result<()> {
        self.begin(name, bytes, None)
    }

    /// Starts a member whose checksum is known, or not.
    fn begin(&mut self, name: &str, bytes: u64, crc: Option<u32>) -> Result<()> {
        self.finish_member()?;
        if u16::try_from(name.len()).is_err() {
            return Err(Error::Invalid(format!("a name of {} bytes in an archive", name.len())));
        }
        let checksum = match (crc, self.seek) {
            (Some(_), _) => Checksum::First,
            (None, Some(_)) => Checksum::FilledIn,
            (None, None) => Checksum::Behind,
        };
        let (offset, crc) = (self.position, crc.unwrap_or(0));
        let large = self.large;
        let entry = Entry { name: name.into(), bytes, offset, crc, large, checksum };
        let header = entry.local_header();
        self.entries.push(entry);
        self.left = bytes;
        let written = match self.seek {
            Some(seek) if checksum == Checksum::FilledIn => self.put_around_crc(&header, seek),
            _ => self.put(&header),
        };
        written.map_err(|e| Error::io("", e))
    }

    /// Leaves the place of the checksum free, so that every byte is written once.
    fn put_around_crc(&mut self, header: &[u8], seek: SeekTo<W>) -> io::Result<()> {
        let (before, rest) = header.split_at(CRC_AT);
        let (crc, behind) = rest.split_at(CRC_BYTES);
        self.put(before)?;
        self.position += crc.len() as u64;
        seek(&mut self.out, self.position)?;
        self.put(behind)
    }

    /// Writes a member as a whole.
    pub(super) fn member(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.begin(name, bytes.len() as u64, Some(crc32fast::hash(bytes)))?;
        self.write_all(bytes).map_err(|e| Error::io("", e))
    }

    /// Writes the directory.
    pub(super) fn finish(mut self) -> Result<()> {
        self.finish_member()?;
        let start = self.position;
        let directory: Vec<u8> = self.entries.iter().flat_map(Entry::central_header).collect();
        let (count, bytes) = (self.entries.len() as u64, directory.len() as u64);
        let is_large = count >= MANY || start.max(bytes) >= self.large;
        let end = end_records(count, start, bytes, is_large);
        let written = self.put(&directory).and_then(|()| self.put(&end));
        written.and_then(|()| self.out.flush()).map_err(|e| Error::io("", e))
    }

    /// Fills in the checksum of the current member.
    fn finish_member(&mut self) -> Result<()> {
        let Some(entry) = self.entries.last_mut() else { return Ok(()) };
        if self.left > 0 {
            let (name, left) = (&entry.name, self.left);
            return Err(Error::Internal(format!("member '{name}' lacks {left} bytes")));
        }
        let crc = std::mem::take(&mut self.crc).finalize();
        entry.crc = crc;
        let written = match (entry.checksum, self.seek) {
            (Checksum::Behind, _) => {
                let descriptor = entry.descriptor();
                self.put(&descriptor)
            }
            (Checksum::FilledIn, Some(seek)) => {
                let place = entry.offset + CRC_AT as u64;
                seek(&mut self.out, place)
                    .and_then(|()| self.out.write_all(&crc.to_le_bytes()))
                    .and_then(|()| seek(&mut self.out, self.position))
            }
            _ => Ok(()),
        };
        written.map_err(|e| Error::io("", e))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

impl<W: Write> Write for StoredZip<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let rest = self.left.checked_sub(buf.len() as u64);
        self.left = rest.ok_or_else(|| io::Error::other("more bytes than the member's size"))?;
        self.crc.update(buf);
        self.put(buf)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Entry {
    /// The fields from the flags to the checksum, which both headers share.
    fn shared(&self) -> Vec<u8> {
        const STORED: u16 = 0;
        const MIDNIGHT: u16 = 0;
        let name = if self.name.is_ascii() { 0 } else { UTF8_NAME };
        let flags = name | if self.is_described() { DESCRIPTOR } else { 0 };
        let mut out = Vec::new();
        for field in [flags, STORED, MIDNIGHT, DATE] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.crc.to_le_bytes());
        out
    }

    /// Whether a data descriptor follows the member.
    fn is_described(&self) -> bool {
        self.checksum == Checksum::Behind
    }

    /// Whether the sizes of the member take 64 bits.
    fn is_large(&self) -> bool {
        self.bytes >= self.large
    }

    /// A 32-bit field; large values stand elsewhere.
    fn narrow(&self, value: u64) -> [u8; 4] {
        narrow(if value >= self.large { u64::MAX } else { value })
    }

    /// What follows a member whose header could not say it.
    fn descriptor(&self) -> Vec<u8> {
        let mut out = b"PK\x07\x08".to_vec();
        out.extend_from_slice(&self.crc.to_le_bytes());
        for size in [self.bytes, self.bytes] {
            match self.is_large() {
                true => out.extend_from_slice(&size.to_le_bytes()),
                false => out.extend(narrow(size)),
            }
        }
        out
    }

    fn local_header(&self) -> Vec<u8> {
        let stated = if self.is_described() && !self.is_large() { 0 } else { self.bytes };
        let sizes = [stated, stated];
        let large = self.is_large();
        // Both sizes are there when one is: readers of local headers expect it.
        let extra = if large { extra_field(&sizes) } else { Vec::new() };
        let mut out = b"PK\x03\x04".to_vec();
        out.extend_from_slice(&version(large).to_le_bytes());
        out.extend(self.shared());
        out.extend(sizes.into_iter().flat_map(|size| self.narrow(size)));
        out.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        out.extend_from_slice(&(extra.len() as u16).to_le_bytes());
        out.extend_from_slice(self.name.as_bytes());
        out.extend(extra);
        out
    }

    fn central_header(&self) -> Vec<u8> {
        let fields = [self.bytes, self.bytes, self.offset];
        let large: Vec<u64> = fields.into_iter().filter(|&field| field >= self.large).collect();
        let version = version(!large.is_empty());
        let extra = if large.is_empty() { Vec::new() } else { extra_field(&large) };
        let mut out = b"PK\x01\x02".to_vec();
        out.extend_from_slice(&(UNIX | version).to_le_bytes());
        out.extend_from_slice(&version.to_le_bytes());
        out.extend(self.shared());
        out.extend([self.bytes, self.bytes].into_iter().flat_map(|size| self.narrow(size)));
        // Lengths of name, extra field and comment, disk, internal attributes.
        for field in [self.name.len() as u16, extra.len() as u16, 0, 0, 0] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&MODE.to_le_bytes());
        out.extend(self.narrow(self.offset));
        out.extend_from_slice(self.name.as_bytes());
        out.extend(extra);
        out
    }
}

fn version(large: bool) -> u16 {
    if large { VERSION_64 } else { VERSION }
}

/// A 32-bit field; large values stand elsewhere.
fn narrow(value: u64) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

/// The extra field that holds large values.
fn extra_field(values: &[u64]) -> Vec<u8> {
    const ZIP64: u16 = 1;
    let mut out = ZIP64.to_le_bytes().to_vec();
    out.extend_from_slice(&(values.len() as u16 * 8).to_le_bytes());
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    out
}

fn end_records(count: u64, start: u64, bytes: u64, is_large: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if is_large {
        let version = u32::from(UNIX | VERSION_64) | u32::from(VERSION_64) << 16;
        out.extend_from_slice(b"PK\x06\x06");
        out.extend_from_slice(&44u64.to_le_bytes());
        out.extend_from_slice(&version.to_le_bytes());
        for field in [0, count, count, bytes, start] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        out.extend_from_slice(&(start + bytes).to_le_bytes());
        out.extend_from_slice(&1u32.to_le_bytes());
    }
    let count = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].concat());
    out.extend([narrow(bytes), narrow(start)].concat());
    out.extend_from_slice(&[0, 0]);
    out
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// A file on a disk that is full after some calls.
    struct Full {
        file: io::Cursor<Vec<u8>>,
        calls: usize,
    }

    impl Full {
        fn call(&mut self) -> io::Result<()> {
            self.calls = self.calls.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
            Ok(())
        }
    }

    impl Write for Full {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.call()?;
            self.file.write(buf)
        }
        fn flush(&mut self) -> io::Result<()> {
            self.call()
        }
    }

    impl Seek for Full {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.call()?;
            self.file.seek(to)
        }
    }

    fn write(out: impl Write + Seek) -> Result<()> {
        write_members(StoredZip::new(out))
    }

    fn write_members(mut zip: StoredZip<impl Write>) -> Result<()> {
        zip.member("a", &[1; 20_000])?;
        zip.member("é", b"")?;
        zip.member("b", b"2")?;
        zip.finish()
    }

    #[test]
    fn another_reader_finds_the_members() {
        for (streamed, always) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut out = Vec::new();
            match streamed {
                true => write_members(StoredZip::streamed(&mut out).zip64(always)),
                false => write_members(StoredZip::new(io::Cursor::new(&mut out)).zip64(always)),
            }
            .unwrap();
            assert_eq!(out.windows(4).any(|bytes| bytes == b"PK\x06\x06"), always);
            let mut archive = zip::ZipArchive::new(io::Cursor::new(out)).unwrap();
            if !streamed {
                archive.validate_header_consistency().unwrap();
            }
            for (name, bytes) in [("a", vec![1; 20_000]), ("é", vec![]), ("b", vec![b'2'])] {
                let mut found = Vec::new();
                archive.by_name(name).unwrap().read_to_end(&mut found).unwrap();
                assert_eq!(found, bytes);
            }
        }
    }

    #[test]
    fn whichever_call_fails_the_error_is_reported() {
        let full = |calls| Full { file: io::Cursor::new(Vec::new()), calls };
        let needed = (0..1_000).find(|&calls| write(full(calls)).is_ok()).unwrap();
        assert!(needed > 2);
        for calls in 0..needed {
            let error = write(full(calls)).unwrap_err();
            let full = matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull);
            assert!(full, "after {calls} calls: {error}");
        }
    }

    #[test]
    fn members_are_as_long_as_they_were_said_to_be() {
        let mut zip = StoredZip::new(io::Cursor::new(Vec::new()));
        zip.start("a", 2).unwrap();
        assert!(zip.write(b"123").is_err());
        zip.write_all(b"1").unwrap();
        assert!(zip.finish().is_err());
    }
}

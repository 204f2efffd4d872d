//! The central directory of a zip archive.
//!
//! The zip format writes most things twice and says nothing about what to do when they differ, so
//! two readers can find two models in one file. This reader takes one route, the one Python takes
//! (the last end record, then the directory that ends where that record begins), and refuses the
//! archive wherever another route would lead elsewhere.

use std::collections::HashSet;

use super::entry::Entry;
use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::Limits;
use crate::saving::bytes::{Cursor, ReadAt};
use crate::saving::limits::check;

const END: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: u64 = 22;
const END64: [u8; 4] = *b"PK\x06\x06";
const END64_BYTES: u64 = 56;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_BYTES: u64 = 20;
const MAX_COMMENT: u64 = 0xffff;

/// What the end record says about the directory.
struct End {
    /// Where the directory ends: the start of the end record, or of its 64-bit form.
    directory_end: u64,
    directory_bytes: u64,
    /// Where the directory starts as the archive counts, which ignores bytes put before it later.
    directory_offset: u64,
    count: u64,
}

/// All entries, in the order of the directory, checked against the local headers and each other.
pub(super) fn read(source: &dyn ReadAt, limits: &Limits) -> Result<Vec<Entry>> {
    let end = find_end(source)?;
    check(|| "members of an archive".into(), end.count, limits.archive_members, "archive_members")?;
    let what = || "the directory of an archive in bytes".into();
    check(what, end.directory_bytes, limits.directory_bytes, "directory_bytes")?;
    let start = end.directory_end.checked_sub(end.directory_bytes);
    let start = start.ok_or_else(|| refuse("the directory is larger than the file"))?;
    let shift = start.checked_sub(end.directory_offset);
    let shift = shift.ok_or_else(|| refuse("the directory is not where the end record says"))?;
    let mut directory = vec![0; usize::try_from(end.directory_bytes).unwrap_or(usize::MAX)];
    source.read_at(start, &mut directory)?;
    let mut entries = parse(&directory, end.count, shift)?;
    for entry in &mut entries {
        entry.check_local_header(source)?;
    }
    check_names(&entries)?;
    check_overlap(&entries, start)?;
    Ok(entries)
}

fn refuse(what: &str) -> Error {
    Error::Archive(format!("{what}; the file is damaged or not a zip archive"))
}

/// The last end record whose comment reaches exactly the end of the file.
fn find_end(source: &dyn ReadAt) -> Result<End> {
    // Few archives have a comment: without one, what else lies at the end of the file is not read.
    for tail_bytes in [END_BYTES, END_BYTES + MAX_COMMENT] {
        let tail_bytes = source.len().min(tail_bytes);
        let start = source.len() - tail_bytes;
        let mut tail = vec![0; usize::try_from(tail_bytes).unwrap_or_default()];
        source.read_at(start, &mut tail)?;
        let fits = |at: &usize| {
            let record = &tail[*at..];
            let comment = u64::from(u16::from_le_bytes([record[20], record[21]]));
            record.starts_with(&END) && comment + END_BYTES == record.len() as u64
        };
        let last = tail.len().checked_sub(END_BYTES as usize);
        if let Some(at) = last.and_then(|last| (0..=last).rev().find(fits)) {
            return parse_end(source, start + at as u64, &tail[at..]);
        }
    }
    Err(Error::Archive(
        "no end record; the file is cut, damaged, or not a zip archive such as .keras files are"
            .into(),
    ))
}

fn parse_end(source: &dyn ReadAt, at: u64, record: &[u8]) -> Result<End> {
    let mut fields = Cursor(&record[4..]);
    let mut next16 = || fields.u16().ok_or_else(|| refuse("a short end record"));
    let (disk, start_disk, count_here, count) = (next16()?, next16()?, next16()?, next16()?);
    let mut next32 = || fields.u32().ok_or_else(|| refuse("a short end record"));
    let (bytes, offset) = (next32()?, next32()?);
    if disk != 0 || start_disk != 0 || count_here != count {
        return Err(Error::Unsupported("archives on several disks".into()));
    }
    let plain = End {
        directory_end: at,
        directory_bytes: bytes.into(),
        directory_offset: offset.into(),
        count: count.into(),
    };
    let Some(end) = parse_end64(source, at)? else { return Ok(plain) };
    let agree = |narrow: u64, wide: u64, unset: u64| narrow == wide || narrow == unset;
    if agree(plain.count, end.count, 0xffff)
        && agree(plain.directory_bytes, end.directory_bytes, 0xffff_ffff)
        && agree(plain.directory_offset, end.directory_offset, 0xffff_ffff)
    {
        return Ok(end);
    }
    Err(refuse("the two end records disagree"))
}

/// The 64-bit end record, which stands before its locator, which stands before the end record.
fn parse_end64(source: &dyn ReadAt, end_at: u64) -> Result<Option<End>> {
    let Some(locator_at) = end_at.checked_sub(LOCATOR_BYTES) else { return Ok(None) };
    let mut locator = [0; LOCATOR_BYTES as usize];
    source.read_at(locator_at, &mut locator)?;
    if !locator.starts_with(&LOCATOR) {
        return Ok(None);
    }
    let bad = || refuse("a 64-bit end record that cannot be read");
    let at = locator_at.checked_sub(END64_BYTES).ok_or_else(bad)?;
    let mut record = [0; END64_BYTES as usize];
    source.read_at(at, &mut record)?;
    let mut fields = Cursor(&record);
    let signature = fields.take(4) == Some(&END64) && fields.u64() == Some(END64_BYTES - 12);
    let _versions = fields.u32();
    let disks = (fields.u32(), fields.u32());
    let (here, count) = (fields.u64(), fields.u64());
    let (Some(count), Some(directory_bytes), Some(directory_offset)) =
        (count, fields.u64(), fields.u64())
    else {
        return Err(bad());
    };
    let mut fields = Cursor(&locator[4..]);
    let (disk, said_at, disk_count) = (fields.u32(), fields.u64(), fields.u32());
    let one_disk = disks == (Some(0), Some(0)) && disk == Some(0) && disk_count <= Some(1);
    // The locator's offset ignores bytes that were put before the archive.
    if !signature || !one_disk || here != Some(count) || said_at.is_none_or(|said| said > at) {
        return Err(bad());
    }
    Ok(Some(End { directory_end: at, directory_bytes, directory_offset, count }))
}

fn parse(directory: &[u8], count: u64, shift: u64) -> Result<Vec<Entry>> {
    let mut rest = Cursor(directory);
    let mut entries = Vec::new();
    for index in 0..count {
        let entry = Entry::parse(&mut rest, shift)?.ok_or_else(|| {
            refuse(&format!("entry {index} of {count} in the directory cannot be read"))
        })?;
        entries.push(entry);
    }
    match rest.0.len() {
        0 => Ok(entries),
        more => Err(refuse(&format!("{more} bytes in the directory after its last entry"))),
    }
}

fn check_names(entries: &[Entry]) -> Result<()> {
    let mut seen = HashSet::new();
    for entry in entries {
        entry.check_name()?;
        if !seen.insert(&entry.name) {
            let name = quote(&entry.name);
            return Err(refuse(&format!("member '{name}' occurs twice")));
        }
    }
    Ok(())
}

/// Every byte belongs to at most one member, and none of them to the directory.
fn check_overlap(entries: &[Entry], directory_start: u64) -> Result<()> {
    let mut ranges: Vec<_> = entries.iter().map(|e| (e.range(), &e.name)).collect();
    ranges.sort_by_key(|((start, _), _)| *start);
    let mut free_from = 0;
    for ((start, end), name) in ranges {
        if start < free_from || end > directory_start {
            let name = quote(name);
            return Err(refuse(&format!("member '{name}' shares bytes with something else")));
        }
        free_from = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use crate::saving::{Archive, Limits, Method};

    fn zip(comment: &str, method: zip::CompressionMethod) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        for name in ["config.json", "assets/a.txt"] {
            writer.start_file(name, options).unwrap();
            writer.write_all(b"{\"a\": 1}").unwrap();
        }
        writer.set_comment(comment).unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn open(bytes: Vec<u8>) -> crate::base::Result<Archive> {
        Archive::from_source(Arc::new(bytes), &Limits::default())
    }

    #[test]
    fn archives_of_another_writer_open() {
        for comment in ["", "a comment"] {
            for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
                let bytes = zip(comment, method);
                let archive = open(bytes.clone()).unwrap();
                assert_eq!(archive.config().unwrap()["a"], 1);
                assert_eq!(archive.assets(), ["a.txt"]);
                assert_eq!(archive.asset("a.txt").unwrap(), b"{\"a\": 1}");
                let prefixed = [b"stub".to_vec(), bytes].concat();
                assert_eq!(open(prefixed).unwrap().config().unwrap()["a"], 1);
            }
        }
        let archive = open(zip("", zip::CompressionMethod::Deflated)).unwrap();
        assert_eq!(archive.members()[0].method, Method::Deflated);
    }

    #[test]
    fn every_cut_is_refused() {
        let bytes = zip("", zip::CompressionMethod::Stored);
        for len in 0..bytes.len() {
            assert!(open(bytes[..len].to_vec()).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn every_flipped_bit_is_refused_or_harmless() {
        for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
            let bytes = zip("", method);
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let read = open(damaged).and_then(|a| a.config());
                assert!(read.is_err() || read.unwrap()["a"] == 1, "bit {bit}");
            }
        }
    }

    #[test]
    fn members_that_are_not_there_are_named() {
        let archive = open(zip("", zip::CompressionMethod::Stored)).unwrap();
        let message = archive.weights().err().unwrap().to_string();
        assert!(message.contains("model.weights.h5") && message.contains("config.json"));
        assert!(archive.metadata().unwrap().is_none());
    }
}

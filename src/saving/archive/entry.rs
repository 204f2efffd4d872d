//! One entry of a zip directory and its local header.

use super::{Member, Method};
use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::bytes::{Cursor, ReadAt};

const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
const LOCAL_BYTES: u64 = 30;

/// General purpose flags.
pub(super) const ENCRYPTED: u16 = 1 << 0;
const DESCRIPTOR: u16 = 1 << 3;
pub(super) const PATCHED: u16 = 1 << 5;
pub(super) const STRONGLY_ENCRYPTED: u16 = 1 << 6;
const UTF8: u16 = 1 << 11;
pub(super) const MASKED: u16 = 1 << 13;
/// The flags that decide how the data is read; the others may differ between the two headers.
const MEANINGFUL: u16 = ENCRYPTED | DESCRIPTOR | PATCHED | STRONGLY_ENCRYPTED | MASKED;

/// The extra field with 64-bit sizes.
const ZIP64: u16 = 1;
/// The extra field that gives a member a second name.
const UNICODE_PATH: u16 = 0x7075;
/// A 32-bit size or offset that stands in the extra field.
const ELSEWHERE: u64 = 0xffff_ffff;

pub(super) const UNIX_LINK: u32 = 0o120_000;
pub(super) const UNIX_KIND: u32 = 0o170_000;

/// One entry of the directory.
pub(super) struct Entry {
    pub(super) name: String,
    raw_name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) bytes: u64,
    /// Where the local header starts in the file.
    offset: u64,
    /// Where the data starts; known after the local header was read.
    pub(super) data_start: u64,
    /// UNIX mode bits, or 0.
    pub(super) mode: u32,
}

/// The fields that both headers hold, in their order there.
struct Shared {
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u64,
    bytes: u64,
}

impl Shared {
    fn parse(fields: &mut Cursor) -> Option<(Shared, [usize; 2])> {
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _time_and_date = fields.u32()?;
        let crc = fields.u32()?;
        let (compressed, bytes) = (fields.u32()?.into(), fields.u32()?.into());
        let lengths = [fields.u16()?.into(), fields.u16()?.into()];
        Some((Shared { flags, method, crc, compressed, bytes }, lengths))
    }

    /// Takes the 64-bit sizes from the extra fields; returns the offset, which follows them.
    fn widen(&mut self, extra: &Extra, offset: u64) -> Option<u64> {
        let mut wide = Cursor(extra.zip64);
        let mut widen = |narrow: u64| if narrow == ELSEWHERE { wide.u64() } else { Some(narrow) };
        self.bytes = widen(self.bytes)?;
        self.compressed = widen(self.compressed)?;
        widen(offset)
    }
}

/// The extra fields that matter.
#[derive(Default)]
struct Extra<'a> {
    zip64: &'a [u8],
    unicode_path: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    /// `None` if a field runs past the end or one that matters occurs twice.
    fn parse(bytes: &'a [u8]) -> Option<Extra<'a>> {
        let mut extra = Extra::default();
        let mut rest = Cursor(bytes);
        while rest.0.len() >= 4 {
            let (id, len) = (rest.u16()?, rest.u16()?);
            let field = rest.take(len.into())?;
            match id {
                ZIP64 if extra.zip64.is_empty() => extra.zip64 = field,
                UNICODE_PATH if extra.unicode_path.is_none() => extra.unicode_path = Some(field),
                ZIP64 | UNICODE_PATH => return None,
                _ => {}
            }
        }
        Some(extra)
    }

    /// Whether the second name, if there is one, is `name`. It follows a version and a checksum.
    fn agrees_with(&self, name: &[u8]) -> bool {
        self.unicode_path.is_none_or(|path| path.get(5..) == Some(name))
    }
}

impl Entry {
    /// The next entry of the directory; `shift` is the number of bytes before the archive.
    pub(super) fn parse(rest: &mut Cursor, shift: u64) -> Result<Option<Entry>> {
        let Some(mut entry) = Entry::parse_fields(rest) else { return Ok(None) };
        let offset = entry.offset.checked_add(shift);
        entry.offset = offset.ok_or_else(|| entry.refuse("has an impossible offset"))?;
        Ok(Some(entry))
    }

    fn parse_fields(rest: &mut Cursor) -> Option<Entry> {
        if rest.take(4)? != CENTRAL {
            return None;
        }
        let made_by = rest.u16()?;
        let _version_needed = rest.u16()?;
        let (mut shared, [name_len, extra_len]) = Shared::parse(rest)?;
        let comment_len = rest.u16()?;
        let disk = rest.u16()?;
        let _internal = rest.u16()?;
        let external = rest.u32()?;
        let offset = rest.u32()?.into();
        let raw_name = rest.take(name_len)?;
        let extra = Extra::parse(rest.take(extra_len)?)?;
        let _comment = rest.take(comment_len.into())?;
        let offset = shared.widen(&extra, offset)?;
        let name = match std::str::from_utf8(raw_name) {
            Ok(name) => name.to_string(),
            Err(_) if shared.flags & UTF8 == 0 => String::from_utf8_lossy(raw_name).into_owned(),
            Err(_) => return None,
        };
        if disk != 0 || !extra.agrees_with(raw_name) {
            return None;
        }
        let unix = made_by >> 8 == 3;
        Some(Entry {
            name,
            raw_name: raw_name.to_vec(),
            flags: shared.flags,
            method: shared.method,
            crc: shared.crc,
            compressed: shared.compressed,
            bytes: shared.bytes,
            offset,
            data_start: 0,
            mode: if unix { external >> 16 } else { 0 },
        })
    }

    pub(super) fn member(&self) -> Member {
        let method = match self.method {
            0 => Method::Stored,
            8 => Method::Deflated,
            other => Method::Other(other),
        };
        let (bytes, compressed) = (self.bytes, self.compressed);
        Member { name: self.name.clone(), method, bytes, compressed }
    }

    /// An error about this member.
    pub(super) fn refuse(&self, what: &str) -> Error {
        Error::Archive(format!("{} {what}", self.title()))
    }

    /// The member, in messages.
    pub(super) fn title(&self) -> String {
        format!("member '{}'", quote(&self.name))
    }

    /// The bytes of the file that belong to this member: local header, name and data.
    pub(super) fn range(&self) -> (u64, u64) {
        (self.offset, self.data_start.saturating_add(self.compressed))
    }

    /// Refuses names that would leave a folder, which no honest writer makes.
    pub(super) fn check_name(&self) -> Result<()> {
        let name = self.name.as_str();
        let parts = || name.split(['/', '\\']);
        let drive = name.as_bytes().get(1) == Some(&b':');
        if name.is_empty() || name.contains('\0') {
            return Err(self.refuse("has an empty name or a NUL in it"));
        }
        if drive || name.starts_with(['/', '\\']) || parts().any(|part| part == "..") {
            return Err(self.refuse("has a name that points outside the archive"));
        }
        Ok(())
    }

    /// Compares the local header with the directory and finds the start of the data.
    pub(super) fn check_local_header(&mut self, source: &dyn ReadAt) -> Result<()> {
        let mut header = [0; LOCAL_BYTES as usize];
        source.read_at(self.offset, &mut header).map_err(|_| self.refuse("is not in the file"))?;
        let mut fields = Cursor(&header);
        let signature = fields.take(4) == Some(&LOCAL);
        let _version_needed = fields.u16();
        let (true, Some((mut local, [name_len, extra_len]))) =
            (signature, Shared::parse(&mut fields))
        else {
            return Err(self.refuse("has no local header where the directory says"));
        };
        let mut names = vec![0; name_len + extra_len];
        let names_start = self.offset.saturating_add(LOCAL_BYTES);
        source.read_at(names_start, &mut names).map_err(|_| self.refuse("is cut"))?;
        let (name, extra) = names.split_at(name_len);
        let extra = Extra::parse(extra).filter(|extra| extra.agrees_with(name));
        let wide = extra.and_then(|extra| local.widen(&extra, 0));
        if wide.is_none() || name != self.raw_name || !self.agrees(&local) {
            return Err(self.refuse("has a local header that disagrees with the directory"));
        }
        self.data_start = names_start.saturating_add((name_len + extra_len) as u64);
        Ok(())
    }

    fn agrees(&self, local: &Shared) -> bool {
        // With a data descriptor the local header was written before these were known.
        let unset = local.flags & DESCRIPTOR != 0;
        let same = |a: u64, b: u64| a == b || (unset && a == 0);
        (local.flags ^ self.flags) & MEANINGFUL == 0
            && local.method == self.method
            && same(local.crc.into(), self.crc.into())
            && same(local.compressed, self.compressed)
            && same(local.bytes, self.bytes)
    }
}

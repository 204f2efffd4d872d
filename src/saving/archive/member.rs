//! Reading one member of a zip archive.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use flate2::read::DeflateDecoder;

use super::checked::Checked;
use super::entry::{ENCRYPTED, Entry, MASKED, PATCHED, STRONGLY_ENCRYPTED, UNIX_KIND, UNIX_LINK};
use crate::base::{Error, Result};
use crate::saving::Limits;
use crate::saving::bytes::{FileBytes, ReadAt, Stream, Window};
use crate::saving::limits::check;

/// Members up to this size are inflated in memory, larger ones to an anonymous temporary file.
const IN_MEMORY: u64 = 16 << 20;

impl Entry {
    /// Random access to the member's bytes. They can be believed once they were asked to
    /// [`check`](ReadAt::check) themselves.
    ///
    /// A stored member is read where it is; a deflated one is inflated, within the limits.
    pub(super) fn open(
        &self,
        source: &Arc<dyn ReadAt>,
        limits: &Limits,
    ) -> Result<Arc<dyn ReadAt>> {
        self.check_readable()?;
        let packed = Window::new(source.clone(), self.data_start, self.compressed)?;
        if self.method == 0 {
            if self.compressed != self.bytes {
                return Err(self.refuse("is stored, but its two sizes differ"));
            }
            return Ok(Arc::new(Checked::new(packed, self.crc, self.title())));
        }
        let packed: Arc<dyn ReadAt> = Arc::new(packed);
        let what = || format!("inflating a member of {} bytes", self.compressed);
        check(what, self.bytes, limits.inflated(self.compressed), "inflated_ratio")?;
        if self.bytes <= IN_MEMORY {
            let mut inflated = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or_default());
            self.inflate(packed, &mut inflated)?;
            return Ok(Arc::new(inflated));
        }
        let place = Path::new("temporary file");
        let mut file = tempfile::tempfile().map_err(|e| Error::io(place, e))?;
        self.inflate(packed, &mut file)?;
        Ok(Arc::new(FileBytes::from_file(file, place)?))
    }

    fn check_readable(&self) -> Result<()> {
        if self.flags & (ENCRYPTED | STRONGLY_ENCRYPTED | MASKED) != 0 {
            return Err(self.refuse("is encrypted, which is not supported"));
        }
        if self.flags & PATCHED != 0 {
            return Err(self.refuse("is a patch for another archive, which is not supported"));
        }
        if self.mode & UNIX_KIND == UNIX_LINK {
            return Err(self.refuse("is a symbolic link; links are never followed"));
        }
        if ![0, 8].contains(&self.method) {
            let what = format!(
                "is packed with method {}; only stored (0) and deflated (8) are supported",
                self.method
            );
            return Err(self.refuse(&what));
        }
        Ok(())
    }

    fn check_crc(&self, crc: crc32fast::Hasher) -> Result<()> {
        let found = crc.finalize();
        if found == self.crc {
            return Ok(());
        }
        let what = format!("is damaged: its CRC-32 is {found:08x}, expected {:08x}", self.crc);
        Err(self.refuse(&what))
    }

    /// Writes the inflated bytes to `out`: exactly as many as the directory says.
    fn inflate(&self, packed: Arc<dyn ReadAt>, out: &mut dyn Write) -> Result<()> {
        let damaged = |e: io::Error| self.refuse(&format!("cannot be inflated: {e}"));
        let mut decoder = DeflateDecoder::new(Stream::new(packed));
        let mut crc = crc32fast::Hasher::new();
        let mut chunk = vec![0; 256 << 10];
        let mut written = 0;
        loop {
            let count = decoder.read(&mut chunk).map_err(damaged)?;
            if count == 0 {
                break;
            }
            written += count as u64;
            if written > self.bytes {
                return Err(self.refuse(&format!("inflates to more than its {} bytes", self.bytes)));
            }
            crc.update(&chunk[..count]);
            out.write_all(&chunk[..count]).map_err(|e| Error::io("temporary file", e))?;
        }
        if written != self.bytes || decoder.total_in() != self.compressed {
            let what = format!(
                "inflates {} of {} bytes to {written}, expected {}",
                decoder.total_in(),
                self.compressed,
                self.bytes
            );
            return Err(self.refuse(&what));
        }
        self.check_crc(crc)
    }
}

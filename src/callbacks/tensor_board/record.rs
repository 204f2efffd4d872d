//! Event files: records of a length, bytes and two checksums, as TensorFlow writes them.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::event::{self, Summary};
use crate::base::{Error, Result};

/// A new event file.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    out: BufWriter<File>,
}

impl EventFile {
    /// Makes a file of a name of its own in a folder, which is made too.
    pub fn create(folder: &Path) -> Result<EventFile> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let (id, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let time = now();
        let name = format!("events.out.tfevents.{}.localhost.{id}.{number}.v2", time as u64);
        let path = folder.join(name);
        let out = BufWriter::new(File::create(&path).map_err(|e| Error::io(&path, e))?);
        let mut file = EventFile { path, out };
        file.record(&event::version(time))?;
        Ok(file)
    }

    /// Adds a summary.
    pub fn write(&mut self, step: u64, summary: &Summary) -> Result<()> {
        self.record(&event::event(now(), step, summary))
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|e| Error::io(&self.path, e))
    }

    fn record(&mut self, data: &[u8]) -> Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let parts = [&length[..], &masked(&length), data, &masked(data)];
        parts
            .into_iter()
            .try_for_each(|part| self.out.write_all(part))
            .map_err(|e| Error::io(&self.path, e))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The checksum of bytes, changed so that a record within a record is not mistaken for one.
fn masked(bytes: &[u8]) -> [u8; 4] {
    let crc = crc32c(bytes);
    crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// Castagnoli's cyclic redundancy check, bit-reversed polynomial 0x82f63b78.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ crc >> 8)
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}

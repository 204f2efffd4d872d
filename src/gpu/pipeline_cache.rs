//! Compiled kernels kept on disk between processes, where the driver hands them out (Vulkan).
//!
//! One file for each adapter, in the [`cache_folder`]. A cache only saves time: whatever goes wrong here is logged, and
//! the kernels are compiled.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::base::error::quote;
use crate::gpu::cache_folder::{cache_folder, replace_file};
use crate::gpu::device::lock;

/// Start of a file; the number is the version of what follows.
const MAGIC: &[u8; 8] = b"KERAUN\x00\x01";

/// Magic, length of the key, length of the driver's data, CRC-32 of key and data.
const HEADER: usize = 8 + 4 + 8 + 4;

/// Larger files are neither read nor written.
const MAX_BYTES: u64 = 64 << 20;

/// Writing may take one part in this many of the time between two writes.
const SHARE_OF_TIME: u32 = 20;

/// The driver's cache of one device, and its file.
pub(super) struct PipelineCache {
    raw: wgpu::PipelineCache,
    path: PathBuf,
    /// Adapter, driver and version of this crate: data of another key is not used.
    key: String,
    state: Mutex<State>,
}

/// What the file lacks, and when it may be written next.
struct State {
    stale: bool,
    next: Instant,
}

impl PipelineCache {
    /// The cache of a device that was opened with `PIPELINE_CACHE`; none where it is switched off,
    /// has no place, or the driver has nothing to keep.
    pub(super) fn open(device: &wgpu::Device, info: &wgpu::AdapterInfo) -> Option<PipelineCache> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let name = wgpu::util::pipeline_cache_key(info)?;
        let path = cache_folder()?.join(name);
        let key = format!(
            "{}\n{} {}\nkeraunos {}",
            info.name,
            info.driver,
            info.driver_info,
            env!("CARGO_PKG_VERSION")
        );
        let data = read(&path, &key).unwrap_or_else(|reason| {
            log::debug!("pipeline cache {}: {reason}", path.display());
            None
        });
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let raw = create(device, data.as_deref());
        if let Some(error) = pollster::block_on(scope.pop()) {
            log::warn!("no pipeline cache: {}", quote(&error.to_string()));
            return None;
        }
        let state = Mutex::new(State { stale: false, next: Instant::now() });
        Some(PipelineCache { raw, path, key, state })
    }

    /// What pipelines are made with.
    pub(super) fn raw(&self) -> &wgpu::PipelineCache {
        &self.raw
    }

    /// Notes new pipelines, and writes the file unless it was written a moment ago; then the next
    /// call does it, or the end of the device.
    pub(super) fn update(&self) {
        let mut state = lock(&self.state);
        state.stale = true;
        if Instant::now() >= state.next {
            let took = self.save(&mut state);
            state.next = Instant::now() + took * SHARE_OF_TIME;
        }
    }

    fn save(&self, state: &mut State) -> Duration {
        let start = Instant::now();
        if let Some(data) = self.raw.get_data()
            && let Err(reason) = write(&self.path, &self.key, &data)
        {
            log::warn!("pipeline cache {}: {reason}", self.path.display());
        }
        state.stale = false;
        start.elapsed()
    }
}

impl Drop for PipelineCache {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if state.stale {
            self.save(&mut state);
        }
    }
}

#[allow(unsafe_code, reason = "wgpu cannot prove that bytes from a disk are its own")]
fn create(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let label = Some("keraunos");
    // SAFETY: `data` must come from `get_data` of an adapter with the same key. `open` passes only
    // what `read` returned: bytes behind this program's own header, which `write` puts around the
    // result of `get_data`, under the same adapter, driver and version of this crate, complete and
    // with the CRC-32 they were written with. wgpu and the driver compare their own headers
    // besides, and start empty where these differ (`fallback`). Who can forge the file can already
    // write in the user's cache folder.
    unsafe {
        device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor { label, data, fallback: true })
    }
}

/// The driver's data in a file of this key; `None` when there is no file or one of another key.
fn read(path: &Path, key: &str) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    unpack(bytes, key)
}

fn unpack(mut bytes: Vec<u8>, key: &str) -> Result<Option<Vec<u8>>> {
    let damaged = || Error::new(ErrorKind::InvalidData, "not a pipeline cache, or a damaged one");
    let found = bytes.get(..HEADER).ok_or_else(damaged)?;
    let content = &bytes[HEADER..];
    let len_of_key = key.len().min(content.len());
    if bytes.len() as u64 > MAX_BYTES || found[..8] != *MAGIC {
        return Err(damaged());
    }
    if content[..len_of_key] != *key.as_bytes() {
        return Ok(None);
    }
    if found != header(key, content, content.len() - len_of_key) {
        return Err(damaged());
    }
    bytes.drain(..HEADER + len_of_key);
    Ok(Some(bytes))
}

/// The header of `content`, which is the key and `len` bytes of data.
fn header(key: &str, content: &[u8], len: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&(key.len() as u32).to_le_bytes());
    header[12..20].copy_from_slice(&(len as u64).to_le_bytes());
    header[20..].copy_from_slice(&crc32fast::hash(content).to_le_bytes());
    header
}

/// Replaces the file as a whole: readers see the old one or the new one.
fn write(path: &Path, key: &str, data: &[u8]) -> Result<()> {
    if (HEADER + key.len()) as u64 + data.len() as u64 > MAX_BYTES {
        // Drivers never forget a kernel: only a fresh start makes it smaller.
        return match std::fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
    }
    let content = [key.as_bytes(), data].concat();
    replace_file(path, &[&header(key, &content, data.len()), &content])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "adapter\ndriver 1\nkeraunos 0";

    #[test]
    fn a_file_gives_back_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/cache");
        assert!(read(&path, KEY).unwrap().is_none());
        for data in [&b"kernels"[..], b"more kernels", b""] {
            write(&path, KEY, data).unwrap();
            assert_eq!(read(&path, KEY).unwrap().unwrap(), data);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn another_driver_gets_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        write(&path, KEY, b"kernels").unwrap();
        for key in ["adapter\ndriver 2\nkeraunos 0", "adapter\ndriver 1\nkeraunos 0.1", "other"] {
            assert!(!matches!(read(&path, key), Ok(Some(_))), "{key}");
        }
    }

    #[test]
    fn no_damage_reaches_the_driver() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        write(&path, KEY, b"kernels").unwrap();
        let whole = std::fs::read(&path).unwrap();
        for len in 0..whole.len() {
            assert!(!matches!(unpack(whole[..len].to_vec(), KEY), Ok(Some(_))), "first {len}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert!(!matches!(unpack(changed, KEY), Ok(Some(_))), "byte {at} changed");
        }
        assert!(unpack([&whole[..], b"x"].concat(), KEY).is_err());
    }

    #[test]
    fn data_above_the_cap_starts_afresh() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        write(&path, KEY, b"kernels").unwrap();
        write(&path, KEY, &vec![0; MAX_BYTES as usize]).unwrap();
        assert!(read(&path, KEY).unwrap().is_none());
    }
}

//! Taking a chunk's filters back.

use std::io::Read;

use flate2::read::ZlibDecoder;
use hdf5_pure::Filter;

use super::checksum::fletcher32;

const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const FLETCHER32: u16 = 3;

/// The `bytes` bytes that a chunk holds, from what is stored of it.
///
/// A set bit in `skipped` is a filter that was not applied to this chunk.
///
/// # Errors
/// What is wrong with the stored bytes.
pub(super) fn undo(
    stored: Vec<u8>,
    filters: &[Filter],
    skipped: u32,
    bytes: usize,
) -> Result<Vec<u8>, String> {
    let mut data = stored;
    let applied = filters.iter().enumerate().filter(|&(i, _)| skipped & (1 << i) == 0);
    for (_, filter) in applied.rev() {
        data = match filter.id {
            DEFLATE => inflate(&data, bytes)?,
            SHUFFLE => unshuffle(&data, filter)?,
            FLETCHER32 => verified(data)?,
            other => {
                return Err(format!(
                    "is packed with filter {other}, which is not read from chunks in a version 2 \
                     B-tree; filters {DEFLATE}, {SHUFFLE} and {FLETCHER32} are"
                ));
            }
        };
    }
    match data.len() == bytes {
        true => Ok(data),
        false => Err(format!("has a chunk of {} bytes instead of {bytes}", data.len())),
    }
}

/// Inflates, to no more than a chunk and the checksum that can stand behind it.
fn inflate(data: &[u8], bytes: usize) -> Result<Vec<u8>, String> {
    const CHECKSUM: usize = 4;
    let most = (bytes + CHECKSUM) as u64;
    let mut out = Vec::new();
    let read = ZlibDecoder::new(data).take(most + 1).read_to_end(&mut out);
    read.map_err(|e| format!("has a chunk that cannot be inflated: {e}"))?;
    match out.len() as u64 <= most {
        true => Ok(out),
        false => Err(format!("has a chunk that inflates to more than its {bytes} bytes")),
    }
}

/// Puts the bytes of each element beside each other again.
fn unshuffle(data: &[u8], filter: &Filter) -> Result<Vec<u8>, String> {
    let width = filter.client_data.first().map_or(0, |&width| width as usize);
    if width == 0 {
        return Err("is shuffled by an unknown width".into());
    }
    let count = data.len() / width;
    let (planes, rest) = data.split_at(count * width);
    let mut out = Vec::with_capacity(data.len());
    for i in 0..count {
        out.extend((0..width).map(|byte| planes[byte * count + i]));
    }
    out.extend_from_slice(rest);
    Ok(out)
}

fn verified(mut data: Vec<u8>) -> Result<Vec<u8>, String> {
    let (body, stored) = data.split_last_chunk::<4>().ok_or("has a chunk without a checksum")?;
    let (body, found, stored) = (body.len(), fletcher32(body), u32::from_le_bytes(*stored));
    if found != stored {
        return Err(format!("has a chunk of checksum {found:08x} instead of {stored:08x}"));
    }
    data.truncate(body);
    Ok(data)
}

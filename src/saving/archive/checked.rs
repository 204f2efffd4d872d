//! Bytes with a checksum, which is compared as late as their first use.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crc32fast::Hasher;

use crate::base::stream::PIECE;
use crate::base::threads::in_parallel;
use crate::base::{Error, Result};
use crate::saving::bytes::{ReadAt, Window};

/// Reads below this size are not worth remembering: the bytes are read again for the checksum.
const REMEMBERED: usize = 64 << 10;

/// A part of a file whose CRC-32 is known.
///
/// The checksum of what is read is taken on the way, in whatever order that is. So a model that is
/// streamed to a device as a whole is read once. [`check`](ReadAt::check) reads what nobody has read,
/// with all processor cores.
pub(super) struct Checked {
    bytes: Window,
    expected: u32,
    /// The member, in messages.
    what: String,
    seen: Mutex<Seen>,
}

/// Of which bytes the checksum has been taken.
#[derive(Default)]
struct Seen {
    /// By where they start: where they end, and their checksum. No two overlap or touch.
    parts: BTreeMap<u64, (u64, Hasher)>,
    /// Whether all were seen and the checksum was the expected one.
    fits: bool,
}

impl Checked {
    /// `what` names the bytes in messages.
    pub(super) fn new(bytes: Window, expected: u32, what: String) -> Checked {
        Checked { bytes, expected, what, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checksum of a range, read by all cores.
    fn checksum(&self, range: &Range<u64>) -> Result<Hasher> {
        let pieces = (range.end - range.start).div_ceil(PIECE as u64);
        let read = |buffer: &mut Vec<u8>, i: usize| {
            let start = range.start + i as u64 * PIECE as u64;
            let len = (range.end - start).min(PIECE as u64);
            buffer.resize(PIECE, 0);
            let piece = &mut buffer[..usize::try_from(len).unwrap_or(PIECE)];
            self.bytes.read_at(start, piece)?;
            Ok(hashed(piece))
        };
        let mut whole = Hasher::new();
        for piece in in_parallel(pieces as usize, Vec::new, read)? {
            whole.combine(&piece);
        }
        Ok(whole)
    }
}

fn hashed(bytes: &[u8]) -> Hasher {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher
}

impl ReadAt for Checked {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.bytes.read_at(offset, buf)?;
        if buf.len() >= REMEMBERED && !self.seen().fits {
            let hasher = hashed(buf);
            self.seen().add(offset..offset + buf.len() as u64, hasher);
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if !self.seen().fits {
            // Not while locked: who waits for other threads may be given other work, such as this.
            let gaps = self.seen().gaps(self.len());
            for gap in gaps {
                let hasher = self.checksum(&gap)?;
                self.seen().add(gap, hasher);
            }
            let mut seen = self.seen();
            let found = seen.whole(self.len())?;
            if found != self.expected {
                let (what, expected) = (&self.what, self.expected);
                return Err(Error::Archive(format!(
                    "{what} is damaged: its CRC-32 is {found:08x}, expected {expected:08x}"
                )));
            }
            seen.fits = true;
            seen.parts.clear();
        }
        self.bytes.check()
    }
}

impl Seen {
    /// Takes a range in, unless some of it was seen before.
    fn add(&mut self, range: Range<u64>, mut hasher: Hasher) {
        let before = self.parts.range(..range.end).next_back();
        let before = before.map(|(&start, &(end, _))| (start, end));
        if self.fits || before.is_some_and(|(_, end)| end > range.start) {
            return;
        }
        let mut end = range.end;
        if let Some((after, behind)) = self.parts.remove(&range.end) {
            hasher.combine(&behind);
            end = after;
        }
        match before.filter(|&(_, end)| end == range.start) {
            Some((start, _)) => {
                if let Some((to, part)) = self.parts.get_mut(&start) {
                    part.combine(&hasher);
                    *to = end;
                }
            }
            None => {
                self.parts.insert(range.start, (end, hasher));
            }
        }
    }

    /// What was not seen of so many bytes.
    fn gaps(&self, len: u64) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut from = 0;
        for (&start, &(end, _)) in &self.parts {
            gaps.push(from..start);
            from = end;
        }
        gaps.push(from..len);
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }

    /// The checksum of all bytes, when all were seen.
    fn whole(&self, len: u64) -> Result<u32> {
        match self.parts.iter().next() {
            _ if len == 0 || self.fits => Ok(Hasher::new().finalize()),
            Some((0, (end, hasher))) if *end == len => Ok(hasher.clone().finalize()),
            _ => Err(Error::Internal("a checksum of some bytes was not taken".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Bytes that count how many of them are read.
    struct Counted(Vec<u8>, AtomicU64);

    impl ReadAt for Counted {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
            self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
            self.0.read_at(offset, buf)
        }
    }

    fn bytes() -> Vec<u8> {
        (0..5 * PIECE as u32 / 2).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    fn checked(bytes: Vec<u8>, expected: u32) -> (Arc<Counted>, Checked) {
        let counted = Arc::new(Counted(bytes, AtomicU64::new(0)));
        let window = Window::new(counted.clone(), 0, counted.len()).unwrap();
        (counted, Checked::new(window, expected, "it".into()))
    }

    #[test]
    fn whatever_is_read_in_whatever_order_the_whole_is_checked() {
        let bytes = bytes();
        let crc = crc32fast::hash(&bytes);
        let (len, k) = (bytes.len(), REMEMBERED);
        let all: Vec<(usize, usize)> = vec![(0, len)];
        let backwards = vec![(len - k, k), (len - 3 * k, 2 * k), (0, k), (k, k)];
        let overlapping = vec![(k, 3 * k), (2 * k, 4 * k), (0, 2 * k), (4 * k, k), (7, 10)];
        for reads in [vec![], all, backwards, overlapping, vec![(1, 5)]] {
            for expected in [crc, !crc] {
                let (_, checked) = checked(bytes.clone(), expected);
                for &(offset, len) in &reads {
                    let mut piece = vec![0; len];
                    checked.read_at(offset as u64, &mut piece).unwrap();
                    assert!(piece == bytes[offset..offset + len]);
                }
                let found = checked.check();
                assert_eq!(found.is_ok(), expected == crc, "{reads:?}: {found:?}");
                assert_eq!(checked.check().is_ok(), expected == crc, "{reads:?}, again");
            }
        }
    }

    #[test]
    fn what_was_streamed_is_not_read_again() {
        let bytes = bytes();
        let (counted, checked) = checked(bytes.clone(), crc32fast::hash(&bytes));
        let (half, mut piece) = (bytes.len() / 2, vec![0; bytes.len() - bytes.len() / 2]);
        checked.read_at(half as u64, &mut piece).unwrap();
        let len = bytes.len() as u64;
        for _ in 0..2 {
            checked.check().unwrap();
            assert_eq!(counted.1.load(Ordering::Relaxed), len);
        }
    }

    #[test]
    fn no_bytes_have_a_checksum_too() {
        assert!(checked(Vec::new(), 0).1.check().is_ok());
        assert!(checked(Vec::new(), 1).1.check().is_err());
    }
}

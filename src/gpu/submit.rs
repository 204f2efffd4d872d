//! How much goes into one submit. Drivers watch how long a submit takes, Windows's for two seconds, and
//! take the device away when it is too long.

use crate::gpu::Kind;

/// Dispatches in one submit.
const DISPATCHES: usize = 1024;

/// What has been gathered for a submit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    dispatches: usize,
    work: u64,
    most: u64,
}

impl Load {
    /// Nothing yet, for an adapter of a kind.
    pub(super) fn new(kind: Kind) -> Load {
        Load { dispatches: 0, work: 0, most: most(kind) }
    }

    /// Adds a dispatch, and says whether it has to be the first of another submit. One that is alone
    /// already may be as large as it is.
    pub(super) fn add(&mut self, work: u64) -> bool {
        let sum = self.work.saturating_add(work);
        let is_full = self.dispatches == DISPATCHES || (self.dispatches > 0 && sum > self.most);
        self.dispatches = if is_full { 1 } else { self.dispatches + 1 };
        self.work = if is_full { work } else { sum };
        is_full
    }
}

/// Work in one submit, in the measure of a [`Launch`](crate::gpu::Launch): about 100 ms of a slow
/// adapter of its kind, at 10, 80 and 700 thousand million operations in a second.
fn most(kind: Kind) -> u64 {
    match kind {
        Kind::Software => 1 << 30,
        Kind::Integrated | Kind::Other => 1 << 33,
        Kind::Discrete => 1 << 36,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many dispatches go into each submit.
    fn submits(work: &[u64]) -> Vec<usize> {
        let (mut load, mut counts) = (Load::new(Kind::Software), vec![0]);
        for &work in work {
            if load.add(work) {
                counts.push(0);
            }
            *counts.last_mut().unwrap() += 1;
        }
        counts
    }

    #[test]
    fn a_submit_takes_as_much_as_fits() {
        let most = most(Kind::Software);
        assert_eq!(submits(&[most / 2, most / 2, 1, most, 0, u64::MAX, u64::MAX]), [2, 1, 2, 1, 1]);
        assert_eq!(submits(&[0; 2 * DISPATCHES + 3]), [DISPATCHES, DISPATCHES, 3]);
        assert_eq!(submits(&[]), [0]);
    }
}

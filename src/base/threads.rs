//! Work for all processor cores, by threads of its own.
//!
//! The host executor's loops are rayon's. This is for work under a lock: a worker of a pool that waits
//! for others takes up other work meanwhile, which may want the same lock, and a pool whose workers all
//! wait for that lock does nothing more. Such is a user's program that predicts in parallel.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

use crate::base::{Error, Result};

/// `work` of each number below `count`, in order; each thread has a state of its own.
///
/// # Errors
/// That of the first number whose work fails.
pub fn in_parallel<S, T: Send>(
    count: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let (mut state, mut done) = (state(), Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return done;
            }
            done.push((number, work(&mut state, number)));
        }
    };
    let others = available_parallelism().map_or(1, usize::from).min(count).saturating_sub(1);
    let mut done = scope(|scope| {
        // One that cannot be started leaves its share to the others.
        let start = |_| Builder::new().spawn_scoped(scope, take_turns).ok();
        let threads: Vec<_> = (0..others).filter_map(start).collect();
        let mut done = take_turns();
        for thread in threads {
            let lost = |_| Error::Internal("a thread panicked".into());
            done.extend(thread.join().map_err(lost)?);
        }
        Ok(done)
    })?;
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_counts() {
        let squares = in_parallel(100, || (), |(), i| Ok(i * i)).unwrap();
        assert_eq!(squares, (0..100).map(|i| i * i).collect::<Vec<_>>());
        assert!(in_parallel(0, || (), |(), i| Ok(i)).unwrap().is_empty());
        let fail = |(): &mut (), i: usize| match i {
            0..50 => Ok(i),
            _ => Err(Error::Invalid(i.to_string())),
        };
        let error = in_parallel(100, || (), fail).unwrap_err().to_string();
        assert!(error.contains("50"), "{error}");
    }
}

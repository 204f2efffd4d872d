//! Accounting of device memory: software adapters hand out far more than there is, without an
//! error, so the bytes are counted here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::{Error, Result};

/// Bytes held in buffers of one device, and an optional limit.
#[derive(Debug)]
pub(super) struct Memory {
    used: AtomicU64,
    limit: AtomicU64,
}

/// A share of the device's memory, given back on drop.
#[derive(Debug)]
pub(super) struct Reservation {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Memory {
    /// Accounting without a limit.
    pub(super) fn new() -> Arc<Memory> {
        Arc::new(Memory { used: AtomicU64::new(0), limit: AtomicU64::new(u64::MAX) })
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn set_limit(&self, bytes: Option<u64>) {
        self.limit.store(bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Takes `bytes` out of the budget.
    ///
    /// # Errors
    /// [`Error::Limit`] when the budget does not hold them.
    pub(super) fn reserve(self: &Arc<Memory>, bytes: u64, what: &str) -> Result<Reservation> {
        let limit = self.limit.load(Ordering::Relaxed);
        let fits = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|used| {
            Error::Limit {
                what: format!("buffer '{what}'"),
                need: format!("{bytes} bytes beside the {used} in use"),
                limit: format!("{limit} bytes"),
                owner: "memory limit set for the device".into(),
            }
        })?;
        Ok(Reservation { memory: self.clone(), bytes })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_refuses_and_recovers() {
        let memory = Memory::new();
        memory.set_limit(Some(100));
        let held = memory.reserve(60, "a").unwrap();
        assert!(matches!(memory.reserve(60, "b"), Err(Error::Limit { .. })));
        drop(held);
        assert!(memory.reserve(100, "b").is_ok());
        assert_eq!(memory.used(), 0);
    }
}

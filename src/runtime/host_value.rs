//! Values of the host executor, and the memory they are in.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Result, Spec};
use crate::runtime::host_strips::{Layout, Strips};
use crate::tensor::{Array, Words};

/// Words from which on memory is kept for later values.
const KEPT: usize = 1 << 10;

/// An array, and how products have packed it: a weight is packed once, not for every run.
pub struct HostValue {
    array: Array,
    packed: Mutex<Vec<Arc<Strips>>>,
}

/// Memory of values that are dead, for the next ones: fresh memory costs more than filling it.
#[derive(Default)]
pub struct Memory(Mutex<Vec<Vec<u32>>>);

impl HostValue {
    pub fn new(array: Array) -> HostValue {
        HostValue { array, packed: Mutex::default() }
    }

    /// The matrices in it, as products read their right operand.
    ///
    /// Nothing is locked while threads pack: one that waits for the others may take up another run,
    /// which wants the same weight.
    pub fn strips(&self, layout: Layout, memory: &Memory) -> Result<Arc<Strips>> {
        if let Some(known) = self.known(&layout) {
            return Ok(known);
        }
        let words = bytemuck::allocation::cast_vec(memory.take(Strips::words(&layout)));
        let strips = Arc::new(Strips::pack(self.array.as_f32(), layout, words)?);
        if let Some(known) = self.known(&layout) {
            return Ok(known);
        }
        self.packed.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&strips));
        Ok(strips)
    }

    fn known(&self, layout: &Layout) -> Option<Arc<Strips>> {
        let packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        packed.iter().find(|strips| strips.layout() == layout).cloned()
    }
}

impl Deref for HostValue {
    type Target = Array;

    fn deref(&self) -> &Array {
        &self.array
    }
}

impl Memory {
    /// Words whose contents do not matter.
    pub fn take(&self, len: usize) -> Vec<u32> {
        if len < KEPT {
            return vec![0; len];
        }
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |words: &Vec<u32>| words.capacity() >= len && words.capacity() / 2 <= len;
        let best = (0..free.len()).filter(|&i| fits(&free[i]));
        let best = best.min_by_key(|&i| free[i].capacity()).map(|i| free.swap_remove(i));
        drop(free);
        match best {
            Some(mut words) => {
                words.resize(len, 0);
                words
            }
            None => vec![0; len],
        }
    }

    /// An array of a spec, whose words do not matter.
    pub fn array(&self, spec: Spec) -> Array {
        let words = Words::from_bits(spec.dtype.lane(), self.take(spec.shape.len()));
        Array { spec, words }
    }

    /// Takes a value's memory back, if nobody else has the value.
    pub fn give(&self, value: Arc<HostValue>) {
        let Some(value) = Arc::into_inner(value) else { return };
        self.keep(value.array.words.into_bits());
        let packed = value.packed.into_inner().unwrap_or_else(PoisonError::into_inner);
        for strips in packed.into_iter().filter_map(Arc::into_inner) {
            self.keep(bytemuck::allocation::cast_vec(strips.into_words()));
        }
    }

    /// Takes memory back.
    pub fn keep(&self, words: Vec<u32>) {
        if words.capacity() >= KEPT {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(words);
        }
    }
}

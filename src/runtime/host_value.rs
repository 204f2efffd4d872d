//! Values of the host executor, and the memory they are in.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use crate::base::{Result, Spec};
use crate::runtime::host_body::{Operand, TASK};
use crate::runtime::host_narrow::Narrow;
use crate::runtime::host_strips::{Layout, Strips};
use crate::tensor::{Array, Tensor, Words};

/// Words from which on memory is kept for later values.
const KEPT: usize = 1 << 10;

/// Words of packed operands that are kept beside their own in the whole process: 256 MiB. A model of any
/// size is packed as far as that goes; what is beyond is packed for each run.
const MOST_PACKED: usize = 64 << 20;

/// Words that packed operands take now.
static PACKED: AtomicUsize = AtomicUsize::new(0);

/// A share of what packed operands may take.
struct Room(usize);

impl Room {
    fn take(words: usize) -> Option<Room> {
        let add = |now: usize| now.checked_add(words).filter(|&sum| sum <= MOST_PACKED);
        PACKED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok().map(|_| Room(words))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        PACKED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// A value, and how products have packed it: where there is room for it, a weight is packed once, not
/// for every run.
pub struct HostValue {
    form: Form,
    packed: Mutex<Vec<(Arc<Strips>, Room)>>,
}

/// How the elements of a value are held.
enum Form {
    Words(Array),
    /// A narrow weight, as its file has it: code of regions and products read it so. Whatever else reads
    /// it makes an array of it, once.
    Narrow(Tensor, OnceLock<Array>),
}

/// A packed operand in use. Its memory is the next value's if nobody keeps it.
pub struct Packed<'m> {
    strips: Arc<Strips>,
    memory: &'m Memory,
}

/// Memory of values that are dead, for the next ones: fresh memory costs more than filling it.
#[derive(Default)]
pub struct Memory(Mutex<Vec<Vec<u32>>>);

impl HostValue {
    pub fn new(array: Array) -> HostValue {
        HostValue { form: Form::Words(array), packed: Mutex::default() }
    }

    /// A weight as stored; an array, where its dtype is not narrow.
    ///
    /// # Errors
    /// [`Error::DType`](crate::base::Error::DType) for 64-bit integers that do not fit a word.
    pub fn of_stored(stored: Tensor) -> Result<HostValue> {
        if !stored.dtype().is_narrow() {
            return Ok(HostValue::new(stored.to_array()?));
        }
        Ok(HostValue { form: Form::Narrow(stored, OnceLock::new()), packed: Mutex::default() })
    }

    /// The elements as stored, where they are held so.
    pub fn stored(&self) -> Option<&Tensor> {
        match &self.form {
            Form::Words(_) => None,
            Form::Narrow(stored, _) => Some(stored),
        }
    }

    /// The elements for code to read.
    pub fn operand(&self) -> Operand<'_> {
        match self.stored() {
            Some(stored) => Operand::narrow(stored),
            None => Operand::new(self),
        }
    }

    /// The matrices in it, as products read their right operand.
    ///
    /// Nothing is locked while threads pack: one that waits for the others may take up another run,
    /// which wants the same weight.
    pub fn strips<'m>(&self, layout: Layout, memory: &'m Memory) -> Result<Packed<'m>> {
        let packed = |strips| Packed { strips, memory };
        if let Some(known) = self.known(&layout) {
            return Ok(packed(known));
        }
        let words = bytemuck::allocation::cast_vec(memory.take(Strips::words(&layout)));
        let strips = Arc::new(self.pack(layout, words, memory)?);
        if let Some(known) = self.known(&layout) {
            return Ok(packed(known));
        }
        if let Some(room) = Room::take(Strips::words(&layout)) {
            let mut kept = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push((Arc::clone(&strips), room));
        }
        Ok(packed(strips))
    }

    /// Packs the value into memory for it; a narrow one is in words meanwhile only.
    fn pack(&self, layout: Layout, words: Vec<f32>, memory: &Memory) -> Result<Strips> {
        let Some(stored) = self.stored() else {
            return Strips::pack(self.as_f32(), layout, words);
        };
        let mut array = memory.take(stored.len());
        widen(stored, &mut array);
        let strips = Strips::pack(bytemuck::cast_slice(&array), layout, words);
        memory.keep(array);
        strips
    }

    /// The value without its array, if there is room for how it was packed; gives the other memory back.
    pub fn packed_only(mut self, memory: &Memory) -> Option<HostValue> {
        if let Form::Words(array) = &mut self.form {
            let none = Words::zeros(array.spec.dtype.lane(), 0);
            memory.keep(std::mem::replace(&mut array.words, none).into_bits());
        }
        let packed = self.packed.get_mut().unwrap_or_else(PoisonError::into_inner);
        (!packed.is_empty()).then_some(self)
    }

    fn known(&self, layout: &Layout) -> Option<Arc<Strips>> {
        let packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        packed
            .iter()
            .find(|(strips, _)| strips.layout() == layout)
            .map(|(strips, _)| strips.clone())
    }
}

impl Deref for Packed<'_> {
    type Target = Strips;

    fn deref(&self) -> &Strips {
        &self.strips
    }
}

impl Drop for Packed<'_> {
    fn drop(&mut self) {
        self.memory.reclaim(&mut self.strips);
    }
}

impl Deref for HostValue {
    type Target = Array;

    fn deref(&self) -> &Array {
        match &self.form {
            Form::Words(array) => array,
            Form::Narrow(stored, array) => {
                if let Some(array) = array.get() {
                    return array;
                }
                // Not in `get_or_init`: a thread that waits may take up another run, which wants it too.
                let mut words = vec![0; stored.len()];
                widen(stored, &mut words);
                let spec = stored.spec().clone();
                let made = Array { words: Words::from_bits(spec.dtype.lane(), words), spec };
                array.get_or_init(|| made)
            }
        }
    }
}

/// The words of a narrow tensor, by all cores.
fn widen(stored: &Tensor, words: &mut [u32]) {
    let tasks = words.par_chunks_mut(TASK).enumerate();
    tasks.for_each(|(task, words)| Narrow::of(stored).load(task * TASK, words));
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
        if let Form::Words(array) = value.form {
            self.keep(array.words.into_bits());
        }
        let packed = value.packed.into_inner().unwrap_or_else(PoisonError::into_inner);
        packed.into_iter().for_each(|(mut strips, _)| self.reclaim(&mut strips));
    }

    /// Takes the memory of a packed operand back, if nobody else has it.
    fn reclaim(&self, strips: &mut Arc<Strips>) {
        if let Some(strips) = Arc::get_mut(strips) {
            self.keep(bytemuck::allocation::cast_vec(strips.take_words()));
        }
    }

    /// Takes memory back.
    pub fn keep(&self, words: Vec<u32>) {
        if words.capacity() >= KEPT {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value() -> HostValue {
        let words: Vec<f32> = (0..4096).map(|i| i as f32).collect();
        HostValue::new(Tensor::new([64, 64], &words).unwrap().to_array().unwrap())
    }

    #[test]
    fn a_value_is_packed_once_where_there_is_room() {
        let (value, memory) = (value(), Memory::default());
        let layout = Layout::rows(64, 64);
        let first = Arc::as_ptr(&value.strips(layout, &memory).unwrap().strips);
        assert_eq!(first, Arc::as_ptr(&value.strips(layout, &memory).unwrap().strips));
        assert!(memory.0.lock().unwrap().is_empty());
    }

    #[test]
    fn what_is_not_kept_gives_its_memory_back() {
        assert!(Room::take(MOST_PACKED + 1).is_none());
        let (value, memory) = (value(), Memory::default());
        let strips = value.strips(Layout::rows(64, 64), &memory).unwrap();
        value.packed.lock().unwrap().clear();
        drop(strips);
        assert_eq!(memory.0.lock().unwrap().len(), 1);
    }
}

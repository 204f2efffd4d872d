//! Elements in their 32-bit lane.

use crate::base::dtype::Lane;
use crate::base::{DType, Shape, Spec};

/// The words of an [`Array`], one per element.
#[derive(Clone, Debug, PartialEq)]
pub enum Words {
    /// The floating types.
    F32(Vec<f32>),
    /// The signed integers.
    I32(Vec<i32>),
    /// The unsigned integers, and booleans as 0 or 1.
    U32(Vec<u32>),
}

/// A host value in the form in which it is computed: one 32-bit word per element.
///
/// Words are always in the range of the stored dtype: a float16 array holds only numbers that
/// float16 can represent, a boolean array only 0 and 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Shape and stored dtype, whose lane is that of the words.
    pub spec: Spec,
    /// The elements, row-major.
    pub words: Words,
}

impl Array {
    /// A float32 array; there must be as many words as the shape has elements.
    pub fn f32(shape: impl Into<Shape>, words: Vec<f32>) -> Array {
        Array { spec: Spec::new(shape, DType::Float32), words: Words::F32(words) }
    }

    /// Zeros of a spec.
    pub fn zeros(spec: Spec) -> Array {
        let words = Words::zeros(spec.dtype.lane(), spec.shape.len());
        Array { spec, words }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The float words; empty for the integer lanes.
    pub fn as_f32(&self) -> &[f32] {
        match &self.words {
            Words::F32(v) => v,
            _ => &[],
        }
    }

    /// Element `i` as an index: the value for integers, the truncated value for floats.
    pub fn index(&self, i: usize) -> i64 {
        match &self.words {
            Words::F32(v) => v[i] as i64,
            Words::I32(v) => i64::from(v[i]),
            Words::U32(v) => i64::from(v[i]),
        }
    }

    /// The raw bytes of the words, as a device holds them.
    pub fn word_bytes(&self) -> &[u8] {
        match &self.words {
            Words::F32(v) => bytemuck::cast_slice(v),
            Words::I32(v) => bytemuck::cast_slice(v),
            Words::U32(v) => bytemuck::cast_slice(v),
        }
    }

    /// The raw bytes of the words, to be written.
    pub(super) fn word_bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.words {
            Words::F32(v) => bytemuck::cast_slice_mut(v),
            Words::I32(v) => bytemuck::cast_slice_mut(v),
            Words::U32(v) => bytemuck::cast_slice_mut(v),
        }
    }

    /// An array from the words a device holds.
    pub fn from_word_bytes(spec: Spec, bytes: &[u8]) -> Array {
        let words = match spec.dtype.lane() {
            Lane::F32 => Words::F32(bytemuck::pod_collect_to_vec(bytes)),
            Lane::I32 => Words::I32(bytemuck::pod_collect_to_vec(bytes)),
            Lane::U32 => Words::U32(bytemuck::pod_collect_to_vec(bytes)),
        };
        Array { spec, words }
    }
}

impl Words {
    /// `len` zeros of a lane.
    pub fn zeros(lane: Lane, len: usize) -> Words {
        match lane {
            Lane::F32 => Words::F32(vec![0.0; len]),
            Lane::I32 => Words::I32(vec![0; len]),
            Lane::U32 => Words::U32(vec![0; len]),
        }
    }

    /// Words of a lane, by their bits.
    pub fn from_bits(lane: Lane, bits: Vec<u32>) -> Words {
        match lane {
            Lane::F32 => Words::F32(bytemuck::allocation::cast_vec(bits)),
            Lane::I32 => Words::I32(bytemuck::allocation::cast_vec(bits)),
            Lane::U32 => Words::U32(bits),
        }
    }

    /// The bits of the words, without a copy.
    pub fn into_bits(self) -> Vec<u32> {
        match self {
            Words::F32(v) => bytemuck::allocation::cast_vec(v),
            Words::I32(v) => bytemuck::allocation::cast_vec(v),
            Words::U32(v) => v,
        }
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        match self {
            Words::F32(v) => v.len(),
            Words::I32(v) => v.len(),
            Words::U32(v) => v.len(),
        }
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets `len` words from `at` on to those of `from` from `first` on; both are of one lane.
    pub fn copy_from(&mut self, at: usize, from: &Words, first: usize, len: usize) {
        match (self, from) {
            (Words::F32(to), Words::F32(from)) => {
                to[at..at + len].copy_from_slice(&from[first..first + len]);
            }
            (Words::I32(to), Words::I32(from)) => {
                to[at..at + len].copy_from_slice(&from[first..first + len]);
            }
            (Words::U32(to), Words::U32(from)) => {
                to[at..at + len].copy_from_slice(&from[first..first + len]);
            }
            _ => debug_assert!(false, "lanes differ"),
        }
    }

    /// A new array of words: element `i` is this one's element `at(i)`.
    pub fn pick(&self, len: usize, at: impl Fn(usize) -> usize) -> Words {
        match self {
            Words::F32(v) => Words::F32((0..len).map(|i| v[at(i)]).collect()),
            Words::I32(v) => Words::I32((0..len).map(|i| v[at(i)]).collect()),
            Words::U32(v) => Words::U32((0..len).map(|i| v[at(i)]).collect()),
        }
    }
}

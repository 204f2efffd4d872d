//! Weights of one or two bytes for each element, which the host keeps as their file has them.

use crate::base::DType;
use crate::tensor::Tensor;
use crate::tensor::convert::word_of;

/// Elements of a narrow dtype, read as words.
#[derive(Clone, Copy)]
pub struct Narrow<'a> {
    bytes: &'a [u8],
    dtype: DType,
}

impl<'a> Narrow<'a> {
    /// The elements of a tensor whose dtype [is narrow](DType::is_narrow).
    pub fn of(stored: &'a Tensor) -> Narrow<'a> {
        Narrow { bytes: stored.bytes(), dtype: stored.dtype() }
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / self.dtype.size().max(1)
    }

    /// The word of an element; zero for one that is not there.
    #[inline(always)]
    pub fn element(&self, i: usize) -> u32 {
        let bits = match self.dtype.size() {
            1 => self.bytes.get(i).map(|&byte| u32::from(byte)),
            _ => self.bytes.get(2 * i..2 * i + 2).map(half_word),
        };
        bits.map_or(0, |bits| word_of(self.dtype, bits))
    }

    /// The words of neighbouring elements, all of which are there.
    pub fn load(&self, first: usize, out: &mut [u32]) {
        let dtype = self.dtype;
        let size = dtype.size();
        let bytes = &self.bytes[first * size..][..out.len() * size];
        if size == 1 {
            let bytes = out.iter_mut().zip(bytes);
            return bytes.for_each(|(out, &byte)| *out = word_of(dtype, u32::from(byte)));
        }
        let halves = out.iter_mut().zip(bytes.chunks_exact(2));
        halves.for_each(|(out, half)| *out = word_of(dtype, half_word(half)));
    }
}

/// Two bytes as the lower half of a word.
#[inline(always)]
fn half_word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_those_of_the_array() {
        let numbers = Tensor::new([5], &[0.0f32, -3.5, 100.0, 1e-6, 7.0]).unwrap();
        for dtype in DType::ALL.into_iter().chain(DType::FLOAT8).filter(|d| d.is_narrow()) {
            let stored = numbers.cast(dtype);
            let array = stored.to_array().unwrap();
            let expected: Vec<u32> = bytemuck::pod_collect_to_vec(array.word_bytes());
            let narrow = Narrow::of(&stored);
            let mut words = [0; 3];
            narrow.load(1, &mut words);
            assert_eq!(words[..], expected[1..4], "{dtype}");
            let each: Vec<u32> = (0..narrow.len()).map(|i| narrow.element(i)).collect();
            assert_eq!(each, expected, "{dtype}");
            assert_eq!(narrow.element(5), 0);
        }
    }
}

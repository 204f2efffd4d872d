//! Conversion between stored elements and 32-bit lanes.

use half::{bf16, f16};

use crate::base::stream::PIECE;
use crate::base::{DType, Error, Result, Source, Spec};
use crate::tensor::{Array, Tensor, Words, float8};

impl Tensor {
    /// The elements in their lane. Integers of 64 bits must fit 32; float64 is narrowed to float32.
    ///
    /// # Errors
    /// [`Error::DType`] for integers that do not fit and for text.
    pub fn to_array(&self) -> Result<Array> {
        let words = words_from_bytes(self.dtype(), self.bytes())?;
        Ok(Array { spec: self.spec().clone(), words })
    }

    /// Every element as a double, in order. Exact except for 64-bit integers above 2^53. Text is no
    /// number, complex ones are no real number: NaN.
    pub fn iter_f64(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        fn each<'a, T: bytemuck::Pod>(
            bytes: &'a [u8],
            f: impl Fn(T) -> f64 + 'a,
        ) -> Box<dyn Iterator<Item = f64> + 'a> {
            let elements = bytes.chunks_exact(size_of::<T>());
            Box::new(elements.map(move |b| f(bytemuck::pod_read_unaligned(b))))
        }
        let b = self.bytes();
        match self.dtype() {
            DType::Float64 => each(b, |x: f64| x),
            DType::Float32 => each(b, |x: f32| f64::from(x)),
            DType::Float16 => each(b, |x: f16| f64::from(x)),
            DType::BFloat16 => each(b, |x: bf16| f64::from(x)),
            dtype @ (DType::Float8E4M3FN | DType::Float8E5M2) => {
                each(b, move |x: u8| f64::from(float8::from_bits(dtype, x)))
            }
            DType::Int64 => each(b, |x: i64| x as f64),
            DType::Int32 => each(b, |x: i32| f64::from(x)),
            DType::Int16 => each(b, |x: i16| f64::from(x)),
            DType::Int8 => each(b, |x: i8| f64::from(x)),
            DType::UInt64 => each(b, |x: u64| x as f64),
            DType::UInt32 => each(b, |x: u32| f64::from(x)),
            DType::UInt16 => each(b, |x: u16| f64::from(x)),
            DType::UInt8 | DType::Bool => each(b, |x: u8| f64::from(x)),
            DType::String | DType::Complex64 => Box::new(std::iter::repeat_n(f64::NAN, self.len())),
        }
    }

    /// The elements converted to another dtype, as NumPy's `astype` does: floats are rounded to
    /// nearest even and truncated towards integers, integers wrap, anything but zero is true. Numbers
    /// become text as Rust writes them; text is no number. Of complex numbers real ones keep the real
    /// part.
    pub fn cast(&self, dtype: DType) -> Tensor {
        if dtype == self.dtype() {
            return self.clone();
        }
        if dtype == DType::String {
            return self.to_text();
        }
        match (self.dtype(), dtype) {
            (_, DType::Complex64) => return self.to_complex(),
            (DType::Complex64, _) => return self.real_parts().cast(dtype),
            _ => {}
        }
        let mut bytes = Vec::with_capacity(self.len() * dtype.size());
        if self.dtype().is_int() && dtype.is_int() {
            self.iter_i64().for_each(|x| push_int(&mut bytes, dtype, x));
        } else {
            self.iter_f64().for_each(|x| push_float(&mut bytes, dtype, x));
        }
        let spec = Spec::new(self.shape().clone(), dtype);
        Tensor::of_bytes(spec, bytes)
    }

    /// [`cast`](Tensor::cast) for what a caller gives: nothing may change but digits of floats.
    ///
    /// # Errors
    /// For a number that an integer dtype does not hold, with its position. Fractions are cut off.
    pub fn cast_exactly(&self, dtype: DType) -> Result<Tensor> {
        if dtype.is_int() && self.dtype() != DType::String {
            let misfit = match self.dtype() {
                DType::UInt64 => self.iter_i64().position(|x| !holds(dtype, i128::from(x as u64))),
                found if found.is_float() => {
                    self.iter_f64().position(|x| !x.is_finite() || !holds(dtype, x as i128))
                }
                _ => self.iter_i64().position(|x| !holds(dtype, i128::from(x))),
            };
            if let Some(position) = misfit {
                return Err(Error::DType {
                    context: format!("element {position}"),
                    found: self.element(position),
                    expected: format!("a number that {dtype} holds"),
                });
            }
        }
        Ok(self.cast(dtype))
    }

    /// An element as text, with its dtype.
    fn element(&self, position: usize) -> String {
        let strings = self.to_text();
        let text = strings.strings().ok().and_then(|all| all.get(position).cloned());
        format!("{} {}", self.dtype(), text.unwrap_or_default())
    }

    /// Every element as an integer, in order: 64-bit ones as they are (unsigned ones wrap), floats
    /// truncated.
    pub(crate) fn iter_i64(&self) -> Box<dyn Iterator<Item = i64> + '_> {
        let b = self.bytes();
        let words = |size: usize| b.chunks_exact(size);
        match self.dtype() {
            DType::Int64 => Box::new(words(8).map(bytemuck::pod_read_unaligned::<i64>)),
            DType::UInt64 => {
                Box::new(words(8).map(|b| bytemuck::pod_read_unaligned::<u64>(b) as i64))
            }
            _ => Box::new(self.iter_f64().map(|x| x as i64)),
        }
    }
}

/// Whether an integer dtype holds a number.
fn holds(dtype: DType, x: i128) -> bool {
    let bits = dtype.size() as u32 * 8;
    match dtype.is_signed_int() {
        true => (-(1i128 << (bits - 1))..1i128 << (bits - 1)).contains(&x),
        false => (0..1i128 << bits).contains(&x),
    }
}

fn push_int(bytes: &mut Vec<u8>, dtype: DType, x: i64) {
    bytes.extend_from_slice(&x.to_le_bytes()[..dtype.size()]);
}

fn push_float(bytes: &mut Vec<u8>, dtype: DType, x: f64) {
    match dtype {
        DType::Float64 => bytes.extend_from_slice(&x.to_le_bytes()),
        DType::Float32 => bytes.extend_from_slice(&(x as f32).to_le_bytes()),
        DType::Float16 => bytes.extend_from_slice(&f16::from_f64(x).to_le_bytes()),
        DType::BFloat16 => bytes.extend_from_slice(&bf16::from_f64(x).to_le_bytes()),
        DType::Float8E4M3FN | DType::Float8E5M2 => bytes.push(float8::to_bits(dtype, x as f32)),
        DType::Bool => bytes.push(u8::from(x != 0.0)),
        DType::UInt64 => bytes.extend_from_slice(&(x as u64).to_le_bytes()),
        _ => push_int(bytes, dtype, x as i64),
    }
}

fn words_from_bytes(dtype: DType, bytes: &[u8]) -> Result<Words> {
    fn each<T: bytemuck::Pod, U>(bytes: &[u8], f: impl Fn(T) -> U) -> Vec<U> {
        bytes.chunks_exact(size_of::<T>()).map(|b| f(bytemuck::pod_read_unaligned(b))).collect()
    }
    fn fit<T: bytemuck::Pod + std::fmt::Display + Copy, U: TryFrom<T>>(
        bytes: &[u8],
        dtype: DType,
    ) -> Result<Vec<U>> {
        bytes
            .chunks_exact(size_of::<T>())
            .map(|b| {
                let x: T = bytemuck::pod_read_unaligned(b);
                U::try_from(x).map_err(|_| Error::DType {
                    context: format!("value {x}"),
                    found: dtype.name().into(),
                    expected: "a value that fits 32 bits, the width in which devices compute"
                        .into(),
                })
            })
            .collect()
    }
    Ok(match dtype {
        DType::Float64 => Words::F32(each(bytes, |x: f64| x as f32)),
        DType::Float32 => Words::F32(bytemuck::pod_collect_to_vec(bytes)),
        DType::Float16 => Words::F32(each(bytes, |x: f16| x.to_f32())),
        DType::BFloat16 => Words::F32(each(bytes, |x: bf16| x.to_f32())),
        DType::Float8E4M3FN | DType::Float8E5M2 => {
            Words::F32(each(bytes, |x: u8| float8::from_bits(dtype, x)))
        }
        DType::Int64 => Words::I32(fit::<i64, i32>(bytes, dtype)?),
        DType::Int32 => Words::I32(bytemuck::pod_collect_to_vec(bytes)),
        DType::Int16 => Words::I32(each(bytes, |x: i16| i32::from(x))),
        DType::Int8 => Words::I32(each(bytes, |x: i8| i32::from(x))),
        DType::UInt64 => Words::U32(fit::<u64, u32>(bytes, dtype)?),
        DType::UInt32 => Words::U32(bytemuck::pod_collect_to_vec(bytes)),
        DType::UInt16 => Words::U32(each(bytes, |x: u16| u32::from(x))),
        DType::UInt8 => Words::U32(each(bytes, |x: u8| u32::from(x))),
        DType::Bool => Words::U32(each(bytes, |x: u8| u32::from(x != 0))),
        DType::Complex64 => {
            return Err(Error::Internal("complex numbers are computed in parts".into()));
        }
        DType::String => return Err(super::text::unexpected("computing")),
    })
}

/// Converts stored little-endian bytes to the words a device holds, piece by piece: the streaming
/// form of [`Tensor::to_array`].
///
/// # Errors
/// [`Error::DType`] for integers that do not fit and for text.
pub fn bytes_to_words(dtype: DType, bytes: &[u8], words: &mut Vec<u8>) -> Result<()> {
    words.clear();
    match words_from_bytes(dtype, bytes)? {
        Words::F32(v) => words.extend_from_slice(bytemuck::cast_slice(&v)),
        Words::I32(v) => words.extend_from_slice(bytemuck::cast_slice(&v)),
        Words::U32(v) => words.extend_from_slice(bytemuck::cast_slice(&v)),
    }
    Ok(())
}

impl Array {
    /// The elements of a source, converted piece by piece as they are read. Whether they can be believed
    /// is what [`Source::check`] then says.
    ///
    /// # Errors
    /// Those of the source; [`Error::DType`] for 64-bit integers that do not fit a word.
    pub fn read(source: &dyn Source) -> Result<Array> {
        let (dtype, len) = (source.spec().dtype, source.spec().shape.len());
        let size = dtype.size();
        let step = PIECE / size.max(4);
        let mut array = Array::zeros(source.spec().clone());
        let mut stored = vec![0; if size == 4 { 0 } else { step.min(len) * size }];
        let mut words = Vec::new();
        for (i, piece) in array.word_bytes_mut().chunks_mut(step * 4).enumerate() {
            let offset = i * step * size;
            if size == 4 {
                source.read(offset, piece)?;
                continue;
            }
            let stored = &mut stored[..piece.len() / 4 * size];
            source.read(offset, stored)?;
            bytes_to_words(dtype, stored, &mut words)?;
            piece.copy_from_slice(&words);
        }
        Ok(array)
    }

    /// The elements as stored in the array's dtype.
    pub fn to_tensor(&self) -> Tensor {
        let dtype = self.spec.dtype;
        let mut bytes = Vec::with_capacity(self.spec.bytes());
        match &self.words {
            Words::F32(v) if dtype == DType::Float32 => {
                bytes.extend_from_slice(bytemuck::cast_slice(v));
            }
            Words::F32(v) => v.iter().for_each(|&x| push_float(&mut bytes, dtype, f64::from(x))),
            Words::I32(v) => v.iter().for_each(|&x| push_int(&mut bytes, dtype, i64::from(x))),
            Words::U32(v) => v.iter().for_each(|&x| push_int(&mut bytes, dtype, i64::from(x))),
        }
        Tensor::of_bytes(self.spec.clone(), bytes)
    }

    /// Rounds every word into the range of the array's dtype, as storing it would.
    pub fn round_to_dtype(mut self) -> Array {
        let dtype = self.spec.dtype;
        match &mut self.words {
            Words::F32(v) => v.iter_mut().for_each(|x| *x = round_f32(dtype, *x)),
            Words::I32(v) => match dtype {
                DType::Int16 => v.iter_mut().for_each(|x| *x = i32::from(*x as i16)),
                DType::Int8 => v.iter_mut().for_each(|x| *x = i32::from(*x as i8)),
                _ => {}
            },
            Words::U32(v) => match dtype {
                DType::UInt16 => v.iter_mut().for_each(|x| *x &= 0xffff),
                DType::UInt8 => v.iter_mut().for_each(|x| *x &= 0xff),
                DType::Bool => v.iter_mut().for_each(|x| *x = u32::from(*x != 0)),
                _ => {}
            },
        }
        self
    }
}

/// `x` rounded to what `dtype` can represent.
pub fn round_f32(dtype: DType, x: f32) -> f32 {
    match dtype {
        DType::Float16 => f16::from_f32(x).to_f32(),
        DType::BFloat16 => bf16::from_f32(x).to_f32(),
        _ => float8::round(dtype, x),
    }
}

/// The stored bits of an element of at most 32 bits, from the bits of its word.
pub fn bits_of(dtype: DType, word: u32) -> u32 {
    match dtype {
        DType::Float16 => u32::from(f16::from_f32(f32::from_bits(word)).to_bits()),
        DType::BFloat16 => u32::from(bf16::from_f32(f32::from_bits(word)).to_bits()),
        DType::Float8E4M3FN | DType::Float8E5M2 => {
            u32::from(float8::to_bits(dtype, f32::from_bits(word)))
        }
        _ => match dtype.size() {
            1 => word & 0xff,
            2 => word & 0xffff,
            _ => word,
        },
    }
}

/// The bits of an element's word, from its stored bits: the inverse of [`bits_of`].
pub fn word_of(dtype: DType, bits: u32) -> u32 {
    match dtype {
        DType::Float16 => f16::from_bits(bits as u16).to_f32().to_bits(),
        DType::BFloat16 => bits << 16,
        DType::Float8E4M3FN | DType::Float8E5M2 => float8::from_bits(dtype, bits as u8).to_bits(),
        DType::Int16 => i32::from(bits as i16) as u32,
        DType::Int8 => i32::from(bits as i8) as u32,
        DType::Bool => u32::from(bits != 0),
        _ => bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_survives_the_lane() {
        let x = Tensor::new([4], &[0.0f32, 1.0, 2.5, 100.0]).unwrap();
        for dtype in DType::ALL {
            let stored = x.cast(dtype);
            assert_eq!(stored.to_array().unwrap().to_tensor(), stored, "{dtype}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused_not_wrapped() {
        let wide = Tensor::new([2], &[1i64, 1 << 31]).unwrap();
        let message = wide.cast_exactly(DType::Int32).unwrap_err().to_string();
        assert!(message.contains("element 1: got dtype int64 2147483648"), "{message}");
        assert!(wide.cast_exactly(DType::UInt32).is_ok());
        for (dtype, x) in [(DType::UInt8, -1.0), (DType::Int64, f64::NAN), (DType::Int8, 128.0)] {
            assert!(Tensor::new([1], &[x]).unwrap().cast_exactly(dtype).is_err(), "{dtype} {x}");
        }
        let largest = Tensor::new([1], &[u64::MAX]).unwrap();
        assert!(largest.cast_exactly(DType::Int64).is_err());
        assert!(largest.cast_exactly(DType::Float32).is_ok());
        let cut = Tensor::new([2], &[-1.5f32, 127.9]).unwrap().cast_exactly(DType::Int8).unwrap();
        assert_eq!(cut, Tensor::new([2], &[-1i8, 127]).unwrap());
    }

    #[test]
    fn wide_integers_are_refused_not_wrapped() {
        let x = Tensor::new([1], &[1i64 << 40]).unwrap();
        let message = x.to_array().unwrap_err().to_string();
        assert!(message.contains("1099511627776"), "{message}");
    }
}

//! `keras.ops`: transforms of signals. Complex numbers are pairs of tensors.

use crate::base::{DType, Error, Result};
use crate::graph::{Complex, Value};
use crate::layers::Arg;
use crate::layers::signal::{self, Stft};
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Frames and Fourier transforms.
    SIGNAL:
    ExtractSequences(x) { sequence_length: null, sequence_stride: null } |c| {
        let (length, stride) =
            (c.config.size("sequence_length")?, c.config.size("sequence_stride")?);
        signal::frames(c.value(0)?, length, stride)
    };
    FFT(x) |c| Ok(parts(signal::fft(complex(c)?)?));
    FFT2(x) |c| Ok(parts(over_two_axes(complex(c)?, signal::fft)?));
    IFFT2(x) |c| Ok(parts(over_two_axes(complex(c)?, signal::ifft)?));
    RFFT(x) { fft_length: null } |c| {
        let x = real(c, c.float(0)?)?;
        let n = c.config.optional_size("fft_length")?;
        let n = n.or_else(|| x.shape().last().copied()).unwrap_or(0);
        Ok(parts(signal::rfft(x, n)?))
    };
    IRFFT(x) { fft_length: null } |c| {
        let x = complex(c)?;
        let bins = x.re.shape().last().map_or(0, |bins| bins.saturating_sub(1));
        let n = c.config.optional_size("fft_length")?.unwrap_or(2 * bins);
        signal::irfft(x, n)
    };
    STFT(x) {
        sequence_length: null, sequence_stride: null, fft_length: null, window: "hann", center: true
    } |c| {
        let named = c.config.get("window").as_str();
        if named.is_some_and(|name| !["hann", "hamming"].contains(&name)) {
            return Err(c.config.bad("window", "\"hann\" or \"hamming\""));
        }
        Ok(parts(Stft::from_config(c.config)?.transform(real(c, c.value(0)?)?)?))
    };
    ISTFT(x) {
        sequence_length: null, sequence_stride: null, fft_length: null, length: null,
        window: "hann", center: true
    } |c| {
        let length = c.config.optional_size("length")?;
        Stft::from_config(c.config)?.inverse(complex(c)?, length)
    };
}

fn parts(x: Complex<'_>) -> Vec<Value<'_>> {
    vec![x.re, x.im]
}

/// A tensor that JAX transforms: in single precision.
fn real<'g>(c: &Call<'_, 'g>, x: Value<'g>) -> Result<Value<'g>> {
    match x.dtype() {
        DType::Float32 => Ok(x),
        DType::Float64 => Ok(x.cast(DType::Float32)),
        _ => Err(c.bad(0, "float32")),
    }
}

/// The first argument: a real and an imaginary part.
fn complex<'g>(c: &Call<'_, 'g>) -> Result<Complex<'g>> {
    let Some(Arg::List(items)) = c.arg(0) else {
        return Err(c.bad(0, "a real and an imaginary part"));
    };
    let part = |i: usize| match items.get(i) {
        Some(Arg::Tensor(x)) if items.len() == 2 => real(c, *x),
        _ => Err(c.bad(0, "a real and an imaginary part")),
    };
    Ok(Complex { re: part(0)?, im: part(1)? })
}

/// A transform of the last axis and of the one before it.
fn over_two_axes<'g>(
    x: Complex<'g>,
    transform: fn(Complex<'g>) -> Result<Complex<'g>>,
) -> Result<Complex<'g>> {
    let rank = x.re.rank();
    if rank < 2 {
        let found = x.re.shape().to_string();
        return Err(Error::shape("a transform of two axes", found, "two axes or more"));
    }
    let turned = |x: Complex<'g>| Complex {
        re: x.re.move_axis(rank - 2, rank - 1),
        im: x.im.move_axis(rank - 2, rank - 1),
    };
    Ok(turned(transform(turned(transform(x)?))?))
}

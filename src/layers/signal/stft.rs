//! Short-time Fourier transforms.

use crate::base::{DType, Error, Result, Shape};
use crate::graph::{Complex, Value};
use crate::layers::config::Config;
use crate::layers::signal::frames::{frames, overlap_and_add, reflected};
use crate::layers::signal::{SignalWindow, irfft, rfft};
use crate::tensor::Tensor;

/// A sum of windows below this counts as none, as in JAX.
const SMALLEST_NORM: f64 = 1e-10;

/// The settings of a transform of overlapping frames.
#[derive(Clone, Debug)]
pub(crate) struct Stft {
    pub length: usize,
    pub stride: usize,
    pub fft_length: usize,
    pub window: SignalWindow,
    /// Whether the signal is mirrored at its ends, so that frames lie around their time.
    pub center: bool,
}

impl Stft {
    /// The settings `sequence_length`, `sequence_stride`, `fft_length`, `window` and `center` of an operation.
    pub fn from_config(config: &Config) -> Result<Stft> {
        Ok(Stft {
            length: config.size("sequence_length")?,
            stride: config.size("sequence_stride")?,
            fft_length: config.size("fft_length")?,
            window: SignalWindow::from_config(config)?,
            center: config.bool("center")?,
        })
    }

    /// The window's weights, with zeros on both sides to fill a transform.
    fn weights(&self) -> Result<Vec<f32>> {
        let (length, whole) = (self.length, self.fft_length);
        let wrong = || {
            let found = format!("{:?}: {length} of {whole} points", self.window);
            let expected = format!("a window of {length} elements, no more than the transform has");
            Error::shape("the window of a transform", found, expected)
        };
        let pad = whole.checked_sub(length).ok_or_else(wrong)?;
        Shape::from([whole]).checked_len()?;
        if self.window == SignalWindow::None {
            return Ok(vec![1.0; whole]);
        }
        let weights = self.window.weights(length, true).ok_or_else(wrong)?;
        let mut padded = vec![0.0; whole];
        let places = padded.iter_mut().skip(pad / 2);
        places.zip(weights).for_each(|(place, weight)| *place = weight as f32);
        Ok(padded)
    }

    /// Frames of the last axis, weighed and transformed: `[…, time] → […, frames, fft_length / 2 + 1]`.
    ///
    /// # Errors
    /// If the signal is not float32 or shorter than a frame, or the window has another length.
    pub fn transform<'g>(&self, x: Value<'g>) -> Result<Complex<'g>> {
        if x.dtype() != DType::Float32 {
            return Err(Error::DType {
                context: "stft".into(),
                found: x.dtype().name().into(),
                expected: "float32".into(),
            });
        }
        let weights = x.graph().constant(Tensor::new([self.fft_length], &self.weights()?)?);
        let x = if self.center { reflected(x, self.fft_length / 2)? } else { x };
        rfft(frames(x, self.fft_length, self.stride)? * weights, self.fft_length)
    }

    /// The signal of frames `[…, frames, fft_length / 2 + 1]`, cut to `length` elements where that is given.
    ///
    /// # Errors
    /// If the parts are not float32, or the window has another length.
    pub fn inverse<'g>(&self, x: Complex<'g>, length: Option<usize>) -> Result<Value<'g>> {
        if x.re.rank() < 2 {
            let found = x.re.shape().to_string();
            return Err(Error::shape("istft", found, "frames and their frequencies"));
        }
        // As in JAX, which takes no overlap to be half a frame.
        let n = self.fft_length;
        let step = if self.stride == n { n - n / 2 } else { self.stride };
        let weights = self.weights()?;
        let sum = f64::from(weights.iter().sum::<f32>());
        let graph = x.re.graph();
        let window = graph.constant(Tensor::new([n], &weights)?);
        let framed = irfft(x, n)? * window;
        let count = framed.extent(framed.rank() - 2);
        let norm = overlap_and_add((window * window).broadcast([count, n]), step)?;
        let some = norm.binary("gt", norm.like(SMALLEST_NORM));
        let signal = overlap_and_add(framed, step)? / some.select(norm, norm.like(1.0));
        // Without a window, Keras undoes the sum of the weights by the stride.
        let scale = match self.window {
            SignalWindow::None => sum / self.stride as f64,
            _ => 1.0,
        };
        Ok(self.cut(signal, length) * scale)
    }

    fn cut<'g>(&self, x: Value<'g>, length: Option<usize>) -> Value<'g> {
        let axis = x.rank() - 1;
        let (time, half) = (x.extent(axis), self.fft_length / 2);
        let start = if self.center { half.min(time) } else { 0 };
        let end = match length {
            Some(length) => start.saturating_add(length).min(time),
            // Python's slice up to -0 is empty.
            None if self.center && half == 0 => 0,
            None if self.center => time.saturating_sub(half),
            None => time,
        };
        x.narrow(axis, start, end.saturating_sub(start))
    }
}

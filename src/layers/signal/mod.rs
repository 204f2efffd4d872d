//! The mathematics of signals that layers and `keras.ops` share.

mod fourier;
mod frames;
mod stft;
mod window;

pub(crate) use fourier::{fft, ifft, irfft, rfft};
pub(crate) use frames::frames;
pub(crate) use stft::Stft;
pub(crate) use window::SignalWindow;

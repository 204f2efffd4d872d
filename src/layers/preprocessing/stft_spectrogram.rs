//! `keras.layers.STFTSpectrogram`: a spectrogram by convolution with waves.
//!
//! Input (batch, time, channels) → output (batch, frames, channels · frequencies), or with `expand_dims`
//! (batch, frames, frequencies, channels); with channels first, (batch, channels · frequencies, frames) or
//! (batch, channels, frames, frequencies). There are `fft_length / 2 + 1` frequencies, twice as many in the
//! mode `stft`.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | real_kernel | (frame_length, 1, frequencies) | every mode but `imag` |
//! | imag_kernel | (frame_length, 1, frequencies) | every mode but `real` |

use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::initializers::{Initializer, StftKernel};
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::signal::SignalWindow;
use crate::layers::spatial::{DataFormat, Padding, Window};
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::operations::formulas::EPSILON;
use crate::tensor::Variable;

builder! {
    /// Spectrograms by convolution.
    STFTSpectrogram() {
        mode: "log",
        frame_length: 256,
        frame_step: null,
        fft_length: null,
        window: "hann",
        periodic: false,
        scaling: "density",
        padding: "valid",
        expand_dims: false,
        data_format: null,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Log,
    Magnitude,
    Psd,
    Real,
    Imag,
    Angle,
    Stft,
}

struct Spectrogram {
    base: LayerBase,
    mode: Mode,
    frame_length: usize,
    frequencies: usize,
    window: Window,
    kernel: StftKernel,
    expand_dims: bool,
    format: DataFormat,
    real_kernel: Option<Variable>,
    imag_kernel: Option<Variable>,
}

impl STFTSpectrogram {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let modes = [
            ("log", Mode::Log),
            ("magnitude", Mode::Magnitude),
            ("psd", Mode::Psd),
            ("real", Mode::Real),
            ("imag", Mode::Imag),
            ("angle", Mode::Angle),
            ("stft", Mode::Stft),
        ];
        let frame_length = config.size("frame_length")?;
        let step = config.optional_size("frame_step")?;
        if step.is_some_and(|step| step > frame_length) {
            return Err(config.bad("frame_step", "at most `frame_length`"));
        }
        let step = step.unwrap_or(frame_length / 2);
        if step == 0 {
            return Err(config.bad("frame_step", "a positive integer"));
        }
        let points = config.optional_size("fft_length")?;
        if points.is_some_and(|points| points < frame_length) {
            return Err(config.bad("fft_length", "at least `frame_length`"));
        }
        let points = points.or_else(|| frame_length.checked_next_power_of_two());
        let points = points.ok_or_else(|| config.bad("frame_length", "a smaller number"))?;
        let padding = Padding::from_config(config, false)?;
        Ok(Box::new(Spectrogram {
            base: LayerBase::new("STFTSpectrogram", config)?,
            mode: config.choice("mode", &modes)?,
            frame_length,
            frequencies: points / 2 + 1,
            window: Window::new(1, [&[frame_length], &[step], &[1]], padding),
            kernel: StftKernel {
                imaginary: false,
                window: SignalWindow::from_config(config)?,
                scaling: StftKernel::scaling(config)?,
                periodic: config.bool("periodic")?,
            },
            expand_dims: config.bool("expand_dims")?,
            format: DataFormat::from_config(config)?,
            real_kernel: None,
            imag_kernel: None,
        }))
    }
}

impl Spectrogram {
    fn add_kernel(&mut self, name: &str, imaginary: bool) -> Result<Variable> {
        let initializer = Initializer::Stft(StftKernel { imaginary, ..self.kernel.clone() });
        self.base.add_weight(name, [self.frame_length, 1, self.frequencies], &initializer)
    }

    /// Signals (batch · channels, time, 1) by one kernel: (batch, channels, frequencies, frames).
    fn part<'g>(
        &self,
        signals: Value<'g>,
        channels: usize,
        kernel: Value<'g>,
    ) -> Result<Value<'g>> {
        let y = self.window.conv(signals, kernel.cast(signals.dtype()))?;
        let &[rows, frames, frequencies] = y.shape().as_slice() else {
            return Err(Error::Internal(format!("a spectrogram of shape {}", y.shape())));
        };
        let batch = rows.checked_div(channels).unwrap_or(0);
        let y = y.reshape([batch, channels, frames, frequencies]);
        Ok(y.transpose(&[0, 1, 3, 2]))
    }

    /// What the mode makes of the parts, (batch, channels, frequencies, frames).
    fn combined<'g>(&self, real: Option<Value<'g>>, imag: Option<Value<'g>>) -> Result<Value<'g>> {
        let missing = || Error::Internal(format!("mode {:?} without its kernels", self.mode));
        if self.mode == Mode::Real {
            return real.ok_or_else(missing);
        }
        if self.mode == Mode::Imag {
            return imag.ok_or_else(missing);
        }
        let (real, imag) = real.zip(imag).ok_or_else(missing)?;
        let power = real.square() + imag.square();
        Ok(match self.mode {
            Mode::Angle => imag.binary("atan2", real),
            Mode::Stft => real.graph().concat(&[real, imag], 2),
            Mode::Psd => {
                // All frequencies but the outer two stand for a negative one as well.
                let inner = power.narrow(2, 1, power.extent(2).saturating_sub(2));
                let ends = [0, 0, 1, 0];
                power + inner.pad(&ends, &ends, 0.0)
            }
            Mode::Magnitude => magnitude(power),
            // The two others have returned.
            Mode::Log | Mode::Real | Mode::Imag => {
                let magnitude = magnitude(power);
                magnitude.maximum(magnitude.scalar_like(EPSILON)).log()
            }
        })
    }

    /// The axes of a result (batch, channels, frequencies, frames) as the layer gives them.
    fn arranged<'g>(&self, y: Value<'g>) -> Value<'g> {
        let shape = y.shape();
        let merged = || y.reshape([shape[0], shape[1] * shape[2], shape[3]]);
        match (self.format, self.expand_dims) {
            (DataFormat::ChannelsLast, true) => y.transpose(&[0, 3, 2, 1]),
            (DataFormat::ChannelsLast, false) => merged().transpose(&[0, 2, 1]),
            (DataFormat::ChannelsFirst, true) => y.transpose(&[0, 1, 3, 2]),
            (DataFormat::ChannelsFirst, false) => merged(),
        }
    }
}

fn magnitude(power: Value<'_>) -> Value<'_> {
    power.maximum(power.scalar_like(EPSILON)).sqrt()
}

impl Layer for Spectrogram {
    layer_base!();

    fn build(&mut self, _: &CallArgs<SymbolicSpec>) -> Result<()> {
        if self.mode != Mode::Imag {
            self.real_kernel = Some(self.add_kernel("real_kernel", false)?);
        }
        if self.mode != Mode::Real {
            self.imag_kernel = Some(self.add_kernel("imag_kernel", true)?);
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        if !matches!(x.dtype(), DType::Float16 | DType::Float32 | DType::Float64) {
            return Err(Error::DType {
                context: "STFTSpectrogram".into(),
                found: x.dtype().name().into(),
                expected: "float16 or float32".into(),
            });
        }
        let x = match self.format {
            DataFormat::ChannelsLast if x.rank() == 3 => x.move_axis(2, 1),
            _ => x,
        };
        let &[batch, channels, time] = x.shape().as_slice() else {
            let found = x.shape().to_string();
            return Err(Error::shape("STFTSpectrogram", found, "a batch of signals (rank 3)"));
        };
        let signals = x.reshape([batch * channels, time, 1]);
        let part = |kernel: &Option<Variable>| {
            let kernel = kernel.as_ref().map(|kernel| cx.read(kernel));
            kernel.map(|kernel| self.part(signals, channels, kernel)).transpose()
        };
        let result = self.combined(part(&self.real_kernel)?, part(&self.imag_kernel)?)?;
        Ok(self.arranged(result).into())
    }
}

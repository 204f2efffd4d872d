//! `STFT`: kernels whose convolution with a signal is its short-time Fourier transform.

use std::f64::consts::PI;

use crate::base::{Error, Result, Shape, Spec};
use crate::initializers::computed::rounded;
use crate::layers::config::{Config, Json};
use crate::layers::signal::SignalWindow;
use crate::tensor::Tensor;

/// What the window's weights are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Nothing: they stay as they are.
    None,
    /// The root of the sum of their squares.
    Density,
    /// The sum of their absolute values.
    Spectrum,
}

/// The settings of one part of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct StftKernel {
    /// Whether this is the imaginary part and not the real one: Keras's `side`.
    pub imaginary: bool,
    pub(crate) window: SignalWindow,
    /// What the window's weights are divided by.
    pub scaling: Scaling,
    /// Whether the window is one period of a periodic one, and so not symmetric.
    pub periodic: bool,
}

impl StftKernel {
    /// The initializer's own settings.
    pub(super) fn from_config(config: &Config) -> Result<StftKernel> {
        Ok(StftKernel {
            imaginary: config.choice("side", &[("real", false), ("imag", true)])?,
            window: SignalWindow::from_config(config)?,
            scaling: StftKernel::scaling(config)?,
            periodic: config.bool("periodic")?,
        })
    }

    /// The setting `scaling`.
    ///
    /// # Errors
    /// If it is none of Keras's.
    pub fn scaling(config: &Config) -> Result<Scaling> {
        match config.get("scaling") {
            Json::Null => Ok(Scaling::None),
            _ => config.choice(
                "scaling",
                &[("density", Scaling::Density), ("spectrum", Scaling::Spectrum)],
            ),
        }
    }

    /// The kernel (frame length, 1, frequencies). Every step is rounded as Keras rounds it, since the angles are
    /// large.
    pub(super) fn kernel(&self, spec: &Spec) -> Result<Tensor> {
        let [frame, frequencies] = StftKernel::extents(&spec.shape)?;
        let dtype = spec.dtype;
        let round = |numbers: Vec<f64>| rounded(&numbers, dtype);
        let points = 2.0 * (frequencies as f64 - 1.0);
        let shares = round((0..frequencies).map(|k| k as f64 / points).collect())?;
        let times = round((0..frame).map(|t| -2.0 * t as f64).collect())?;
        let turns = round(times.iter().flat_map(|t| shares.iter().map(move |f| t * f)).collect())?;
        let pi = round(vec![PI])?.first().copied().unwrap_or(PI);
        let angles = round(turns.iter().map(|turn| turn * pi).collect())?;
        let wave = if self.imaginary { f64::sin } else { f64::cos };
        let waves = round(angles.into_iter().map(wave).collect())?;
        let (weights, scale) = self.weights(frame, &round)?;
        let weighed = waves.iter().enumerate().map(|(i, w)| w * weights[i / frequencies]);
        let weighed = round(weighed.collect())?;
        let elements: Vec<f64> = weighed.into_iter().map(|x| x / scale).collect();
        Ok(Tensor::new(Shape::clone(&spec.shape), &elements)?.cast(dtype))
    }

    fn weights(
        &self,
        frame: usize,
        round: &dyn Fn(Vec<f64>) -> Result<Vec<f64>>,
    ) -> Result<(Vec<f64>, f64)> {
        let weights = self.window.weights(frame, self.periodic).ok_or_else(|| {
            let found = format!("{:?}", self.window);
            Error::shape("STFT initializer", found, format!("a window of {frame} elements"))
        })?;
        let weights = round(weights)?;
        let scale = match (self.scaling, &self.window) {
            (Scaling::None, _) | (_, SignalWindow::None) => 1.0,
            (Scaling::Density, _) => weights.iter().map(|w| w * w).sum::<f64>().sqrt(),
            (Scaling::Spectrum, _) => weights.iter().map(|w| w.abs()).sum(),
        };
        let scale = round(vec![scale])?.first().copied().unwrap_or(scale);
        Ok((weights, scale))
    }

    /// Frame length and number of frequencies of a kernel.
    pub(super) fn extents(shape: &Shape) -> Result<[usize; 2]> {
        match *shape.as_slice() {
            [frame, _, frequencies] if shape.len() == frame * frequencies => {
                Ok([frame, frequencies])
            }
            _ => {
                let expected = "(frame length, 1, frequencies)";
                Err(Error::shape("STFT initializer", shape.to_string(), expected))
            }
        }
    }
}

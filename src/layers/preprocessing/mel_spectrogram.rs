//! `keras.layers.MelSpectrogram`: how loud the bands of the mel scale are over time.
//!
//! Input (…, time) → output (…, num_mel_bins, frames), computed in float32 whatever the policy.

use crate::base::{DType, Error, Result};
use crate::builder;
use crate::graph::{Graph, Value};
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::signal::{SignalWindow, Stft};
use crate::layers::stateless::stateless_with;
use crate::tensor::Tensor;

builder! {
    /// Spectrograms on the mel scale.
    MelSpectrogram() {
        fft_length: 2048,
        sequence_stride: 512,
        sequence_length: null,
        window: "hann",
        sampling_rate: 16000,
        num_mel_bins: 128,
        min_freq: 20.0,
        max_freq: null,
        power_to_db: true,
        top_db: 80.0,
        mag_exp: 2.0,
        min_power: 1e-10,
        ref_power: 1.0,
    }
}

/// Bands of the mel scale, by its formula of the Hidden Markov Model Toolkit.
struct Bands {
    count: usize,
    sampling_rate: f64,
    low: f64,
    high: f64,
}

/// Decibels below a reference.
struct Decibels {
    top: f64,
    least: f64,
    reference: f64,
}

struct Settings {
    stft: Stft,
    bands: Bands,
    exponent: f64,
    decibels: Option<Decibels>,
}

impl MelSpectrogram {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let settings = Settings::from_config(config)?;
        stateless_with("MelSpectrogram", config, &["training"], move |cx, args| {
            let x = args.input()?.cast(DType::Float32);
            Ok(settings.apply(x)?.cast(cx.compute_dtype()))
        })
    }
}

/// A number under a key, or another one where there is none or zero, as Python's `or` takes it.
fn number_or(config: &Config, key: &str, other: f64) -> Result<f64> {
    Ok(config.optional_float(key)?.filter(|&x| x != 0.0).unwrap_or(other))
}

impl Settings {
    fn from_config(config: &Config) -> Result<Settings> {
        let fft_length = config.size("fft_length")?;
        let length = match config.get("sequence_length") {
            Json::Null => fft_length,
            _ => config.size("sequence_length")?,
        };
        if length > fft_length {
            return Err(config.bad("sequence_length", "at most `fft_length`"));
        }
        let sampling_rate = config.float("sampling_rate")?;
        let high = number_or(config, "max_freq", (sampling_rate / 2.0).trunc())?;
        let decibels = Decibels {
            top: config.optional_float("top_db")?.unwrap_or(f64::INFINITY),
            least: config.float("min_power")?,
            reference: config.float("ref_power")?,
        };
        if config.is_null("top_db") && config.bool("power_to_db")? {
            return Err(config.bad("top_db", "a number"));
        }
        Ok(Settings {
            stft: Stft {
                length,
                stride: config.size("sequence_stride")?,
                fft_length,
                window: SignalWindow::from_config(config)?,
                center: true,
            },
            bands: Bands {
                count: config.size("num_mel_bins")?,
                sampling_rate,
                low: config.float("min_freq")?,
                high,
            },
            exponent: config.float("mag_exp")?,
            decibels: config.bool("power_to_db")?.then_some(decibels),
        })
    }

    fn apply<'g>(&self, x: Value<'g>) -> Result<Value<'g>> {
        let rank = x.rank();
        if rank == 0 {
            return Err(Error::shape("mel spectrogram", x.shape().to_string(), "(…, time)"));
        }
        let spectrum = self.stft.transform(x)?;
        let size = (spectrum.re.square() + spectrum.im.square()).sqrt();
        let power = size.binary("pow", size.scalar_like(self.exponent));
        let matrix = self.bands.matrix(x.graph(), self.stft.fft_length / 2 + 1)?;
        let mel = power.dot(matrix);
        let mel = self.decibels.as_ref().map_or(mel, |decibels| decibels.of(mel));
        Ok(mel.move_axis(rank, rank - 1))
    }
}

impl Bands {
    /// How much each of `bins` frequencies adds to each band: triangles with a peak of one. In single precision
    /// throughout, as in Keras: the edges of narrow bands are small differences of large numbers.
    fn matrix<'g>(&self, graph: &'g Graph, bins: usize) -> Result<Value<'g>> {
        crate::base::Shape::from([bins, self.count]).checked_len()?;
        let mel = |hertz: f32| 1127.0 * (1.0 + hertz * 700.0_f32.recip()).ln();
        let frequencies = line(0.0, self.sampling_rate as f32 / 2.0, bins);
        let edges = line(mel(self.low as f32), mel(self.high as f32), self.count + 2);
        let weight = |bin: usize, band: usize| {
            let (x, [low, center, high]) =
                (mel(frequencies[bin]), [0, 1, 2].map(|i| edges[band + i]));
            let (rising, falling) = ((x - low) / (center - low), (high - x) / (high - center));
            // The constant part belongs to no band.
            if bin == 0 { 0.0 } else { rising.min(falling).max(0.0) }
        };
        let all = (0..bins * self.count).map(|i| weight(i / self.count, i % self.count));
        Ok(graph.constant(Tensor::new([bins, self.count], &all.collect::<Vec<f32>>())?))
    }
}

/// `count` numbers from `start` to `stop`, rounded as XLA rounds JAX's `linspace`: with a fused sum.
fn line(start: f32, stop: f32, count: usize) -> Vec<f32> {
    let last = count.saturating_sub(1);
    let at = |i: usize| {
        let (place, share) = (i as f32, i as f32 / last as f32);
        if i == last { stop } else { (stop / last as f32).mul_add(place, start * (1.0 - share)) }
    };
    (0..count).map(at).collect()
}

impl Decibels {
    /// Powers in decibels, none of them further than `top` below the greatest.
    fn of<'g>(&self, power: Value<'g>) -> Value<'g> {
        let ten = std::f64::consts::LOG10_E * 10.0;
        let reference = self.reference.abs().max(self.least).log10() * 10.0;
        let level = power.maximum(power.scalar_like(self.least)).log() * ten - reference;
        let axes: Vec<usize> = (0..level.rank()).collect();
        level.maximum(level.max(&axes) - self.top)
    }
}

//! Random elements by position: a counter-based generator (SplitMix64, Steele et al. 2014).

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::base::{Error, Result, Source, Spec};
use crate::tensor::Tensor;

/// A distribution of independent elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    Constant(f64),
    /// `gain` on the diagonal of a matrix with as many columns, zero elsewhere.
    Diagonal {
        gain: f64,
        columns: u64,
    },
    Uniform {
        low: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        stddev: f64,
    },
    /// A normal whose draws beyond two standard deviations are drawn again.
    TruncatedNormal {
        mean: f64,
        stddev: f64,
    },
    /// Known to Keras, not computed here.
    Unsupported(&'static str),
}

/// Elements of a distribution, computed when read.
pub struct RandomSource {
    spec: Spec,
    distribution: Distribution,
    seed: u64,
}

/// A seed that differs from run to run.
pub fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The uniform double in (0, 1) of a position and a draw.
fn uniform(seed: u64, position: u64, draw: u64) -> f64 {
    let bits = mix(mix(seed ^ mix(position)).wrapping_add(draw));
    ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// A standard normal by Box and Muller.
fn normal(seed: u64, position: u64, draw: u64) -> f64 {
    let (u, v) = (uniform(seed, position, 2 * draw), uniform(seed, position, 2 * draw + 1));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

impl RandomSource {
    pub fn new(spec: Spec, distribution: Distribution, seed: u64) -> RandomSource {
        RandomSource { spec, distribution, seed }
    }

    fn element(&self, position: u64) -> f64 {
        match self.distribution {
            Distribution::Constant(value) => value,
            Distribution::Diagonal { gain, columns } => {
                // Rows begin `columns` apart, so the diagonal is every `columns + 1`.
                let inside = position / columns < columns;
                if inside && position.is_multiple_of(columns + 1) { gain } else { 0.0 }
            }
            Distribution::Uniform { low, high } => {
                low + (high - low) * uniform(self.seed, position, 0)
            }
            Distribution::Normal { mean, stddev } => mean + stddev * normal(self.seed, position, 0),
            Distribution::TruncatedNormal { mean, stddev } => {
                let mut draws = (0..64).map(|draw| normal(self.seed, position, draw));
                mean + stddev * draws.find(|z| z.abs() <= 2.0).unwrap_or(0.0)
            }
            Distribution::Unsupported(_) => 0.0,
        }
    }
}

impl Source for RandomSource {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        if let Distribution::Unsupported(name) = self.distribution {
            return Err(Error::Unsupported(format!("new weights by the initializer {name}")));
        }
        let size = self.spec.dtype.size();
        let (first, last) = (offset / size, (offset + buf.len()).div_ceil(size));
        let elements: Vec<f64> = (first..last).map(|i| self.element(i as u64)).collect();
        let tensor = Tensor::new([elements.len()], &elements)?.cast(self.spec.dtype);
        let skip = offset - first * size;
        buf.copy_from_slice(&tensor.bytes()[skip..skip + buf.len()]);
        Ok(())
    }
}

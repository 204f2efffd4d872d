//! Random elements by position, as Keras draws them on JAX: a seed is a Threefry key, and the element at a
//! position is made of the block of that position.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::base::{DType, Error, Result, Source, Spec};
use crate::graph::math;
use crate::graph::ops::{Take, threefry};
use crate::tensor::Tensor;
use crate::tensor::convert::round_f32;

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
    /// A normal whose draws lie within two standard deviations.
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
    key: [u32; 2],
}

/// A seed that differs from run to run.
pub fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Bits of a draw, and how many of them become steps between 0 and 1, as JAX draws floats of a dtype.
fn widths(dtype: DType) -> (u32, u32) {
    match dtype {
        DType::Float16 => (16, 10),
        DType::BFloat16 => (8, 7),
        _ => (32, 23),
    }
}

impl RandomSource {
    /// Elements of a distribution, the same for every source with the low 32 bits of this seed.
    pub fn new(spec: Spec, distribution: Distribution, seed: u64) -> RandomSource {
        RandomSource { spec, distribution, key: [seed as u32, 0] }
    }

    /// A number from `low` on, below `high`.
    fn uniform(&self, position: u64, low: f32, high: f32) -> f32 {
        let (width, bits) = widths(self.spec.dtype);
        let block = threefry(self.key, [(position >> 32) as u32, position as u32]);
        let unit = Take::Mixed { width, bits }.of(block) as f32 / (1u32 << bits) as f32;
        let round = |x: f32| round_f32(self.spec.dtype, x);
        let [low, high] = [low, high].map(round);
        round(round(unit * round(high - low)) + low).max(low)
    }

    fn normal(&self, position: u64) -> f32 {
        let ulp = (1.0 + f64::from(widths(self.spec.dtype).1)).exp2().recip();
        self.probit(self.uniform(position, (ulp - 1.0) as f32, 1.0))
    }

    fn truncated(&self, position: u64) -> f32 {
        let bound = math::erf(std::f64::consts::SQRT_2) as f32;
        let nearest = 2.0 - f32::EPSILON;
        self.probit(self.uniform(position, -bound, bound)).clamp(-nearest, nearest)
    }

    /// The normal deviate that as large a share of draws lies within, with its sign.
    fn probit(&self, share: f32) -> f32 {
        let deviate = round_f32(self.spec.dtype, math::erfinv(f64::from(share)) as f32);
        std::f32::consts::SQRT_2 * deviate
    }

    fn element(&self, position: u64) -> f64 {
        let moved = |z: f32, mean: f64, stddev: f64| f64::from(z * stddev as f32 + mean as f32);
        match self.distribution {
            Distribution::Constant(value) => value,
            Distribution::Diagonal { gain, columns } => {
                // Rows begin `columns` apart, so the diagonal is every `columns + 1`.
                let inside = position / columns < columns;
                if inside && position.is_multiple_of(columns + 1) { gain } else { 0.0 }
            }
            Distribution::Uniform { low, high } => {
                f64::from(self.uniform(position, low as f32, high as f32))
            }
            Distribution::Normal { mean, stddev } => moved(self.normal(position), mean, stddev),
            Distribution::TruncatedNormal { mean, stddev } => {
                moved(self.truncated(position), mean, stddev)
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

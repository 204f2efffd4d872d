//! `keras.initializers`: how weights start.
//!
//! An initializer gives a [`Source`]: nothing is computed until the weight is first needed, so a
//! model that is loaded from a file never computes its initial values. Every element depends only on
//! the seed and its position, so pieces can be read in any order.

mod computed;
mod orthogonal;
mod random;
mod stft;

use std::sync::Arc;

use serde_json::json;

use crate::base::error::quote;
use crate::base::{DType, Error, Result, Shape, Source, Spec};
use crate::layers::config::{Config, Json};
use crate::tensor::Tensor;

use computed::ComputedSource;
use random::RandomSource;
pub(crate) use random::{Distribution, fresh_seed};
pub use stft::{Scaling, StftKernel};

/// What the elements of a new weight are.
#[derive(Clone, Debug, PartialEq)]
pub enum Initializer {
    /// `Zeros`, `Ones`, `Constant`.
    Constant(f64),
    /// `Constant` of an array, which is repeated to the weight's shape.
    Array(Tensor),
    /// `Identity`: ones on the diagonal of a matrix, times a gain.
    Identity(f64),
    /// The random initializers with fixed bounds.
    Random {
        /// What elements are drawn from, with its bounds.
        distribution: Distribution,
        /// What the elements follow from; `None` for other ones each time.
        seed: Option<u64>,
    },
    /// `VarianceScaling` and the initializers named after people, which are settings of it.
    VarianceScaling {
        /// What the variance is multiplied by.
        scale: f64,
        /// The count of connections that the variance is divided by.
        mode: FanMode,
        /// What elements are drawn from.
        distribution: ScaledDistribution,
        /// What the elements follow from; `None` for other ones each time.
        seed: Option<u64>,
        /// The axes whose extents are counted, in and out; without them, the last two axes are in and out and the
        /// others a window.
        axes: Option<[Vec<i64>; 2]>,
    },
    /// `Orthogonal`.
    Orthogonal {
        /// What the orthogonal matrix is multiplied by.
        gain: f64,
        /// What the elements follow from; `None` for other ones each time.
        seed: Option<u64>,
    },
    /// `STFT`.
    Stft(StftKernel),
    /// A name of Keras's table that this version cannot compute; files load, new weights fail.
    Named(&'static str),
}

/// Which count of connections scales the variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanMode {
    /// Connections into a unit: `fan_in`.
    In,
    /// Connections out of a unit: `fan_out`.
    Out,
    /// The mean of both: `fan_avg`.
    Average,
}

/// The shape of a scaled distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaledDistribution {
    /// Evenly between two bounds of opposite sign.
    Uniform,
    /// Normal, without what lies beyond two standard deviations.
    TruncatedNormal,
    /// Normal.
    UntruncatedNormal,
}

type Row = (&'static str, &'static str, fn() -> Json, fn(&Config) -> Result<Initializer>);

fn seed(config: &Config) -> Result<Option<u64>> {
    match config.get("seed") {
        Json::Null => Ok(None),
        // The record of a SeedGenerator: its state is not saved, so it starts again from its seed.
        Json::Object(record) => match record.get("config").and_then(|config| config.get("seed")) {
            Some(Json::Null) => Ok(None),
            seed => {
                let seed = seed.and_then(Json::as_i64).map(|s| Some(s as u64));
                seed.ok_or_else(|| config.bad("seed", "the record of a SeedGenerator"))
            }
        },
        value => {
            value.as_i64().map(|s| Some(s as u64)).ok_or_else(|| config.bad("seed", "an integer"))
        }
    }
}

fn random(config: &Config, distribution: Distribution) -> Result<Initializer> {
    Ok(Initializer::Random { distribution, seed: seed(config)? })
}

fn scaled(
    config: &Config,
    scale: f64,
    mode: FanMode,
    distribution: ScaledDistribution,
) -> Result<Initializer> {
    let listed = |key: &str| match config.get(key) {
        Json::Null => Ok(None),
        _ => config.ints(key).map(Some),
    };
    let axes = listed("input_axes")?.zip(listed("output_axes")?).map(|(a, b)| [a, b]);
    Ok(Initializer::VarianceScaling { scale, mode, distribution, seed: seed(config)?, axes })
}

fn variance_scaling(config: &Config) -> Result<Initializer> {
    let modes = [("fan_in", FanMode::In), ("fan_out", FanMode::Out), ("fan_avg", FanMode::Average)];
    let distributions = [
        ("uniform", ScaledDistribution::Uniform),
        ("truncated_normal", ScaledDistribution::TruncatedNormal),
        ("normal", ScaledDistribution::TruncatedNormal),
        ("untruncated_normal", ScaledDistribution::UntruncatedNormal),
    ];
    let mode = config.choice("mode", &modes)?;
    scaled(config, config.float("scale")?, mode, config.choice("distribution", &distributions)?)
}

fn seeded() -> Json {
    json!({"seed": null, "input_axes": null, "output_axes": null})
}

fn normal(config: &Config) -> Result<(f64, f64)> {
    Ok((config.float("mean")?, config.float("stddev")?))
}

/// Class name, string name, constructor defaults, constructor.
const INITIALIZERS: &[Row] = &[
    ("Zeros", "zeros", || json!({}), |_| Ok(Initializer::Constant(0.0))),
    ("Ones", "ones", || json!({}), |_| Ok(Initializer::Constant(1.0))),
    (
        "Constant",
        "constant",
        || json!({"value": 0.0}),
        |c| match c.get("value") {
            Json::Object(_) | Json::Array(_) => {
                Ok(Initializer::Array(crate::layers::numbers::numbers(c, "value")?))
            }
            _ => Ok(Initializer::Constant(c.float("value")?)),
        },
    ),
    (
        "Identity",
        "identity",
        || json!({"gain": 1.0}),
        |c| Ok(Initializer::Identity(c.float("gain")?)),
    ),
    (
        "RandomUniform",
        "random_uniform",
        || json!({"minval": -0.05, "maxval": 0.05, "seed": null}),
        |c| {
            let (low, high) = (c.float("minval")?, c.float("maxval")?);
            random(c, Distribution::Uniform { low, high })
        },
    ),
    (
        "RandomNormal",
        "random_normal",
        || json!({"mean": 0.0, "stddev": 0.05, "seed": null}),
        |c| {
            let (mean, stddev) = normal(c)?;
            random(c, Distribution::Normal { mean, stddev })
        },
    ),
    (
        "TruncatedNormal",
        "truncated_normal",
        || json!({"mean": 0.0, "stddev": 0.05, "seed": null}),
        |c| {
            let (mean, stddev) = normal(c)?;
            random(c, Distribution::TruncatedNormal { mean, stddev })
        },
    ),
    (
        "VarianceScaling",
        "variance_scaling",
        || json!({"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", "seed": null, "input_axes": null, "output_axes": null}),
        variance_scaling,
    ),
    ("GlorotUniform", "glorot_uniform", seeded, |c| {
        scaled(c, 1.0, FanMode::Average, ScaledDistribution::Uniform)
    }),
    ("GlorotNormal", "glorot_normal", seeded, |c| {
        scaled(c, 1.0, FanMode::Average, ScaledDistribution::TruncatedNormal)
    }),
    ("HeUniform", "he_uniform", seeded, |c| {
        scaled(c, 2.0, FanMode::In, ScaledDistribution::Uniform)
    }),
    ("HeNormal", "he_normal", seeded, |c| {
        scaled(c, 2.0, FanMode::In, ScaledDistribution::TruncatedNormal)
    }),
    ("LecunUniform", "lecun_uniform", seeded, |c| {
        scaled(c, 1.0, FanMode::In, ScaledDistribution::Uniform)
    }),
    ("LecunNormal", "lecun_normal", seeded, |c| {
        scaled(c, 1.0, FanMode::In, ScaledDistribution::TruncatedNormal)
    }),
    (
        "Orthogonal",
        "orthogonal",
        || json!({"gain": 1.0, "seed": null}),
        |c| Ok(Initializer::Orthogonal { gain: c.float("gain")?, seed: seed(c)? }),
    ),
    (
        "STFT",
        "stft",
        || json!({"side": "real", "window": "hann", "scaling": "density", "periodic": false}),
        |c| StftKernel::from_config(c).map(Initializer::Stft),
    ),
];

/// Other names under which Keras finds an initializer.
const ALIASES: &[(&str, &str)] = &[
    ("OrthogonalInitializer", "Orthogonal"),
    ("IdentityInitializer", "Identity"),
    ("STFTInitializer", "STFT"),
    ("normal", "RandomNormal"),
    ("uniform", "RandomUniform"),
    ("one", "Ones"),
    ("zero", "Zeros"),
];

/// The class that an old or short name stands for; other names stand for themselves.
fn class_of(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, class)| class)
}

/// The class names that configs may hold.
pub fn class_names() -> impl Iterator<Item = &'static str> {
    INITIALIZERS.iter().map(|row| row.0)
}

/// The row of a class name or of a name such as `glorot_uniform`.
fn row_named(name: &str) -> Option<&'static Row> {
    let name = class_of(name);
    INITIALIZERS.iter().find(|r| r.1 == name.to_lowercase() || r.0 == name)
}

impl Initializer {
    /// Scaled for equal variance in both directions (Glorot and Bengio 2010).
    pub const GLOROT_UNIFORM: Initializer = Initializer::VarianceScaling {
        scale: 1.0,
        mode: FanMode::Average,
        distribution: ScaledDistribution::Uniform,
        seed: None,
        axes: None,
    };

    /// Keras's `Zeros`.
    pub const ZEROS: Initializer = Initializer::Constant(0.0);
    /// Keras's `Ones`.
    pub const ONES: Initializer = Initializer::Constant(1.0);

    /// The initializer under a config key: a name, a record, or null for zeros.
    ///
    /// # Errors
    /// If it names no initializer of Keras or of the user, or one of its own keys is wrong.
    pub fn from_config(config: &Config, key: &str) -> Result<Initializer> {
        let owner = || format!("{} ({key})", config.owner());
        match config.get(key) {
            Json::Null => Ok(Initializer::ZEROS),
            Json::String(name) => {
                let row = row_named(name);
                let row = row.ok_or_else(|| config.bad(key, "the name of a Keras initializer"))?;
                (row.3)(&Config::new(owner(), serde_json::Map::new(), (row.2)()))
            }
            Json::Object(record) => {
                let name = record.get("registered_name").and_then(Json::as_str);
                match name.and_then(|name| config.custom_initializer(name)) {
                    Some(new) => construct(owner(), record, Json::Null, |config| new(config)),
                    None => Initializer::from_record(owner(), record),
                }
            }
            _ => Err(config.bad(key, "an initializer")),
        }
    }

    fn from_record(owner: String, record: &serde_json::Map<String, Json>) -> Result<Initializer> {
        let text = |key: &str| record.get(key).and_then(Json::as_str).unwrap_or("");
        let class = class_of(text("class_name"));
        let known = text("module").is_empty() || text("module").starts_with("keras.");
        let row = INITIALIZERS.iter().find(|r| known && r.0 == class);
        let Some(row) = row.filter(|_| record.get("config").is_some_and(Json::is_object)) else {
            return Err(Error::UnknownClass {
                kind: "initializer",
                name: quote(class),
                module: quote(text("module")),
                hint: format!(
                    "in {owner}; expected a class of keras.initializers, or one registered with \
                     CustomObjects::initializer"
                ),
            });
        };
        construct(owner, record, (row.2)(), row.3)
    }

    /// The elements of a weight of this shape, computed when read.
    ///
    /// # Errors
    /// If the initializer has no weight of this shape.
    pub fn source(&self, shape: Shape, dtype: DType) -> Result<Arc<dyn Source>> {
        let spec = Spec::new(shape, dtype);
        let distribution = match self {
            Initializer::Constant(value) => Distribution::Constant(*value),
            Initializer::Identity(gain) => identity(&spec.shape, *gain)?,
            Initializer::Random { distribution, .. } => *distribution,
            Initializer::VarianceScaling { scale, mode, distribution, axes, .. } => {
                let fans = fans(&spec.shape, axes.as_ref())?;
                scaled_distribution(fans, *scale, *mode, *distribution)
            }
            Initializer::Named(name) => Distribution::Unsupported(name),
            Initializer::Array(_) | Initializer::Orthogonal { .. } | Initializer::Stft(_) => {
                return self.computed(spec);
            }
        };
        let seed = match self {
            Initializer::Random { seed, .. } | Initializer::VarianceScaling { seed, .. } => *seed,
            _ => Some(0),
        };
        Ok(Arc::new(RandomSource::new(spec, distribution, seed.unwrap_or_else(fresh_seed))))
    }

    /// The source of a weight that is computed as a whole.
    fn computed(&self, spec: Spec) -> Result<Arc<dyn Source>> {
        let make: computed::Make = match self.clone() {
            Initializer::Array(values) => {
                if spec.shape.broadcast(values.shape())? != spec.shape {
                    let found = format!("an array {} for {}", values.shape(), spec.shape);
                    return Err(Error::shape("constant initializer", found, "one that broadcasts"));
                }
                Box::new(move |spec| computed::broadcast(&values, spec))
            }
            Initializer::Orthogonal { gain, seed } => {
                orthogonal::extents(&spec.shape)?;
                let seed = seed.unwrap_or_else(fresh_seed);
                Box::new(move |spec| orthogonal::orthogonal(spec, gain, seed))
            }
            Initializer::Stft(kernel) => {
                StftKernel::extents(&spec.shape)?;
                Box::new(move |spec| kernel.kernel(spec))
            }
            other => return Err(Error::Internal(format!("{other:?} is not computed as a whole"))),
        };
        Ok(Arc::new(ComputedSource::new(spec, make)))
    }
}

/// The initializer of a record, every key of whose config must be known to its constructor.
fn construct(
    owner: String,
    record: &serde_json::Map<String, Json>,
    defaults: Json,
    new: impl Fn(&Config) -> Result<Initializer>,
) -> Result<Initializer> {
    let given = record.get("config").and_then(Json::as_object).cloned().unwrap_or_default();
    let config = Config::new(owner, given, defaults);
    let initializer = new(&config)?;
    config.finish()?;
    Ok(initializer)
}

fn identity(shape: &Shape, gain: f64) -> Result<Distribution> {
    match shape.as_slice() {
        &[_, columns] => Ok(Distribution::Diagonal { gain, columns: columns as u64 }),
        _ => Err(Error::shape("identity initializer", shape.to_string(), "a matrix")),
    }
}

/// Fans of a weight as Keras counts them: the last two axes are in and out, the others a window; or the
/// extents of the axes that are named.
fn fans(shape: &Shape, axes: Option<&[Vec<i64>; 2]>) -> Result<(f64, f64)> {
    if let Some(axes) = axes {
        let count = |axes: &Vec<i64>| -> Result<f64> {
            let extents = axes.iter().map(|&axis| Ok(shape[shape.axis(axis)?] as f64));
            Ok(extents.collect::<Result<Vec<f64>>>()?.into_iter().product())
        };
        return Ok((count(&axes[0])?, count(&axes[1])?));
    }
    Ok(match shape.as_slice() {
        [] => (1.0, 1.0),
        [n] => (*n as f64, *n as f64),
        [window @ .., fan_in, fan_out] => {
            let window = window.iter().product::<usize>() as f64;
            (*fan_in as f64 * window, *fan_out as f64 * window)
        }
    })
}

fn scaled_distribution(
    (fan_in, fan_out): (f64, f64),
    scale: f64,
    mode: FanMode,
    distribution: ScaledDistribution,
) -> Distribution {
    let fan = match mode {
        FanMode::In => fan_in,
        FanMode::Out => fan_out,
        FanMode::Average => f64::midpoint(fan_in, fan_out),
    };
    let variance = scale / fan.max(1.0);
    match distribution {
        // The standard deviation of a normal cut at two of its own is 0.8796.
        ScaledDistribution::TruncatedNormal => Distribution::TruncatedNormal {
            mean: 0.0,
            stddev: variance.sqrt() / 0.879_625_661_034_239_8,
        },
        ScaledDistribution::UntruncatedNormal => {
            Distribution::Normal { mean: 0.0, stddev: variance.sqrt() }
        }
        ScaledDistribution::Uniform => {
            let bound = (3.0 * variance).sqrt();
            Distribution::Uniform { low: -bound, high: bound }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    fn values(initializer: &Initializer, shape: &[usize]) -> Vec<f64> {
        let source = initializer.source(shape.into(), DType::Float32).unwrap();
        Tensor::from_source(source.as_ref()).unwrap().iter_f64().collect()
    }

    #[test]
    fn scaled_distributions_have_the_stated_variance() {
        for distribution in [
            ScaledDistribution::Uniform,
            ScaledDistribution::TruncatedNormal,
            ScaledDistribution::UntruncatedNormal,
        ] {
            let mode = FanMode::Average;
            let initializer = Initializer::VarianceScaling {
                scale: 2.0,
                mode,
                distribution,
                seed: Some(7),
                axes: None,
            };
            let x = values(&initializer, &[200, 300]);
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            assert!(mean.abs() < 1e-3, "{distribution:?}: mean {mean}");
            assert!((variance / (2.0 / 250.0) - 1.0).abs() < 0.02, "{distribution:?}: {variance}");
        }
    }

    #[test]
    fn an_identity_has_its_gain_on_the_diagonal() {
        let eye = Initializer::Identity(3.0);
        assert_eq!(values(&eye, &[3, 2]), [3.0, 0.0, 0.0, 3.0, 0.0, 0.0]);
        assert_eq!(values(&eye, &[2, 3]), [3.0, 0.0, 0.0, 0.0, 3.0, 0.0]);
        assert!(eye.source([2].into(), DType::Float32).is_err());
    }

    #[test]
    fn a_seed_gives_the_same_elements_whatever_the_pieces() {
        let distribution = Distribution::TruncatedNormal { mean: 1.0, stddev: 2.0 };
        let initializer = Initializer::Random { distribution, seed: Some(3) };
        let source = initializer.source([1000].into(), DType::Float32).unwrap();
        let whole = Tensor::from_source(source.as_ref()).unwrap();
        let mut piece = vec![0; 400];
        source.read(1200, &mut piece).unwrap();
        assert_eq!(piece, whole.bytes()[1200..1600]);
        assert!(whole.iter_f64().all(|x| (x - 1.0).abs() <= 4.0));
    }
}

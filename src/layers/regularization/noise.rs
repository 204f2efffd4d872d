//! `keras.layers.Dropout` and the other layers that disturb their input at random while training,
//! and pass it on unchanged in inference.
//!
//! Output shape = input shape.

use crate::base::{Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::seed_generator::SeedGenerator;
use crate::layers::spatial::DataFormat;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs};
use crate::tensor::Variable;

macro_rules! noise {
    ($($(#[$doc:meta])* $name:ident ($required:ident) { $($key:ident : $default:tt),* } $kind:expr;)*) => { $(
        builder! {
            $(#[$doc])*
            $name($required) { $($key: $default),* }
        }

        impl $name {
            pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
                let kind: fn(&Config) -> Result<Noise> = $kind;
                noise(stringify!($name), stringify!($required), kind(config)?, config)
            }
        }
    )* };
}

noise! {
    /// Sets a share of the inputs to zero, in training.
    Dropout(rate) { seed: null, noise_shape: null } |c| Ok(Noise::Dropout(noise_shape(c)?));
    /// Sets a share of the channels to zero, in training.
    SpatialDropout1D(rate) { seed: null } |_| Ok(Noise::Spatial(3, DataFormat::ChannelsLast));
    /// Sets a share of the channels to zero, in training.
    SpatialDropout2D(rate) { seed: null, data_format: null }
        |c| Ok(Noise::Spatial(4, DataFormat::from_config(c)?));
    /// Sets a share of the channels to zero, in training.
    SpatialDropout3D(rate) { seed: null, data_format: null }
        |c| Ok(Noise::Spatial(5, DataFormat::from_config(c)?));
    /// Keeps mean and variance of self-normalizing inputs while dropping some, in training.
    AlphaDropout(rate) { seed: null, noise_shape: null } |c| Ok(Noise::Alpha(noise_shape(c)?));
    /// Multiplies by normal noise around 1, in training.
    GaussianDropout(rate) { seed: null } |_| Ok(Noise::Factor);
    /// Adds normal noise, in training.
    GaussianNoise(stddev) { seed: null } |_| Ok(Noise::Term);
}

/// How the input is disturbed.
enum Noise {
    /// Elements are dropped; decisions have this shape.
    Dropout(Option<NoiseShape>),
    /// Whole channels are dropped, of inputs of this rank.
    Spatial(usize, DataFormat),
    /// Elements are set to what a SELU tends to.
    Alpha(Option<NoiseShape>),
    /// Multiplied.
    Factor,
    /// Added.
    Term,
}

/// The extents of the noise; `None` for those of the input.
type NoiseShape = Vec<Option<usize>>;

struct NoiseLayer {
    base: LayerBase,
    strength: f64,
    noise: Noise,
    seed_generator: SeedGenerator,
}

fn noise_shape(config: &Config) -> Result<Option<NoiseShape>> {
    let bad = || config.bad("noise_shape", "a list of positive integers and nulls, or null");
    let extent = |json: &Json| match json {
        Json::Null => Ok(None),
        _ => match json.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n > 0 => Ok(Some(n)),
            _ => Err(bad()),
        },
    };
    match config.get("noise_shape") {
        Json::Null => Ok(None),
        Json::Array(items) => items.iter().map(extent).collect::<Result<_>>().map(Some),
        _ => Err(bad()),
    }
}

fn noise(
    class_name: &'static str,
    key: &str,
    noise: Noise,
    config: &Config,
) -> Result<Box<dyn Layer>> {
    let strength = config.share(key)?;
    Ok(Box::new(NoiseLayer {
        base: LayerBase::new(class_name, config)?,
        strength,
        noise,
        seed_generator: SeedGenerator::from_config(config)?,
    }))
}

/// The shape of the noise for an input.
fn concrete(noise_shape: &Option<NoiseShape>, input: &Shape) -> Result<Shape> {
    match noise_shape {
        None => Ok(input.clone()),
        Some(extents) if extents.len() == input.rank() => Ok(extents
            .iter()
            .zip(input.iter())
            .map(|(extent, &own)| extent.unwrap_or(own))
            .collect()),
        Some(extents) => {
            let found = format!("{} extents for {input}", extents.len());
            Err(Error::shape("noise_shape", found, "one for each axis of the input"))
        }
    }
}

impl NoiseLayer {
    /// The input as training sees it.
    fn disturbed<'g>(&self, cx: &Context<'g>, x: Value<'g>) -> Result<Value<'g>> {
        let (shape, rate, seeds) = (x.shape(), self.strength, &self.seed_generator);
        match &self.noise {
            Noise::Dropout(extents) => seeds.dropout(cx, x, rate, concrete(extents, &shape)?),
            Noise::Spatial(rank, format) => {
                let expected = || format!("rank {rank}");
                if x.rank() != *rank {
                    return Err(Error::shape("spatial dropout", shape.to_string(), expected()));
                }
                let channel = shape.axis(format.channel_axis())?;
                let kept = |(i, &d): (usize, &usize)| if i == 0 || i == channel { d } else { 1 };
                seeds.dropout(cx, x, rate, shape.iter().enumerate().map(kept).collect())
            }
            Noise::Alpha(_) | Noise::Factor if rate >= 1.0 => {
                let what = format!("training with {} of rate 1", self.base.class_name);
                Err(Error::Unsupported(what))
            }
            Noise::Alpha(extents) => self.alpha(cx, x, concrete(extents, &shape)?),
            Noise::Factor => {
                let deviation = (rate / (1.0 - rate)).sqrt();
                Ok(x * (seeds.next(cx)?.normal(shape, x.dtype()) * deviation + 1.0))
            }
            Noise::Term => Ok(x + seeds.next(cx)?.normal(shape, x.dtype()) * rate),
        }
    }

    /// Self-normalizing networks (Klambauer et al., 2017): what is dropped becomes the limit of a SELU,
    /// then mean and variance are restored.
    fn alpha<'g>(&self, cx: &Context<'g>, x: Value<'g>, noise_shape: Shape) -> Result<Value<'g>> {
        const LIMIT: f64 = -1.673_263_242_354_377_2 * 1.050_700_987_355_480_5;
        let rate = self.strength;
        let draw = self.seed_generator.next(cx)?;
        let noise = draw.uniform(noise_shape, 0.0, 1.0, crate::base::DType::Float32);
        let kept = noise.binary("ge", noise.like(rate));
        let a = ((1.0 - rate) * (1.0 + rate * LIMIT * LIMIT)).powf(-0.5);
        let dropped = x.like(LIMIT);
        Ok(kept.select(x, dropped) * a - a * LIMIT * rate)
    }
}

impl Layer for NoiseLayer {
    layer_base!();

    fn memory(&self) -> Vec<Variable> {
        vec![self.seed_generator.state().clone()]
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        match cx.training() && self.strength > 0.0 {
            true => self.disturbed(cx, x).map(Outputs::from),
            false => Ok(x.into()),
        }
    }
}

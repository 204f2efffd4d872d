//! `keras.layers.AugMix`: in training, mixes chains of operations on images (Hendrycks et al. 2020). Inference
//! passes images on in the compute dtype.
//!
//! Which operations make a chain is drawn for every call from the layer's seed. Keras draws that with
//! Python's own generator, and once only where a step of training is compiled.
//!
//! Output shape = input shape.

use crate::base::{DType, Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::policy::{Change, changes};
use crate::layers::preprocessing::image::settings::{clip, value_range};

/// The most operations in all chains: each stands for all of the list in the program.
const MAX_OPERATIONS: usize = 64;

/// What chains are made of, in Keras's order; those of colour only with `all_ops`.
const CHANGES: [Change; 11] = [
    Change::Shear,
    Change::Translation,
    Change::Rotation,
    Change::Posterization,
    Change::Solarization,
    Change::AutoContrast,
    Change::Equalization,
    Change::Brightness,
    Change::ColorDegeneration,
    Change::Contrast,
    Change::Sharpness,
];

builder! {
    /// Mixes chains of operations on images, in training.
    AugMix() {
        value_range: [0, 255],
        num_chains: 3,
        chain_depth: 3,
        factor: 0.3,
        alpha: 1.0,
        all_ops: true,
        interpolation: "bilinear",
        seed: null,
        data_format: null,
    }
}

struct Mixed {
    operations: Vec<Box<dyn Augment>>,
    range: [f64; 2],
    /// Number of chains.
    chains: usize,
    /// Operations in a chain, of which some change nothing.
    depth: usize,
    alpha: f64,
}

impl AugMix {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let list = if config.bool("all_ops")? { &CHANGES[..] } else { &CHANGES[..7] };
        let count = |key: &str| {
            let number = usize::try_from(config.int(key)?);
            number.map_err(|_| config.bad(key, "a number that is not negative"))
        };
        let mixed = Mixed {
            operations: changes(config, list)?,
            range: value_range(config)?,
            chains: count("num_chains")?,
            depth: count("chain_depth")?,
            alpha: config.float("alpha")?,
        };
        ImageLayer::boxed("AugMix", config, mixed)
    }
}

/// What one step of a chain does to images or to masks.
type Step<'a, 'g> = &'a dyn Fn(&dyn Augment, Value<'g>, &Draw<'g>) -> Result<Value<'g>>;

impl Mixed {
    fn check(&self) -> Result<()> {
        if self.chains.saturating_mul(self.depth) > MAX_OPERATIONS {
            return Err(Error::Unsupported(format!(
                "training with AugMix of {} chains of {} operations, more than {MAX_OPERATIONS}",
                self.chains, self.depth
            )));
        }
        match self.alpha > 0.0 && self.alpha.is_finite() {
            true => Ok(()),
            false => Err(Error::Invalid(format!(
                "training with AugMix: alpha is {}, expected a positive number",
                self.alpha
            ))),
        }
    }

    /// One step of a chain: the operation that was drawn for it, or none.
    fn step<'g>(&self, x: Value<'g>, draw: &Draw<'g>, step: Step<'_, 'g>) -> Result<Value<'g>> {
        let [chosen] = draw.take()?;
        let mut result = x;
        for (index, operation) in self.operations.iter().enumerate() {
            let changed = step(operation.as_ref(), x, draw.part(index)?)?;
            result = chosen.binary("eq", chosen.like(index as f64)).select(changed, result);
        }
        Ok(result)
    }

    /// `x` mixed with the chains' mean, as a floating `dtype`.
    fn mixed<'g>(
        &self,
        x: Value<'g>,
        draw: &Draw<'g>,
        dtype: DType,
        step: Step<'_, 'g>,
    ) -> Result<Value<'g>> {
        let [weights, share] = draw.take::<2>()?.map(|v| v.cast(dtype));
        let own = x.cast(dtype);
        let mut sum = own.like(0.0);
        for chain in 0..self.chains {
            let mut changed = x;
            for i in 0..self.depth {
                changed = self.step(changed, draw.part(chain * self.depth + i)?, step)?;
            }
            sum = sum + changed.cast(dtype) * weights.narrow(0, chain, 1).reshape([]);
        }
        Ok(own * share + sum * (-share + 1.0))
    }
}

impl Augment for Mixed {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        self.check()?;
        let alpha = scene.cx.graph().scalar(self.alpha, DType::Float32);
        let weights = scene.seeds.next(scene.cx)?.gamma([self.chains], alpha);
        let weights = weights / weights.sum(&[0]);
        let share = scene.seeds.next(scene.cx)?.beta(Shape::scalar(), alpha, alpha);
        let mut draw = Draw::from(vec![weights, share]);
        for _ in 0..self.chains * self.depth {
            // The number behind the last operation's stands for none.
            let count = self.operations.len() as i32 + 1;
            let chosen = scene.seeds.next(scene.cx)?.randint(Shape::scalar(), 0, count);
            let mut part = Draw::from(vec![chosen]);
            for operation in &self.operations {
                part.parts.push(operation.draw(scene)?);
            }
            draw.parts.push(part);
        }
        Ok(draw)
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let dtype = scene.cx.compute_dtype();
        let mixed = self.mixed(images.cast(dtype), draw, dtype, &|operation, x, part| {
            operation.images(scene, x, part).map(|changed| changed.cast(dtype))
        })?;
        Ok(clip(mixed, self.range))
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let dtype = match masks.dtype() {
            DType::Float32 => DType::Float32,
            _ => scene.cx.compute_dtype(),
        };
        self.mixed(masks, draw, dtype, &|operation, x, part| {
            operation.masks(scene, x, part).map(|changed| changed.cast(masks.dtype()))
        })
    }
}

//! `keras.layers.AugMix`: in training, mixes chains of operations on images (Hendrycks et al. 2020). Inference
//! passes images on in the compute dtype. Training is refused: Keras chooses the operations by Python's own
//! generator, which has no seed in the file.
//!
//! Output shape = input shape.

use crate::base::{Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::settings::{factor, value_range};

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

struct Mixed;

impl AugMix {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        value_range(config)?;
        config.size("num_chains")?;
        config.size("chain_depth")?;
        factor(config, "factor", [0.0, 1.0])?;
        config.float("alpha")?;
        config.bool("all_ops")?;
        config.choice("interpolation", &[("nearest", ()), ("bilinear", ())])?;
        ImageLayer::boxed("AugMix", config, Mixed)
    }
}

impl Augment for Mixed {
    fn draw<'g>(&self, _: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        Err(Error::Unsupported("training with AugMix, whose choices have no seed".into()))
    }

    fn images<'g>(&self, scene: &Scene<'_, 'g>, _: Value<'g>, _: &Draw<'g>) -> Result<Value<'g>> {
        self.draw(scene).map(|_| scene.cx.graph().scalar(0.0, scene.cx.compute_dtype()))
    }
}

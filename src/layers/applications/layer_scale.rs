//! `LayerScale` of ConvNeXt (Touvron et al. 2021): one learned factor per channel.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 variable | (projection_dim) | always |
//!
//! Output shape = input shape.

use crate::base::Result;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::tensor::Variable;

/// Multiplies the channels by learned factors.
pub enum LayerScale {}

struct LayerScaleLayer {
    base: LayerBase,
    initializer: Initializer,
    channels: usize,
    gamma: Option<Variable>,
}

impl LayerScale {
    pub(crate) fn defaults() -> Json {
        Json::Null
    }

    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(LayerScaleLayer {
            base: LayerBase::new("LayerScale", config)?,
            initializer: Initializer::Constant(config.float("init_values")?),
            channels: config.size("projection_dim")?,
            gamma: None,
        }))
    }
}

impl Layer for LayerScaleLayer {
    layer_base!();

    fn build(&mut self, _inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        self.gamma = Some(self.base.add_weight("variable", [self.channels], &self.initializer)?);
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        Ok((args.input()? * cx.weight(&self.gamma, "gamma")?).into())
    }
}

//! `StochasticDepth` of ConvNeXt (Huang et al. 2016): drops whole samples of a residual branch while
//! training, and passes its input on unchanged in inference.
//!
//! Output shape = input shape.

use crate::base::{DType, Result, Shape};
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::seed_generator::SeedGenerator;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs};
use crate::tensor::Variable;

/// Drops residual branches, in training.
pub enum StochasticDepth {}

struct StochasticDepthLayer {
    base: LayerBase,
    drop_path_rate: f64,
    /// Keras draws from a generator of the whole process, whose state no file holds.
    seed_generator: SeedGenerator,
}

impl StochasticDepth {
    pub(crate) fn defaults() -> Json {
        serde_json::json!({ "drop_path_rate": null })
    }

    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let drop_path_rate = config.float("drop_path_rate")?;
        if !(0.0..=1.0).contains(&drop_path_rate) {
            return Err(config.bad("drop_path_rate", "a number from 0 to 1"));
        }
        Ok(Box::new(StochasticDepthLayer {
            base: LayerBase::new("StochasticDepth", config)?,
            drop_path_rate,
            seed_generator: SeedGenerator::new(None)?,
        }))
    }
}

impl Layer for StochasticDepthLayer {
    layer_base!();

    fn memory(&self) -> Vec<Variable> {
        vec![self.seed_generator.state().clone()]
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        if !cx.training() {
            return Ok(x.into());
        }
        let keep = 1.0 - self.drop_path_rate;
        let extents = |(axis, &extent)| if axis == 0 { extent } else { 1 };
        let samples: Shape = x.shape().iter().enumerate().map(extents).collect();
        let draw = self.seed_generator.next(cx)?.uniform(samples, 0.0, 1.0, DType::Float32);
        Ok((x / keep * (draw + keep).unary("floor").cast(x.dtype())).into())
    }
}

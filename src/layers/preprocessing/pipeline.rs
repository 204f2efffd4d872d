//! `keras.layers.Pipeline`: layers one after the other, as one layer.
//!
//! The layers' weights are under `layers`. Input, alone or in a mapping → output of the last layer.

use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{Error, Nested, Result, ResultExt};
use crate::builder;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{
    Arg, Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec, build, output_specs,
};

builder! {
    /// Several layers as one. They are given as a list of their records.
    Pipeline(layers) {}
}

struct Chain {
    base: LayerBase,
    layers: Vec<Arc<dyn Layer>>,
}

impl Pipeline {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let layers = config.layer_list("layers")?.into_iter().map(Arc::from).collect();
        let mut base = LayerBase::new("Pipeline", config)?;
        // Each layer casts what it gets by its own policy.
        base.autocast = false;
        Ok(Box::new(Chain { base, layers }))
    }
}

impl Layer for Chain {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let Some(first) = inputs.get(0, "inputs") else {
            return Err(Error::shape("Pipeline", "no input", "one input"));
        };
        let mut args = CallArgs::one(first.clone());
        for layer in &mut self.layers {
            let name = quote(&layer.base().name);
            build(layer, &args).at(|| format!("layer '{name}'"))?;
            args = CallArgs::one(Arg::from(&output_specs(layer.as_ref(), &args)?));
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let mut masks = vec![args.tensor(usize::MAX, "mask")?];
        let nested = args.get(0, "inputs").and_then(Arg::nested);
        let mut current = nested.ok_or_else(|| Error::shape("Pipeline", "no input", "tensors"))?;
        for layer in &self.layers {
            let mut args = CallArgs::one(Arg::from(&current));
            let mask = masks.first().copied().flatten();
            if let Some(mask) = mask.filter(|_| layer.keywords().contains(&"mask")) {
                args.keyword.push(("mask".into(), Arg::Tensor(mask)));
            }
            (current, masks) = cx.call_with_masks(layer.as_ref(), &args, &masks)?;
        }
        Ok(current)
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        let layers = self.layers.iter().cloned().map(Nested::Leaf).collect();
        vec![("layers", Nested::List(layers))]
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["mask"]
    }
}

//! `keras.layers.TimeDistributed`: one layer on every time step.
//!
//! The layer's weights are under `layer`. Input (batch, steps, …) → output (batch, steps, …): what the
//! layer gives for (batch, …).

use std::sync::Arc;

use crate::base::{Error, Nested, Result, SymbolicShape};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec, build};

builder! {
    /// Applies a layer to every time step. The layer is given as its record.
    TimeDistributed(layer) {}
}

struct TimeDistributedLayer {
    base: LayerBase,
    layer: Arc<dyn Layer>,
}

impl TimeDistributed {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(TimeDistributedLayer {
            base: LayerBase::new("TimeDistributed", config)?,
            layer: Arc::from(config.layer("layer")?),
        }))
    }
}

impl TimeDistributedLayer {
    /// The mask of a call, (steps, batch, …).
    fn mask<'g>(&self, args: &Args<'g>, x: Value<'g>) -> Result<Option<Value<'g>>> {
        let Some(mask) = args.tensor(usize::MAX, "mask")? else { return Ok(None) };
        let shape = mask.shape();
        if shape.rank() < 2 || x.shape().get(..2) != Some(&shape[..2]) {
            let expected = format!("(batch, steps) of inputs {}, and more axes if any", x.shape());
            return Err(Error::shape("mask", shape.to_string(), expected));
        }
        Ok(Some(mask.move_axis(1, 0)).filter(|_| self.layer.keywords().contains(&"mask")))
    }
}

impl Layer for TimeDistributedLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let Some(Arg::Tensor(spec)) = inputs.get(0, "inputs") else {
            return Err(Error::shape("TimeDistributed", "no tensor", "one tensor"));
        };
        let mut extents = spec.shape.0.clone();
        if extents.len() < 3 {
            let found = format!("inputs {}", spec.shape);
            return Err(Error::shape("TimeDistributed", found, "(batch, steps, …)"));
        }
        extents.remove(1);
        let spec = SymbolicSpec { shape: SymbolicShape(extents), dtype: spec.dtype };
        build(&mut self.layer, &CallArgs::one(Arg::Tensor(spec)))
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        if x.rank() < 3 {
            let found = format!("inputs {}", x.shape());
            return Err(Error::shape("TimeDistributed", found, "(batch, steps, …)"));
        }
        let mask = self.mask(args, x)?;
        let sequences: Vec<Value<'g>> = [x.move_axis(1, 0)].into_iter().chain(mask).collect();
        let one = |x: &[Value<'g>]| {
            let mut call = CallArgs::one(Arg::Tensor(x[0]));
            call.keyword.extend(x.get(1).map(|mask| ("mask".into(), Arg::Tensor(*mask))));
            // Keras calls the layer's `call`, so a penalty on its outputs has no effect.
            let outputs = cx.call_inside(self, self.layer.as_ref(), &call)?;
            let several =
                || Error::Unsupported("TimeDistributed of a layer with several outputs".into());
            outputs.leaf().copied().ok_or_else(several)
        };
        let steps = sequences[0].extent(0);
        let (outputs, _) = cx.graph().loop_over_time(steps, false, &sequences, &[], |x, _| {
            Ok((vec![one(x)?], Vec::new()))
        })?;
        let none = || Error::Internal("a loop without output".into());
        Ok(outputs.first().ok_or_else(none)?.move_axis(0, 1).into())
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        vec![("layer", Nested::Leaf(self.layer.clone()))]
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["mask"]
    }
}

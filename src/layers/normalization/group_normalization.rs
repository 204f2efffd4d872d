//! `keras.layers.GroupNormalization`: output = (inputs − mean) / √(variance + epsilon) · gamma + beta,
//! with mean and variance over space and over the channels of one group, for each sample.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | gamma | (extent of axis) | scale |
//! | beta | (extent of axis) | center |
//!
//! Output shape = input shape.

use super::affine::{Affine, only_axes, widen};
use crate::base::{Error, Result, Shape};
use crate::builder;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};

builder! {
    /// Normalizes groups of channels of each sample; −1 groups means one per channel.
    GroupNormalization() {
        groups: 32,
        axis: (-1),
        epsilon: 0.001,
        center: true,
        scale: true,
        beta_initializer: "zeros",
        gamma_initializer: "ones",
        beta_regularizer: null,
        gamma_regularizer: null,
        beta_constraint: null,
        gamma_constraint: null,
    }
}

struct GroupNormalizationLayer {
    base: LayerBase,
    /// `None` for one group per channel.
    groups: Option<usize>,
    axis: i64,
    epsilon: f64,
    affine: Affine,
}

impl GroupNormalization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let mut base = LayerBase::new("GroupNormalization", config)?;
        base.autocast = false;
        Ok(Box::new(GroupNormalizationLayer {
            base,
            groups: if config.int("groups")? == -1 { None } else { Some(config.size("groups")?) },
            axis: config.int("axis")?,
            epsilon: config.float("epsilon")?,
            affine: Affine::from_config(config)?,
        }))
    }
}

impl GroupNormalizationLayer {
    fn groups_of(&self, channels: usize) -> Result<usize> {
        let groups = self.groups.unwrap_or(channels);
        if channels == 0 || !channels.is_multiple_of(groups) {
            let expected = format!("a multiple of the {groups} groups");
            return Err(Error::shape(
                "group normalization",
                format!("{channels} channels"),
                expected,
            ));
        }
        Ok(groups)
    }
}

impl Layer for GroupNormalizationLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let channels = inputs.input_shape()?.known(self.axis)?;
        self.groups_of(channels)?;
        self.affine.build(&mut self.base, &Shape::from([channels]))
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let input = args.input()?;
        let x = widen(input);
        let shape = x.shape();
        let axis = shape.axis(self.axis)?;
        let groups = self.groups_of(shape[axis])?;
        // The channel axis becomes two: groups, and channels within a group.
        let split = |shape: &Shape| {
            let mut extents = shape.with(axis, shape[axis] / groups).to_vec();
            extents.insert(axis, groups);
            Shape::from(extents)
        };
        let grouped = x.reshape(split(&shape));
        let axes: Vec<usize> = (1..grouped.rank()).filter(|&i| i != axis).collect();
        let weights = split(&only_axes(&shape, &[axis]));
        let statistics = grouped.moments(&axes);
        let y = self.affine.normalize(cx, grouped, statistics, self.epsilon, &weights);
        Ok(y.reshape(shape).cast(input.dtype()).cast(cx.compute_dtype()).into())
    }
}

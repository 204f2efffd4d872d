//! `keras.layers.GRU` and its cell (Cho et al. 2014). With x = inputs · kernel + input bias cut into
//! three gates z, r, h, the same for the state, and σ the recurrent activation:
//!
//! z = σ(xz + hz), r = σ(xr + hr), new = activation(xh + …), h = z · h + (1 − z) · new
//!
//! where … is r · (h · recurrent_kernel + recurrent bias) with `reset_after`, else (r · h) ·
//! recurrent_kernel.
//!
//! Weights: see [`Weights`], with three gates; with `reset_after` the bias is (2, 3 · units), for inputs
//! and for states. Input (batch, steps, features) → output (batch, units), or (batch, steps, units) with
//! `return_sequences`; with `return_state` also the last h.

use super::builders::{cell_builder, recurrent_builder};
use super::cell::{Cell, States, cell_base, gates, state_list, take_states};
use super::dropout::DropoutMasks;
use super::recurrence::recurrent_layer;
use super::weights::Weights;
use crate::activations::Activation;
use crate::base::{Result, Shape};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::{Args, CallArgs, Context, Layer, Outputs, SymbolicSpec};

cell_builder! {
    /// One step of a [`GRU`].
    GRUCell(units) {
        activation: "tanh",
        recurrent_activation: "sigmoid",
        reset_after: true,
    }
}

recurrent_builder! {
    /// A recurrent layer with gated units.
    GRU(units) {
        activation: "tanh",
        recurrent_activation: "sigmoid",
        reset_after: true,
    }
}

struct GruCell {
    weights: Weights,
    recurrent_activation: Activation,
    reset_after: bool,
}

impl GRUCell {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(GruCell::new(None, config)?))
    }
}

impl GRU {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let cell = GruCell::new(Some("gru_cell"), config)?;
        recurrent_layer("GRU", config, Box::new(cell), Some(3))
    }
}

impl GruCell {
    fn new(name: Option<&str>, config: &Config) -> Result<GruCell> {
        Ok(GruCell {
            weights: Weights::from_config("GRUCell", name, config)?,
            recurrent_activation: Activation::from_config(config, "recurrent_activation")?,
            reset_after: config.bool("reset_after")?,
        })
    }

    /// The bias of inputs (row 0) or of states (row 1), where there is one.
    fn bias<'g>(&self, cx: &Context<'g>, row: usize) -> Option<Value<'g>> {
        let bias = self.weights.bias(cx)?;
        match (self.reset_after, row) {
            (true, row) => Some(bias.narrow(0, row, 1).reshape([3 * self.weights.units])),
            (false, 0) => Some(bias),
            (false, _) => None,
        }
    }
}

impl Layer for GruCell {
    cell_base!(weights.base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        self.weights.build(inputs, 3, self.reset_after.then_some(2), false)
    }
}

impl Cell for GruCell {
    fn state_size(&self) -> Vec<usize> {
        vec![self.weights.units]
    }

    fn masks<'g>(
        &self,
        cx: &Context<'g>,
        input: &Shape,
        _: &States<'g>,
    ) -> Result<DropoutMasks<'g>> {
        self.weights.gate_masks(cx, input, 3)
    }

    fn project<'g>(
        &self,
        cx: &Context<'g>,
        inputs: Value<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<Value<'g>> {
        let x = self.weights.inputs(cx, inputs, masks)?;
        Ok(self.bias(cx, 0).map_or(x, |bias| x + bias))
    }

    fn step<'g>(
        &self,
        cx: &Context<'g>,
        input: Value<'g>,
        states: &States<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<(Value<'g>, States<'g>)> {
        let [h] = take_states(states)?;
        let units = self.weights.units;
        let (gate, activation) = (self.recurrent_activation, self.weights.activation);
        let [xz, xr, xh] = gates(input, units);
        let (z, new) = if self.reset_after {
            let inner = self.weights.states(cx, h, &masks.states, 3)?;
            let inner = self.bias(cx, 1).map_or(inner, |bias| inner + bias);
            let [hz, hr, hh] = gates(inner, units);
            (gate.apply(xz + hz), xh + gate.apply(xr + hr) * hh)
        } else {
            let [hz, hr] = gates(self.weights.states(cx, h, &masks.states, 2)?, units);
            let kept = masks.states.get(2).map_or(h, |mask| h * *mask);
            let reset = gate.apply(xr + hr) * kept;
            let kernel = self.weights.recurrent_kernel(cx)?;
            (gate.apply(xz + hz), xh + reset.dot(kernel.narrow(1, 2 * units, units)))
        };
        let h = z * h + (z.like(1.0) - z) * activation.apply(new);
        Ok((h, state_list([h])))
    }
}

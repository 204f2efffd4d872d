//! `keras.layers.LSTM` and its cell (Hochreiter and Schmidhuber 1997). With z = inputs · kernel +
//! h · recurrent_kernel + bias cut into four gates i, f, c, o:
//!
//! c = σ(f) · c + σ(i) · activation(c gate), h = σ(o) · activation(c), σ the recurrent activation.
//!
//! Weights: see [`Weights`], with four gates. Input (batch, steps, features) → output (batch, units), or
//! (batch, steps, units) with `return_sequences`; with `return_state` also the last h and c.

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
    /// One step of an [`LSTM`].
    LSTMCell(units) {
        activation: "tanh",
        recurrent_activation: "sigmoid",
        unit_forget_bias: true,
    }
}

recurrent_builder! {
    /// A recurrent layer with long short-term memory.
    LSTM(units) {
        activation: "tanh",
        recurrent_activation: "sigmoid",
        unit_forget_bias: true,
    }
}

struct LstmCell {
    weights: Weights,
    recurrent_activation: Activation,
    unit_forget_bias: bool,
}

impl LSTMCell {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(LstmCell::new(None, config)?))
    }
}

impl LSTM {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let cell = LstmCell::new(Some("lstm_cell"), config)?;
        recurrent_layer("LSTM", config, Box::new(cell), Some(3))
    }
}

impl LstmCell {
    fn new(name: Option<&str>, config: &Config) -> Result<LstmCell> {
        Ok(LstmCell {
            weights: Weights::from_config("LSTMCell", name, config)?,
            recurrent_activation: Activation::from_config(config, "recurrent_activation")?,
            unit_forget_bias: config.bool("unit_forget_bias")?,
        })
    }
}

impl Layer for LstmCell {
    cell_base!(weights.base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        self.weights.build(inputs, 4, None, self.unit_forget_bias)
    }
}

impl Cell for LstmCell {
    fn state_size(&self) -> Vec<usize> {
        vec![self.weights.units; 2]
    }

    fn masks<'g>(
        &self,
        cx: &Context<'g>,
        input: &Shape,
        _: &States<'g>,
    ) -> Result<DropoutMasks<'g>> {
        self.weights.gate_masks(cx, input, 4)
    }

    fn project<'g>(
        &self,
        cx: &Context<'g>,
        inputs: Value<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<Value<'g>> {
        let x = self.weights.inputs(cx, inputs, masks)?;
        let early = self.weights.bias(cx).filter(|_| self.weights.split_gates);
        Ok(early.map_or(x, |bias| x + bias))
    }

    fn step<'g>(
        &self,
        cx: &Context<'g>,
        input: Value<'g>,
        states: &States<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<(Value<'g>, States<'g>)> {
        let [h, c] = take_states(states)?;
        let z = input + self.weights.states(cx, h, &masks.states, 4)?;
        let late = self.weights.bias(cx).filter(|_| !self.weights.split_gates);
        let z = late.map_or(z, |bias| z + bias);
        let [i, f, new, o] = gates(z, self.weights.units);
        let (gate, activation) = (self.recurrent_activation, self.weights.activation);
        let c = gate.apply(f) * c + gate.apply(i) * activation.apply(new);
        let h = gate.apply(o) * activation.apply(c);
        Ok((h, state_list([h, c])))
    }
}

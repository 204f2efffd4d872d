//! `keras.layers.SimpleRNN` and its cell: h = activation(inputs · kernel + bias + h · recurrent_kernel).
//!
//! Weights: see [`Weights`], with one gate. Input (batch, steps, features) → output (batch, units), or
//! (batch, steps, units) with `return_sequences`; with `return_state` also the last h.

use super::builders::{cell_builder, recurrent_builder};
use super::cell::{Cell, States, cell_base, state_list, take_states};
use super::dropout::DropoutMasks;
use super::recurrence::recurrent_layer;
use super::weights::Weights;
use crate::base::{Result, Shape};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::{Args, CallArgs, Context, Layer, Outputs, SymbolicSpec};

cell_builder! {
    /// One step of a [`SimpleRNN`].
    SimpleRNNCell(units) {
        activation: "tanh",
    }
}

recurrent_builder! {
    /// A fully connected layer whose output is fed back as its next input.
    SimpleRNN(units) {
        activation: "tanh",
    }
}

struct SimpleCell {
    weights: Weights,
}

impl SimpleRNNCell {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(SimpleCell { weights: Weights::from_config("SimpleRNNCell", None, config)? }))
    }
}

impl SimpleRNN {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let weights = Weights::from_config("SimpleRNNCell", Some("simple_rnn_cell"), config)?;
        recurrent_layer("SimpleRNN", config, Box::new(SimpleCell { weights }), Some(3))
    }
}

impl Layer for SimpleCell {
    cell_base!(weights.base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        self.weights.build(inputs, 1, None, false)
    }
}

impl Cell for SimpleCell {
    fn state_size(&self) -> Vec<usize> {
        vec![self.weights.units]
    }

    fn masks<'g>(
        &self,
        cx: &Context<'g>,
        input: &Shape,
        _: &States<'g>,
    ) -> Result<DropoutMasks<'g>> {
        self.weights.masks(cx, input)
    }

    fn project<'g>(
        &self,
        cx: &Context<'g>,
        inputs: Value<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<Value<'g>> {
        let x = self.weights.inputs(cx, inputs, masks)?;
        Ok(self.weights.bias(cx).map_or(x, |bias| x + bias))
    }

    fn step<'g>(
        &self,
        cx: &Context<'g>,
        input: Value<'g>,
        states: &States<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<(Value<'g>, States<'g>)> {
        let [h] = take_states(states)?;
        let from_state = self.weights.states(cx, h, &masks.states, 1)?;
        let h = self.weights.activation.apply(input + from_state);
        Ok((h, state_list([h])))
    }
}

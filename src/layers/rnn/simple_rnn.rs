//! `keras.layers.SimpleRNN` and its cell: h = activation(inputs · kernel + bias + h · recurrent_kernel).
//!
//! Weights: see [`Weights`], with one gate. Input (batch, steps, features) → output (batch, units), or
//! (batch, steps, units) with `return_sequences`; with `return_state` also the last h.

use super::cell::{Cell, States, call_step, state_list, take_states};
use super::dropout::DropoutMasks;
use super::recurrence::recurrent_layer;
use super::weights::Weights;
use crate::base::{Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Args, CallArgs, Context, Layer, Outputs, SymbolicSpec};

builder! {
    /// One step of a [`SimpleRNN`].
    SimpleRNNCell(units) {
        activation: "tanh",
        use_bias: true,
        kernel_initializer: "glorot_uniform",
        recurrent_initializer: "orthogonal",
        bias_initializer: "zeros",
        kernel_regularizer: null,
        recurrent_regularizer: null,
        bias_regularizer: null,
        kernel_constraint: null,
        recurrent_constraint: null,
        bias_constraint: null,
        dropout: 0.0,
        recurrent_dropout: 0.0,
        seed: null,
    }
}

builder! {
    /// A fully connected layer whose output is fed back as its next input.
    SimpleRNN(units) {
        return_sequences: false,
        return_state: false,
        go_backwards: false,
        stateful: false,
        unroll: false,
        zero_output_for_mask: false,
        activation: "tanh",
        use_bias: true,
        kernel_initializer: "glorot_uniform",
        recurrent_initializer: "orthogonal",
        bias_initializer: "zeros",
        kernel_regularizer: null,
        recurrent_regularizer: null,
        bias_regularizer: null,
        activity_regularizer: null,
        kernel_constraint: null,
        recurrent_constraint: null,
        bias_constraint: null,
        dropout: 0.0,
        recurrent_dropout: 0.0,
        seed: null,
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
    layer_base!(weights.base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        self.weights.build(inputs, 1, None, false)
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        call_step(self, cx, args)
    }

    fn cell(&self) -> Option<&dyn Cell> {
        Some(self)
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["states"]
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

//! `keras.layers.RNN`: any cell, run over the steps of a sequence.
//!
//! The cell's weights are under `cell`. Input (batch, steps, …) → output of the last step, (batch, …), or
//! of all steps, (batch, steps, …), with `return_sequences`: in the order in which they were computed.
//! With `return_state` the last states follow.

use super::recurrence::recurrent_layer;
use crate::base::Result;
use crate::builder;
use crate::layers::Layer;
use crate::layers::config::Config;

builder! {
    /// Runs a cell over a sequence. The cell is given as its record.
    RNN(cell) {
        return_sequences: false,
        return_state: false,
        go_backwards: false,
        stateful: false,
        unroll: false,
        zero_output_for_mask: false,
    }
}

impl RNN {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        recurrent_layer("RNN", config, config.layer("cell")?, None)
    }
}

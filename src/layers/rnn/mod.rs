//! Recurrent layers, and wrappers of layers over time.
//!
//! A [`Cell`] is one step; [`RNN`] runs any of them over a sequence. `LSTM`, `GRU` and so on are the
//! same with a cell of their own.

mod bidirectional;
mod builders;
mod cell;
mod conv_lstm;
mod dropout;
mod forget_bias;
mod gru;
mod lstm;
mod recurrence;
#[allow(clippy::module_inception, reason = "named after Keras's file")]
mod rnn;
mod simple_rnn;
mod stacked_rnn_cells;
mod time_distributed;
mod weights;

pub use bidirectional::Bidirectional;
pub use cell::{Cell, States};
pub use conv_lstm::{ConvLSTM1D, ConvLSTM2D, ConvLSTM3D, ConvLSTMCell};
pub use dropout::DropoutMasks;
pub use gru::{GRU, GRUCell};
pub use lstm::{LSTM, LSTMCell};
pub use rnn::RNN;
pub use simple_rnn::{SimpleRNN, SimpleRNNCell};
pub use stacked_rnn_cells::StackedRNNCells;
pub use time_distributed::TimeDistributed;

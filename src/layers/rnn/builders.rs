//! Builders of cells and of the layers around them. Both take the settings of the weights; the layers
//! also take those of a sequence.

/// The builder of a cell, with its own settings in front of those that all cells have.
macro_rules! cell_builder {
    ($(#[$doc:meta])* $name:ident($($required:ident),*) { $($key:ident: $default:tt),* $(,)? }) => {
        $crate::builder! {
            $(#[$doc])*
            $name($($required),*) {
                $($key: $default,)*
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
    };
}

/// The builder of a recurrent layer that has a cell of its own.
macro_rules! recurrent_builder {
    ($(#[$doc:meta])* $name:ident($($required:ident),*) { $($key:ident: $default:tt),* $(,)? }) => {
        $crate::layers::rnn::builders::cell_builder! {
            $(#[$doc])*
            $name($($required),*) {
                return_sequences: false,
                return_state: false,
                go_backwards: false,
                stateful: false,
                unroll: false,
                zero_output_for_mask: false,
                activity_regularizer: null,
                $($key: $default),*
            }
        }
    };
}

pub(super) use {cell_builder, recurrent_builder};

//! How a layer's weights are quantized.

use std::fmt;

use crate::base::error::quote;
use crate::base::{Error, Result};

/// A quantization mode with what the dtype policy says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One byte per weight, one scale per output channel; inputs are quantized row by row.
    Int8,
    /// Four bits per weight, two to a byte. Without a block, one scale per output channel; with one,
    /// a scale and a zero point for every so many inputs of a channel.
    Int4 {
        /// Inputs in a block; `None` without blocks.
        block: Option<u32>,
    },
    /// Weights and inputs rounded to eight-bit floats, with scales from the `history` last maxima.
    Float8 {
        /// How many maxima are remembered: Keras's `amax_history_length`.
        history: u32,
    },
    /// Weights of 2, 3, 4 or 8 bits, with scale and zero point per group of inputs of a channel.
    Gptq {
        /// Bits of a weight.
        bits: u32,
        /// Inputs in a group; `None` for one group of all.
        group: Option<u32>,
    },
    /// Weights of -1, 0 and 1, five to a byte, with one scale for all (Ma et al. 2024, BitNet b1.58).
    Ternary,
    /// Weights of 4 bits as with `Gptq`, of inputs that were scaled by their importance.
    Awq {
        /// Inputs in a group; `None` for one group of all.
        group: Option<u32>,
    },
}

/// The default length of `QuantizedFloat8DTypePolicy`'s history.
const HISTORY: u32 = 1024;

impl Mode {
    /// The mode that a policy calls `name`: `int8`, `int4`, `int4/128`, `float8`, `gptq/4/128`,
    /// `awq/4/-1`, `ternary`.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_name(name: &str) -> Result<Mode> {
        let parts: Vec<&str> = name.split('/').collect();
        let mode = match parts.as_slice() {
            ["int8"] => Some(Mode::Int8),
            ["int4"] => Some(Mode::Int4 { block: None }),
            ["int4", block] => size(block).map(|block| Mode::Int4 { block }),
            ["float8"] => Some(Mode::Float8 { history: HISTORY }),
            ["ternary"] => Some(Mode::Ternary),
            ["gptq", bits, group] => {
                let bits = bits.parse().ok().filter(|bits| [2, 3, 4, 8].contains(bits));
                bits.zip(size(group)).map(|(bits, group)| Mode::Gptq { bits, group })
            }
            ["awq", "4", group] => size(group).map(|group| Mode::Awq { group }),
            _ => None,
        };
        mode.ok_or_else(|| Error::DType {
            context: "quantization mode".into(),
            found: quote(name),
            expected: "int8, int4, int4/BLOCK, float8, ternary, gptq/BITS/GROUP or awq/4/GROUP"
                .into(),
        })
    }
}

/// A count of inputs; -1 stands for all.
fn size(text: &str) -> Option<Option<u32>> {
    match text {
        "-1" => Some(None),
        _ => text.parse().ok().filter(|&n| n > 0).map(Some),
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: &Option<u32>| n.map_or("-1".to_owned(), |n| n.to_string());
        match self {
            Mode::Int8 => f.write_str("int8"),
            Mode::Int4 { block } => write!(f, "int4/{}", count(block)),
            Mode::Float8 { .. } => f.write_str("float8"),
            Mode::Ternary => f.write_str("ternary"),
            Mode::Gptq { bits, group } => write!(f, "gptq/{bits}/{}", count(group)),
            Mode::Awq { group } => write!(f, "awq/4/{}", count(group)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_sizes_or_are_refused() {
        for name in ["int8", "int4/-1", "int4/128", "float8", "ternary", "gptq/2/-1", "awq/4/32"] {
            assert_eq!(Mode::from_name(name).unwrap().to_string(), name);
        }
        assert_eq!(Mode::from_name("int4").unwrap(), Mode::Int4 { block: None });
        for name in ["int2", "int4/0", "int4/-2", "gptq/5/1", "gptq", "awq/8/1", "int8/1", ""] {
            assert!(Mode::from_name(name).is_err(), "{name}");
        }
    }
}

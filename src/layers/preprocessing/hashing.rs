//! `keras.layers.Hashing`: text or integers put into bins by their hash.
//!
//! Input (batch, …) → output of the same shape for `int`, else as the mode says with `num_bins` as last
//! extent. Hashed on the host.

use super::encoding::OutputMode;
use super::hash::Hash;
use crate::base::{DType, Error, Result, Spec};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::host::{HostWork, host_layer, int32, only, same_shape};
use crate::layers::{Context, Layer, LayerBase, SymbolicSpec};
use crate::tensor::Tensor;

builder! {
    /// Puts values into bins by their hash.
    Hashing(num_bins) {
        mask_value: null,
        salt: null,
        output_mode: "int",
        sparse: false,
    }
}

struct HashWork {
    bins: usize,
    mask: Option<Mask>,
    hash: Hash,
    mode: OutputMode,
    dtype: DType,
}

/// The value that goes to bin 0, which no other value goes to.
enum Mask {
    Text(String),
    Number(f64),
}

impl Hashing {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let mode = OutputMode::from_config(config, true)?;
        let base = LayerBase::new("Hashing", config)?;
        let dtype = match (mode, config.is_null("dtype"), base.policy.variable) {
            (OutputMode::Int, true, _) | (OutputMode::Int, _, DType::Int64 | DType::Int32) => {
                DType::Int32
            }
            (OutputMode::Int, ..) => {
                return Err(config.bad("dtype", "int32 or int64 with output_mode \"int\""));
            }
            (_, _, DType::Int64) => DType::Int32,
            (_, _, dtype) => dtype,
        };
        let mask = match config.get("mask_value") {
            Json::Null => None,
            Json::String(text) => Some(Mask::Text(text.clone())),
            _ => Some(Mask::Number(config.float("mask_value")?)),
        };
        let (bins, hash) = (config.size("num_bins")?, hash(config)?);
        Ok(host_layer(base, HashWork { bins, mask, hash, mode, dtype }))
    }
}

/// The hash that the key `salt` asks for: an integer, or two.
pub(super) fn hash(config: &Config) -> Result<Hash> {
    if config.is_null("salt") {
        return Ok(Hash::Fast);
    }
    match config.ints("salt")?.as_slice() {
        [both] => Ok(Hash::Salted(*both as u64, *both as u64)),
        [low, high] => Ok(Hash::Salted(*low as u64, *high as u64)),
        _ => Err(config.bad("salt", "one integer, or two")),
    }
}

/// What is hashed of a tensor: its text, or its numbers as text.
pub(super) fn text_of(tensor: &Tensor) -> Tensor {
    match tensor.dtype() {
        dtype if dtype.is_float() => tensor.cast(DType::Int64).cast(DType::String),
        _ => tensor.cast(DType::String),
    }
}

impl HashWork {
    /// Whether each element is the mask's value.
    fn masked(&self, tensor: &Tensor) -> Result<Vec<bool>> {
        let misfit = || Error::DType {
            context: "Hashing".into(),
            found: tensor.dtype().name().into(),
            expected: "the kind of mask_value".into(),
        };
        match (&self.mask, tensor.strings()) {
            (Some(Mask::Text(mask)), Ok(strings)) => {
                Ok(strings.iter().map(|s| s == mask).collect())
            }
            (Some(Mask::Number(mask)), Err(_)) => {
                Ok(tensor.iter_f64().map(|x| x == *mask).collect())
            }
            (None, _) => Ok(vec![false; tensor.len()]),
            _ => Err(misfit()),
        }
    }
}

impl HostWork for HashWork {
    fn output(&self, inputs: &[Spec]) -> Result<SymbolicSpec> {
        Ok(same_shape(only(inputs)?, DType::Int32))
    }

    fn work(&self, inputs: &[Tensor]) -> Result<Tensor> {
        let tensor = only(inputs)?;
        let masked = self.masked(tensor)?;
        // Bin 0 is the mask's own, where there is another.
        let reserved = i64::from(self.mask.is_some() && self.bins > 1);
        let bins = self.bins as u64 - reserved as u64;
        let text = text_of(tensor);
        let bin = |(text, masked): (&String, bool)| match masked && reserved > 0 {
            true => 0,
            false => self.hash.bin(text, bins) + reserved,
        };
        let bins: Vec<i64> = text.strings()?.iter().zip(masked).map(bin).collect();
        int32(tensor.shape(), &bins)
    }

    fn finish<'g>(&self, _: &Context<'g>, bins: Value<'g>) -> Result<Value<'g>> {
        let shape = bins.shape();
        let bins = match (self.mode, shape.split_last()) {
            // One more axis of extent 1 than other layers drop.
            (OutputMode::OneHot, Some((1, rest))) => bins.reshape(rest),
            _ => bins,
        };
        Ok(self.mode.encode(bins, self.bins, self.dtype, None))
    }
}

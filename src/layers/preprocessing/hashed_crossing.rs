//! `keras.layers.HashedCrossing`: features, together, put into bins by their hash.
//!
//! Inputs, two or more, (batch) or (batch, 1) of integers or text → output of the same shape for `int`,
//! (batch, num_bins) for `one_hot`. Hashed on the host.

use super::encoding::OutputMode;
use super::hash::{cross, fingerprint64};
use crate::base::{DType, Error, Result, Spec};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::host::{HostWork, host_layer, int32, same_shape};
use crate::layers::{Context, Layer, LayerBase, SymbolicSpec};
use crate::tensor::Tensor;

builder! {
    /// Puts combinations of values into bins by their hash.
    HashedCrossing(num_bins) {
        output_mode: "int",
        sparse: false,
    }
}

struct CrossWork {
    bins: usize,
    mode: OutputMode,
    dtype: DType,
}

impl HashedCrossing {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let mode = OutputMode::from_config(config, true)?;
        if !matches!(mode, OutputMode::Int | OutputMode::OneHot) {
            return Err(config.bad("output_mode", "\"int\" or \"one_hot\""));
        }
        let base = LayerBase::new("HashedCrossing", config)?;
        let dtype = match base.policy.variable {
            _ if mode == OutputMode::Int && config.is_null("dtype") => DType::Int32,
            DType::Int64 => DType::Int32,
            dtype => dtype,
        };
        Ok(host_layer(base, CrossWork { bins: config.size("num_bins")?, mode, dtype }))
    }
}

fn check(inputs: &[Spec]) -> Result<&Spec> {
    let found = || {
        let specs: Vec<String> = inputs.iter().map(Spec::to_string).collect();
        specs.join(", ")
    };
    let fits = |shape: &[usize]| matches!(shape, [] | [_] | [_, 1]);
    let crosses = |dtype: DType| dtype.is_int() || dtype == DType::String;
    let first = inputs.first().filter(|first| {
        let same = |other: &Spec| other.shape == first.shape && crosses(other.dtype);
        inputs.len() > 1 && fits(&first.shape) && inputs.iter().all(same)
    });
    first.ok_or_else(|| {
        let expected = "two or more of integers or text, all of shape (batch,) or (batch, 1)";
        Error::shape("HashedCrossing", found(), expected)
    })
}

/// What a feature's elements are crossed as.
fn features(tensor: &Tensor) -> Vec<u64> {
    match tensor.strings() {
        Ok(strings) => strings.iter().map(|s| fingerprint64(s.as_bytes())).collect(),
        Err(_) => tensor.iter_i64().map(|x| x as u64).collect(),
    }
}

impl HostWork for CrossWork {
    fn output(&self, inputs: &[Spec]) -> Result<SymbolicSpec> {
        Ok(same_shape(check(inputs)?, DType::Int32))
    }

    fn work(&self, inputs: &[Tensor]) -> Result<Tensor> {
        let specs: Vec<Spec> = inputs.iter().map(|t| t.spec().clone()).collect();
        let shape = &check(&specs)?.shape;
        let columns: Vec<Vec<u64>> = inputs.iter().map(features).collect();
        let bin = |row: usize| cross(columns.iter().map(|column| column[row]), self.bins as u64);
        let bins: Vec<i64> = (0..shape.len()).map(bin).collect();
        int32(shape, &bins)
    }

    fn finish<'g>(&self, _: &Context<'g>, bins: Value<'g>) -> Result<Value<'g>> {
        Ok(self.mode.encode(bins, self.bins, self.dtype, None))
    }
}

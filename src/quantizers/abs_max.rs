//! `keras.quantizers.AbsMaxQuantizer`: integers of which the largest stands for the largest magnitude.

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};

/// Quantizes to int8: round(x · scale), where scale = high / (max |x| + epsilon) along some axes.
#[derive(Clone, Debug, PartialEq)]
pub struct AbsMaxQuantizer {
    low: f64,
    high: f64,
    epsilon: f64,
}

impl Default for AbsMaxQuantizer {
    fn default() -> AbsMaxQuantizer {
        AbsMaxQuantizer { low: -127.0, high: 127.0, epsilon: 1e-7 }
    }
}

impl AbsMaxQuantizer {
    /// The quantizer of a record's config.
    ///
    /// # Errors
    /// If a key is not one of Keras's, or the values do not fit a byte.
    pub fn from_config(config: &Config) -> Result<AbsMaxQuantizer> {
        // The layers say along which axes they quantize.
        config.get("axis");
        let bad = || config.bad("value_range", "two numbers between -128 and 127");
        let bound = |i: usize| {
            let number = config.get("value_range").get(i).and_then(Json::as_f64);
            number.filter(|n| (-128.0..=127.0).contains(n)).ok_or_else(bad)
        };
        let quantizer =
            AbsMaxQuantizer { low: bound(0)?, high: bound(1)?, epsilon: config.float("epsilon")? };
        match config.str("output_dtype")? {
            "int8" => Ok(quantizer),
            _ => Err(Error::Unsupported(format!(
                "{}: a quantizer whose output is not int8",
                config.owner()
            ))),
        }
    }

    /// The integers, and the scale, in which `axes` have extent 1.
    ///
    /// # Errors
    /// If the input is not floating.
    pub fn quantize<'g>(&self, x: Value<'g>, axes: &[usize]) -> Result<(Value<'g>, Value<'g>)> {
        if !x.dtype().is_float() {
            return Err(Error::DType {
                context: "quantizing the inputs of a layer".into(),
                found: x.dtype().name().into(),
                expected: "a floating dtype".into(),
            });
        }
        let largest = x.abs().max(axes).keep_axes(&x.shape(), axes) + self.epsilon;
        let scale = largest.like(self.high) / largest;
        let scaled = (x * scale).unary("round");
        let (low, high) = (scaled.scalar_like(self.low), scaled.scalar_like(self.high));
        Ok((scaled.maximum(low).minimum(high).cast(DType::Int8), scale))
    }
}

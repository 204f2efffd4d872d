//! `keras.quantizers.QuantizationConfig`: the key `quantization_config` of layers.

use serde_json::json;

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::layers::config::{Config, Json};
use crate::quantizers::{AbsMaxQuantizer, Mode};

/// What a layer's config says beyond its dtype policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuantizationConfig {
    given: Option<Given>,
}

/// What a record under the key says.
#[derive(Clone, Debug, Default, PartialEq)]
struct Given {
    activation: Option<AbsMaxQuantizer>,
    /// The block size, if the record is about int4.
    block: Option<Option<u32>>,
}

impl QuantizationConfig {
    /// The record under a layer's key `quantization_config`, or none.
    ///
    /// # Errors
    /// If it is not of a class of Keras, or has keys that the class has not.
    pub fn from_config(layer: &Config) -> Result<QuantizationConfig> {
        const KEY: &str = "quantization_config";
        let record = layer.get(KEY);
        if record.is_null() {
            return Ok(QuantizationConfig::default());
        }
        let class = record.get("class_name").and_then(Json::as_str).unwrap_or("");
        let given = match class {
            "Int8QuantizationConfig" => {
                let config = inner(layer, record, json!({}));
                config.get("weight_quantizer");
                let activation = activation_quantizer(&config)?;
                config.finish()?;
                Given { activation, block: None }
            }
            "Int4QuantizationConfig" => {
                let config = inner(layer, record, json!({"block_size": null}));
                let weights = config.get("weight_quantizer");
                let activation = activation_quantizer(&config)?;
                let block = block_size(&config)?;
                if block.is_some() && !(weights.is_null() && activation.is_none()) {
                    return Err(config.bad("block_size", "null or -1 beside quantizers"));
                }
                config.finish()?;
                Given { activation, block: Some(block) }
            }
            // What these say was of use when the weights were calibrated.
            "Float8QuantizationConfig"
            | "TernaryQuantizationConfig"
            | "GPTQConfig"
            | "AWQConfig" => Given::default(),
            _ => {
                return Err(Error::UnknownClass {
                    kind: "quantization config",
                    name: quote(class),
                    module: quote(record.get("module").and_then(Json::as_str).unwrap_or("")),
                    hint: format!("in {}; expected a class of keras.quantizers", layer.owner()),
                });
            }
        };
        Ok(QuantizationConfig { given: Some(given) })
    }

    /// The quantizer of a layer's inputs: that of the record, which may be none; without a record,
    /// the layer's `default`.
    pub fn activation_quantizer(
        &self,
        default: Option<AbsMaxQuantizer>,
    ) -> Option<AbsMaxQuantizer> {
        self.given.as_ref().map_or(default, |given| given.activation.clone())
    }

    /// The mode of a policy, in which a record's block size takes the place of the policy's.
    pub fn mode(&self, policy: Mode) -> Mode {
        match (policy, self.given.as_ref().and_then(|given| given.block)) {
            (Mode::Int4 { .. }, Some(block)) => Mode::Int4 { block },
            _ => policy,
        }
    }
}

/// The config of a record that stands in another config.
fn inner<'a>(outer: &Config, record: &Json, defaults: Json) -> Config<'a> {
    let class = record.get("class_name").and_then(Json::as_str).unwrap_or("");
    let given = record.get("config").and_then(Json::as_object).cloned().unwrap_or_default();
    Config::new(format!("{}: {}", outer.owner(), quote(class)), given, defaults)
}

fn activation_quantizer(config: &Config) -> Result<Option<AbsMaxQuantizer>> {
    const KEY: &str = "activation_quantizer";
    let record = config.get(KEY);
    match record.get("class_name").and_then(Json::as_str) {
        _ if record.is_null() => Ok(None),
        Some("AbsMaxQuantizer") => {
            let defaults =
                json!({"value_range": [-127, 127], "epsilon": 1e-7, "output_dtype": "int8"});
            let config = inner(config, record, defaults);
            let quantizer = AbsMaxQuantizer::from_config(&config)?;
            config.finish()?;
            Ok(Some(quantizer))
        }
        _ => Err(config.bad(KEY, "null or an AbsMaxQuantizer")),
    }
}

fn block_size(config: &Config) -> Result<Option<u32>> {
    const KEY: &str = "block_size";
    let bad = || config.bad(KEY, "null, -1 or a positive integer");
    match config.get(KEY) {
        Json::Null => Ok(None),
        number => match number.as_i64() {
            Some(-1) => Ok(None),
            Some(n) => u32::try_from(n).ok().filter(|&n| n > 0).map(Some).ok_or_else(bad),
            None => Err(bad()),
        },
    }
}

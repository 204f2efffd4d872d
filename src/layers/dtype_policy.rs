//! Dtype policies: in which dtype a layer computes, in which it keeps its variables, and how it
//! quantizes them.

use crate::base::{DType, Error, Result};
use crate::layers::config::{Config, Json, Place};
use crate::layers::dtype_policy_map::policy_of_map;
use crate::quantizers::Mode;

/// Arguments of Keras's policies.
const KEYS: [&str; 4] = ["name", "mode", "source_name", "amax_history_length"];

/// Compute and variable dtype of a layer, and how its weights are quantized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DTypePolicy {
    /// The dtype that inputs and variables are cast to for a call.
    pub compute: DType,
    /// The dtype of the layer's floating variables.
    pub variable: DType,
    /// The quantization of layers that have one; all others compute as without it.
    pub quantization: Option<Mode>,
}

impl DTypePolicy {
    /// Keras's default: float32 for everything, no quantization.
    pub const FLOAT32: DTypePolicy =
        DTypePolicy { compute: DType::Float32, variable: DType::Float32, quantization: None };

    /// Whether Keras computes, or keeps variables, in double precision.
    pub fn is_float64(&self) -> bool {
        [self.compute, self.variable].contains(&DType::Float64)
    }

    /// A policy by its Keras name: a dtype, `mixed_float16` or `mixed_bfloat16`, or one of these
    /// behind a quantization, such as `int8_from_float32`.
    ///
    /// # Errors
    /// If Keras has no such policy, or this version cannot compute in its dtype.
    pub fn from_name(name: &str) -> Result<DTypePolicy> {
        if let Some((mode, source)) = name.split_once("_from_") {
            return DTypePolicy::quantized(Mode::from_name(mode)?, source);
        }
        let of = |compute, variable| Ok(DTypePolicy { compute, variable, quantization: None });
        match name {
            "mixed_float16" => of(DType::Float16, DType::Float32),
            "mixed_bfloat16" => of(DType::BFloat16, DType::Float32),
            "string" | "complex64" | "float8_e4m3fn" | "float8_e5m2" => {
                Err(Error::Unsupported(format!("layers that compute in dtype {name}")))
            }
            _ => DType::from_name(name).and_then(|d| of(d, d)),
        }
    }

    /// The policy called `source`, quantized.
    ///
    /// # Errors
    /// As Keras, for int8 from float16, whose range the sums would leave.
    fn quantized(mode: Mode, source: &str) -> Result<DTypePolicy> {
        let source = DTypePolicy::from_name(source)?;
        if source.quantization.is_some() || (mode == Mode::Int8 && source.compute == DType::Float16)
        {
            return Err(Error::DType {
                context: "dtype policy".into(),
                found: format!("{mode} from {}", source.compute),
                expected: "int8 from float32 or bfloat16, other modes from a float".into(),
            });
        }
        Ok(DTypePolicy { quantization: Some(mode), ..source })
    }

    /// The policy under the key `dtype`: a name, a record, or null for float32.
    ///
    /// # Errors
    /// If it is none, or one that this version cannot compute with.
    pub fn from_config(config: &Config) -> Result<DTypePolicy> {
        DTypePolicy::at_place(config, config.place())
    }

    /// [`from_config`](DTypePolicy::from_config) for a layer at another place than the config's, as
    /// the cell of a recurrent layer is.
    pub(crate) fn at_place(config: &Config, place: &Place) -> Result<DTypePolicy> {
        let bad = || config.bad("dtype", "a dtype policy such as \"float32\" or \"mixed_float16\"");
        match config.get("dtype") {
            Json::Null => Ok(DTypePolicy::FLOAT32),
            Json::String(name) => DTypePolicy::from_name(name).map_err(|_| bad()),
            record if record["class_name"] == "DTypePolicyMap" => {
                policy_of_map(&record["config"], config.owner(), place)
            }
            record => DTypePolicy::from_record(record).ok_or_else(bad),
        }
    }

    /// The policy of a serialized record; `None` if it is none.
    pub(super) fn from_record(record: &Json) -> Option<DTypePolicy> {
        let config = record.get("config")?.as_object()?;
        let known = |key: &String| KEYS.contains(&key.as_str());
        if !config.keys().all(known) {
            return None;
        }
        let text = |key: &str| config.get(key).and_then(Json::as_str);
        // A name that is missing stands for the default; one that is no text for nothing.
        let name_or_default = |key: &str| match config.get(key) {
            None | Some(Json::Null) => Some("float32"),
            Some(name) => name.as_str(),
        };
        match record.get("class_name")?.as_str()? {
            "DTypePolicy" | "FloatDTypePolicy" => {
                DTypePolicy::from_name(name_or_default("name")?).ok()
            }
            class @ ("QuantizedDTypePolicy"
            | "QuantizedFloat8DTypePolicy"
            | "Int4DTypePolicy"
            | "GPTQDTypePolicy"
            | "AWQDTypePolicy") => {
                let mode = Mode::from_name(text("mode")?).ok()?;
                let mode = match (class, mode) {
                    ("QuantizedFloat8DTypePolicy", Mode::Float8 { .. }) => {
                        let length = match config.get("amax_history_length") {
                            None => 1024,
                            Some(length) => length.as_u64()?,
                        };
                        Mode::Float8 { history: u32::try_from(length).ok().filter(|&n| n > 0)? }
                    }
                    (_, mode) => mode,
                };
                DTypePolicy::quantized(mode, name_or_default("source_name")?).ok()
            }
            _ => None,
        }
    }
}

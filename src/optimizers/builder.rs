//! Making an optimizer's record in Rust: the same JSON that Keras writes, read by the same loader.

use serde_json::{Map, json};

use crate::layers::config::Json;

/// The record of an optimizer or of a learning-rate schedule: class and config.
///
/// Made by the builders named like Keras's classes ([`Adam`](crate::optimizers::Adam) and so on), with
/// Keras's argument names and defaults.
#[derive(Clone, Debug)]
pub struct OptimizerBuilder {
    module: &'static str,
    class_name: &'static str,
    config: Map<String, Json>,
}

impl OptimizerBuilder {
    /// A record with the constructor's defaults.
    pub fn new(module: &'static str, class_name: &'static str, defaults: Json) -> OptimizerBuilder {
        let config = match defaults {
            Json::Object(defaults) => defaults,
            _ => Map::new(),
        };
        OptimizerBuilder { module, class_name, config }
    }

    /// Sets any config key, under Keras's name.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Json>) -> OptimizerBuilder {
        self.config.insert(key.into(), value.into());
        self
    }
}

impl From<OptimizerBuilder> for Json {
    fn from(builder: OptimizerBuilder) -> Json {
        json!({
            "module": builder.module,
            "class_name": builder.class_name,
            "config": builder.config,
            "registered_name": null,
        })
    }
}

/// The keys that every optimizer has besides its learning rate, with Keras's defaults, in Keras's
/// order.
pub(crate) fn with_shared_keys(class_name: &str, own: Json) -> Json {
    let mut all = json!({
        "name": crate::base::naming::snake_case(class_name),
        "learning_rate": 0.001,
        "weight_decay": null,
        "clipnorm": null,
        "global_clipnorm": null,
        "clipvalue": null,
        "use_ema": false,
        "ema_momentum": 0.99,
        "ema_overwrite_frequency": null,
        "loss_scale_factor": null,
        "gradient_accumulation_steps": null,
    });
    if let (Json::Object(all), Json::Object(own)) = (&mut all, own) {
        all.extend(own);
    }
    all
}

/// Declares an optimizer's builder, its constructor's defaults and its constructor:
/// `optimizer! { /// doc  SGD { learning_rate: 0.01, momentum: 0.0 } }`. The type gets `rule`, which
/// reads the keys that are not shared, from an `impl` beside it.
#[macro_export]
macro_rules! optimizer {
    ($(#[$doc:meta])* $name:ident { $($key:ident : $default:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($crate::optimizers::OptimizerBuilder);

        impl Default for $name {
            fn default() -> $name {
                $name::new()
            }
        }

        impl $name {
            /// An optimizer with Keras's defaults.
            pub fn new() -> $name {
                $name($crate::optimizers::OptimizerBuilder::new(
                    "keras.optimizers",
                    stringify!($name),
                    $name::defaults(),
                ))
            }

            /// The constructor's defaults.
            pub(crate) fn defaults() -> $crate::layers::config::Json {
                $crate::optimizers::builder::with_shared_keys(
                    stringify!($name),
                    serde_json::json!({ $(stringify!($key): $default),* }),
                )
            }

            /// The optimizer of a config.
            pub(crate) fn from_config(
                config: &$crate::layers::config::Config,
            ) -> $crate::base::Result<Box<dyn $crate::optimizers::Optimizer>> {
                let rule = $name::rule(config)?;
                let optimizer = $crate::optimizers::ruled::Ruled::new(stringify!($name), rule, config)?;
                Ok(Box::new(optimizer))
            }

            $(
                /// Keras's argument of this name.
                #[must_use]
                pub fn $key(self, value: impl Into<$crate::layers::config::Json>) -> $name {
                    self.set(stringify!($key), value)
                }
            )*

            /// Any argument that Keras's constructor has, by its name.
            #[must_use]
            pub fn set(
                self,
                key: &str,
                value: impl Into<$crate::layers::config::Json>,
            ) -> $name {
                $name(self.0.set(key, value))
            }
        }

        impl From<$name> for $crate::layers::config::Json {
            fn from(optimizer: $name) -> $crate::layers::config::Json {
                optimizer.0.into()
            }
        }
    };
}

//! Making a layer's record in Rust: the same JSON that Keras writes, read by the same loader.

use serde_json::{Map, json};

use crate::layers::config::Json;

/// The record of a layer to be added to a model: class and config.
///
/// Made by the builders named like Keras's classes ([`Dense`](crate::layers::Dense) and so on), with
/// Keras's argument names and defaults.
#[derive(Clone, Debug)]
pub struct LayerBuilder {
    class_name: &'static str,
    config: Map<String, Json>,
}

impl LayerBuilder {
    /// A record with the constructor's defaults.
    pub fn new(class_name: &'static str, defaults: Json) -> LayerBuilder {
        let mut config = Map::new();
        config.insert("name".into(), Json::Null);
        config.insert("trainable".into(), Json::Bool(true));
        config.insert("dtype".into(), policy("float32"));
        if let Json::Object(defaults) = defaults {
            config.extend(defaults);
        }
        LayerBuilder { class_name, config }
    }

    /// Sets any config key, under Keras's name.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Json>) -> LayerBuilder {
        self.config.insert(key.into(), value.into());
        self
    }

    /// The name of the layer within its model; without it, one is made from the class.
    pub fn name(&self) -> Option<&str> {
        self.config.get("name").and_then(Json::as_str)
    }

    /// The layer's class in `keras.layers`.
    pub fn class_name(&self) -> &'static str {
        self.class_name
    }

    /// The serialized record.
    pub fn record(&self) -> Map<String, Json> {
        let record = json!({
            "module": "keras.layers",
            "class_name": self.class_name,
            "config": self.config,
            "registered_name": null,
        });
        match record {
            Json::Object(map) => map,
            _ => Map::new(),
        }
    }
}

/// The record of a dtype policy.
pub fn policy(name: &str) -> Json {
    json!({
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": name},
        "registered_name": null,
    })
}

/// Declares a layer's builder and its constructor's defaults, in Keras's order of keys:
/// `builder! { /// doc  Dense("Dense": units) { activation: "linear", use_bias: true } }`.
///
/// Names before the brace are the constructor's required arguments. Every default is one token (`(-1)` in brackets)
/// that [`serde_json::json!`] takes.
#[macro_export]
macro_rules! builder {
    ($(#[$doc:meta])* $name:ident($($required:ident),*) { $($key:ident : $default:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($crate::layers::LayerBuilder);

        impl $name {
            /// A layer with Keras's defaults for everything but the required arguments.
            #[allow(clippy::new_without_default, reason = "arguments differ from layer to layer")]
            pub fn new($($required: impl Into<$crate::layers::config::Json>),*) -> $name {
                let layer = $crate::layers::LayerBuilder::new(stringify!($name), $name::defaults());
                $(let layer = layer.set(stringify!($required), $required);)*
                $name(layer)
            }

            /// The constructor's defaults; required arguments are null.
            pub(crate) fn defaults() -> $crate::layers::config::Json {
                let defaults: &[(&str, $crate::layers::config::Json)] = &[
                    $((stringify!($required), serde_json::json!(null)),)*
                    $((stringify!($key), serde_json::json!($default))),*
                ];
                defaults.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
            }

            $(
                /// Keras's argument of this name.
                #[must_use]
                pub fn $key(self, value: impl Into<$crate::layers::config::Json>) -> $name {
                    $name(self.0.set(stringify!($key), value))
                }
            )*

            /// The layer's name within its model.
            #[must_use]
            pub fn name(self, name: &str) -> $name {
                $name(self.0.set("name", name))
            }

            /// The dtype policy, such as `"mixed_float16"`.
            #[must_use]
            pub fn dtype(self, policy: &str) -> $name {
                $name(self.0.set("dtype", $crate::layers::builder::policy(policy)))
            }

            /// Whether training changes the layer's weights.
            #[must_use]
            pub fn trainable(self, trainable: bool) -> $name {
                $name(self.0.set("trainable", trainable))
            }
        }

        impl From<$name> for $crate::layers::LayerBuilder {
            fn from(layer: $name) -> $crate::layers::LayerBuilder {
                layer.0
            }
        }
    };
}

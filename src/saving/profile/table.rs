//! Since which version Keras has a class, a name, or an argument of a constructor.

use std::sync::LazyLock;

use serde_json::Map;

use crate::saving::json::Json;

/// Made from the sources of the versions by `tests/keras/make_profile.py`. What is not in it was there
/// from the oldest version on, or is not Keras's.
static TABLE: LazyLock<Map<String, Json>> =
    LazyLock::new(|| serde_json::from_str(include_str!("classes.json")).unwrap_or_default());

/// An argument that a class got later.
pub(super) struct LateKey {
    pub(super) since: u32,
    /// The value with which the class does what it did before; an argument that must be given has none.
    pub(super) default: Option<&'static Json>,
}

/// The version since which there is a class or a function of a full name.
pub(super) fn since(name: &str) -> u32 {
    number(TABLE.get(name).and_then(|entry| entry.get("since")))
}

/// When the class of a full name got an argument, if that was after the class itself.
pub(super) fn late_key(class: &str, key: &str) -> Option<LateKey> {
    let late = TABLE.get(class)?.get("keys")?.get(key)?;
    Some(LateKey { since: number(late.get(0)), default: late.get(1) })
}

fn number(value: Option<&Json>) -> u32 {
    value.and_then(Json::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_there() {
        assert!(TABLE.len() > 300);
        assert_eq!(since("keras.layers.RMSNormalization"), 10);
        assert_eq!(since("keras.layers.Dense"), 0);
        assert_eq!(since("keras.activations.'celu'"), 8);
        let late = late_key("keras.layers.Dense", "quantization_config").unwrap();
        assert_eq!((late.since, late.default), (13, Some(&Json::Null)));
        assert!(late_key("keras.layers.Dense", "units").is_none());
    }
}

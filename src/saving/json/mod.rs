//! JSON as Python's `json` module reads and writes it.
//!
//! Keras writes bare `NaN`, `Infinity` and `-Infinity`, which JSON does not have. They are kept as
//! an object with the single key `__float__`, which no file may hold; [`float`] reads it and
//! [`to_python`] writes it back bare.

pub mod array;
mod parse;
mod write;

pub use parse::parse;
pub use write::to_python;

/// A JSON value; objects keep the order of their keys.
pub type Json = serde_json::Value;

/// The key of the object that stands for a number JSON cannot write.
const FLOAT_KEY: &str = "__float__";

/// A number as a double, also one that is not finite. Not for booleans and strings.
pub fn float(value: &Json) -> Option<f64> {
    match value {
        Json::Number(n) => n.as_f64(),
        Json::Object(map) if map.len() == 1 => match map.get(FLOAT_KEY)?.as_str()? {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// The value for a double, finite or not.
pub fn from_float(x: f64) -> Json {
    match serde_json::Number::from_f64(x) {
        Some(n) => Json::Number(n),
        None if x.is_nan() => not_finite("NaN"),
        None if x > 0.0 => not_finite("Infinity"),
        None => not_finite("-Infinity"),
    }
}

fn not_finite(token: &str) -> Json {
    Json::Object([(FLOAT_KEY.to_string(), Json::from(token))].into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saving::Limits;

    fn read(text: &str) -> crate::base::Result<Json> {
        parse(text.as_bytes(), "config.json", &Limits::default())
    }

    fn refusal(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn texts_survive_reading_and_writing() {
        for text in [
            r#"{"b": 1, "a": [true, false, null], "c": {}, "d": []}"#,
            "[NaN, Infinity, -Infinity]",
            "[1e-07, 0.001, 1.0, 1e+16, 123456789.0, 0.0001, 1e-05, 1.5e+300, -0.0]",
            "[0.0010000000474974513, 5e-324, 1.7976931348623157e+308, 1e+22]",
            "[-9223372036854775808, 18446744073709551615]",
            r#"["caf\u00e9", "\ud83d\ude00", "\"\\/\n\r\t\b\f\u0000\u007f"]"#,
        ] {
            assert_eq!(to_python(&read(text).unwrap()), text);
        }
        assert_eq!(to_python(&read(" [ 1 ,\n2]\t").unwrap()), "[1, 2]");
        assert_eq!(to_python(&read("\u{feff}1").unwrap()), "1");
    }

    #[test]
    fn floats_that_are_not_finite_read_as_floats() {
        let values = read("[NaN, Infinity, -Infinity, 1, 2.5, true, \"NaN\"]").unwrap();
        let floats: Vec<Option<f64>> = values.as_array().unwrap().iter().map(float).collect();
        assert!(floats[0].unwrap().is_nan());
        assert_eq!(
            floats[1..],
            [Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(1.0), Some(2.5), None, None]
        );
        assert_eq!(float(&from_float(f64::NEG_INFINITY)), Some(f64::NEG_INFINITY));
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        assert!(refusal(r#"{"units": 1, "units": 2}"#).contains("twice"));
        assert!(refusal(r#"{"__float__": "NaN"}"#).contains("__float__"));
        assert!(refusal("18446744073709551616").contains("64 bits"));
        assert!(refusal("1e999").contains("range"));
        assert!(refusal(r#""\ud800""#).contains("surrogate"));
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for text in [
            "",
            "nul",
            "[1,,2]",
            "[1,]",
            "{\"a\"}",
            "{'a': 1}",
            "1 2",
            "0x10",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "\"a",
            "\"\n\"",
            "\"\\x\"",
            "[1",
            "{\"a\": 1",
            "/* */ 1",
            "\0",
        ] {
            assert!(refusal(text).contains("byte"), "{text}: {}", refusal(text));
        }
        let error = parse(b"\"\xff\"", "config.json", &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("UTF-8"));
    }

    #[test]
    fn depth_and_size_are_bounded() {
        assert!(refusal(&"[".repeat(1_000_000)).contains("json_depth"));
        assert!(refusal(&"{\"a\":".repeat(1_000_000)).contains("json_depth"));
        let deep = format!("{}1{}", "[".repeat(128), "]".repeat(128));
        assert!(read(&deep).is_ok());
        let limits = Limits { json_values: 10, ..Limits::default() };
        assert!(parse(b"[1,1,1,1,1,1,1,1,1,1,1]", "x", &limits).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:0-9eE.+\\-\\\\utrfalsn NaIity]{0,40}") {
            if let Ok(value) = read(&text) {
                proptest::prop_assert_eq!(read(&to_python(&value)).unwrap(), value);
            }
        }

        #[test]
        fn every_float_survives(bits: u64) {
            let x = f64::from_bits(bits);
            let back = float(&read(&to_python(&from_float(x))).unwrap()).unwrap();
            proptest::prop_assert!(back.to_bits() == bits || (x.is_nan() && back.is_nan()));
        }

        #[test]
        fn every_string_survives(text: String) {
            let value = Json::from(text);
            proptest::prop_assert_eq!(read(&to_python(&value)).unwrap(), value);
        }
    }
}

//! Arrays as nested lists: what Python's `ndarray.tolist` gives and `numpy.array` takes.

use super::{Json, float, from_float};
use crate::base::error::quote;
use crate::base::{DType, Error, Result, Shape, Spec};
use crate::tensor::Tensor;

/// The kinds of elements, from the one that all others become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Float,
    /// Integers, some below zero.
    Signed,
    /// Integers, some above those of int64.
    Unsigned,
    /// Integers that both types of 64 bits hold.
    Integer,
    Bool,
}

/// How many lists lie around the first element.
pub fn depth(json: &Json) -> usize {
    match json {
        Json::Array(items) => 1 + items.first().map_or(0, depth),
        _ => 0,
    }
}

/// The array in nested lists: float64 when one element has a point, an exponent or is not finite,
/// else int64 (uint64 for numbers beyond it), bool or string. Without elements, `empty` is its dtype.
///
/// # Errors
/// [`Error::Invalid`] with the place: behind `place`, an index for every list. When lists differ in
/// length, when text stands beside numbers, and for null, which no array holds.
pub fn to_tensor(json: &Json, place: &str, empty: DType) -> Result<Tensor> {
    let mut reader = Reader { place, index: Vec::new(), shape: extents(json), kind: None };
    let mut elements = Vec::new();
    reader.visit(json, &mut elements)?;
    let shape = Shape::from(reader.shape.as_slice());
    let Some(kind) = reader.kind else { return Ok(Tensor::zeros(Spec::new(shape, empty))) };
    match kind {
        Kind::Text => {
            let strings: Vec<&str> = elements.into_iter().filter_map(Json::as_str).collect();
            Tensor::from_strings(shape, &strings)
        }
        Kind::Bool => {
            let bools: Vec<bool> = elements.into_iter().filter_map(Json::as_bool).collect();
            Tensor::from_bools(shape, &bools)
        }
        Kind::Float => {
            let floats = elements.into_iter().map(|json| number(json).unwrap_or(f64::NAN));
            Tensor::new(shape, &floats.collect::<Vec<f64>>())
        }
        Kind::Unsigned => {
            let integers = elements.into_iter().map(|json| whole(json, Json::as_u64));
            Tensor::new(shape, &integers.collect::<Vec<u64>>())
        }
        Kind::Signed | Kind::Integer => {
            let integers = elements.into_iter().map(|json| whole(json, Json::as_i64));
            Tensor::new(shape, &integers.collect::<Vec<i64>>())
        }
    }
}

/// Extents along the first elements.
fn extents(json: &Json) -> Vec<usize> {
    let mut extents = Vec::new();
    let mut inner = Some(json);
    while let Some(Json::Array(items)) = inner {
        extents.push(items.len());
        inner = items.first();
    }
    extents
}

fn number(json: &Json) -> Option<f64> {
    json.as_bool().map(|truth| f64::from(u8::from(truth))).or_else(|| float(json))
}

fn whole<T: From<bool>>(json: &Json, read: fn(&Json) -> Option<T>) -> T {
    let truth = json.as_bool().unwrap_or_default();
    read(json).unwrap_or_else(|| T::from(truth))
}

/// Checks that lists are even, and finds the kind of all elements.
struct Reader<'a> {
    place: &'a str,
    index: Vec<usize>,
    shape: Vec<usize>,
    kind: Option<Kind>,
}

impl Reader<'_> {
    fn visit<'j>(&mut self, json: &'j Json, elements: &mut Vec<&'j Json>) -> Result<()> {
        let extent = self.shape.get(self.index.len()).copied();
        match (json, extent) {
            (Json::Array(items), Some(extent)) if items.len() == extent => {
                for (i, item) in items.iter().enumerate() {
                    self.index.push(i);
                    self.visit(item, elements)?;
                    self.index.pop();
                }
                Ok(())
            }
            (Json::Array(items), Some(extent)) => {
                Err(self.error(&format!("{} elements, expected {extent} as before", items.len())))
            }
            (Json::Array(_), None) => Err(self.error("a list among elements")),
            (_, Some(_)) => Err(self.error(&format!("{}, expected a list", shown(json)))),
            (_, None) => {
                let kind = kind(json).ok_or_else(|| {
                    self.error(&format!("{}, expected a number or text", shown(json)))
                })?;
                self.kind = Some(match self.kind {
                    None => kind,
                    Some(known) => self.join(known, kind)?,
                });
                elements.push(json);
                Ok(())
            }
        }
    }

    /// The kind of elements of two kinds.
    fn join(&self, a: Kind, b: Kind) -> Result<Kind> {
        match (a, b) {
            _ if a == b => Ok(a),
            (Kind::Text, _) => Err(self.error("a number among text")),
            (_, Kind::Text) => Err(self.error("text among numbers")),
            (Kind::Float, _) | (_, Kind::Float) => Ok(Kind::Float),
            (Kind::Signed, Kind::Unsigned) | (Kind::Unsigned, Kind::Signed) => {
                Err(self.error("integers that neither int64 nor uint64 holds together"))
            }
            (Kind::Bool, other) | (other, Kind::Bool) => Ok(other),
            (Kind::Integer, other) | (other, Kind::Integer) => Ok(other),
            _ => Ok(a),
        }
    }

    fn error(&self, what: &str) -> Error {
        let index: String = self.index.iter().map(|i| format!("[{i}]")).collect();
        Error::Invalid(format!("at {}{index}: {what}", self.place))
    }
}

fn kind(json: &Json) -> Option<Kind> {
    match json {
        Json::String(_) => Some(Kind::Text),
        Json::Bool(_) => Some(Kind::Bool),
        Json::Number(n) => Some(match (n.as_i64(), n.as_u64()) {
            (Some(_), Some(_)) => Kind::Integer,
            (Some(_), None) => Kind::Signed,
            (None, Some(_)) => Kind::Unsigned,
            (None, None) => Kind::Float,
        }),
        _ => float(json).map(|_| Kind::Float),
    }
}

/// What a value is, for messages.
pub fn shown(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Array(items) => format!("a list of {}", items.len()),
        Json::Object(map) if float(json).is_none() => {
            let keys: Vec<String> = map.keys().take(8).map(|key| quote(key)).collect();
            format!("an object of {}", keys.join(", "))
        }
        Json::String(text) => format!("'{}'", quote(text)),
        other => other.to_string(),
    }
}

/// Nested lists of a tensor's elements, as Python's `ndarray.tolist` gives them.
pub fn from_tensor(tensor: &Tensor) -> Json {
    let elements: Vec<Json> = match (tensor.strings(), tensor.dtype()) {
        (Ok(strings), _) => strings.iter().map(|text| Json::from(text.as_str())).collect(),
        (_, DType::Bool) => tensor.iter_f64().map(|x| Json::from(x != 0.0)).collect(),
        (_, DType::UInt64) => tensor.iter_i64().map(|x| Json::from(x as u64)).collect(),
        (_, dtype) if dtype.is_int() => tensor.iter_i64().map(Json::from).collect(),
        _ => tensor.iter_f64().map(from_float).collect(),
    };
    lists(tensor.shape(), &mut elements.into_iter())
}

fn lists(extents: &[usize], elements: &mut impl Iterator<Item = Json>) -> Json {
    match extents {
        [] => elements.next().unwrap_or_default(),
        [extent, inner @ ..] => (0..*extent).map(|_| lists(inner, elements)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saving::Limits;
    use crate::saving::json::{parse, to_python};

    fn read(text: &str) -> Result<Tensor> {
        let json = parse(text.as_bytes(), "x.json", &Limits::default()).unwrap();
        to_tensor(&json, "[\"x\"]", DType::Float32)
    }

    #[test]
    fn lists_become_arrays_as_in_numpy_and_back() {
        for (text, dtype, shape) in [
            ("[[1, 2, 3], [4, 5, -6]]", DType::Int64, &[2, 3][..]),
            ("[0.5, -1.0, NaN, Infinity]", DType::Float64, &[4]),
            ("[18446744073709551615, 1]", DType::UInt64, &[2]),
            ("[[true], [false]]", DType::Bool, &[2, 1]),
            ("[[\"a\", \"\\u00e9\"]]", DType::String, &[1, 2]),
            ("2.5", DType::Float64, &[]),
            ("[]", DType::Float32, &[0]),
        ] {
            let tensor = read(text).unwrap();
            assert_eq!((tensor.dtype(), &tensor.shape()[..]), (dtype, shape), "{text}");
            assert_eq!(to_python(&from_tensor(&tensor)), text);
        }
        assert_eq!(read("[true, 2]").unwrap(), Tensor::new([2], &[1i64, 2]).unwrap());
        assert_eq!(read("[true, 2, 0.5]").unwrap(), Tensor::new([3], &[1.0, 2.0, 0.5]).unwrap());
    }

    #[test]
    fn errors_name_the_place() {
        for (text, part) in [
            ("[[1, 2], [3]]", "at [\"x\"][1]: 1 elements, expected 2"),
            ("[[1, 2], 3]", "at [\"x\"][1]: 3, expected a list"),
            ("[[1, 2], [3, [4]]]", "at [\"x\"][1][1]: a list among elements"),
            ("[1, \"a\"]", "at [\"x\"][1]: text among numbers"),
            ("[\"a\", 1]", "at [\"x\"][1]: a number among text"),
            ("[1, null]", "at [\"x\"][1]: null"),
            ("[{\"a\": 1}]", "at [\"x\"][0]: an object of a"),
            ("[-1, 18446744073709551615]", "neither int64 nor uint64"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}

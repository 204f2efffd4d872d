//! Arrays of a file and the inputs or outputs of a model: which belongs to which.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::base::error::quote;
use crate::base::{DType, Error, Result};
use crate::cli::loading;
use crate::models::{InputSpec, Model};
use crate::saving::json::array::{depth, from_tensor, to_tensor};
use crate::saving::json::{Json, parse, to_python};
use crate::saving::npz::{read_npz, write_npz};
use crate::saving::{Replace, atomic};
use crate::tensor::Tensor;

/// The sides of a model, with the names under which their arrays are numbered.
#[derive(Clone, Copy)]
pub enum Side {
    Inputs,
    Outputs,
}

impl Side {
    fn noun(self) -> &'static str {
        match self {
            Side::Inputs => "inputs",
            Side::Outputs => "outputs",
        }
    }

    /// Prefixes of numbered names: `x0`, `x1`, … or `input_0`, `input_1`, ….
    fn prefixes(self) -> [&'static str; 2] {
        match self {
            Side::Inputs => ["x", "input_"],
            Side::Outputs => ["y", "output_"],
        }
    }

    /// The name of an array by position.
    pub fn positional(self, position: usize) -> String {
        format!("{}{position}", self.prefixes()[0])
    }
}

/// The inputs of a model from a file, in the model's order: an `.npz` archive, or a `.json` text as
/// [`Model::inputs_from_json`] takes it.
pub fn read_inputs(path: &Path, model: &Model) -> Result<Vec<Option<Tensor>>> {
    if !is_json(path) {
        return read_archive(path, &model.inputs(), Side::Inputs);
    }
    let arrays = model.inputs_from_json(&read_text(path)?, &loading::limits());
    arrays.map_err(|error| in_file(path, &error))
}

/// Arrays for the outputs of a model, such as labels, from such a file, in the model's order.
pub fn read_outputs(path: &Path, model: &Model) -> Result<Vec<Tensor>> {
    if !is_json(path) {
        let arrays = read_archive(path, &model.outputs(), Side::Outputs)?;
        return Ok(arrays.into_iter().flatten().collect());
    }
    let arrays = model.outputs_from_json(&read_text(path)?, &loading::limits());
    arrays.map_err(|error| in_file(path, &error))
}

/// The arrays of an archive with their names.
fn read_named(path: &Path) -> Result<Vec<(String, Tensor)>> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
        let what = "one array without a name; arrays are read from .npz, as numpy.savez writes it, \
                    and from .json";
        return Err(Error::Invalid(format!("{}: {what}", path.display())));
    }
    read_npz(path)
}

/// Arrays are found by name; else by number (`x0`, `x1`, … or `input_0`, …); else, when the file holds
/// as many arrays as the model wants, in the order of the file. Nothing for optional inputs that are
/// not there.
fn read_archive(path: &Path, wanted: &[InputSpec], side: Side) -> Result<Vec<Option<Tensor>>> {
    let arrays = read_named(path)?;
    let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
    let order = assign(&names, wanted, side).ok_or_else(|| {
        let found = arrays.iter().map(|(n, t)| format!("{} {}", quote(n), t.shape()));
        let expected = wanted.iter().map(|w| format!("{} {}", quote(&w.name), w.shape));
        Error::Invalid(format!(
            "{}: the arrays do not tell the model's {}: found {}, expected {} (by name, or {})",
            path.display(),
            side.noun(),
            listed(found),
            listed(expected),
            listed((0..wanted.len()).map(|i| side.positional(i))),
        ))
    })?;
    Ok(order.into_iter().map(|i| Some(arrays[i?].1.clone())).collect())
}

/// Weights of samples: one array for all outputs, or one for each.
pub fn read_weights(path: &Path, model: &Model) -> Result<Vec<Tensor>> {
    if is_json(path) {
        let text = read_text(path)?;
        let json = parse(&text, "sample_weight", &loading::limits());
        let json = json.map_err(|error| in_file(path, &error))?;
        if depth(&json) == 1 {
            let only = to_tensor(&json, "", DType::Float32);
            return only.map(|only| vec![only]).map_err(|error| in_file(path, &error));
        }
    } else if let [(_, only)] = read_named(path)?.as_slice() {
        return Ok(vec![only.clone()]);
    }
    read_outputs(path, model)
}

/// Writes a model's outputs: as arrays under the outputs' names, or to a `.json` file in the structure
/// of the outputs. `positional` names them y0, y1, … instead.
pub fn write(path: &Path, model: &Model, outputs: Vec<Tensor>, positional: bool) -> Result<()> {
    let names = model.outputs().into_iter().map(|output| output.name).enumerate();
    let names = names.map(|(i, name)| if positional { Side::Outputs.positional(i) } else { name });
    if !is_json(path) {
        return write_npz(path, &names.zip(outputs).collect::<Vec<_>>());
    }
    let json = match positional {
        true => Json::Object(names.zip(outputs.iter().map(from_tensor)).collect()),
        false => model.outputs_to_json(&outputs),
    };
    atomic::write(path, to_python(&json).as_bytes(), Replace::default())
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

/// A text file, no longer than the limits allow.
fn read_text(path: &Path) -> Result<Vec<u8>> {
    let limit = loading::limits().json_array_bytes;
    let io = |error| Error::io(path, error);
    let mut text = Vec::new();
    let file = File::open(path).map_err(io)?;
    // One byte more tells that there is too much.
    file.take(limit.saturating_add(1)).read_to_end(&mut text).map_err(io)?;
    Ok(text)
}

/// Wrong arrays are the caller's, not a model file's.
fn in_file(path: &Path, error: &Error) -> Error {
    Error::Invalid(format!("{}: {error}", path.display()))
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "nothing".into() } else { items.join(", ") }
}

/// The position of the array for each wanted name; nothing inside for an input that is left out.
fn assign(names: &[&str], wanted: &[InputSpec], side: Side) -> Option<Vec<Option<usize>>> {
    let position = |name: &str| names.iter().position(|n| *n == name);
    let found = |position: &dyn Fn(usize) -> Option<usize>| {
        let found: Vec<_> = (0..wanted.len()).map(position).collect();
        let missing = |(at, w): (&Option<usize>, &InputSpec)| at.is_none() && !w.optional;
        let fits = found.iter().any(Option::is_some) && !found.iter().zip(wanted).any(missing);
        fits.then_some(found)
    };
    let by_name = found(&|i| position(&wanted[i].name));
    // Where one is left out, an unknown name may be its, misspelt.
    let known = |name: &&str| wanted.iter().any(|w| w.name == **name);
    if by_name.as_ref().is_some_and(|f| f.iter().all(Option::is_some) || names.iter().all(known)) {
        return by_name;
    }
    for prefix in side.prefixes() {
        let number = |i: usize| position(&format!("{prefix}{i}"));
        let numbered = found(&number);
        if numbered.is_some() && number(wanted.len()).is_none() {
            return numbered;
        }
    }
    // Some right names and some wrong ones are a mistake, not an order.
    let none_known = wanted.iter().all(|w| position(&w.name).is_none());
    (names.len() == wanted.len() && none_known).then(|| (0..names.len()).map(Some).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of optional inputs end in "?".
    fn places(names: &[&str], wanted: &[&str]) -> Option<Vec<Option<usize>>> {
        let spec = |name: &&str| InputSpec {
            name: name.trim_end_matches('?').into(),
            shape: [None, Some(1)].into(),
            dtype: DType::Float32,
            optional: name.ends_with('?'),
        };
        assign(names, &wanted.iter().map(spec).collect::<Vec<_>>(), Side::Inputs)
    }

    fn order(names: &[&str], wanted: &[&str]) -> Option<Vec<usize>> {
        places(names, wanted)?.into_iter().collect()
    }

    #[test]
    fn optional_inputs_may_be_left_out() {
        assert_eq!(places(&["a"], &["a", "b?"]), Some(vec![Some(0), None]));
        assert_eq!(places(&["x0", "y0"], &["a", "b?"]), Some(vec![Some(0), None]));
        assert_eq!(places(&["x1"], &["a?", "b"]), Some(vec![None, Some(0)]));
        assert_eq!(places(&["b", "a"], &["a", "b?"]), Some(vec![Some(1), Some(0)]));
        assert_eq!(places(&["b"], &["a", "b?"]), None);
        assert_eq!(places(&["a", "c"], &["a", "b?"]), None);
        assert_eq!(places(&[], &["a?"]), None);
    }

    #[test]
    fn arrays_are_found_by_name_then_number_then_order() {
        assert_eq!(order(&["y0", "b", "a"], &["a", "b"]), Some(vec![2, 1]));
        assert_eq!(order(&["y0", "x1", "x0"], &["a", "b"]), Some(vec![2, 1]));
        assert_eq!(order(&["input_0", "input_1"], &["a", "b"]), Some(vec![0, 1]));
        assert_eq!(order(&["arr_0", "arr_1"], &["a", "b"]), Some(vec![0, 1]));
    }

    #[test]
    fn what_could_be_a_mistake_is_refused() {
        assert_eq!(order(&["a", "c"], &["a", "b"]), None);
        assert_eq!(order(&["x0", "x1", "x2"], &["a", "b"]), None);
        assert_eq!(order(&["c"], &["a", "b"]), None);
    }
}

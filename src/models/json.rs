//! Inputs and outputs of a model as JSON: what Python's `json` makes of what
//! [`Model::predict`] takes and gives in Keras, with arrays as nested lists.

use crate::base::error::quote;
use crate::base::{Nested, Result};
use crate::models::inputs::arrange;
use crate::models::model::{InputSpec, Model};
use crate::saving::Limits;
use crate::saving::json::array::{depth, from_tensor, to_tensor};
use crate::saving::json::{Json, float, parse};
use crate::saving::limits::check;
use crate::tensor::Tensor;

impl Model {
    /// Inputs from a JSON text, in the order of [`Model::inputs`]; nothing for optional ones that are
    /// left out.
    ///
    /// A nested list is an array. Several inputs are a list of arrays, an object by their names, or
    /// what the model was declared with: lists and objects. An optional input may be null, or its name
    /// not be there. Text is written as strings.
    /// Elements keep their kind: [`Model::conform`] makes them the declared dtypes.
    ///
    /// # Errors
    /// With the place in the text: for lists of unequal lengths, text among numbers, null, and a
    /// structure that is not the model's; and if the text is larger than the limits allow.
    pub fn inputs_from_json(&self, text: &[u8], limits: &Limits) -> Result<Vec<Option<Tensor>>> {
        read(text, &self.input_structure(), &self.inputs(), limits)
    }

    /// Arrays for the outputs, such as labels, from a JSON text like that of
    /// [`inputs_from_json`](Model::inputs_from_json); in the order of [`Model::outputs`].
    ///
    /// # Errors
    /// As for inputs.
    pub fn outputs_from_json(&self, text: &[u8], limits: &Limits) -> Result<Vec<Tensor>> {
        let arrays = read(text, &self.output_structure(), &self.outputs(), limits)?;
        Ok(arrays.into_iter().flatten().collect())
    }

    /// Outputs as JSON in the structure that Keras's `predict` gives: nested lists for one output, a
    /// list or an object of them for several.
    pub fn outputs_to_json(&self, outputs: &[Tensor]) -> Json {
        let structure = self.output_structure();
        structured(&structure, &|i| outputs.get(i).map(from_tensor).unwrap_or_default())
    }
}

fn structured(structure: &Nested<usize>, leaf: &dyn Fn(usize) -> Json) -> Json {
    match structure {
        Nested::None => Json::Null,
        Nested::Leaf(i) => leaf(*i),
        Nested::List(items) => items.iter().map(|item| structured(item, leaf)).collect(),
        Nested::Dict(items) => {
            let items = items.iter().map(|(key, item)| (key.clone(), structured(item, leaf)));
            Json::Object(items.collect())
        }
    }
}

/// An array in JSON, and where it stands.
type Found<'j> = Nested<(String, &'j Json)>;

fn read(
    text: &[u8],
    wanted: &Nested<usize>,
    specs: &[InputSpec],
    limits: &Limits,
) -> Result<Vec<Option<Tensor>>> {
    let size = text.len() as u64;
    check(|| "a JSON text of arrays".into(), size, limits.json_array_bytes, "json_array_bytes")?;
    let json = parse(text, "arrays", limits)?;
    let found = split(&json, wanted, specs, String::new());
    let found = arrange(&found, wanted, specs)?;
    let arrays = found.into_iter().zip(specs);
    let tensor = |(found, spec): (Option<&(String, &Json)>, &InputSpec)| {
        found.map(|(place, json)| to_tensor(json, place, spec.dtype)).transpose()
    };
    arrays.map(tensor).collect()
}

/// Tells lists of arrays from arrays, by what the model declares.
fn split<'j>(
    json: &'j Json,
    wanted: &Nested<usize>,
    specs: &[InputSpec],
    place: String,
) -> Found<'j> {
    let is_array = |wanted: &[Nested<usize>]| match wanted {
        [Nested::Leaf(i)] => specs.get(*i).is_some_and(|spec| depth(json) <= spec.shape.rank()),
        _ => false,
    };
    match (json, wanted) {
        (Json::Null, Nested::None) => Nested::None,
        (Json::Null, Nested::Leaf(i)) if specs.get(*i).is_some_and(|spec| spec.optional) => {
            Nested::None
        }
        (Json::Object(map), _) if float(json).is_none() => {
            let entry = |(key, json): (&String, &'j Json)| {
                let place = format!("{place}[\"{}\"]", quote(key));
                (key.clone(), split(json, by_key(wanted, key), specs, place))
            };
            Nested::Dict(map.iter().map(|(key, json)| entry((key, json))).collect())
        }
        (Json::Array(items), Nested::List(wanted)) if !is_array(wanted) => {
            split_list(items, wanted.iter(), specs, &place)
        }
        (Json::Array(items), Nested::Dict(wanted)) => {
            split_list(items, wanted.iter().map(|(_, wanted)| wanted), specs, &place)
        }
        _ => Nested::Leaf((place, json)),
    }
}

fn split_list<'j, 'w>(
    items: &'j [Json],
    wanted: impl Iterator<Item = &'w Nested<usize>>,
    specs: &[InputSpec],
    place: &str,
) -> Found<'j> {
    let wanted = wanted.map(Some).chain(std::iter::repeat(None));
    let item = |((i, json), wanted): ((usize, &'j Json), Option<&Nested<usize>>)| {
        split(json, wanted.unwrap_or(&Nested::None), specs, format!("{place}[{i}]"))
    };
    Nested::List(items.iter().enumerate().zip(wanted).map(item).collect())
}

/// What the model declares under a key; names of inputs lead to arrays.
fn by_key<'w>(wanted: &'w Nested<usize>, key: &str) -> &'w Nested<usize> {
    let items = match wanted {
        Nested::Dict(items) => items.as_slice(),
        _ => &[],
    };
    items.iter().find(|(known, _)| known == key).map_or(&Nested::None, |(_, wanted)| wanted)
}

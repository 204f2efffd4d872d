//! What a model is called with, in the forms in which callers have it.

use crate::base::error::quote;
use crate::base::{Error, Nested, Result};
use crate::models::model::{InputSpec, Model};
use crate::tensor::Tensor;

/// Inputs of a model: tensors in the order of [`Model::inputs`], or a structure of them as
/// [`Model::predict`] takes it in Keras.
///
/// Everything that converts to it can be given to [`Model::predict`]: a tensor, a list of tensors,
/// text, pairs of a name and a tensor, or a [`Nested`] structure. An input that the model declares as
/// [`optional`](InputSpec::optional) may be left out: it is `None` in a list or a structure, or its
/// name is not there.
///
/// ```
/// use keraunos::Tensor;
/// use keraunos::models::Inputs;
///
/// let x = Tensor::scalar(1.0);
/// let _one = Inputs::from(&x);
/// let _several = Inputs::from(&[x.clone(), x.clone()]);
/// let _by_name = Inputs::from([("image", x.clone()), ("table", x)]);
/// let _text = Inputs::from(&["a text", "another"]);
/// ```
#[derive(Clone, Debug)]
pub struct Inputs(Given);

#[derive(Clone, Debug)]
enum Given {
    /// In the order of the model's inputs.
    Ordered(Vec<Option<Tensor>>),
    Structured(Nested<Tensor>),
}

impl Inputs {
    /// The tensors in the order of the model's inputs; nothing for those that are left out.
    ///
    /// # Errors
    /// If a structure is not that of the model.
    pub(crate) fn ordered(self, model: &Model) -> Result<Vec<Option<Tensor>>> {
        match self.0 {
            Given::Ordered(tensors) => Ok(tensors),
            Given::Structured(given) => arrange(&given, &model.input_structure(), &model.inputs())
                .map(|leaves| leaves.into_iter().map(Option::<&Tensor>::cloned).collect()),
        }
    }

    /// Labels, or weights of samples, in the order of the model's outputs, as far as they are given. One
    /// tensor stays one, and so does a list shorter than that of the outputs where `few` allows it.
    ///
    /// # Errors
    /// If a structure is not that of the outputs.
    pub(crate) fn by_output(self, model: &Model, few: bool) -> Result<Vec<Option<Tensor>>> {
        match self.0 {
            Given::Ordered(tensors) => Ok(tensors),
            Given::Structured(given) => {
                let (wanted, specs) = (model.output_structure(), model.outputs());
                let bare = match &given {
                    Nested::Leaf(tensor) => Some(vec![tensor]),
                    Nested::List(items) if few => items.iter().map(Nested::leaf).collect(),
                    _ => None,
                };
                if let Some(bare) = bare.filter(|bare| bare.len() < specs.len()) {
                    return Ok(bare.into_iter().cloned().map(Some).collect());
                }
                let mut places: Vec<Option<&Tensor>> = vec![None; specs.len()];
                Matching { specs: &specs, complete: false }.place(&given, &wanted, &mut places)?;
                Ok(places.into_iter().map(Option::<&Tensor>::cloned).collect())
            }
        }
    }
}

/// In the order of the model's inputs, nothing for those that are left out.
impl From<Vec<Option<Tensor>>> for Inputs {
    fn from(tensors: Vec<Option<Tensor>>) -> Inputs {
        Inputs(Given::Ordered(tensors))
    }
}

impl From<Vec<Tensor>> for Inputs {
    fn from(tensors: Vec<Tensor>) -> Inputs {
        tensors.into_iter().map(Some).collect::<Vec<_>>().into()
    }
}

impl From<&[Tensor]> for Inputs {
    fn from(tensors: &[Tensor]) -> Inputs {
        tensors.to_vec().into()
    }
}

impl From<&Vec<Tensor>> for Inputs {
    fn from(tensors: &Vec<Tensor>) -> Inputs {
        tensors.clone().into()
    }
}

impl<const N: usize> From<[Tensor; N]> for Inputs {
    fn from(tensors: [Tensor; N]) -> Inputs {
        Vec::from(tensors).into()
    }
}

impl<const N: usize> From<&[Tensor; N]> for Inputs {
    fn from(tensors: &[Tensor; N]) -> Inputs {
        tensors.to_vec().into()
    }
}

impl From<Tensor> for Inputs {
    fn from(tensor: Tensor) -> Inputs {
        vec![tensor].into()
    }
}

impl From<&Tensor> for Inputs {
    fn from(tensor: &Tensor) -> Inputs {
        tensor.clone().into()
    }
}

impl From<Nested<Tensor>> for Inputs {
    fn from(nested: Nested<Tensor>) -> Inputs {
        Inputs(Given::Structured(nested))
    }
}

/// By name: of an input, or the key under which the model takes it.
impl<S: Into<String>> From<Vec<(S, Tensor)>> for Inputs {
    fn from(named: Vec<(S, Tensor)>) -> Inputs {
        let leaf = |(name, tensor): (S, Tensor)| (name.into(), Nested::Leaf(tensor));
        Nested::Dict(named.into_iter().map(leaf).collect()).into()
    }
}

impl<S: Into<String>, const N: usize> From<[(S, Tensor); N]> for Inputs {
    fn from(named: [(S, Tensor); N]) -> Inputs {
        Vec::from(named).into()
    }
}

/// Text, a row for each.
impl From<Vec<String>> for Inputs {
    fn from(texts: Vec<String>) -> Inputs {
        Tensor::from(texts).into()
    }
}

impl From<&[String]> for Inputs {
    fn from(texts: &[String]) -> Inputs {
        texts.to_vec().into()
    }
}

impl From<&[&str]> for Inputs {
    fn from(texts: &[&str]) -> Inputs {
        texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>().into()
    }
}

impl<const N: usize> From<&[&str; N]> for Inputs {
    fn from(texts: &[&str; N]) -> Inputs {
        texts.as_slice().into()
    }
}

/// The leaves of a structure in the order of what the model declares.
///
/// As Keras's functional models take structures: one tensor for a list of one and the other way
/// round, a mapping by names for inputs that the model takes as one tensor or a plain list, and a
/// list for a mapping that was declared in the order of its sorted keys. Where Keras warns of another
/// structure and goes on by position, this is an error. Nothing for optional inputs that are left out.
pub(crate) fn arrange<'g, T>(
    given: &'g Nested<T>,
    wanted: &Nested<usize>,
    specs: &[InputSpec],
) -> Result<Vec<Option<&'g T>>> {
    let mut places: Vec<Option<&T>> = specs.iter().map(|_| None).collect();
    let matching = Matching { specs, complete: true };
    matching.place(given, wanted, &mut places)?;
    let mut found = places.iter().zip(specs);
    match found.find(|(place, spec)| place.is_none() && !spec.optional) {
        Some((_, spec)) => Err(not_optional(spec)),
        None => Ok(places),
    }
}

/// As Keras says it.
pub(crate) fn not_optional(spec: &InputSpec) -> Error {
    let name = quote(&spec.name);
    Error::Invalid(format!("the input '{name}' is not optional, and nothing is given for it"))
}

struct Matching<'m> {
    specs: &'m [InputSpec],
    /// Whether nothing may be left out.
    complete: bool,
}

impl Matching<'_> {
    fn place<'g, T>(
        &self,
        given: &'g Nested<T>,
        wanted: &Nested<usize>,
        places: &mut Vec<Option<&'g T>>,
    ) -> Result<()> {
        match (wanted, given) {
            (Nested::None | Nested::Leaf(_), Nested::None) => Ok(()),
            (Nested::Leaf(i), Nested::Leaf(tensor)) => {
                places[*i] = Some(tensor);
                Ok(())
            }
            (Nested::Leaf(_), Nested::Dict(named)) => {
                self.by_names(named, std::slice::from_ref(wanted), places)
            }
            (Nested::Leaf(_), Nested::List(items)) if items.len() == 1 => {
                self.place(&items[0], wanted, places)
            }
            (Nested::List(wanted), Nested::Leaf(_)) if wanted.len() == 1 => {
                self.place(given, &wanted[0], places)
            }
            (Nested::List(wanted), Nested::List(items)) if items.len() == wanted.len() => {
                let mut pairs = items.iter().zip(wanted);
                pairs.try_for_each(|(item, wanted)| self.place(item, wanted, places))
            }
            (Nested::List(wanted), Nested::Dict(named)) => self.by_names(named, wanted, places),
            (Nested::Dict(wanted), Nested::Dict(named)) => self.by_keys(named, wanted, places),
            (Nested::Dict(wanted), Nested::List(items))
                if items.len() == wanted.len()
                    && (!self.complete || wanted.is_sorted_by(|a, b| a.0 <= b.0)) =>
            {
                // Labels come in the order of the keys, in which Keras flattens a mapping.
                let mut wanted: Vec<_> = wanted.iter().collect();
                wanted.sort_by(|a, b| a.0.cmp(&b.0));
                let mut pairs = items.iter().zip(wanted);
                pairs.try_for_each(|(item, (_, wanted))| self.place(item, wanted, places))
            }
            _ => Err(self.unlike(given, wanted)),
        }
    }

    /// Tensors for a plain list of inputs, by the inputs' names. Others stay unused, as in Keras.
    fn by_names<'g, T>(
        &self,
        named: &'g [(String, Nested<T>)],
        wanted: &[Nested<usize>],
        places: &mut Vec<Option<&'g T>>,
    ) -> Result<()> {
        for wanted in wanted {
            let name = wanted.leaf().and_then(|&i| self.specs.get(i)).map(|spec| &spec.name);
            let entry = name.and_then(|name| named.iter().find(|(key, _)| key == name));
            self.place_entry(entry, wanted, places, || self.without(named, name))?;
        }
        Ok(())
    }

    /// What stands under a name, if the model needs it.
    fn place_entry<'g, T>(
        &self,
        entry: Option<&'g (String, Nested<T>)>,
        wanted: &Nested<usize>,
        places: &mut Vec<Option<&'g T>>,
        without: impl FnOnce() -> Error,
    ) -> Result<()> {
        let optional = |&&i: &&usize| self.specs.get(i).is_some_and(|spec| spec.optional);
        match entry {
            Some((_, item)) => self.place(item, wanted, places),
            None if !self.complete || wanted.flatten().iter().all(optional) => Ok(()),
            None => Err(without()),
        }
    }

    fn by_keys<'g, T>(
        &self,
        named: &'g [(String, Nested<T>)],
        wanted: &[(String, Nested<usize>)],
        places: &mut Vec<Option<&'g T>>,
    ) -> Result<()> {
        for (key, wanted) in wanted {
            let entry = named.iter().find(|(found, _)| found == key);
            self.place_entry(entry, wanted, places, || self.without(named, Some(key)))?;
        }
        match named.iter().find(|(key, _)| wanted.iter().all(|(known, _)| known != key)) {
            None => Ok(()),
            Some((key, _)) => {
                let keys: Vec<String> = wanted.iter().map(|(key, _)| quote(key)).collect();
                Err(Error::Invalid(format!(
                    "'{}' is none of the model's keys: {}",
                    quote(key),
                    keys.join(", ")
                )))
            }
        }
    }

    fn without<T>(&self, named: &[(String, Nested<T>)], missing: Option<&String>) -> Error {
        let missing = missing.map_or("a nested input".into(), |name| format!("'{}'", quote(name)));
        let found: Vec<String> = named.iter().map(|(key, _)| quote(key)).collect();
        let found = if found.is_empty() { "nothing".into() } else { found.join(", ") };
        Error::Invalid(format!("nothing is given for {missing}; there is {found}"))
    }

    fn unlike<T>(&self, given: &Nested<T>, wanted: &Nested<usize>) -> Error {
        let name = |&i: &usize| self.specs.get(i).map_or(String::new(), |spec| quote(&spec.name));
        let expected = outline(wanted, &name);
        Error::Invalid(format!("got {}, expected {expected}", outline(given, &|_| "…".into())))
    }
}

/// A structure as Python writes it, with a text for each leaf.
fn outline<T>(nested: &Nested<T>, leaf: &dyn Fn(&T) -> String) -> String {
    match nested {
        Nested::None => "None".into(),
        Nested::Leaf(t) => leaf(t),
        Nested::List(items) => {
            let items: Vec<String> = items.iter().map(|item| outline(item, leaf)).collect();
            format!("[{}]", items.join(", "))
        }
        Nested::Dict(items) => {
            let item = |(key, item): &(String, Nested<T>)| {
                format!("'{}': {}", quote(key), outline(item, leaf))
            };
            format!("{{{}}}", items.iter().map(item).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::DType;

    fn leaf(i: usize) -> Nested<usize> {
        Nested::Leaf(i)
    }

    fn dict(items: &[(&str, Nested<usize>)]) -> Nested<usize> {
        Nested::Dict(items.iter().map(|(key, item)| ((*key).into(), item.clone())).collect())
    }

    fn order(given: &Nested<usize>, wanted: &Nested<usize>) -> Result<Vec<usize>, String> {
        let spec = |i: usize| InputSpec {
            name: format!("in{i}"),
            shape: [None, Some(1)].into(),
            dtype: DType::Float32,
            optional: false,
        };
        let specs: Vec<InputSpec> = (0..wanted.flatten().len()).map(spec).collect();
        let found = arrange(given, wanted, &specs).map_err(|error| error.to_string())?;
        Ok(found.into_iter().flatten().copied().collect())
    }

    #[test]
    fn structures_are_matched_as_in_keras() {
        let list = Nested::List(vec![leaf(0), leaf(1)]);
        let one = Nested::List(vec![leaf(0)]);
        let sorted = dict(&[("a", leaf(0)), ("b", leaf(1))]);
        let swapped = dict(&[("b", leaf(1)), ("a", leaf(0))]);
        let given = Nested::List(vec![leaf(7), leaf(8)]);
        assert_eq!(order(&leaf(7), &leaf(0)), Ok(vec![7]));
        assert_eq!(order(&leaf(7), &one), Ok(vec![7]));
        assert_eq!(order(&Nested::List(vec![leaf(7)]), &leaf(0)), Ok(vec![7]));
        assert_eq!(order(&given, &list), Ok(vec![7, 8]));
        assert_eq!(order(&given, &sorted), Ok(vec![7, 8]));
        assert_eq!(order(&dict(&[("b", leaf(8)), ("a", leaf(7))]), &swapped), Ok(vec![7, 8]));
        let named = dict(&[("in1", leaf(8)), ("in0", leaf(7)), ("more", leaf(9))]);
        assert_eq!(order(&named, &list), Ok(vec![7, 8]));
        assert_eq!(order(&named, &leaf(0)), Ok(vec![7]));
        let inner = dict(&[("a", leaf(1)), ("b", leaf(2))]);
        let deep = Nested::List(vec![leaf(0), Nested::None, inner]);
        let given = Nested::List(vec![leaf(5), Nested::None, Nested::List(vec![leaf(6), leaf(7)])]);
        assert_eq!(order(&given, &deep), Ok(vec![5, 6, 7]));
        // Keras goes by position here and warns, or refuses.
        let given = Nested::List(vec![leaf(7), leaf(8)]);
        for (given, wanted, part) in [
            (&given, &swapped, "expected {'b': in1, 'a': in0}"),
            (&leaf(7), &list, "expected [in0, in1]"),
            (&dict(&[("a", leaf(7))]), &sorted, "nothing is given for 'b'; there is a"),
            (&named, &sorted, "nothing is given for 'a'"),
            (&dict(&[("a", leaf(7)), ("c", leaf(8)), ("b", leaf(8))]), &sorted, "'c' is none of"),
        ] {
            let message = order(given, wanted).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }
}

//! Giving variables the values that a file holds.

use std::sync::Arc;

use crate::base::error::quote;
use crate::base::stream::CHUNK;
use crate::base::{DType, Error, Result, Source, Spec};
use crate::saving::SKIPPED;
use crate::saving::saveable::Kind;
use crate::saving::store::{Group, Store};
use crate::saving::walk::Saved;
use crate::tensor::{Tensor, Variable};

/// How many objects an error lists.
const LISTED: usize = 4;
/// Characters of each in a list.
const LISTED_CHARS: usize = 200;

/// Points every variable of the objects at its dataset in `store`. Nothing is read yet, so the
/// store's file must stay as it is until the values have been used.
///
/// As in Keras, an optimizer whose number of variables differs from the file's is left alone with a
/// warning: a model that was compiled but never trained has fewer. So are objects in containers
/// within containers that the file lacks, as files that Keras wrote before 3.15 do.
///
/// With `skip_mismatch` an object that does not fit is no error, but a warning: its variables up to
/// the first that does not fit are loaded, the others keep their values.
///
/// # Errors
/// [`Error::Weights`] that counts the objects whose variables are missing or do not fit, and names the
/// first of them; no variable has changed then.
pub fn load_into(saved: &[Saved], store: &dyn Store, skip_mismatch: bool) -> Result<()> {
    let mut values = Vec::new();
    let mut failures = Vec::new();
    for object in saved {
        match values_of(object, store, &mut values) {
            Ok(()) => {}
            Err(Failure::Tolerated(what)) => log::warn!("not loaded: {what}"),
            Err(Failure::Object(what)) => failures.push(what),
        }
    }
    if !failures.is_empty() && skip_mismatch {
        log::warn!(target: SKIPPED, "not loaded: {}", describe(&failures));
    } else if !failures.is_empty() {
        return Err(Error::Weights(describe(&failures)));
    }
    for (variable, source) in values {
        variable.load(source)?;
    }
    Ok(())
}

enum Failure {
    /// Not an error, by Keras's rules.
    Tolerated(String),
    Object(String),
}

fn describe(failures: &[String]) -> String {
    if let [only] = failures {
        return format!("one object could not be loaded: {only}");
    }
    let mut text = format!("{} objects could not be loaded: ", failures.len());
    let listed = failures.iter().take(LISTED).map(|f| shortened(f));
    text.push_str(&listed.collect::<Vec<_>>().join("; "));
    if failures.len() > LISTED {
        text.push_str("; ...");
    }
    text
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LISTED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

type Values = Vec<(Variable, Arc<dyn Source>)>;

/// Adds the sources of an object's variables, in the variables' dtypes.
fn values_of(object: &Saved, store: &dyn Store, values: &mut Values) -> Result<(), Failure> {
    let path = object.group_path();
    let fail = |what: String| Failure::Object(format!("{}: {what}", title(object)));
    let group = find_group(&path, store).map_err(|e| fail(e.to_string()))?;
    let in_older_file = group.is_none() && lacks_container(object, store);
    let group = group.unwrap_or(Group { name: None, datasets: Vec::new() });
    let (expected, found) = (object.variables.len(), group.datasets.len());
    if expected != found {
        let names: Vec<&str> = object.variables.iter().map(|(_, v)| v.name()).collect();
        let what = format!(
            "expected {expected} variables ({}), found {found} in '{path}'; links are not followed",
            names.join(", ")
        );
        let tolerated = object.kind == Kind::Optimizer || in_older_file;
        return Err(if tolerated {
            Failure::Tolerated(format!("{}: {what}", title(object)))
        } else {
            fail(what)
        });
    }
    for (key, variable) in &object.variables {
        let dataset = group.datasets.iter().find(|(found, _)| found == key);
        let (_, source) =
            dataset.ok_or_else(|| fail(format!("no dataset '{}' in '{path}'", quote(key))))?;
        let (shape, stored) = (&variable.spec().shape, &source.spec().shape);
        if shape != stored {
            let name = variable.name();
            return Err(fail(format!("'{name}' has shape {shape}, '{path}/{key}' has {stored}")));
        }
        values.push((variable.clone(), cast(source.clone(), variable.spec().dtype)));
    }
    Ok(())
}

/// The group at a path, or where tf.keras 2.13 put it in its `.keras` files.
fn find_group(path: &str, store: &dyn Store) -> Result<Option<Group>> {
    if let Some(group) = store.group(path)? {
        return Ok(Some(group));
    }
    let older = |part| if part == "layers" { "_layer_checkpoint_dependencies" } else { part };
    let older = path.split('/').map(older).collect::<Vec<_>>().join("/");
    if older == path { Ok(None) } else { store.group(&older) }
}

/// Whether the object's nested container is missing from the file as a whole.
fn lacks_container(object: &Saved, store: &dyn Store) -> bool {
    object.nested_in.as_ref().is_some_and(|container| {
        let below = format!("{container}/");
        !store.groups().iter().any(|path| path.starts_with(&below))
    })
}

fn title(object: &Saved) -> String {
    let name = object.name.as_deref().unwrap_or("");
    format!("{} '{}' at '{}'", quote(&object.class_name), quote(name), quote(&object.path))
}

/// The same elements in another dtype, converted as they are read.
pub fn cast(source: Arc<dyn Source>, dtype: DType) -> Arc<dyn Source> {
    if source.spec().dtype == dtype {
        return source;
    }
    let spec = Spec::new(source.spec().shape.clone(), dtype);
    Arc::new(CastSource { source, spec })
}

struct CastSource {
    source: Arc<dyn Source>,
    spec: Spec,
}

impl CastSource {
    /// The bytes of `count` elements from `first` on, converted.
    fn convert(&self, first: usize, count: usize) -> Result<Tensor> {
        let stored = self.source.spec().dtype;
        let mut bytes = vec![0; count * stored.size()];
        self.source.read(first * stored.size(), &mut bytes)?;
        Ok(Tensor::from_bytes(Spec::new([count], stored), bytes)?.cast(self.spec.dtype))
    }
}

impl Source for CastSource {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn read(&self, offset: usize, buf: &mut [u8]) -> Result<()> {
        let width = self.spec.dtype.size();
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done;
            let inside = at % width;
            let wanted = (inside + buf.len() - done).div_ceil(width);
            let converted = self.convert(at / width, wanted.min(CHUNK / 8))?;
            let piece = &converted.bytes()[inside..];
            let count = piece.len().min(buf.len() - done);
            buf[done..done + count].copy_from_slice(&piece[..count]);
            done += count;
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.source.check()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    struct Memory(HashMap<String, Vec<(String, Tensor)>>);

    impl Store for Memory {
        fn group(&self, path: &str) -> Result<Option<Group>> {
            Ok(self.0.get(path).map(|found| Group {
                name: None,
                datasets: found
                    .iter()
                    .map(|(key, t)| (key.clone(), Arc::new(t.clone()) as Arc<dyn Source>))
                    .collect(),
            }))
        }
        fn groups(&self) -> Vec<String> {
            self.0.keys().cloned().collect()
        }
    }

    fn object(path: &str, kind: Kind, shapes: &[&[usize]]) -> Saved {
        let variables = shapes.iter().enumerate().map(|(i, shape)| {
            let zeros = Tensor::zeros(Spec::new(*shape, DType::Float32));
            (i.to_string(), Variable::new("kernel", true, Arc::new(zeros)))
        });
        Saved {
            path: path.into(),
            class_name: "Dense".into(),
            name: Some("dense".into()),
            kind,
            nested_in: None,
            variables: variables.collect(),
            assets: None,
        }
    }

    fn memory(groups: &[(&str, Vec<Tensor>)]) -> Memory {
        let keyed = |tensors: &Vec<Tensor>| {
            tensors.iter().enumerate().map(|(i, t)| (i.to_string(), t.clone())).collect()
        };
        Memory(groups.iter().map(|(path, tensors)| (path.to_string(), keyed(tensors))).collect())
    }

    #[test]
    fn values_are_converted_to_the_variables_dtype() {
        let saved = [object("layers/dense", Kind::Layer, &[&[3]]), object("", Kind::Layer, &[])];
        let wide = Tensor::new([3], &[1.5f64, -2.0, 0.1]).unwrap();
        load_into(&saved, &memory(&[("layers/dense/vars", vec![wide.clone()])]), false).unwrap();
        let variable = &saved[0].variables[0].1;
        assert_eq!(variable.value().unwrap(), wide.cast(DType::Float32));
        let mut middle = [0; 5];
        variable.source().read(3, &mut middle).unwrap();
        assert_eq!(middle, wide.cast(DType::Float32).bytes()[3..8]);
    }

    #[test]
    fn all_failures_are_named_and_nothing_is_loaded() {
        let saved = [
            object("layers/dense", Kind::Layer, &[&[2]]),
            object("layers/dense_1", Kind::Layer, &[&[3], &[4]]),
            object("layers/dense_2", Kind::Layer, &[&[5]]),
        ];
        let ones = |n: usize| Tensor::new([n], &vec![1f32; n]).unwrap();
        let store = memory(&[
            ("layers/dense/vars", vec![ones(2)]),
            ("layers/dense_1/vars", vec![ones(3)]),
            ("layers/dense_2/vars", vec![ones(6)]),
        ]);
        let message = load_into(&saved, &store, false).unwrap_err().to_string();
        assert!(message.contains("2 objects") && message.contains("layers/dense_1"), "{message}");
        assert!(message.contains("(5,)") && message.contains("(6,)"), "{message}");
        assert_eq!(saved[0].variables[0].1.version(), 0);
    }

    #[test]
    fn groups_are_found_where_tf_keras_put_them() {
        let saved = [object("layers/model/layers/dense", Kind::Layer, &[&[2]])];
        let path = "_layer_checkpoint_dependencies/model/_layer_checkpoint_dependencies/dense/vars";
        let value = Tensor::new([2], &[1f32, 2.0]).unwrap();
        load_into(&saved, &memory(&[(path, vec![value.clone()])]), false).unwrap();
        assert_eq!(saved[0].variables[0].1.value().unwrap(), value);
    }

    #[test]
    fn an_optimizer_that_differs_is_left_alone() {
        let saved = [object("optimizer", Kind::Optimizer, &[&[], &[2]])];
        let store = memory(&[("optimizer/vars", vec![Tensor::scalar(1.0)])]);
        load_into(&saved, &store, false).unwrap();
        assert_eq!(saved[0].variables[0].1.version(), 0);
    }

    #[test]
    fn nested_containers_may_be_missing_as_a_whole() {
        let mut saved = [object("blocks/container/dense", Kind::Layer, &[&[2]])];
        assert!(load_into(&saved, &memory(&[]), false).is_err());
        saved[0].nested_in = Some("blocks/container".into());
        load_into(&saved, &memory(&[]), false).unwrap();
        let other = memory(&[("blocks/container/dense_1/vars", vec![])]);
        assert!(load_into(&saved, &other, false).is_err());
    }
}

//! The order in which Keras visits the parts of a model, which decides the paths of their weights.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::saving::saveable::{Assets, Child, Kind, Saveable};
use crate::saving::store::GroupPlan;
use crate::tensor::Variable;

/// One visited object.
#[derive(Clone)]
pub struct Saved {
    /// Its path, such as `layers/dense`; the root's is empty.
    pub path: String,
    /// The name of its class.
    pub class_name: String,
    /// Its own name.
    pub name: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The path of the container within a container in which the object was found. Files that
    /// Keras wrote before 3.15 lack these.
    pub nested_in: Option<String>,
    /// Keys and variables.
    pub variables: Vec<(String, Variable)>,
    /// What it keeps in files of its own.
    pub assets: Option<Arc<dyn Assets>>,
}

impl Saved {
    /// The path of its group of variables.
    pub fn group_path(&self) -> String {
        join(&self.path, "vars")
    }
}

/// All objects below `root` that store variables, itself first, each once, in Keras's order.
///
/// An object's own variables come first, then its attributes by name, private ones last; for
/// functional and sequential models `layers` comes before them. Items of containers are named after
/// their classes, with counters that count every item, also those visited elsewhere before.
pub fn walk(root: &dyn Saveable) -> Vec<Saved> {
    let mut walker = Walker { seen: HashSet::new(), saved: Vec::new(), nested_in: None };
    walker.object(root, "");
    walker.saved
}

/// The groups of a weights file for these objects.
///
/// Every object with a name gets a group, if an empty one, as Keras gives it.
pub fn plans(saved: &[Saved]) -> Vec<GroupPlan> {
    let kept = saved.iter().filter(|s| s.name.is_some() || !s.variables.is_empty());
    kept.map(|s| GroupPlan {
        path: s.group_path(),
        name: s.name.clone(),
        datasets: s.variables.iter().map(|(key, v)| (key.clone(), v.source())).collect(),
    })
    .collect()
}

struct Walker {
    seen: HashSet<usize>,
    saved: Vec<Saved>,
    nested_in: Option<String>,
}

impl Walker {
    fn object(&mut self, object: &dyn Saveable, path: &str) {
        if !self.seen.insert(object.identity()) {
            return;
        }
        if object.kind().stores() {
            self.saved.push(Saved {
                path: path.into(),
                class_name: object.class_name().into(),
                name: object.name(),
                kind: object.kind(),
                nested_in: self.nested_in.clone(),
                variables: object.own_variables(),
                assets: object.assets(),
            });
        }
        let mut children = object.children();
        children.retain(|(attribute, _)| !attribute.starts_with("__"));
        let layers_first = object.kind().layers_first();
        children.sort_by_key(|(attribute, _)| {
            let later = !(layers_first && attribute == "layers");
            (later, attribute.starts_with('_'), attribute.clone())
        });
        for (attribute, child) in children {
            let path = join(path, &attribute);
            match child {
                Child::One(child) => self.object(child.as_ref(), &path),
                Child::List(items) => self.container(&items, &path),
            }
        }
    }

    fn container(&mut self, items: &[Child], path: &str) {
        let mut counts = HashMap::new();
        for item in items {
            match item {
                Child::One(object) => {
                    let name = numbered(&mut counts, snake_case(object.class_name()));
                    self.object(object.as_ref(), &join(path, &name));
                }
                Child::List(items) => {
                    let name = numbered(&mut counts, "container".into());
                    let path = join(path, &name);
                    let outer = self.nested_in.clone();
                    self.nested_in.get_or_insert_with(|| path.clone());
                    self.container(items, &path);
                    self.nested_in = outer;
                }
            }
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}/{name}") }
}

/// The name itself the first time, then with `_1`, `_2`...
fn numbered(counts: &mut HashMap<String, usize>, name: String) -> String {
    let count = counts.entry(name.clone()).and_modify(|count| *count += 1).or_default();
    if *count == 0 { name } else { format!("{name}_{count}") }
}

/// The name under which Keras files items of a class: `Conv2D` becomes `conv2d`, `LSTMCell`
/// becomes `lstm_cell`.
pub fn snake_case(class_name: &str) -> String {
    let word = |c: &char| c.is_alphanumeric() || *c == '_';
    let chars: Vec<char> = class_name.chars().filter(word).collect();
    split_between_lower_and_upper(&split_before_capitalized(&chars)).to_lowercase()
}

/// As the pattern `(.)([A-Z][a-z]+)` with an underscore put between the groups.
fn split_before_capitalized(chars: &[char]) -> String {
    let mut out = String::new();
    let mut i = 0;
    while i < chars.len() {
        out.push(chars[i]);
        let starts_word = chars.get(i + 1).is_some_and(char::is_ascii_uppercase)
            && chars.get(i + 2).is_some_and(char::is_ascii_lowercase);
        i += 1;
        if starts_word {
            let rest = &chars[i + 1..];
            let word = 1 + rest.iter().take_while(|c| c.is_ascii_lowercase()).count();
            out.push('_');
            out.extend(&chars[i..i + word]);
            i += word;
        }
    }
    out
}

/// As the pattern `([a-z])([A-Z])` with an underscore put between the groups.
fn split_between_lower_and_upper(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_uppercase() && out.ends_with(|last: char| last.is_ascii_lowercase()) {
            out.push('_');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn class_names_become_snake_case() {
        for (class, snake) in [
            ("Dense", "dense"),
            ("Conv2D", "conv2d"),
            ("Conv1DTranspose", "conv1d_transpose"),
            ("SimpleRNN", "simple_rnn"),
            ("LSTM", "lstm"),
            ("GRU", "gru"),
            ("RNN", "rnn"),
            ("ConvLSTM2D", "conv_lstm2d"),
            ("PReLU", "p_re_lu"),
            ("ReLU", "re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("ELU", "elu"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("TFSMLayer", "tfsm_layer"),
            ("STFTSpectrogram", "stft_spectrogram"),
            ("RMSNormalization", "rms_normalization"),
            ("ZeroPadding2D", "zero_padding2d"),
            ("BatchNormalization", "batch_normalization"),
            ("Functional", "functional"),
            ("Sequential", "sequential"),
            ("MyHTTPLayer2", "my_http_layer2"),
            ("LSTMCell", "lstm_cell"),
            ("GroupedQueryAttention", "grouped_query_attention"),
            ("_Private-Class", "__private_class"),
            ("XAaBb", "x_aa_bb"),
            ("AaBBCc", "aa_bb_cc"),
        ] {
            assert_eq!(snake_case(class), snake, "{class}");
        }
    }

    #[derive(Clone)]
    struct Object {
        class: &'static str,
        id: usize,
        kind: Kind,
        children: Vec<(&'static str, Child)>,
    }

    impl Saveable for Object {
        fn class_name(&self) -> &str {
            self.class
        }
        fn name(&self) -> Option<String> {
            Some(format!("{}_{}", self.class, self.id))
        }
        fn own_variables(&self) -> Vec<(String, Variable)> {
            Vec::new()
        }
        fn children(&self) -> Vec<(String, Child)> {
            self.children.iter().map(|(name, child)| (name.to_string(), child.clone())).collect()
        }
        fn identity(&self) -> usize {
            self.id
        }
        fn kind(&self) -> Kind {
            self.kind
        }
    }

    fn object(
        class: &'static str,
        id: usize,
        kind: Kind,
        children: Vec<(&'static str, Child)>,
    ) -> Child {
        Child::One(Arc::new(Object { class, id, kind, children }))
    }

    fn layer(class: &'static str, id: usize) -> Child {
        object(class, id, Kind::Layer, Vec::new())
    }

    fn paths(root: &Child) -> Vec<String> {
        let Child::One(root) = root else { panic!("not an object") };
        walk(root.as_ref()).into_iter().map(|saved| saved.path).collect()
    }

    #[test]
    fn models_save_their_layers_first_and_private_attributes_last() {
        let layers =
            Child::List(vec![layer("InputLayer", 1), layer("Dense", 2), layer("Dense", 3)]);
        let loss = object("CompileLoss", 9, Kind::Loss, vec![]);
        let children = vec![
            ("_loss", loss),
            ("optimizer", object("Adam", 4, Kind::Optimizer, vec![])),
            ("head", layer("Dense", 2)),
            ("_private", layer("Dense", 5)),
            ("__secret", layer("Dense", 6)),
            ("aa", layer("Dense", 7)),
            ("layers", layers),
        ];
        let model = object("Functional", 0, Kind::Functional, children.clone());
        assert_eq!(
            paths(&model),
            [
                "",
                "layers/input_layer",
                "layers/dense",
                "layers/dense_1",
                "aa",
                "optimizer",
                "_private"
            ]
        );
        let subclassed = object("MyModel", 0, Kind::Layer, children);
        assert_eq!(
            paths(&subclassed),
            ["", "aa", "head", "layers/input_layer", "layers/dense_1", "optimizer", "_private"]
        );
    }

    #[test]
    fn counters_count_every_item_and_containers_nest() {
        let nested = Child::List(vec![layer("Dense", 4), layer("Dense", 1)]);
        let items =
            vec![layer("Dense", 1), layer("Dense", 2), nested.clone(), nested, layer("Dense", 3)];
        let children = vec![("blocks", Child::List(items)), ("a", layer("Dense", 2))];
        assert_eq!(
            paths(&object("Block", 0, Kind::Layer, children)),
            ["", "a", "blocks/dense", "blocks/container/dense", "blocks/dense_2"]
        );
    }

    #[test]
    fn objects_that_hold_each_other_are_visited_once() {
        let inner = object("Dense", 0, Kind::Layer, vec![]);
        let outer = object("Dense", 0, Kind::Layer, vec![("inner", inner)]);
        assert_eq!(paths(&outer), [""]);
    }
}

//! The arguments of a call: tensors and constants, positional and by keyword.

use crate::base::error::quote;
use crate::base::{Error, Nested, Result};
use crate::graph::Value;
use crate::layers::config::Json;

/// One argument: a structure of tensors and plain values.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg<T> {
    /// A tensor: its value, or what is known of it.
    Tensor(T),
    /// A plain value from the config: null, a number, a string.
    Plain(Json),
    /// A list, and also Keras's tuple.
    List(Vec<Arg<T>>),
    /// A mapping by name, in the order in which it was written.
    Dict(Vec<(String, Arg<T>)>),
}

/// All arguments of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallArgs<T> {
    /// Arguments by position.
    pub positional: Vec<Arg<T>>,
    /// Arguments by name, in the order of the call.
    pub keyword: Vec<(String, Arg<T>)>,
}

impl<T> Default for CallArgs<T> {
    fn default() -> Self {
        CallArgs { positional: Vec::new(), keyword: Vec::new() }
    }
}

/// The arguments a layer's `call` gets.
pub type Args<'g> = CallArgs<Value<'g>>;

impl<T> Arg<T> {
    /// The same structure with every tensor replaced by another.
    ///
    /// # Errors
    /// The first that `f` gives.
    pub fn try_map<U>(&self, f: &mut dyn FnMut(&T) -> Result<U>) -> Result<Arg<U>> {
        self.try_replace(&mut |t| f(t).map(Arg::Tensor))
    }

    /// The same structure with every tensor replaced by an argument, such as null for one that is left
    /// out.
    ///
    /// # Errors
    /// The first that `f` gives.
    pub fn try_replace<U>(&self, f: &mut dyn FnMut(&T) -> Result<Arg<U>>) -> Result<Arg<U>> {
        Ok(match self {
            Arg::Tensor(t) => f(t)?,
            Arg::Plain(json) => Arg::Plain(json.clone()),
            Arg::List(items) => {
                Arg::List(items.iter().map(|a| a.try_replace(f)).collect::<Result<_>>()?)
            }
            Arg::Dict(items) => Arg::Dict(
                items
                    .iter()
                    .map(|(k, a)| Ok((k.clone(), a.try_replace(f)?)))
                    .collect::<Result<_>>()?,
            ),
        })
    }

    /// Calls `f` for every tensor, in order.
    pub fn visit(&self, f: &mut dyn FnMut(&T)) {
        match self {
            Arg::Tensor(t) => f(t),
            Arg::Plain(_) => {}
            Arg::List(items) => items.iter().for_each(|a| a.visit(f)),
            Arg::Dict(items) => items.iter().for_each(|(_, a)| a.visit(f)),
        }
    }

    /// The leaves in Keras's flattening order: lists by position, mappings by sorted key. Nothing for
    /// what is no tensor, such as null.
    pub fn flatten(&self) -> Vec<Option<&T>> {
        match self {
            Arg::Tensor(t) => vec![Some(t)],
            Arg::Plain(_) => vec![None],
            Arg::List(items) => items.iter().flat_map(Arg::flatten).collect(),
            Arg::Dict(items) => {
                let mut items: Vec<_> = items.iter().collect();
                items.sort_by(|(a, _), (b, _)| a.cmp(b));
                items.into_iter().flat_map(|(_, item)| item.flatten()).collect()
            }
        }
    }

    /// The argument as a structure of tensors; `None` where a plain value other than null stands.
    pub fn nested(&self) -> Option<Nested<T>>
    where
        T: Clone,
    {
        Some(match self {
            Arg::Tensor(t) => Nested::Leaf(t.clone()),
            Arg::Plain(Json::Null) => Nested::None,
            Arg::Plain(_) => return None,
            Arg::List(items) => Nested::List(items.iter().map(Arg::nested).collect::<Option<_>>()?),
            Arg::Dict(items) => Nested::Dict(
                items.iter().map(|(k, a)| Some((k.clone(), a.nested()?))).collect::<Option<_>>()?,
            ),
        })
    }
}

impl<T> Arg<T> {
    /// What the argument is, for errors: its contents may be of any size.
    fn kind(&self) -> &'static str {
        match self {
            Arg::Tensor(_) => "a tensor",
            Arg::Plain(_) => "a plain value",
            Arg::List(_) => "a list",
            Arg::Dict(_) => "a mapping",
        }
    }
}

impl<T: Clone> From<&Nested<T>> for Arg<T> {
    fn from(nested: &Nested<T>) -> Arg<T> {
        match nested {
            Nested::None => Arg::Plain(Json::Null),
            Nested::Leaf(t) => Arg::Tensor(t.clone()),
            Nested::List(items) => Arg::List(items.iter().map(Arg::from).collect()),
            Nested::Dict(items) => {
                Arg::Dict(items.iter().map(|(k, n)| (k.clone(), Arg::from(n))).collect())
            }
        }
    }
}

impl<T> CallArgs<T> {
    /// A call with one positional argument.
    pub fn one(arg: impl Into<Arg<T>>) -> CallArgs<T> {
        CallArgs { positional: vec![arg.into()], keyword: Vec::new() }
    }

    /// A call with tensors at its positions.
    pub fn of(tensors: impl IntoIterator<Item = T>) -> CallArgs<T> {
        let positional = tensors.into_iter().map(Arg::Tensor).collect();
        CallArgs { positional, keyword: Vec::new() }
    }

    /// The same call with every tensor replaced.
    ///
    /// # Errors
    /// The first that `f` gives.
    pub fn try_map<U>(&self, f: &mut dyn FnMut(&T) -> Result<U>) -> Result<CallArgs<U>> {
        self.try_replace(&mut |t| f(t).map(Arg::Tensor))
    }

    /// The same call with every tensor replaced by an argument.
    ///
    /// # Errors
    /// The first that `f` gives.
    pub fn try_replace<U>(&self, f: &mut dyn FnMut(&T) -> Result<Arg<U>>) -> Result<CallArgs<U>> {
        Ok(CallArgs {
            positional: self.positional.iter().map(|a| a.try_replace(f)).collect::<Result<_>>()?,
            keyword: self
                .keyword
                .iter()
                .map(|(k, a)| Ok((k.clone(), a.try_replace(f)?)))
                .collect::<Result<_>>()?,
        })
    }

    /// Calls `f` for every tensor of the call, in order.
    pub fn visit(&self, f: &mut dyn FnMut(&T)) {
        self.positional.iter().for_each(|a| a.visit(f));
        self.keyword.iter().for_each(|(_, a)| a.visit(f));
    }

    /// The leaves in Keras's flattening order: positions, then keywords by name.
    pub fn flatten(&self) -> Vec<Option<&T>> {
        let mut keyword: Vec<_> = self.keyword.iter().collect();
        keyword.sort_by(|(a, _), (b, _)| a.cmp(b));
        let named = keyword.into_iter().map(|(_, arg)| arg);
        self.positional.iter().chain(named).flat_map(Arg::flatten).collect()
    }

    /// The argument at a position or under its keyword; null counts as absent.
    pub fn get(&self, position: usize, keyword: &str) -> Option<&Arg<T>> {
        let named = || self.keyword.iter().find(|(k, _)| k == keyword).map(|(_, a)| a);
        let arg = self.positional.get(position).or_else(named);
        arg.filter(|a| !matches!(a, Arg::Plain(Json::Null)))
    }

    /// A keyword's argument; null counts as absent.
    pub fn keyword(&self, keyword: &str) -> Option<&Arg<T>> {
        self.get(usize::MAX, keyword)
    }
}

impl<'g> Args<'g> {
    /// The only tensor of a layer's first argument.
    ///
    /// # Errors
    /// If it is no tensor, or there are several.
    pub fn input(&self) -> Result<Value<'g>> {
        match self.get(0, "inputs") {
            Some(Arg::Tensor(v)) => Ok(*v),
            Some(Arg::List(items)) => match items.as_slice() {
                [Arg::Tensor(v)] => Ok(*v),
                _ => Err(Error::shape("call", format!("{} arguments", items.len()), "one tensor")),
            },
            Some(Arg::Dict(items)) => {
                let keys: Vec<&str> = items.iter().map(|(key, _)| key.as_str()).collect();
                Err(Error::Unsupported(format!("a mapping as input, of {}", keys.join(", "))))
            }
            other => Err(Error::shape("call", other.map_or("nothing", Arg::kind), "one tensor")),
        }
    }

    /// The tensors of a layer's first argument, which is a list.
    ///
    /// # Errors
    /// If there is none, or something in the list is no tensor.
    pub fn inputs(&self) -> Result<Vec<Value<'g>>> {
        let tensor = |arg: &Arg<Value<'g>>| match arg {
            Arg::Tensor(v) => Ok(*v),
            other => Err(Error::shape("call", other.kind(), "a list of tensors")),
        };
        match self.get(0, "inputs") {
            Some(Arg::List(items)) => items.iter().map(tensor).collect(),
            Some(arg) => Ok(vec![tensor(arg)?]),
            None => Err(Error::shape("call", "no input", "a list of tensors")),
        }
    }

    /// The tensor at a position or under its keyword, when one is given.
    ///
    /// # Errors
    /// If something else is given.
    pub fn tensor(&self, position: usize, keyword: &str) -> Result<Option<Value<'g>>> {
        match self.get(position, keyword) {
            None => Ok(None),
            Some(Arg::Tensor(v)) => Ok(Some(*v)),
            Some(other) => {
                Err(Error::shape(format!("argument {keyword}"), other.kind(), "a tensor"))
            }
        }
    }

    /// The truth value at a position or under its keyword; false when none is given.
    ///
    /// # Errors
    /// If something else is given: Python takes the truth of anything.
    pub fn flag(&self, position: usize, keyword: &str) -> Result<bool> {
        let other =
            |found: String| Error::shape(format!("argument {keyword}"), found, "true or false");
        match self.get(position, keyword) {
            None => Ok(false),
            Some(Arg::Plain(json)) => match (json.as_bool(), json.as_i64()) {
                (Some(flag), _) => Ok(flag),
                (None, Some(flag @ 0..=1)) => Ok(flag == 1),
                _ => Err(other(quote(&json.to_string()))),
            },
            Some(arg) => Err(other(arg.kind().into())),
        }
    }
}

impl<T> From<Vec<T>> for Arg<T> {
    fn from(tensors: Vec<T>) -> Arg<T> {
        Arg::List(tensors.into_iter().map(Arg::Tensor).collect())
    }
}

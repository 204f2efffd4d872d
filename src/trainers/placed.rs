//! Which loss and which metrics of `compile` belong to which output: a structure of arguments laid over
//! the structure of a model's outputs, as Keras does it.
//!
//! An argument is one identifier, or lists and mappings of them. Lists and mappings follow the outputs'
//! structure; a flat list or a mapping by the outputs' names serves outputs in a list too, and where an
//! output stands a list of several identifiers all count for it.

use crate::base::error::quote;
use crate::base::{Error, Nested, Result};
use crate::layers::config::Json;
use crate::models::Model;

/// A loss of one output.
pub struct PlacedLoss {
    /// The output's position.
    pub output: usize,
    /// What `compile` was given.
    pub identifier: Json,
    /// By what it is multiplied.
    pub factor: Option<f64>,
    /// The path to the output: its name, or keys up to it.
    pub name: String,
}

/// The outputs of a model.
pub struct Outputs {
    /// Their structure, with their positions.
    pub structure: Nested<usize>,
    /// Their names, by position.
    pub names: Vec<String>,
}

/// A structure of losses. Keras's `None`, a loss left out, is [`Nested::None`].
type Losses = Nested<(Json, Option<f64>)>;

/// A key or a position on the way to an output.
#[derive(Clone)]
enum Part {
    Key(String),
    Position(usize),
}

impl Outputs {
    /// The outputs of a model as losses and metrics name them: those in a flat mapping by their keys,
    /// others by their layers.
    pub fn of(model: &Model) -> Outputs {
        let structure = match model.output_structure() {
            // As in Keras, a list with one output is that output.
            Nested::List(mut parts) if parts.len() == 1 => parts.pop().unwrap_or(Nested::None),
            structure => structure,
        };
        let mut names: Vec<String> = model.outputs().into_iter().map(|o| o.name).collect();
        if let Nested::Dict(parts) = &structure
            && parts.iter().all(|(_, part)| part.leaf().is_some())
        {
            for (key, part) in parts {
                if let Some(name) = part.leaf().and_then(|&output| names.get_mut(output)) {
                    name.clone_from(key);
                }
            }
        }
        Outputs { structure, names }
    }

    /// The losses that `loss` and `loss_weights` say, in Keras's order. Keras's `CompileLoss.build`.
    ///
    /// # Errors
    /// If they do not fit the outputs.
    pub fn losses(&self, loss: &Json, weights: &Json) -> Result<Vec<PlacedLoss>> {
        if loss.is_null() {
            return Ok(Vec::new());
        }
        let (loss, weights) = (self.in_order(loss)?, self.in_order_of_outputs(loss, weights)?);
        let mut factors = match &weights {
            Json::Null => None,
            weights => Some(factors(weights, leaves(&loss).len())?.into_iter()),
        };
        let tree = weighted(&loss, &mut || factors.as_mut().and_then(Iterator::next).flatten());
        let mut placed = Placed { names: &self.names, losses: Vec::new() };
        match tree {
            Nested::Leaf(one) => {
                let tree = self.structure.try_map(&mut |_| Ok::<_, Error>(one.clone()))?;
                placed.add(&self.structure, &tree, &[])?;
            }
            tree => placed.add(&self.structure, &tree, &[])?,
        }
        Ok(placed.losses)
    }

    /// A mapping by the outputs' names as a list, where the outputs themselves are no mapping.
    fn in_order(&self, loss: &Json) -> Result<Json> {
        let (Some(map), false) = (mapping(loss), matches!(self.structure, Nested::Dict(_))) else {
            return Ok(loss.clone());
        };
        if map.len() != self.names.len() || !map.keys().all(|key| self.names.contains(key)) {
            return Err(Error::Invalid(format!(
                "loss {}: expected one for each of the outputs {}",
                quote(&loss.to_string()),
                self.names.join(", ")
            )));
        }
        Ok(self.names.iter().map(|name| map.get(name).cloned().unwrap_or_default()).collect())
    }

    /// The weights of losses, turned as [`in_order`](Outputs::in_order) turns the losses.
    fn in_order_of_outputs(&self, loss: &Json, weights: &Json) -> Result<Json> {
        let turned = mapping(loss).is_some() && !matches!(self.structure, Nested::Dict(_));
        match mapping(weights) {
            Some(map) if turned => {
                let of = |name: &String| {
                    map.get(name).cloned().ok_or_else(|| {
                        Error::Invalid(format!(
                            "loss_weights {}: nothing for the output '{}'",
                            quote(&weights.to_string()),
                            quote(name)
                        ))
                    })
                };
                self.names.iter().map(of).collect()
            }
            _ => Ok(weights.clone()),
        }
    }

    /// The identifiers of the metrics of each output. Keras's `CompileMetrics.build`.
    ///
    /// # Errors
    /// If the argument under `key` does not fit the outputs.
    pub fn metrics(&self, key: &str, given: &Json) -> Result<Vec<Vec<Json>>> {
        let count = self.names.len();
        let flat = match &self.structure {
            Nested::List(parts) => parts.iter().all(|part| part.leaf().is_some()),
            Nested::Dict(parts) => parts.iter().all(|(_, part)| part.leaf().is_some()),
            _ => false,
        };
        match given {
            _ if is_empty(given) => Ok(vec![Vec::new(); count]),
            _ if count == 1 => Ok(vec![leaves(given)]),
            Json::Array(items) if flat && items.len() == count => {
                Ok(items.iter().map(identifiers).collect())
            }
            _ => match mapping(given) {
                Some(map) if flat && map.keys().all(|key| self.names.contains(key)) => {
                    let of = |name| map.get(name).map_or(Vec::new(), identifiers);
                    Ok(self.names.iter().map(of).collect())
                }
                _ => {
                    let mut lists = vec![Vec::new(); count];
                    follow(&self.structure, given, &mut lists).map_err(|error| {
                        Error::Invalid(format!(
                            "{key} {}: {error}; expected a list with an entry for each output, a \
                             mapping by the outputs' names {}, or the structure of the outputs",
                            quote(&given.to_string()),
                            self.names.join(", ")
                        ))
                    })?;
                    Ok(lists)
                }
            },
        }
    }
}

/// The items of a mapping; a record of an object is none.
fn mapping(json: &Json) -> Option<&serde_json::Map<String, Json>> {
    json.as_object().filter(|map| !map.contains_key("class_name"))
}

fn is_empty(json: &Json) -> bool {
    json.is_null()
        || json.as_array().is_some_and(Vec::is_empty)
        || json.as_object().is_some_and(serde_json::Map::is_empty)
}

/// What stands in a structure, in Keras's order.
fn leaves(json: &Json) -> Vec<Json> {
    let mut all = Vec::new();
    visit(json, &mut |leaf| all.push(leaf.clone()));
    all
}

/// Visits what stands in a structure: lists by position, mappings by sorted key.
fn visit(json: &Json, f: &mut dyn FnMut(&Json)) {
    match (json, mapping(json)) {
        (Json::Array(items), _) => items.iter().for_each(|item| visit(item, f)),
        (_, Some(map)) => {
            let mut items: Vec<_> = map.iter().collect();
            items.sort_by_key(|(key, _)| *key);
            items.into_iter().for_each(|(_, item)| visit(item, f));
        }
        _ => f(json),
    }
}

/// The metrics of one output: one, a list of them, or none.
fn identifiers(json: &Json) -> Vec<Json> {
    match json {
        Json::Array(items) => items.clone(),
        Json::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// Puts metrics where outputs are; both have one structure down to the outputs.
fn follow(outputs: &Nested<usize>, given: &Json, lists: &mut [Vec<Json>]) -> Result<()> {
    match (outputs, given, mapping(given)) {
        (Nested::Leaf(output), given, _) => {
            if let Some(list) = lists.get_mut(*output) {
                *list = identifiers(given);
            }
            Ok(())
        }
        (Nested::List(parts), Json::Array(items), _) if parts.len() == items.len() => {
            parts.iter().zip(items).try_for_each(|(part, item)| follow(part, item, lists))
        }
        (Nested::Dict(parts), _, Some(map)) if parts.len() == map.len() => {
            parts.iter().try_for_each(|(key, part)| match map.get(key) {
                Some(item) => follow(part, item, lists),
                None => Err(Error::Invalid(format!("there is nothing for '{}'", quote(key)))),
            })
        }
        _ => Err(Error::Invalid("the structure of the outputs is another one".into())),
    }
}

/// As many factors as there are losses, in Keras's order.
fn factors(weights: &Json, losses: usize) -> Result<Vec<Option<f64>>> {
    let found = leaves(weights);
    let numbers = found.iter().map(|leaf| match leaf {
        Json::Null => Some(None),
        leaf => leaf.as_f64().map(Some),
    });
    let numbers: Option<Vec<_>> = numbers.collect();
    match numbers {
        Some(numbers) if numbers.len() == losses => Ok(numbers),
        _ => Err(Error::Invalid(format!(
            "loss_weights {}: expected a number or null for each of {losses} losses",
            quote(&weights.to_string())
        ))),
    }
}

/// A structure of losses with their factors, which `next` gives in Keras's order.
fn weighted(loss: &Json, next: &mut dyn FnMut() -> Option<f64>) -> Losses {
    match (loss, mapping(loss)) {
        (Json::Array(items), _) => {
            Nested::List(items.iter().map(|item| weighted(item, next)).collect())
        }
        (_, Some(map)) => {
            let mut items: Vec<_> = map.iter().collect();
            items.sort_by_key(|(key, _)| *key);
            let item = |(key, item): (&String, &Json)| (key.clone(), weighted(item, next));
            Nested::Dict(items.into_iter().map(item).collect())
        }
        _ => {
            let factor = next();
            if loss.is_null() { Nested::None } else { Nested::Leaf((loss.clone(), factor)) }
        }
    }
}

struct Placed<'a> {
    names: &'a [String],
    losses: Vec<PlacedLoss>,
}

impl Placed<'_> {
    /// Adds the losses of some outputs, which `path` leads to.
    fn add(&mut self, outputs: &Nested<usize>, losses: &Losses, path: &[Part]) -> Result<()> {
        match (outputs, losses) {
            (Nested::Leaf(output), Nested::Leaf((identifier, factor))) => {
                self.losses.push(PlacedLoss {
                    output: *output,
                    identifier: identifier.clone(),
                    factor: *factor,
                    name: self.name(*output, path),
                });
                Ok(())
            }
            (Nested::Leaf(_), Nested::List(items)) => {
                items.iter().try_for_each(|item| self.add(outputs, item, path))
            }
            (_, Nested::List(items)) if fits(items, outputs) => {
                let mut items = items.iter().cloned();
                let tree = over(outputs, &mut || items.next().unwrap_or(Nested::None));
                self.parts(outputs, &tree, path)
            }
            (Nested::Dict(_), Nested::List(items)) => {
                items.iter().try_for_each(|item| self.add(outputs, item, path))
            }
            _ => self.parts(outputs, losses, path),
        }
    }

    /// Adds losses part by part.
    fn parts(&mut self, outputs: &Nested<usize>, losses: &Losses, path: &[Part]) -> Result<()> {
        let below = |part: Part| path.iter().cloned().chain([part]).collect::<Vec<_>>();
        match (outputs, losses) {
            (Nested::List(parts), Nested::List(items)) if items.len() <= parts.len() => {
                let given = parts.iter().zip(items).enumerate();
                let mut given = given.filter(|(_, (_, item))| **item != Nested::None);
                given.try_for_each(|(i, (part, item))| {
                    self.add(part, item, &below(Part::Position(i)))
                })
            }
            (Nested::Dict(parts), Nested::Dict(items)) => {
                for (key, item) in items.iter().filter(|(_, item)| *item != Nested::None) {
                    let Some((_, part)) = parts.iter().find(|(name, _)| name == key) else {
                        return Err(misplaced(&format!("there is no output '{}'", quote(key))));
                    };
                    self.add(part, item, &below(Part::Key(key.clone())))?;
                }
                Ok(())
            }
            (Nested::List(parts), Nested::List(items)) => Err(misplaced(&format!(
                "{} losses in a list for {} outputs",
                items.len(),
                parts.len()
            ))),
            _ => Err(misplaced("the structure of the outputs is another one")),
        }
    }

    /// The name of an output at the end of a path: the path, where the last part of it is no position.
    fn name(&self, output: usize, path: &[Part]) -> String {
        let own = || self.names.get(output).cloned().unwrap_or_default();
        let Some((last, before)) = path.split_last() else { return own() };
        let part = |part: &Part| match part {
            Part::Key(key) => key.clone(),
            Part::Position(i) => i.to_string(),
        };
        let last = match last {
            Part::Key(key) => key.clone(),
            Part::Position(_) => own(),
        };
        before.iter().map(part).chain([last]).collect::<Vec<_>>().join("/")
    }
}

/// Whether a list has one loss, or none, for each output.
fn fits(items: &[Losses], outputs: &Nested<usize>) -> bool {
    let bare = items.iter().all(|item| matches!(item, Nested::Leaf(_) | Nested::None));
    bare && items.len() == outputs.flatten().len()
}

/// The structure of the outputs with other parts for them, in Keras's order.
fn over(outputs: &Nested<usize>, next: &mut dyn FnMut() -> Losses) -> Losses {
    match outputs {
        Nested::None => Nested::None,
        Nested::Leaf(_) => next(),
        Nested::List(parts) => Nested::List(parts.iter().map(|part| over(part, next)).collect()),
        Nested::Dict(parts) => {
            let mut parts: Vec<_> = parts.iter().collect();
            parts.sort_by(|(a, _), (b, _)| a.cmp(b));
            let part = |(key, part): &(String, Nested<usize>)| (key.clone(), over(part, next));
            Nested::Dict(parts.into_iter().map(part).collect())
        }
    }
}

fn misplaced(what: &str) -> Error {
    Error::Invalid(format!("loss: {what}; expected losses in the structure of the outputs"))
}

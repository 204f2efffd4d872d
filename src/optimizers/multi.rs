//! `keras.optimizers.MultiOptimizer`: each weight follows the optimizer that an `OptimizerMap` names
//! for its path.

use std::sync::Arc;

use serde_json::{Map, json};

use crate::base::error::quote;
use crate::base::{Error, Pattern, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::optimizers::loss_scale::zero_rate;
use crate::optimizers::registry::{self, Record};
use crate::optimizers::saved::SavedOptimizer;
use crate::optimizers::settings::{LearningRate, counter};
use crate::optimizers::{Optimizer, OptimizerBuilder, SharedOptimizer, Step, Weight};
use crate::saving::saveable::Child;
use crate::tensor::Variable;

/// A builder of the map: patterns of paths such as `encoder/.*`, and what the rest follows.
#[derive(Clone, Debug)]
pub struct OptimizerMap {
    default: Json,
    map: Map<String, Json>,
}

impl OptimizerMap {
    /// A map in which all weights follow `default`.
    pub fn new(default: impl Into<Json>) -> OptimizerMap {
        OptimizerMap { default: default.into(), map: Map::new() }
    }

    /// Weights whose whole path matches a pattern follow another optimizer.
    #[must_use]
    pub fn with(mut self, pattern: &str, optimizer: impl Into<Json>) -> OptimizerMap {
        self.map.insert(pattern.into(), optimizer.into());
        self
    }
}

impl From<OptimizerMap> for Json {
    fn from(map: OptimizerMap) -> Json {
        json!({
            "module": "keras.optimizers",
            "class_name": "OptimizerMap",
            "config": {"default_optimizer": map.default, "optimizer_map": map.map},
            "registered_name": null,
        })
    }
}

/// A builder of `MultiOptimizer`.
#[derive(Clone, Debug)]
pub struct MultiOptimizer(OptimizerBuilder);

impl MultiOptimizer {
    /// An optimizer of the optimizers of a map.
    pub fn new(map: OptimizerMap) -> MultiOptimizer {
        let defaults = MultiOptimizer::defaults();
        let builder = OptimizerBuilder::new("keras.optimizers", "MultiOptimizer", defaults);
        MultiOptimizer(builder.set("optimizer_map", map))
    }

    /// By what the loss is multiplied before gradients are taken; counts for all parts.
    #[must_use]
    pub fn loss_scale_factor(self, factor: f64) -> MultiOptimizer {
        MultiOptimizer(self.0.set("loss_scale_factor", factor))
    }

    pub(crate) fn defaults() -> Json {
        json!({"optimizer_map": null, "loss_scale_factor": null, "name": "multi_optimizer"})
    }

    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Optimizer>> {
        let map = Record::parse("optimizer map", config.get("optimizer_map"))?;
        if map.class_name != "OptimizerMap" {
            return Err(config.bad("optimizer_map", "an OptimizerMap"));
        }
        let given = Config::new("OptimizerMap".into(), map.config.clone(), Json::Null);
        let loss_scale_factor = config.optional_float("loss_scale_factor")?;
        let part = |record: &Json| -> Result<Box<dyn Optimizer>> {
            let mut part = registry::from_record(record)?;
            if ["LossScaleOptimizer", "MultiOptimizer"].contains(&part.class_name()) {
                let what = format!("{} within a MultiOptimizer", part.class_name());
                return Err(Error::Unsupported(what));
            }
            part.set_loss_scale_factor(loss_scale_factor);
            Ok(part)
        };
        let mut parts = Vec::new();
        let mut patterns = Vec::new();
        let entries = match given.get("optimizer_map") {
            Json::Null => Map::new(),
            Json::Object(entries) => entries.clone(),
            _ => return Err(given.bad("optimizer_map", "a mapping of patterns to optimizers")),
        };
        for (pattern, record) in &entries {
            patterns.push((pattern.clone(), Pattern::new(pattern)?));
            parts.push(part(record)?.into());
        }
        parts.push(part(given.get("default_optimizer"))?.into());
        given.finish()?;
        Ok(Box::new(Multi {
            name: config.str("name")?.to_owned(),
            head: vec![counter("iteration")?, zero_rate()?],
            patterns,
            parts,
            loss_scale_factor,
            part_of: Vec::new(),
        }))
    }
}

impl From<MultiOptimizer> for Json {
    fn from(optimizer: MultiOptimizer) -> Json {
        optimizer.0.into()
    }
}

struct Multi {
    name: String,
    head: Vec<Variable>,
    /// Text and pattern, in the map's order.
    patterns: Vec<(String, Pattern)>,
    /// The optimizers in the map's order, the default last.
    parts: Vec<SharedOptimizer>,
    loss_scale_factor: Option<f64>,
    /// Which part each weight follows.
    part_of: Vec<usize>,
}

impl Multi {
    /// The part for a path: that of the key equal to it, else that of the only pattern that matches
    /// it, else the default.
    fn part(&self, path: &str) -> Result<usize> {
        if let Some(exact) = self.patterns.iter().position(|(text, _)| text == path) {
            return Ok(exact);
        }
        let matching = |(_, (_, pattern)): &(usize, &(String, Pattern))| pattern.is(path);
        let found: Vec<usize> =
            self.patterns.iter().enumerate().filter(matching).map(|(i, _)| i).collect();
        match found.as_slice() {
            [] => Ok(self.patterns.len()),
            [one] => Ok(*one),
            _ => Err(Error::Invalid(format!(
                "{} patterns of the OptimizerMap match '{}', expected one at most",
                found.len(),
                quote(path)
            ))),
        }
    }

    /// The items that belong to a part.
    fn of_part<T: Clone>(&self, part: usize, items: &[T]) -> Vec<T> {
        let pairs = items.iter().zip(&self.part_of);
        pairs.filter(|(_, of)| **of == part).map(|(item, _)| item.clone()).collect()
    }
}

impl Optimizer for Multi {
    fn class_name(&self) -> &'static str {
        "MultiOptimizer"
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn build(&mut self, weights: &[Weight]) -> Result<()> {
        self.part_of = weights.iter().map(|w| self.part(&w.path)).collect::<Result<_>>()?;
        for i in 0..self.parts.len() {
            let own = self.of_part(i, weights);
            if own.is_empty() {
                continue;
            }
            let part = Arc::get_mut(&mut self.parts[i]);
            part.ok_or_else(|| Error::Internal("an optimizer in use is built".into()))?
                .build(&own)?;
        }
        Ok(())
    }

    fn variables(&self) -> Vec<Variable> {
        let parts = self.parts.iter().flat_map(|part| part.variables());
        self.head.iter().cloned().chain(parts).collect()
    }

    fn apply<'g>(&self, step: &Step<'g>, gradients: &[Option<Value<'g>>]) -> Result<()> {
        if gradients.is_empty() {
            return Ok(());
        }
        for (i, part) in self.parts.iter().enumerate() {
            let own = self.of_part(i, gradients);
            if !own.is_empty() {
                part.apply(step, &own)?;
            }
        }
        if let Some(iteration) = self.head.first() {
            let value = step.read(iteration);
            step.assign(iteration, value + value.scalar_like(1.0));
        }
        Ok(())
    }

    fn scale_loss<'g>(&self, loss: Value<'g>) -> Value<'g> {
        self.loss_scale_factor.map_or(loss, |factor| loss * factor)
    }

    fn finalize(&self, step: &Step<'_>) -> Result<()> {
        self.parts.iter().try_for_each(|part| part.finalize(step))
    }

    fn learning_rate(&self) -> Option<&LearningRate> {
        None
    }

    fn set_loss_scale_factor(&mut self, factor: Option<f64>) {
        self.loss_scale_factor = factor;
        for part in &mut self.parts {
            if let Some(part) = Arc::get_mut(part) {
                part.set_loss_scale_factor(factor);
            }
        }
    }

    fn parts(&self) -> Vec<SharedOptimizer> {
        self.parts.clone()
    }

    fn children(&self) -> Vec<(&'static str, Child)> {
        let saved = |part: &SharedOptimizer| Child::One(Arc::new(SavedOptimizer(part.clone())));
        vec![("optimizers", Child::List(self.parts.iter().map(saved).collect()))]
    }
}

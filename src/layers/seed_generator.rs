//! `keras.random.SeedGenerator`: the state from which a layer draws random values.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | state | (2,), uint32, not saved | always: the seed, and how many keys it has given |

use std::sync::Arc;

use crate::base::{Result, Shape};
use crate::graph::Value;
use crate::initializers::fresh_seed;
use crate::layers::Context;
use crate::layers::config::{Config, Json};
use crate::tensor::{Tensor, Variable};

/// A source of keys. Files do not hold its state: a loaded layer starts again from its seed, as in
/// Keras.
pub(crate) struct SeedGenerator {
    state: Variable,
}

impl SeedGenerator {
    /// The generator of the key `seed`: null for a seed of its own, an integer, or the record of a
    /// generator.
    pub fn from_config(config: &Config) -> Result<SeedGenerator> {
        let given = config.get("seed");
        let seed = match given {
            Json::Object(record) => record.get("config").and_then(|c| c.get("seed")),
            seed => Some(seed),
        };
        let seed = seed.ok_or_else(|| config.bad("seed", "the record of a SeedGenerator"))?;
        let seed = match seed {
            Json::Null => None,
            // The low half, where a backend with wider seeds has written the file.
            seed => {
                let bad = || config.bad("seed", "an integer or null");
                Some(seed.as_i64().ok_or_else(bad)? as u32)
            }
        };
        SeedGenerator::new(seed)
    }

    /// The generator of a seed, or of one that is different each time.
    pub fn new(seed: Option<u32>) -> Result<SeedGenerator> {
        let seed = seed.unwrap_or_else(|| fresh_seed() as u32);
        let state = Tensor::new([2], &[seed, 0])?;
        Ok(SeedGenerator { state: Variable::new("seed_generator_state", false, Arc::new(state)) })
    }

    /// The seed and how many keys it has given.
    pub fn state(&self) -> &Variable {
        &self.state
    }

    /// A key that no other call gets, for the functions of [`graph::random`](crate::graph::random).
    pub fn next<'g>(&self, cx: &Context<'g>) -> Result<Value<'g>> {
        let graph = cx.graph();
        let key = graph.read(&self.state);
        graph.assign(&self.state, key + graph.constant(Tensor::new([2], &[0u32, 1])?));
        Ok(key)
    }

    /// `x` with a share of it set to zero and the rest scaled up. Decisions are taken for each element
    /// of `noise_shape`, which broadcasts to the shape of `x`. Keras's `random.dropout`.
    pub fn dropout<'g>(
        &self,
        cx: &Context<'g>,
        x: Value<'g>,
        rate: f64,
        noise_shape: Shape,
    ) -> Result<Value<'g>> {
        if rate >= 1.0 {
            return Ok(x.like(0.0));
        }
        if rate <= 0.0 {
            return Ok(x);
        }
        let keep = 1.0 - rate;
        let kept = self.next(cx)?.bernoulli(noise_shape, keep);
        Ok(kept.select(x / keep, x.like(0.0)))
    }
}

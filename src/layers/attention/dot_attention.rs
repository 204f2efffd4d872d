//! `keras.layers.Attention` and `AdditiveAttention`: softmax(scores(query, key)) · value.
//!
//! The scores are query · keyᵀ · scale (`dot`), concat_score_weight · Σ tanh(scale · (query + key))
//! (`concat`), or Σ scale · tanh(query + key) (additive; Bahdanau et al. 2015).
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | scale | (), additive (dim) | use_scale |
//! | concat_score_weight | () | score_mode is concat |
//!
//! Inputs [query (batch, T, dim), value (batch, S, dim), key (batch, S, dim)] → output (batch, T, dim);
//! with return_attention_scores also scores (batch, T, S). The mask is a list, of query and value.

use super::scores::distance;
use crate::base::{DType, Error, Nested, Result};
use crate::builder;
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::seed_generator::SeedGenerator;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::operations::linear::matmul;
use crate::tensor::Variable;

builder! {
    /// Attention by products of query and key.
    Attention() {
        use_scale: false,
        score_mode: "dot",
        dropout: 0.0,
        seed: null,
    }
}

builder! {
    /// Attention by a nonlinear sum of query and key.
    AdditiveAttention() {
        use_scale: true,
        dropout: 0.0,
        seed: null,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScoreMode {
    Dot,
    Concat,
    Additive,
}

struct AttentionLayer {
    base: LayerBase,
    mode: ScoreMode,
    use_scale: bool,
    /// The start of an additive scale; others start with one.
    initializer: Initializer,
    dropout: f64,
    seed_generator: SeedGenerator,
    scale: Option<Variable>,
    concat_score_weight: Option<Variable>,
}

impl Attention {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let modes = [("dot", ScoreMode::Dot), ("concat", ScoreMode::Concat)];
        let mode = config.choice("score_mode", &modes)?;
        Ok(Box::new(AttentionLayer::new("Attention", mode, Initializer::ONES, config)?))
    }
}

impl AdditiveAttention {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let (mode, initializer) = (ScoreMode::Additive, Initializer::GLOROT_UNIFORM);
        Ok(Box::new(AttentionLayer::new("AdditiveAttention", mode, initializer, config)?))
    }
}

impl AttentionLayer {
    fn new(
        class_name: &'static str,
        mode: ScoreMode,
        initializer: Initializer,
        config: &Config,
    ) -> Result<AttentionLayer> {
        Ok(AttentionLayer {
            base: LayerBase::new(class_name, config)?,
            mode,
            use_scale: config.bool("use_scale")?,
            initializer,
            dropout: config.float("dropout")?,
            seed_generator: SeedGenerator::from_config(config)?,
            scale: None,
            concat_score_weight: None,
        })
    }

    /// (batch, T, S) from (batch, T, dim) and (batch, S, dim).
    fn scores<'g>(&self, cx: &Context<'g>, query: Value<'g>, key: Value<'g>) -> Result<Value<'g>> {
        let scaled = |x: Value<'g>| self.scale.as_ref().map_or(x, |scale| x * cx.read(scale));
        let last = |x: Value<'g>| {
            let rank = x.rank().checked_sub(2);
            rank.ok_or_else(|| Error::shape("attention", x.shape().to_string(), "rank 2 or more"))
        };
        let (q, k) = (last(query)?, last(key)?);
        if self.mode == ScoreMode::Dot {
            return Ok(scaled(matmul(query, key.move_axis(k + 1, k))?));
        }
        // Every query with every key: (batch, T, 1, dim) and (batch, 1, S, dim).
        let (mut rows, mut columns) = (query.shape().to_vec(), key.shape().to_vec());
        rows.insert(q + 1, 1);
        columns.insert(k, 1);
        let sum = query.reshape(rows) + key.reshape(columns);
        let channels = [sum.rank().saturating_sub(1)];
        if self.mode == ScoreMode::Additive {
            return Ok(scaled(sum.tanh()).sum(&channels));
        }
        let weight = cx.weight(&self.concat_score_weight, "concat_score_weight")?;
        Ok(scaled(sum).tanh().sum(&channels) * weight)
    }

    /// Scores with those that may not take part far below all others.
    fn masked<'g>(scores: Value<'g>, mask: Option<Value<'g>>) -> Value<'g> {
        let far = if scores.dtype() == DType::Float16 { 65504.0 } else { 1e9 };
        mask.map_or(scores, |mask| mask.select(scores, scores - far))
    }
}

/// The masks of query and value, as booleans.
fn masks<'g>(args: &Args<'g>) -> Result<[Option<Value<'g>>; 2]> {
    let one = |arg: Option<&Arg<Value<'g>>>| match arg {
        None | Some(Arg::Plain(Json::Null)) => Ok(None),
        Some(Arg::Tensor(mask)) => Ok(Some(mask.cast(DType::Bool))),
        Some(_) => Err(Error::shape("mask of attention", "not a tensor", "a tensor or null")),
    };
    match args.get(1, "mask") {
        None => Ok([None, None]),
        Some(Arg::List(items)) => Ok([one(items.first())?, one(items.get(1))?]),
        Some(_) => Err(Error::shape("mask of attention", "one value", "[query mask, value mask]")),
    }
}

/// A mask with an axis of extent 1 put in, counted from the back.
fn widened(mask: Value<'_>, from_back: usize) -> Value<'_> {
    let mut extents = mask.shape().to_vec();
    extents.insert(extents.len().saturating_sub(from_back), 1);
    mask.reshape(extents)
}

impl Layer for AttentionLayer {
    layer_base!();

    fn memory(&self) -> Vec<Variable> {
        vec![self.seed_generator.state().clone()]
    }

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let shapes = inputs.input_shapes();
        let query =
            shapes.first().filter(|_| (2..=3).contains(&shapes.len())).ok_or_else(|| {
                let found = format!("{} inputs", shapes.len());
                Error::shape("attention", found, "[query, value] or [query, value, key]")
            })?;
        if self.use_scale {
            let shape = match self.mode {
                ScoreMode::Additive => vec![query.known(-1)?],
                _ => Vec::new(),
            };
            self.scale = Some(self.base.add_weight("scale", shape, &self.initializer)?);
        }
        if self.mode == ScoreMode::Concat {
            let weight = self.base.add_weight("concat_score_weight", [], &Initializer::ONES)?;
            self.concat_score_weight = Some(weight);
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        // Whole numbers of fewer bits wrap around in Keras's product: they stay refused.
        let number = |x: Value<'g>| match x.dtype() {
            DType::Int32 => x.cast(DType::Float32),
            _ => x,
        };
        let inputs: Vec<_> = args.inputs()?.into_iter().map(number).collect();
        let (query, value, key) = match *inputs.as_slice() {
            [query, value] => (query, value, value),
            [query, value, key] => (query, value, key),
            _ => {
                let found = format!("{} inputs", inputs.len());
                let expected = "[query, value] or [query, value, key]";
                return Err(Error::shape("attention", found, expected));
            }
        };
        let scores = self.scores(cx, query, key)?;
        let [query_mask, value_mask] = masks(args)?;
        let value_mask = value_mask.map(|mask| widened(mask, 1));
        let causal = args.flag(4, "use_causal_mask")?.then(|| {
            let rank = scores.rank();
            let extent = |back: usize| scores.extent(rank.saturating_sub(back));
            let apart = distance(scores, extent(2), extent(1));
            apart.binary("ge", apart.like(0.0))
        });
        let mask = super::scores::all_of([value_mask, causal]);
        let shares = Self::masked(scores, mask).softmax(&[scores.rank().saturating_sub(1)]);
        let shares = match cx.training() {
            true => self.seed_generator.dropout(cx, shares, self.dropout, shares.shape())?,
            false => shares,
        };
        let output = matmul(shares, value)?;
        let output =
            query_mask.map_or(output, |mask| widened(mask, 0).select(output, output.like(0.0)));
        if args.flag(3, "return_attention_scores")? {
            return Ok(Nested::List(vec![Nested::Leaf(output), Nested::Leaf(shares)]));
        }
        Ok(output.into())
    }

    fn output_mask<'g>(
        &self,
        _: &Context<'g>,
        _: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<Option<Value<'g>>> {
        Ok(masks.first().copied().flatten())
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["mask", "return_attention_scores", "use_causal_mask"]
    }
}

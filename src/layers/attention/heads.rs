//! Attention of several heads, each with projections of its own: what the layers of this kind share.
//!
//! Input query (batch, T…, C) and value (batch, S…, C'), optionally key. Projected, they are
//! (batch, T…, heads, key_dim), (batch, S…, heads, value_dim); the scores of a head are
//! softmax(query · keyᵀ / √key_dim), (batch, heads, T…, S…).

use std::sync::Arc;

use super::scores::{all_of, distance, mask_at, masked_softmax};
use crate::base::{DType, Error, Nested, Result, SymbolicShape};
use crate::graph::Value;
use crate::graph::einsum::einsum;
use crate::layers::config::{Config, Json, Place};
use crate::layers::layer::layer_base;
use crate::layers::seed_generator::SeedGenerator;
use crate::layers::stateless::stateless;
use crate::layers::{
    Arg, Args, CallArgs, Context, EinsumDense, Layer, LayerBase, LayerBuilder, Outputs,
    SymbolicSpec,
};
use crate::operations::promotion::promoted;
use crate::tensor::Variable;

/// The attribute names of the projections of query, key, gate, value and output, in the order in which
/// Keras makes them.
pub(super) type Names = [&'static str; 5];

/// Config keys that all projections take over.
const COMMON: [&str; 8] = [
    "dtype",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
];

/// How many heads there are, and how wide.
pub(super) struct Extents {
    pub heads: usize,
    /// Heads of key and value, each of which serves as many heads of the query.
    pub shared_heads: usize,
    pub key_dim: usize,
    pub value_dim: usize,
    /// The output's last extents; the query's without it.
    pub output: Option<Vec<usize>>,
    /// The axes that attend; all between batch and channels without them.
    pub axes: Option<Vec<i64>>,
}

pub(super) struct Heads {
    base: LayerBase,
    names: Names,
    extents: Extents,
    dropout: f64,
    seed_generator: SeedGenerator,
    use_bias: bool,
    use_gate: bool,
    sliding_window: Option<usize>,
    /// Whether the query's mask is the one that rides along with it, whatever the call says; the call
    /// then takes it away from the query, and those of value and key.
    rides: bool,
    /// Where Keras builds the layer.
    place: Place,
    /// What all projections have in their configs.
    common: Vec<(&'static str, Json)>,
    projections: Vec<(&'static str, Arc<dyn Layer>)>,
    /// The layers without weights that Keras has beside them, for the sake of their empty groups in
    /// weights files.
    weightless: Vec<(&'static str, Arc<dyn Layer>)>,
}

/// What [`Heads::weightless`] holds: attributes, classes and names.
const WEIGHTLESS: [[&str; 3]; 2] =
    [["_softmax", "Softmax", "softmax"], ["_dropout_layer", "Dropout", "dropout"]];

/// A layer that nothing calls: attention does its work itself, in its dtype.
fn weightless(
    [attribute, class, name]: [&'static str; 3],
    dtype: &Json,
) -> Result<(&'static str, Arc<dyn Layer>)> {
    let mut given = serde_json::Map::new();
    given.insert("name".into(), name.into());
    given.insert("dtype".into(), dtype.clone());
    let config = Config::new(name.into(), given, Json::Null);
    Ok((attribute, Arc::from(stateless(class, &config, |_, args| args.input())?)))
}

impl Heads {
    /// Reads the keys that do not depend on the kind of attention.
    pub fn new(
        class_name: &'static str,
        names: Names,
        extents: Extents,
        config: &Config,
    ) -> Result<Heads> {
        // A faster way to the same result, and what only training uses.
        config.optional_bool("flash_attention")?;
        Ok(Heads {
            base: LayerBase::new(class_name, config)?,
            names,
            extents,
            dropout: config.share("dropout")?,
            seed_generator: SeedGenerator::from_config(config)?,
            use_bias: config.bool("use_bias")?,
            use_gate: config.bool("use_gate")?,
            sliding_window: config.optional_size("sliding_window")?,
            rides: false,
            place: config.place().clone(),
            common: COMMON.iter().map(|&key| (key, config.get(key).clone())).collect(),
            projections: Vec::new(),
            weightless: WEIGHTLESS
                .into_iter()
                .map(|layer| weightless(layer, config.get("dtype")))
                .collect::<Result<_>>()?,
        })
    }

    /// The same, where the query's mask is only the one that rides along with it.
    pub fn with_riding_mask(self) -> Heads {
        Heads { rides: true, ..self }
    }
}

/// The letter of axis `i` in the equations; attention of more axes than letters is refused.
fn letter(i: usize) -> Result<char> {
    let letter = u8::try_from(i).ok().and_then(|i| b'a'.checked_add(i)).map(char::from);
    letter
        .filter(char::is_ascii_lowercase)
        .ok_or_else(|| Error::shape("attention", format!("{} axes", i + 1), "at most 26"))
}

fn letters(range: std::ops::Range<usize>) -> Result<String> {
    range.map(letter).collect()
}

impl Heads {
    /// Makes one projection: `bound` axes at the end of the input become axes of these extents.
    fn project(
        &self,
        name: &str,
        input: &SymbolicShape,
        bound: usize,
        extents: &[usize],
        activation: &str,
    ) -> Result<Arc<dyn Layer>> {
        let free = input.rank().saturating_sub(bound);
        let (kept, summed) = (letters(0..free)?, letters(free..free + bound)?);
        let made = letters(free + bound..free + bound + extents.len())?;
        let equation = format!("{kept}{summed},{summed}{made}->{kept}{made}");
        let unknown = std::iter::repeat_n(Json::Null, free.saturating_sub(1));
        let shape: Vec<Json> = unknown.chain(extents.iter().map(|&d| Json::from(d))).collect();
        let mut builder: LayerBuilder = EinsumDense::new(equation, shape).name(name).into();
        if self.use_bias {
            builder = builder.set("bias_axes", made);
        }
        for (key, value) in &self.common {
            builder = builder.set(key, value.clone());
        }
        let record = builder.set("activation", activation).record();
        let given = record.get("config").and_then(Json::as_object).cloned().unwrap_or_default();
        let owner = format!("{}/{name}", self.base.name);
        let place = self.place.part(name);
        let config = Config::new(owner, given, EinsumDense::defaults()).at_place(place);
        let mut layer = EinsumDense::from_config(&config)?;
        let spec = SymbolicSpec { shape: input.clone(), dtype: DType::Float32 };
        layer.build(&CallArgs::one(Arg::Tensor(spec)))?;
        layer.base_mut().built = true;
        Ok(Arc::from(layer))
    }

    /// The dtype of `_softmax`, which follows the default of a map of policies.
    fn softmax_dtype(&self) -> DType {
        let softmax = self.weightless.first().map(|(_, layer)| layer.base());
        softmax.unwrap_or(&self.base).policy.compute
    }

    fn projection(&self, name: &str) -> Result<&dyn Layer> {
        let found = self.projections.iter().find(|(own, _)| *own == name);
        let missing = || Error::Internal(format!("attention without its projection '{name}'"));
        found.map(|(_, layer)| layer.as_ref()).ok_or_else(missing)
    }

    fn call_projection<'g>(&self, cx: &Context<'g>, name: &str, x: Value<'g>) -> Result<Value<'g>> {
        let outputs = cx.call(self.projection(name)?, &CallArgs::one(Arg::Tensor(x)))?;
        let none = || Error::Internal(format!("projection '{name}' gives no tensor"));
        outputs.leaf().copied().ok_or_else(none)
    }

    /// Every mask of the call in one, `(batch or 1, T or 1, S)`.
    fn mask<'g>(
        &self,
        args: &Args<'g>,
        query: Value<'g>,
        value: Value<'g>,
        query_mask: Option<Value<'g>>,
    ) -> Result<Option<Value<'g>>> {
        let given = |position: usize, name: &str, axis: usize| {
            args.tensor(position, name)?.map(|mask| mask_at(mask, axis)).transpose()
        };
        let steps = |x: Value<'g>| x.shape().get(1).copied().unwrap_or(1);
        let apart = || distance(query, steps(query), steps(value));
        let causal = args.flag(8, "use_causal_mask")?.then(|| {
            let apart = apart();
            apart.binary("ge", apart.like(0.0))
        });
        let window = self.sliding_window.map(|window| {
            let apart = apart().abs();
            apart.binary("lt", apart.like(window as f64))
        });
        Ok(all_of([
            args.tensor(6, "attention_mask")?.map(|mask| mask.cast(DType::Bool)),
            query_mask.map(|mask| mask_at(mask, 2)).transpose()?,
            given(4, "value_mask", 1)?,
            given(5, "key_mask", 1)?,
            causal,
            window,
        ]))
    }

    /// The axes that attend, counted with the batch, of projections of this rank.
    fn attending(&self, rank: usize) -> Result<Vec<usize>> {
        match &self.extents.axes {
            None => Ok((1..rank - 2).collect()),
            Some(axes) => axes
                .iter()
                .map(|&axis| crate::base::shape::normalize_axis(axis, rank - 1))
                .collect(),
        }
    }

    /// Heads of output, the scores and the mask on them, from projections of rank 4 or more.
    fn attend<'g>(
        &self,
        cx: &Context<'g>,
        [query, key, value]: [Value<'g>; 3],
        mask: Option<Value<'g>>,
        want_scores: bool,
    ) -> Result<(Value<'g>, Value<'g>, Option<Value<'g>>)> {
        let rank = query.rank();
        let axes = self.attending(rank)?;
        let target: Vec<char> = (0..rank).map(letter).collect::<Result<_>>()?;
        let mut source = target.clone();
        for (i, &axis) in axes.iter().enumerate() {
            source[axis] = letter(rank + i)?;
        }
        let batch = (0..rank - 1).filter(|axis| !axes.contains(axis)).map(|axis| target[axis]);
        let product: String = batch
            .chain(axes.iter().map(|&axis| target[axis]))
            .chain(axes.iter().map(|&axis| source[axis]))
            .collect();
        let (source, target): (String, String) = (source.iter().collect(), target.iter().collect());
        let scale = 1.0 / (self.extents.key_dim as f64).sqrt();
        // Keras has two ways to compute this. They differ where a mask leaves nothing, and in the dtype
        // of the softmax, a layer of its own in one of them.
        let by_layers = self.dropout > 0.0 || want_scores || rank != 4;
        let [query, key, value] = match by_layers {
            true => [query, key, value],
            false => promoted([query, key, value]),
        };
        let factors = promoted([key, query * scale]);
        let scores = einsum(&format!("{source},{target}->{product}"), &factors)?;
        let scores = if by_layers { scores.cast(self.softmax_dtype()) } else { scores };
        let last: Vec<usize> = (scores.rank() - axes.len()..scores.rank()).collect();
        let mask = mask.map(|mask| {
            // Missing axes, such as that of the heads, stand in front of the attending ones.
            let mut extents = mask.shape().to_vec();
            let at = extents.len().saturating_sub(2 * axes.len());
            let missing = scores.rank().saturating_sub(extents.len());
            extents.splice(at..at, std::iter::repeat_n(1, missing));
            mask.reshape(extents).broadcast(scores.shape())
        });
        let shares = masked_softmax(scores, mask, &last, by_layers);
        let taken = match cx.training() {
            true => self.seed_generator.dropout(cx, shares, self.dropout, shares.shape())?,
            false => shares,
        };
        let factors = promoted([taken, value]);
        let output = einsum(&format!("{product},{source}->{target}"), &factors)?;
        Ok((output, shares, mask))
    }
}

impl Layer for Heads {
    layer_base!();

    fn memory(&self) -> Vec<Variable> {
        vec![self.seed_generator.state().clone()]
    }

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let shape = |position: usize, name: &str| match inputs.get(position, name) {
            Some(Arg::Tensor(spec)) if spec.shape.rank() >= 3 => Ok(Some(spec.shape.clone())),
            Some(_) => Err(Error::shape("attention", format!("'{name}'"), "rank 3 or more")),
            None => Ok(None),
        };
        let needed = |what: &str| Error::shape("attention", format!("no {what}"), "a tensor");
        let query = shape(0, "query")?.ok_or_else(|| needed("query"))?;
        let value = shape(1, "value")?.ok_or_else(|| needed("value"))?;
        let key = shape(2, "key")?.unwrap_or_else(|| value.clone());
        let Extents { heads, shared_heads, key_dim, value_dim, .. } = self.extents;
        let output = match &self.extents.output {
            Some(shape) => shape.clone(),
            None => vec![query.known(-1)?],
        };
        let mut attended = query.0[..query.rank() - 1].to_vec();
        attended.extend([Some(heads), Some(value_dim)]);
        let attended = SymbolicShape(attended);
        let gate = match self.use_gate {
            true => Some(self.project("gate", &query, 1, &[heads, value_dim], "sigmoid")?),
            false => None,
        };
        let made = [
            Some(self.project("query", &query, 1, &[heads, key_dim], "linear")?),
            Some(self.project("key", &key, 1, &[shared_heads, key_dim], "linear")?),
            gate,
            Some(self.project("value", &value, 1, &[shared_heads, value_dim], "linear")?),
            Some(self.project("attention_output", &attended, 2, &output, "linear")?),
        ];
        let named = self.names.into_iter().zip(made);
        self.projections = named.filter_map(|(name, layer)| Some((name, layer?))).collect();
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let query_mask = args.tensor(3, "query_mask")?.filter(|_| !self.rides);
        Ok(self.call_masked(cx, args, query_mask)?.0)
    }

    fn call_with_masks<'g>(
        &self,
        cx: &Context<'g>,
        args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<(Outputs<'g>, Vec<Option<Value<'g>>>)> {
        let riding = masks.first().copied().flatten();
        let query_mask = if self.rides { riding } else { args.tensor(3, "query_mask")? };
        // The scores keep the mask of the softmax that made them.
        let (outputs, of_scores) = self.call_masked(cx, args, query_mask)?;
        Ok((outputs, vec![riding, of_scores]))
    }

    fn takes_masks(&self) -> bool {
        self.rides
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        let child =
            |(name, layer): &(&'static str, Arc<dyn Layer>)| (*name, Nested::Leaf(layer.clone()));
        self.projections.iter().chain(&self.weightless).map(child).collect()
    }

    fn keywords(&self) -> &'static [&'static str] {
        &[
            "query",
            "value",
            "key",
            "query_mask",
            "value_mask",
            "key_mask",
            "attention_mask",
            "return_attention_scores",
            "use_causal_mask",
        ]
    }
}

impl Heads {
    /// The outputs, and the mask of the scores where they are asked for.
    fn call_masked<'g>(
        &self,
        cx: &Context<'g>,
        args: &Args<'g>,
        query_mask: Option<Value<'g>>,
    ) -> Result<(Outputs<'g>, Option<Value<'g>>)> {
        let needed = |what: &str| Error::shape("attention", format!("no {what}"), "a tensor");
        let query = args.tensor(0, "query")?.ok_or_else(|| needed("query"))?;
        let value = args.tensor(1, "value")?.ok_or_else(|| needed("value"))?;
        let key = args.tensor(2, "key")?.unwrap_or(value);
        let mask = self.mask(args, query, value, query_mask)?;
        let want_scores = args.flag(7, "return_attention_scores")?;
        let [query_dense, key_dense, gate_dense, value_dense, output_dense] = self.names;
        let repeats = self.extents.heads / self.extents.shared_heads;
        let shared = |x: Value<'g>| x.repeat(x.rank().saturating_sub(2), repeats);
        let heads = [
            self.call_projection(cx, query_dense, query)?,
            shared(self.call_projection(cx, key_dense, key)?),
            shared(self.call_projection(cx, value_dense, value)?),
        ];
        let (attended, scores, mask) = self.attend(cx, heads, mask, want_scores)?;
        let attended = match self.use_gate {
            true => attended * self.call_projection(cx, gate_dense, query)?,
            false => attended,
        };
        let output = self.call_projection(cx, output_dense, attended)?;
        if want_scores {
            return Ok((Nested::List(vec![Nested::Leaf(output), Nested::Leaf(scores)]), mask));
        }
        Ok((output.into(), None))
    }
}

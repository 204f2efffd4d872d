//! `keras.layers.Bidirectional`: a recurrent layer over the sequence, and one over it from its end.
//!
//! Weights are under `forward_layer` and `backward_layer`. The outputs, both in the order of the input,
//! are merged as `merge_mode` says: `concat` on the last axis, `sum`, `mul`, `ave`; without one both are
//! given. Then the states of both layers follow, with their `return_state`.

use std::sync::Arc;

use crate::base::{Error, Nested, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec, build};

builder! {
    /// Runs a recurrent layer in both directions. The layer is given as its record.
    Bidirectional(layer) {
        merge_mode: "concat",
        backward_layer: null,
    }
}

/// How the outputs of both directions become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Merge {
    Concat,
    Sum,
    Mul,
    Ave,
    Both,
}

struct BidirectionalLayer {
    base: LayerBase,
    merge: Merge,
    return_sequences: bool,
    return_state: bool,
    forward: Arc<dyn Layer>,
    backward: Arc<dyn Layer>,
}

impl Bidirectional {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let merges = [
            ("concat", Merge::Concat),
            ("sum", Merge::Sum),
            ("mul", Merge::Mul),
            ("ave", Merge::Ave),
        ];
        let merge = match config.is_null("merge_mode") {
            true => Merge::Both,
            false => config.choice("merge_mode", &merges)?,
        };
        let given = config.get("layer");
        let forward = prepared(given, "forward_", None);
        let backward = match config.get("backward_layer") {
            Json::Null => prepared(given, "backward_", Some(true)),
            record => prepared(record, "", None),
        };
        let setting = |record: &Json, key: &str| record["config"][key].as_bool().unwrap_or(false);
        if setting(&forward, "go_backwards") == setting(&backward, "go_backwards") {
            let expected = "a layer that goes the other way than the forward layer";
            return Err(config.bad("backward_layer", expected));
        }
        for key in ["stateful", "return_sequences", "return_state"] {
            if setting(&forward, key) != setting(&backward, key) {
                let expected = format!("a layer with the forward layer's '{key}'");
                return Err(config.bad("backward_layer", &expected));
            }
        }
        Ok(Box::new(BidirectionalLayer {
            base: LayerBase::new("Bidirectional", config)?,
            merge,
            return_sequences: setting(&forward, "return_sequences"),
            return_state: setting(&forward, "return_state"),
            forward: Arc::from(config.layer_of(&forward)?),
            backward: Arc::from(config.layer_of(&backward)?),
        }))
    }
}

/// The record of a direction's layer: with a prefix to its name, and in its direction. As in Keras,
/// masked steps of a sequence give zeros, whatever the layer says.
fn prepared(record: &Json, prefix: &str, go_backwards: Option<bool>) -> Json {
    let mut record = record.clone();
    if let Some(config) = record.get_mut("config").and_then(Json::as_object_mut) {
        if let Some(Json::String(name)) = config.get_mut("name") {
            *name = format!("{prefix}{}", name.strip_prefix(prefix).unwrap_or(name));
        }
        if let Some(go_backwards) = go_backwards {
            config.insert("go_backwards".into(), go_backwards.into());
        }
        let sequences = config.get("return_sequences").cloned().unwrap_or(Json::Bool(false));
        if let Some(zero) = config.get_mut("zero_output_for_mask") {
            *zero = sequences;
        }
    }
    record
}

impl BidirectionalLayer {
    /// Output and states of one direction.
    fn one_way<'g>(
        &self,
        cx: &Context<'g>,
        layer: &dyn Layer,
        args: &Args<'g>,
        states: Option<Arg<Value<'g>>>,
    ) -> Result<(Value<'g>, Vec<Nested<Value<'g>>>)> {
        let x = args.get(0, "sequences");
        let x = x.ok_or_else(|| Error::shape("Bidirectional", "no tensor", "one tensor"))?;
        let mut call = CallArgs::one(x.clone());
        call.keyword.extend(states.map(|states| ("initial_state".into(), states)));
        let mask = args.get(2, "mask").filter(|_| layer.keywords().contains(&"mask"));
        call.keyword.extend(mask.map(|mask| ("mask".into(), mask.clone())));
        let none = || Error::shape("Bidirectional", "no output", "a layer that gives a tensor");
        match cx.call(layer, &call)? {
            Nested::Leaf(output) => Ok((output, Vec::new())),
            Nested::List(mut items) if !items.is_empty() => match items.remove(0) {
                Nested::Leaf(output) => Ok((output, items)),
                _ => Err(none()),
            },
            _ => Err(none()),
        }
    }

    /// The first half of the states of a call for the forward layer, the other for the backward one.
    fn halves<'g>(args: &Args<'g>) -> Result<[Option<Arg<Value<'g>>>; 2]> {
        match args.get(1, "initial_state") {
            None => Ok([None, None]),
            Some(Arg::List(states)) => {
                let (forward, backward) = states.split_at(states.len() / 2);
                Ok([forward, backward].map(|half| Some(Arg::List(half.to_vec()))))
            }
            Some(_) => {
                Err(Error::shape("initial_state", "one value", "a list with states of both layers"))
            }
        }
    }

    fn merged<'g>(&self, cx: &Context<'g>, y: Value<'g>, back: Value<'g>) -> Option<Value<'g>> {
        Some(match self.merge {
            Merge::Concat => cx.graph().concat(&[y, back], y.rank().saturating_sub(1)),
            Merge::Sum => y + back,
            Merge::Mul => y * back,
            Merge::Ave => (y + back) / 2.0,
            Merge::Both => return None,
        })
    }
}

impl Layer for BidirectionalLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let Some(sequences) = inputs.get(0, "sequences") else {
            return Err(Error::shape("Bidirectional", "no tensor", "one tensor"));
        };
        let inputs = CallArgs::one(sequences.clone());
        for layer in [&mut self.forward, &mut self.backward] {
            build(layer, &inputs)?;
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let [forward, backward] = Self::halves(args)?;
        let (y, states) = self.one_way(cx, self.forward.as_ref(), args, forward)?;
        let (back, back_states) = self.one_way(cx, self.backward.as_ref(), args, backward)?;
        let [y, back] = [y, back].map(|y| y.cast(cx.compute_dtype()));
        let back = if self.return_sequences { back.reverse(&[1]) } else { back };
        let mut outputs: Vec<Nested<Value<'g>>> = match self.merged(cx, y, back) {
            Some(merged) => vec![Nested::Leaf(merged)],
            None => vec![Nested::Leaf(y), Nested::Leaf(back)],
        };
        if self.return_state {
            outputs.extend(states.into_iter().chain(back_states));
        }
        Ok(match outputs.len() {
            1 => outputs.remove(0),
            _ => Nested::List(outputs),
        })
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        vec![
            ("forward_layer", Nested::Leaf(self.forward.clone())),
            ("backward_layer", Nested::Leaf(self.backward.clone())),
        ]
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["sequences", "initial_state", "mask"]
    }

    fn call_with_masks<'g>(
        &self,
        cx: &Context<'g>,
        args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<(Outputs<'g>, Vec<Option<Value<'g>>>)> {
        let mask = self.output_mask(cx, args, masks)?;
        // Outputs that stay apart have the same mask.
        let count = if matches!(self.merge, Merge::Both) { 2 } else { 1 };
        Ok((self.call(cx, args)?, vec![mask; count]))
    }

    fn output_mask<'g>(
        &self,
        _: &Context<'g>,
        _: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<Option<Value<'g>>> {
        Ok(masks.first().copied().flatten().filter(|_| self.return_sequences))
    }
}

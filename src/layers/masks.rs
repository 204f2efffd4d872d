//! Masks of calls: what Keras's `Layer.__call__` does with them.
//!
//! A mask [rides along](crate::graph::Value::mask) with a value. A layer whose `call` takes a mask gets
//! that of its only tensor argument, or those of several by the names of these; what comes out has the
//! mask that [`Layer::compute_mask`] says. Files of Keras also hold some masks as arguments of calls,
//! and these come first.

use crate::graph::Value;
use crate::layers::config::Json;
use crate::layers::{Arg, Args, Layer, Outputs};

type Mask<'g> = Option<Value<'g>>;

/// Layers that keep a mask as it is: those that `supports_masking` in Keras and whose `compute_mask`
/// is the default one. Sorted.
const KEEPING: &[&str] = &[
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "ELU",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "GroupedQueryAttention",
    "Identity",
    "LayerNormalization",
    "LeakyReLU",
    "MultiHeadAttention",
    "Normalization",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "TimeDistributed",
    "UnitNormalization",
];

/// Whether the output of a layer of this class has the mask of its input.
pub(crate) fn keeps(class_name: &str) -> bool {
    KEEPING.binary_search(&class_name).is_ok()
}

/// The masks of an argument's tensors, in its structure; null where there is none.
fn masks_of<'g>(arg: &Arg<Value<'g>>) -> Arg<Value<'g>> {
    match arg {
        Arg::Tensor(x) => x.mask().map_or(Arg::Plain(Json::Null), Arg::Tensor),
        Arg::Plain(_) => Arg::Plain(Json::Null),
        Arg::List(items) => Arg::List(items.iter().map(masks_of).collect()),
        Arg::Dict(items) => {
            Arg::Dict(items.iter().map(|(key, item)| (key.clone(), masks_of(item))).collect())
        }
    }
}

/// Whether an argument holds tensors and nothing else than null besides.
fn is_tensors(arg: &Arg<Value<'_>>) -> bool {
    match arg {
        Arg::Tensor(_) => true,
        Arg::Plain(_) => false,
        Arg::List(items) => items.iter().all(is_tensors_or_null),
        Arg::Dict(items) => items.iter().all(|(_, item)| is_tensors_or_null(item)),
    }
}

fn is_tensors_or_null(arg: &Arg<Value<'_>>) -> bool {
    matches!(arg, Arg::Plain(Json::Null)) || is_tensors(arg)
}

/// The leaves of masks in a structure, `None` for null.
fn leaves<'g>(masks: &Arg<Value<'g>>, to: &mut Vec<Mask<'g>>) {
    match masks {
        Arg::Tensor(mask) => to.push(Some(*mask)),
        Arg::Plain(_) => to.push(None),
        Arg::List(items) => items.iter().for_each(|item| leaves(item, to)),
        Arg::Dict(items) => items.iter().for_each(|(_, item)| leaves(item, to)),
    }
}

/// Gives a layer the masks that its call takes and that are not given yet.
pub(crate) fn populate<'g>(layer: &dyn Layer, args: &mut Args<'g>) {
    let names = layer.tensors().iter().copied().chain(std::iter::repeat(""));
    let positional = names.zip(&args.positional);
    let keyword = args.keyword.iter().map(|(name, arg)| (name.as_str(), arg));
    let tensors = positional.chain(keyword).filter(|(_, arg)| is_tensors(arg));
    let mut found: Vec<(String, Arg<Value<'g>>)> =
        tensors.map(|(name, arg)| (format!("{name}_mask"), masks_of(arg))).collect();
    if let [(only, _)] = found.as_mut_slice() {
        *only = "mask".into();
    }
    for (name, masks) in found {
        let mut any = false;
        masks.visit(&mut |_| any = true);
        if any && layer.keywords().contains(&name.as_str()) && args.keyword(&name).is_none() {
            args.keyword.retain(|(given, _)| *given != name);
            args.keyword.push((name, masks));
        }
    }
}

/// The masks that came with a call's first argument, or were given in their place.
pub(crate) fn previous<'g>(layer: &dyn Layer, args: &Args<'g>) -> Vec<Mask<'g>> {
    let name = layer.tensors().first().copied().unwrap_or("inputs");
    let mut masks = Vec::new();
    match (args.keyword("mask"), args.get(0, name)) {
        (Some(given), _) => leaves(given, &mut masks),
        (None, Some(first)) => leaves(&masks_of(first), &mut masks),
        (None, None) => {}
    }
    masks
}

/// Lets masks ride along with the outputs that have none of their own.
pub(crate) fn put_on<'g>(outputs: &Outputs<'g>, masks: Vec<Mask<'g>>) {
    for (output, mask) in outputs.flatten().into_iter().zip(masks) {
        if mask.is_some() && output.mask().is_none() {
            output.set_mask(mask);
        }
    }
}

/// Lets the masks that a model is called with ride along with its inputs.
pub(crate) fn put_on_inputs<'g>(inputs: &[Value<'g>], args: &Args<'g>) {
    let mut masks = Vec::new();
    if let Some(given) = args.get(1, "mask") {
        leaves(given, &mut masks);
    }
    for (input, mask) in inputs.iter().zip(masks) {
        if mask.is_some() {
            input.set_mask(mask);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_sorted() {
        assert!(super::KEEPING.is_sorted());
    }
}

//! The values of a functional model's tensors while its calls run, and the masks that ride along.
//!
//! Files of Keras hold most masks as arguments of their own. A call takes the riding ones where its
//! arguments say nothing: in models that were built otherwise, behind nested models, and in layers
//! that look at nothing else.

use crate::base::{DType, Error, Result};
use crate::graph::{Graph, Value};
use crate::layers::{Arg, Args, CallArgs, Layer};
use crate::models::functional::TensorRef;
use crate::saving::saveable::Kind;

/// Values and masks by call and output.
pub(super) struct Flow<'g> {
    /// Nothing for an input that is left out.
    values: Vec<Vec<Option<Value<'g>>>>,
    masks: Vec<Vec<Option<Value<'g>>>>,
}

type Masks<'g> = Vec<Option<Value<'g>>>;

/// Parameters in whose order layers with several masks take their tensors.
const ATTENDING: [(&str, &str); 3] =
    [("query", "query_mask"), ("value", "value_mask"), ("key", "key_mask")];

/// The masks of a model's inputs: those of the argument `mask`, else those that came along.
pub(super) fn masks_of_inputs<'g>(args: &Args<'g>, riding: &[Option<Value<'g>>]) -> Masks<'g> {
    match args.get(1, "mask") {
        None => riding.to_vec(),
        Some(given) => values(given),
    }
}

/// The values of an argument, flattened.
pub(super) fn values<'g>(arg: &Arg<Value<'g>>) -> Vec<Option<Value<'g>>> {
    arg.flatten().into_iter().map(Option::<&Value<'g>>::copied).collect()
}

/// The argument that holds these masks in a list, or the only one.
fn argument<'g>(of: &Arg<TensorRef>, masks: &Masks<'g>) -> Arg<Value<'g>> {
    let null = || Arg::Plain(crate::layers::config::Json::Null);
    let one = |mask: &Option<Value<'g>>| mask.map_or_else(null, Arg::Tensor);
    match (of, masks.as_slice()) {
        (Arg::Tensor(_), [mask]) => one(mask),
        (_, masks) => Arg::List(masks.iter().map(one).collect()),
    }
}

/// The masks of outputs, where those that are an input given back unchanged keep its mask, whatever
/// the layer says: to Keras it is the same tensor.
pub(super) fn with_unchanged<'g>(
    outputs: &[Value<'g>],
    masks: &[Option<Value<'g>>],
    inputs: &[(Value<'g>, Option<Value<'g>>)],
) -> Masks<'g> {
    let unchanged = |output: &Value<'g>| {
        inputs.iter().find(|(input, _)| input.id() == output.id()).and_then(|(_, mask)| *mask)
    };
    let mask = |(i, output)| masks.get(i).copied().flatten().or_else(|| unchanged(output));
    outputs.iter().enumerate().map(mask).collect()
}

impl<'g> Flow<'g> {
    pub fn new(calls: usize) -> Flow<'g> {
        Flow { values: vec![Vec::new(); calls], masks: vec![Vec::new(); calls] }
    }

    /// Whether a call has not been made.
    pub fn is_empty(&self, call: usize) -> bool {
        self.values[call].is_empty()
    }

    /// The tensors of a call with the masks that ride along with them.
    pub fn inputs(&self, call: &CallArgs<TensorRef>) -> Vec<(Value<'g>, Option<Value<'g>>)> {
        let mut inputs = Vec::new();
        call.visit(&mut |tensor| {
            let value = self.value(tensor).ok().flatten();
            inputs.extend(value.map(|value| (value, self.mask(tensor))));
        });
        inputs
    }

    /// Keeps what a call gives; outputs behind the last mask have none.
    pub fn put(
        &mut self,
        call: usize,
        values: Vec<Option<Value<'g>>>,
        masks: &[Option<Value<'g>>],
    ) {
        self.values[call] = values;
        self.masks[call] = masks.to_vec();
    }

    /// The value of a tensor; nothing for an input that is left out.
    pub fn value(&self, tensor: &TensorRef) -> Result<Option<Value<'g>>> {
        let value = self.values[tensor.call].get(tensor.output).copied();
        value.ok_or_else(|| Error::Internal("a tensor is used before it is computed".into()))
    }

    pub fn mask(&self, tensor: &TensorRef) -> Option<Value<'g>> {
        self.masks[tensor.call].get(tensor.output).copied().flatten()
    }

    /// The arguments of a call, with riding masks where it takes some and says nothing of them, and the
    /// masks that come with the tensors of its first argument.
    pub fn arguments(
        &self,
        call: &CallArgs<TensorRef>,
        layer: &dyn Layer,
        graph: &'g Graph,
    ) -> Result<(Args<'g>, Masks<'g>)> {
        let null = || Arg::Plain(crate::layers::config::Json::Null);
        let value = |tensor: &TensorRef| Ok(self.value(tensor)?.map_or_else(null, Arg::Tensor));
        let mut args = call.try_replace(&mut |tensor| value(tensor))?;
        // Operations know more kinds of plain arguments.
        if layer.kind() != Kind::Operation {
            args = args.with_constants(&|tensor| graph.constant(tensor))?;
        }
        let riding = |arg: &Arg<TensorRef>| -> Masks<'g> {
            arg.flatten().into_iter().map(|tensor| self.mask(tensor?)).collect()
        };
        let first = call.positional.first().or(call.keyword.first().map(|(_, arg)| arg));
        let keywords = layer.keywords();
        let fill = |name: &str, of: &Arg<TensorRef>, args: &mut Args<'g>| {
            let masks = riding(of);
            if args.keyword(name).is_none() && masks.iter().any(Option::is_some) {
                args.keyword.retain(|(keyword, _)| keyword != name);
                args.keyword.push((name.into(), argument(of, &masks)));
            }
        };
        if keywords.contains(&"mask") {
            if let Some(first) = first.filter(|_| tensor_arguments(call) == 1) {
                fill("mask", first, &mut args);
            }
        } else if keywords.contains(&"query_mask") {
            for (i, (name, mask)) in ATTENDING.into_iter().enumerate() {
                if let Some(of) = call.get(i, name) {
                    fill(mask, of, &mut args);
                }
            }
        }
        let masks = match args.keyword("mask") {
            Some(given) => values(given),
            None => first.map(riding).unwrap_or_default(),
        };
        Ok((args, masks))
    }

    /// Takes the masks away from all tensors of a call that computes in `dtype`. Tensors of another
    /// dtype are cast before the call sees them, so that they keep theirs.
    pub fn forget_masks(&mut self, call: &CallArgs<TensorRef>, dtype: DType) {
        let mut tensors = Vec::new();
        call.visit(&mut |tensor| {
            let value = self.value(tensor).ok().flatten();
            if value.is_some_and(|value| value.dtype() == dtype) {
                tensors.push(*tensor);
            }
        });
        for tensor in tensors {
            if let Some(mask) = self.masks[tensor.call].get_mut(tensor.output) {
                *mask = None;
            }
        }
    }
}

/// How many arguments of a call hold tensors.
fn tensor_arguments(call: &CallArgs<TensorRef>) -> usize {
    let named = call.keyword.iter().map(|(_, arg)| arg);
    let holds = |arg: &Arg<TensorRef>| {
        let mut any = false;
        arg.visit(&mut |_| any = true);
        any
    };
    call.positional.iter().chain(named).filter(|arg| holds(arg)).count()
}

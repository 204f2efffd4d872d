//! Cells: what recurrent layers do in one time step.

use super::dropout::DropoutMasks;
use crate::base::{Error, Nested, Result, Shape};
use crate::graph::Value;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, Outputs};

/// The states of a cell: a list of values; for a stack of cells, a list of such lists.
pub type States<'g> = Nested<Value<'g>>;

/// A layer whose call takes `(inputs, states)` of one time step and gives `(output, states)`.
///
/// A cell needs a [`state_size`](Cell::state_size) and [`Layer::cell`]; its `call` is the step. Keras's
/// own cells say apart what does not depend on the states, so that it is computed for all steps at
/// once.
pub trait Cell: Layer {
    /// Extents of the states without the batch axis, as Keras's attribute of this name.
    fn state_size(&self) -> Vec<usize>;

    /// Features of the output; those of the first state, if the cell does not say otherwise.
    fn output_size(&self) -> Option<usize> {
        self.state_size().first().copied()
    }

    /// The states before the first step, for inputs of one step of this shape: zeros (batch, size) in
    /// the compute dtype. Keras's `get_initial_state`.
    ///
    /// # Errors
    /// If the inputs do not have the shape that the cell was built for.
    fn initial_state<'g>(&self, cx: &Context<'g>, input: &Shape) -> Result<States<'g>> {
        let batch = input.first().copied().unwrap_or(1);
        let zeros = |size| zeros(cx, Shape::from([batch, size]));
        Ok(Nested::List(self.state_size().into_iter().map(zeros).map(Nested::Leaf).collect()))
    }

    /// What training drops in all steps of a call, whose inputs of one step have the shape `input`.
    ///
    /// # Errors
    /// If the states are not those of the cell.
    fn masks<'g>(
        &self,
        _cx: &Context<'g>,
        _input: &Shape,
        _states: &States<'g>,
    ) -> Result<DropoutMasks<'g>> {
        Ok(DropoutMasks::default())
    }

    /// What [`step`](Cell::step) takes in place of the inputs: the part of the mathematics that does
    /// not depend on states. Inputs may have an axis of time steps in front of the batch.
    ///
    /// # Errors
    /// If the inputs do not have the shape that the cell was built for.
    fn project<'g>(
        &self,
        _cx: &Context<'g>,
        inputs: Value<'g>,
        _masks: &DropoutMasks<'g>,
    ) -> Result<Value<'g>> {
        Ok(inputs)
    }

    /// Output and next states of one step, from what [`project`](Cell::project) made of its inputs.
    ///
    /// # Errors
    /// If the states are not those of the cell.
    fn step<'g>(
        &self,
        cx: &Context<'g>,
        input: Value<'g>,
        states: &States<'g>,
        _masks: &DropoutMasks<'g>,
    ) -> Result<(Value<'g>, States<'g>)> {
        let positional = vec![Arg::Tensor(input), Arg::from(states)];
        match self.call(cx, &CallArgs { positional, keyword: Vec::new() })? {
            Nested::List(items) => match items.as_slice() {
                [Nested::Leaf(output), next @ Nested::Leaf(_)] => {
                    Ok((*output, Nested::List(vec![next.clone()])))
                }
                [Nested::Leaf(output), next] => Ok((*output, next.clone())),
                _ => Err(Error::shape("cell", format!("{} outputs", items.len()), TWO)),
            },
            _ => Err(Error::shape("cell", "one output", TWO)),
        }
    }
}

const TWO: &str = "an output and the next states";

/// Zeros of the compute dtype.
pub(super) fn zeros<'g>(cx: &Context<'g>, shape: Shape) -> Value<'g> {
    cx.graph().scalar(0.0, cx.compute_dtype()).broadcast(shape)
}

/// The `call` of a cell that has a `step` of its own: arguments inputs and states.
pub(super) fn call_step<'g>(
    cell: &dyn Cell,
    cx: &Context<'g>,
    args: &Args<'g>,
) -> Result<Outputs<'g>> {
    let states = args.get(1, "states").and_then(Arg::nested);
    let states = states.ok_or_else(|| Error::shape("cell", "no states", "inputs and states"))?;
    let single = matches!(states, Nested::Leaf(_));
    let states = if single { Nested::List(vec![states]) } else { states };
    let input = args.input()?;
    let masks = cell.masks(cx, &input.shape(), &states)?;
    let inputs = cell.project(cx, input, &masks)?;
    let (output, next) = cell.step(cx, inputs, &states, &masks)?;
    // A state that came by itself goes by itself.
    let next = match next {
        Nested::List(mut items) if single && items.len() == 1 => items.remove(0),
        next => next,
    };
    Ok(Nested::List(vec![Nested::Leaf(output), next]))
}

/// What every cell answers as a [`Layer`]: its base, its call, and that it is a cell.
macro_rules! cell_base {
    ($($field:ident).+) => {
        $crate::layers::layer::layer_base!($($field).+);

        fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
            $crate::layers::rnn::cell::call_step(self, cx, args)
        }

        fn cell(&self) -> Option<&dyn Cell> {
            Some(self)
        }

        fn keywords(&self) -> &'static [&'static str] {
            &["states"]
        }
    };
}
pub(super) use cell_base;

/// The states of a cell that has `N` of them.
pub(super) fn take_states<'g, const N: usize>(states: &States<'g>) -> Result<[Value<'g>; N]> {
    let flat: Vec<Value<'g>> = states.flatten().into_iter().copied().collect();
    let found = flat.len();
    flat.try_into()
        .map_err(|_| Error::shape("cell", format!("{found} states"), format!("{N} states")))
}

/// A list of states.
pub(super) fn state_list<'g>(states: impl IntoIterator<Item = Value<'g>>) -> States<'g> {
    Nested::List(states.into_iter().map(Nested::Leaf).collect())
}

/// Equal parts of a value along its last axis, as many as there are gates.
pub(super) fn gates<'g, const N: usize>(x: Value<'g>, units: usize) -> [Value<'g>; N] {
    let last = x.rank().saturating_sub(1);
    std::array::from_fn(|i| x.narrow(last, i * units, units))
}

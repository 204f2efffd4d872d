//! What training drops in recurrent layers: the same features in all steps of a call (Gal and
//! Ghahramani 2016).

use crate::base::{Result, Shape};
use crate::graph::Value;
use crate::layers::Context;
use crate::layers::config::Config;
use crate::layers::seed_generator::SeedGenerator;

/// Factors of a cell's inputs and of its first state, the same in all steps of a call: zeros for what
/// is dropped. None, one, or one for each gate.
#[derive(Clone, Default)]
pub struct DropoutMasks<'g> {
    /// Of the shape of the inputs of one step.
    pub inputs: Vec<Value<'g>>,
    /// Of the shape of the state.
    pub states: Vec<Value<'g>>,
    /// Those of the cells in a stack.
    pub cells: Vec<DropoutMasks<'g>>,
}

/// The shares of inputs and of states that training drops.
pub(super) struct Dropout {
    inputs: f64,
    states: f64,
    seeds: SeedGenerator,
}

impl Dropout {
    /// Reads the keys; the rates are cut to 0…1, as Keras cuts them.
    pub fn from_config(config: &Config) -> Result<Dropout> {
        let rate = |key| Ok::<f64, crate::base::Error>(config.float(key)?.clamp(0.0, 1.0));
        Ok(Dropout {
            inputs: rate("dropout")?,
            states: rate("recurrent_dropout")?,
            seeds: SeedGenerator::from_config(config)?,
        })
    }

    /// Whether states are dropped in training.
    pub fn drops_states(&self) -> bool {
        self.states > 0.0
    }

    /// `count` masks each for inputs and a state of these shapes; none outside of training.
    pub fn masks<'g>(
        &self,
        cx: &Context<'g>,
        input: &Shape,
        state: &Shape,
        count: usize,
    ) -> Result<DropoutMasks<'g>> {
        if !cx.training() {
            return Ok(DropoutMasks::default());
        }
        let draw = |rate: f64, shape: &Shape| -> Result<Vec<Value<'g>>> {
            let ones = cx.graph().scalar(1.0, cx.compute_dtype()).broadcast(shape.clone());
            let count = if rate > 0.0 { count } else { 0 };
            (0..count).map(|_| self.seeds.dropout(cx, ones, rate, shape.clone())).collect()
        };
        let (inputs, states) = (draw(self.inputs, input)?, draw(self.states, state)?);
        Ok(DropoutMasks { inputs, states, cells: Vec::new() })
    }

    /// The same for a cell with gates: these pass over rates of one.
    pub fn gate_masks<'g>(
        &self,
        cx: &Context<'g>,
        input: &Shape,
        state: &Shape,
        count: usize,
    ) -> Result<DropoutMasks<'g>> {
        let mut masks = self.masks(cx, input, state, count)?;
        if self.inputs >= 1.0 {
            masks.inputs.clear();
        }
        if self.states >= 1.0 {
            masks.states.clear();
        }
        Ok(masks)
    }
}

/// What `f` gives for each gate, along the last axis: with one mask or none for all gates at once,
/// otherwise with the mask of each. `f` takes the masked value and the gate, `None` for all of them.
pub(super) fn by_gates<'g>(
    x: Value<'g>,
    masks: &[Value<'g>],
    f: impl Fn(Value<'g>, Option<usize>) -> Result<Value<'g>>,
) -> Result<Value<'g>> {
    match masks {
        [] => f(x, None),
        [mask] => f(x * *mask, None),
        masks => {
            let gates = masks.iter().enumerate().map(|(gate, &mask)| f(x * mask, Some(gate)));
            let gates = gates.collect::<Result<Vec<_>>>()?;
            let axis = gates[0].rank().saturating_sub(1);
            Ok(x.graph().concat(&gates, axis))
        }
    }
}

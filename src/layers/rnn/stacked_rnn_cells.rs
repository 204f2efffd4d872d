//! `keras.layers.StackedRNNCells`: several cells as one, each fed with the output of the one before.
//!
//! The cells' weights are under `cells`; the states are a list with those of every cell.

use std::sync::Arc;

use super::cell::{Cell, States, cell_base};
use super::dropout::DropoutMasks;
use crate::base::{Error, Nested, Result, Shape, SymbolicShape};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec, build};

builder! {
    /// A stack of cells that is a cell. The cells are given as a list of their records.
    StackedRNNCells(cells) {}
}

struct Stack {
    base: LayerBase,
    cells: Vec<Arc<dyn Layer>>,
}

impl StackedRNNCells {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let cells: Vec<Arc<dyn Layer>> =
            config.layer_list("cells")?.into_iter().map(Arc::from).collect();
        if cells.is_empty() || cells.iter().any(|cell| cell.cell().is_none()) {
            return Err(config.bad("cells", "one or more layers that are cells, with states"));
        }
        Ok(Box::new(Stack { base: LayerBase::new("StackedRNNCells", config)?, cells }))
    }
}

impl Stack {
    fn cells(&self) -> impl Iterator<Item = (&dyn Layer, &dyn Cell)> {
        self.cells.iter().filter_map(|layer| Some((layer.as_ref(), layer.cell()?)))
    }
}

/// Features of a cell's output.
fn output_size(cell: &dyn Cell) -> Result<usize> {
    let none = || Error::shape("stack of cells", "a cell without output size", "a state or a size");
    cell.output_size().ok_or_else(none)
}

impl Stack {
    /// The states of each cell.
    fn of_each<'s, 'g>(&self, states: &'s States<'g>) -> Result<&'s [States<'g>]> {
        match states {
            Nested::List(items) if items.len() == self.cells.len() => Ok(items.as_slice()),
            _ => {
                let expected = format!("a list with the states of {} cells", self.cells.len());
                Err(Error::shape("stack of cells", "other states", expected))
            }
        }
    }
}

impl Layer for Stack {
    cell_base!(base);

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let mut shape = inputs.input_shape()?.clone();
        let batch = shape.0.first().copied().flatten();
        let dtype = self.base.policy.compute;
        for layer in &mut self.cells {
            let spec = SymbolicSpec { shape: shape.clone(), dtype };
            build(layer, &CallArgs::one(Arg::Tensor(spec)))?;
            if let Some(cell) = layer.cell() {
                shape = SymbolicShape(vec![batch, Some(output_size(cell)?)]);
            }
        }
        Ok(())
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        let cells = self.cells.iter().cloned().map(Nested::Leaf).collect();
        vec![("cells", Nested::List(cells))]
    }
}

impl Cell for Stack {
    fn state_size(&self) -> Vec<usize> {
        self.cells().flat_map(|(_, cell)| cell.state_size()).collect()
    }

    fn output_size(&self) -> Option<usize> {
        self.cells().last().and_then(|(_, cell)| cell.output_size())
    }

    fn initial_state<'g>(&self, cx: &Context<'g>, input: &Shape) -> Result<States<'g>> {
        let mut input = input.clone();
        let mut states = Vec::with_capacity(self.cells.len());
        for (layer, cell) in self.cells() {
            states.push(cx.within(layer, |cx| cell.initial_state(cx, &input))?);
            let batch = input.first().copied().unwrap_or(1);
            input = Shape::from([batch, output_size(cell)?]);
        }
        Ok(Nested::List(states))
    }

    fn masks<'g>(
        &self,
        cx: &Context<'g>,
        input: &Shape,
        states: &States<'g>,
    ) -> Result<DropoutMasks<'g>> {
        let mut input = input.clone();
        let mut cells = Vec::with_capacity(self.cells.len());
        for ((layer, cell), states) in self.cells().zip(self.of_each(states)?) {
            cells.push(cx.within(layer, |cx| cell.masks(cx, &input, states))?);
            let batch = input.first().copied().unwrap_or(1);
            input = Shape::from([batch, output_size(cell)?]);
        }
        Ok(DropoutMasks { cells, ..DropoutMasks::default() })
    }

    fn project<'g>(
        &self,
        cx: &Context<'g>,
        inputs: Value<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<Value<'g>> {
        match self.cells().next() {
            Some((layer, cell)) => cx.within(layer, |cx| {
                cell.project(
                    cx,
                    as_floats(cx, inputs),
                    masks.cells.first().unwrap_or(&DropoutMasks::default()),
                )
            }),
            None => Ok(inputs),
        }
    }

    fn step<'g>(
        &self,
        cx: &Context<'g>,
        input: Value<'g>,
        states: &States<'g>,
        masks: &DropoutMasks<'g>,
    ) -> Result<(Value<'g>, States<'g>)> {
        let of_each = self.of_each(states)?;
        let mut output = input;
        let mut next = Vec::with_capacity(self.cells.len());
        let none = DropoutMasks::default();
        for (i, ((layer, cell), states)) in self.cells().zip(of_each).enumerate() {
            let (y, state) = cx.within(layer, |cx| {
                // The first cell's inputs are projected already.
                let masks = masks.cells.get(i).unwrap_or(&none);
                let x = match i {
                    0 => output,
                    _ => cell.project(cx, as_floats(cx, output), masks)?,
                };
                cell.step(cx, x, states, masks)
            })?;
            output = y;
            next.push(state);
        }
        Ok((output, Nested::List(next)))
    }
}

/// A floating value in the dtype of the cell that takes it.
fn as_floats<'g>(cx: &Context<'g>, x: Value<'g>) -> Value<'g> {
    if x.dtype().is_float() { x.cast(cx.compute_dtype()) } else { x }
}

//! The loop of recurrent layers: a cell, run over the steps of a sequence.

use std::sync::Arc;

use super::cell::{Cell, States};
use crate::base::{DType, Error, Nested, Result, Shape, Spec, SymbolicShape};
use crate::graph::{Graph, Value};
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec, build};
use crate::tensor::{Tensor, Variable};

/// A recurrent layer of this class around a cell. `rank` is the rank of its inputs, where Keras demands
/// one.
pub(super) fn recurrent_layer(
    class_name: &'static str,
    config: &Config,
    cell: Box<dyn Layer>,
    rank: Option<usize>,
) -> Result<Box<dyn Layer>> {
    // Which kernel computes the layer is no matter of its result.
    if let Some(word) = config.get("use_cudnn").as_str()
        && word != "auto"
    {
        return Err(config.bad("use_cudnn", "true, false or \"auto\""));
    }
    if cell.cell().is_none() {
        return Err(config.bad("cell", "a layer that is a cell, with states"));
    }
    Ok(Box::new(Recurrent {
        base: LayerBase::new(class_name, config)?,
        cell: Arc::from(cell),
        rank,
        return_sequences: config.bool("return_sequences")?,
        return_state: config.bool("return_state")?,
        go_backwards: config.bool("go_backwards")?,
        stateful: config.bool("stateful")?,
        unroll: config.bool("unroll")?,
        zero_output_for_mask: config.bool("zero_output_for_mask")?,
        states: None,
    }))
}

struct Recurrent {
    base: LayerBase,
    cell: Arc<dyn Layer>,
    rank: Option<usize>,
    return_sequences: bool,
    return_state: bool,
    go_backwards: bool,
    stateful: bool,
    unroll: bool,
    zero_output_for_mask: bool,
    /// Where a stateful layer leaves its states for the next batch.
    states: Option<Nested<Variable>>,
}

/// What a loop has computed, in the cell's dtype.
struct Run<'g> {
    /// (steps, batch, …) where all steps are wanted, else (batch, …).
    output: Value<'g>,
    states: States<'g>,
}

impl Recurrent {
    fn cell(&self) -> Result<&dyn Cell> {
        self.cell.cell().ok_or_else(|| Error::Internal("a cell that is none".into()))
    }

    /// The sequences of a call, (batch, steps, …).
    fn sequences<'g>(&self, args: &Args<'g>) -> Result<Value<'g>> {
        let expected = match self.rank {
            Some(rank) => format!("rank {rank}: (batch, steps, …)"),
            None => "rank 3 or more: (batch, steps, …)".into(),
        };
        let Some(x) = args.tensor(0, "sequences")? else {
            return Err(Error::shape("recurrent layer", "no tensor", expected));
        };
        match self.rank {
            Some(rank) if x.rank() == rank => Ok(x),
            None if x.rank() >= 3 => Ok(x),
            _ => Err(Error::shape("recurrent layer", format!("inputs {}", x.shape()), expected)),
        }
    }

    /// The states before the first step: those of the call, those of the last batch, or the cell's.
    fn initial_state<'g>(
        &self,
        cx: &Context<'g>,
        cell: &dyn Cell,
        args: &Args<'g>,
        step: &Shape,
    ) -> Result<States<'g>> {
        let start = cell.initial_state(cx, step)?;
        let given = args.get(1, "initial_state").and_then(Arg::nested);
        // The batch of the kept states says nothing of one that is not known.
        let kept = self.states.as_ref().filter(|_| !cx.shapes_only());
        let states = match (given, kept) {
            (Some(given), _) => given,
            (None, Some(kept)) => kept.try_map(&mut |v| Ok::<_, Error>(cx.graph().read(v)))?,
            (None, None) => return Ok(start),
        };
        let states = fill(&start, states.flatten().into_iter().copied())?;
        states.try_map(&mut |state| Ok(state.cast(cx.compute_dtype())))
    }

    /// Whether each step of each row counts, (steps, batch).
    fn valid_steps<'g>(&self, args: &Args<'g>, x: Value<'g>) -> Result<Option<Value<'g>>> {
        let mask = match args.get(2, "mask") {
            None => return Ok(None),
            Some(Arg::Tensor(mask)) => mask.cast(DType::Bool),
            Some(Arg::List(items)) => match items.first() {
                Some(Arg::Tensor(mask)) => mask.cast(DType::Bool),
                _ => return Ok(None),
            },
            Some(_) => return Err(Error::shape("mask", "a plain value", "a tensor")),
        };
        let shape = mask.shape();
        if !(2..=3).contains(&shape.rank()) || x.shape().get(..2) != Some(&shape[..2]) {
            let expected = format!("(batch, steps) of inputs {}", x.shape());
            return Err(Error::shape("mask", shape.to_string(), expected));
        }
        // A step of many features counts if one of them does.
        let mask = if shape.rank() == 3 { mask.max(&[2]) } else { mask };
        Ok(Some(mask.transpose(&[1, 0])))
    }

    /// Runs the cell over all steps.
    fn run<'g>(
        &self,
        cx: &Context<'g>,
        x: Value<'g>,
        args: &Args<'g>,
        valid: Option<Value<'g>>,
    ) -> Result<Run<'g>> {
        let cell = self.cell()?;
        let x = if x.dtype().is_float() { x.cast(cx.compute_dtype()) } else { x };
        let x = x.move_axis(1, 0);
        let steps = x.extent(0);
        if steps == 0 {
            return Err(Error::shape("recurrent layer", "no time step", "at least one"));
        }
        let step_shape: Shape = x.shape().get(1..).unwrap_or(&[]).into();
        let start = self.initial_state(cx, cell, args, &step_shape)?;
        let mut carries: Vec<Value<'g>> = start.flatten().into_iter().copied().collect();
        let count = carries.len();
        let masks = cell.masks(cx, &step_shape, &start)?;
        let projected = cell.project(cx, x, &masks)?;
        // An unrolled loop goes on with the output before a masked step, any other with its state.
        let follows_output = self.unroll && valid.is_some();
        // Where one output is wanted or looked back at, it is carried behind the states.
        let carries_output = follows_output || !self.return_sequences;
        if carries_output {
            // A product that failed has no axes; the graph keeps its error.
            let first =
                projected.narrow(0, 0, 1).reshape(projected.shape().get(1..).unwrap_or(&[]));
            carries.push(cell.step(cx, first, &start, &masks)?.0.like(0.0));
        }
        let sequences: Vec<Value<'g>> = [projected].into_iter().chain(valid).collect();
        let (outputs, last) = cx.graph().loop_over_time(
            steps,
            self.go_backwards,
            &sequences,
            &carries,
            |x, carries| {
                let states = fill(&start, carries[..count].iter().copied())?;
                let (output, next) = cell.step(cx, x[0], &states, &masks)?;
                let mut next: Vec<Value<'g>> = next.flatten().into_iter().copied().collect();
                let output = match x.get(1) {
                    None => output,
                    Some(&valid) => {
                        for (next, old) in next.iter_mut().zip(carries) {
                            *next = hold(valid, *next, *old);
                        }
                        let masked = match carries.get(count) {
                            Some(&before) if follows_output => before,
                            _ if self.zero_output_for_mask => output.like(0.0),
                            _ => first_state(&states)?,
                        };
                        hold(valid, output, masked)
                    }
                };
                if carries_output {
                    next.push(output);
                }
                Ok((if self.return_sequences { vec![output] } else { Vec::new() }, next))
            },
        )?;
        let states = fill(&start, last.iter().take(count).copied())?;
        let outputs = outputs.first().copied();
        let output = if self.return_sequences { outputs } else { last.get(count).copied() };
        let output = output.ok_or_else(|| Error::Internal("a loop without output".into()))?;
        Ok(Run { output, states })
    }

    /// Variables for the states of batches of this shape.
    fn make_states(&self, inputs: &SymbolicShape) -> Result<Nested<Variable>> {
        if inputs.0.first().copied().flatten().is_none() {
            let expected = "a fixed batch size, as a stateful layer needs";
            return Err(Error::shape("recurrent layer", format!("inputs {inputs}"), expected));
        }
        let graph = Graph::new();
        let step = Shape::from(&without_steps(inputs).filled(1)[..]);
        let states = Context::new(&graph, false)
            .within(self.cell.as_ref(), |cx| self.cell()?.initial_state(cx, &step))?;
        states.try_map(&mut |state| {
            let zeros = Initializer::ZEROS.source(state.shape(), self.base.policy.variable)?;
            Ok(Variable::new("rnn_state", false, zeros))
        })
    }

    /// Leaves the states for the next batch.
    fn keep<'g>(&self, cx: &Context<'g>, states: &States<'g>) {
        if cx.shapes_only() {
            return;
        }
        let kept = self.states.as_ref().map(Nested::flatten).unwrap_or_default();
        for (variable, state) in kept.into_iter().zip(states.flatten()) {
            cx.graph().assign(variable, state.cast(variable.spec().dtype));
        }
    }
}

/// The inputs' shape without the axis of steps.
fn without_steps(inputs: &SymbolicShape) -> SymbolicShape {
    let kept = inputs.0.iter().enumerate().filter(|(axis, _)| *axis != 1);
    SymbolicShape(kept.map(|(_, extent)| *extent).collect())
}

/// Values in a structure of states, each with the spec that it has there but for the dtype.
fn fill<'g>(
    structure: &States<'g>,
    values: impl ExactSizeIterator<Item = Value<'g>>,
) -> Result<States<'g>> {
    let expected = structure.flatten();
    if values.len() != expected.len() {
        let expected = format!("{} states", expected.len());
        return Err(Error::shape("recurrent layer", format!("{} states", values.len()), expected));
    }
    let mut values = values;
    structure.try_map(&mut |state| match values.next() {
        Some(value) if value.shape() == state.shape() => Ok(value),
        Some(value) => {
            let expected = format!("a state of shape {}", state.shape());
            Err(Error::shape("recurrent layer", value.shape().to_string(), expected))
        }
        None => Err(Error::Internal("a state is missing".into())),
    })
}

/// `next` in rows that are valid, `old` in the others; `valid` is (batch).
fn hold<'g>(valid: Value<'g>, next: Value<'g>, old: Value<'g>) -> Value<'g> {
    let mut extents = vec![1; next.rank().max(1)];
    extents[0] = valid.extent(0);
    valid.reshape(extents).select(next, old)
}

/// What Keras takes for the output before a masked step: the first state, of a stack the first state
/// of its last cell.
fn first_state<'g>(states: &States<'g>) -> Result<Value<'g>> {
    let Nested::List(items) = states else {
        return Err(Error::Internal("states that are no list".into()));
    };
    let state = match (items.first(), items.last()) {
        (Some(Nested::Leaf(first)), _) => Some(first),
        (_, Some(last)) => last.flatten().first().copied(),
        _ => None,
    };
    state.copied().ok_or_else(|| Error::shape("mask", "a cell without states", "a state"))
}

impl Layer for Recurrent {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let Some(Arg::Tensor(spec)) = inputs.get(0, "sequences") else {
            return Err(Error::shape("recurrent layer", "no tensor", "one tensor"));
        };
        if spec.shape.rank() < 3 {
            let found = format!("inputs {}", spec.shape);
            return Err(Error::shape("recurrent layer", found, "(batch, steps, …)"));
        }
        let shape = without_steps(&spec.shape);
        let step = CallArgs::one(Arg::Tensor(SymbolicSpec { shape, dtype: spec.dtype }));
        build(&mut self.cell, &step)?;
        if self.stateful {
            self.states = Some(self.make_states(&spec.shape)?);
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = self.sequences(args)?;
        let valid = self.valid_steps(args, x)?;
        let run = cx.within(self.cell.as_ref(), |cx| self.run(cx, x, args, valid))?;
        let compute = cx.compute_dtype();
        let states = run.states.try_map(&mut |state| Ok::<_, Error>(state.cast(compute)))?;
        self.keep(cx, &states);
        let output = if self.return_sequences { run.output.move_axis(0, 1) } else { run.output };
        let output = Nested::Leaf(output.cast(compute));
        match states {
            Nested::List(states) if self.return_state => {
                Ok(Nested::List([output].into_iter().chain(states).collect()))
            }
            _ => Ok(output),
        }
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        vec![("cell", Nested::Leaf(self.cell.clone()))]
    }

    fn memory(&self) -> Vec<Variable> {
        self.states.as_ref().map(Nested::flatten).unwrap_or_default().into_iter().cloned().collect()
    }

    fn reset_state(&self) -> Result<()> {
        let states = self.states.as_ref().map(Nested::flatten).unwrap_or_default();
        let zeros = |spec: &Spec| Tensor::zeros(spec.clone());
        states.into_iter().try_for_each(|state| state.assign(zeros(state.spec())))
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["sequences", "initial_state", "mask"]
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

#[cfg(test)]
mod tests {
    use crate::layers::{Masking, SimpleRNN};
    use crate::{Device, Sequential, Tensor};

    #[test]
    fn the_last_output_is_zero_where_a_mask_ends_a_row() {
        let ones = || SimpleRNN::new(1).kernel_initializer("ones").recurrent_initializer("ones");
        // Two steps of two rows, the second step of the second row masked.
        let x = Tensor::new([2, 2, 1], &[1f32, 2.0, 4.0, 0.0]).unwrap();
        for (zero, expected) in [(true, [3.0, 0.0]), (false, [3.0, 4.0])] {
            let layer = ones().activation("linear").zero_output_for_mask(zero);
            let model = Sequential::new([2, 1]).add(Masking::new()).add(layer).build().unwrap();
            let y = model.call(std::slice::from_ref(&x), &Device::Host).unwrap();
            assert_eq!(y[0].to_vec::<f32>().unwrap(), expected, "zero_output_for_mask {zero}");
        }
    }
}

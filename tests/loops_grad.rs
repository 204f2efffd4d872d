//! Gradients of loops over time: those of the same steps written one behind the other.

mod common;

use common::{assert_close, gpu, oracle};
use keraunos::Device;
use keraunos::base::{DType, Result, Spec};
use keraunos::graph::{Graph, Step, Value};
use keraunos::program::{Options, Program};
use keraunos::runtime::Compiled;
use keraunos::tensor::Tensor;

/// What one step computes, from its rows, its carries and values that are the same in every step.
type Body = for<'g> fn(&[Value<'g>], &[Value<'g>], &[Value<'g>]) -> Step<'g>;

struct Case {
    steps: usize,
    backwards: bool,
    sequences: Vec<Spec>,
    carries: Vec<Spec>,
    fixed: Vec<Spec>,
    body: Body,
}

fn float<const N: usize>(shape: [usize; N]) -> Spec {
    Spec::new(shape, DType::Float32)
}

/// Numbers between -1 and 1, different for every input.
fn tensor(spec: &Spec, seed: usize) -> Tensor {
    let element = |i: usize| ((i * 37 + seed * 101 + 11) % 64) as f32 / 32.0 - 1.0;
    let elements: Vec<f32> = (0..spec.shape.len()).map(element).collect();
    Tensor::new(spec.shape.clone(), &elements).unwrap().cast(spec.dtype)
}

/// The steps one behind the other.
fn written_out<'g>(
    case: &Case,
    graph: &'g Graph,
    sequences: &[Value<'g>],
    carries: &[Value<'g>],
    fixed: &[Value<'g>],
) -> Step<'g> {
    let mut carries = carries.to_vec();
    let mut stacks: Vec<Vec<Value<'g>>> = Vec::new();
    for step in 0..case.steps {
        let time = if case.backwards { case.steps - 1 - step } else { step };
        let row = |x: &Value<'g>| x.narrow(0, time, 1).reshape(x.shape()[1..].to_vec());
        let rows: Vec<Value<'g>> = sequences.iter().map(row).collect();
        let (outputs, next) = (case.body)(&rows, &carries, fixed);
        carries = next;
        stacks.resize(outputs.len(), Vec::new());
        for (stack, y) in stacks.iter_mut().zip(outputs) {
            stack.push(y.reshape([&[1], y.shape().as_slice()].concat()));
        }
    }
    (stacks.iter().map(|stack| graph.concat(stack, 0)).collect(), carries)
}

/// A number that depends on every result, with different weights for every element.
fn loss<'g>(graph: &'g Graph, (outputs, carries): &Step<'g>) -> Value<'g> {
    let mut total = graph.scalar(0.0, DType::Float32);
    for (i, y) in outputs.iter().chain(carries).enumerate().filter(|(_, y)| y.dtype().is_float()) {
        let axes: Vec<usize> = (0..y.rank()).collect();
        let weights = graph.constant(tensor(&y.spec(), 50 + i));
        total = total + (*y * weights).cast(DType::Float32).sum(&axes);
    }
    total
}

/// The program of the loss and its gradients with respect to all float inputs.
fn program(case: &Case, looped: bool) -> Result<Program> {
    let graph = Graph::new();
    let inputs = |specs: &[Spec]| -> Vec<Value<'_>> {
        specs.iter().map(|spec| graph.input(spec.clone())).collect()
    };
    let (sequences, carries) = (inputs(&case.sequences), inputs(&case.carries));
    let fixed = inputs(&case.fixed);
    let results = match looped {
        false => written_out(case, &graph, &sequences, &carries, &fixed),
        true => {
            let (steps, backwards) = (case.steps, case.backwards);
            graph.loop_over_time(steps, backwards, &sequences, &carries, |x, c| {
                Ok((case.body)(x, c, &fixed))
            })?
        }
    };
    let loss = loss(&graph, &results);
    let all = sequences.into_iter().chain(carries).chain(fixed);
    let wrt: Vec<Value<'_>> = all.filter(|v| v.dtype().is_float()).collect();
    let grads = graph.grad(loss, &wrt)?;
    let missing = || graph.scalar(0.0, DType::Float32);
    let mut outputs = vec![loss.id()];
    outputs.extend(grads.into_iter().map(|g| g.unwrap_or_else(missing).id()));
    Ok(Program::new(graph.finish()?, &outputs))
}

/// Compares the loop with its steps written out: by each operation's own evaluation, on the host and
/// on the adapter.
fn check(case: &Case) {
    let specs = case.sequences.iter().chain(&case.carries).chain(&case.fixed);
    let inputs: Vec<Tensor> = specs.enumerate().map(|(i, spec)| tensor(spec, i)).collect();
    let expected = oracle(&program(case, false).unwrap(), &inputs);
    let found = oracle(&program(case, true).unwrap(), &inputs);
    let agree = |found: &[Tensor], what: &str| {
        assert_eq!(found.len(), expected.len());
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_close(found, expected, 2e-5, &format!("{what}, result {i}"));
        }
    };
    agree(&found, "oracle");
    for device in [Device::Host, gpu()] {
        let program = program(case, true).unwrap();
        let compiled = Compiled::new(program, &device, &Options::default(), &mut |_, _| {});
        let compiled = compiled.unwrap();
        for run in ["first run", "second run"] {
            agree(&compiled.run(&inputs).unwrap(), &format!("{device}, {run}"));
        }
    }
}

fn sigmoid(x: Value<'_>) -> Value<'_> {
    x.like(1.0) / (x.like(1.0) + (-x).unary("exp"))
}

#[test]
fn of_an_lstm() {
    for (steps, backwards) in [(1, false), (2, false), (5, true)] {
        check(&Case {
            steps,
            backwards,
            sequences: vec![float([steps, 3, 16])],
            carries: vec![float([3, 4]), float([3, 4])],
            fixed: vec![float([4, 16])],
            body: |x, carries, fixed| {
                let z = x[0] + carries[0].dot(fixed[0]);
                let [i, f, g, o] = std::array::from_fn(|k| z.narrow(1, 4 * k, 4));
                let c = sigmoid(f) * carries[1] + sigmoid(i) * g.unary("tanh");
                let h = sigmoid(o) * c.unary("tanh");
                (vec![h], vec![h, c])
            },
        });
    }
}

#[test]
fn of_biases_and_of_two_products_in_a_row() {
    check(&Case {
        steps: 4,
        backwards: false,
        sequences: vec![float([4, 2, 3])],
        carries: vec![float([2, 5])],
        fixed: vec![float([5, 3]), float([3, 5]), float([5])],
        body: |x, carries, fixed| {
            let inner = (carries[0].dot(fixed[0]) + x[0]).unary("tanh");
            let h = inner.dot(fixed[1]) * 0.5 + fixed[2];
            (vec![inner, h * h], vec![h.unary("tanh")])
        },
    });
}

#[test]
fn through_masks_counters_and_values_that_are_too_large_to_stack() {
    check(&Case {
        steps: 3,
        backwards: true,
        sequences: vec![float([3, 2])],
        carries: vec![float([2]), Spec::new([], DType::Int32)],
        fixed: vec![float([6, 2]), float([2])],
        body: |x, carries, fixed| {
            let positive = x[0].binary("gt", x[0].like(0.0));
            let scaled = fixed[0].sum(&[0]) * carries[0];
            // A table, row by row: its gradient in one step is as large as the table.
            let picked = fixed[0].gather(carries[1].reshape([1]), 0).reshape([2]);
            let next = positive.select(carries[0] * 0.5 + x[0] * fixed[1], scaled + picked);
            (vec![next * x[0]], vec![next, carries[1] + carries[1].like(1.0)])
        },
    });
}

#[test]
fn of_reductions_and_of_sequences_without_carries() {
    check(&Case {
        steps: 4,
        backwards: false,
        sequences: vec![float([4, 3, 2]), float([4, 3])],
        carries: vec![],
        fixed: vec![float([2])],
        body: |x, _, fixed| {
            let norm = (x[0] * x[0]).sum(&[1]).unary("sqrt");
            let best = x[0].max(&[1]);
            (vec![norm * x[1], best * fixed[0].sum(&[0])], vec![])
        },
    });
}

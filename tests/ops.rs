//! Every operation on the host: values and gradients against JAX, gradients against finite
//! differences, and the laws that hold whatever the shape.

#[path = "common/ops_cases.rs"]
mod ops_cases;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use keraunos::base::{DType, Spec};
use keraunos::graph::eval::{Leaves, eval};
use keraunos::graph::ops::{BINARY, Hoisted, Pair, UNARY};
use keraunos::graph::{Complex, Graph, Node, NodeId, Op, OpDef, Trace, Value};
use keraunos::tensor::{Array, Words};
use ops_cases::{Case, Traced, cases, weights};
use proptest::prelude::*;

fn evaluate(trace: &Trace, outputs: &[NodeId], inputs: &[Array]) -> Vec<Array> {
    let value = |v: &keraunos::tensor::Variable| v.value().unwrap().to_array().unwrap();
    let variables: HashMap<_, _> =
        trace.variables.iter().map(|(&id, variable)| (id, value(variable))).collect();
    let leaves = Leaves { inputs, variables, hoisted: &[] };
    eval(&trace.nodes, outputs, &leaves).unwrap()
}

/// Runs a check over all cases and reports all that fail, not the first.
fn for_all(check: impl Fn(&Case, &Traced) -> Result<(), String>) {
    let failures: Vec<String> =
        cases().iter().filter_map(|case| check(case, &case.trace()).err()).collect();
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

/// The gradient of one input as the graph gives it.
fn gradient(case: &Case, traced: &Traced, input: usize) -> Option<Array> {
    let id = traced.gradients[&input]?;
    Some(evaluate(&traced.trace, &[id], &case.leaves()).remove(0))
}

#[test]
fn values_are_those_of_jax() {
    for_all(|case, traced| {
        let outputs = evaluate(&traced.trace, &[traced.output], &case.leaves());
        case.check(&outputs[0], 1.0)
    });
}

#[test]
fn gradients_are_those_of_jax() {
    for_all(|case, traced| {
        traced.gradients.keys().try_for_each(|&input| {
            case.check_gradient(input, gradient(case, traced, input).as_ref(), 1.0)
        })
    });
}

#[test]
fn gradients_are_finite_differences() {
    for_all(|case, traced| {
        let inputs = traced.gradients.keys().filter(|_| case.differences);
        inputs.copied().try_for_each(|input| compare_differences(case, traced, input))
    });
}

fn compare_differences(case: &Case, traced: &Traced, input: usize) -> Result<(), String> {
    let got = gradient(case, traced, input)
        .unwrap_or_else(|| Array::zeros(case.inputs[input].spec().clone()));
    let scale = got.as_f32().iter().fold(1.0f32, |m, x| m.max(x.abs()));
    for (i, &got) in got.as_f32().iter().enumerate() {
        let want = difference(case, traced, input, i);
        let near = (f64::from(got) - want).abs() <= 3e-4 * f64::from(scale);
        if !near {
            let name = &case.name;
            return Err(format!("gradient {input} of {name}: element {i} is {got}, not {want}"));
        }
    }
    Ok(())
}

/// The central difference of fourth order, by one element of one input, of the weighted sum of the
/// output.
fn difference(case: &Case, traced: &Traced, input: usize, element: usize) -> f64 {
    const STEP: f64 = 1.0 / 128.0;
    let at = |steps: f64| {
        let mut inputs = case.leaves();
        if let Words::F32(words) = &mut inputs[input].words {
            words[element] = (f64::from(words[element]) + steps * STEP) as f32;
        }
        let output = evaluate(&traced.trace, &[traced.output], &inputs).remove(0);
        let weights = weights(output.len());
        let terms = output.as_f32().iter().zip(weights).map(|(&y, w)| f64::from(y) * w);
        terms.sum::<f64>()
    };
    (at(-2.0) - at(2.0) + 8.0 * (at(1.0) - at(-1.0))) / (12.0 * STEP)
}

macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        /// Every kind of operation. A kind that is missing here does not compile.
        const KINDS: &[&str] = &[$(stringify!($kind)),*];

        /// The kind of an operation.
        fn kind(op: &Op) -> &'static str {
            match op { $(Op::$kind(_) => stringify!($kind)),* }
        }
    };
}
kinds![
    Input,
    Read,
    Hoisted,
    Placeholder,
    Constant,
    Iota,
    Unary,
    Binary,
    Select,
    Cast,
    Bitcast,
    Reshape,
    Transpose,
    Broadcast,
    Slice,
    Pad,
    Concat,
    Reduce,
    ArgReduce,
    MatMul,
    Conv,
    Pool,
    PoolGrad,
    Gather,
    RandomBits,
    SegmentReduce,
    Factor,
    TriangularSolve,
    SortStep,
    StopGradient,
    LoopOverTime,
    LoopResult,
    Pair,
];

#[test]
fn every_operation_has_a_case() {
    let (mut kinds, mut functions) = (BTreeSet::new(), BTreeMap::<&str, bool>::new());
    for case in cases() {
        let traced = case.trace();
        let op = &traced.trace.nodes[traced.output].op;
        kinds.insert(kind(op));
        let function = match op {
            Op::Unary(unary) => Some(unary.name),
            Op::Binary(binary) => Some(binary.name),
            _ => None,
        };
        if let Some(name) = function {
            *functions.entry(name).or_default() |= !case.gradients.is_empty();
        }
        // A read stands in front of the operation that uses it, a loop in front of its results, a
        // factorisation in front of the parts that it gives in one.
        let in_front = |k: &&str| matches!(*k, "Read" | "LoopOverTime" | "Factor");
        kinds.extend(traced.trace.nodes.iter().map(|n| kind(&n.op)).filter(in_front));
    }
    // Programs make the first, the second stands for inputs of loops that are not finished, the third
    // for complex numbers, which are computed in parts; the tests below have them.
    kinds.extend(["Hoisted", "Placeholder", "Pair"]);
    let missing: Vec<_> = KINDS.iter().filter(|k| !kinds.contains(*k)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    let unary = UNARY.iter().map(|r| (r.name, !r.wgsl.starts_with("u32(") && r.name != "not"));
    let binary = BINARY.iter().map(|r| (r.name, !r.test && !r.wgsl.is_empty()));
    for (name, differentiated) in unary.chain(binary) {
        let found = functions.get(name);
        assert!(found.is_some(), "no case for the function '{name}'");
        assert!(!differentiated || found == Some(&true), "no case with a gradient for '{name}'");
    }
}

#[test]
fn complex_numbers_are_computed_in_parts_only() {
    let graph = Graph::new();
    let z = graph.input(Spec::new([3], DType::Complex64));
    let twice = Complex::of(z).unwrap().map(|part| part * 2.0).value();
    assert_eq!(twice.spec(), z.spec());
    let sum = Complex::of(z + z.reshape([3]) * 2.0).unwrap();
    assert_eq!([sum.re.dtype(), sum.im.dtype()], [DType::Float32; 2]);
    let _ = z.tanh();
    let message = graph.finish().err().unwrap().to_string();
    assert!(message.contains("complex numbers in 'tanh'"), "{message}");
    let parts = [2, 3].map(|n| Spec::new([n], DType::Float32));
    assert!(Pair.infer(&parts.each_ref()).is_err());
}

#[test]
fn leaves_are_given_not_computed() {
    let spec = Spec::new([2], DType::Float32);
    let hoisted = Hoisted { index: 0, spec: spec.clone() };
    assert_eq!(hoisted.infer(&[]).unwrap(), spec);
    assert!(hoisted.eval(&[], &spec).is_err());
    let op = Op::Hoisted(hoisted);
    let nodes = [Node { op, inputs: Vec::new(), spec, scope: "".into() }];
    let value = [Array::f32([2], vec![1.0, 2.0])];
    let leaves = Leaves { hoisted: &value, ..Leaves::default() };
    assert_eq!(eval(&nodes, &[0], &leaves).unwrap(), value);
    assert!(eval(&nodes, &[0], &Leaves::default()).is_err());
}

/// What `f` gives for a tensor of this shape that holds 0, 1, 2 and so on.
fn counting(shape: &[usize], f: impl for<'g> Fn(Value<'g>) -> Value<'g>) -> Array {
    let graph = Graph::new();
    let output = f(graph.input(Spec::new(shape, DType::Float32))).id();
    let words = (0..shape.iter().product::<usize>()).map(|i| i as f32).collect();
    let trace = graph.finish().unwrap();
    evaluate(&trace, &[output], &[Array::f32(shape, words)]).remove(0)
}

fn unchanged(shape: &[usize], f: impl for<'g> Fn(Value<'g>) -> Value<'g>) {
    assert_eq!(counting(shape, f), counting(shape, |x| x));
}

fn shape() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0usize..5, 0..4)
}

fn permuted() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    shape().prop_flat_map(|shape| {
        let axes: Vec<usize> = (0..shape.len()).collect();
        (Just(shape), Just(axes).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn a_transpose_is_undone((shape, axes) in permuted()) {
        let inverse: Vec<usize> =
            (0..axes.len()).map(|i| axes.iter().position(|&a| a == i).unwrap()).collect();
        unchanged(&shape, |x| x.transpose(&axes).transpose(&inverse));
    }

    #[test]
    fn a_reshape_is_undone(shape in shape()) {
        unchanged(&shape, |x| x.reshape([shape.iter().product()]).reshape(shape.clone()));
    }

    #[test]
    fn reversing_twice_changes_nothing(shape in shape()) {
        let axes: Vec<usize> = (0..shape.len()).collect();
        unchanged(&shape, |x| x.reverse(&axes).reverse(&axes));
    }

    #[test]
    fn a_slice_takes_out_what_a_pad_put_in(
        shape in shape(), low in 0usize..3, high in 0usize..3, interior in 0usize..3
    ) {
        let all = |n| vec![n; shape.len()];
        let step = vec![interior as i64 + 1; shape.len()];
        unchanged(&shape, |x| {
            x.pad_with(&all(low), &all(high), &all(interior), 9.0).slice(&all(low), &shape, &step)
        });
    }

    #[test]
    fn parts_join_to_the_whole(shape in shape(), axis in 0usize..3, cut in 0usize..5) {
        prop_assume!(axis < shape.len());
        let cut = cut.min(shape[axis]);
        unchanged(&shape, |x| {
            let parts = [x.narrow(axis, 0, cut), x.narrow(axis, cut, shape[axis] - cut)];
            x.graph().concat(&parts, axis)
        });
    }

    #[test]
    fn broadcasting_operands_first_changes_nothing(
        (shape, flat) in shape().prop_flat_map(|s| {
            let flags = proptest::collection::vec(any::<bool>(), s.len());
            (Just(s), flags)
        }),
        lead in 0usize..3
    ) {
        let flattened = |(&n, &one): (&usize, &bool)| if one { 1 } else { n };
        let small: Vec<usize> = shape.iter().zip(&flat).map(flattened).collect();
        let small = small[lead.min(small.len())..].to_vec();
        let implied = counting(&small, |x| {
            x + x.graph().scalar(0.5, DType::Float32).broadcast(shape.clone())
        });
        let explicit = counting(&small, |x| x.broadcast(shape.clone()) + 0.5);
        prop_assert_eq!(implied, explicit);
    }

    #[test]
    fn summing_one_axis_at_a_time_is_summing_all(shape in shape()) {
        let all: Vec<usize> = (0..shape.len()).collect();
        let stepwise = counting(&shape, |x| all.iter().fold(x, |x, _| x.sum(&[0])));
        prop_assert_eq!(counting(&shape, |x| x.sum(&all)), stepwise);
    }
}

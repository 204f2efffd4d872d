//! Formulas over rows give on a device what they give when every reduction is a dispatch of its own
//! and what the oracle gives, in one dispatch and in the same bits again.

mod common;

use common::{assert_close, gpu, oracle};
use keraunos::DType;
use keraunos::base::Spec;
use keraunos::graph::{Graph, Value};
use keraunos::program::{Options, Pass, Program};
use keraunos::runtime::Compiled;
use keraunos::tensor::Tensor;

/// What a formula is made of, and how many dispatches it may take.
struct Case {
    name: &'static str,
    shape: &'static [usize],
    dtype: DType,
    dispatches: usize,
    formula: for<'g> fn(&'g Graph, Value<'g>) -> Vec<Value<'g>>,
}

fn case(
    name: &'static str,
    shape: &'static [usize],
    dispatches: usize,
    formula: for<'g> fn(&'g Graph, Value<'g>) -> Vec<Value<'g>>,
) -> Case {
    Case { name, shape, dtype: DType::Float32, dispatches, formula }
}

fn normalized<'g>(x: Value<'g>, axes: &[usize]) -> Value<'g> {
    let (mean, variance) = x.moments(axes);
    (x - mean) * (variance + 1e-3).rsqrt()
}

/// The gradient of the sum of the formula's elements, each weighted by its own position.
fn gradient<'g>(graph: &'g Graph, x: Value<'g>, y: Value<'g>) -> Vec<Value<'g>> {
    let shape = y.shape();
    let last = shape.rank() - 1;
    let weights = graph.iota(shape.clone(), last).cast(DType::Float32) * 0.01 + 0.5;
    let all: Vec<usize> = (0..shape.rank()).collect();
    let loss = (y * weights).sum(&all);
    let gradient = graph.grad(loss, &[x]).unwrap()[0].unwrap();
    vec![y, gradient]
}

fn cases() -> Vec<Case> {
    let mut all = vec![
        case("softmax of long rows", &[3, 3000], 1, |_, x| vec![x.softmax(&[1])]),
        case("softmax of short rows", &[200, 7], 1, |_, x| vec![x.softmax(&[1])]),
        case("softmax of all but the first axis", &[40, 5, 9, 4], 1, |_, x| {
            vec![x.softmax(&[1, 2, 3])]
        }),
        case("log softmax", &[5, 2, 100], 1, |_, x| vec![x.log_softmax(&[2])]),
        case("softmax along the first axis of many columns", &[6, 4100], 1, |_, x| {
            vec![x.softmax(&[0])]
        }),
        case("softmax along the first axis of few columns", &[6, 41], 4, |_, x| {
            vec![x.softmax(&[0])]
        }),
        case("layer normalization", &[70, 300], 1, |_, x| vec![normalized(x, &[1])]),
        case("group normalization", &[3, 4, 4, 24], 1, |_, x| {
            let shape = x.shape();
            let y = normalized(x.reshape([3, 16, 4, 6]), &[1, 3]).reshape(shape);
            vec![y * 2.0 + 1.0]
        }),
        case("root mean square", &[33, 65], 1, |_, x| {
            let mean = x.square().mean(&[1]).keep_axes(&x.shape(), &[1]);
            vec![x * (mean + 1e-6).rsqrt()]
        }),
        case("numbers of rows that others want too", &[64, 40], 2, |_, x| {
            let (mean, variance) = x.moments(&[1]);
            vec![(x - mean) / (variance + 0.1).sqrt(), mean.transpose(&[1, 0]), variance]
        }),
        case("cross entropy of rows", &[50, 30], 1, |graph, x| {
            let target = graph.iota([50, 30], 1).binary("eq", graph.iota([50, 30], 0));
            let target = target.cast(DType::Float32);
            vec![(x.log_softmax(&[1]) * target).sum(&[1])]
        }),
        case("a reduction of booleans between", &[40, 50], 1, |_, x| {
            let large = x.binary("gt", x.like(2.5)).max(&[1]).keep_axes(&x.shape(), &[1]);
            let largest = x.max(&[1]).keep_axes(&x.shape(), &[1]);
            vec![large.broadcast(x.shape()).select(x / largest, x)]
        }),
        case("elements in another order", &[8, 64], 2, |_, x| {
            let shape = x.shape();
            let largest = x.max(&[1]).keep_axes(&shape, &[1]);
            vec![(x.transpose(&[1, 0]).reshape(shape) - largest).exp()]
        }),
        case("gradient of softmax", &[20, 300], 8, |graph, x| gradient(graph, x, x.softmax(&[1]))),
        case("gradient of a normalization", &[40, 129], 8, |graph, x| {
            gradient(graph, x, normalized(x, &[1]))
        }),
    ];
    for dtype in [DType::Float16, DType::BFloat16] {
        all.push(Case {
            dtype,
            ..case("softmax in 16 bits", &[64, 33], 1, |_, x| vec![x.softmax(&[1])])
        });
    }
    all
}

#[test]
fn rows_are_one_dispatch_and_what_separate_dispatches_give() {
    let device = gpu();
    let apart = Options { without: vec![Pass::Rows] };
    for case in cases() {
        let graph = Graph::new();
        let x = graph.input(Spec::new(case.shape, case.dtype));
        let outputs: Vec<usize> = (case.formula)(&graph, x).into_iter().map(Value::id).collect();
        let program = Program::new(graph.finish().unwrap(), &outputs);
        let len: usize = case.shape.iter().product();
        let numbers: Vec<f32> = (0..len).map(|i| (i * 37 % 101) as f32 * 0.06 - 3.0).collect();
        let x = Tensor::new(case.shape, &numbers).unwrap().cast(case.dtype);
        let compile = |options: &Options| {
            Compiled::new(program.clone(), &device, options, &mut |_, _| {}).unwrap()
        };
        let joined = compile(&Options::default());
        let what = format!("{} {:?}\n{}", case.name, case.dtype, joined.summary());
        assert!(joined.dispatches() <= case.dispatches, "{what}");
        let found = joined.run(&[x.clone()]).unwrap();
        let apart = compile(&apart).run(&[x.clone()]).unwrap();
        let again = joined.run(&[x.clone()]).unwrap();
        let expected = oracle(&program, &[x]);
        for (i, found) in found.iter().enumerate() {
            let tolerance = if case.dtype == DType::Float32 { 1e-5 } else { 8e-3 };
            assert_close(found, &apart[i], tolerance, &format!("apart: {what}"));
            assert_close(found, &expected[i], tolerance, &format!("oracle: {what}"));
            assert_eq!(found.bytes(), again[i].bytes(), "again: {what}");
        }
    }
}

//! Formulas over rows give on a device what they give when every reduction is a dispatch of its own
//! and what the oracle gives, in one dispatch and in the same bits again.

mod common;

use common::{assert_close, gpu, oracle};
use keraunos::DType;
use keraunos::base::Spec;
use keraunos::gpu::{
    Buffer, Caps, Choices, Gpu, KernelChoice, Kind, Launch, Recording, Step, Work,
};
use keraunos::graph::{Graph, NodeId, Op, Value};
use keraunos::kernels::{Access, reduce, rows};
use keraunos::program::pass::{fuse, rows as join};
use keraunos::program::region::{Region, RegionKind};
use keraunos::program::view::Frame;
use keraunos::program::{Options, Pass, Program};
use keraunos::runtime::{Compiled, Device};
use keraunos::tensor::{Array, Tensor};

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
        case("a lookup in what is between reductions", &[40, 50], 3, |graph, x| {
            let shifted = (x - x.max(&[1]).keep_axes(&x.shape(), &[1])).exp();
            let picked = shifted.gather(graph.iota([40], 0), 0);
            let sum = picked.sum(&[1]).keep_axes(&x.shape(), &[1]);
            vec![picked / sum]
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
        // Narrow outputs are packed by a dispatch of their own.
        let packing = usize::from(case.dtype != DType::Float32);
        assert!(joined.dispatches() <= case.dispatches + packing, "{what}");
        let found = joined.run(std::slice::from_ref(&x)).unwrap();
        let apart = compile(&apart).run(std::slice::from_ref(&x)).unwrap();
        let again = joined.run(std::slice::from_ref(&x)).unwrap();
        let expected = oracle(&program, &[x]);
        for (i, found) in found.iter().enumerate() {
            let tolerance = if case.dtype == DType::Float32 { 1e-5 } else { 8e-3 };
            assert_close(found, &apart[i], tolerance, &format!("apart: {what}"));
            assert_close(found, &expected[i], tolerance, &format!("oracle: {what}"));
            assert_eq!(found.bytes(), again[i].bytes(), "again: {what}");
        }
    }
}

/// The launch of a region on an adapter of another kind than the one at hand.
fn launch(program: &Program, region: &Region, caps: &Caps) -> (Launch, Vec<NodeId>) {
    let dtype_of = |id: NodeId| program.nodes[id].spec.dtype;
    let access = Access::whole(&dtype_of);
    let RegionKind::Reduce { anchor } = region.kind else {
        return rows::launch(region.rows.as_ref().unwrap(), caps, &access).unwrap();
    };
    let Op::Reduce(op) = &program.nodes[anchor].op else { panic!("no reduction") };
    let shape = program.nodes[program.nodes[anchor].inputs[0]].spec.shape.clone();
    let frame = Frame { shape, axes: op.axes.clone() };
    let [outputs, len] = frame.rows_and_len();
    let reduction = reduce::Reduction {
        op: &program.nodes[anchor].op,
        prologue: region.prologue.as_ref().unwrap(),
        body: &region.body,
        outputs,
        len,
        contiguous: frame.is_contiguous(),
    };
    reduce::launch(&reduction, caps, &access).unwrap()
}

fn upload(gpu: &Gpu, array: &Array) -> Buffer {
    let buffer = gpu.create_buffer(array.word_bytes().len() as u64, "in").unwrap();
    gpu.upload_words(array.word_bytes(), &buffer).unwrap();
    buffer
}

/// Runs a formula that is one dispatch as an adapter with these facts would, twice, and gives the
/// kernel's name and the problem's, where another kernel could be chosen.
fn run_as(gpu: &Gpu, caps: &Caps, case: &Case) -> (&'static str, Option<KernelChoice>) {
    let graph = Graph::new();
    let x = graph.input(Spec::new(case.shape, case.dtype));
    let outputs: Vec<usize> = (case.formula)(&graph, x).into_iter().map(Value::id).collect();
    let mut program = Program::new(graph.finish().unwrap(), &outputs);
    let len: usize = case.shape.iter().product();
    let numbers: Vec<f32> = (0..len).map(|i| (i * 37 % 101) as f32 * 0.06 - 3.0).collect();
    let x = Tensor::new(case.shape, &numbers).unwrap().cast(case.dtype);
    let expected = oracle(&program, std::slice::from_ref(&x)).remove(0);
    program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
    let mut regions = fuse::run(&program, true).unwrap();
    join::run(&program, &mut regions).unwrap();
    let [region] = &regions.regions[..] else { panic!("{} is not one region", case.name) };
    let (launch, reads) = launch(&program, region, caps);
    let (kernel, choice) = (launch.kernel, launch.choice.clone());
    let mut buffers: Vec<Buffer> = Vec::new();
    for &id in &reads {
        buffers.push(match &program.nodes[id].op {
            Op::Input(_) => upload(gpu, &x.to_array().unwrap()),
            Op::Constant(constant) => upload(gpu, &constant.tensor.to_array().unwrap()),
            other => panic!("{}: {other:?}", case.name),
        });
    }
    // What a kernel leaves out must not be right by chance.
    let bytes = expected.spec().shape.len() * 4;
    let untouched = Array::from_word_bytes(expected.spec().clone(), &vec![0x55; bytes]);
    let run = || {
        let out = upload(gpu, &untouched);
        let buffers = buffers.iter().cloned().chain([out.clone()]).collect();
        let work = vec![Work::Step(Step { launch: launch.clone(), buffers })];
        Recording::new(gpu, work).unwrap().run().unwrap();
        let mut words = Vec::new();
        gpu.download(&out, 0, bytes as u64, &mut |piece| {
            words.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        Array::from_word_bytes(expected.spec().clone(), &words).to_tensor()
    };
    let found = run();
    let tolerance = if case.dtype == DType::Float32 { 1e-5 } else { 8e-3 };
    assert_close(&found, &expected, tolerance, &format!("{kernel}: {}", case.name));
    assert_eq!(found.bytes(), run().bytes(), "{kernel} again: {}", case.name);
    (kernel, choice)
}

/// Formulas of one dispatch.
fn single_dispatches() -> Vec<Case> {
    let mut all = cases();
    all.push(case("sum of columns", &[301, 50], 1, |_, x| vec![(x * x).sum(&[0]) + 1.0]));
    all.push(case("largest of columns", &[2, 9000, 9], 1, |_, x| vec![x.max(&[1])]));
    all.push(case("product of rows", &[301, 150], 1, |_, x| {
        vec![(x * 1e-2 + 1.0).prod(&[1]) + 1.0]
    }));
    all.push(case("not a number in long rows", &[3, 1000], 1, |_, x| {
        let only = x.binary("gt", x.like(2.98));
        vec![only.select(x * f64::NAN, x).max(&[1])]
    }));
    all.retain(|case| case.dispatches == 1);
    all
}

/// Several invocations for each row or column, as real GPUs have them.
#[test]
fn a_formula_of_one_dispatch_is_right_as_real_gpus_compute_it() {
    let device = gpu();
    let Device::Gpu(gpu) = &device else { panic!("{device} is no adapter") };
    let caps = Caps { kind: Kind::Discrete, subgroups: None, ..gpu.caps().clone() };
    let kernels: Vec<_> = single_dispatches().iter().map(|case| run_as(gpu, &caps, case)).collect();
    for kernel in ["rows", "reduce_columns", "reduce_group"] {
        assert!(kernels.iter().any(|(name, _)| *name == kernel), "{kernel} was not used");
    }
    let by_subgroups =
        |choice: &KernelChoice| choice.kernels.iter().any(|k| k.contains("subgroup"));
    assert!(!kernels.iter().filter_map(|(_, choice)| choice.as_ref()).any(by_subgroups));
}

/// Subgroups are used where measurements have chosen them, on GPUs and, for few rows, on software
/// adapters.
#[test]
fn rows_by_subgroups_are_right_and_the_same_bits_again() {
    let device = gpu();
    let Device::Gpu(gpu) = &device else { panic!("{device} is no adapter") };
    if gpu.caps().subgroups.is_none() {
        eprintln!("skipped: {device} has no subgroups");
        return;
    }
    let mut kernels = Vec::new();
    for kind in [Kind::Discrete, Kind::Software] {
        let caps = Caps { kind, ..gpu.caps().clone() };
        for case in single_dispatches() {
            let (usual, choice) = run_as(gpu, &caps, &case);
            assert!(!usual.ends_with("_subgroup"), "{usual} without a measurement");
            let Some(choice) = choice else { continue };
            let Some(kernel) = choice.kernels.iter().find(|k| k.ends_with("_subgroup")) else {
                continue;
            };
            let choices = Choices::from_iter([(choice.problem, (*kernel).to_owned())]);
            let (used, _) = run_as(gpu, &Caps { choices, ..caps.clone() }, &case);
            assert_eq!(used, *kernel, "{}", case.name);
            kernels.push((kind, used));
        }
    }
    for expected in [
        (Kind::Discrete, "rows_subgroup"),
        (Kind::Discrete, "reduce_subgroup"),
        (Kind::Software, "rows_subgroup"),
    ] {
        assert!(kernels.contains(&expected), "{expected:?} was not used: {kernels:?}");
    }
}

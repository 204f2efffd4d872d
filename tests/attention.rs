//! Attention is one dispatch on a real GPU, whatever masks its scores, and gives what the oracle gives;
//! where somebody else looks at scores or shares it stays as it is.

mod common;

use common::{assert_close, gpu, oracle};
use keraunos::DType;
use keraunos::base::Spec;
use keraunos::gpu::{Buffer, Caps, Gpu, Kind, Recording, Step, Work};
use keraunos::graph::{Graph, Op, Value};
use keraunos::kernels::{Access, Attention, MatMul, attention_text, choose_attention};
use keraunos::program::pass::{attention, fuse, memory, rows};
use keraunos::program::region::{Region, RegionKind};
use keraunos::program::{Options, Program};
use keraunos::runtime::Device;
use keraunos::tensor::{Array, Tensor};

type Formula = for<'g> fn(&'g Graph, &[Value<'g>]) -> Vec<Value<'g>>;

/// Queries, keys and values of some shapes, and what is made of them.
struct Case {
    name: &'static str,
    shapes: Vec<Vec<usize>>,
    /// The kernel that computes all of it; `None` where it takes several.
    kernel: Option<&'static str>,
    formula: Formula,
}

fn case(name: &'static str, [b, t, s, d, v]: [usize; 5], formula: Formula) -> Case {
    let kernel = Some(if t <= 8 { "attention_row" } else { "attention_tile" });
    Case { name, shapes: vec![vec![b, t, d], vec![b, s, d], vec![b, s, v]], kernel, formula }
}

fn scores<'g>(v: &[Value<'g>]) -> Value<'g> {
    v[0].matmul_flags(v[1], false, true) * 0.3
}

/// Whether a key is no later than the query.
fn causal<'g>(graph: &'g Graph, scores: Value<'g>) -> Value<'g> {
    graph.iota(scores.shape(), 1).binary("ge", graph.iota(scores.shape(), 2))
}

fn plain<'g>(_: &'g Graph, v: &[Value<'g>]) -> Vec<Value<'g>> {
    vec![scores(v).softmax(&[2]).matmul(v[2])]
}

fn cases() -> Vec<Case> {
    let small = [2, 19, 23, 5, 7];
    let with = |name, kernel, formula| Case { kernel, ..case(name, small, formula) };
    let mut all = vec![
        case("tiles that are full", [2, 64, 96, 32, 64], plain),
        case("tiles that are not", [3, 70, 45, 20, 33], plain),
        case("two keys", [1, 9, 2, 4, 4], plain),
        case("wide heads", [1, 12, 40, 200, 256], plain),
        case("one query", [5, 1, 600, 24, 70], plain),
        case("some queries", [2, 8, 31, 3, 200], plain),
        case("keys as columns, values as rows", [2, 20, 33, 8, 9], |_, v| {
            let keys = v[1].reshape([2, 8, 33]);
            let shares = (v[0].matmul(keys) * 0.3).softmax(&[2]);
            vec![shares.matmul_flags(v[2].reshape([2, 9, 33]), false, true)]
        }),
        case("one query, keys as columns", [2, 1, 300, 8, 9], |_, v| {
            let keys = v[1].reshape([2, 8, 300]);
            vec![(v[0].matmul(keys) * 0.3).softmax(&[2]).matmul(v[2])]
        }),
        case("causal, with a bias", [2, 40, 40, 8, 8], |graph, v| {
            let scores = scores(v);
            let bias = graph.iota(scores.shape(), 2).cast(DType::Float32) * 0.01;
            let rows = graph.iota(scores.shape(), 1);
            // One query has no key at all.
            let mask = causal(graph, scores).binary("and", rows.binary("ne", rows.like(2.0)));
            let scores = mask.select(scores + bias, scores.like(-3e38));
            vec![scores.softmax(&[2]).matmul(v[2])]
        }),
        case("negative infinity, of one query everywhere", [2, 12, 40, 8, 8], |graph, v| {
            let scores = scores(v);
            let far = scores.like(f64::NEG_INFINITY);
            let rows = graph.iota(scores.shape(), 1);
            let first = graph.iota(scores.shape(), 2).binary("lt", rows * 3.0);
            vec![first.select(far, scores).softmax(&[2]).matmul(v[2])]
        }),
        case("scores of many keys that rise and fall", [1, 10, 200, 1, 3], |_, v| {
            vec![(scores(v) * 200.0).softmax(&[2]).matmul(v[2])]
        }),
        with("scores as an output", None, |_, v| {
            let shares = scores(v).softmax(&[2]);
            vec![shares.matmul(v[2]), shares]
        }),
        with("half of the shares", None, |_, v| vec![(scores(v).softmax(&[2]) * 0.5).matmul(v[2])]),
        with("a mask that puts ones", None, |graph, v| {
            let shares = scores(v).softmax(&[2]);
            vec![causal(graph, shares).select(shares, shares.like(1.0)).matmul(v[2])]
        }),
        with("softmax along the queries", None, |_, v| vec![scores(v).softmax(&[1]).matmul(v[2])]),
    ];
    all.push(Case {
        shapes: vec![vec![1, 10, 4], vec![6, 20, 4], vec![6, 20, 4]],
        ..case("queries shared by all", [1, 10, 20, 4, 4], plain)
    });
    all.push(Case {
        shapes: vec![vec![4, 30, 8], vec![4, 30, 8], vec![4, 30, 8], vec![4, 30, 30]],
        ..case("heads, a mask on the shares, a sum behind", [4, 30, 30, 8, 8], |_, v| {
            // Of the largest numbers; some queries are left without a key.
            let mask = v[3].binary("gt", v[3].like(1.9));
            let scores = scores(v);
            let scores = mask.select(scores, scores.like(-3e38));
            let heads = scores.reshape([2, 2, 30, 30]).softmax(&[3]);
            let mask = mask.reshape([2, 2, 30, 30]);
            let shares = mask.select(heads, heads.like(0.0)).reshape([4, 30, 30]);
            vec![shares.matmul(v[2]).tanh() + v[0]]
        })
    });
    all
}

fn upload(gpu: &Gpu, array: &Array) -> Buffer {
    let buffer = gpu.create_buffer(array.word_bytes().len() as u64, "in").unwrap();
    gpu.upload_words(array.word_bytes(), &buffer).unwrap();
    buffer
}

fn product(program: &Program, id: usize) -> MatMul {
    let node = &program.nodes[id];
    let Op::MatMul(op) = &node.op else { panic!("no product") };
    let [a, b] = [0, 1].map(|i| &program.nodes[node.inputs[i]].spec);
    let e = op.extents(a, b).unwrap();
    MatMul {
        batch: e.batch,
        m: e.m,
        n: e.n,
        k: e.k,
        a_batch: a.shape[0] > 1,
        b_batch: b.shape[0] > 1,
        transpose_a: op.transpose_a,
        transpose_b: op.transpose_b,
        halves: false,
    }
}

/// What the one region of a program gives, computed as real GPUs do, and the name of its kernel.
fn run(gpu: &Gpu, program: &Program, region: &Region, inputs: &[Tensor]) -> (Tensor, &'static str) {
    let caps = Caps { kind: Kind::Discrete, ..gpu.caps().clone() };
    let RegionKind::Attention { anchor } = region.kind else { panic!("{:?}", region.kind) };
    let plan = region.attention.as_ref().unwrap();
    let problem = Attention::of(&product(program, plan.scored), &product(program, anchor));
    let dtype_of = |id: usize| program.nodes[id].spec.dtype;
    let (text, more) = attention_text(plan, &region.body, &Access::whole(&dtype_of)).unwrap();
    let launch = choose_attention(&problem, &caps, &text).unwrap();
    let read = |&id: &usize| {
        let mut id = id;
        while let Op::Reshape(_) = program.nodes[id].op {
            id = program.nodes[id].inputs[0];
        }
        match &program.nodes[id].op {
            Op::Input(input) => upload(gpu, &inputs[input.index].to_array().unwrap()),
            other => panic!("{other:?}"),
        }
    };
    let mut buffers: Vec<Buffer> =
        memory::attended(program, region, anchor).iter().map(read).collect();
    let spec = program.nodes[region.root].spec.clone();
    // What a kernel leaves out must not be right by chance.
    let out = upload(gpu, &Array::from_word_bytes(spec.clone(), &vec![0x55; spec.shape.len() * 4]));
    buffers.push(out.clone());
    buffers.extend(more.iter().map(read));
    let kernel = launch.kernel;
    Recording::new(gpu, vec![Work::Step(Step { launch, buffers })]).unwrap().run().unwrap();
    let mut words = Vec::new();
    gpu.download(&out, 0, spec.shape.len() as u64 * 4, &mut |piece| {
        words.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    (Array::from_word_bytes(spec, &words).to_tensor(), kernel)
}

#[test]
fn attention_is_one_dispatch_and_what_the_oracle_gives() {
    let device = gpu();
    let Device::Gpu(gpu) = &device else { panic!("{device} is no adapter") };
    for case in cases() {
        let graph = Graph::new();
        let inputs: Vec<Value<'_>> = case
            .shapes
            .iter()
            .map(|shape| graph.input(Spec::new(shape.as_slice(), DType::Float32)))
            .collect();
        let outputs: Vec<usize> =
            (case.formula)(&graph, &inputs).into_iter().map(Value::id).collect();
        let mut program = Program::new(graph.finish().unwrap(), &outputs);
        let filled = |(i, shape): (usize, &Vec<usize>)| {
            let len: usize = shape.iter().product();
            let number = |at: usize| ((at * 37 + i * 11) % 101) as f32 * 0.04 - 2.0;
            Tensor::new(shape.as_slice(), &(0..len).map(number).collect::<Vec<_>>()).unwrap()
        };
        let tensors: Vec<Tensor> = case.shapes.iter().enumerate().map(filled).collect();
        let expected = oracle(&program, &tensors).remove(0);
        program.optimize(&Options::default(), &mut |_, _| {}).unwrap();
        let mut regions = fuse::run(&program, true).unwrap();
        rows::run(&program, &mut regions).unwrap();
        attention::run(&program, &mut regions, 0).unwrap();
        let found = match (&regions.regions[..], case.kernel) {
            ([region], Some(kernel)) => {
                let (found, by) = run(gpu, &program, region, &tensors);
                assert_eq!(by, kernel, "{}", case.name);
                found
            }
            (several, None) => {
                let joined = |r: &Region| matches!(r.kind, RegionKind::Attention { .. });
                assert!(!several.iter().any(joined), "{}", case.name);
                continue;
            }
            (several, _) => {
                let kinds: Vec<_> = several.iter().map(|region| region.kind).collect();
                panic!("{} is {kinds:?}", case.name)
            }
        };
        assert_close(&found, &expected, 1e-5, case.name);
    }
}

/// A program for a software adapter has matrices of scores, unless they would fill its memory.
#[test]
fn few_scores_stay_a_matrix_where_that_is_faster() {
    let graph = Graph::new();
    let inputs = [(); 3].map(|()| graph.input(Spec::new([2, 32, 8], DType::Float32)));
    let output = plain(&graph, &inputs)[0].id();
    let program = Program::new(graph.finish().unwrap(), &[output]);
    let mut regions = fuse::run(&program, true).unwrap();
    rows::run(&program, &mut regions).unwrap();
    attention::run(&program, &mut regions, 2 * 32 * 32 + 1).unwrap();
    assert_eq!(regions.regions.len(), 3);
    attention::run(&program, &mut regions, 2 * 32 * 32).unwrap();
    assert_eq!(regions.regions.len(), 1);
}

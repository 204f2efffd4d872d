//! The cases of `tests/models/ops.json`: operations with inputs, expected outputs and expected
//! gradients, which `tests/keras/ops_reference.py` computes with JAX in double precision.
//!
//! Whatever runs graphs can be held to them: [`Case::trace`] gives the graph, [`Case::leaves`] what
//! to feed it, [`Case::check`] judges the output and [`Case::check_gradient`] a gradient.

use std::collections::BTreeMap;

use keraunos::base::{DType, Spec};
use keraunos::graph::ops::*;
use keraunos::graph::{Graph, NodeId, Trace, Value};
use keraunos::tensor::{Array, Tensor, Variable};
use serde_json::Value as Json;

/// How near a result must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// Equal; zeros of either sign are, and so are NaNs.
    Exact,
    /// One rounding of each element.
    Rounding,
    /// Some roundings of the largest element.
    Approximate,
    /// The same after the many steps of a factorisation, in which JAX's own float32 rounds too.
    Factored,
}

/// One operation on some inputs.
pub struct Case {
    pub name: String,
    op: String,
    attributes: Json,
    pub tolerance: Tolerance,
    pub inputs: Vec<Tensor>,
    pub expected: Tensor,
    /// By input: the gradient of [`weights`] times the output.
    pub gradients: BTreeMap<usize, Vec<f64>>,
    /// Whether finite differences can be taken at the inputs.
    #[allow(dead_code, reason = "only one of the tests that share the cases takes differences")]
    pub differences: bool,
}

/// The graph of a case.
pub struct Traced {
    pub trace: Trace,
    pub output: NodeId,
    /// By input; `None` where the graph says that no gradient flows.
    pub gradients: BTreeMap<usize, Option<NodeId>>,
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let text = include_str!("../models/ops.json");
    let cases: Vec<Json> = serde_json::from_str(text).expect("ops.json is JSON");
    cases.iter().map(Case::read).collect()
}

/// What the outputs are weighted by before they are summed to a loss.
pub fn weights(len: usize) -> Vec<f64> {
    (0..len).map(|i| ((7 * i) % 11) as f64 / 4.0 - 1.2).collect()
}

/// One rounding of a dtype, relative.
pub fn rounding(dtype: DType) -> f64 {
    match dtype {
        DType::Float16 => 1.0 / 1024.0,
        DType::BFloat16 => 1.0 / 128.0,
        _ => f64::from(f32::EPSILON),
    }
}

fn number(json: &Json) -> f64 {
    json.as_f64().unwrap_or_else(|| json.as_str().expect("a number").parse().expect("a number"))
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().expect("a list").iter().map(number).collect()
}

fn sizes(json: &Json) -> Vec<usize> {
    numbers(json).into_iter().map(|x| x as usize).collect()
}

fn spec(json: &Json) -> Spec {
    let dtype = DType::from_name(json["dtype"].as_str().expect("a name")).expect("a dtype");
    Spec::new(sizes(&json["shape"]), dtype)
}

fn tensor(spec: &Spec, values: &[f64]) -> Tensor {
    Tensor::new(spec.shape.clone(), values).expect("as many as the shape says").cast(spec.dtype)
}

fn array(json: &Json) -> Tensor {
    tensor(&spec(json), &numbers(&json["values"]))
}

impl Case {
    fn read(json: &Json) -> Case {
        let gradients = json["gradients"].as_object().expect("an object").iter();
        Case {
            name: json["name"].as_str().expect("a name").into(),
            op: json["op"].as_str().expect("a name").into(),
            attributes: json["attributes"].clone(),
            tolerance: match json["tolerance"].as_str() {
                Some("exact") => Tolerance::Exact,
                Some("rounding") => Tolerance::Rounding,
                Some("factored") => Tolerance::Factored,
                _ => Tolerance::Approximate,
            },
            inputs: json["inputs"].as_array().expect("a list").iter().map(array).collect(),
            expected: array(&json["output"]),
            gradients: gradients.map(|(i, g)| (i.parse().unwrap(), numbers(g))).collect(),
            differences: json["differences"] == true,
        }
    }

    /// The inputs as a device or the host is fed them.
    pub fn leaves(&self) -> Vec<Array> {
        self.inputs.iter().map(|x| x.to_array().expect("fits the lane")).collect()
    }

    /// The operation and the gradients of the weighted sum of its output.
    pub fn trace(&self) -> Traced {
        let graph = Graph::new();
        let inputs: Vec<Value<'_>> =
            self.inputs.iter().map(|x| graph.input(x.spec().clone())).collect();
        let output = self.apply(&graph, &inputs);
        let gradients = self.differentiate(&graph, output, &inputs);
        let output = output.id();
        let trace = graph.finish().unwrap_or_else(|e| panic!("{}: {e}", self.name));
        Traced { trace, output, gradients }
    }

    fn differentiate<'g>(
        &self,
        graph: &'g Graph,
        output: Value<'g>,
        inputs: &[Value<'g>],
    ) -> BTreeMap<usize, Option<NodeId>> {
        if self.gradients.is_empty() {
            return BTreeMap::new();
        }
        let weights = graph.constant(tensor(&output.spec(), &weights(output.shape().len())));
        let all: Vec<usize> = (0..output.rank()).collect();
        let wrt: Vec<Value<'g>> = self.gradients.keys().map(|&i| inputs[i]).collect();
        let grads = graph.grad((output * weights).sum(&all), &wrt);
        let grads = grads.unwrap_or_else(|e| panic!("{}: {e}", self.name));
        self.gradients.keys().copied().zip(grads.into_iter().map(|g| g.map(Value::id))).collect()
    }

    /// Judges an output. `slack` multiplies the tolerance: 1 for the host, more for devices.
    pub fn check(&self, got: &Array, slack: f64) -> Result<(), String> {
        if got.spec != *self.expected.spec() {
            return Err(format!("{}: {}, not {}", self.name, got.spec, self.expected.spec()));
        }
        let values: Vec<f64> = self.expected.iter_f64().collect();
        let finite = values.iter().filter(|x| x.is_finite());
        let scale = finite.fold(0.0f64, |m, x| m.max(x.abs()));
        compare(&self.name, &got.to_tensor(), &values, self.tolerance, slack, scale)
    }

    /// Judges the gradient of an input; `None` counts as zeros.
    pub fn check_gradient(
        &self,
        input: usize,
        got: Option<&Array>,
        slack: f64,
    ) -> Result<(), String> {
        let name = format!("gradient {input} of {}", self.name);
        let spec = self.inputs[input].spec();
        let zeros = Tensor::zeros(spec.clone());
        let got = got.map_or(zeros, Array::to_tensor);
        if got.spec() != spec {
            return Err(format!("{name}: {}, not {spec}", got.spec()));
        }
        let values = &self.gradients[&input];
        // Rules are formulas of several steps, each rounded, and terms of order 1 may cancel.
        let scale = values.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        compare(&name, &got, values, Tolerance::Approximate, slack, scale)
    }

    fn apply<'g>(&self, graph: &'g Graph, x: &[Value<'g>]) -> Value<'g> {
        let attribute = |name: &str| &self.attributes[name];
        let list = |name| sizes(attribute(name));
        let flag = |name| attribute(name) == true;
        let size = |name| number(attribute(name)) as usize;
        let vector =
            || Tensor::new([numbers(attribute("values")).len()], &numbers(attribute("values")));
        let vector = || vector().expect("a vector").cast(DType::Float32);
        match self.op.as_str() {
            "input" => x[0],
            "read" => {
                let source = std::sync::Arc::new(vector());
                x[0] + graph.read(&Variable::new("offset", true, source))
            }
            "constant" => graph.constant(vector()),
            "iota" => graph.iota(list("shape"), size("axis")),
            "unary" => x[0].unary(self.function(UNARY.iter().map(|r| r.name))),
            "binary" => x[0].binary(self.function(BINARY.iter().map(|r| r.name)), x[1]),
            "select" => x[0].select(x[1], x[2]),
            "cast" => x[0].cast(DType::from_name(attribute("dtype").as_str().unwrap()).unwrap()),
            "reshape" => x[0].reshape(list("shape")),
            "transpose" => x[0].transpose(&list("axes")),
            "broadcast" => x[0].broadcast(list("shape")),
            "slice" => {
                let step: Vec<i64> = numbers(attribute("step")).iter().map(|&s| s as i64).collect();
                x[0].slice(&list("start"), &list("size"), &step)
            }
            "pad" => {
                let (low, high, interior) = (list("low"), list("high"), list("interior"));
                x[0].pad_with(&low, &high, &interior, number(attribute("value")))
            }
            "concat" if attribute("repeat").is_null() => graph.concat(x, size("axis")),
            "concat" => graph.concat(&vec![x[0]; size("repeat")], size("axis")),
            "reduce" => match self.reduce_kind() {
                ReduceKind::Sum => x[0].sum(&list("axes")),
                ReduceKind::Prod => x[0].prod(&list("axes")),
                ReduceKind::Max => x[0].max(&list("axes")),
                ReduceKind::Min => x[0].min(&list("axes")),
            },
            "mean" => x[0].mean(&list("axes")),
            "softmax" => x[0].softmax(&list("axes")),
            "log_softmax" => x[0].log_softmax(&list("axes")),
            "argmax" => x[0].argmax(size("axis")),
            "argmin" => x[0].argmin(size("axis")),
            "matmul" => x[0].matmul_flags(x[1], flag("transpose_a"), flag("transpose_b")),
            "dot" => x[0].dot(x[1]),
            "conv" => graph.push(self.conv().into(), &[x[0].id(), x[1].id()]),
            "pool" => graph.push(self.pool().into(), &[x[0].id()]),
            "pool_grad" => {
                graph.push(PoolGrad { pool: self.pool() }.into(), &[x[0].id(), x[1].id()])
            }
            "bitcast" => {
                x[0].bitcast(DType::from_name(attribute("dtype").as_str().unwrap()).unwrap())
            }
            "argsort" => x[0].argsort(size("axis"), flag("descending")),
            "take_along" => x[0].take_along(x[1], size("axis")),
            "sort_step" => {
                let step = SortStep { run: size("run"), group: size("group") };
                graph.apply(step, &[x[0], x[1]])
            }
            "segment" => x[0].segment_reduce(x[1], self.reduce_kind(), size("segments")),
            "loop" => self.recurrence(x),
            "gather" => x[0].gather(x[1], size("axis")),
            "random_bits" => graph.push(self.random_bits().into(), &[x[0].id()]),
            "cholesky" => x[0].cholesky(),
            "lu" => x[0].lu().0,
            "lu_pivots" => x[0].lu().1,
            "qr_q" => x[0].qr(flag("complete")).0,
            "qr_r" => x[0].qr(flag("complete")).1,
            "eigh_values" => x[0].eigh().0,
            "eigh_vectors" => x[0].eigh().1,
            "singular_values" => x[0].singular_values(),
            "svd_product" => {
                // Of the vectors only what their signs do not change.
                let (u, s, vt) = x[0].svd(false);
                let scaled = u * u * s.reshape([s.extent(0), 1, s.extent(1)]);
                scaled.matmul(vt * vt)
            }
            "triangular_solve" => {
                x[0].solve_triangle(x[1], flag("lower"), flag("transpose"), flag("unit"))
            }
            "stop_gradient" => x[0].stop_gradient(),
            other => panic!("{}: no way to build '{other}'", self.name),
        }
    }

    fn reduce_kind(&self) -> ReduceKind {
        match self.attributes["kind"].as_str() {
            Some("sum") => ReduceKind::Sum,
            Some("prod") => ReduceKind::Prod,
            Some("max") => ReduceKind::Max,
            _ => ReduceKind::Min,
        }
    }

    fn function(&self, mut rows: impl Iterator<Item = &'static str>) -> &'static str {
        let name = &self.attributes["function"];
        rows.find(|row| name == row).unwrap_or_else(|| panic!("no row for {name}"))
    }

    fn extents(&self, name: &str) -> [usize; 3] {
        sizes(&self.attributes[name]).try_into().expect("three axes")
    }

    fn random_bits(&self) -> RandomBits {
        let take = match self.attributes["take"].as_str() {
            Some("first") => Take::First,
            Some("second") => Take::Second,
            _ => {
                let size = |name: &str| number(&self.attributes[name]) as u32;
                Take::Mixed { width: size("width"), bits: size("bits") }
            }
        };
        RandomBits { shape: sizes(&self.attributes["shape"]).into(), take }
    }

    fn conv(&self) -> Conv {
        let size = |name: &str| number(&self.attributes[name]) as usize;
        let geometry = ConvGeometry {
            batch: size("batch"),
            input: self.extents("input"),
            in_channels: size("in_channels"),
            output: self.extents("output"),
            out_channels: size("out_channels"),
            kernel: self.extents("kernel"),
            stride: self.extents("stride"),
            dilation: self.extents("dilation"),
            pad: self.extents("pad"),
            groups: size("groups"),
        };
        let kind = match self.attributes["kind"].as_str() {
            Some("forward") => ConvKind::Forward,
            Some("input_grad") => ConvKind::InputGrad,
            _ => ConvKind::FilterGrad,
        };
        Conv { geometry, kind }
    }

    /// One result of a small recurrent network: rows, the first state and two matrices.
    fn recurrence<'g>(&self, x: &[Value<'g>]) -> Value<'g> {
        let backwards = self.attributes["backwards"] == true;
        let body = |row: &[Value<'g>], carries: &[Value<'g>]| {
            let inner = (row[0] + carries[0].dot(x[2])).tanh();
            let next = inner.dot(x[3]) + carries[0] * 0.5;
            Ok((vec![inner * inner], vec![next]))
        };
        let steps = x[0].extent(0);
        let graph = x[0].graph();
        let (outputs, carries) = graph
            .loop_over_time(steps, backwards, &x[..1], &x[1..2], body)
            .expect("a loop that fits");
        if self.attributes["result"] == "outputs" { outputs[0] } else { carries[0] }
    }

    fn pool(&self) -> Pool {
        let max = self.attributes["mode"] == "max";
        Pool {
            mode: if max { PoolMode::Max } else { PoolMode::Average },
            batch: number(&self.attributes["batch"]) as usize,
            input: self.extents("input"),
            channels: number(&self.attributes["channels"]) as usize,
            output: self.extents("output"),
            window: self.extents("window"),
            stride: self.extents("stride"),
            pad: self.extents("pad"),
        }
    }
}

fn compare(
    name: &str,
    got: &Tensor,
    want: &[f64],
    tolerance: Tolerance,
    slack: f64,
    scale: f64,
) -> Result<(), String> {
    let unit = slack * rounding(got.dtype());
    let misses = |&(_, (got, &want)): &(usize, (f64, &f64))| {
        let same = got == want || (got.is_nan() && want.is_nan());
        let allowed = match tolerance {
            Tolerance::Exact => 0.0,
            Tolerance::Rounding => unit * want.abs(),
            Tolerance::Approximate => 8.0 * unit * scale,
            Tolerance::Factored => 64.0 * unit * scale,
        };
        // Not `>`: a difference that is NaN is a miss.
        let near = (got - want).abs() <= allowed;
        !same && !near
    };
    match got.iter_f64().zip(want).enumerate().find(misses) {
        Some((i, (got, want))) => Err(format!("{name}: element {i} is {got}, not {want}")),
        None => Ok(()),
    }
}

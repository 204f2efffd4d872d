//! Gradients of every layer class and every operation with respect to inputs and trainable weights,
//! against Keras on JAX.
//!
//! `tests/keras/make_gradients.py` records them (`make test` does it); they are not in the
//! repository. The largest differences stand in `src/manual/gradients.rs`; `KERAUNOS_BLESS=1` writes
//! that table anew.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::gpu;
use keraunos::layers::registry;
use keraunos::operations::OPERATIONS;
use keraunos::saving::npz::read_npz;
use keraunos::{Device, Tensor, load_model};
use serde_json::Value as Json;

/// Largest difference from Keras, as a part of the largest element of a gradient.
const TOLERANCE: f64 = 1e-3;

/// A gradient smaller than this part of the largest of its case counts as that large: it may be what
/// rounding leaves of zero, as for the bias of keys, which a softmax does not see.
const LEAST: f64 = 1e-4;

/// Classes without a recorded case, and why.
const LEFT_OUT: [(&str, &str); 20] = [
    ("CategoryEncoding", "takes whole numbers and has no weights"),
    ("ContrastLimitedAdaptiveHistogramEqualization", "looks levels up, which has no gradient"),
    ("ConvLSTMCell", "is within ConvLSTM2D"),
    ("CustomScaleLayer", "has no weights; a sum of two inputs, one scaled"),
    ("CutMix", "takes a mapping with labels; in inference it passes images on"),
    ("Discretization", "gives whole numbers"),
    ("Equalization", "looks levels up, which has no gradient"),
    ("HashedCrossing", "takes text or whole numbers"),
    ("Hashing", "takes text or whole numbers"),
    ("IndexLookup", "takes text or whole numbers"),
    ("InputLayer", "does not compute"),
    ("IntegerLookup", "takes whole numbers"),
    ("MaxNumBoundingBoxes", "takes a mapping of boxes and cuts it"),
    ("MixUp", "takes a mapping with labels; in inference it passes images on"),
    ("StringLookup", "takes text"),
    ("TernaryDense", "came with Keras 3.16; `tests/ternary.rs` compares its training"),
    ("TFDConcat", "is within FeatureSpace"),
    ("TFDIdentity", "is within FeatureSpace"),
    ("TextVectorization", "takes text"),
    ("ThresholdedReLU", "cannot be compiled by Keras on JAX, and so not differentiated"),
];

/// Operations without a recorded case, by the reason.
const OPERATIONS_LEFT_OUT: &[(&str, &str)] = &[
    (
        "gives whole numbers or truth values",
        "All AllClose Any Argmax Argmin Argpartition Argsort Bincount CountNonzero Digitize Equal Greater \
         GreaterEqual Histogram InTopK IsIn Isclose Isfinite Isinf Isnan Isneginf Isposinf Isreal Less \
         LessEqual LogicalAnd LogicalNot LogicalOr LogicalXor MatrixRank Nanargmax Nanargmin Ndim Nonzero \
         NotEqual OneHot MultiHot SearchSorted Shape Signbit Size Unique CTCDecode",
    ),
    (
        "takes whole numbers",
        "BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor Gcd Lcm \
         LeftShift RightShift UnravelIndex",
    ),
    (
        "takes no values of a graph, or their shapes only",
        "Arange Array Bartlett Blackman Empty EmptyLike Eye Full FullLike Geomspace Hamming Hanning Identity \
         Kaiser Linspace Logspace Ones OnesLike Tri Zeros ZerosLike",
    ),
    (
        "is constant between its steps",
        "Ceil Floor FloorDivide Heaviside Nextafter Round Sign Trunc",
    ),
    ("cannot be differentiated by JAX", "Eig SegmentProd"),
    ("has another class in files: Absolute, Conjugate", "Abs Conj"),
    (
        "calls a Python function",
        "AssociativeScan Cond ForiLoop JVP Map Scan Switch VectorizedMap WhileLoop",
    ),
    ("is random", "ElasticTransform"),
    ("reads bits as another dtype", "View"),
    (
        "gets two of its arguments in the wrong order in Keras 3.15.1, which cannot run it",
        "ConvTranspose",
    ),
];

/// What stands in a row of the table.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    gradients: usize,
    host: f64,
    gpu: f64,
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/keras/gradients")
}

fn manifest() -> Vec<Json> {
    let path = recorded().join("manifest.json");
    let text = fs::read_to_string(&path);
    let text = text.unwrap_or_else(|e| panic!("{}: {e}: run `make test`", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn class_of(case: &Json) -> &str {
    case["case"].as_str().unwrap().split(':').next().unwrap()
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.iter_f64().fold(0.0f64, |m, y| m.max(y.abs()))
}

/// The largest difference, as a part of the largest expected element, or of `least` where that is
/// larger. What Keras gives as zeros may be no gradient here: a weight that outputs do not depend on.
fn difference(found: Option<&Tensor>, expected: &Tensor, least: f64) -> f64 {
    let largest = largest(expected);
    let Some(found) = found else { return if largest == 0.0 { 0.0 } else { f64::INFINITY } };
    assert_eq!(found.shape(), expected.shape());
    let pairs = found.iter_f64().zip(expected.iter_f64());
    let worst = pairs.map(|(f, e)| (f - e).abs()).fold(0.0f64, |m, d| if d > m { d } else { m });
    let nan = found.iter_f64().any(f64::is_nan);
    if nan { f64::INFINITY } else { worst / largest.max(least) }
}

/// The number of gradients of a case and the largest difference among them; a message for each that
/// differs too much.
fn check(case: &Json, device: &Device, wrong: &mut Vec<String>) -> (usize, f64) {
    let name = case["case"].as_str().unwrap();
    let path = recorded().join(case["file"].as_str().unwrap());
    let arrays = read_npz(&path.with_extension("npz")).unwrap();
    let array = |name: String| arrays.iter().find(|(n, _)| *n == name).map(|(_, t)| t.clone());
    let all =
        |prefix: &str| (0..).map_while(|i| array(format!("{prefix}{i}"))).collect::<Vec<Tensor>>();
    let (inputs, factors) = (all("x"), all("f"));
    let found = load_model(path.with_extension("keras")).and_then(|model| {
        model.gradients(&inputs, &factors, case["training"].as_bool().unwrap(), device)
    });
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            wrong.push(format!("{name} on {device}: {error}"));
            return (0, f64::INFINITY);
        }
    };
    let weights = all("dw");
    assert_eq!(weights.len(), found.weights.len(), "{name}: trainable weights");
    let of_inputs = found.inputs.iter().enumerate().filter_map(|(i, gradient)| {
        Some((format!("input {i}"), gradient.as_ref(), array(format!("dx{i}"))?))
    });
    let of_weights = found.weights.iter().zip(weights);
    let of_weights = of_weights.map(|((path, g), expected)| (path.clone(), g.as_ref(), expected));
    let all: Vec<_> = of_inputs.chain(of_weights).collect();
    let least = LEAST * all.iter().map(|(_, _, g)| largest(g)).fold(LEAST, f64::max);
    let (mut count, mut worst) = (0, 0.0f64);
    for (what, gradient, expected) in all {
        let difference = difference(gradient, &expected, least);
        if difference.is_nan() || difference > TOLERANCE {
            let none = if gradient.is_none() { " (no gradient)" } else { "" };
            wrong.push(format!("{name} on {device}: {what}: {difference:.1e}{none}"));
        }
        (count, worst) = (count + 1, worst.max(difference));
    }
    (count, worst)
}

/// The rows of layers, or of operations.
fn rows(is_row: impl Fn(&str) -> bool) -> (BTreeMap<String, Row>, Vec<String>) {
    let (mut rows, mut wrong) = (BTreeMap::<String, Row>::new(), Vec::new());
    let gpu = gpu();
    for case in manifest() {
        if !is_row(class_of(&case)) {
            continue;
        }
        let row = rows.entry(class_of(&case).to_owned()).or_default();
        let (count, host) = check(&case, &Device::Host, &mut wrong);
        let (_, device) = check(&case, &gpu, &mut wrong);
        row.gradients += count;
        (row.host, row.gpu) = (row.host.max(host), row.gpu.max(device));
    }
    (rows, wrong)
}

/// A page of the manual: what it says first, its rows, and what is left out, each with its reason.
fn page(head: &str, rows: &BTreeMap<String, Row>, left_out: &[(&str, &str)]) -> String {
    let mut text = format!(
        "{head}\n\
         //! Each class is called on random inputs; gradients of a random sum of its outputs with respect\n\
         //! to inputs and trainable weights are compared. The numbers are the largest difference, as a\n\
         //! part of the largest element of the gradient: on the host, and on a GPU (llvmpipe 15, a\n\
         //! software adapter). `tests/gradients.rs` writes this page and checks it.\n//!\n\
         //! | class | gradients | host | GPU |\n//! | --- | --- | --- | --- |\n"
    );
    for (class, row) in rows {
        let Row { gradients, host, gpu } = row;
        text += &format!("//! | {class} | {gradients} | {host:.0e} | {gpu:.0e} |\n");
    }
    text += "//!\n//! Classes that are not in the table:\n//!\n//! | class | because it |\n//! | --- | --- |\n";
    for (class, reason) in left_out {
        text += &format!("//! | {class} | {reason} |\n");
    }
    text
}

/// The page without its measured numbers, which differ a little from machine to machine.
fn without_numbers(page: &str) -> String {
    let row = |line: &str| line.rsplitn(3, " | ").last().unwrap_or(line).to_owned();
    let measured = |line: &str| line.matches(" | ").count() == 4;
    page.lines().map(|line| if measured(line) { row(line) } else { line.to_owned() }).collect()
}

/// Checks the rows of `names` against Keras, and that the page says what is found.
fn check_page(file: &str, head: &str, names: &[String], left_out: &[(&str, &str)]) {
    let (rows, wrong) = rows(|class| names.iter().any(|name| name == class));
    assert!(wrong.is_empty(), "{} gradients differ:\n{}", wrong.len(), wrong.join("\n"));
    let is_left_out = |name: &String| left_out.iter().any(|(left_out, _)| left_out == name);
    let missing = |name: &&String| rows.contains_key(*name) == is_left_out(name);
    let missing: Vec<&String> = names.iter().filter(missing).collect();
    assert!(missing.is_empty(), "recorded and left out, or neither: {missing:?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual").join(file);
    let page = page(head, &rows, left_out);
    if std::env::var_os("KERAUNOS_BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let stale = without_numbers(&committed) != without_numbers(&page);
    assert!(!stale, "{} has other rows: KERAUNOS_BLESS=1 writes it anew", path.display());
}

#[test]
fn gradients_are_those_of_keras() {
    let head = "//! Gradients of every layer, beside those of Keras on JAX.\n//!";
    let names: Vec<String> = registry::LAYERS.iter().map(|def| def.class_name.into()).collect();
    check_page("gradients.rs", head, &names, &LEFT_OUT);
}

#[test]
fn gradients_of_operations_are_those_of_keras() {
    let head = "//! Gradients of every operation, beside those of Keras on JAX.\n//!\n\
                //! Functions with corners are also called at these.\n//!";
    let tables = OPERATIONS.iter().flat_map(|(_, table)| table.iter());
    let names: BTreeSet<String> = tables.map(|def| format!("ops.{}", def.class_name)).collect();
    let left_out: BTreeMap<String, &str> = OPERATIONS_LEFT_OUT
        .iter()
        .flat_map(|(reason, names)| names.split(' ').map(move |n| (format!("ops.{n}"), *reason)))
        .collect();
    let left_out: Vec<(&str, &str)> =
        left_out.iter().map(|(n, reason)| (n.as_str(), *reason)).collect();
    check_page("operation_gradients.rs", head, &Vec::from_iter(names), &left_out);
}

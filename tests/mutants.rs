//! Honest files, each changed in one place by `tests/keras/mutants.py`: what Keras loads must load and
//! predict the same here, and what Keras refuses must be refused. Where we differ on purpose, a list says
//! why.
//!
//! Runs where `KERAUNOS_PYTHON` has Keras; `KERAUNOS_ROUNDS` and `KERAUNOS_SEED` make longer and other
//! runs, `KERAUNOS_MUTANTS` names a folder of mutants made before.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use keraunos::saving::npz::read_npz;
use keraunos::{Device, Tensor, load_model};
use serde_json::Value as Json;

/// Mutants of a run; each takes Keras about a second.
const ROUNDS: &str = "8";

/// What is refused here though Keras loads it: part of our message, and the reason.
const STRICTER: &[(&str, &str)] = &[
    ("only stored (0) and deflated (8)", "no zip program packs a .keras file otherwise"),
    ("such as complex numbers", "Keras drops imaginary parts, and predicts other values"),
    ("holds fixed-length strings", "Keras reads numbers out of text"),
    (
        "unknown initializer",
        "Keras looks at no module of initializers, and takes records without config",
    ),
    ("expected a list of extents, null where unknown", "extents beyond what indices hold"),
    ("unknown registered object", "a registered name names a registered object"),
    ("a build_config that names no shape", "Keras builds graphs and sequences without it"),
    ("unknown quantization config", "Keras looks at it when a layer is quantized"),
    ("is a group, expected a variable", "Keras looks at no state of an optimizer of another size"),
    ("key 'input_axes' is", "Keras looks at it when a layer is built anew"),
];

/// What loads here though Keras refuses it: part of what was changed, part of Keras's message, and the
/// reason.
const MILDER: &[(&str, &str, &str)] = &[
    ("/build_config/", "", "layers of a graph are built by their inputs, which weights must fit"),
    ("/config/shape removed", "KeyError", "shapes come from the layer that gives the tensor"),
    ("distillation_losses", "not a KerasSaveable", "a class's name says what it is"),
    (
        "/compile_config/loss",
        "`reduction`",
        "losses are made when training starts, and refused then",
    ),
    ("/compile_config/optimizer/module", "", "records without a module are those of Keras 2"),
];

/// What Keras made of a file.
struct Mutant {
    path: PathBuf,
    what: String,
    /// Keras's error.
    error: Option<String>,
}

fn make(folder: &Path) -> Option<()> {
    let named = |key: &str, default: &str| std::env::var(key).unwrap_or_else(|_| default.into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keras/mutants.py");
    let mut command = Command::new(common::python()?);
    command.arg(script).arg(folder).env("KERAS_BACKEND", "jax");
    command.args(["--count", &named("KERAUNOS_ROUNDS", ROUNDS)]);
    command.args(["--first", &named("KERAUNOS_SEED", "0")]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

fn mutants(folder: &Path) -> Vec<Mutant> {
    let text = std::fs::read_to_string(folder.join("verdicts.json")).unwrap();
    let verdicts: Vec<Json> = serde_json::from_str(&text).unwrap();
    let mutant = |verdict: &Json| Mutant {
        path: folder.join(verdict["file"].as_str().unwrap()),
        what: format!(
            "{}: {}",
            verdict["base"].as_str().unwrap(),
            verdict["what"].as_str().unwrap()
        ),
        error: verdict["error"].as_str().map(str::to_owned),
    };
    verdicts.iter().map(mutant).collect()
}

/// The arrays `x0`, `x1`, ... of a file, where `letter` is "x".
fn numbered(arrays: &[(String, Tensor)], letter: char) -> Vec<Tensor> {
    let names = (0..).map(|i| format!("{letter}{i}"));
    names.map_while(|name| Some(arrays.iter().find(|(n, _)| *n == name)?.1.clone())).collect()
}

/// Whether two outputs are the same up to roundings, of half precision where a config may name it.
fn close(found: &Tensor, expected: &Tensor) -> bool {
    let largest =
        expected.iter_f64().filter(|x| x.is_finite()).fold(1e-2f64, |m, x| m.max(x.abs()));
    let rounding = if found.dtype().size() == 2 { 2e-2 } else { 1e-3 };
    let same = |(f, e): (f64, f64)| {
        f == e || (f.is_nan() && e.is_nan()) || (f - e).abs() <= rounding * largest
    };
    found.shape() == expected.shape() && found.iter_f64().zip(expected.iter_f64()).all(same)
}

/// What is wrong with how a mutant is taken here, if anything is.
fn difference(mutant: &Mutant) -> Option<String> {
    let arrays = read_npz(&mutant.path.with_extension("npz")).unwrap();
    let [inputs, expected] = ['x', 'y'].map(|letter| numbered(&arrays, letter));
    let run = || load_model(&mutant.path)?.call(&inputs, &Device::Host);
    match (catch_unwind(AssertUnwindSafe(run)), &mutant.error) {
        (Err(_), _) => Some("a panic".into()),
        (Ok(Err(_)), Some(_)) => None,
        (Ok(Err(error)), None) => {
            let text = error.to_string();
            let explained = STRICTER.iter().any(|(ours, _)| text.contains(ours));
            (!explained).then(|| format!("Keras loads it, here: {text}"))
        }
        (Ok(Ok(_)), Some(error)) => {
            let explains = |(what, keras, _): &(&str, &str, &str)| {
                mutant.what.contains(what) && error.contains(keras)
            };
            let explained = MILDER.iter().any(explains);
            (!explained).then(|| format!("Keras refuses it: {error}"))
        }
        (Ok(Ok(found)), None) => {
            let same = found.len() == expected.len()
                && found.iter().zip(&expected).all(|(f, e)| close(f, e));
            // Text is not recorded.
            (!same && !expected.is_empty()).then(|| "other outputs than Keras's".into())
        }
    }
}

#[test]
fn mutants_are_judged_as_by_keras() {
    let made = tempfile::tempdir().unwrap();
    let folder = match std::env::var_os("KERAUNOS_MUTANTS") {
        Some(folder) => folder.into(),
        None => match make(made.path()) {
            Some(()) => made.path().to_owned(),
            None => return,
        },
    };
    let mutants = mutants(&folder);
    let accepted = mutants.iter().filter(|mutant| mutant.error.is_none()).count();
    println!("{} mutants, of which Keras takes {accepted}", mutants.len());
    let wrong: Vec<String> = mutants
        .iter()
        .filter_map(|mutant| Some((mutant, difference(mutant)?)))
        .map(|(mutant, what)| format!("{} {}\n  {what}", mutant.path.display(), mutant.what))
        .collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(accepted > 0 && accepted < mutants.len(), "all {} were judged alike", mutants.len());
}

//! `keraunos conformance` on an archive of cases made here.
#![cfg(feature = "cli")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use keraunos::Tensor;
use keraunos::saving::npz::write_npz;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

/// One call of ReLU on `[-1, 2]`, recorded to give `output`.
fn case(id: &str, output: &str) -> Value {
    let array = |key: &str| json!({"dtype": "float32", "shape": [2], "npz_key": key});
    json!({
        "id": id, "area": "activations", "class": "relu", "file": "relu", "kind": "function",
        "args": [{"$array": "in_0"}], "kwargs": {}, "out": {"$array": "out_0"},
        "arrays": {"in_0": array("x"), "out_0": array(output)},
        "tolerance": {"rtol": 1e-4, "atol": 1e-4},
    })
}

/// Writes `activations.zip`: a right case, a wrong one, and one of an unknown function.
fn write_cases(folder: &Path) {
    let tensor = |x: [f32; 2]| Tensor::new([2], &x).unwrap();
    let arrays = [("x", [-1.0, 2.0]), ("right", [0.0, 2.0]), ("wrong", [0.0, 2.5])];
    let arrays = arrays.map(|(name, x)| (name.to_owned(), tensor(x)));
    let mut unknown = case("relu-3", "right");
    unknown["class"] = "unheard_of".into();
    let cases = json!([case("relu-1", "right"), case("relu-2", "wrong"), unknown]);
    write_archive(&folder.join("activations.zip"), "relu", &cases, &arrays);
}

fn write_archive(path: &Path, class: &str, cases: &Value, arrays: &[(String, Tensor)]) {
    let npz = path.with_extension("npz");
    write_npz(&npz, arrays).unwrap();
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in [
        ("manifest.json".to_owned(), cases.to_string().into_bytes()),
        (format!("{class}.json"), cases.to_string().into_bytes()),
        (format!("{class}.npz"), fs::read(&npz).unwrap()),
    ] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keraunos"));
    command.arg("conformance").arg(folder).args(["--device", "host"]).args(arguments);
    command.output().unwrap()
}

#[test]
fn every_case_gets_a_verdict() {
    let folder = tempfile::tempdir().unwrap();
    write_cases(folder.path());
    let report = folder.path().join("report.json");
    let output = run(folder.path(), &["--json", report.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().last(), Some("1 passed, 2 failed"), "{text}");
    assert!(text.contains("failed relu-2 (relu): output 0: 1 of 2 elements"), "{text}");
    assert!(text.contains("unsupported relu-3 (unheard_of): not supported"), "{text}");
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(report["schema"], 1);
    let sums = ["passed", "failed", "unsupported"].map(|key| report[key].as_u64());
    assert_eq!(sums, [Some(1); 3]);
    let verdicts: Vec<_> = (0..3).map(|i| report["cases"][i]["verdict"].as_str()).collect();
    assert_eq!(verdicts, [Some("passed"), Some("failed"), Some("unsupported")]);
    assert_eq!(report["cases"][1]["max_abs"], 0.5);
}

#[test]
fn cases_can_be_picked() {
    let folder = tempfile::tempdir().unwrap();
    write_cases(folder.path());
    let output = run(folder.path(), &["--area", "activations", "--case", "relu-1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().last(), Some("1 passed, 0 failed"), "{text}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_folder_without_cases_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&[][..], &["--area", "ops"]] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(".zip"), "{text}");
    }
}

/// Recorded nowhere in Keras's tests: counts of rows, and rows that cannot be put together.
#[test]
fn rows_are_counted_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let array = |key: &str, dtype: &str, shape: [usize; 2]| json!({"dtype": dtype, "shape": shape, "npz_key": key});
    let case = |id: &str, x: &str, kwargs: Value, out: &str, columns: usize| {
        json!({
            "id": id, "area": "ops", "class": "bincount", "file": "bincount", "kind": "function",
            "args": [{"$array": "in_0"}], "kwargs": kwargs, "out": {"$array": "out_0"},
            "arrays": {
                "in_0": array(x, "int32", [2, 3]),
                "in_1": array("weights", "float32", [2, 3]),
                "out_0": array(out, if out == "sums" { "float32" } else { "int32" }, [2, columns]),
            },
            "tolerance": {"rtol": 0.0, "atol": 0.0},
        })
    };
    let weighted = json!({"weights": {"$array": "in_1"}});
    let cases = json!([
        case("bincount-1", "even", json!({}), "counts", 4),
        case("bincount-2", "even", weighted, "sums", 4),
        case("bincount-3", "uneven", json!({"minlength": 5}), "longer", 5),
        case("bincount-4", "uneven", json!({}), "counts", 4),
    ]);
    let int = |columns: usize, x: &[i32]| Tensor::new([2, columns], x).unwrap();
    let float = |columns: usize, x: &[f32]| Tensor::new([2, columns], x).unwrap();
    let arrays = [
        ("even", int(3, &[1, 2, 3, 3, 0, 3])),
        ("uneven", int(3, &[1, 1, -7, 3, 0, 3])),
        ("weights", float(3, &[0.5, 1.0, 2.0, 3.0, 4.0, 5.0])),
        ("counts", int(4, &[0, 1, 1, 1, 1, 0, 0, 2])),
        ("sums", float(4, &[0.0, 0.5, 1.0, 2.0, 4.0, 0.0, 0.0, 8.0])),
        ("longer", int(5, &[1, 2, 0, 0, 0, 1, 0, 0, 2, 0])),
    ];
    let arrays = arrays.map(|(name, tensor)| (name.to_owned(), tensor));
    write_archive(&folder.path().join("ops.zip"), "bincount", &cases, &arrays);
    let text = String::from_utf8(run(folder.path(), &[]).stdout).unwrap();
    assert!(text.contains("failed bincount-4") && text.contains("minlength"), "{text}");
    assert_eq!(text.lines().last(), Some("3 passed, 1 failed"), "{text}");
}

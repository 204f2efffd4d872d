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
    let npz = folder.join("relu.npz");
    write_npz(&npz, &arrays).unwrap();
    let mut unknown = case("relu-3", "right");
    unknown["class"] = "unheard_of".into();
    let cases = json!([case("relu-1", "right"), case("relu-2", "wrong"), unknown]);
    let file = fs::File::create(folder.join("activations.zip")).unwrap();
    let mut zip = zip::ZipWriter::new(file);
    for (name, bytes) in [
        ("manifest.json", cases.to_string().into_bytes()),
        ("relu.json", cases.to_string().into_bytes()),
        ("relu.npz", fs::read(&npz).unwrap()),
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

//! Cross-checks with real Keras, the judge of every file that we write.
//!
//! `KERAUNOS_PYTHON` names a Python with Keras; `make test` makes one. Without it each test says in
//! one line that it was skipped. The models are those of `tests/models`, and the applications that
//! `make test` records into `target/keras`.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A model recorded by Keras: `NAME.keras`, and `NAME.npz` with inputs and outputs.
struct Recorded {
    name: String,
    model: PathBuf,
    arrays: PathBuf,
}

#[test]
fn the_judge_notices_differences() {
    let Some(python) = python() else { return };
    let mut tests = Command::new(python);
    tests.args(["-m", "unittest", "--quiet", "test_judge"]).current_dir(scripts());
    succeed(&mut tests);
}

#[test]
fn keras_finds_converted_models_the_same() {
    converted_models_are_the_same("small", &recorded(&root().join("tests/models")));
}

#[test]
fn keras_finds_converted_applications_the_same() {
    converted_models_are_the_same("applications", &applications());
}

#[test]
fn converted_weights_files_are_equal_object_by_object() {
    let models = recorded(&root().join("tests/models"));
    let copies = convert("weights", &models);
    judge("h5", models.iter().zip(&copies).map(|(model, copy)| [&model.model, copy]));
}

#[test]
fn predictions_of_small_models_on_the_host_are_keras_s() {
    predictions_are_close("small", "host", &recorded(&root().join("tests/models")));
}

#[test]
fn predictions_of_applications_on_the_host_are_keras_s() {
    predictions_are_close("applications", "host", &applications());
}

#[test]
fn predictions_of_small_models_on_the_software_adapter_are_keras_s() {
    if has_software_adapter() {
        predictions_are_close("small", "software", &recorded(&root().join("tests/models")));
    }
}

#[test]
fn predictions_of_applications_on_the_software_adapter_are_keras_s() {
    if has_software_adapter() {
        predictions_are_close("applications", "software", &applications());
    }
}

/// Keras loads what we saved: equal config, weights, optimizer, and its own predictions exactly.
fn converted_models_are_the_same(folder: &str, models: &[Recorded]) {
    let copies = convert(folder, models);
    let pairs = models.iter().zip(&copies);
    judge("same", pairs.map(|(model, copy)| [&model.model, copy, &model.arrays]));
}

/// Our outputs for the recorded inputs are within the judge's tolerance of the recorded outputs.
fn predictions_are_close(folder: &str, device: &str, models: &[Recorded]) {
    let folder = fresh_folder(&format!("{folder}_{device}"));
    let predict = |model: &Recorded| {
        let output = folder.join(format!("{}.npz", model.name));
        let mut command = keraunos();
        command.arg("predict").arg(&model.model).arg("--positional");
        command.arg("--inputs").arg(&model.arrays).arg("--output").arg(&output);
        succeed(command.args(["--device", device]));
        output
    };
    let outputs: Vec<PathBuf> = models.iter().map(predict).collect();
    judge("outputs", models.iter().zip(&outputs).map(|(model, ours)| [&model.arrays, ours]));
}

/// Loads and saves each model; the copies, in the same order.
fn convert(folder: &str, models: &[Recorded]) -> Vec<PathBuf> {
    let folder = fresh_folder(folder);
    let convert = |model: &Recorded| {
        let copy = folder.join(format!("{}.keras", model.name));
        succeed(keraunos().arg("convert").arg(&model.model).arg(&copy));
        copy
    };
    models.iter().map(convert).collect()
}

/// Runs one command of `tests/keras/judge.py` over groups of files; its differences fail the test.
fn judge<'a, const N: usize>(command: &str, groups: impl Iterator<Item = [&'a PathBuf; N]>) {
    let Some(python) = python() else { return };
    let files: Vec<&PathBuf> = groups.flatten().collect();
    if !files.is_empty() {
        succeed(Command::new(python).arg(scripts().join("judge.py")).arg(command).args(files));
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scripts() -> PathBuf {
    root().join("tests/keras")
}

fn keraunos() -> Command {
    Command::new(env!("CARGO_BIN_EXE_keraunos"))
}

/// The Python with Keras, if there is one.
fn python() -> Option<PathBuf> {
    match env::var_os("KERAUNOS_PYTHON") {
        Some(python) if !python.is_empty() && python != "none" => Some(python.into()),
        _ => {
            say("skipped: no judgement by real Keras, KERAUNOS_PYTHON names no Python");
            None
        }
    }
}

fn applications() -> Vec<Recorded> {
    let models = recorded(&root().join("target/keras"));
    let models: Vec<Recorded> = models.into_iter().filter(|model| model.name != "big").collect();
    if models.is_empty() {
        say("skipped: no applications recorded in target/keras, `make test` records them");
    }
    models
}

/// Whether Vulkan finds a software adapter; says so where there is none.
fn has_software_adapter() -> bool {
    let output = keraunos().arg("adapters").output().expect("keraunos starts");
    let found = String::from_utf8_lossy(&output.stdout).contains("software");
    if !found {
        say("skipped: no software adapter, install mesa-vulkan-drivers");
    }
    found
}

/// The recorded models in a folder, by name; none when there is no such folder.
fn recorded(folder: &Path) -> Vec<Recorded> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let models = paths.filter(|path| path.extension() == Some(OsStr::new("keras")));
    let mut found: Vec<Recorded> = models.map(Recorded::new).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

impl Recorded {
    fn new(model: PathBuf) -> Recorded {
        let name = model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Recorded { name, arrays: model.with_extension("npz"), model }
    }
}

/// An empty folder for one test's files.
fn fresh_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crosscheck").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("a folder that can be removed");
    }
    fs::create_dir_all(&folder).expect("a folder that can be made");
    folder
}

/// Runs a command; what it printed is the report when it fails.
fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = [output.stdout, output.stderr].concat();
    let shown: Vec<_> = command.get_args().take(3).collect();
    assert!(
        output.status.success(),
        "{} {shown:?}: {}\n{}",
        command.get_program().display(),
        output.status,
        String::from_utf8_lossy(&printed)
    );
}

/// A line that the test runner does not capture.
fn say(line: &str) {
    writeln!(io::stderr(), "{line}").expect("standard error");
}

//! Files of nine versions of Keras: read, and written for each so that it loads them.
//!
//! `KERAUNOS_KERAS_VERSIONS` names a folder with one folder for each version, such as
//! `pip install --no-deps --target FOLDER/3.6.0 keras==3.6.0` makes; without it the second half is
//! left out. With `KERAUNOS_BLESS=1` the table of the manual is written anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keraunos::saving::npz::read_npz;
use keraunos::saving::{Archive, KerasVersion, Limits};
use keraunos::{Device, Model, PredictOptions, SaveOptions, Tensor, load_model};

const MODELS: [&str; 4] = ["sequential", "functional", "recurrent", "operations"];
const TOLERANCE: f64 = 1e-5;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/versions")
}

/// The versions that wrote the samples, the oldest first.
fn versions() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort_by_key(|name| name.parse::<KerasVersion>().unwrap());
    assert_eq!(names.len(), 9);
    names
}

fn recorded(model: &str, letter: char) -> Vec<Tensor> {
    let arrays = read_npz(&folder().join(format!("{model}.npz"))).unwrap();
    arrays.into_iter().filter(|(name, _)| name.starts_with(letter)).map(|(_, x)| x).collect()
}

fn is_right(model: &Model, name: &str) -> bool {
    let device = Device::open("host").unwrap();
    let inputs = recorded(name, 'x');
    let found = model.predict_with(&inputs, &mut PredictOptions::on(device)).unwrap();
    let expected = recorded(name, 'y');
    let close = |(a, b): (&Tensor, &Tensor)| {
        let numbers = |x: &Tensor| x.cast(keraunos::DType::Float64).to_vec::<f64>().unwrap();
        a.shape() == b.shape()
            && numbers(a).iter().zip(numbers(b)).all(|(a, b)| (a - b).abs() <= TOLERANCE)
    };
    found.len() == expected.len() && found.iter().zip(&expected).all(close)
}

/// The optimizer's variables of an archive, as bytes.
fn state(path: &Path) -> Vec<Vec<u8>> {
    let archive = Archive::open(path, &Limits::default()).unwrap();
    let group = archive.weights().unwrap().group("optimizer/vars").unwrap();
    let datasets = group.map(|group| group.datasets).unwrap_or_default();
    let bytes =
        |source: &dyn keraunos::base::Source| Tensor::from_source(source).unwrap().bytes().to_vec();
    datasets.iter().map(|(_, source)| bytes(source.as_ref())).collect()
}

#[test]
fn files_of_every_version_are_read() {
    let temporary = tempfile::tempdir().unwrap();
    let saved = temporary.path().join("saved.keras");
    for version in versions() {
        for name in MODELS {
            let at = |ending: &str| folder().join(&version).join(format!("{name}.{ending}"));
            let model = load_model(at("keras")).unwrap();
            assert!(is_right(&model, name), "{version}/{name}.keras");
            model.save(&saved).unwrap();
            assert_eq!(state(&saved), state(&at("keras")), "{version}/{name}: the optimizer");
            if !at("h5").exists() {
                continue;
            }
            assert!(is_right(&load_model(at("h5")).unwrap(), name), "{version}/{name}.h5");
            let mut other = load_model(at("keras")).unwrap();
            for (_, variable) in other.variables() {
                variable.assign(Tensor::zeros(variable.spec().clone())).unwrap();
            }
            assert!(!is_right(&other, name));
            other.load_weights(at("weights.h5")).unwrap();
            assert!(is_right(&other, name), "{version}/{name}.weights.h5");
        }
    }
}

fn judge(python: &Path, keras: &Path, files: &[(PathBuf, PathBuf)]) -> Vec<Option<String>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keras/judge_version.py");
    let mut command = Command::new(python);
    command.args(["-W", "ignore"]).arg(script).env("PYTHONPATH", keras);
    files.iter().for_each(|(model, recorded)| {
        command.args([model, recorded]);
    });
    let output = command.env("KERAS_BACKEND", "jax").output().expect("Python starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter_map(|line| line.strip_prefix("VERDICT"));
    let verdicts: Vec<Option<String>> =
        lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), files.len(), "{}", String::from_utf8_lossy(&output.stderr));
    verdicts
}

/// Saves every model for every version; the version itself and the newest one judge the files.
#[test]
fn every_version_loads_what_is_written_for_it() {
    let Some(installed) = std::env::var_os("KERAUNOS_KERAS_VERSIONS").map(PathBuf::from) else {
        println!("left out: KERAUNOS_KERAS_VERSIONS names no folder of Keras versions");
        return;
    };
    let python = PathBuf::from(std::env::var_os("KERAUNOS_PYTHON").expect("KERAUNOS_PYTHON"));
    let temporary = tempfile::tempdir().unwrap();
    let mut table = String::from(
        "//! | written for Keras | loaded by it, with equal predictions and state | and by 3.15.1 |\n\
         //! | --- | --- | --- |\n",
    );
    let newest = installed.join("3.15.1");
    for version in versions() {
        let files = MODELS.map(|name| write_for(&version, name, temporary.path()));
        let [own, new] = [&installed.join(&version), &newest].map(|keras| {
            let verdicts = judge(&python, keras, &files);
            let failed: Vec<&String> = verdicts.iter().flatten().collect();
            assert!(failed.is_empty(), "{version}, in {}: {failed:?}", keras.display());
            format!("{} models", verdicts.len())
        });
        writeln!(table, "//! | {version} | {own} | {new} |").unwrap();
    }
    check_manual(&table);
}

/// The file of a model for a version, and the recorded predictions.
fn write_for(version: &str, name: &str, folder_to: &Path) -> (PathBuf, PathBuf) {
    let model = load_model(folder().join(format!("3.15.1/{name}.keras"))).unwrap();
    let path = folder_to.join(format!("{name}-{version}.keras"));
    let keras_version = Some(version.parse().unwrap());
    let mut options = SaveOptions { keras_version, ..SaveOptions::default() };
    model.save_with(&path, &mut options).unwrap();
    (path, folder().join(format!("{name}.npz")))
}

fn check_manual(table: &str) {
    const START: &str = "//! <!-- versions:start -->\n";
    const END: &str = "//! <!-- versions:end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/formats.rs");
    let manual = fs::read_to_string(&path).unwrap();
    let start = manual.find(START).expect("the start mark") + START.len();
    let end = manual.find(END).expect("the end mark");
    if std::env::var_os("KERAUNOS_BLESS").is_some() {
        let new = format!("{}{table}{}", &manual[..start], &manual[end..]);
        fs::write(&path, new).unwrap();
        return;
    }
    assert_eq!(&manual[start..end], table, "the table is stale: run with KERAUNOS_BLESS=1");
}

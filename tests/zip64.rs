//! Archives whose sizes and offsets stand in 64-bit fields: forced ones of a small model, and a model of
//! 5 GiB, which needs them (`make zip64`).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use keraunos::base::{Result, Source, Spec};
use keraunos::layers::Dense;
use keraunos::saving::json::parse;
use keraunos::saving::{Archive, Contents, GroupPlan, Limits, WriteOptions, write_archive};
use keraunos::{LoadOptions, Sequential, Tensor, load_model, load_model_with};

/// Python's `zipfile` and h5py read the archive of the first argument; prints the extra fields, whether
/// all members are whole, and the last weights.
const READ: &str = "
import sys, zipfile, h5py
with zipfile.ZipFile(sys.argv[1]) as archive:
    print(archive.testzip(), all(info.extra[:2] == b'\\1\\0' for info in archive.infolist()))
    print(max(info.header_offset for info in archive.infolist()))
    with archive.open('model.weights.h5') as weights, h5py.File(weights) as file:
        print(*file[sys.argv[2]][:4])
";

fn python() -> Option<PathBuf> {
    let python = env::var_os("KERAUNOS_PYTHON").filter(|python| python != "none");
    if python.is_none() {
        eprintln!("skipped: KERAUNOS_PYTHON does not name a Python with Keras");
    }
    python.map(PathBuf::from)
}

fn output(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let (out, err) = (&done.stdout, String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{}{err}", String::from_utf8_lossy(out));
    String::from_utf8_lossy(out).into_owned()
}

fn read_in_python(python: &Path, path: &Path, dataset: &str) -> Vec<String> {
    let mut command = Command::new(python);
    let text = output(command.args(["-c", READ]).arg(path).arg(dataset));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn keras_and_python_read_forced_64_bit_fields() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let original = root.join("tests/models/mlp_compiled.keras");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.keras");
    let archive = Archive::open(&original, &Limits::default()).unwrap();
    let weights = archive.weights().unwrap();
    let plan = |path: String| {
        let group = weights.group(&path).unwrap().unwrap();
        GroupPlan { path, name: group.name, datasets: group.datasets }
    };
    let contents = Contents {
        metadata: archive.metadata().unwrap().unwrap(),
        config: archive.config().unwrap(),
        groups: weights.groups().into_iter().map(plan).collect(),
        assets: Vec::new(),
    };
    let options = WriteOptions { zip64: true, ..WriteOptions::default() };
    write_archive(&copy, &contents, &options, &mut |_, _| {}).unwrap();
    let bytes = fs::read(&copy).unwrap();
    for record in [b"PK\x06\x06", b"PK\x06\x07"] {
        assert!(bytes.windows(4).any(|found| found == record), "{record:?} is missing");
    }
    let of = |path: &Path| load_model(path).unwrap();
    let pairs = of(&original).variables().into_iter().zip(of(&copy).variables());
    for ((name, a), (_, b)) in pairs {
        assert_eq!(a.value().unwrap(), b.value().unwrap(), "{name}");
    }
    let Some(python) = python() else { return };
    let lines = read_in_python(&python, &copy, "layers/dense/vars/1");
    assert_eq!(lines[0], "None True");
    let mut judge = Command::new(&python);
    judge.arg("judge.py").arg("same").args([&original, &copy]);
    judge.arg(original.with_extension("npz")).current_dir(root.join("tests/keras"));
    output(judge.env("KERAS_BACKEND", "jax"));
}

/// Any number of zeros, which cost no time.
struct Zeros(Spec);

impl Source for Zeros {
    fn spec(&self) -> &Spec {
        &self.0
    }
    fn read(&self, _offset: usize, buf: &mut [u8]) -> Result<()> {
        buf.fill(0);
        Ok(())
    }
}

#[test]
#[ignore = "writes 5 GiB and takes a minute: make zip64"]
fn a_model_of_5_gib_is_written_and_read() {
    const GIB: u64 = 1 << 30;
    const UNITS: usize = 16_384;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.keras");
    // The last layer, behind all the large ones, has values.
    let wide = || Dense::new(UNITS).use_bias(false);
    let layers = (0..5).fold(Sequential::new([UNITS]), |model, _| model.add(wide()));
    let model = layers.add(Dense::new(4)).build().unwrap();
    let variables = model.variables();
    let bias = variables.iter().find(|(name, _)| name == "layers/dense_5/vars/1").unwrap();
    let values = Tensor::new([4], &[1f32, -2.0, 3.0, 0.25]).unwrap();
    bias.1.assign(values.clone()).unwrap();
    let plan = |(path, variable): &(String, keraunos::tensor::Variable)| {
        let (group, key) = path.rsplit_once('/').unwrap();
        let source = match variable.spec().bytes() as u64 {
            GIB => Arc::new(Zeros(variable.spec().clone())),
            _ => variable.source(),
        };
        (group.to_owned(), (key.to_owned(), source))
    };
    let mut groups: Vec<GroupPlan> = Vec::new();
    for (path, dataset) in variables.iter().map(plan) {
        match groups.last_mut().filter(|group| group.path == path) {
            Some(group) => group.datasets.push(dataset),
            None => groups.push(GroupPlan { path, name: None, datasets: vec![dataset] }),
        }
    }
    let metadata = parse(br#"{"keras_version": "3.15.1"}"#, "metadata", &Limits::default());
    let contents = Contents {
        metadata: metadata.unwrap(),
        config: model.config().clone(),
        groups,
        // Comes behind the weights: a member whose offset takes 64 bits.
        assets: vec![("behind.txt".into(), b"behind 4 GiB".to_vec())],
    };
    write_archive(&path, &contents, &WriteOptions::default(), &mut |_, _| {}).unwrap();
    assert!(path.metadata().unwrap().len() > 5 * GIB);

    let archive = Archive::open(&path, &Limits::default()).unwrap();
    assert_eq!(archive.asset("behind.txt").unwrap(), b"behind 4 GiB");
    let is_large = |m: &keraunos::saving::Member| m.bytes > 5 * GIB && m.compressed == m.bytes;
    assert!(archive.members().iter().any(is_large));
    for lazy in [false, true] {
        let options = LoadOptions { lazy, ..LoadOptions::default() };
        let loaded = load_model_with(&path, &options).unwrap();
        let found = loaded.variables();
        let (_, bias) = found.iter().find(|(name, _)| *name == "layers/dense_5/vars/1").unwrap();
        assert_eq!(bias.value().unwrap(), values);
    }
    let Some(python) = python() else { return };
    let lines = read_in_python(&python, &path, "layers/dense_5/vars/1");
    assert!(lines[0].starts_with("None"), "{lines:?}");
    assert!(lines[1].parse::<u64>().unwrap() > 5 * GIB, "{lines:?}");
    assert_eq!(lines[2], "1.0 -2.0 3.0 0.25");
}

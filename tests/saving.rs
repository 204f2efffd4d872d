//! What is written is read back, by us and by h5py.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use keraunos::base::{DType, Source, Spec};
use keraunos::saving::h5::{H5File, H5Writer};
use keraunos::saving::json::{Json, parse};
use keraunos::saving::{
    Archive, Contents, GroupPlan, Limits, Method, Replace, Store, WriteOptions, write_archive,
};
use keraunos::tensor::Tensor;

fn json(text: &str) -> Json {
    parse(text.as_bytes(), "test", &Limits::default()).unwrap()
}

/// A tensor of small distinct numbers that every dtype holds.
fn tensor(shape: &[usize], dtype: DType) -> Tensor {
    let len = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..len).map(|i| (i % 100) as f32).collect();
    Tensor::new(shape, &values).unwrap().cast(dtype)
}

fn plan(path: &str, name: Option<&str>, tensors: Vec<Tensor>) -> GroupPlan {
    let source = |t: Tensor| Arc::new(t) as Arc<dyn Source>;
    let datasets =
        tensors.into_iter().enumerate().map(|(i, t)| (i.to_string(), source(t))).collect();
    GroupPlan { path: path.into(), name: name.map(str::to_string), datasets }
}

/// Groups with every dtype, every odd shape, and more members than one tree node holds.
fn plans() -> Vec<GroupPlan> {
    let mut plans = vec![
        plan("vars", Some("model"), vec![]),
        plan("layers/all/vars", Some("all é"), all_dtypes()),
        plan("layers/dropout/vars", Some(""), vec![]),
        plan("optimizer/vars", None, vec![tensor(&[], DType::Int32)]),
    ];
    let many = (0..1_500).map(|_| tensor(&[2], DType::Float32)).collect();
    plans.push(plan("layers/many/vars", Some("many"), many));
    for i in 0..600 {
        plans.push(plan(&format!("layers/dense_{i}/vars"), Some("dense"), vec![]));
    }
    plans
}

fn all_dtypes() -> Vec<Tensor> {
    let shapes: [&[usize]; 4] = [&[3, 5], &[], &[0, 3], &[7]];
    let of = |dtype| shapes.iter().map(move |shape| tensor(shape, dtype));
    DType::ALL.into_iter().flat_map(of).collect()
}

fn contents() -> Contents {
    Contents {
        metadata: json(r#"{"keras_version": "3.15.1", "date_saved": "2026-01-02@03:04:05"}"#),
        config: json(r#"{"module": "keras", "class_name": "Sequential", "config": {"x": NaN}}"#),
        groups: plans(),
        assets: vec![("layers/string_lookup/vocabulary.txt".into(), b"\na\nb".to_vec())],
    }
}

fn assert_equal(store: &dyn Store, plans: &[GroupPlan]) {
    for plan in plans {
        let group = store.group(&plan.path).unwrap().unwrap();
        assert_eq!(group.name, plan.name, "{}", plan.path);
        assert_eq!(group.datasets.len(), plan.datasets.len(), "{}", plan.path);
        for ((key, found), (expected_key, expected)) in group.datasets.iter().zip(&plan.datasets) {
            assert_eq!(key, expected_key);
            let read = |source: &dyn Source| Tensor::from_source(source).unwrap();
            assert_eq!(read(found.as_ref()), read(expected.as_ref()), "{}/{key}", plan.path);
        }
    }
}

#[test]
fn archives_survive_writing_and_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    let contents = contents();
    let mut last = (0, 1);
    write_archive(&path, &contents, &WriteOptions::default(), &mut |done, total| {
        assert!(done >= last.0);
        last = (done, total);
    })
    .unwrap();
    assert_eq!(last.0, last.1);
    let archive = Archive::open(&path, &Limits::default()).unwrap();
    let names: Vec<&str> = archive.members().iter().map(|m| m.name.as_str()).collect();
    let asset = "assets/layers/string_lookup/vocabulary.txt";
    assert_eq!(names, ["metadata.json", "config.json", "model.weights.h5", asset]);
    assert!(archive.members().iter().all(|m| m.method == Method::Stored));
    assert_eq!(archive.config().unwrap(), contents.config);
    assert_eq!(archive.metadata().unwrap(), Some(contents.metadata));
    assert_eq!(archive.asset("layers/string_lookup/vocabulary.txt").unwrap(), b"\na\nb");
    let store = archive.weights().unwrap();
    assert_equal(store.as_ref(), &contents.groups);
    assert_eq!(store.groups().len(), contents.groups.len());
}

#[test]
fn equal_contents_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let path = folder.path().join(name);
        write_archive(&path, &contents(), &WriteOptions::default(), &mut |_, _| {}).unwrap();
        std::fs::read(path).unwrap()
    };
    assert!(write("a.keras") == write("b.keras"));
}

#[test]
fn folders_survive_writing_and_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/model");
    let contents = contents();
    let options = WriteOptions {
        replace: Replace { overwrite: false, ..Replace::default() },
        zipped: false,
        ..WriteOptions::default()
    };
    write_archive(&path, &contents, &options, &mut |_, _| {}).unwrap();
    let archive = Archive::open(&path, &Limits::default()).unwrap();
    assert_eq!(archive.config().unwrap(), contents.config);
    assert_eq!(archive.assets(), ["layers/string_lookup/vocabulary.txt"]);
    assert_equal(archive.weights().unwrap().as_ref(), &contents.groups);
    let again = write_archive(&path, &contents, &options, &mut |_, _| {});
    assert!(again.unwrap_err().to_string().contains("overwriting"));
}

/// A source that fails in the middle, like a device that went away.
struct Broken(Spec);

impl Source for Broken {
    fn spec(&self) -> &Spec {
        &self.0
    }
    fn read(&self, _offset: usize, _buf: &mut [u8]) -> keraunos::base::Result<()> {
        Err(keraunos::base::Error::DeviceLost("unplugged".into()))
    }
}

#[test]
fn a_failed_save_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    let write = |contents: &Contents| {
        write_archive(&path, contents, &WriteOptions::default(), &mut |_, _| {})
    };
    write(&contents()).unwrap();
    let old = std::fs::read(&path).unwrap();
    let mut broken = contents();
    let source = Arc::new(Broken(Spec::new([4], DType::Float32)));
    broken.groups.last_mut().unwrap().datasets.push(("0".into(), source));
    let message = write(&broken).unwrap_err().to_string();
    assert!(message.contains("unplugged"), "{message}");
    let mut twice = contents();
    twice.assets.push(twice.assets[0].clone());
    assert!(write(&twice).is_err());
    assert!(std::fs::read(&path).unwrap() == old);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn plans_that_cannot_be_written_are_refused() {
    let one = || vec![tensor(&[1], DType::Float32)];
    for plans in [
        vec![plan("a/vars", None, one()), plan("a/vars", None, one())],
        vec![plan("a", None, one()), plan("a/0/vars", None, vec![])],
        vec![plan("a//b", None, vec![])],
        vec![plan("a\0", None, vec![])],
        vec![plan("a", None, vec![tensor(&[1; 33], DType::Float32)])],
    ] {
        assert!(H5Writer::new(&plans).is_err(), "{}", plans[0].path);
    }
}

#[test]
fn a_weights_file_is_as_long_as_it_says() {
    let writer = H5Writer::new(&plans()).unwrap();
    let mut bytes = Vec::new();
    writer.write_to(&mut bytes, &mut |_| {}).unwrap();
    assert_eq!(bytes.len() as u64, writer.len());
    let file = H5File::open(Arc::new(bytes), "test", &Limits::default()).unwrap();
    assert_equal(&file, &plans());
}

/// Numbers without a pattern, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn damaged_weights_give_errors_not_panics() {
    let plans = vec![
        plan("vars", Some("model"), vec![tensor(&[2], DType::Bool)]),
        plan("layers/dense/vars", Some("dense"), vec![tensor(&[3, 5], DType::Float32); 20]),
        plan("layers/other/vars", None, vec![tensor(&[4], DType::BFloat16)]),
    ];
    let mut honest = Vec::new();
    H5Writer::new(&plans).unwrap().write_to(&mut honest, &mut |_| {}).unwrap();
    let mut random = Random(1);
    for _round in 0..3_000 {
        let mut bytes = honest.clone();
        for _change in 0..=random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff, random.below(256) as u8][random.below(6)];
        }
        let Ok(file) = H5File::open(Arc::new(bytes), "test", &Limits::default()) else { continue };
        file.groups();
        for plan in &plans {
            let Ok(Some(group)) = file.group(&plan.path) else { continue };
            for (_, source) in group.datasets {
                // Honest tensors are tiny; whoever loads compares shapes before reading.
                if source.spec().bytes() < 1 << 20 {
                    let _read_or_refused = Tensor::from_source(source.as_ref());
                }
            }
        }
    }
}

/// Prints every group and dataset that h5py finds, with attributes, dtype, shape and bytes.
const LIST: &str = r#"
import io, sys, zipfile, h5py
bytes = zipfile.ZipFile(sys.argv[1]).read("model.weights.h5")
with h5py.File(io.BytesIO(bytes), "r") as file:
    def show(path, item):
        attributes = {key: item.attrs[key] for key in sorted(item.attrs)}
        if isinstance(item, h5py.Dataset):
            print(path, attributes, item.dtype, item.shape, item[()].tobytes().hex(), sep="\t")
        else:
            print(path, attributes, len(item), sep="\t")
    file.visititems(show)
"#;

#[test]
fn h5py_reads_what_is_written() {
    let python = std::env::var("KERAUNOS_PYTHON")
        .expect("KERAUNOS_PYTHON names no Python with h5py; `make test` installs one and sets it");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    write_archive(&path, &contents(), &WriteOptions::default(), &mut |_, _| {}).unwrap();
    let listing = run(&python, &path);
    let mut expected = 0;
    for plan in plans() {
        let attributes = plan.name.map_or("{}".into(), |name| format!("{{'name': '{name}'}}"));
        let group = format!("{}\t{attributes}\t{}", plan.path, plan.datasets.len());
        assert!(listing.contains(&group), "{group}");
        for (key, source) in &plan.datasets {
            let line = format!("{}/{key}\t{}", plan.path, describe(source.as_ref()));
            assert!(listing.contains(&line), "{line}");
            expected += 1;
        }
    }
    assert_eq!(listing.iter().filter(|line| line.matches('\t').count() == 4).count(), expected);
}

fn run(python: &str, path: &Path) -> std::collections::HashSet<String> {
    let output = Command::new(python).arg("-c").arg(LIST).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_string).collect()
}

fn describe(source: &dyn Source) -> String {
    let (shape, dtype) = (&source.spec().shape, source.spec().dtype);
    let bfloat16 = dtype == DType::BFloat16;
    let attributes = if bfloat16 { "{'dtype': 'bfloat16'}" } else { "{}" };
    let dtype = if bfloat16 { "|V2" } else { dtype.name() };
    let tensor = Tensor::from_source(source).unwrap();
    let hex: String = tensor.bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("{attributes}\t{dtype}\t{shape}\t{hex}")
}

//! Hostile and odd files: the archive, the JSON and the weights of every case are read in full.
//!
//! Cases whose damage lies above these layers, in the meaning of the configuration, are the model
//! loader's to refuse.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keraunos::base::stream::{self, Sink};
use keraunos::base::{Error, Result, Shape};
use keraunos::saving::json::{Json, parse};
use keraunos::saving::{Archive, Group, LegacyFile, Limits, Store};

const FAMILIES: [&str; 5] = ["zip-", "not-zip", "h5-", "json-", "legacy"];
const TIME: Duration = Duration::from_secs(2);

/// Cases that shall be refused, but not by these layers, and who refuses them.
const LATER: [(&str, &str); 7] = [
    ("json-syntax-", "the text is JSON, but not a class record"),
    ("json-depth-", "the nesting of layers is bounded where layers are made"),
    ("json-graph-", "the graph is checked when the model is made"),
    ("json-number-", "arguments are checked when layers are made"),
    ("json-shape-", "shapes are checked when the model is made"),
    ("json-struct-", "class records are checked when the model is made"),
    ("legacy-", "sizes and order of weights are checked when they are loaded"),
];

/// Cases that shall be read, but are refused, and why.
const NOT_READ: [(&str, &str); 1] = [(
    "h5-odd-latest-btree2",
    "hdf5-pure reads no version 2 B-trees of chunks, which HDF5 writes for \
     datasets that can grow along two axes, in its newest format only; Keras never does",
)];

struct Case {
    id: String,
    file: String,
    verdict: String,
    base: String,
}

fn cases(manifest: &Json) -> Vec<Case> {
    let text = |case: &Json, key: &str| case[key].as_str().unwrap().to_string();
    let cases = manifest["cases"].as_array().unwrap_or_else(|| manifest.as_array().unwrap());
    let cases = cases.iter().map(|case| Case {
        id: text(case, "id"),
        file: text(case, "file"),
        verdict: text(case, "verdict"),
        base: case["base"].as_str().unwrap_or_default().to_string(),
    });
    cases.filter(|case| FAMILIES.iter().any(|family| case.id.starts_with(family))).collect()
}

/// Takes bytes and forgets them.
struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Groups of variables: paths, keys and shapes.
type Expected = Vec<(String, Vec<(String, Shape)>)>;

fn shapes(group: &Group) -> Vec<(String, Shape)> {
    group.datasets.iter().map(|(key, source)| (key.clone(), source.spec().shape.clone())).collect()
}

/// Reads all variables of a model, refusing what does not fit it as loading would.
fn read_store(store: &dyn Store, expected: &Expected) -> Result<usize> {
    let mut count = 0;
    for (path, keys) in expected {
        let group = store.group(path)?.unwrap_or(Group { name: None, datasets: vec![] });
        if shapes(&group) != *keys {
            return Err(Error::Weights(format!("'{path}' does not fit the model")));
        }
        for (_, source) in &group.datasets {
            stream::copy(source.as_ref(), &mut Nowhere)?;
            count += 1;
        }
    }
    Ok(count)
}

fn read_case(bytes: Vec<u8>, expected: Option<&Expected>) -> Result<usize> {
    let limits = Limits::default();
    let Some(expected) = expected else {
        return read_legacy(bytes, &limits);
    };
    let archive = Archive::from_source(Arc::new(bytes), &limits)?;
    archive.config()?;
    for asset in archive.assets() {
        archive.asset(asset)?;
    }
    let store = archive.weights()?;
    store.groups();
    read_store(store.as_ref(), expected)
}

/// Reads a file of the older whole-model format.
fn read_legacy(bytes: Vec<u8>, limits: &Limits) -> Result<usize> {
    let file = LegacyFile::from_source(Arc::new(bytes), limits)?;
    file.config()?;
    file.training_config()?;
    let mut count = 0;
    for (_, source) in file.layers()?.into_iter().flat_map(|layer| layer.weights) {
        stream::copy(source.as_ref(), &mut Nowhere)?;
        count += 1;
    }
    Ok(count)
}

/// What the honest model of a case holds.
fn expected(bytes: Vec<u8>) -> Expected {
    let archive = Archive::from_source(Arc::new(bytes), &Limits::default()).unwrap();
    let store = archive.weights().unwrap();
    let read = |path: String| {
        let keys = shapes(&store.group(&path).unwrap().unwrap());
        (path, keys)
    };
    store.groups().into_iter().map(read).collect()
}

fn hostile_zip() -> zip::ZipArchive<std::io::Cursor<Vec<u8>>> {
    let shared = std::env::var_os("KERAUNOS_SHARED").map_or("../shared".into(), PathBuf::from);
    let path = shared.join("hostile/hostile.zip");
    let bytes = std::fs::read(&path).unwrap_or_else(|e| {
        panic!("{}: {e}; KERAUNOS_SHARED names the folder that holds hostile/", path.display())
    });
    zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap()
}

#[test]
fn every_case_gets_its_verdict() {
    let mut zip = hostile_zip();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let limits = Limits { config_bytes: u64::MAX, ..Limits::default() };
    let manifest = parse(&read("manifest.json"), "manifest.json", &limits).unwrap();
    let mut wrong = Vec::new();
    let cases = cases(&manifest);
    assert!(cases.len() > 300, "{} cases", cases.len());
    let bases: HashSet<&String> = cases.iter().map(|case| &case.base).collect();
    let honest_file = |base: &String| format!("cases/zip-odd-plain-{base}.keras");
    let honest: HashMap<String, Expected> = bases
        .into_iter()
        .filter(|base| cases.iter().any(|case| case.file == honest_file(base)))
        .map(|base| (base.clone(), expected(read(&honest_file(base)))))
        .collect();
    for case in &cases {
        let bytes = read(&case.file);
        let honest = case.file.ends_with(".keras").then(|| honest.get(&case.base)).flatten();
        let start = Instant::now();
        let outcome = read_case(bytes, honest);
        let took = start.elapsed();
        let listed = |list: &[(&str, &str)]| list.iter().any(|(id, _)| case.id.starts_with(id));
        let right = match (case.verdict.as_str(), &outcome) {
            ("reject", Ok(_)) => listed(&LATER),
            ("accept-equal", Err(_)) => listed(&NOT_READ),
            _ => true,
        };
        let message = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let plain = message.len() < 1_000 && !message.contains(char::is_control);
        if !right || took > TIME || !plain {
            wrong.push(format!("{} ({}) {took:?}: {outcome:?}", case.id, case.verdict));
        }
        if std::env::var_os("KERAUNOS_VERBOSE").is_some() {
            println!("{} ({}) {took:?}: {outcome:?}", case.id, case.verdict);
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

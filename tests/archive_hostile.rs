//! Hostile and odd files: the archive, the JSON and the weights of every case are read in full.
//!
//! Cases whose damage lies above these layers, in the meaning of the configuration, are the model
//! loader's to refuse.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keraunos::base::stream::{self, Sink};
use keraunos::base::{Result, Source};
use keraunos::saving::h5::H5File;
use keraunos::saving::json::{Json, parse};
use keraunos::saving::{Archive, Limits, Store};

const FAMILIES: [&str; 5] = ["zip-", "not-zip", "h5-", "json-", "legacy"];
const TIME: Duration = Duration::from_secs(2);

/// Cases that these layers must read although they shall be refused, and who refuses them.
const LATER: [(&str, &str); 15] = [
    // No layer's variables fit what the weights hold.
    ("h5-struct-", "counts and shapes are compared when variables are loaded"),
    ("h5-link-", "links are not followed, so the variable is missing when it is loaded"),
    ("h5-patch-dims-zero", "the shape is compared when the variable is loaded"),
    ("h5-bomb-gzip-ratio", "the shape is compared when the variable is loaded"),
    ("h5-bomb-chunked-shape", "the shape is compared when the variable is loaded"),
    // The configuration is JSON, but not a model.
    ("json-syntax-", "the value is JSON, but not a class record"),
    ("json-depth-", "nesting of layers is bounded by the loader"),
    ("json-graph-", "the graph is checked when the model is built"),
    ("json-number-", "arguments are checked when layers are built"),
    ("json-shape-", "shapes are inferred when the model is built"),
    ("json-struct-", "class records are checked when the model is built"),
    // Older whole-model files are not `.keras` archives.
    ("legacy-", "the older format is read by another layer, if at all"),
    ("h5-cut-legacy", "the older format is read by another layer, if at all"),
    ("h5-flip-legacy", "the older format is read by another layer, if at all"),
    ("h5-super-", "the older format is read by another layer, if at all"),
];

struct Case {
    id: String,
    file: String,
    verdict: String,
}

fn cases(manifest: &Json) -> Vec<Case> {
    let text = |case: &Json, key: &str| case[key].as_str().unwrap().to_string();
    let cases = manifest["cases"].as_array().unwrap_or_else(|| manifest.as_array().unwrap());
    let cases = cases.iter().map(|case| Case {
        id: text(case, "id"),
        file: text(case, "file"),
        verdict: text(case, "verdict"),
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

fn read_store(store: &dyn Store) -> Result<usize> {
    let mut count = 0;
    for path in store.groups() {
        // A dataset that no layer uses may be anything, so groups outside the models are left.
        for (_, source) in store.group(&path)?.map(|g| g.datasets).unwrap_or_default() {
            stream::copy(source.as_ref() as &dyn Source, &mut Nowhere)?;
            count += 1;
        }
    }
    Ok(count)
}

fn read_case(bytes: Vec<u8>, is_keras: bool) -> Result<usize> {
    let limits = Limits::default();
    if !is_keras {
        return read_store(&H5File::open(Arc::new(bytes), "file", &limits)?);
    }
    let archive = Archive::from_source(Arc::new(bytes), &limits)?;
    archive.config()?;
    for asset in archive.assets() {
        archive.asset(asset)?;
    }
    read_store(archive.weights()?.as_ref())
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
    for case in &cases {
        let bytes = read(&case.file);
        let start = Instant::now();
        let outcome = read_case(bytes, case.file.ends_with(".keras"));
        let took = start.elapsed();
        let later = LATER.iter().any(|(prefix, _)| case.id.starts_with(prefix));
        let right = match (case.verdict.as_str(), &outcome) {
            ("reject", Ok(_)) => later,
            ("accept-equal", Err(_)) => false,
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

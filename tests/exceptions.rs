//! What is missing: every class of Keras's inventory is in a registry, and every recorded case passes, or
//! stands in a list with its reason.
//!
//! `tests/exceptions/classes.txt` and `cases.txt` hold a line `name: reason` each. A reason is one that a
//! maintainer of Keras would accept, or begins with "not done". What has come since is stale, and fails
//! the test until its line is gone; `KERAUNOS_BLESS=1` takes stale lines out.
#![cfg(feature = "cli")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use keraunos::constraints::CONSTRAINTS;
use keraunos::initializers;
use keraunos::layers::registry::LAYERS;
use keraunos::losses::LOSSES;
use keraunos::metrics::METRICS;
use keraunos::operations::{FUNCTIONS, OPERATIONS};
use keraunos::optimizers::registry::OPTIMIZERS;
use keraunos::optimizers::schedules::SCHEDULES;
use keraunos::regularizers::REGULARIZERS;
use serde_json::Value as Json;

/// A list of exceptions.
struct Exceptions {
    path: PathBuf,
    text: String,
}

impl Exceptions {
    fn read(file: &str) -> Exceptions {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exceptions").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        Exceptions { path, text }
    }

    /// Reasons by name.
    fn reasons(&self) -> BTreeMap<&str, &str> {
        let entry = |line| str::split_once(line, ": ").expect("a line `name: reason`");
        let reasons: BTreeMap<_, _> = self.text.lines().map(entry).collect();
        assert_eq!(reasons.len(), self.text.lines().count(), "a name stands here twice");
        assert!(reasons.values().all(|reason| reason.len() > 8), "a reason says why");
        reasons
    }

    /// Compares the list with what is missing indeed.
    fn check(&self, missing: &BTreeSet<String>) {
        let reasons = self.reasons();
        let unlisted: Vec<_> =
            missing.iter().filter(|name| !reasons.contains_key(name.as_str())).collect();
        let stale = |name: &str| !missing.contains(name);
        if std::env::var_os("KERAUNOS_BLESS").is_some() {
            let kept = self.text.lines().filter(|line| !stale(line.split(": ").next().unwrap()));
            let text: String = kept.flat_map(|line| [line, "\n"]).collect();
            std::fs::write(&self.path, text).unwrap();
        } else {
            let stale: Vec<_> = reasons.keys().filter(|name| stale(name)).collect();
            assert!(stale.is_empty(), "these are no exceptions any more: {stale:?}");
        }
        let path = self.path.display();
        assert!(unlisted.is_empty(), "without a reason in {path}: {unlisted:#?}");
        let open = reasons.values().filter(|reason| reason.starts_with("not done")).count();
        println!("{path}: {} exceptions, {open} of them not done", reasons.len());
    }
}

/// What the registries have, as `kind Name`.
fn registered() -> BTreeSet<String> {
    let named = |kind: &str, names: Vec<&str>| -> Vec<String> {
        names.into_iter().map(|name| format!("{kind} {name}")).collect()
    };
    let operations = OPERATIONS.iter().flat_map(|(_, table)| table.iter());
    let operations = operations.chain(FUNCTIONS).map(|def| def.class_name);
    [
        named("layer", LAYERS.iter().map(|def| def.class_name).collect()),
        named("operation", operations.collect()),
        named("loss", LOSSES.iter().map(|def| def.class_name).collect()),
        named("metric", METRICS.iter().map(|def| def.class_name).collect()),
        named("optimizer", OPTIMIZERS.iter().map(|def| def.class_name).collect()),
        named("schedule", SCHEDULES.iter().map(|def| def.class_name).collect()),
        named("regularizer", REGULARIZERS.iter().map(|def| def.class_name).collect()),
        named("constraint", CONSTRAINTS.iter().map(|def| def.class_name).collect()),
        named("initializer", initializers::class_names().collect()),
    ]
    .concat()
    .into_iter()
    .collect()
}

/// The inventory of Keras 3.15.1, as `kind Name`.
fn inventory() -> BTreeSet<String> {
    let classes: Json = serde_json::from_str(include_str!("keras/classes.json")).unwrap();
    let names: Json = serde_json::from_str(include_str!("keras/names.json")).unwrap();
    let mut all = BTreeSet::new();
    for kind in ["layer", "operation"] {
        for class in classes[kind].as_array().unwrap() {
            all.insert(format!("{kind} {}", class["class_name"].as_str().unwrap()));
        }
    }
    for (kind, list) in names.as_object().unwrap() {
        all.extend(
            list.as_array().unwrap().iter().map(|n| format!("{kind} {}", n.as_str().unwrap())),
        );
    }
    all
}

#[test]
fn every_class_is_registered_or_has_a_reason() {
    let missing = inventory().difference(&registered()).cloned().collect();
    Exceptions::read("classes.txt").check(&missing);
}

/// The cases that do not pass on a device, as `area/id`.
fn failing(device: &str) -> BTreeSet<String> {
    let shared = std::env::var_os("KERAUNOS_SHARED").map_or("../shared".into(), PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_keraunos"));
    command.arg("conformance").arg(shared.join("conformance"));
    command.args(["--device", device, "--json"]).arg(&report);
    let output = command.output().unwrap();
    let text = std::fs::read_to_string(&report).unwrap_or_else(|e| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("{e}; KERAUNOS_SHARED names the folder that holds conformance/: {said}")
    });
    let report: Json = serde_json::from_str(&text).unwrap();
    let cases = report["cases"].as_array().unwrap();
    assert!(!cases.is_empty(), "no cases in {}", shared.display());
    let failing = cases.iter().filter(|case| case["verdict"] != "passed");
    let name = |part: &Json| part.as_str().unwrap().to_owned();
    failing.map(|case| format!("{}/{}", name(&case["area"]), name(&case["id"]))).collect()
}

#[test]
fn every_recorded_case_passes_on_the_host_or_has_a_reason() {
    Exceptions::read("cases.txt").check(&failing("host"));
}

#[test]
fn every_recorded_case_passes_on_the_gpu_or_has_a_reason() {
    Exceptions::read("cases.txt").check(&failing("gpu"));
}

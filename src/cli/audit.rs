//! `keraunos inspect --audit`: what in a file is unusual, unsupported or dangerous.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::base::error::quote;
use crate::base::{DType, Result, Source, Spec};
use crate::cli::failure::Outcome;
use crate::cli::inspect_report::{Holds, Report};
use crate::cli::model_file::{Use, load_from};
use crate::cli::{loading, standard};
use crate::saving::{Json, Member, Method};
use crate::tensor::Tensor;

/// Members that Keras writes; others are ignored by all readers.
const MEMBERS: [&str; 3] = ["metadata.json", "config.json", "model.weights.h5"];
/// Classes that carry code, or load something from outside the file.
const CODE: [&str; 4] = ["Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer"];
/// Packages whose classes Keras loads without being asked.
const PACKAGES: [&str; 5] = ["keras", "keras_hub", "keras_cv", "keras_nlp", "builtins"];
/// Elements that are looked at in one piece.
const PIECE: usize = 1 << 20;

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    /// Legal, but not what Keras writes.
    Unusual,
    /// Not done by this version, or the file is damaged: it is not loaded.
    Refused,
    /// Names or holds code, or things outside the file. Never run, never opened.
    Dangerous,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Unusual => "unusual",
            Severity::Refused => "refused",
            Severity::Dangerous => "dangerous",
        }
    }
}

struct Finding {
    severity: Severity,
    /// A member, a place in the config, or a variable.
    place: String,
    what: String,
}

/// Looks at a file and prints what it found.
///
/// The exit code is 0 without findings, 3 if all are only unusual, 2 if the file is refused or
/// dangerous.
pub fn run(path: &Path, as_json: bool, out: &mut dyn Write) -> Outcome {
    let mut audit = Audit { findings: Vec::new() };
    audit.file(path)?;
    audit.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let worst = audit.findings.first().map(|finding| finding.severity);
    if as_json {
        writeln!(out, "{:#}", audit.to_json(path, worst))?;
    } else {
        audit.print(worst, out)?;
    }
    Ok(match worst {
        None => ExitCode::SUCCESS,
        Some(Severity::Unusual) => ExitCode::from(3),
        Some(_) => ExitCode::from(2),
    })
}

struct Audit {
    findings: Vec<Finding>,
}

impl Audit {
    fn add(&mut self, severity: Severity, place: &str, what: impl Into<String>) {
        self.findings.push(Finding { severity, place: quote(place), what: what.into() });
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let standard = standard::source_for(path)?;
        let report = match Report::open(path, standard.clone()) {
            Ok(report) => report,
            Err(error) => {
                self.add(Severity::Refused, "file", error.to_string());
                return Ok(());
            }
        };
        if report.holds == Holds::Model && !report.members.is_empty() {
            self.members(&report.members);
        }
        if let Some(config) = &report.config {
            self.config("", config);
        }
        for class in report.unknown_classes() {
            let what = format!("class {} is unknown", quote(&class));
            self.add(Severity::Refused, "config.json", what);
        }
        if report.holds == Holds::Weights {
            self.weights_alone(path, &report);
            return Ok(());
        }
        match load_from(path, standard, Use::Look) {
            Ok(model) => {
                let variables = model.variables();
                variables.iter().for_each(|(path, v)| self.values(path, v.source().as_ref()));
            }
            Err(error) => self.add(Severity::Refused, "model", error.to_string()),
        }
        Ok(())
    }

    /// Weights that no model bounds: they are read as far as the file can hold them.
    fn weights_alone(&mut self, path: &Path, report: &Report) {
        if let Some(problem) = &report.problem {
            self.add(Severity::Refused, "weights", problem.to_string());
        }
        let lines = || report.variables.iter().chain(&report.optimizer_variables);
        let declared = lines().fold(0u64, |sum, v| sum.saturating_add(v.spec().bytes() as u64));
        let in_shards = report.members.iter().fold(0u64, |sum, m| sum.saturating_add(m.bytes));
        let stored = in_shards + path.metadata().map_or(0, |metadata| metadata.len());
        if declared > loading::limits().h5_dataset(stored) {
            let what = format!("{declared} bytes of weights in {stored} bytes of files");
            return self.add(Severity::Refused, "weights", what);
        }
        lines().for_each(|line| self.values(&line.path, line.source.as_ref()));
    }

    fn members(&mut self, members: &[Member]) {
        for member in members {
            let is_known = MEMBERS.contains(&member.name.as_str())
                || member.name.starts_with("assets/")
                || member.name == "assets";
            if !is_known {
                self.add(Severity::Unusual, &member.name, "a member that no reader uses");
            }
            match member.method {
                Method::Stored => {}
                Method::Deflated => {
                    self.add(Severity::Unusual, &member.name, "deflated; Keras stores members");
                }
                Method::Other(number) => {
                    let what = format!("packed with method {number}, which is not read");
                    self.add(Severity::Refused, &member.name, what);
                }
            }
        }
        if !members.iter().any(|member| member.name == MEMBERS[0]) {
            self.add(Severity::Unusual, MEMBERS[0], "missing; Keras always writes it");
        }
    }

    /// Walks a config; the parser has bounded its depth.
    fn config(&mut self, place: &str, value: &Json) {
        match value {
            Json::Array(items) => items.iter().for_each(|item| self.config(place, item)),
            Json::Object(fields) => {
                let name = fields.get("config").and_then(|config| config.get("name"));
                let name = name.or_else(|| fields.get("class_name")).and_then(Json::as_str);
                let place = match name {
                    Some(name) if place.is_empty() => name.to_owned(),
                    Some(name) => format!("{place}/{name}"),
                    None => place.to_owned(),
                };
                if fields.contains_key("class_name") {
                    self.record(&place, value);
                }
                if fields.get("vocabulary").is_some_and(Json::is_string) {
                    self.add(Severity::Dangerous, &place, "reads a vocabulary from another file");
                }
                fields.values().for_each(|item| self.config(&place, item));
            }
            _ => {}
        }
    }

    fn record(&mut self, place: &str, record: &Json) {
        let text = |key: &str| record.get(key).and_then(Json::as_str);
        let class = text("class_name").unwrap_or_default();
        if CODE.contains(&class) {
            self.add(Severity::Dangerous, place, format!("{class} holds or loads code"));
        }
        let module = text("module").unwrap_or_default();
        let package = module.split('.').next().unwrap_or_default();
        if !package.is_empty() && !PACKAGES.contains(&package) {
            let what =
                format!("names {}.{}, which is not part of Keras", quote(module), quote(class));
            self.add(Severity::Dangerous, place, what);
        }
        if record.get("shared_object_id").is_some_and(|id| !id.is_null() && !id.is_u64()) {
            self.add(Severity::Unusual, place, "a shared_object_id that is no number");
        }
    }

    fn values(&mut self, path: &str, source: &dyn Source) {
        match not_finite(source) {
            Ok(0) => {}
            Ok(count) => {
                let what = format!("{count} values are NaN or infinite");
                self.add(Severity::Unusual, path, what);
            }
            Err(error) => self.add(Severity::Refused, path, error.to_string()),
        }
    }

    fn to_json(&self, path: &Path, worst: Option<Severity>) -> Json {
        let finding =
            |f: &Finding| json!({"severity": f.severity.name(), "place": f.place, "what": f.what});
        json!({
            "file": path.display().to_string(),
            "verdict": worst.map_or("clean", Severity::name),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    }

    fn print(&self, worst: Option<Severity>, out: &mut dyn Write) -> io::Result<()> {
        for Finding { severity, place, what } in &self.findings {
            writeln!(out, "{}: {place}: {what}", severity.name())?;
        }
        writeln!(out, "verdict: {}", worst.map_or("clean", Severity::name))
    }
}

/// How many elements of a float source are NaN or infinite, read piece by piece.
fn not_finite(source: &dyn Source) -> Result<usize> {
    let Spec { shape, dtype } = source.spec();
    if !matches!(dtype, DType::Float16 | DType::BFloat16 | DType::Float32 | DType::Float64) {
        return Ok(0);
    }
    let (mut first, mut found) = (0, 0);
    while first < shape.len() {
        let count = PIECE.min(shape.len() - first);
        let mut bytes = vec![0; count * dtype.size()];
        source.read(first * dtype.size(), &mut bytes)?;
        let piece = Tensor::from_bytes(Spec::new([count], *dtype), bytes)?.cast(DType::Float64);
        found += piece.to_vec::<f64>()?.iter().filter(|x| !x.is_finite()).count();
        first += count;
    }
    Ok(found)
}

//! What a file of any form holds, found without building the model, so that files that cannot be loaded
//! can be looked into as well.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::base::{Error, Result, ResultExt, Source, Spec};
use crate::cli::loading;
use crate::cli::model_file::{Form, architecture};
use crate::layers::registry;
use crate::operations;
use crate::saving::legacy::{modern_model, modern_training};
use crate::saving::saving_lib::is_hdf5_file;
use crate::saving::{
    Archive, LegacyFile, Limits, Member, Method, ReadAt, Store, json as saved_json, open_weights,
    shard_names,
};

/// Optimizers keep their state below this path of the weights.
const OPTIMIZER: &str = "optimizer";

/// What is known of a file. Parts that could not be read are empty, and `problems` says why.
#[derive(Default)]
pub struct Report {
    pub holds: Holds,
    pub members: Vec<Member>,
    pub keras_version: Option<String>,
    pub date_saved: Option<String>,
    pub class_name: String,
    pub name: String,
    pub layers: Vec<LayerLine>,
    pub variables: Vec<VariableLine>,
    pub optimizer: Option<String>,
    pub optimizer_variables: Vec<VariableLine>,
    /// The root record, as Keras 3 writes it.
    pub config: Option<Json>,
    /// The first thing that could not be read, if any.
    pub problem: Option<Error>,
}

/// Which parts of a model a file has.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Holds {
    /// Architecture and weights.
    #[default]
    Model,
    /// No weights.
    Architecture,
    /// Nothing else.
    Weights,
}

impl Holds {
    pub fn name(self) -> &'static str {
        match self {
            Holds::Model => "model",
            Holds::Architecture => "architecture",
            Holds::Weights => "weights",
        }
    }
}

/// A layer's record in the configuration.
pub struct LayerLine {
    /// Models within models are paths: `encoder/dense`.
    pub name: String,
    pub class_name: String,
    pub module: String,
    /// Whether the class is one of the built-in ones.
    pub is_known: bool,
}

/// A dataset of the weights.
pub struct VariableLine {
    pub path: String,
    pub source: Arc<dyn Source>,
}

impl VariableLine {
    pub fn spec(&self) -> &Spec {
        self.source.spec()
    }
}

impl Report {
    /// Reads what can be read of a file, or of `standard`, the bytes of standard input.
    ///
    /// # Errors
    /// If nothing of it can be read.
    pub fn open(path: &Path, standard: Option<Arc<dyn ReadAt>>) -> Result<Report> {
        let limits = loading::limits();
        match (standard, Form::of(path)) {
            (Some(source), _) if is_hdf5_file(source.as_ref())? => {
                Ok(Report::of_legacy(&LegacyFile::from_source(source, &limits)?))
            }
            (Some(source), _) => Ok(Report::of(&Archive::from_source(source, &limits)?)),
            (None, Form::Legacy) => Ok(Report::of_legacy(&LegacyFile::open(path, &limits)?)),
            (None, Form::Weights) => Report::of_weights(path, &limits),
            (None, Form::Architecture) => Report::of_architecture(path, &limits),
            (None, Form::Archive) => Ok(Report::of(&Archive::open(path, &limits)?)),
        }
    }

    /// Reads what can be read of a model's JSON.
    fn of_architecture(path: &Path, limits: &Limits) -> Result<Report> {
        let text = architecture(path)?;
        let config = saved_json::parse(text.as_bytes(), "the model's JSON", limits);
        let mut report = Report { holds: Holds::Architecture, ..Report::default() };
        report.describe(config.at(|| path.display().to_string())?);
        Ok(report)
    }

    /// Reads what can be read of weights without a model: one file, or shards, which are its members.
    fn of_weights(path: &Path, limits: &Limits) -> Result<Report> {
        let weights = open_weights(path, limits)?;
        let mut report = Report { holds: Holds::Weights, ..Report::default() };
        if path.extension().is_some_and(|ending| ending == "json") {
            for name in shard_names(path, limits)? {
                let shard = path.with_file_name(&name);
                let bytes = shard.metadata().map_err(|e| Error::io(&shard, e))?.len();
                let method = Method::Stored;
                report.members.push(Member { name, method, bytes, compressed: bytes });
            }
        }
        report.take_weights(weights.as_ref());
        Ok(report)
    }

    /// Reads what can be read of a file in the older format.
    fn of_legacy(file: &LegacyFile) -> Report {
        let mut report = Report::default();
        report.keras_version = report.keep(file.keras_version()).flatten();
        if report.keep(file.holds_model()) == Some(false) {
            report.holds = Holds::Weights;
        } else if let Some(config) = report.keep(file.config()) {
            report.describe_legacy(file, config);
        }
        for layer in report.keep(file.layers()).into_iter().flatten() {
            let lines = layer.weights.iter().map(|(name, source)| line(&layer.name, name, source));
            report.variables.extend(lines);
        }
        let top_level = report.keep(file.top_level()).map(|group| group.weights);
        let own = top_level.iter().flatten().map(|(name, source)| line("", name, source));
        report.variables.extend(own);
        let state = report.keep(file.optimizer()).map(|group| group.weights);
        let state = state.iter().flatten().map(|(name, source)| line(OPTIMIZER, name, source));
        report.optimizer_variables = state.collect();
        report
    }

    fn describe_legacy(&mut self, file: &LegacyFile, config: Json) {
        // What is no model of Keras 2 is shown as it is.
        let mut config = self.keep(modern_model(&config)).unwrap_or(config);
        let training = self.keep(file.training_config()).flatten();
        if let (Some(training), Some(fields)) = (training, config.as_object_mut()) {
            fields.insert("compile_config".into(), modern_training(&training));
        }
        self.describe(config);
    }

    /// Reads what can be read of an archive.
    pub fn of(archive: &Archive) -> Report {
        let mut report = Report { members: archive.members().to_vec(), ..Report::default() };
        let metadata = report.keep(archive.metadata()).flatten();
        let text = |key: &str| metadata.as_ref()?.get(key)?.as_str().map(str::to_owned);
        (report.keras_version, report.date_saved) = (text("keras_version"), text("date_saved"));
        if let Some(config) = report.keep(archive.config()) {
            report.describe(config);
        }
        if let Some(weights) = report.keep(archive.weights()) {
            report.take_weights(weights.as_ref());
        }
        report
    }

    fn take_weights(&mut self, weights: &dyn Store) {
        let is_state = |line: &VariableLine| line.path.split('/').next() == Some(OPTIMIZER);
        let (state, variables) = self.datasets(weights).into_iter().partition(is_state);
        (self.optimizer_variables, self.variables) = (state, variables);
    }

    /// The value, or nothing and the first problem.
    fn keep<T>(&mut self, found: Result<T>) -> Option<T> {
        found.map_err(|error| self.problem.get_or_insert(error)).ok()
    }

    fn describe(&mut self, config: Json) {
        self.class_name = text(&config, "class_name");
        self.name = text(&config["config"], "name");
        let optimizer = config["compile_config"]["optimizer"].get("class_name");
        self.optimizer = optimizer.and_then(Json::as_str).map(str::to_owned);
        collect(&config["config"], "", &mut self.layers);
        self.config = Some(config);
    }

    fn datasets(&mut self, weights: &dyn Store) -> Vec<VariableLine> {
        let mut lines = Vec::new();
        for path in weights.groups() {
            let group = self.keep(weights.group(&path)).flatten();
            let datasets = group.into_iter().flat_map(|group| group.datasets);
            lines.extend(datasets.map(|(key, source)| line(&path, &key, &source)));
        }
        lines
    }

    /// Names of classes that are not built in, each once, with their modules.
    pub fn unknown_classes(&self) -> Vec<String> {
        let mut unknown: Vec<String> = Vec::new();
        for layer in self.layers.iter().filter(|layer| !layer.is_known) {
            let name = format!("{} ({})", layer.class_name, layer.module);
            if !unknown.contains(&name) {
                unknown.push(name);
            }
        }
        unknown
    }

    /// The report as JSON.
    pub fn to_json(&self) -> Json {
        let variables = |lines: &[VariableLine]| -> Vec<Json> {
            let line = |v: &VariableLine| {
                json!({
                    "path": v.path,
                    "shape": v.spec().shape.as_slice(),
                    "dtype": v.spec().dtype.name(),
                    "bytes": v.spec().bytes(),
                })
            };
            lines.iter().map(line).collect()
        };
        let members = self.members.iter().map(|m| {
            json!({
                "name": m.name,
                "method": method(m.method),
                "bytes": m.bytes,
                "compressed": m.compressed,
            })
        });
        let layers = self.layers.iter().map(|layer| {
            json!({"name": layer.name, "class_name": layer.class_name, "module": layer.module})
        });
        json!({
            "holds": self.holds.name(),
            "keras_version": self.keras_version,
            "date_saved": self.date_saved,
            "class_name": self.class_name,
            "name": self.name,
            "members": members.collect::<Vec<_>>(),
            "layers": layers.collect::<Vec<_>>(),
            "variables": variables(&self.variables),
            "optimizer": {
                "class_name": self.optimizer,
                "variables": variables(&self.optimizer_variables),
            },
            "unsupported": {
                "classes": self.unknown_classes(),
                "reason": self.problem.as_ref().map(ToString::to_string),
            },
        })
    }
}

/// How a member is packed, in one word.
pub fn method(method: Method) -> String {
    match method {
        Method::Stored => "stored".into(),
        Method::Deflated => "deflated".into(),
        Method::Other(number) => format!("method {number}"),
    }
}

/// A dataset, or weight, below a place.
fn line(place: &str, key: &str, source: &Arc<dyn Source>) -> VariableLine {
    let path = if place.is_empty() { key.to_owned() } else { format!("{place}/{key}") };
    VariableLine { path, source: source.clone() }
}

fn text(json: &Json, key: &str) -> String {
    json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// Lists the layers of a model's config, those of models within it after the models themselves.
fn collect(config: &Json, place: &str, lines: &mut Vec<LayerLine>) {
    let records = config.get("layers").and_then(Json::as_array);
    for record in records.into_iter().flatten() {
        let (class_name, module) = (text(record, "class_name"), text(record, "module"));
        let name = format!("{place}{}", text(&record["config"], "name"));
        let is_model = record["config"].get("layers").is_some();
        let is_known = is_model
            || registry::find(&class_name).is_some()
            || operations::find(&module, &class_name).is_some();
        let inner = format!("{name}/");
        lines.push(LayerLine { name, class_name, module, is_known });
        collect(&record["config"], &inner, lines);
    }
}

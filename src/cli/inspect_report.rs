//! What an archive holds, found without building the model, so that files that cannot be loaded can
//! be looked into as well.

use serde_json::{Value as Json, json};

use crate::base::{Error, Result, Spec};
use crate::layers::registry;
use crate::operations;
use crate::saving::{Archive, Member, Method, Store};

/// Optimizers keep their state below this path of the weights.
const OPTIMIZER: &str = "optimizer";

/// What is known of a file. Parts that could not be read are empty, and `problems` says why.
#[derive(Default)]
pub struct Report {
    pub members: Vec<Member>,
    pub keras_version: Option<String>,
    pub date_saved: Option<String>,
    pub class_name: String,
    pub name: String,
    pub layers: Vec<LayerLine>,
    pub variables: Vec<VariableLine>,
    pub optimizer: Option<String>,
    pub optimizer_variables: Vec<VariableLine>,
    /// The first thing that could not be read, if any.
    pub problem: Option<Error>,
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
    pub spec: Spec,
}

impl Report {
    /// Reads what can be read of an archive.
    pub fn of(archive: &Archive) -> Report {
        let mut report = Report { members: archive.members().to_vec(), ..Report::default() };
        let metadata = report.keep(archive.metadata()).flatten();
        let text = |key: &str| metadata.as_ref()?.get(key)?.as_str().map(str::to_owned);
        (report.keras_version, report.date_saved) = (text("keras_version"), text("date_saved"));
        if let Some(config) = report.keep(archive.config()) {
            report.describe(&config);
        }
        if let Some(weights) = report.keep(archive.weights()) {
            let (state, variables) = report
                .datasets(weights.as_ref())
                .into_iter()
                .partition(|v| v.path.split('/').next() == Some(OPTIMIZER));
            (report.optimizer_variables, report.variables) = (state, variables);
        }
        report
    }

    /// The value, or nothing and the first problem.
    fn keep<T>(&mut self, found: Result<T>) -> Option<T> {
        found.map_err(|error| self.problem.get_or_insert(error)).ok()
    }

    fn describe(&mut self, config: &Json) {
        self.class_name = text(config, "class_name");
        self.name = text(&config["config"], "name");
        let optimizer = config["compile_config"]["optimizer"].get("class_name");
        self.optimizer = optimizer.and_then(Json::as_str).map(str::to_owned);
        collect(&config["config"], "", &mut self.layers);
    }

    fn datasets(&mut self, weights: &dyn Store) -> Vec<VariableLine> {
        let mut lines = Vec::new();
        for path in weights.groups() {
            let group = self.keep(weights.group(&path)).flatten();
            for (key, source) in group.into_iter().flat_map(|group| group.datasets) {
                lines.push(VariableLine {
                    path: format!("{path}/{key}"),
                    spec: source.spec().clone(),
                });
            }
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
                    "shape": v.spec.shape.as_slice(),
                    "dtype": v.spec.dtype.name(),
                    "bytes": v.spec.bytes(),
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

//! Writing models in the older format, as Keras 3 writes them.

use std::collections::HashSet;
use std::path::Path;

use super::{
    CONFIG, LAYER_NAMES, LegacyLayer, OPTIMIZER, TOP_LEVEL, TRAINING, VERSION, WEIGHT_NAMES,
    WEIGHTS,
};
use crate::base::Result;
use crate::saving::atomic::{AtomicFile, Replace};
use crate::saving::file_system::{Disk, FileSystem};
use crate::saving::h5::{Attribute, AttributeValue, H5Writer};
use crate::saving::json::{Json, to_python};
use crate::saving::store::GroupPlan;

/// The backend that files name; Keras reads it without effect.
const BACKEND: &str = "jax";

/// A model for the older format.
pub struct LegacyContents {
    /// The version of Keras to name.
    pub keras_version: String,
    /// The model's record, in the form of [`legacy_model`](super::legacy_model).
    pub config: Json,
    /// In the form of [`legacy_training`](super::legacy_training).
    pub training: Option<Json>,
    /// The model's layers in order, those without weights too.
    pub layers: Vec<LegacyLayer>,
    /// The optimizer's variables in order.
    pub optimizer: Vec<LegacyWeight>,
}

/// A weight and its name, such as `dense/kernel`.
pub type LegacyWeight = (String, std::sync::Arc<dyn crate::base::Source>);

/// Writes a whole model as an `.h5` file; it appears in one step, when it is complete.
///
/// # Errors
/// As [`write_archive`](crate::saving::write_archive).
pub fn write_legacy(
    path: &Path,
    contents: LegacyContents,
    replace: Replace,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    write_legacy_on(&Disk, path, contents, replace, progress)
}

/// [`write_legacy`] on any file system.
pub(in crate::saving) fn write_legacy_on(
    files: &dyn FileSystem,
    path: &Path,
    contents: LegacyContents,
    replace: Replace,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let writer = layout(contents)?;
    let mut file = AtomicFile::create(files, path, replace)?;
    let mut progress = |done| progress(done, writer.len());
    file.write(|out| writer.write_to(out, &mut progress))?;
    file.commit()
}

fn layout(contents: LegacyContents) -> Result<H5Writer> {
    let mut file = Layout::default();
    file.text("", VERSION, &contents.keras_version);
    file.text("", "backend", BACKEND);
    file.text("", CONFIG, &to_python(&contents.config));
    if let Some(training) = &contents.training {
        file.text("", TRAINING, &to_python(training));
    }
    file.text(WEIGHTS, VERSION, &contents.keras_version);
    file.text(WEIGHTS, "backend", BACKEND);
    let names = contents.layers.iter().map(|layer| layer.name.clone()).collect();
    file.texts(WEIGHTS, LAYER_NAMES, names);
    let own = LegacyLayer { name: TOP_LEVEL.into(), weights: Vec::new() };
    for layer in contents.layers.into_iter().chain([own]) {
        file.weights(&format!("{WEIGHTS}/{}", layer.name), layer.weights);
    }
    if !contents.optimizer.is_empty() {
        file.weights(OPTIMIZER, contents.optimizer);
    }
    H5Writer::with_attributes(&file.plans, file.attributes)
}

#[derive(Default)]
struct Layout {
    plans: Vec<GroupPlan>,
    attributes: Vec<Attribute>,
}

impl Layout {
    fn text(&mut self, path: &str, name: &str, text: &str) {
        self.attribute(path, name, AttributeValue::Text(text.into()));
    }

    fn texts(&mut self, path: &str, name: &str, texts: Vec<String>) {
        self.attribute(path, name, AttributeValue::Texts(texts));
    }

    fn attribute(&mut self, path: &str, name: &str, value: AttributeValue) {
        self.attributes.push(Attribute { path: path.into(), name: name.into(), value });
    }

    /// A group of weights at the paths that their names are, each made unique.
    fn weights(&mut self, path: &str, weights: Vec<LegacyWeight>) {
        let mut taken = HashSet::new();
        let mut names = Vec::with_capacity(weights.len());
        self.plans.push(GroupPlan { path: path.into(), name: None, datasets: Vec::new() });
        for (name, source) in weights {
            let name = unique(&name, &mut taken);
            let (folder, key) = name.rsplit_once('/').unwrap_or(("", &name));
            let path = if folder.is_empty() { path.into() } else { format!("{path}/{folder}") };
            self.plans.push(GroupPlan { path, name: None, datasets: vec![(key.into(), source)] });
            names.push(name);
        }
        self.texts(path, WEIGHT_NAMES, names);
    }
}

/// The name, with a number when it is taken.
fn unique(name: &str, taken: &mut HashSet<String>) -> String {
    let mut found = name.to_owned();
    let mut count = 0;
    while !taken.insert(found.clone()) {
        count += 1;
        found = format!("{name}_{count}");
    }
    found
}

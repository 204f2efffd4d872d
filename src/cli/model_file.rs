//! The model that a command is given, in any form that a file has.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt};
use crate::cli::{loading, progress, standard};
use crate::models::Model;
use crate::saving::ReadAt;
use crate::saving::limits::check;
use crate::saving::saving_lib::{LoadOptions, LoadWeightsOptions, load_model_with};

/// The model that a command works on.
#[derive(clap::Args)]
pub struct ModelArgs {
    /// A .keras file, the folder form of one, a model in .h5 or .hdf5, an architecture in .json such as
    /// config.json, or - for standard input
    #[arg(value_name = "MODEL")]
    pub path: PathBuf,
    #[command(flatten)]
    weights: WeightsArgs,
}

/// Weights from another file than the model's.
#[derive(clap::Args)]
pub struct WeightsArgs {
    /// Load the weights from this file: .weights.h5, .weights.json, .keras, or .h5 of any age
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Leave weights of --weights out that do not fit the model, instead of failing
    #[arg(long, requires = "weights")]
    skip_mismatch: bool,
    /// Pair the layers of the model and of --weights by name; for .h5 in the older format
    #[arg(long, requires = "weights")]
    by_name: bool,
}

impl WeightsArgs {
    /// Gives the model the weights, if a file was named.
    pub fn load_into(&self, model: &mut Model) -> Result<()> {
        let Some(weights) = &self.weights else { return Ok(()) };
        let (skip_mismatch, by_name) = (self.skip_mismatch, self.by_name);
        let options = LoadWeightsOptions { skip_mismatch, by_name, limits: loading::limits() };
        model.load_weights_with(weights, &options)
    }
}

/// What a command wants of a model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// What it is, and whether its file is whole, which takes a look at every byte.
    Look,
    /// To compute with weights, whichever they are; they are read once then, and checked on the way.
    Run,
    /// What it says with the weights it has learned: an architecture alone has none.
    Answers,
}

impl ModelArgs {
    /// Loads the model, and the weights if they come from another file.
    ///
    /// # Errors
    /// What is wrong with the files, or that there are no weights for [`Use::Answers`].
    pub fn load(&self, purpose: Use) -> Result<Model> {
        if purpose == Use::Answers && self.weights.weights.is_none() {
            refuse_untrained(&self.path)?;
        }
        let mut model = load(&self.path, purpose)?;
        self.weights.load_into(&mut model)?;
        Ok(model)
    }

    /// Loads the model to be trained, with these changes of what trains in it.
    ///
    /// # Errors
    /// As [`load`](ModelArgs::load), or that there is no layer of a name.
    pub fn load_to_train(&self, trainable: Vec<(String, bool)>) -> Result<Model> {
        let options = LoadOptions { trainable, lazy: true, ..loading::options() };
        let mut model = load_with(&self.path, standard::source_for(&self.path)?, &options)?;
        self.weights.load_into(&mut model)?;
        Ok(model)
    }
}

/// What a file given as a model holds, told by its name as in Keras.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A zip archive, or a folder with its members.
    Archive,
    /// A whole model, or weights by layers, in the older format.
    Legacy,
    /// `config.json`, or what `to_json` gave.
    Architecture,
    /// Weights by the structure of the model, in one file or in shards.
    Weights,
}

impl Form {
    /// The form that a path names.
    pub fn of(path: &Path) -> Form {
        let name = path.to_string_lossy();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        match () {
            () if path.is_dir() => Form::Archive,
            () if ends(&[".weights.h5", ".weights.json"]) => Form::Weights,
            () if ends(&[".h5", ".hdf5"]) => Form::Legacy,
            () if ends(&[".json"]) => Form::Architecture,
            () => Form::Archive,
        }
    }
}

/// Loads a model while a spinner turns.
///
/// # Errors
/// What is wrong with the file, or that it is none of a model.
pub fn load(path: &Path, purpose: Use) -> Result<Model> {
    load_from(path, standard::source_for(path)?, purpose)
}

/// [`load`], where the bytes of standard input have been taken already.
///
/// # Errors
/// As [`load`].
pub fn load_from(path: &Path, standard: Option<Arc<dyn ReadAt>>, purpose: Use) -> Result<Model> {
    let options = LoadOptions { lazy: purpose != Use::Look, ..loading::options() };
    load_with(path, standard, &options)
}

fn load_with(
    path: &Path,
    standard: Option<Arc<dyn ReadAt>>,
    options: &LoadOptions,
) -> Result<Model> {
    let load = || match (standard, Form::of(path)) {
        (Some(source), _) => standard::load(source, options),
        (None, Form::Architecture) => {
            Model::from_json_with(&architecture(path)?, options).at(|| path.display().to_string())
        }
        (None, Form::Weights) => Err(Error::Invalid(format!(
            "'{}' holds weights and no model: give the model, which may be its config.json, and \
             this file with --weights",
            quote(&path.display().to_string())
        ))),
        (None, Form::Archive | Form::Legacy) => load_model_with(path, options),
    };
    let model = progress::spin(&format!("loading {}", path.display()), load)?;
    progress::warn_of_narrowed(&model);
    Ok(model)
}

fn refuse_untrained(path: &Path) -> Result<()> {
    if Form::of(path) != Form::Architecture {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "'{}' holds an architecture and no weights, and what a model of random weights says is worth \
         nothing: give the weights with --weights",
        quote(&path.display().to_string())
    )))
}

/// The text of an architecture, of bounded length.
///
/// # Errors
/// If it cannot be read, is too long, or is not UTF-8.
pub fn architecture(path: &Path) -> Result<String> {
    let limit = loading::limits().config_bytes;
    let io = |e| Error::io(path, e);
    let file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let what = || format!("'{}' in bytes", quote(&path.display().to_string()));
    check(what, bytes, limit, "config_bytes")?;
    let mut text = String::new();
    // What has no length, such as a pipe, ends there too.
    file.take(limit.saturating_add(1)).read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

//! `keraunos convert`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::base::{Error, Result};
use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome;
use crate::cli::model_file::{Form, ModelArgs, Use};
use crate::cli::{progress, standard};
use crate::models::Model;
use crate::saving::saving_lib::{SaveOptions, SaveWeightsOptions};
use crate::saving::{KerasVersion, Replace, atomic};

/// Load a model and save it again, as Keras would
///
/// The ending of the destination says what to write: .keras one file, .h5 or .hdf5 the older format,
/// .weights.h5 the weights only, .weights.json the weights in shards with an index, .json the
/// architecture only. Any other name becomes a folder with the members of a .keras file. As a source or
/// destination, - is standard input or output, which hold what a .keras file does (or, as input, an .h5).
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: ModelArgs,
    /// What to write, or -
    destination: PathBuf,
    /// Size of a shard of .weights.json in GiB
    #[arg(long, value_name = "GIB", default_value_t = 5.0)]
    max_shard_size: f64,
    /// Write what this version of Keras and all later ones load, such as 3.6
    #[arg(long, value_name = "VERSION")]
    keras_version: Option<KerasVersion>,
    /// Fail when the destination exists
    #[arg(long)]
    no_overwrite: bool,
    /// Read what was written before it takes its place, and compare; not for standard output
    #[arg(long)]
    verify: bool,
    /// Where it is given, the weights are put on the device first and saved from there
    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(&self) -> Outcome {
        // An architecture without weights would not say that they are damaged.
        let purpose = match Form::of(&self.destination) {
            Form::Architecture => Use::Look,
            _ => Use::Run,
        };
        let model = self.source.load(purpose)?;
        if self.device.is_given() {
            model.place(&self.device.open()?)?;
        }
        let bar = progress::bytes("saving");
        let mut report = |done: u64, all: u64| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let saved = self.save(&model, &mut report);
        bar.finish_and_clear();
        saved?;
        Ok(ExitCode::SUCCESS)
    }

    fn save(&self, model: &Model, progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
        let (path, overwrite, verify) = (&self.destination, !self.no_overwrite, self.verify);
        if standard::is_meant(path) {
            if verify {
                let why = "--verify: what went to standard output cannot be read again";
                return Err(Error::Invalid(why.into()));
            }
            return standard::save(model, self.keras_version, progress);
        }
        let sharded = ends(path, ".weights.json");
        if sharded || ends(path, ".weights.h5") {
            let max_shard_bytes = if sharded { Some(self.shard_bytes()?) } else { None };
            let progress = Some(progress);
            let mut options = SaveWeightsOptions {
                overwrite,
                verify,
                max_shard_bytes,
                keras_version: self.keras_version,
                progress,
            };
            return model.save_weights_with(path, &mut options);
        }
        if ends(path, ".json") {
            let text = model.to_json_for(self.keras_version)?;
            return atomic::write(path, text.as_bytes(), Replace { overwrite, verify });
        }
        let zipped = [".keras", ".h5", ".hdf5"].iter().any(|ending| ends(path, ending));
        let mut options = SaveOptions {
            overwrite,
            verify,
            zipped,
            keras_version: self.keras_version,
            progress: Some(progress),
        };
        model.save_with(path, &mut options)
    }

    fn shard_bytes(&self) -> Result<u64> {
        let bytes = self.max_shard_size * f64::from(1 << 30);
        if bytes.is_finite() && bytes >= 1.0 {
            return Ok(bytes as u64);
        }
        Err(Error::Invalid(format!("a shard of {} GiB; give a positive size", self.max_shard_size)))
    }
}

fn ends(path: &Path, ending: &str) -> bool {
    path.to_string_lossy().ends_with(ending)
}

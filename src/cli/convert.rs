//! `keraunos convert`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome;
use crate::cli::progress;
use crate::saving::saving_lib::SaveOptions;

/// Load a model and save it again, as Keras would
///
/// A destination that ends in .keras becomes one file; any other name becomes a folder with the same
/// members.
#[derive(clap::Args)]
pub struct Args {
    /// A .keras file, or the folder form of one
    source: PathBuf,
    /// What to write
    destination: PathBuf,
    /// Fail when the destination exists
    #[arg(long)]
    no_overwrite: bool,
    /// Where it is given, the weights are put on the device first and saved from there
    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(&self) -> Outcome {
        let model = progress::load(&self.source)?;
        if self.device.is_given() {
            model.place(&self.device.open()?)?;
        }
        let bar = progress::bytes("saving");
        let mut report = |done: u64, all: u64| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let mut options = SaveOptions {
            overwrite: !self.no_overwrite,
            zipped: self.destination.extension().is_some_and(|e| e == "keras"),
            progress: Some(&mut report),
        };
        let saved = model.save_with(&self.destination, &mut options);
        bar.finish_and_clear();
        saved?;
        Ok(ExitCode::SUCCESS)
    }
}

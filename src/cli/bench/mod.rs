//! `keraunos bench`.

mod kernels;
mod model;
mod processor;
mod report;
pub mod sample;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::base::{Error, Result};
use crate::cli::device::tuned;
use crate::cli::failure::Outcome;
use crate::cli::predict::positive;
use crate::cli::text;
use crate::gpu;
use crate::runtime::{Device, ENVIRONMENT, Rates};
use report::{Measured, Report};

/// Measure how fast a model, or single kernels, run on this machine's devices
///
/// Every line is measured on a device opened anew: first the cold start, then runs whose outputs are
/// read back, of which the first is not counted. The share is what the device would need at the best
/// rates it showed in the same run, of what it took.
#[derive(clap::Args)]
pub struct Args {
    /// A .keras file, the folder form of one, a model in .h5 or .hdf5, or an architecture in .json
    #[arg(required_unless_present = "kernels")]
    model: Option<PathBuf>,
    /// Measure kernels at fixed sizes instead of a model
    #[arg(long, conflicts_with_all = ["model", "batch", "train", "extent"])]
    kernels: bool,
    /// What computes: `all`, or names as for --device of other commands; may be given again
    /// [default: $KERAUNOS_DEVICE, else auto]
    #[arg(long = "adapter", visible_alias = "device", value_name = "all|auto|gpu|host|NAME")]
    adapters: Vec<String>,
    /// Rows per run; several with commas between them
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 32], value_parser = positive)]
    batch: Vec<usize>,
    /// The extent of axes that the model leaves open, other than the batch
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = positive)]
    extent: usize,
    /// Measure steps of training instead of predictions; the model must be compiled
    #[arg(long)]
    train: bool,
    /// Seconds of counted runs for each line
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Choose kernels by a table that `keraunos tune` has written, instead of the one that it keeps in the
    /// user's cache folder
    #[arg(long, value_name = "F")]
    tuned: Option<PathBuf>,
    /// Write what was measured as JSON to a file too; the manual's chapter on performance describes it
    #[arg(long, value_name = "F")]
    json: Option<PathBuf>,
}

pub fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|s| (0.0..=3600.0).contains(s));
    number.ok_or("expected a number from 0 to 3600".into())
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut report = Report::new(self.model.as_deref());
        for name in self.devices() {
            let device = self.open(&name)?;
            let rates = Rates::measure(&device)?;
            report.device(&device, rates);
            writeln!(out, "{}", report.heading())?;
            drop(device);
            for measured in self.measure(&name, rates)? {
                report.push(measured);
            }
            writeln!(out, "{}", report.table())?;
        }
        if let Some(path) = &self.json {
            fs::write(path, format!("{:#}\n", report.to_json())).map_err(|e| Error::io(path, e))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The names of the devices asked for.
    fn devices(&self) -> Vec<String> {
        let names = match self.adapters.as_slice() {
            [] => vec![std::env::var(ENVIRONMENT).unwrap_or("auto".into())],
            given => given.to_vec(),
        };
        let expand = |name: String| match name.as_str() {
            "all" => {
                let adapters = gpu::adapters().into_iter().map(|caps| caps.name);
                adapters.chain(["host".into()]).collect()
            }
            _ => vec![name],
        };
        names.into_iter().flat_map(expand).collect()
    }

    /// The device of a name, with the table of kernels that was asked for.
    fn open(&self, name: &str) -> Result<Device> {
        let device = Device::open(name)?;
        match &self.tuned {
            Some(table) => tuned(&device, table),
            None => Ok(device),
        }
    }

    fn measure(&self, device: &str, rates: Rates) -> Result<Vec<Measured>> {
        let span = Duration::from_secs_f64(self.seconds);
        let Some(path) = &self.model else {
            return kernels::measure(&self.open(device)?, rates, span);
        };
        let mut lines = Vec::new();
        for &batch in &self.batch {
            text::line(&format!("batch {batch} on {device}"));
            let subject =
                model::Subject { path, batch, extent: self.extent, train: self.train, span };
            lines.push(subject.measure(&|| self.open(device), rates)?);
        }
        Ok(lines)
    }
}

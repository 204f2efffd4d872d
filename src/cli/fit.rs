//! `keraunos fit`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::base::{Error, Result, ResultExt};
use crate::cli::arrays::{self, Side};
use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome;
use crate::cli::predict::{BatchArgs, read_inputs};
use crate::cli::progress;
use crate::models::Model;
use crate::saving::json::{Json, from_float};
use crate::trainers::{Callback, Compile, Data, FitOptions, History, Logs};

/// Train a model on arrays in .npz files
///
/// A model that was compiled is trained as its file says; --optimizer, --loss and --metrics compile
/// one that was not, or again.
#[derive(clap::Args)]
pub struct Args {
    /// A .keras file, or the folder form of one
    model: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// Times all samples are trained on
    #[arg(long, value_name = "N", default_value_t = 1)]
    epochs: usize,
    /// The number of the first epoch
    #[arg(long, value_name = "N", default_value_t = 0)]
    initial_epoch: usize,
    #[command(flatten)]
    rows: BatchArgs,
    /// Keep the samples in their order
    #[arg(long)]
    no_shuffle: bool,
    /// What the order of the samples follows from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The part of the samples, from the last on, that are for validation
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    validation_split: f64,
    #[command(flatten)]
    compile: CompileArgs,
    /// Where the trained model goes
    #[arg(long, value_name = "OUT.keras")]
    save: PathBuf,
    /// Where losses and metrics of all epochs go, as JSON
    #[arg(long, value_name = "HIST.json")]
    history: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Inputs and labels.
#[derive(clap::Args)]
pub struct DataArgs {
    /// Inputs, the batch axis first
    #[arg(long, value_name = "X.npz")]
    x: PathBuf,
    /// Labels, the batch axis first
    #[arg(long, value_name = "Y.npz")]
    y: PathBuf,
}

impl DataArgs {
    /// The arrays, matched to the model's inputs and outputs.
    pub fn read(&self, model: &Model) -> Result<Data> {
        let x = read_inputs(model, &self.x)?;
        Ok(Data::new(&x, &arrays::read(&self.y, &model.outputs(), Side::Outputs)?))
    }
}

/// What compiles a model.
#[derive(clap::Args)]
pub struct CompileArgs {
    /// An optimizer: a name, or a record in JSON
    #[arg(long, value_name = "NAME")]
    optimizer: Option<String>,
    /// A loss: a name, or records in JSON
    #[arg(long, value_name = "NAME")]
    loss: Option<String>,
    /// Metrics: names with commas between them, or records in JSON
    #[arg(long, value_name = "NAMES")]
    metrics: Option<String>,
}

impl CompileArgs {
    /// Compiles the model where arguments say so.
    ///
    /// # Errors
    /// If it is not compiled then.
    pub fn apply(&self, model: &mut Model) -> Result<()> {
        let given = [&self.optimizer, &self.loss, &self.metrics];
        if given.iter().all(|argument| argument.is_none()) {
            return match model.is_compiled() {
                true => Ok(()),
                false => Err(Error::Invalid(
                    "the model is not compiled: give --loss, and --optimizer and --metrics".into(),
                )),
            };
        }
        let text = self.optimizer.as_deref().unwrap_or("rmsprop");
        let mut compile = Compile::new(identifier(text)?);
        if let Some(loss) = &self.loss {
            compile = compile.loss(identifier(loss)?);
        }
        if let Some(metrics) = &self.metrics {
            let metrics = match metrics.starts_with(['[', '{']) {
                true => identifier(metrics)?,
                false => metrics.split(',').map(str::trim).map(Json::from).collect(),
            };
            compile = compile.metrics(metrics);
        }
        model.compile(compile)
    }
}

/// A name, or JSON.
fn identifier(text: &str) -> Result<Json> {
    if !text.starts_with(['[', '{']) {
        return Ok(Json::from(text));
    }
    serde_json::from_str(text).map_err(|error| Error::Invalid(format!("{text}: {error}")))
}

impl Args {
    pub fn run(&self, out: &mut dyn std::io::Write) -> Outcome {
        let mut model = progress::load(&self.model)?;
        self.compile.apply(&mut model)?;
        let data = self.data.read(&model)?;
        let mut report = Report { epochs: self.epochs, lines: Vec::new() };
        let mut options = FitOptions {
            batch_size: self.rows.batch_size,
            epochs: self.epochs,
            initial_epoch: self.initial_epoch,
            shuffle: !self.no_shuffle,
            seed: self.seed,
            validation_split: self.validation_split,
            ..FitOptions::on(self.device.open()?)
        };
        options.callbacks.push(&mut report);
        let history = model.fit(&data, &mut options).at(|| self.model.display().to_string())?;
        drop(options);
        for line in &report.lines {
            writeln!(out, "{line}")?;
        }
        model.save(&self.save)?;
        if let Some(path) = &self.history {
            write_history(path, &history)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write_history(path: &Path, history: &History) -> Result<()> {
    let numbers = |values: &[f64]| values.iter().map(|&v| from_float(v)).collect::<Json>();
    let names: serde_json::Map<String, Json> =
        history.history.iter().map(|(name, values)| (name.clone(), numbers(values))).collect();
    let text = json!({"epoch": history.epoch, "history": names}).to_string();
    std::fs::write(path, text).map_err(|source| Error::Io { path: path.into(), source })
}

/// A line for each epoch.
struct Report {
    epochs: usize,
    lines: Vec<String>,
}

impl Callback for Report {
    fn on_epoch_end(&mut self, _: &mut Model, epoch: usize, logs: &Logs) -> Result<()> {
        let logs = logs.iter().map(|(name, value)| format!("{name}: {value:.4}"));
        let logs: Vec<String> = logs.collect();
        self.lines.push(format!("Epoch {}/{} - {}", epoch + 1, self.epochs, logs.join(" - ")));
        Ok(())
    }
}

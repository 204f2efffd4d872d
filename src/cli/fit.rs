//! `keraunos fit`.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::base::{Error, Result, ResultExt};
use crate::callbacks::ProgbarLogger;
use crate::cli::arrays;
use crate::cli::callbacks::{CallbackArgs, Report};
use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome;
use crate::cli::model_file::ModelArgs;
use crate::cli::predict::{BatchArgs, positive, read_inputs};
use crate::models::Model;
use crate::saving::json::{Json, to_python};
use crate::saving::saving_lib::try_target;
use crate::tensor::Tensor;
use crate::trainers::{Compile, Data, FitOptions, Frequency};

/// Train a model on arrays in .npz or .json files
///
/// Files are read as by predict; labels and weights of samples go by the names of outputs.
///
/// A model that was compiled is trained as its file says; --optimizer, --loss and --metrics compile
/// one that was not, or again.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
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
    /// Batches in an epoch, whatever the number of samples
    #[arg(long, value_name = "N", value_parser = positive)]
    steps_per_epoch: Option<usize>,
    /// Weights of samples by their class, such as 0:1,1:2.5
    #[arg(long, value_name = "CLASS:W,..", value_parser = class_weights)]
    class_weight: Option<ClassWeights>,
    #[command(flatten)]
    validation: ValidationArgs,
    #[command(flatten)]
    compile: CompileArgs,
    #[command(flatten)]
    callbacks: CallbackArgs,
    /// Layers that do not train from now on, nor the layers in them; the optimizer starts afresh
    #[arg(long, value_name = "LAYER,..", value_delimiter = ',')]
    freeze: Vec<String>,
    /// Layers that train from now on
    #[arg(long, value_name = "LAYER,..", value_delimiter = ',')]
    unfreeze: Vec<String>,
    /// Where the trained model goes
    #[arg(long, value_name = "OUT.keras")]
    save: PathBuf,
    /// Where losses and metrics of all epochs go, as JSON
    #[arg(long, value_name = "HIST.json")]
    history: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// What the model is tested on after each epoch.
#[derive(clap::Args)]
struct ValidationArgs {
    /// The part of the samples, from the last on, that are for validation
    #[arg(long, value_name = "F", default_value_t = 0.0, conflicts_with = "validation_x")]
    validation_split: f64,
    /// Inputs for validation
    #[arg(long, value_name = "X.npz|json", requires = "validation_y")]
    validation_x: Option<PathBuf>,
    /// Labels for validation
    #[arg(long, value_name = "Y.npz|json", requires = "validation_x")]
    validation_y: Option<PathBuf>,
    /// Weights of the samples for validation, as --sample-weight
    #[arg(long, value_name = "W.npz|json", requires = "validation_x")]
    validation_sample_weight: Option<PathBuf>,
    /// Rows computed at once in a validation; those of --batch-size where nothing is said
    #[arg(long, value_name = "N")]
    validation_batch_size: Option<usize>,
    /// Batches in a validation; all samples where nothing is said
    #[arg(long, value_name = "N")]
    validation_steps: Option<usize>,
    /// Epochs from one validation to the next; or the epochs that end with one, such as 1,2,10
    #[arg(long, value_name = "N", default_value = "1", value_parser = frequency)]
    validation_freq: Frequency,
}

impl ValidationArgs {
    fn data(&self, model: &Model) -> Result<Option<Data>> {
        let (Some(x), Some(y)) = (&self.validation_x, &self.validation_y) else { return Ok(None) };
        let sample_weight = self.validation_sample_weight.clone();
        DataArgs { x: x.clone(), y: y.clone(), sample_weight }.read(model).map(Some)
    }
}

/// A number, or several with commas between them.
fn frequency(text: &str) -> Result<Frequency, String> {
    let numbers = text.split(',').map(str::trim).filter(|number| !number.is_empty());
    let numbers: Option<Vec<usize>> = numbers.map(|number| number.parse().ok()).collect();
    match numbers.as_deref() {
        Some([n]) if !text.contains(',') => Ok(Frequency::Every(*n)),
        Some(epochs) => Ok(Frequency::At(epochs.to_vec())),
        None => Err("expected a number, or numbers of epochs such as 1,2,10".into()),
    }
}

/// Pairs of a class and its weight.
type ClassWeights = Vec<(i64, f64)>;

fn class_weights(text: &str) -> Result<ClassWeights, String> {
    let pair = |text: &str| {
        let (class, weight) = text.split_once(':')?;
        Some((class.trim().parse().ok()?, weight.trim().parse().ok()?))
    };
    let pairs = text.split(',').map(pair).collect::<Option<_>>();
    pairs.ok_or_else(|| "expected pairs such as 0:1,1:2.5".into())
}

/// Inputs, labels and weights of samples.
#[derive(clap::Args)]
pub struct DataArgs {
    /// Inputs, the batch axis first
    #[arg(long, value_name = "X.npz|json")]
    x: PathBuf,
    /// Labels, the batch axis first
    #[arg(long, value_name = "Y.npz|json")]
    y: PathBuf,
    /// A weight for each sample; or one for each sample of each output
    #[arg(long, value_name = "W.npz|json")]
    sample_weight: Option<PathBuf>,
}

impl DataArgs {
    /// The arrays, matched to the model's inputs and outputs.
    pub fn read(&self, model: &Model) -> Result<Data> {
        let x: Option<Vec<Tensor>> = read_inputs(model, &self.x)?.into_iter().collect();
        let x = x.ok_or_else(|| {
            let path = self.x.display();
            Error::Unsupported(format!("{path}: training with an optional input left out"))
        })?;
        let data = Data::new(&x, &arrays::read_outputs(&self.y, model)?);
        match &self.sample_weight {
            Some(path) => Ok(data.with_sample_weight(&arrays::read_weights(path, model)?)),
            None => Ok(data),
        }
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
    /// By what the losses of the outputs are multiplied: numbers with commas between them, or JSON
    #[arg(long, value_name = "NUMBERS", requires = "loss")]
    loss_weights: Option<String>,
    /// Metrics: names with commas between them, or records in JSON
    #[arg(long, value_name = "NAMES")]
    metrics: Option<String>,
    /// Metrics in which samples count by their weights, as --metrics
    #[arg(long, value_name = "NAMES")]
    weighted_metrics: Option<String>,
}

impl CompileArgs {
    /// Compiles the model where arguments say so.
    ///
    /// # Errors
    /// If it is not compiled then.
    pub fn apply(&self, model: &mut Model) -> Result<()> {
        let given = [&self.optimizer, &self.loss, &self.metrics, &self.weighted_metrics];
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
        if let Some(weights) = &self.loss_weights {
            compile = compile.loss_weights(listed(weights, number)?);
        }
        let name = |name: &str| Ok(Json::from(name));
        if let Some(metrics) = &self.metrics {
            compile = compile.metrics(listed(metrics, name)?);
        }
        if let Some(metrics) = &self.weighted_metrics {
            compile = compile.weighted_metrics(listed(metrics, name)?);
        }
        model.compile(compile)
    }
}

/// Items with commas between them, or JSON.
fn listed(text: &str, item: impl Fn(&str) -> Result<Json>) -> Result<Json> {
    match text.starts_with(['[', '{']) {
        true => identifier(text),
        false => text.split(',').map(|part| item(part.trim())).collect(),
    }
}

fn number(text: &str) -> Result<Json> {
    let number: Result<f64, _> = text.parse();
    number.map(Json::from).map_err(|_| Error::Invalid(format!("{text}: expected a number")))
}

/// A name, or JSON.
fn identifier(text: &str) -> Result<Json> {
    if !text.starts_with(['[', '{']) {
        return Ok(Json::from(text));
    }
    serde_json::from_str(text).map_err(|error| Error::Invalid(format!("{text}: {error}")))
}

impl Args {
    /// The changes of what trains.
    fn trainable(&self) -> Vec<(String, bool)> {
        let frozen = self.freeze.iter().map(|name| (name.clone(), false));
        frozen.chain(self.unfreeze.iter().map(|name| (name.clone(), true))).collect()
    }

    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut model = self.model.load_to_train(self.trainable())?;
        self.compile.apply(&mut model)?;
        let data = self.data.read(&model)?;
        let validation_data = self.validation.data(&model)?;
        let validates = validation_data.is_some() || self.validation.validation_split > 0.0;
        try_target(&self.save)?;
        let mut callbacks = self.callbacks.make(validates)?;
        let mut bar = ProgbarLogger::new();
        let mut report = Report(out);
        let mut options = FitOptions {
            batch_size: self.rows.batch_size,
            epochs: self.epochs,
            initial_epoch: self.initial_epoch,
            steps_per_epoch: self.steps_per_epoch,
            shuffle: !self.no_shuffle,
            seed: self.seed,
            validation_split: self.validation.validation_split,
            validation_data,
            class_weight: self.class_weight.clone().unwrap_or_default(),
            validation_batch_size: self.validation.validation_batch_size,
            validation_steps: self.validation.validation_steps,
            validation_freq: self.validation.validation_freq.clone(),
            ..FitOptions::on(self.device.open()?)
        };
        options.callbacks.extend(callbacks.iter_mut().map(|callback| callback.as_mut() as _));
        options.callbacks.push(&mut bar);
        // Who watches the bar has seen the numbers.
        if !(stdout().is_terminal() && stderr().is_terminal()) {
            options.callbacks.push(&mut report);
        }
        let history =
            model.fit(&data, &mut options).at(|| self.model.path.display().to_string())?;
        model.save(&self.save)?;
        if let Some(path) = &self.history {
            let text = to_python(&history.to_json());
            std::fs::write(path, text).map_err(|error| Error::io(path, error))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

//! `keraunos predict`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::base::{Error, Result, ResultExt};
use crate::cli::arrays;
use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome;
use crate::cli::model_file::{ModelArgs, Use};
use crate::cli::progress;
use crate::models::{Model, PredictOptions};
use crate::runtime::Device;
use crate::tensor::Tensor;

/// Predict with a model, from arrays in an .npz or .json file to arrays in another
///
/// Arrays of an .npz file are matched to the model's inputs by name, else by number (x0, x1, … or
/// input_0, …), else in the order of the file. Optional inputs may be missing.
///
/// In a .json file a nested list is an array, such as [[0.5, 1], [2, 3]], and text is strings, such as
/// ["a text", "another"]. Several inputs are an object by name, a list of arrays, or lists and objects
/// as the model was declared with. The outputs are written as the model's predict gives them in Keras:
/// nested lists for one, a list or an object of them for several.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Inputs, the batch axis first
    #[arg(long, value_name = "IN.npz|json")]
    inputs: PathBuf,
    /// Where the outputs go: in an .npz file under the names of the output layers
    #[arg(long, value_name = "OUT.npz|json")]
    output: PathBuf,
    /// Name the outputs y0, y1, … instead
    #[arg(long)]
    positional: bool,
    #[command(flatten)]
    rows: BatchArgs,
    /// Batches to predict; all rows where nothing is said
    #[arg(long, value_name = "N", value_parser = positive)]
    steps: Option<usize>,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(clap::Args)]
pub struct BatchArgs {
    /// Rows computed at once; where nothing is said, 32, or the rows' share of the steps
    #[arg(long, value_name = "N", value_parser = positive)]
    pub batch_size: Option<usize>,
}

pub fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number from 1 on".into()),
        Ok(number) => Ok(number),
    }
}

impl Args {
    pub fn run(&self) -> Outcome {
        let model = self.model.load(Use::Answers)?;
        let inputs = read_inputs(&model, &self.inputs)?;
        let device = self.device.open()?;
        let outputs = predict(&model, &inputs, device, (self.rows.batch_size, self.steps))
            .at(|| self.model.path.display().to_string())?;
        arrays::write(&self.output, &model, outputs, self.positional)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The model's inputs from a file, checked against what the model declares; nothing for optional ones
/// that the file leaves out.
pub fn read_inputs(model: &Model, path: &std::path::Path) -> Result<Vec<Option<Tensor>>> {
    let inputs = arrays::read_inputs(path, model)?;
    // Wrong inputs are the caller's, not the model file's.
    let fits = model.conform_given(inputs);
    fits.map_err(|error| Error::Invalid(format!("{}: {error}", path.display())))
}

/// Predicts with a progress bar, in batches of a size or so many of them.
pub fn predict(
    model: &Model,
    inputs: &[Option<Tensor>],
    device: Device,
    (batch_size, steps): (Option<usize>, Option<usize>),
) -> Result<Vec<Tensor>> {
    let bar = progress::counter("predicting", "rows");
    let mut report = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let mut options = PredictOptions::on(device);
    (options.batch_size, options.steps) = (batch_size, steps);
    options.progress = Some(&mut report);
    let outputs = model.predict_with(inputs.to_vec(), &mut options);
    bar.finish_and_clear();
    outputs
}

//! `keraunos evaluate`.

use std::io::Write;
use std::process::ExitCode;

use crate::base::ResultExt;
use crate::callbacks::ProgbarLogger;
use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome;
use crate::cli::fit::{CompileArgs, DataArgs};
use crate::cli::model_file::{ModelArgs, Use};
use crate::cli::predict::BatchArgs;
use crate::saving::json::{Json, to_python};
use crate::trainers::EvaluateOptions;

/// Loss and metrics of a model on arrays in .npz or .json files
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    rows: BatchArgs,
    /// Batches to test; all samples where nothing is said
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    #[command(flatten)]
    compile: CompileArgs,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut model = self.model.load(Use::Answers)?;
        self.compile.apply(&mut model)?;
        let data = self.data.read(&model)?;
        let options = EvaluateOptions {
            batch_size: self.rows.batch_size,
            steps: self.steps,
            ..EvaluateOptions::on(self.device.open()?)
        };
        let mut bar = ProgbarLogger::new();
        let logs = model
            .evaluate_with(&data, &options, &mut [&mut bar])
            .at(|| self.model.path.display().to_string())?;
        if self.json {
            let pairs = logs.into_iter().map(|(name, value)| (name, value.to_json()));
            writeln!(out, "{}", to_python(&Json::Object(pairs.collect())))?;
            return Ok(ExitCode::SUCCESS);
        }
        for (name, value) in logs {
            writeln!(out, "{name}: {}", to_python(&value.to_json()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

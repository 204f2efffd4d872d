//! `keraunos tune`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use crate::base::{Error, Result, ResultExt, Spec};
use crate::cli::bench::{sample, seconds};
use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome;
use crate::cli::model_file::{ModelArgs, Use};
use crate::cli::predict::positive;
use crate::cli::text;
use crate::models::Model;
use crate::program::Options;
use crate::runtime::{Compiled, Device, Measured, Tuning, Verdict};
use crate::trainers::Data;

/// Find the fastest kernels for a model on an adapter, and use them from then on
///
/// Measures every kernel that could compute a part of the model, checks each against the host, and keeps
/// a table. It is used for all models by commands and programs of this user; --tuned and Device::tuned
/// take a table from elsewhere, so that an application can ship one. Exit code 1 if for a part no kernel
/// computes what the host computes.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Rows per run; several with commas between them
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 32], value_parser = positive)]
    batch: Vec<usize>,
    /// The extent of axes that the model leaves open, other than the batch
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = positive)]
    extent: usize,
    /// Tune steps of training as well; the model must be compiled
    #[arg(long)]
    train: bool,
    /// Seconds of counted runs for each kernel and problem
    #[arg(long, value_name = "S", default_value_t = 0.1, value_parser = seconds)]
    seconds: f64,
    /// Where to keep the table: what a file there has of other problems and adapters stays
    /// [default: tuned.json in the user's cache folder, or in $KERAUNOS_CACHE]
    #[arg(long, value_name = "F")]
    output: Option<PathBuf>,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let output = self.output()?;
        let mut tuning = match output.exists() {
            true => Tuning::load(&output)?,
            false => Tuning::default(),
        };
        let mut model = self.model.load(Use::Run)?;
        let device = self.device.open()?;
        let mut plans = Vec::new();
        for &batch in &self.batch {
            plans.extend(
                self.plans(&mut model, batch, &device)
                    .at(|| self.model.path.display().to_string())?,
            );
        }
        let plans: Vec<&Compiled> = plans.iter().map(Arc::as_ref).collect();
        let mut found: Vec<Measured> = Vec::new();
        let span = Duration::from_secs_f64(self.seconds);
        let each = &mut |measured: &Measured| {
            text::line(&measured.problem);
            found.push(measured.clone());
        };
        tuning.merge(Tuning::measure(&plans, &device, span, each)?);
        tuning.save(&output)?;
        match self.json {
            true => writeln!(out, "{:#}", to_json(&found))?,
            false => writeln!(out, "{}\n{}", table(&found), output.display())?,
        }
        let all = found.iter().all(|measured| measured.fastest.is_some());
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn output(&self) -> Result<PathBuf> {
        let output = self.output.clone().or_else(Tuning::cached_path);
        let reason = "there is no cache folder to keep a table in: name a file by --output";
        output.ok_or_else(|| Error::Invalid(reason.into()))
    }

    /// The plans for batches of so many rows.
    fn plans(
        &self,
        model: &mut Model,
        batch: usize,
        device: &Device,
    ) -> Result<Vec<Arc<Compiled>>> {
        let x = sample::inputs(model, batch, self.extent)?;
        let specs: Vec<Spec> = x.iter().map(|x| x.spec().clone()).collect();
        let mut plans = vec![model.compiled(&specs, device, &Options::default())?];
        if self.train {
            let y = sample::labels(model, batch, self.extent)?;
            plans.push(model.train_plan(&Data::new(&x, &y), device)?);
        }
        Ok(plans)
    }
}

fn table(found: &[Measured]) -> String {
    let mut table = text::wide_list(&["problem", "layer", "ms", "used", "others"]);
    for measured in found {
        let is_used = |kernel: &str| measured.fastest == Some(kernel);
        let others = measured.kernels.iter().filter(|(kernel, _)| !is_used(kernel));
        let others: Vec<String> =
            others.map(|(kernel, verdict)| format!("{kernel} {verdict}")).collect();
        let used = measured.kernels.iter().find(|(kernel, _)| is_used(kernel));
        let time = used.map_or("–".into(), |(_, verdict)| verdict.to_string());
        table.add_row([
            measured.problem.clone(),
            measured.scope.clone(),
            time,
            measured.fastest.unwrap_or("none is right").into(),
            others.join(", "),
        ]);
    }
    text::align_right(&mut table, &[2]);
    table.trim_fmt()
}

fn to_json(found: &[Measured]) -> Json {
    let problems = found.iter().map(|measured| {
        let kernels = measured.kernels.iter().map(|(kernel, verdict)| {
            let verdict = match verdict {
                Verdict::Right(seconds) => json!({"seconds": seconds}),
                Verdict::Wrong(what) => json!({"wrong": what}),
                Verdict::Failed(why) => json!({"failed": why}),
            };
            ((*kernel).to_owned(), verdict)
        });
        json!({
            "problem": measured.problem, "layer": measured.scope, "fastest": measured.fastest,
            "kernels": kernels.collect::<Map<_, _>>(),
        })
    });
    json!({"schema": "keraunos-tune/1", "problems": problems.collect::<Vec<_>>()})
}

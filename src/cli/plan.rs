//! `keraunos plan`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::base::{Error, Result, ResultExt, Spec};
use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome;
use crate::cli::model_file::{ModelArgs, Use};
use crate::models::Model;
use crate::program::{Options, Pass, Program};
use crate::runtime::{Compiled, PlanSummary};

/// Show how a prediction is computed: the program, its regions (one dispatch each) and buffers
///
/// Needs no adapter. With --device the plan is also made on that device, and what it takes is added.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Rows per run
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
    /// Leave out a pass: simplify, hoist, fuse, rows, attention or memory
    #[arg(long, value_name = "PASS", value_parser = pass)]
    without: Vec<Pass>,
    /// Write the program after each pass, and the regions, to text files in this folder
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

fn pass(name: &str) -> Result<Pass, String> {
    Pass::from_name(name).map_err(|error| error.to_string())
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let model = self.model.load(Use::Look)?;
        let specs = inputs(&model, self.batch);
        let options = Options { without: self.without.clone() };
        let mut stages: Vec<(String, String)> = Vec::new();
        let mut keep = |pass: &str, program: &Program| {
            stages.push((pass.to_owned(), program.to_string()));
        };
        let mut program = model.program(&specs).at(|| self.model.path.display().to_string())?;
        program.optimize(&options, &mut keep)?;
        let summary = Compiled::describe(&program, &options)?;
        writeln!(out, "program\n{program}\n{summary}")?;
        if let Some(folder) = &self.dump {
            stages.push(("regions".into(), summary.to_string()));
            dump(folder, &stages)?;
        }
        if self.device.is_given() {
            writeln!(out, "{}", self.made(&model, &specs, &options, &summary)?)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What the plan takes on a device.
    fn made(
        &self,
        model: &Model,
        specs: &[Spec],
        options: &Options,
        summary: &PlanSummary,
    ) -> Result<String> {
        let device = self.device.open()?;
        let compiled = model.compiled(specs, &device, options)?;
        Ok(format!(
            "{device}: {} dispatches for {} regions, {} bytes of scratch buffers",
            compiled.dispatches(),
            summary.regions.len(),
            compiled.scratch_bytes()
        ))
    }
}

/// The model's inputs for a batch of so many rows; other unknown extents are 1.
fn inputs(model: &Model, batch: usize) -> Vec<Spec> {
    let spec = |input: crate::models::InputSpec| {
        let mut shape = input.shape;
        if let Some(rows) = shape.0.first_mut() {
            rows.get_or_insert(batch);
        }
        Spec::new(shape.filled(1), input.dtype)
    };
    model.inputs().into_iter().map(spec).collect()
}

/// One file for each stage, numbered in order.
fn dump(folder: &Path, stages: &[(String, String)]) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    for (i, (stage, text)) in stages.iter().enumerate() {
        let path = folder.join(format!("{i}_{stage}.txt"));
        fs::write(&path, text).map_err(|e| Error::io(&path, e))?;
    }
    Ok(())
}

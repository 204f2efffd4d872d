//! `keraunos inspect`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::base::error::quote;
use crate::cli::failure::Outcome;
use crate::cli::inspect_report::{Holds, Report, VariableLine, method};
use crate::cli::model_file::{Use, load_from};
use crate::cli::{audit, standard, text};

/// Show what a model file holds: members, versions, layers, variables, the optimizer's state, and
/// what is not supported
///
/// Works on files that cannot be loaded, too; the exit code is then 2.
#[derive(clap::Args)]
pub struct Args {
    /// A .keras file, the folder form of one, a model or weights in .h5 or .hdf5, weights in .weights.h5
    /// or .weights.json, an architecture in .json such as config.json, or - for standard input
    model: PathBuf,
    /// Say only what is unusual, refused or dangerous in the file; the exit code is 0 if nothing is, 3 if
    /// all of it is only unusual, and 2 otherwise
    #[arg(long)]
    audit: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        if self.audit {
            return audit::run(&self.model, self.json, out);
        }
        let standard = standard::source_for(&self.model)?;
        let mut report = Report::open(&self.model, standard.clone())?;
        // What loading finds comes last: it names a problem in the file by its place.
        if report.holds != Holds::Weights {
            report.problem = load_from(&self.model, standard, Use::Look).err().or(report.problem);
        }
        if self.json {
            writeln!(out, "{:#}", report.to_json())?;
        } else {
            print(&report, out)?;
        }
        match report.problem {
            Some(error) => Err(error.into()),
            None => Ok(ExitCode::SUCCESS),
        }
    }
}

fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let or_unknown = |text: &Option<String>| text.as_deref().map_or("unknown".into(), quote);
    match report.holds {
        Holds::Weights => writeln!(out, "weights without a model")?,
        _ => writeln!(out, "{} '{}'", quote(&report.class_name), quote(&report.name))?,
    }
    match report.holds {
        Holds::Architecture => writeln!(out, "an architecture without weights\n")?,
        Holds::Weights if report.keras_version.is_none() => writeln!(out)?,
        _ => writeln!(
            out,
            "saved by Keras {} at {}\n",
            or_unknown(&report.keras_version),
            or_unknown(&report.date_saved)
        )?,
    }
    if !report.members.is_empty() {
        members(report, out)?;
    }
    if report.holds != Holds::Weights {
        layers(report, out)?;
    }
    if report.holds != Holds::Architecture {
        variables("variable", &report.variables, out)?;
    }
    if report.optimizer.is_some() || !report.optimizer_variables.is_empty() {
        writeln!(out, "optimizer {}", or_unknown(&report.optimizer))?;
    }
    if !report.optimizer_variables.is_empty() {
        variables("optimizer variable", &report.optimizer_variables, out)?;
    }
    if let Some(problem) = &report.problem {
        let what = if report.holds == Holds::Weights { "these weights" } else { "this model" };
        writeln!(out, "{}", text::bad(&format!("{what} cannot be loaded")))?;
        writeln!(out, "  {problem}")?;
        for class in report.unknown_classes() {
            writeln!(out, "  unknown class: {}", quote(&class))?;
        }
    }
    Ok(())
}

fn members(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut table = text::list(&["member", "packed", "bytes", "in the file"]);
    for member in &report.members {
        let bytes = |n: u64| text::thousands(usize::try_from(n).unwrap_or(usize::MAX));
        table.add_row([
            quote(&member.name),
            method(member.method),
            bytes(member.bytes),
            bytes(member.compressed),
        ]);
    }
    text::align_right(&mut table, &[2, 3]);
    writeln!(out, "{}\n", table.trim_fmt())
}

fn layers(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut table = text::list(&["layer", "class", ""]);
    for layer in &report.layers {
        let note = if layer.is_known { "" } else { "unknown" };
        table.add_row([quote(&layer.name), quote(&layer.class_name), note.into()]);
    }
    writeln!(out, "{}\n{}\n", table.trim_fmt(), text::count(report.layers.len(), "layer"))
}

fn variables(noun: &str, lines: &[VariableLine], out: &mut dyn Write) -> io::Result<()> {
    let mut table = text::list(&[noun, "shape", "dtype", "bytes"]);
    for line in lines {
        table.add_row([
            quote(&line.path),
            line.spec().shape.to_string(),
            line.spec().dtype.to_string(),
            text::thousands(line.spec().bytes()),
        ]);
    }
    text::align_right(&mut table, &[3]);
    let bytes: usize = lines.iter().map(|line| line.spec().bytes()).sum();
    let total = format!("{}, {}", text::count(lines.len(), noun), text::size(bytes));
    writeln!(out, "{}\n{total}\n", table.trim_fmt())
}

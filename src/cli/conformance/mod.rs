//! `keraunos conformance`: cases that were recorded from real Keras, run again.

mod compare;
mod initializer_case;
mod metric_case;
mod model_case;
mod object_case;
mod operation_case;
mod optimizer_case;
mod report;
mod schedule_case;
mod suite;
mod test_classes;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::base::{Error, Result};
use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome as Ended;
use crate::cli::progress;
use crate::runtime::Device;

use compare::Comparison;
use report::{Outcome, Report};
use suite::{AREAS, Area, Case};

/// Run cases recorded from real Keras and compare
///
/// Prints each case that does not pass with its reason, a table by class, and in the last line the
/// numbers of passed and failed cases; unsupported ones count as failed. Exits with 1 if any failed.
#[derive(clap::Args)]
pub struct Args {
    /// The folder with one archive of cases per area
    directory: PathBuf,
    /// Run only this area; may be given several times
    #[arg(long = "area", value_name = "AREA", value_parser = clap::builder::PossibleValuesParser::new(AREAS))]
    areas: Vec<String>,
    /// Run only cases whose id contains this
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
    /// Write the verdict of every case to this file
    #[arg(long, value_name = "REPORT")]
    json: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Ended {
        let areas = self.open()?;
        let device = self.device.open()?;
        let start = Instant::now();
        let outcomes = self.run_all(&areas, &device, out)?;
        let seconds = start.elapsed().as_secs_f64();
        let report = Report { device: device.to_string(), outcomes, seconds };
        if let Some(path) = &self.json {
            report.write(path)?;
        }
        writeln!(out, "{}", report.table())?;
        writeln!(out, "{}", report.last_line())?;
        let all = report.sums().passed == report.outcomes.len();
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The areas asked for, or all that are there.
    fn open(&self) -> Result<Vec<Area>> {
        let wanted = |name: &str| self.areas.is_empty() || self.areas.iter().any(|a| a == name);
        let mut areas = Vec::new();
        for name in AREAS.iter().copied().filter(|name| wanted(name)) {
            match Area::open(&self.directory, name)? {
                Some(area) => areas.push(area),
                None if self.areas.is_empty() => {}
                None => return Err(missing(&self.directory, &format!("{name}.zip"))),
            }
        }
        match areas.is_empty() {
            true => Err(missing(&self.directory, "archive of recorded cases, such as layers.zip")),
            false => Ok(areas),
        }
    }

    fn run_all(
        &self,
        areas: &[Area],
        device: &Device,
        out: &mut dyn Write,
    ) -> std::io::Result<Vec<Outcome>> {
        let wanted = |case: &&Case| self.case.as_ref().is_none_or(|part| case.id.contains(part));
        let cases: Vec<(&Area, &Case)> = areas
            .iter()
            .flat_map(|area| area.cases.iter().filter(wanted).map(move |case| (area, case)))
            .collect();
        let bar = progress::counter("running", "cases");
        bar.set_length(cases.len() as u64);
        let mut outcomes = Vec::with_capacity(cases.len());
        for (area, case) in cases {
            let start = Instant::now();
            let result = run_case(area, case, device);
            let seconds = start.elapsed().as_secs_f64();
            let outcome = Outcome::judge((&case.id, area.name, &case.class), result, seconds);
            if let Some(line) = outcome.line() {
                bar.suspend(|| writeln!(out, "{line}").and_then(|()| out.flush()))?;
            }
            bar.inc(1);
            outcomes.push(outcome);
        }
        bar.finish_and_clear();
        Ok(outcomes)
    }
}

fn missing(directory: &Path, what: &str) -> Error {
    Error::Invalid(format!("no {what} in {}", directory.display()))
}

/// Runs one case. A panic is the worst of failures, but no reason not to run the others.
fn run_case(area: &Area, case: &Case, device: &Device) -> Result<Comparison> {
    let run = || match area.name {
        "layers" | "models" => model_case::run(area, case, device),
        "ops" | "activations" => operation_case::run(area, case, device),
        "initializers" => initializer_case::run(area, case),
        "optimizers" => optimizer_case::run(area, case, device),
        "schedules" => schedule_case::run(area, case, device),
        "losses" | "regularizers" | "constraints" => object_case::run(area, case, device),
        "metrics" => metric_case::run(area, case, device),
        other => Err(Error::Unsupported(format!("{other} are not computed by this version"))),
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Error::Internal(format!("panicked: {text}")))
    })
}

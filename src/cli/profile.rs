//! `keraunos profile`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use crate::base::{Result, ResultExt, Spec};
use crate::cli::bench::sample;
use crate::cli::device::DeviceArgs;
use crate::cli::failure::Outcome;
use crate::cli::model_file::{ModelArgs, Use};
use crate::cli::predict::positive;
use crate::cli::text;
use crate::program::Options;
use crate::runtime::{Compiled, Rates, RegionSummary, Times};

/// Show where the time of a prediction goes: for each layer and each dispatch
///
/// Times come from the device's own clock; each dispatch runs in a pass of its own, which costs a
/// little that a prediction does not spend. The share is what the device would need at the best rates
/// it showed in the same run, of what it took.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Rows per run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive)]
    batch: usize,
    /// The extent of axes that the model leaves open, other than the batch
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = positive)]
    extent: usize,
    /// Runs that are counted, after one that is not
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Layers are told apart by so many names of their path
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = positive)]
    depth: usize,
    /// Show every dispatch
    #[arg(long)]
    dispatches: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A dispatch, or those of a layer together.
struct Line {
    name: String,
    dispatches: usize,
    seconds: f64,
    /// Seconds at the device's best rates.
    least: f64,
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let model = self.model.load(Use::Run)?;
        let device = self.device.open()?;
        let inputs = sample::inputs(&model, self.batch, self.extent)
            .at(|| self.model.path.display().to_string())?;
        let specs: Vec<Spec> = inputs.iter().map(|x| x.spec().clone()).collect();
        let plan = model.compiled(&specs, &device, &Options::default())?;
        let rates = Rates::measure(&device)?;
        plan.run(&inputs)?;
        let regions = &plan.summary().regions;
        let seconds = self.times(&plan, &inputs)?;
        let dispatches: Vec<Line> = regions
            .iter()
            .zip(&seconds)
            .map(|(region, &seconds)| Line {
                name: region.to_string(),
                dispatches: 1,
                seconds,
                least: rates.seconds(region.cost),
            })
            .collect();
        let layers = self.layers(regions, &dispatches);
        if self.json {
            writeln!(out, "{:#}", to_json(&layers, &dispatches, regions))?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(out, "{}", table("layer", &layers))?;
        if self.dispatches {
            writeln!(out, "\n{}", table("dispatch", &dispatches))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The median seconds of each region.
    fn times(&self, plan: &Compiled, inputs: &[crate::tensor::Tensor]) -> Result<Vec<f64>> {
        let mut runs: Vec<Vec<f64>> = vec![Vec::new(); plan.summary().regions.len()];
        for _ in 0..self.runs {
            for (region, time) in plan.run_timed(inputs)? {
                runs[region].push(time.as_secs_f64());
            }
        }
        // What has no elements is no dispatch.
        let median =
            |runs: Vec<f64>| if runs.is_empty() { 0.0 } else { Times::from(runs).median() };
        Ok(runs.into_iter().map(median).collect())
    }

    /// The dispatches of each layer together, slowest first.
    fn layers(&self, regions: &[RegionSummary], dispatches: &[Line]) -> Vec<Line> {
        let mut layers: BTreeMap<String, Line> = BTreeMap::new();
        for (region, line) in regions.iter().zip(dispatches) {
            let name = region.scope.split('/').take(self.depth).collect::<Vec<_>>().join("/");
            let layer = layers.entry(name.clone()).or_insert(Line {
                name,
                dispatches: 0,
                seconds: 0.0,
                least: 0.0,
            });
            layer.dispatches += 1;
            layer.seconds += line.seconds;
            layer.least += line.least;
        }
        let mut layers: Vec<Line> = layers.into_values().collect();
        layers.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        layers
    }
}

fn table(what: &str, lines: &[Line]) -> String {
    let total: f64 = lines.iter().map(|line| line.seconds).sum();
    let mut table = text::list(&["ms", "of all", "share", "dispatches", what]);
    let percent = |part: f64| format!("{:.1} %", part * 100.0);
    for line in lines {
        table.add_row([
            format!("{:.3}", line.seconds * 1e3),
            percent(line.seconds / total),
            percent(line.least / line.seconds),
            line.dispatches.to_string(),
            line.name.clone(),
        ]);
    }
    let (dispatches, least) =
        lines.iter().fold((0, 0.0), |(n, s), line| (n + line.dispatches, s + line.least));
    table.add_row([
        format!("{:.3}", total * 1e3),
        percent(1.0),
        percent(least / total),
        dispatches.to_string(),
        "all".into(),
    ]);
    text::align_right(&mut table, &[0, 1, 2, 3]);
    table.trim_fmt()
}

fn to_json(layers: &[Line], dispatches: &[Line], regions: &[RegionSummary]) -> serde_json::Value {
    let layers = layers.iter().map(|line| {
        let Line { name, dispatches, seconds, least } = line;
        json!({"name": name, "dispatches": dispatches, "seconds": seconds, "least_s": least})
    });
    let dispatches = dispatches.iter().zip(regions).map(|(line, region)| {
        json!({
            "layer": region.scope, "what": region.text, "seconds": line.seconds,
            "flops": region.cost.flops, "bytes": region.cost.bytes, "least_s": line.least,
        })
    });
    json!({
        "schema": "keraunos-profile/1",
        "layers": layers.collect::<Vec<_>>(),
        "dispatches": dispatches.collect::<Vec<_>>(),
    })
}

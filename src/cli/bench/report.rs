//! What `keraunos bench` says: tables for people, JSON for programs.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::cli::text;
use crate::program::Cost;
use crate::runtime::{Device, Rates, Times};

/// Name and version of the JSON's form. Keys may be added under the same version.
const SCHEMA: &str = "keraunos-bench/1";

/// One line: a model at a batch size, or a kernel.
pub struct Measured {
    pub name: String,
    pub cold: Option<Cold>,
    pub times: Times,
    /// Seconds of the processor for each run, all threads together, where they are known.
    pub processor: Option<f64>,
    /// Samples in one run.
    pub batch: usize,
    /// Arithmetic and traffic of one run, where they are known, and the least seconds that it can
    /// take at the device's rates.
    pub work: Option<(Cost, f64)>,
    pub memory: Option<Memory>,
}

/// Seconds until the first result.
pub struct Cold {
    pub open: f64,
    pub load: f64,
    /// Planning, compiling kernels, bringing weights to the device, and the run.
    pub first: f64,
}

/// Bytes on the device.
pub struct Memory {
    /// Weights, inputs, outputs and intermediate values.
    pub device: u64,
    /// Intermediate values alone.
    pub scratch: u64,
    /// Largest sum of intermediate values that are alive at one time.
    pub live: u64,
}

/// All that was measured.
pub struct Report {
    model: Option<String>,
    devices: Vec<Section>,
}

/// The lines of a device.
struct Section {
    device: Json,
    heading: String,
    rates: Rates,
    lines: Vec<Measured>,
}

impl Report {
    pub fn new(model: Option<&Path>) -> Report {
        Report { model: model.map(|path| path.display().to_string()), devices: Vec::new() }
    }

    /// Begins the lines of a device.
    pub fn device(&mut self, device: &Device, rates: Rates) {
        let (json, driver) = match device {
            Device::Gpu(gpu) => {
                let caps = gpu.caps();
                let kind = format!("{:?}", caps.kind).to_lowercase();
                let json = json!({
                    "name": caps.name, "kind": kind, "backend": caps.backend, "driver": caps.driver,
                });
                (json, format!(", {}", caps.driver))
            }
            Device::Host => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                let json = json!({"name": "host", "kind": "processor", "cores": cores});
                (json, format!(", {}", text::count(cores, "core")))
            }
        };
        let (flops, bytes) = (rates.flops / 1e9, rates.bytes / 1e9);
        let heading =
            format!("{device}{driver}\nat best {flops:.1} GFLOP/s and {bytes:.1} GB/s in this run");
        self.devices.push(Section { device: json, heading, rates, lines: Vec::new() });
    }

    /// Adds a line to the device begun last.
    pub fn push(&mut self, line: Measured) {
        if let Some(section) = self.devices.last_mut() {
            section.lines.push(line);
        }
    }

    /// What stands above the table of the device begun last.
    pub fn heading(&self) -> &str {
        self.devices.last().map_or("", |section| &section.heading)
    }

    /// The table of the device begun last.
    pub fn table(&self) -> String {
        let Some(section) = self.devices.last() else { return String::new() };
        let header =
            ["", "first ms", "median ms", "p95 ms", "per s", "GFLOP/s", "GB/s", "share", "memory"];
        let mut table = text::wide_list(&header);
        for line in &section.lines {
            table.add_row(line.row());
        }
        text::align_right(&mut table, &(1..header.len()).collect::<Vec<_>>());
        table.trim_fmt()
    }

    pub fn to_json(&self) -> Json {
        let devices = self.devices.iter().map(|section| {
            json!({
                "device": section.device,
                "best": {"flops_per_s": section.rates.flops, "bytes_per_s": section.rates.bytes},
                "lines": section.lines.iter().map(Measured::to_json).collect::<Vec<_>>(),
            })
        });
        json!({
            "schema": SCHEMA,
            "version": env!("CARGO_PKG_VERSION"),
            "model": self.model,
            "devices": devices.collect::<Vec<_>>(),
        })
    }
}

impl Measured {
    /// The part of the median that the device would need at its best.
    fn share(&self) -> Option<f64> {
        self.work.map(|(_, least)| least / self.times.median())
    }

    fn row(&self) -> Vec<String> {
        let or_dash = |text: Option<String>| text.unwrap_or("–".into());
        let ms = |seconds: f64| format!("{:.3}", seconds * 1e3);
        let rate = |amount: fn(Cost) -> u64| {
            self.work.map(|(cost, _)| amount(cost) as f64 / self.times.median() / 1e9)
        };
        let rated = |rate: Option<f64>| or_dash(rate.map(|rate| format!("{rate:.2}")));
        vec![
            self.name.clone(),
            or_dash(self.cold.as_ref().map(|cold| ms(cold.first))),
            ms(self.times.median()),
            ms(self.times.quantile(0.95)),
            format!("{:.1}", self.batch as f64 / self.times.median()),
            rated(rate(|cost| cost.flops)),
            rated(rate(|cost| cost.bytes)),
            or_dash(self.share().map(|share| format!("{:.0} %", share * 100.0))),
            or_dash(self.memory.as_ref().map(|memory| text::size(memory.device as usize))),
        ]
    }

    fn to_json(&self) -> Json {
        let times = &self.times;
        let mut line = json!({
            "name": self.name,
            "batch": self.batch,
            "runs": times.len(),
            "not_counted": 1,
            "seconds": {
                "median": times.median(), "p95": times.quantile(0.95),
                "least": times.least(), "most": times.most(),
            },
            "samples_per_s": self.batch as f64 / times.median(),
        });
        if let Some(seconds) = self.processor {
            line["cpu_s"] = json!(seconds);
        }
        if let Some(cold) = &self.cold {
            let Cold { open, load, first } = cold;
            line["cold"] = json!({"open_s": open, "load_s": load, "first_s": first});
        }
        if let Some((cost, least)) = &self.work {
            line["work"] = json!({"flops": cost.flops, "bytes": cost.bytes, "least_s": least});
            line["share"] = json!(self.share());
        }
        if let Some(memory) = &self.memory {
            let Memory { device, scratch, live } = memory;
            line["memory"] = json!({
                "device_bytes": device, "scratch_bytes": scratch, "peak_live_bytes": live,
            });
        }
        line
    }
}

//! `keraunos adapters`.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::cli::failure::Outcome;
use crate::cli::text;
use crate::gpu::{Caps, Choice, adapters};

/// List what can compute on this machine, and which of it `auto` takes
#[derive(clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let adapters = adapters();
        let auto = adapters.iter().position(|caps| Choice::BestGpu.accepts(caps));
        if self.json {
            writeln!(out, "{:#}", to_json(&adapters, auto))?;
        } else {
            print(&adapters, auto, out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn kind(caps: &Caps) -> String {
    format!("{:?}", caps.kind).to_lowercase()
}

fn to_json(adapters: &[Caps], auto: Option<usize>) -> Json {
    let list = adapters.iter().map(|caps| {
        json!({
            "name": caps.name,
            "kind": kind(caps),
            "backend": caps.backend,
            "driver": caps.driver,
            "max_storage_binding": caps.max_storage_binding,
            "max_buffer": caps.max_buffer,
            "f16": caps.f16,
            "subgroups": caps.subgroups.is_some(),
            "timestamps": caps.timestamps,
        })
    });
    let auto = auto.map_or("host", |i| adapters[i].name.as_str());
    json!({"adapters": list.collect::<Vec<_>>(), "auto": auto})
}

fn print(adapters: &[Caps], auto: Option<usize>, out: &mut dyn Write) -> std::io::Result<()> {
    let mark = |chosen: bool| if chosen { "auto" } else { "" };
    let mut table = text::list(&["", "name", "kind", "interface", "driver", "largest buffer"]);
    for (i, caps) in adapters.iter().enumerate() {
        let largest = usize::try_from(caps.max_storage_binding).unwrap_or(usize::MAX);
        table.add_row([
            mark(auto == Some(i)),
            caps.name.as_str(),
            kind(caps).as_str(),
            caps.backend.as_str(),
            caps.driver.as_str(),
            text::size(largest).as_str(),
        ]);
    }
    table.add_row([mark(auto.is_none()), "host", "processor", "", "", ""]);
    writeln!(out, "{}", table.trim_fmt())
}

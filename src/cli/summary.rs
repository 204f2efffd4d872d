//! `keraunos summary`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::base::error::quote;
use crate::cli::failure::Outcome;
use crate::cli::{progress, text};
use crate::models::{Summary, SummaryRow};

/// Print Keras's summary of a model
#[derive(clap::Args)]
pub struct Args {
    /// A .keras file, or the folder form of one
    model: PathBuf,
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let summary = progress::load(&self.model)?.summary();
        print(&summary, out)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Model: \"{}\"", quote(&summary.name))?;
    writeln!(out, "{}", table(summary))?;
    let frozen_params = summary.total_params - summary.trainable_params;
    let frozen_bytes = summary.bytes - summary.trainable_bytes;
    let mut total = |label: &str, params: usize, bytes: usize| {
        writeln!(out, " {label} params: {} ({})", text::thousands(params), text::size(bytes))
    };
    let all = summary.total_params + summary.optimizer_params;
    total("Total", all, summary.bytes + summary.optimizer_bytes)?;
    total("Trainable", summary.trainable_params, summary.trainable_bytes)?;
    total("Non-trainable", frozen_params, frozen_bytes)?;
    if summary.optimizer_params > 0 {
        total("Optimizer", summary.optimizer_params, summary.optimizer_bytes)?;
    }
    Ok(())
}

fn table(summary: &Summary) -> comfy_table::Table {
    let connected = !is_chain(&summary.rows);
    let mut header = vec!["Layer (type)", "Output Shape", "Param #"];
    if connected {
        header.push("Connected to");
    }
    let mut table = text::table(&header);
    for row in &summary.rows {
        let mut cells = vec![
            format!("{} ({})", quote(&row.name), quote(&row.class_name)),
            row.output_shape.clone(),
            text::thousands(row.params),
        ];
        if connected {
            let sources: Vec<String> = row.connected_to.iter().map(|s| quote(s)).collect();
            cells.push(if sources.is_empty() { "-".into() } else { sources.join(", ") });
        }
        table.add_row(cells);
    }
    text::align_right(&mut table, &[2]);
    table
}

/// Whether every layer is called once, with what the layer before it gives: then Keras leaves out the
/// connections.
fn is_chain(rows: &[SummaryRow]) -> bool {
    let follows = |pair: &[SummaryRow]| pair[1].connected_to == [format!("{}[0][0]", pair[0].name)];
    rows.iter().all(|row| row.connected_to.is_empty()) || rows.windows(2).all(follows)
}

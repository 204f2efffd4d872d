//! `keraunos summary`.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::base::error::quote;
use crate::cli::failure::Outcome;
use crate::cli::model_file::{ModelArgs, Use};
use crate::cli::text;
use crate::models::{Summary, SummaryRow};

/// Print Keras's summary of a model
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Show the layers of models within the model
    #[arg(long)]
    expand_nested: bool,
    /// Show which layers train
    #[arg(long)]
    show_trainable: bool,
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let model = self.model.load(Use::Look)?;
        let summary = if self.expand_nested { model.summary_expanded() } else { model.summary() };
        print(&summary, self.show_trainable, out)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print(summary: &Summary, show_trainable: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Model: \"{}\"", quote(&summary.name))?;
    writeln!(out, "{}", table(summary, show_trainable))?;
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

fn table(summary: &Summary, show_trainable: bool) -> comfy_table::Table {
    let mut header = vec!["Layer (type)", "Output Shape", "Param #"];
    if !summary.is_chain {
        header.push("Connected to");
    }
    if show_trainable {
        header.push("Trainable");
    }
    let mut table = text::table(&header);
    for row in &summary.rows {
        let params = text::thousands(row.params);
        let mut cells = vec![
            format!("{}{} ({})", branch(row.level), quote(&row.name), quote(&row.class_name)),
            row.output_shape.clone(),
            if row.is_built { params } else { "0 (unbuilt)".into() },
        ];
        if !summary.is_chain {
            cells.push(connections(row));
        }
        if show_trainable {
            let shown = row.trainable.map_or("-", |trains| if trains { "Y" } else { "N" });
            cells.push(shown.into());
        }
        table.add_row(cells);
    }
    text::align_right(&mut table, &[2]);
    table
}

/// What stands before the name of a layer in a model within the model.
fn branch(level: usize) -> String {
    if level == 0 { String::new() } else { format!("{}└ ", "   ".repeat(level)) }
}

fn connections(row: &SummaryRow) -> String {
    let sources: Vec<String> = row.connected_to.iter().map(|source| quote(source)).collect();
    if sources.is_empty() { "-".into() } else { sources.join(", ") }
}

//! Progress on standard error; nothing where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::base::Result;
use crate::cli::text;
use crate::models::Model;

/// How often a bar is drawn while nothing is reported.
const TICK: Duration = Duration::from_millis(100);

/// A bar of counted things, such as rows.
pub fn counter(label: &'static str, unit: &str) -> ProgressBar {
    bar(label, &format!("{{pos}}/{{len}} {unit}"))
}

/// A bar of bytes.
pub fn bytes(label: &'static str) -> ProgressBar {
    bar(label, "{binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}")
}

fn bar(label: &'static str, numbers: &str) -> ProgressBar {
    let template = format!("{{spinner}} {{msg}} [{{wide_bar}}] {numbers} {{eta}}");
    let style = ProgressStyle::with_template(&template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style).with_message(label);
    bar.enable_steady_tick(TICK);
    bar
}

/// Does something while a spinner turns.
pub fn spin<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    spinner.enable_steady_tick(TICK);
    let done = work();
    spinner.finish_and_clear();
    done
}

/// Says where a model is computed in float32 instead of float64.
pub fn warn_of_narrowed(model: &Model) {
    let [first, ..] = model.narrowed() else { return };
    let others = match model.narrowed().len() {
        1 => String::new(),
        all => format!(" and {} more", all - 1),
    };
    text::line(&format!("warning: computed in float32 instead of float64: {first}{others}"));
}

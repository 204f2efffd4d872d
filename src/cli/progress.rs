//! Progress on standard error; nothing where that is no terminal.

use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::base::Result;
use crate::cli::{loading, text};
use crate::models::Model;
use crate::saving::saving_lib::{LoadOptions, load_model_with};

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

/// Loads a model while a spinner turns, and says whether its file is whole.
pub fn load(path: &Path) -> Result<Model> {
    load_with(path, false)
}

/// Loads a model all of whose weights are about to be used, which says whether its file is whole: they
/// are read once then.
pub fn load_for_use(path: &Path) -> Result<Model> {
    load_with(path, true)
}

fn load_with(path: &Path, lazy: bool) -> Result<Model> {
    let spinner = ProgressBar::new_spinner().with_message(format!("loading {}", path.display()));
    spinner.enable_steady_tick(TICK);
    let options = LoadOptions { lazy, ..loading::options() };
    let model = load_model_with(path, &options);
    spinner.finish_and_clear();
    let model = model?;
    if let [first, ..] = model.narrowed() {
        let others = match model.narrowed().len() {
            1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        text::line(&format!("warning: computed in float32 instead of float64: {first}{others}"));
    }
    Ok(model)
}

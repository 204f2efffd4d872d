//! How files are opened, from the command line: bounds on what they may ask for, and float64.

use std::str::FromStr;
use std::sync::OnceLock;

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::Limits;
use crate::saving::saving_lib::LoadOptions;

/// What `--limit` changes, such as `config_bytes=1GiB`.
#[derive(Clone, Debug)]
pub struct Change {
    field: String,
    value: u64,
}

impl FromStr for Change {
    type Err = Error;

    fn from_str(text: &str) -> Result<Change> {
        let refuse = || {
            let text = quote(text);
            Error::Invalid(format!("'{text}': expected NAME=NUMBER, such as config_bytes=64MiB"))
        };
        let (field, value) = text.split_once('=').ok_or_else(refuse)?;
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
        let unit = units.iter().find_map(|(unit, bits)| Some((value.strip_suffix(unit)?, *bits)));
        let (number, bits) = unit.unwrap_or((value, 0));
        let number: u64 = number.trim().parse().map_err(|_| refuse())?;
        let value = number.checked_mul(1 << bits).ok_or_else(refuse)?;
        // A name that is not there is found now, not when the first file is opened.
        Limits::default().set(field, value)?;
        Ok(Change { field: field.into(), value })
    }
}

/// How files are opened.
#[derive(Clone, Debug, clap::Args)]
pub struct LoadArgs {
    /// Allow files more, or less, than usual: a field of the library's Limits and its value, such as
    /// config_bytes=128MiB
    #[arg(long = "limit", global = true, value_name = "NAME=VALUE")]
    limits: Vec<Change>,
    /// Compute in float32 what a model wants in float64, with a warning; such models are refused
    /// otherwise
    #[arg(long, global = true)]
    narrow_float64: bool,
}

/// How this run of the tool opens files.
#[derive(Default)]
struct Loading {
    limits: Limits,
    narrow_float64: bool,
}

static LOADING: OnceLock<Loading> = OnceLock::new();

impl LoadArgs {
    /// Takes what the command line says, once, before any file is opened.
    pub fn apply(&self) -> Result<()> {
        let mut limits = Limits::default();
        self.limits.iter().try_for_each(|change| limits.set(&change.field, change.value))?;
        LOADING.get_or_init(|| Loading { limits, narrow_float64: self.narrow_float64 });
        Ok(())
    }
}

/// The limits that files are opened with.
pub fn limits() -> Limits {
    LOADING.get().map(|loading| loading.limits.clone()).unwrap_or_default()
}

/// The options that models are loaded with.
pub fn options() -> LoadOptions {
    let narrow_float64 = LOADING.get().is_some_and(|loading| loading.narrow_float64);
    LoadOptions { limits: limits(), narrow_float64, ..LoadOptions::default() }
}

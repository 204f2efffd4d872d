//! Bounds on what files may ask for, from the command line.

use std::str::FromStr;
use std::sync::OnceLock;

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::Limits;

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

/// The limits of this run of the tool.
static LIMITS: OnceLock<Limits> = OnceLock::new();

/// Takes the changes of the command line, once, before any file is opened.
pub fn change(changes: &[Change]) -> Result<()> {
    let mut limits = Limits::default();
    changes.iter().try_for_each(|change| limits.set(&change.field, change.value))?;
    LIMITS.get_or_init(|| limits);
    Ok(())
}

/// The limits that files are opened with.
pub fn current() -> Limits {
    LIMITS.get().cloned().unwrap_or_default()
}

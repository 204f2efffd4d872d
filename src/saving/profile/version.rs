//! Versions of Keras.

use std::fmt;
use std::str::FromStr;

use crate::base::error::quote;
use crate::base::{Error, Result};

/// A version of Keras 3, such as `3.6` or `3.6.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KerasVersion {
    minor: u32,
    patch: u32,
}

impl KerasVersion {
    /// The oldest version that files can be written for; those before lose state of their own.
    pub const OLDEST: KerasVersion = KerasVersion { minor: 0, patch: 5 };
    /// The version whose layout is written unless another one is asked for.
    pub const NEWEST: KerasVersion = KerasVersion { minor: 15, patch: 1 };

    /// The second number: 6 of `3.6.0`.
    pub(super) fn minor(self) -> u32 {
        self.minor
    }
}

impl FromStr for KerasVersion {
    type Err = Error;

    /// Reads `3.6` or `3.6.0`. The third number makes no difference to a file.
    fn from_str(text: &str) -> Result<KerasVersion> {
        let refuse = |what: String| {
            Error::Invalid(format!("'{}' is no version of Keras to write for: {what}", quote(text)))
        };
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        let version = match numbers.as_deref() {
            Some([3, 0]) => KerasVersion::OLDEST,
            Some([3, minor]) => KerasVersion { minor: *minor, patch: 0 },
            Some([3, minor, patch]) => KerasVersion { minor: *minor, patch: *patch },
            Some([2, ..]) => {
                return Err(refuse("Keras 2 does not read what Keras 3 writes".into()));
            }
            _ => return Err(refuse("expected two or three numbers, such as 3.6".into())),
        };
        let (oldest, newest) = (KerasVersion::OLDEST, KerasVersion::NEWEST);
        if version < oldest || version.minor > newest.minor {
            return Err(refuse(format!("{oldest} is the oldest and {newest} the newest")));
        }
        Ok(version)
    }
}

impl fmt::Display for KerasVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}.{}", self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let text = |text: &str| text.parse::<KerasVersion>().map(|version| version.to_string());
        assert_eq!(text("3.6").unwrap(), "3.6.0");
        assert_eq!(text("3.10.1").unwrap(), "3.10.1");
        assert_eq!(text("3.0").unwrap(), "3.0.5");
        for wrong in ["", "3", "2.15.0", "3.0.4", "3.16", "3.x", "4.0.0", "3.6.0.1", "-3.6"] {
            assert!(text(wrong).unwrap_err().to_string().contains("no version"), "{wrong}");
        }
    }
}

//! Computed and recorded values.

use crate::base::{Error, Result};
use crate::cli::conformance::suite::{Case, Leaf};
use crate::cli::difference::{Difference, Tolerance};
use crate::saving::json::{self, Json};
use crate::tensor::Tensor;

/// The tolerance that a case asks for.
pub fn tolerance(case: &Case) -> Tolerance {
    let of = |key: &str| case.get("tolerance").get(key).and_then(json::float).unwrap_or(0.0);
    Tolerance { relative: of("rtol"), absolute: of("atol") }
}

/// How far values are from the recorded ones, and whether that is too far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// The largest difference of two elements.
    pub max_abs: f64,
    /// The largest difference of two elements over the recorded one.
    pub max_rel: f64,
    /// Where and how the values first differ by too much.
    pub mismatch: Option<String>,
}

impl Comparison {
    /// Values that differ in something else than numbers, or not at all.
    pub fn unless(mismatch: Option<String>) -> Comparison {
        Comparison { mismatch, ..Comparison::default() }
    }

    /// Compares outputs in order: shapes and dtypes, then elements.
    pub fn of(found: &[Tensor], expected: &[&Leaf], tolerance: Tolerance) -> Result<Comparison> {
        if found.len() != expected.len() {
            let what = format!("{} outputs, expected {}", found.len(), expected.len());
            return Ok(Comparison::unless(Some(what)));
        }
        let mut all = Comparison::default();
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            let one = match expected {
                Leaf::Array(expected) => tensors(found, expected, tolerance),
                Leaf::Plain(expected) => plain(found, expected)?,
            };
            all.include(one, i);
        }
        Ok(all)
    }

    /// Adds what another output, the one at `position`, showed.
    pub fn include(&mut self, other: Comparison, position: usize) {
        self.max_abs = self.max_abs.max(other.max_abs);
        self.max_rel = self.max_rel.max(other.max_rel);
        if self.mismatch.is_none() {
            self.mismatch = other.mismatch.map(|what| format!("output {position}: {what}"));
        }
    }
}

fn tensors(found: &Tensor, expected: &Tensor, tolerance: Tolerance) -> Comparison {
    if found.spec() != expected.spec() {
        let what = format!("{}, expected {}", found.spec(), expected.spec());
        return Comparison::unless(Some(what));
    }
    let difference = Difference::of(found, expected, tolerance);
    let (max_abs, max_rel) = difference.largest();
    let mismatch = (!difference.is_none_beyond()).then(|| difference.to_string());
    Comparison { max_abs, max_rel, mismatch }
}

/// Compares an output with a plain number or boolean.
fn plain(found: &Tensor, expected: &Json) -> Result<Comparison> {
    let number = match expected {
        Json::Bool(b) => Some(f64::from(u8::from(*b))),
        other => json::float(other),
    };
    let number = number.ok_or_else(|| {
        Error::Unsupported(format!("a recorded output that is no array: {expected}"))
    })?;
    let same = found.len() == 1 && found.iter_f64().all(|x| x == number);
    Ok(Comparison::unless((!same).then(|| format!("{found:?}, expected {number}"))))
}

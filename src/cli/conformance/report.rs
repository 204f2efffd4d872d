//! What a run found: lines, a table, and JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::base::{Error, Result};
use crate::cli::conformance::compare::Comparison;
use crate::cli::text;
use crate::saving::json::Json;

/// Version of the JSON report's layout.
///
/// A report is an object with `schema` (this number), `version` (of this program), `device`,
/// `seconds`, the sums `passed`, `failed` and `unsupported`, `classes` (a list of sums by `area` and
/// `class`) and `cases`: a list of objects with `id`, `area`, `class`, `verdict` (`passed`,
/// `failed`, `unsupported`), `reason` (null for passed ones), `max_abs` and `max_rel` (the largest
/// differences of finite elements; null where nothing was compared) and `seconds`.
const SCHEMA: u32 = 1;

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    /// Not done by this version; the last line counts it as failed.
    Unsupported,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Unsupported => "unsupported",
        }
    }
}

/// The end of one case.
pub struct Outcome {
    pub id: String,
    pub area: &'static str,
    pub class: String,
    pub verdict: Verdict,
    pub reason: Option<String>,
    pub comparison: Option<Comparison>,
    pub seconds: f64,
}

impl Outcome {
    /// Judges what a case gave.
    pub fn judge(
        (id, area, class): (&str, &'static str, &str),
        result: Result<Comparison>,
        seconds: f64,
    ) -> Outcome {
        let (verdict, reason, comparison) = match result {
            Ok(comparison) => match comparison.mismatch.clone() {
                None => (Verdict::Passed, None, Some(comparison)),
                Some(what) => (Verdict::Failed, Some(what), Some(comparison)),
            },
            Err(error) => {
                let verdict = match error.root() {
                    Error::Unsupported(_) | Error::UnknownClass { .. } => Verdict::Unsupported,
                    _ => Verdict::Failed,
                };
                (verdict, Some(error.to_string()), None)
            }
        };
        let (id, class) = (id.to_owned(), class.to_owned());
        Outcome { id, area, class, verdict, reason, comparison, seconds }
    }

    /// One line about a case that did not pass.
    pub fn line(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(format!("{} {} ({}): {reason}", self.verdict.name(), self.id, self.class))
    }

    fn json(&self) -> Json {
        let number = |of: fn(&Comparison) -> f64| self.comparison.as_ref().map(of);
        json!({
            "id": self.id,
            "area": self.area,
            "class": self.class,
            "verdict": self.verdict.name(),
            "reason": self.reason,
            "max_abs": number(|c| c.max_abs),
            "max_rel": number(|c| c.max_rel),
            "seconds": self.seconds,
        })
    }
}

/// Numbers of cases by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub passed: usize,
    pub failed: usize,
    pub unsupported: usize,
}

impl Sums {
    fn count<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Sums {
        let mut sums = Sums::default();
        outcomes.into_iter().for_each(|outcome| sums.add(outcome.verdict));
        sums
    }

    fn add(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Passed => &mut self.passed,
            Verdict::Failed => &mut self.failed,
            Verdict::Unsupported => &mut self.unsupported,
        } += 1;
    }

    fn cells(self) -> [String; 3] {
        [self.passed, self.failed, self.unsupported].map(|n| n.to_string())
    }
}

/// All that a run found.
pub struct Report {
    pub device: String,
    pub outcomes: Vec<Outcome>,
    pub seconds: f64,
}

impl Report {
    pub fn sums(&self) -> Sums {
        Sums::count(&self.outcomes)
    }

    /// Sums by area, in the order in which they ran, and class.
    fn classes(&self) -> Vec<(&'static str, &str, Sums)> {
        let mut areas: Vec<(&'static str, BTreeMap<&str, Sums>)> = Vec::new();
        for outcome in &self.outcomes {
            if areas.last().is_none_or(|(area, _)| *area != outcome.area) {
                areas.push((outcome.area, BTreeMap::new()));
            }
            if let Some((_, classes)) = areas.last_mut() {
                classes.entry(&outcome.class).or_default().add(outcome.verdict);
            }
        }
        let rows = areas.into_iter().flat_map(|(area, classes)| {
            classes.into_iter().map(move |(class, sums)| (area, class, sums))
        });
        rows.collect()
    }

    /// A row for each class, and one for each area with the sum.
    pub fn table(&self) -> comfy_table::Table {
        let mut table = text::list(&["Area", "Class", "Passed", "Failed", "Unsupported"]);
        let classes = self.classes();
        for (i, &(area, class, sums)) in classes.iter().enumerate() {
            let [passed, failed, unsupported] = sums.cells();
            table.add_row([area, class, &passed, &failed, &unsupported]);
            if classes.get(i + 1).is_none_or(|next| next.0 != area) {
                let all = Sums::count(self.outcomes.iter().filter(|o| o.area == area));
                let [passed, failed, unsupported] = all.cells();
                table.add_row([area, "total", &passed, &failed, &unsupported]);
            }
        }
        text::align_right(&mut table, &[2, 3, 4]);
        table
    }

    /// The closing line.
    pub fn last_line(&self) -> String {
        let sums = self.sums();
        format!("{} passed, {} failed", sums.passed, sums.failed + sums.unsupported)
    }

    /// Writes the report as JSON.
    pub fn write(&self, path: &Path) -> Result<()> {
        let sums = self.sums();
        let classes: Vec<Json> = self
            .classes()
            .into_iter()
            .map(|(area, class, sums)| {
                let Sums { passed, failed, unsupported } = sums;
                json!({
                    "area": area, "class": class,
                    "passed": passed, "failed": failed, "unsupported": unsupported,
                })
            })
            .collect();
        let report = json!({
            "schema": SCHEMA,
            "version": env!("CARGO_PKG_VERSION"),
            "device": self.device,
            "seconds": self.seconds,
            "passed": sums.passed,
            "failed": sums.failed,
            "unsupported": sums.unsupported,
            "classes": classes,
            "cases": self.outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
        });
        fs::write(path, format!("{report:#}\n")).map_err(|error| Error::io(path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(area: &'static str, class: &str, result: Result<Comparison>) -> Outcome {
        Outcome::judge(("id", area, class), result, 0.5)
    }

    #[test]
    fn unsupported_counts_as_failed_in_the_last_line() {
        let outcomes = vec![
            outcome("layers", "Dense", Ok(Comparison::default())),
            outcome("layers", "Dense", Err(Error::Unsupported("this".into()))),
            outcome("layers", "Add", Err(Error::Invalid("a\n b".into()))),
            outcome("ops", "add", Ok(Comparison::default())),
        ];
        assert_eq!(outcomes[2].line().unwrap(), "failed id (Add): a b");
        let report = Report { device: "host".into(), outcomes, seconds: 1.0 };
        assert_eq!(report.last_line(), "2 passed, 2 failed");
        let sums = |passed, failed, unsupported| Sums { passed, failed, unsupported };
        let expected = [
            ("layers", "Add", sums(0, 1, 0)),
            ("layers", "Dense", sums(1, 0, 1)),
            ("ops", "add", sums(1, 0, 0)),
        ];
        assert_eq!(report.classes(), expected);
    }
}

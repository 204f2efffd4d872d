//! Repeated measurements of time.

use std::fmt;
use std::time::{Duration, Instant};

use crate::base::Result;

/// Seconds of several runs, sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times(Vec<f64>);

impl Times {
    /// Runs that a measurement has at least, after one that is not counted.
    pub const RUNS: usize = 5;

    /// Runs once without counting, then for `span` and at least [`RUNS`](Times::RUNS) times.
    ///
    /// # Errors
    /// The first of the runs.
    pub fn of(span: Duration, run: impl FnMut() -> Result<()>) -> Result<Times> {
        Times::within(span, Duration::MAX, run)
    }

    /// As [`of`](Times::of), but once `patience` is over one counted run is enough.
    ///
    /// # Errors
    /// The first of the runs.
    pub fn within(
        span: Duration,
        patience: Duration,
        mut run: impl FnMut() -> Result<()>,
    ) -> Result<Times> {
        run()?;
        let mut seconds = Vec::new();
        let begin = Instant::now();
        let enough = |runs: usize, passed: Duration| {
            passed >= span && (runs >= Times::RUNS || runs > 0 && passed >= patience)
        };
        while !enough(seconds.len(), begin.elapsed()) {
            let start = Instant::now();
            run()?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(Times::from(seconds))
    }

    /// Of each counted run, shortest first.
    pub fn seconds(&self) -> &[f64] {
        &self.0
    }

    /// How many runs were counted.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no run was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The median in seconds; NaN without runs.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The shortest in seconds; NaN without runs.
    pub fn least(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The longest in seconds; NaN without runs.
    pub fn most(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The time that so many of the runs, of 1, did not exceed; NaN without runs.
    pub fn quantile(&self, part: f64) -> f64 {
        let at = (self.0.len().saturating_sub(1) as f64 * part).round();
        self.0.get(at as usize).copied().unwrap_or(f64::NAN)
    }
}

impl From<Vec<f64>> for Times {
    fn from(mut seconds: Vec<f64>) -> Times {
        seconds.sort_by(f64::total_cmp);
        Times(seconds)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, least, most] = [self.median(), self.least(), self.most()].map(|s| s * 1e3);
        write!(f, "{median:>9.3} ms ({least:.3} to {most:.3}, {} runs)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let times = Times::from(vec![5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!([times.least(), times.median(), times.most()], [1.0, 3.0, 5.0]);
        assert_eq!(times.quantile(0.95), 5.0);
        assert!(Times::default().median().is_nan());
    }

    #[test]
    fn patience_bounds_how_often_slow_work_runs() {
        let runs = |patience| {
            let work = || {
                std::thread::sleep(Duration::from_millis(2));
                Ok(())
            };
            Times::within(Duration::ZERO, patience, work).unwrap().len()
        };
        assert_eq!(runs(Duration::from_millis(1)), 1);
        assert_eq!(runs(Duration::from_secs(60)), Times::RUNS);
    }
}

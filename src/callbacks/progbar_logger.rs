//! `keras.callbacks.ProgbarLogger`.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use crate::base::Result;
use crate::callbacks::file_name::python_float_as;
use crate::trainers::{Callback, Logs, Run};

/// Cells of the bar.
const WIDTH: usize = 20;

/// How often the line is written anew. Metrics are read for it, so the device is waited for then.
const INTERVAL: Duration = Duration::from_millis(100);

/// Shows progress and metrics on standard error, in Keras's form; nothing where that is no terminal.
#[derive(Debug)]
pub struct ProgbarLogger {
    shown: bool,
    in_fit: bool,
    start: Instant,
    last: Option<Instant>,
    width: usize,
}

impl Default for ProgbarLogger {
    fn default() -> ProgbarLogger {
        ProgbarLogger::new()
    }
}

impl ProgbarLogger {
    /// A bar on a terminal.
    pub fn new() -> ProgbarLogger {
        let shown = stderr().is_terminal();
        ProgbarLogger { shown, in_fit: false, start: Instant::now(), last: None, width: 0 }
    }

    fn restart(&mut self) {
        (self.start, self.last, self.width) = (Instant::now(), None, 0);
    }

    fn update(&mut self, run: &mut Run<'_>, batch: usize) -> Result<()> {
        let due = self.last.is_none_or(|last| last.elapsed() >= INTERVAL);
        if self.shown && due {
            self.last = Some(Instant::now());
            let steps = run.params.steps;
            let logs = run.batch_logs()?;
            // The last execution of several steps may end behind the last batch.
            let done = steps.min(batch + 1);
            self.write(&line(done, steps, self.start.elapsed(), logs, false), "");
        }
        Ok(())
    }

    fn finish(&mut self, run: &Run<'_>, logs: &Logs) {
        if self.shown {
            let steps = run.params.steps;
            self.write(&line(steps, steps, self.start.elapsed(), logs, true), "\n");
        }
    }

    /// Replaces the line. A terminal that takes no text is no reason to stop a training.
    fn write(&mut self, line: &str, end: &str) {
        let width = line.chars().count();
        let blank = " ".repeat(self.width.saturating_sub(width));
        let mut out = stderr().lock();
        let _shown = write!(out, "\r{line}{blank}{end}").and_then(|()| out.flush());
        self.width = width;
    }
}

/// `12/100 ━━━─── 3s 25ms/step - loss: 0.1234`, with the time left, or at the end the time taken.
fn line(done: usize, steps: usize, elapsed: Duration, logs: &Logs, last: bool) -> String {
    let digits = steps.to_string().len();
    let filled = (WIDTH * done.min(steps)).checked_div(steps).unwrap_or(WIDTH);
    let step = elapsed.as_secs_f64() / done.max(1) as f64;
    let seconds =
        if last { elapsed.as_secs_f64() } else { step * (steps - done.min(steps)) as f64 };
    let (bar, rest) = ("━".repeat(filled), "─".repeat(WIDTH - filled));
    let mut line =
        format!("{done:>digits$}/{steps} {bar}{rest} {} {}/step", clock(seconds), unit(step));
    for (name, value) in logs {
        let value = value.mean();
        let kind = if value.abs() > 1e-3 { 'f' } else { 'e' };
        let _infallible = write!(line, " - {name}: {}", python_float_as(kind, value, 4));
    }
    line
}

fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=60 => format!("{whole}s"),
        61..=3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60),
    }
}

fn unit(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.0}s"),
        s if s >= 1e-3 => format!("{:.0}ms", s * 1e3),
        s => format!("{:.0}us", s * 1e6),
    }
}

impl Callback for ProgbarLogger {
    fn on_train_begin(&mut self, _: &mut Run<'_>) -> Result<()> {
        self.in_fit = true;
        Ok(())
    }

    fn on_epoch_begin(&mut self, run: &mut Run<'_>, epoch: usize) -> Result<()> {
        self.restart();
        if self.shown && run.params.epochs > 1 {
            self.write(&format!("Epoch {}/{}", epoch + 1, run.params.epochs), "\n");
        }
        Ok(())
    }

    fn on_train_batch_end(&mut self, run: &mut Run<'_>, batch: usize) -> Result<()> {
        self.update(run, batch)
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_>, _: usize, logs: &mut Logs) -> Result<()> {
        self.finish(run, logs);
        Ok(())
    }

    fn on_test_begin(&mut self, _: &mut Run<'_>) -> Result<()> {
        if !self.in_fit {
            self.restart();
        }
        Ok(())
    }

    fn on_test_batch_end(&mut self, run: &mut Run<'_>, batch: usize) -> Result<()> {
        if self.in_fit { Ok(()) } else { self.update(run, batch) }
    }

    fn on_test_end(&mut self, run: &mut Run<'_>, logs: &Logs) -> Result<()> {
        if !self.in_fit {
            self.finish(run, logs);
        }
        Ok(())
    }

    fn on_train_end(&mut self, _: &mut Run<'_>, _: &Logs) -> Result<()> {
        self.in_fit = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_show_what_keras_shows() {
        let logs = vec![("accuracy".to_owned(), 0.5.into()), ("loss".to_owned(), 1e-4.into())];
        assert_eq!(
            line(30, 120, Duration::from_secs(3), &logs, false),
            " 30/120 ━━━━━─────────────── 9s 100ms/step - accuracy: 0.5000 - loss: 1.0000e-04"
        );
        let done = line(2, 2, Duration::from_secs(200), &Vec::new(), true);
        assert_eq!(done, format!("2/2 {} 3:20 100s/step", "━".repeat(20)));
    }
}

//! `keras.callbacks.CSVLogger`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

use crate::base::{Error, Result};
use crate::callbacks::arguments::arguments;
use crate::callbacks::file_name::{python_float, python_float32};
use crate::trainers::{Callback, Logged, Logs, Run};

/// Writes a line for every epoch to a file, with the names in the first one.
#[derive(Debug)]
pub struct CSVLogger {
    filename: PathBuf,
    separator: char,
    append: bool,
    file: Option<File>,
    /// The columns behind `epoch`.
    keys: Option<Vec<String>>,
}

impl CSVLogger {
    /// Replaces a file of this name, with commas between the columns.
    pub fn new(filename: impl Into<PathBuf>) -> CSVLogger {
        let (filename, separator) = (filename.into(), ',');
        CSVLogger { filename, separator, append: false, file: None, keys: None }
    }

    arguments! {
        /// What stands between the columns.
        separator: char,
        /// Whether lines are added to an old file.
        append: bool,
    }

    fn write(&mut self, fields: &[String]) -> Result<()> {
        let quoted = |field: &String| match field.contains([self.separator, '"', '\r', '\n']) {
            true => format!("\"{}\"", field.replace('"', "\"\"")),
            false => field.clone(),
        };
        let fields: Vec<String> = fields.iter().map(quoted).collect();
        let line = format!("{}\r\n", fields.join(&self.separator.to_string()));
        match &mut self.file {
            Some(file) => file.write_all(line.as_bytes()).map_err(|e| Error::io(&self.filename, e)),
            None => Ok(()),
        }
    }

    /// Whether the file has a first line already.
    fn has_header(&self) -> bool {
        let mut line = Vec::new();
        let file = File::open(&self.filename).map(BufReader::new);
        file.and_then(|mut file| file.read_until(b'\n', &mut line)).is_ok_and(|n| n > 0)
    }
}

/// The columns that the logs of a first epoch call for: where nothing was validated then, places are
/// kept for later.
fn columns(logs: &Logs) -> Vec<String> {
    let mut keys: Vec<String> = logs.iter().map(|(name, _)| name.clone()).collect();
    keys.sort();
    if !keys.iter().any(|key| key.starts_with("val_")) {
        keys.extend(keys.clone().iter().map(|key| format!("val_{key}")));
    }
    keys
}

/// A number, or a list of an array's numbers in quotes, which the file's own quotes come around.
fn text(value: &Logged) -> String {
    match value {
        Logged::Number(number) => python_float(*number),
        Logged::Array(tensor) => {
            let numbers: Vec<String> = tensor.iter_f64().map(python_float32).collect();
            format!("\"[{}]\"", numbers.join(", "))
        }
    }
}

impl Callback for CSVLogger {
    fn on_train_begin(&mut self, _: &mut Run<'_>) -> Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(self.append).truncate(!self.append);
        self.file = Some(options.open(&self.filename).map_err(|e| Error::io(&self.filename, e))?);
        self.keys = None;
        Ok(())
    }

    fn on_epoch_end(&mut self, _: &mut Run<'_>, epoch: usize, logs: &mut Logs) -> Result<()> {
        let keys = match self.keys.take() {
            Some(keys) => keys,
            None => {
                let keys = columns(logs);
                if !(self.append && self.has_header()) {
                    let names = std::iter::once("epoch".to_owned()).chain(keys.iter().cloned());
                    self.write(&names.collect::<Vec<_>>())?;
                }
                keys
            }
        };
        let value = |key: &String| logs.iter().find(|(name, _)| name == key).map(|(_, v)| v);
        let values = keys.iter().map(|key| value(key).map_or("NA".to_owned(), text));
        let line: Vec<String> = std::iter::once(epoch.to_string()).chain(values).collect();
        self.keys = Some(keys);
        self.write(&line)
    }

    fn on_train_end(&mut self, _: &mut Run<'_>, _: &Logs) -> Result<()> {
        self.file = None;
        Ok(())
    }
}

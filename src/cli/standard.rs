//! Models from standard input and to standard output, which `-` names.

use std::io::{IsTerminal, copy, stdin, stdout};
use std::path::Path;
use std::sync::Arc;

use crate::base::{Error, Result, ResultExt};
use crate::models::Model;
use crate::saving::bytes::FileBytes;
use crate::saving::saving_lib::{LoadOptions, SaveOptions, load_model_from};
use crate::saving::{KerasVersion, ReadAt};

const INPUT: &str = "standard input";
const OUTPUT: &str = "standard output";

/// Whether a path stands for one of them.
pub fn is_meant(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The bytes of standard input, if a path stands for it. An archive is read from its end, so all of them go to a temporary file
/// without a name first.
pub fn source_for(path: &Path) -> Result<Option<Arc<dyn ReadAt>>> {
    if !is_meant(path) {
        return Ok(None);
    }
    let io = |e| Error::io(INPUT, e);
    let mut file = tempfile::tempfile().map_err(|e| Error::io("temporary file", e))?;
    copy(&mut stdin().lock(), &mut file).map_err(io)?;
    Ok(Some(Arc::new(FileBytes::from_file(file, Path::new(INPUT))?)))
}

/// The model in those bytes.
pub fn load(source: Arc<dyn ReadAt>, options: &LoadOptions) -> Result<Model> {
    load_model_from(source, options).at(|| INPUT.into())
}

/// Writes the model to standard output as a `.keras` archive.
pub fn save(
    model: &Model,
    keras_version: Option<KerasVersion>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let out = stdout().lock();
    if out.is_terminal() {
        let what =
            "a model is not text for a terminal; lead standard output to a file or a program";
        return Err(Error::Invalid(what.into()));
    }
    let progress = Some(progress);
    let mut options = SaveOptions { keras_version, progress, ..SaveOptions::default() };
    model.save_to_with(out, &mut options).at(|| OUTPUT.into())
}

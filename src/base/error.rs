//! The one error type of the crate.
//!
//! Every message says what happened with which values, what was expected, and, where something can
//! be done, what. Text that comes from a file is shortened and its control characters are escaped
//! by [`quote`] before it enters a message.

use std::path::PathBuf;

/// What can go wrong. Variants carry data, so a caller can react without reading the text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation was given shapes it cannot work with.
    #[error("{op}: got {found}, expected {expected}")]
    Shape {
        /// The operation that was given the shapes.
        op: String,
        /// The shapes or other values it was given.
        found: String,
        /// What would have fitted.
        expected: String,
    },

    /// An element type that is not allowed here.
    #[error("{context}: got dtype {found}, expected {expected}")]
    DType {
        /// What was to be done with the values.
        context: String,
        /// The dtype that was found, or the text where a dtype's name should be.
        found: String,
        /// The dtypes that are allowed.
        expected: String,
    },

    /// A configuration key with a value that cannot be used.
    #[error("config of {owner}: key '{key}' is {found}, expected {expected}")]
    Config {
        /// The object whose config it is.
        owner: String,
        /// The key within the config.
        key: String,
        /// Its value, quoted.
        found: String,
        /// What the key may hold.
        expected: String,
    },

    /// A class name that is not in the compiled table.
    #[error("unknown {kind} '{name}' (module {module}): {hint}")]
    UnknownClass {
        /// What the class should be, such as `layer` or `initializer`.
        kind: &'static str,
        /// The `class_name` in the file, quoted.
        name: String,
        /// The `module` in the file, quoted.
        module: String,
        /// Where it was met, and what was expected or can be done.
        hint: String,
    },

    /// The zip layer of a file.
    #[error("archive: {0}")]
    Archive(String),

    /// JSON inside a file.
    #[error("JSON in {member}: {what}")]
    Json {
        /// The file's member, such as `config.json`.
        member: String,
        /// What is wrong with it, with its place where that is known.
        what: String,
    },

    /// The HDF5 layer of a file.
    #[error("HDF5 in {member}: {what}")]
    Hdf5 {
        /// The file's member, such as `model.weights.h5`.
        member: String,
        /// What is wrong with it, with its place where that is known.
        what: String,
    },

    /// Weights that do not fit the model.
    #[error("weights: {0}")]
    Weights(String),

    /// A bound of this program or of a device.
    #[error("limit: {what} needs {need}, the limit is {limit} ({owner})")]
    Limit {
        /// What reaches the bound.
        what: String,
        /// How much it needs, with its unit.
        need: String,
        /// How much there may be.
        limit: String,
        /// Whose bound it is: a field of [`Limits`](crate::saving::Limits), an adapter, the
        /// machine.
        owner: String,
    },

    /// The GPU, its driver, or the choice of one.
    #[error("device: {0}")]
    Device(String),

    /// The device went away; its buffers are gone.
    #[error("device lost: {0}; load the model again to continue")]
    DeviceLost(String),

    /// Valid in Keras, but not done by this version.
    #[error("not supported: {0}")]
    Unsupported(String),

    /// A value passed by the caller.
    #[error("{0}")]
    Invalid(String),

    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },

    /// A broken promise between our own parts; please report it.
    #[error("internal error: {0}; please report this")]
    Internal(String),

    /// An error and where it happened.
    #[error("{place}: {source}")]
    At {
        /// The place, such as a layer's path or an archive's member.
        place: String,
        /// What happened there.
        source: Box<Error>,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether a model file (rather than the caller, the device or the system) is at fault: the
    /// command line tool exits with 2 for these.
    pub fn is_refusal(&self) -> bool {
        match self {
            Error::At { source, .. } => source.is_refusal(),
            Error::Device(_)
            | Error::DeviceLost(_)
            | Error::Invalid(_)
            | Error::Io { .. }
            | Error::Internal(_) => false,
            _ => true,
        }
    }

    /// The error without the places it passed through.
    pub fn root(&self) -> &Error {
        match self {
            Error::At { source, .. } => source.root(),
            other => other,
        }
    }

    /// A shape error.
    pub fn shape(
        op: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Error {
        Error::Shape { op: op.into(), found: found.into(), expected: expected.into() }
    }

    /// An operating system error at a path.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Error {
        Error::Io { path: path.into(), source }
    }
}

/// Adds the place to an error as it travels outwards.
pub trait ResultExt<T> {
    /// Names the place in which the error happened, such as a layer path or an archive member.
    fn at(self, place: impl FnOnce() -> String) -> Result<T>;
}

impl<T> ResultExt<T> for Result<T> {
    fn at(self, place: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::At { place: place(), source: Box::new(source) })
    }
}

/// Text from a file, made safe to print: at most 200 characters; backslashes and what does not print,
/// such as control characters and marks that turn the direction of writing, are escaped.
pub fn quote(text: &str) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        match c {
            _ if i == 200 => {
                out.push('…');
                break;
            }
            '"' | '\'' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quoted_text_prints_on_one_line() {
        assert_eq!(quote("größe \"16\""), "größe \"16\"");
        assert_eq!(quote("a\nb\0\u{1b}[2J\u{202e}\\"), "a\\nb\\0\\u{1b}[2J\\u{202e}\\\\");
        assert_eq!(quote(&"é".repeat(300)).chars().count(), 201);
    }
}

//! Files for older versions of Keras: what a version and all later ones load.
//!
//! Keras has grown: layers got arguments, objects other names, optimizers another order of their
//! variables. A file of today's layout holds what older versions do not know, and they refuse it at
//! the first unknown key. So a config is rewritten: keys that came later go if they hold what the
//! older version does anyway; if they do not, that version cannot express the model, and saving is
//! refused.

mod names;
mod quirks;
mod record;
mod table;
mod version;
mod weights;

pub use version::KerasVersion;
pub use weights::{check_groups, check_shards, finds_one_shard};

use crate::base::Result;
use crate::saving::json::Json;

/// The config of a model as Keras of `version`, and all later ones, loads it.
///
/// # Errors
/// [`Error::Invalid`](crate::base::Error::Invalid) if that version lacks something that the model
/// needs, with its place in the model.
pub fn config_for(config: &Json, version: KerasVersion) -> Result<Json> {
    record::Writer { version }.value("", config)
}

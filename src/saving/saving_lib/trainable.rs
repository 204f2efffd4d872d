//! Which layers of a loaded model train: a change of the config that it is made from, so that the model
//! and what is saved of it agree.

use serde_json::Value as Json;

use crate::base::error::quote;
use crate::base::{Error, Result};

/// Says for layers, by name and wherever they are, whether they train, as setting `layer.trainable` does
/// in Keras: it holds for all layers within them, too.
///
/// # Errors
/// [`Error::Invalid`] if there is no layer of a name.
pub(super) fn set(config: &mut Json, changes: &[(String, bool)]) -> Result<()> {
    let Some(model) = config.get_mut("config") else { return Ok(()) };
    for (name, trainable) in changes {
        let mut names = Vec::new();
        if !set_named(model, name, *trainable, &mut names) {
            return Err(Error::Invalid(format!(
                "there is no layer '{}' whose training can be changed; there are {}",
                quote(name),
                quote(&names.join(", "))
            )));
        }
    }
    Ok(())
}

/// The name of a layer, from its record.
fn name_of(record: &Json) -> Option<&str> {
    let config = record.get("config")?;
    // Other objects, such as initializers, do not train.
    config.get("trainable")?;
    config.get("name")?.as_str()
}

/// Whether there was a layer of the name; `names` become those of the layers seen.
fn set_named(json: &mut Json, name: &str, trainable: bool, names: &mut Vec<String>) -> bool {
    if let Some(found) = name_of(json) {
        if found == name {
            set_all(json, trainable);
            return true;
        }
        names.push(found.to_owned());
    }
    let mut found = false;
    for part in parts(json) {
        found |= set_named(part, name, trainable, names);
    }
    found
}

fn set_all(json: &mut Json, trainable: bool) {
    if name_of(json).is_some() {
        json["config"]["trainable"] = Json::Bool(trainable);
    }
    parts(json).for_each(|part| set_all(part, trainable));
}

fn parts(json: &mut Json) -> Box<dyn Iterator<Item = &mut Json> + '_> {
    match json {
        Json::Object(members) => Box::new(members.values_mut()),
        Json::Array(items) => Box::new(items.iter_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

//! Layers that stand in several models of one file: their records have one `shared_object_id`, and
//! their weights are in the file once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::layers::Layer;
use crate::layers::config::Json;

/// The layers with an id that were read so far. Clones have the same ones.
#[derive(Clone, Default)]
pub struct Shared(Rc<RefCell<HashMap<u64, Known>>>);

struct Known {
    class_name: Json,
    config: Json,
    layer: Arc<dyn Layer>,
}

/// Part of a record, without ids: which objects within it are shared may depend on the place.
fn part(record: &Json, key: &str) -> Json {
    record.get(key).map(without_ids).unwrap_or_default()
}

fn without_ids(json: &Json) -> Json {
    match json {
        Json::Array(items) => items.iter().map(without_ids).collect(),
        Json::Object(map) => {
            let others = map.iter().filter(|(key, _)| *key != "shared_object_id");
            others.map(|(key, value)| (key.clone(), without_ids(value))).collect()
        }
        other => other.clone(),
    }
}

impl Shared {
    /// The layer of a record that another record has given.
    ///
    /// # Errors
    /// If the two records of one id are of different layers.
    pub fn find(&self, record: &Json) -> Result<Option<Arc<dyn Layer>>> {
        let Some(id) = record.get("shared_object_id").and_then(Json::as_u64) else {
            return Ok(None);
        };
        match self.0.borrow().get(&id) {
            None => Ok(None),
            Some(known)
                if known.class_name == part(record, "class_name")
                    && known.config == part(record, "config") =>
            {
                Ok(Some(known.layer.clone()))
            }
            Some(known) => Err(Error::Json {
                member: "config.json".into(),
                what: format!(
                    "shared_object_id {id} of two different layers, '{}' and {}",
                    quote(&known.layer.base().name),
                    quote(&part(record, "class_name").to_string())
                ),
            }),
        }
    }

    /// Keeps the layer of a record for others of the same id. A layer that is not built has no weights
    /// yet that could be shared.
    pub fn keep(&self, record: &Json, layer: &Arc<dyn Layer>) {
        let id = record.get("shared_object_id").and_then(Json::as_u64);
        if let Some(id) = id.filter(|_| layer.base().built) {
            let (class_name, config) = (part(record, "class_name"), part(record, "config"));
            self.0.borrow_mut().insert(id, Known { class_name, config, layer: layer.clone() });
        }
    }
}

//! Weights files as groups of datasets, whatever holds them.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::base::{Result, Source};

/// A weights file opened for reading.
pub trait Store: Send + Sync {
    /// The group at a path such as `layers/dense/vars`; `None` if there is none.
    ///
    /// # Errors
    /// If it is damaged, or holds something that is not a tensor.
    fn group(&self, path: &str) -> Result<Option<Group>>;

    /// The paths of all groups of variables, sorted. For reports: what is damaged is left out, and
    /// the list is cut where a file has too many groups.
    fn groups(&self) -> Vec<String>;
}

/// The variables of one object, as a file holds them.
pub struct Group {
    /// The object's name, for messages; Keras never reads it.
    pub name: Option<String>,
    /// Keys and contents in order: numbers by value, then other keys by name.
    pub datasets: Vec<(String, Arc<dyn Source>)>,
}

/// The variables of one object, as a file shall hold them.
#[derive(Clone)]
pub struct GroupPlan {
    /// Path of the group, such as `layers/dense/vars`.
    pub path: String,
    /// The object's name, written as the attribute `name`.
    pub name: Option<String>,
    /// Keys and contents.
    pub datasets: Vec<(String, Arc<dyn Source>)>,
}

/// The order of keys: numbers by value before other keys by name.
pub(crate) fn compare_keys(a: &str, b: &str) -> Ordering {
    let number = |key: &str| key.parse::<u64>().unwrap_or(u64::MAX);
    number(a).cmp(&number(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_ordered_as_numbers() {
        let mut keys = vec!["10", "idf_weights", "2", "0", "1", "a"];
        keys.sort_by(|a, b| super::compare_keys(a, b));
        assert_eq!(keys, ["0", "1", "2", "10", "a", "idf_weights"]);
    }
}

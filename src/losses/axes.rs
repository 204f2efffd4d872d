//! The axes that an argument names.

use crate::base::Result;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::operations::formulas::axis_of;

/// One axis, several, or all of a value.
#[derive(Clone, Debug)]
pub(crate) struct Axes(Option<Vec<i64>>);

impl Axes {
    /// The axes under the key `axis`, one or several; null for all.
    pub fn from_config(config: &Config) -> Result<Axes> {
        if config.is_null("axis") {
            return Ok(Axes(None));
        }
        config.ints("axis").map(|axes| Axes(Some(axes)))
    }

    /// The axes of a value; the graph remembers one that is not there.
    pub fn of(&self, x: Value<'_>) -> Option<Vec<usize>> {
        match &self.0 {
            None => Some((0..x.rank()).collect()),
            Some(axes) => axes.iter().map(|&axis| axis_of(x, axis)).collect(),
        }
    }
}

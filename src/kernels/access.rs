//! How a kernel reaches buffers: whole, or in another row in every step of a loop.

use crate::base::DType;
use crate::graph::NodeId;

/// A row of a buffer, another one in every step of a loop, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Where the row of the first step starts.
    pub first: i32,
    /// From one step to the next.
    pub by: i32,
}

/// What a kernel reads and writes.
#[derive(Clone)]
pub struct Access<'a> {
    /// The dtype of an operand.
    pub dtype_of: &'a dyn Fn(NodeId) -> DType,
    /// The rows of an operand; `None` for one that is read whole.
    pub rows_of: &'a dyn Fn(NodeId) -> Option<Rows>,
    /// Whether an operand's elements lie as [at rest](crate::base::Spec::bytes_at_rest), several in a
    /// word; those of others are a word each.
    pub is_packed: &'a dyn Fn(NodeId) -> bool,
    /// One or two places for the result; a place is a whole buffer, or a row of one.
    pub places: Vec<Option<Rows>>,
}

impl<'a> Access<'a> {
    /// Whole buffers of words, one for the result.
    pub fn whole(dtype_of: &'a dyn Fn(NodeId) -> DType) -> Access<'a> {
        Access { dtype_of, rows_of: &|_| None, is_packed: &|_| false, places: vec![None] }
    }

    /// Whether the result is stored in one whole buffer.
    pub fn is_plain(&self) -> bool {
        self.places == [None]
    }
}

//! Four neighbours at once: where elements of a row lie together, a kernel loads and stores them by
//! vectors of four, which takes a fourth of the instructions and of the checks of bounds.

use crate::graph::NodeId;
use crate::kernels::Access;
use crate::kernels::expr::replaced;
use crate::program::region::{Body, Inst, Reg};
use crate::program::view::{Affine, Space};

/// Instructions that are worth writing four times.
const MOST_CODE: usize = 32;

/// The values that bodies can read by fours, if their kernel gains by computing four neighbours along
/// `coordinate`, the last one, at once: `None` where some body cannot, or none would read a value so.
///
/// `along` are computed for four neighbours, `others` for one place.
pub(super) fn operands_in_fours(
    along: &[&Body],
    coordinate: usize,
    others: &[&Body],
    access: &Access<'_>,
) -> Option<Vec<NodeId>> {
    let code: usize = along.iter().map(|body| body.code.len()).sum();
    let whole = along.iter().all(|body| is_whole(&body.space, coordinate));
    if !whole || code > MOST_CODE || along.iter().any(|body| draws(body)) {
        return None;
    }
    let is_word = |id: NodeId| !(access.is_packed)(id) && (access.rows_of)(id).is_none();
    let fits = |id: NodeId| along.iter().all(|body| reads_by_fours(body, id));
    let elsewhere = |id: NodeId| others.iter().any(|body| body.operands.contains(&id));
    let mut found: Vec<NodeId> = along.iter().flat_map(|body| body.operands.clone()).collect();
    found.sort_unstable();
    found.dedup();
    found.retain(|&id| is_word(id) && fits(id) && !elsewhere(id));
    (!found.is_empty()).then_some(found)
}

/// Whether a position counts fours of neighbours along the last dimension.
pub(super) fn is_aligned(at: &Affine) -> bool {
    let Some((last, others)) = at.strides.split_last() else { return false };
    *last == 1 && at.offset % 4 == 0 && others.iter().all(|stride| stride % 4 == 0)
}

/// Whether the last dimension is one of fours, and part of this coordinate.
fn is_whole(space: &Space, coordinate: usize) -> bool {
    let fours = space.dims.last().is_some_and(|extent| extent.is_multiple_of(4));
    fours && space.group.last() == Some(&coordinate)
}

/// Random bits take too much code to write it four times.
fn draws(body: &Body) -> bool {
    body.code.iter().any(|inst| matches!(inst, Inst::Random { .. }))
}

/// Whether a body reads a value nowhere but in aligned fours.
fn reads_by_fours(body: &Body, id: NodeId) -> bool {
    body.code.iter().all(|inst| match inst {
        Inst::Load { operand, at, .. } => body.operands[*operand] != id || is_aligned(at),
        Inst::Gather { operand, .. } => body.operands[*operand] != id,
        _ => true,
    })
}

/// Code for four neighbours along the last dimension of a space: which registers differ among them.
pub(super) struct Neighbours {
    last: String,
    differ: Vec<String>,
}

impl Neighbours {
    pub(super) fn along_last(space: &Space) -> Neighbours {
        Neighbours { last: format!("d{}", space.rank().saturating_sub(1)), differ: Vec::new() }
    }

    /// Notes that a register holds four values.
    pub(super) fn add(&mut self, reg: Reg) {
        self.differ.push(format!("v{reg}"));
    }

    /// What a register holds, from the text for one place: four values if they differ.
    pub(super) fn value(&mut self, reg: Reg, text: String, lane: &str) -> String {
        let of = |neighbour: usize| {
            let part = ["x", "y", "z", "w"][neighbour];
            replaced(&text, |word| match word {
                _ if word == self.last => format!("({word} + {neighbour})"),
                _ if self.differ.iter().any(|v| v == word) => format!("{word}.{part}"),
                _ => word.to_owned(),
            })
        };
        let each = [0, 1, 2, 3].map(of);
        if each[0] == text {
            return text;
        }
        self.add(reg);
        format!("vec4<{lane}>({})", each.join(", "))
    }
}

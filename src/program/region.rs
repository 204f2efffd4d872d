//! A region: the part of a program that becomes one dispatch.

use crate::base::DType;
use crate::graph::NodeId;
use crate::graph::ops::{ReduceKind, Take};
use crate::program::Program;
use crate::program::view::{Affine, Space};

/// What a region's kernel is built around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind {
    /// Every thread computes one element.
    Map,
    /// Every thread, or workgroup, combines the elements of one reduction.
    Reduce {
        /// The reduction.
        anchor: NodeId,
    },
    /// A hand-written kernel computes the anchor; the body is applied to its elements.
    Kernel {
        /// The operation of the kernel.
        anchor: NodeId,
    },
    /// Queries look at keys and sum up values; the anchor is the product of shares and values.
    Attention {
        /// The product of shares and values.
        anchor: NodeId,
    },
    /// Threads share a row: they combine its elements once or several times, then store elements.
    Rows,
    /// The regions of a loop's body, in every step; it stores the loop's results.
    Loop,
}

/// One dispatch: it stores the value of `root`.
#[derive(Clone, Debug)]
pub struct Region {
    /// The value it is known by; of a region of rows, the last that it stores.
    pub root: NodeId,
    /// What its kernel is built around.
    pub kind: RegionKind,
    /// What is computed in front of a reduction, per element; in front of a product or a convolution, per
    /// element of its right operand, by its linear position.
    pub prologue: Option<Body>,
    /// What gives the stored element, from loads and from the anchor's result.
    pub body: Body,
    /// What a region of rows computes; its code is all here.
    pub rows: Option<Box<RowPlan>>,
    /// What an attention does before its anchor.
    pub attention: Option<Box<AttentionPlan>>,
    /// All nodes that are computed here, for dumps.
    pub members: Vec<NodeId>,
}

/// How the shares of an attention come from queries and keys: softmax along the last coordinate.
///
/// Bodies compute over three coordinates, as those behind the product of queries and keys do: the
/// matrix, the query and the key.
#[derive(Clone, Debug)]
pub struct AttentionPlan {
    /// The product of queries and keys.
    pub scored: NodeId,
    /// A score, from the product's element.
    pub score: Body,
    /// What the values are weighted by, from a share of the softmax: the share, or zero.
    pub share: Option<Body>,
}

impl AttentionPlan {
    fn bodies(&self) -> impl Iterator<Item = &Body> {
        [&self.score].into_iter().chain(&self.share)
    }
}

/// What becomes of each row: reductions, one after the other, then elements.
///
/// Bodies compute over two coordinates, the row and the position in it; what is one number for each
/// row has the first alone.
#[derive(Clone, Debug)]
pub struct RowPlan {
    /// Number of rows.
    pub rows: usize,
    /// Elements in each.
    pub len: usize,
    /// Whether neighbours in a row are neighbours in memory.
    pub contiguous: bool,
    /// Reductions; each may look at the results of those before it.
    pub combined: Vec<Combined>,
    /// Values of one element for each of the tensor, stored when all reductions are done.
    pub each: Vec<Each>,
    /// The position of an element in any value of `each`, as int32.
    pub position: Body,
}

/// One number of each row.
#[derive(Clone, Debug)]
pub struct Combined {
    /// How elements are combined.
    pub kind: ReduceKind,
    /// What is computed from the result for each row.
    pub root: NodeId,
    /// Whether the root's value goes to a buffer; otherwise only this region uses it.
    pub stored: bool,
    /// What is combined.
    pub element: Body,
    /// The root's value, from the reduction's result.
    pub value: Body,
}

/// A value with all elements of the rows.
#[derive(Clone, Debug)]
pub struct Each {
    /// The value that is stored.
    pub root: NodeId,
    /// What gives its element, from loads and from the numbers of the row.
    pub body: Body,
}

impl RowPlan {
    /// The values that are stored.
    pub fn stores(&self) -> Vec<NodeId> {
        let numbers = self.combined.iter().filter(|c| c.stored).map(|c| c.root);
        numbers.chain(self.each.iter().map(|e| e.root)).collect()
    }

    /// All code that reads values.
    pub fn bodies(&self) -> impl Iterator<Item = &Body> {
        let combined = self.combined.iter().flat_map(|c| [&c.element, &c.value]);
        combined.chain(self.each.iter().map(|e| &e.body))
    }
}

/// Straight-line code for one element.
#[derive(Clone, Debug)]
pub struct Body {
    /// The dimensions that the code is computed over.
    pub space: Space,
    /// Values that are read from buffers, each once.
    pub operands: Vec<NodeId>,
    /// The instructions; each may use the results of those before it.
    pub code: Vec<Inst>,
}

/// Index of an instruction's result.
pub type Reg = usize;

/// One instruction; the last one of a body is its result.
#[derive(Clone, Debug, PartialEq)]
pub enum Inst {
    /// The anchor's result.
    Anchor {
        /// Dtype of the anchor's result.
        dtype: DType,
    },
    /// The number that a reduction of the same region of rows has given for this row.
    Row {
        /// Position of the reduction in [`RowPlan::combined`].
        combined: usize,
        /// Dtype of the number.
        dtype: DType,
    },
    /// An element of operand `operand`.
    Load {
        /// Position of the value in [`Body::operands`].
        operand: usize,
        /// Dtype of the value.
        dtype: DType,
        /// The element's position, row-major.
        at: Affine,
    },
    /// An element of an operand at `at + clamp(index, 0, extent - 1) · stride`.
    Gather {
        /// Position of the value in [`Body::operands`].
        operand: usize,
        /// Dtype of the value.
        dtype: DType,
        /// Position of the element that index 0 picks, row-major.
        at: Affine,
        /// The index.
        index: Reg,
        /// How many elements the index picks from.
        extent: i64,
        /// Elements in memory from one index to the next.
        stride: i64,
    },
    /// A constant, by its bits.
    Scalar {
        /// Dtype of the constant.
        dtype: DType,
        /// The bits in the dtype's lane.
        bits: u32,
    },
    /// An index, as int32.
    Index {
        /// The index.
        at: Affine,
    },
    /// A function of one element.
    Unary {
        /// Its row in [`UNARY`](crate::graph::ops::UNARY).
        name: &'static str,
        /// The operand.
        x: Reg,
        /// Dtype of the result.
        dtype: DType,
    },
    /// A function of two elements.
    Binary {
        /// Its row in [`BINARY`](crate::graph::ops::BINARY).
        name: &'static str,
        /// The first operand.
        a: Reg,
        /// The second operand, of the same dtype.
        b: Reg,
        /// Dtype of the result.
        dtype: DType,
    },
    /// One of two elements.
    Select {
        /// The boolean that says which.
        condition: Reg,
        /// The result where it is true.
        a: Reg,
        /// The result where it is false.
        b: Reg,
        /// Dtype of the result.
        dtype: DType,
    },
    /// The element in another dtype; see [`Cast`](crate::graph::ops::Cast).
    Cast {
        /// The operand.
        x: Reg,
        /// Dtype of the result.
        dtype: DType,
    },
    /// The stored bits of `x`, read as another dtype.
    Bitcast {
        /// The operand.
        x: Reg,
        /// Dtype of the result.
        dtype: DType,
    },
    /// `x` where every index is inside its bounds, else a constant.
    Inside {
        /// Indices, each with the extent that it must be below; none may be negative.
        bounds: Vec<(Affine, i64)>,
        /// The result inside.
        x: Reg,
        /// Dtype of the result.
        dtype: DType,
        /// Bits of the result outside, in the dtype's lane.
        otherwise: u32,
    },
    /// Random bits of a key's two words and the linear position `at`.
    Random {
        /// The words of the key.
        key: [Reg; 2],
        /// The position that is counted by.
        at: Affine,
        /// What the element is made of.
        take: Take,
    },
    /// The first part whose end lies beyond the index.
    Part {
        /// The index along the axis.
        at: Affine,
        /// Where each part ends, and its element.
        parts: Vec<(i64, Reg)>,
        /// Dtype of the result.
        dtype: DType,
    },
}

impl Inst {
    /// The dtype of the result.
    pub fn dtype(&self) -> DType {
        match self {
            Inst::Index { .. } => DType::Int32,
            Inst::Random { .. } => DType::UInt32,
            Inst::Anchor { dtype }
            | Inst::Row { dtype, .. }
            | Inst::Load { dtype, .. }
            | Inst::Gather { dtype, .. }
            | Inst::Scalar { dtype, .. }
            | Inst::Unary { dtype, .. }
            | Inst::Binary { dtype, .. }
            | Inst::Select { dtype, .. }
            | Inst::Cast { dtype, .. }
            | Inst::Bitcast { dtype, .. }
            | Inst::Inside { dtype, .. }
            | Inst::Part { dtype, .. } => *dtype,
        }
    }

    fn affines(&mut self) -> Vec<&mut Affine> {
        match self {
            Inst::Load { at, .. } | Inst::Gather { at, .. } => vec![at],
            Inst::Index { at } | Inst::Part { at, .. } | Inst::Random { at, .. } => vec![at],
            Inst::Inside { bounds, .. } => bounds.iter_mut().map(|(a, _)| a).collect(),
            _ => Vec::new(),
        }
    }
}

impl Body {
    /// No code: of a region that has it elsewhere.
    pub fn none() -> Body {
        Body { space: Space::new(&[]), operands: Vec::new(), code: Vec::new() }
    }

    /// Merges dimensions of the space that all instructions step through as one.
    pub fn collapse(&mut self) {
        let mut affines: Vec<&mut Affine> = self.code.iter_mut().flat_map(Inst::affines).collect();
        self.space.collapse(&mut affines);
    }

    /// The same code over the same dimensions in another order.
    pub fn permuted(&self, order: &[usize]) -> Body {
        let mut body = self.clone();
        body.space.dims = order.iter().map(|&d| self.space.dims[d]).collect();
        body.space.group = order.iter().map(|&d| self.space.group[d]).collect();
        for affine in body.code.iter_mut().flat_map(Inst::affines) {
            affine.strides = order.iter().map(|&d| affine.strides[d]).collect();
        }
        body
    }

    /// The dtype of the result.
    pub fn dtype(&self) -> DType {
        self.code.last().map_or(DType::Float32, Inst::dtype)
    }

    /// Whether the result is the anchor's, unchanged.
    pub fn is_identity(&self) -> bool {
        matches!(self.code.as_slice(), [Inst::Anchor { .. }])
    }
}

impl Region {
    /// The region of a loop: all of its code is in its [`LoopPlan`](crate::program::LoopPlan).
    pub fn of_loop(root: NodeId) -> Region {
        Region {
            root,
            kind: RegionKind::Loop,
            prologue: None,
            body: Body::none(),
            rows: None,
            attention: None,
            members: vec![root],
        }
    }

    /// The values that are in buffers once the region has run.
    pub fn stores(&self, program: &Program) -> Vec<NodeId> {
        match (&self.rows, self.kind) {
            (Some(rows), _) => rows.stores(),
            (None, RegionKind::Loop) => {
                program.results_of(self.root).into_iter().map(|(_, id)| id).collect()
            }
            _ => vec![self.root],
        }
    }

    /// Every value the region's kernel reads, in the order of its bindings, without the operands of a
    /// hand-written kernel itself.
    pub fn operands(&self) -> Vec<NodeId> {
        let mut all: Vec<NodeId> = Vec::new();
        let rows = self.rows.iter().flat_map(|rows| rows.bodies());
        let attention = self.attention.iter().flat_map(|attention| attention.bodies());
        for body in self.prologue.iter().chain([&self.body]).chain(rows).chain(attention) {
            for &id in &body.operands {
                if !all.contains(&id) {
                    all.push(id);
                }
            }
        }
        all
    }

    /// The reduction or the kernel's operation that it is built around, where it has one.
    pub fn anchor(&self) -> Option<NodeId> {
        match self.kind {
            RegionKind::Map | RegionKind::Rows | RegionKind::Loop => None,
            RegionKind::Reduce { anchor }
            | RegionKind::Kernel { anchor }
            | RegionKind::Attention { anchor } => Some(anchor),
        }
    }
}

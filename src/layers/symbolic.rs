//! Shapes of outputs, found by tracing: unknown extents are filled twice with different numbers, and
//! what differs in the result is unknown.

use crate::base::{Dim, Nested, Result, Shape, Spec, SymbolicShape};
use crate::graph::Graph;
use crate::layers::host::any_on_host;
use crate::layers::{CallArgs, Context, Layer, SymbolicSpec};

/// Fillings to try: primes, which no layer's own extents make by accident; the same, but with 1,
/// which broadcasts, in tensors of lower rank than the first, such as masks; with what another tensor
/// knows of the same axis, for merging; with the batch that another tensor has, such as a constant; then
/// numbers that many reshapes divide.
const FILLINGS: [[Filling; 2]; 5] = [
    [Filling::new(83), Filling::new(89)],
    [Filling { lower: 1, ..Filling::new(83) }, Filling { lower: 1, ..Filling::new(89) }],
    [Filling { shared: true, ..Filling::new(83) }, Filling { shared: true, ..Filling::new(89) }],
    [Filling { batch: true, ..Filling::new(83) }, Filling { batch: true, ..Filling::new(89) }],
    [Filling::new(120), Filling::new(240)],
];

/// What unknown extents are taken to be.
#[derive(Clone, Copy)]
struct Filling {
    /// In the first tensor and all of its rank or more.
    first: usize,
    /// In tensors of lower rank.
    lower: usize,
    /// Whether an extent that another tensor of the first one's rank knows is taken from there.
    shared: bool,
    /// Whether a batch extent that any other tensor knows is taken from there.
    batch: bool,
}

impl Filling {
    const fn new(extent: usize) -> Filling {
        Filling { first: extent, lower: extent, shared: false, batch: false }
    }
}

/// The largest extent along each axis that a tensor of the first one's rank knows.
fn known_extents(args: &CallArgs<SymbolicSpec>) -> Vec<Option<usize>> {
    let mut known: Option<Vec<Option<usize>>> = None;
    args.visit(&mut |spec: &SymbolicSpec| {
        let known = known.get_or_insert_with(|| vec![None; spec.shape.rank()]);
        if spec.shape.rank() == known.len() {
            known.iter_mut().zip(&spec.shape.0).for_each(|(known, &own)| *known = own.max(*known));
        }
    });
    known.unwrap_or_default()
}

/// The largest batch extent that a tensor knows.
fn known_batch(args: &CallArgs<SymbolicSpec>) -> Option<usize> {
    let mut known = None;
    args.visit(&mut |spec: &SymbolicSpec| {
        known = known.max(spec.shape.0.first().copied().flatten());
    });
    known
}

/// The specs of what a layer gives for symbolic arguments.
pub fn output_specs(
    layer: &dyn Layer,
    args: &CallArgs<SymbolicSpec>,
) -> Result<Nested<SymbolicSpec>> {
    // What works on the host may give extents that only data tell.
    let mut unknown = any_on_host(layer);
    args.visit(&mut |spec: &SymbolicSpec| unknown |= spec.shape.0.contains(&None));
    if !unknown {
        return trace(layer, args, Filling::new(0))?.try_map(&mut |spec| {
            Ok(SymbolicSpec { shape: SymbolicShape::from(&spec.shape), dtype: spec.dtype })
        });
    }
    let mut failure = None;
    for [a, b] in FILLINGS {
        match trace(layer, args, a).and_then(|a| Ok((a, trace(layer, args, b)?))) {
            Ok((a, b)) => return merge(&a, &b),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(Nested::None),
    }
}

fn trace(layer: &dyn Layer, args: &CallArgs<SymbolicSpec>, fill: Filling) -> Result<Nested<Spec>> {
    let graph = Graph::new();
    let cx = Context::for_shapes(&graph).with_unknown(fill.first);
    let mut rank = None;
    let known = if fill.shared { known_extents(args) } else { Vec::new() };
    let batch = if fill.batch { known_batch(args) } else { None };
    let args = args.try_map(&mut |spec: &SymbolicSpec| {
        let lower = spec.shape.rank() < *rank.get_or_insert(spec.shape.rank());
        let fill = if lower { fill.lower } else { fill.first };
        let own = spec.shape.0.iter().enumerate();
        let shared = |i: usize| known.get(i).copied().flatten();
        let alike = spec.shape.rank() == known.len();
        let extent = |(i, own): (usize, &Dim)| {
            let taken = || shared(i).filter(|_| alike).or(batch.filter(|_| i == 0));
            own.or_else(taken).unwrap_or(fill)
        };
        Ok(graph.input(Spec::new(own.map(extent).collect::<Shape>(), spec.dtype)))
    })?;
    let specs = cx.call(layer, &args).and_then(|outputs| outputs.try_map(&mut |v| Ok(v.spec())));
    // An error inside a formula is kept by the graph: it comes before what it led to.
    graph.finish()?;
    specs
}

fn merge(a: &Nested<Spec>, b: &Nested<Spec>) -> Result<Nested<SymbolicSpec>> {
    let others = b.flatten();
    let mut next = others.into_iter();
    a.try_map(&mut |a: &Spec| {
        let b = next.next().unwrap_or(a);
        Ok(SymbolicSpec { shape: SymbolicShape::merge(&a.shape, &b.shape)?, dtype: a.dtype })
    })
}

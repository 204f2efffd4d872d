//! Reductions on the host: along rows of neighbouring elements, or down columns.
//!
//! Floats are summed in double precision, in an order that the number of threads does not change.

use pulp::Arch;
use rayon::prelude::*;

use crate::base::dtype::Lane;
use crate::base::{DType, Error, Result};
use crate::graph::Op;
use crate::graph::ops::ReduceKind;
use crate::program::region::{Body, Inst};
use crate::runtime::host_body::{Machine, Operand, RUN, TASK, prepare};
use crate::tensor::convert::round_f32;
use crate::tensor::{Array, Words};

/// Sums of a row that are taken side by side.
const LANES: usize = 16;

/// Parts of a column at most: each has sums of its own.
const PARTS: usize = 16;

/// Elements of a part at least.
const PART: usize = 4 * TASK;

/// Combines `len` elements of the prologue for every output of a reduction, into memory whose
/// contents do not matter.
pub fn reduce(
    op: &Op,
    (prologue, operands): (&Body, &[Operand<'_>]),
    into: Array,
    len: usize,
) -> Result<Array> {
    let dtype = prologue.dtype();
    let new = match op {
        Op::Reduce(op) => Combined::new(op.kind, dtype),
        Op::ArgReduce(op) => Combined::Best { max: op.max, lane: dtype.lane(), best: None },
        other => return Err(Error::Internal(format!("{} is no reduction", other.def().label()))),
    };
    let Array { spec, words } = into;
    let mut out = words.into_bits();
    match (new, columns(prologue)) {
        (Combined::Float { kind, .. }, Some(columns)) if len > 0 => {
            columns.reduce(kind, operands, &mut out)?;
            out.iter_mut().for_each(|w| *w = round_f32(dtype, f32::from_bits(*w)).to_bits());
        }
        _ => rows(new, (prologue, operands), &mut out, len)?,
    }
    Ok(Array { words: Words::from_bits(spec.dtype.lane(), out), spec })
}

/// Reduces rows that lie one behind the other in the prologue's space.
fn rows(
    new: Combined,
    (prologue, operands): (&Body, &[Operand<'_>]),
    out: &mut [u32],
    len: usize,
) -> Result<()> {
    let dtype = prologue.dtype();
    if len == 0 {
        out.fill(new.bits(dtype));
        return Ok(());
    }
    let code = prepare(prologue)?;
    let outputs_in_task = (TASK / len).max(1);
    out.par_chunks_mut(outputs_in_task).enumerate().for_each(|(task, out)| {
        let elements = out.len() * len;
        let mut machine = Machine::new(prologue, &code, operands, elements);
        let first = task * outputs_in_task * len;
        let mut combined = new;
        let mut done = 0;
        while done < elements {
            let run = machine.seek(first + done, elements - done);
            machine.run(run, &[]);
            // A run may end several rows.
            let mut rest = machine.result(run);
            while !rest.is_empty() {
                let place = done % len;
                let (now, later) = rest.split_at(rest.len().min(len - place));
                combined.take(now, place);
                if place + now.len() == len {
                    out[done / len] = combined.bits(dtype);
                    combined = new;
                }
                done += now.len();
                rest = later;
            }
        }
    });
    Ok(())
}

/// A prologue whose last dimension is kept.
struct Columns {
    body: Body,
    /// Extents in front of the reduced dimensions, of these, and behind.
    outer: usize,
    reduced: usize,
    width: usize,
}

/// The prologue with the last kept dimension behind the reduced ones, where elements lie together
/// along that and not along these.
fn columns(prologue: &Body) -> Option<Columns> {
    let space = &prologue.space;
    let kept: Vec<usize> = (0..space.rank()).filter(|&d| space.group[d] == 0).collect();
    let reduced: Vec<usize> = (0..space.rank()).filter(|&d| space.group[d] != 0).collect();
    let (&last, outer) = kept.split_last()?;
    let &inner = reduced.last()?;
    let steps = |inst: &Inst| match inst {
        Inst::Load { at, .. } | Inst::Gather { at, .. } => {
            Some((at.strides[last], at.strides[inner]))
        }
        _ => None,
    };
    let together = |(along, down): (i64, i64)| along == 1 && !(0..=1).contains(&down);
    if !prologue.code.iter().filter_map(steps).any(together) {
        return None;
    }
    let extent = |dims: &[usize]| dims.iter().map(|&d| space.dims[d]).product();
    let order: Vec<usize> = outer.iter().chain(&reduced).copied().chain([last]).collect();
    Some(Columns {
        body: prologue.permuted(&order),
        outer: extent(outer),
        reduced: extent(&reduced),
        width: space.dims[last],
    })
}

impl Columns {
    fn reduce(&self, kind: ReduceKind, operands: &[Operand<'_>], out: &mut [u32]) -> Result<()> {
        let code = prepare(&self.body)?;
        let rows = self.reduced.div_ceil(PARTS).max(PART / self.width.max(1)).max(1);
        let parts = self.reduced.div_ceil(rows);
        let totals: Vec<Vec<f64>> = (0..self.outer * parts)
            .into_par_iter()
            .map(|i| {
                let (outer, part) = (i / parts, i % parts);
                let count = rows.min(self.reduced - part * rows);
                let first = (outer * self.reduced + part * rows) * self.width;
                let most = count * self.width;
                let mut machine = Machine::new(&self.body, &code, operands, most);
                self.part(kind, &mut machine, first, count)
            })
            .collect();
        for (out, totals) in out.chunks_exact_mut(self.width.max(1)).zip(totals.chunks(parts)) {
            for (i, out) in out.iter_mut().enumerate() {
                let parts = totals.iter().map(|part| part[i]);
                let total = parts.fold(kind.start(), |a, b| kind.float(a, b));
                *out = (total as f32).to_bits();
            }
        }
        Ok(())
    }

    /// The totals of some rows' columns.
    fn part(
        &self,
        kind: ReduceKind,
        machine: &mut Machine<'_>,
        first: usize,
        count: usize,
    ) -> Vec<f64> {
        let mut totals = vec![kind.start(); self.width];
        if self.width <= RUN {
            let mut done = 0;
            while done < count * self.width {
                let run = machine.seek(first + done, count * self.width - done);
                machine.run(run, &[]);
                for row in machine.result(run).chunks(self.width) {
                    add_row(kind, &mut totals, row);
                }
                done += run;
            }
            return totals;
        }
        for (block, totals) in totals.chunks_mut(RUN).enumerate() {
            for row in 0..count {
                let run = machine.seek(first + row * self.width + block * RUN, totals.len());
                machine.run(run, &[]);
                add_row(kind, totals, machine.result(run));
            }
        }
        totals
    }
}

/// Combines each total with the element of its column.
fn add_row(kind: ReduceKind, totals: &mut [f64], row: &[u32]) {
    fn each(totals: &mut [f64], row: &[u32], f: impl Fn(f64, f64) -> f64) {
        Arch::new().dispatch(|| {
            for (total, &word) in totals.iter_mut().zip(row) {
                *total = f(*total, f64::from(f32::from_bits(word)));
            }
        });
    }
    match kind {
        ReduceKind::Sum => each(totals, row, |a, b| a + b),
        ReduceKind::Prod => each(totals, row, |a, b| a * b),
        kind => each(totals, row, |a, b| kind.float(a, b)),
    }
}

/// Combines neighbouring elements: as many at a time as there are lanes, then the lanes.
fn row_total(kind: ReduceKind, row: &[u32]) -> f64 {
    fn total<T: Copy>(row: &[u32], start: T, of: impl Fn(u32) -> T, f: impl Fn(T, T) -> T) -> T {
        let (chunks, rest) = row.as_chunks::<LANES>();
        Arch::new().dispatch(|| {
            let mut lanes = [start; LANES];
            for chunk in chunks {
                for (lane, &word) in lanes.iter_mut().zip(chunk) {
                    *lane = f(*lane, of(word));
                }
            }
            let rest = rest.iter().map(|&word| of(word));
            lanes.into_iter().chain(rest).fold(start, &f)
        })
    }
    let double = |word: u32| f64::from(f32::from_bits(word));
    // Comparisons are false for NaN on either side, the sum then is NaN.
    let greatest = |a: f32, b: f32| {
        if a >= b {
            a
        } else if b > a {
            b
        } else {
            a + b
        }
    };
    match kind {
        ReduceKind::Sum => total(row, 0.0, double, |a, b| a + b),
        ReduceKind::Prod => total(row, 1.0, double, |a, b| a * b),
        ReduceKind::Max => f64::from(total(row, f32::NEG_INFINITY, f32::from_bits, greatest)),
        ReduceKind::Min => {
            let negative = |word: u32| -f32::from_bits(word);
            -f64::from(total(row, f32::NEG_INFINITY, negative, greatest))
        }
    }
}

/// The state of one reduction.
#[derive(Clone, Copy)]
enum Combined {
    Float { kind: ReduceKind, total: f64 },
    Int { kind: ReduceKind, total: i64, signed: bool },
    Best { max: bool, lane: Lane, best: Option<(f64, usize)> },
}

impl Combined {
    fn new(kind: ReduceKind, dtype: DType) -> Combined {
        match dtype.lane() {
            Lane::F32 => Combined::Float { kind, total: kind.start() },
            lane => Combined::Int { kind, total: kind.int_start(dtype), signed: lane == Lane::I32 },
        }
    }

    fn take(&mut self, run: &[u32], first: usize) {
        match self {
            Combined::Float { kind, total } => *total = kind.float(*total, row_total(*kind, run)),
            Combined::Int { kind, total, signed } => {
                for &word in run {
                    let x = if *signed { i64::from(word as i32) } else { i64::from(word) };
                    *total = kind.int(*total, x);
                }
            }
            Combined::Best { max, lane, best } => {
                for (i, &word) in run.iter().enumerate() {
                    let x = match lane {
                        Lane::F32 => f64::from(f32::from_bits(word)),
                        Lane::I32 => f64::from(word as i32),
                        Lane::U32 => f64::from(word),
                    };
                    let wins = best.is_none_or(|(b, _)| {
                        !b.is_nan() && (x.is_nan() || if *max { x > b } else { x < b })
                    });
                    if wins {
                        *best = Some((x, first + i));
                    }
                }
            }
        }
    }

    fn bits(&self, dtype: DType) -> u32 {
        match self {
            Combined::Float { total, .. } => round_f32(dtype, *total as f32).to_bits(),
            Combined::Int { total, .. } => *total as u32,
            Combined::Best { best, .. } => best.map_or(0, |(_, at)| at as u32),
        }
    }
}

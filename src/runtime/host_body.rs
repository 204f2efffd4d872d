//! Interprets a region's code in runs of neighbouring elements, on all cores.

use std::ops::Range;

use rayon::prelude::*;

use crate::base::dtype::Lane;
use crate::base::{DType, Error, Result, Spec};
use crate::graph::Op;
use crate::graph::ops::{BinaryRow, ReduceKind, UnaryRow, threefry};
use crate::program::region::{Body, Inst};
use crate::program::view::Affine;
use crate::runtime::host_math;
use crate::tensor::convert::{bits_of, round_f32, word_of};
use crate::tensor::{Array, Words};

/// Elements computed at once: a register fits the first-level cache.
const RUN: usize = 512;

/// Elements that one task computes.
const TASK: usize = 16 << 10;

/// The words of a stored value.
#[derive(Clone, Copy)]
pub struct Operand<'a>(&'a [u32]);

impl<'a> Operand<'a> {
    pub fn new(array: &'a Array) -> Operand<'a> {
        Operand(bits(&array.words))
    }
}

fn bits(words: &Words) -> &[u32] {
    match words {
        Words::F32(v) => bytemuck::cast_slice(v),
        Words::I32(v) => bytemuck::cast_slice(v),
        Words::U32(v) => v,
    }
}

/// Computes a body at every element.
pub fn map(body: &Body, operands: &[Operand<'_>], spec: Spec) -> Result<Array> {
    let len = spec.shape.len();
    run_all(body, operands, vec![0; len], spec)
}

/// Applies a body to the elements of an anchor's result, in its place.
pub fn behind(body: &Body, operands: &[Operand<'_>], anchor: Array, spec: Spec) -> Result<Array> {
    if body.is_identity() {
        return Ok(Array { spec, words: anchor.words });
    }
    let words = match anchor.words {
        Words::F32(v) => bytemuck::allocation::cast_vec(v),
        Words::I32(v) => bytemuck::allocation::cast_vec(v),
        Words::U32(v) => v,
    };
    run_all(body, operands, words, spec)
}

/// Computes a body at every element; `words` holds the anchor's result before, the body's after.
fn run_all(
    body: &Body,
    operands: &[Operand<'_>],
    mut words: Vec<u32>,
    spec: Spec,
) -> Result<Array> {
    if words.len() != spec.shape.len() {
        return Err(Error::Internal(format!("{} words for a body over {spec}", words.len())));
    }
    let code = prepare(body)?;
    words.par_chunks_mut(TASK).enumerate().for_each(|(task, words)| {
        let mut machine = Machine::new(body, &code, operands);
        let mut at = task * TASK;
        let mut rest = words;
        while !rest.is_empty() {
            let len = machine.seek(at, rest.len());
            let (now, later) = rest.split_at_mut(len);
            machine.run(len, now);
            now.copy_from_slice(machine.result(len));
            at += len;
            rest = later;
        }
    });
    Ok(array_of(words, spec))
}

fn array_of(bits: Vec<u32>, spec: Spec) -> Array {
    let words = Words::from_bits(spec.dtype.lane(), bits);
    Array { spec, words }
}

/// Combines `len` elements of the prologue for every output of a reduction.
pub fn reduce(
    op: &Op,
    (prologue, operands): (&Body, &[Operand<'_>]),
    spec: Spec,
    len: usize,
) -> Result<Array> {
    let code = prepare(prologue)?;
    let dtype = prologue.dtype();
    let new = match op {
        Op::Reduce(op) => Combined::new(op.kind, dtype),
        Op::ArgReduce(op) => Combined::Best { max: op.max, lane: dtype.lane(), best: None },
        other => return Err(Error::Internal(format!("{} is no reduction", other.def().label()))),
    };
    let mut out = vec![0u32; spec.shape.len()];
    let outputs_in_task = (TASK / len.max(1)).max(1);
    out.par_chunks_mut(outputs_in_task).enumerate().for_each(|(task, out)| {
        let mut machine = Machine::new(prologue, &code, operands);
        for (i, out) in out.iter_mut().enumerate() {
            let first = (task * outputs_in_task + i) * len;
            let mut combined = new;
            let mut done = 0;
            while done < len {
                let run = machine.seek(first + done, len - done);
                machine.run(run, &[]);
                combined.take(machine.result(run), done);
                done += run;
            }
            *out = combined.bits(dtype);
        }
    });
    Ok(array_of(out, spec))
}

/// The state of one reduction.
#[derive(Clone, Copy)]
enum Combined {
    Float { kind: ReduceKind, total: f64 },
    Int { kind: ReduceKind, total: Option<i64>, signed: bool },
    Best { max: bool, lane: Lane, best: Option<(f64, usize)> },
}

impl Combined {
    fn new(kind: ReduceKind, dtype: DType) -> Combined {
        match dtype.lane() {
            Lane::F32 => Combined::Float { kind, total: kind.start() },
            lane => Combined::Int {
                kind,
                total: Some(kind.int_start(dtype)),
                signed: lane == Lane::I32,
            },
        }
    }

    fn take(&mut self, run: &[u32], first: usize) {
        match self {
            Combined::Float { kind, total } => {
                for &word in run {
                    *total = kind.float(*total, f64::from(f32::from_bits(word)));
                }
            }
            Combined::Int { kind, total, signed } => {
                for &word in run {
                    let x = if *signed { i64::from(word as i32) } else { i64::from(word) };
                    *total = total.map(|total| kind.int(total, x));
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
            Combined::Int { total, .. } => total.unwrap_or(0) as u32,
            Combined::Best { best, .. } => best.map_or(0, |(_, at)| at as u32),
        }
    }
}

/// An instruction with its table row looked up.
enum Prepared<'a> {
    Unary(&'static UnaryRow, Option<fn(f32) -> f32>),
    Binary(&'static BinaryRow),
    Other(&'a Inst),
}

fn prepare(body: &Body) -> Result<Vec<Prepared<'_>>> {
    body.code
        .iter()
        .map(|inst| {
            Ok(match inst {
                Inst::Unary { name, .. } => {
                    let row = crate::graph::ops::Unary { name }.row()?;
                    Prepared::Unary(row, host_math::unary(name))
                }
                Inst::Binary { name, .. } => {
                    Prepared::Binary(crate::graph::ops::Binary { name }.row()?)
                }
                other => Prepared::Other(other),
            })
        })
        .collect()
}

/// Registers and position of one task.
struct Machine<'a> {
    body: &'a Body,
    code: &'a [Prepared<'a>],
    operands: &'a [Operand<'a>],
    registers: Vec<Vec<u32>>,
    /// A run is one line along the last dimension, or several whole ones. For each line the index
    /// of its first element along every dimension.
    index: Vec<i64>,
    /// Elements of a line.
    line: usize,
}

impl<'a> Machine<'a> {
    fn new(body: &'a Body, code: &'a [Prepared<'a>], operands: &'a [Operand<'a>]) -> Machine<'a> {
        let register = |inst: &Inst| match inst {
            Inst::Scalar { bits, .. } => vec![*bits; RUN],
            _ => vec![0; RUN],
        };
        let registers = body.code.iter().map(register).collect();
        Machine { body, code, operands, registers, index: Vec::new(), line: 1 }
    }

    /// Moves to a linear position; returns how many elements, at most `most`, form a run from there.
    fn seek(&mut self, mut position: usize, most: usize) -> usize {
        let dims = &self.body.space.dims;
        let most = most.min(RUN);
        let extent = dims.last().copied().unwrap_or(1);
        let left = extent - position % extent;
        let lines = if left == extent { (most / extent).max(1) } else { 1 };
        self.line = left.min(most);
        self.index.clear();
        self.index.resize(dims.len() * lines, 0);
        for (index, &extent) in self.index[..dims.len()].iter_mut().zip(dims).rev() {
            *index = (position % extent) as i64;
            position /= extent;
        }
        for line in 1..lines {
            self.index.copy_within((line - 1) * dims.len()..line * dims.len(), line * dims.len());
            let index = &mut self.index[line * dims.len()..(line + 1) * dims.len()];
            for (index, &extent) in index.iter_mut().zip(dims).rev().skip(1) {
                *index += 1;
                if *index < extent as i64 {
                    break;
                }
                *index = 0;
            }
        }
        self.line * lines
    }

    fn result(&self, len: usize) -> &[u32] {
        self.registers.last().map_or(&[], |r| &r[..len])
    }

    /// Calls `f` for every line of a run with its place in the run, and the first value and the step
    /// of an index along it.
    fn lines(&self, affine: &Affine, len: usize, mut f: impl FnMut(Range<usize>, i64, i64)) {
        let rank = self.body.space.rank();
        let step = affine.strides.last().copied().unwrap_or(0);
        for (line, start) in (0..len).step_by(self.line).enumerate() {
            let index = &self.index[line * rank..(line + 1) * rank];
            let sum = affine.strides.iter().zip(index).map(|(s, i)| s * i).sum::<i64>();
            f(start..(start + self.line).min(len), affine.offset + sum, step);
        }
    }

    fn run(&mut self, len: usize, anchor: &[u32]) {
        for i in 0..self.code.len() {
            let mut out = std::mem::take(&mut self.registers[i]);
            self.step(i, &mut out[..len], anchor);
            self.registers[i] = out;
        }
    }

    fn register(&self, reg: usize, len: usize) -> &[u32] {
        &self.registers[reg][..len]
    }

    fn step(&self, i: usize, out: &mut [u32], anchor: &[u32]) {
        let len = out.len();
        let dtype = self.body.code[i].dtype();
        match (&self.code[i], &self.body.code[i]) {
            (Prepared::Unary(row, fast), Inst::Unary { x, .. }) => {
                let lane = self.body.code[*x].dtype().lane();
                host_math::apply_unary(row, *fast, lane, self.register(*x, len), out);
                round(dtype, out);
            }
            (Prepared::Binary(row), Inst::Binary { a, b, .. }) => {
                let lane = self.body.code[*a].dtype().lane();
                let (a, b) = (self.register(*a, len), self.register(*b, len));
                host_math::apply_binary(row, lane, a, b, out);
                round(dtype, out);
            }
            (Prepared::Other(inst), _) => self.other(inst, out, anchor),
            _ => {}
        }
    }

    fn other(&self, inst: &Inst, out: &mut [u32], anchor: &[u32]) {
        let len = out.len();
        match inst {
            Inst::Anchor { dtype } => {
                out.copy_from_slice(anchor);
                round(*dtype, out);
            }
            Inst::Load { operand, at, .. } => {
                let data = self.operands[*operand].0;
                self.lines(at, len, |line, first, step| load(data, first, step, &mut out[line]));
            }
            Inst::Gather { operand, at, index, extent, stride, .. } => {
                let data = self.operands[*operand].0;
                let unsigned = self.body.code[*index].dtype().lane() == Lane::U32;
                let index = self.register(*index, len);
                self.lines(at, len, |line, first, step| {
                    let pairs = out[line.clone()].iter_mut().zip(&index[line]);
                    for (j, (out, &word)) in pairs.enumerate() {
                        let row = if unsigned { i64::from(word) } else { i64::from(word as i32) };
                        let row = row.clamp(0, extent - 1);
                        *out = element(data, first + j as i64 * step + row * stride);
                    }
                });
            }
            Inst::Index { at } => self.lines(at, len, |line, first, step| {
                let out = out[line].iter_mut().enumerate();
                out.for_each(|(j, out)| *out = (first + j as i64 * step) as u32);
            }),
            Inst::Select { condition, a, b, .. } => {
                let condition = self.register(*condition, len);
                let (a, b) = (self.register(*a, len), self.register(*b, len));
                host_math::select(condition, a, b, out);
            }
            Inst::Cast { x, dtype } => {
                let from = self.body.code[*x].dtype().lane();
                host_math::cast(from, *dtype, self.register(*x, len), out);
                round(*dtype, out);
            }
            Inst::Bitcast { x, dtype } => {
                let from = self.body.code[*x].dtype();
                let words = out.iter_mut().zip(self.register(*x, len));
                words.for_each(|(out, &word)| *out = word_of(*dtype, bits_of(from, word)));
            }
            Inst::Inside { bounds, x, otherwise, .. } => {
                out.copy_from_slice(self.register(*x, len));
                for (at, extent) in bounds {
                    self.lines(at, len, |line, first, step| {
                        for (j, out) in out[line].iter_mut().enumerate() {
                            if !(0..*extent).contains(&(first + j as i64 * step)) {
                                *out = *otherwise;
                            }
                        }
                    });
                }
            }
            Inst::Random { key, at, take } => {
                let words = key.map(|reg| self.register(reg, len));
                self.lines(at, len, |line, first, step| {
                    for (j, at) in line.enumerate() {
                        let position = (first + j as i64 * step) as u32;
                        out[at] = take.of(threefry(words.map(|w| w[at]), [0, position]));
                    }
                });
            }
            Inst::Part { at, parts, .. } => self.lines(at, len, |line, first, step| {
                for (j, at) in line.enumerate() {
                    let index = first + j as i64 * step;
                    let part = parts.iter().find(|(end, _)| index < *end).or(parts.last());
                    out[at] = part.map_or(0, |(_, reg)| self.registers[*reg][at]);
                }
            }),
            // A scalar's register is filled once, the others have arms of their own in `step`, and a
            // host is given no regions of rows.
            Inst::Row { .. } | Inst::Scalar { .. } | Inst::Unary { .. } | Inst::Binary { .. } => {}
        }
    }
}

/// An element of a stored value; any number for a position outside it, which what surrounds the
/// access discards.
fn element(data: &[u32], i: i64) -> u32 {
    usize::try_from(i).ok().and_then(|i| data.get(i)).copied().unwrap_or(0)
}

/// Elements of a stored value. Positions outside it are those a surrounding pad discards.
fn load(data: &[u32], first: i64, step: i64, out: &mut [u32]) {
    let last = first + (out.len() as i64 - 1) * step;
    let inside = |i: i64| i >= 0 && (i as usize) < data.len();
    if !inside(first) || !inside(last) {
        for (j, out) in out.iter_mut().enumerate() {
            let i = first + j as i64 * step;
            *out = element(data, i);
        }
        return;
    }
    match step {
        0 => out.fill(data[first as usize]),
        1 => out.copy_from_slice(&data[first as usize..=last as usize]),
        _ => {
            for (j, out) in out.iter_mut().enumerate() {
                *out = data[(first + j as i64 * step) as usize];
            }
        }
    }
}

/// Rounds words to what the dtype can store.
fn round(dtype: DType, words: &mut [u32]) {
    match dtype {
        _ if dtype.is_float() && dtype.size() <= 2 => {
            words.iter_mut().for_each(|w| *w = round_f32(dtype, f32::from_bits(*w)).to_bits());
        }
        DType::Int16 => words.iter_mut().for_each(|w| *w = i32::from(*w as i16) as u32),
        DType::Int8 => words.iter_mut().for_each(|w| *w = i32::from(*w as i8) as u32),
        DType::UInt16 => words.iter_mut().for_each(|w| *w &= 0xffff),
        DType::UInt8 => words.iter_mut().for_each(|w| *w &= 0xff),
        _ => {}
    }
}

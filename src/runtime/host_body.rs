//! Interprets a region's code in runs of neighbouring elements, on all cores.

use std::ops::Range;

use rayon::prelude::*;

use crate::base::dtype::Lane;
use crate::base::{DType, Result};
use crate::graph::ops::{BinaryRow, UnaryRow, threefry};
use crate::program::region::{Body, Inst};
use crate::program::view::Affine;
use crate::runtime::host_chain::Chain;
use crate::runtime::host_math;
use crate::runtime::host_narrow::Narrow;
use crate::tensor::convert::{bits_of, round_f32, word_of};
use crate::tensor::{Array, Tensor, Words};

/// Elements computed at once: a register fits the first-level cache.
pub const RUN: usize = 512;

/// Elements that one task computes.
pub const TASK: usize = 16 << 10;

/// Elements for which looking for a chain pays: it takes as long as interpreting some thousand. A step
/// of a recurrent layer has fewer.
const LEAST_FOR_CHAIN: usize = 4 << 10;

/// The elements of a stored value.
#[derive(Clone, Copy)]
pub enum Operand<'a> {
    Words(&'a [u32]),
    Narrow(Narrow<'a>),
}

impl<'a> Operand<'a> {
    pub fn new(array: &'a Array) -> Operand<'a> {
        Operand::Words(bits(&array.words))
    }

    /// The elements of a tensor whose dtype is narrow.
    pub fn narrow(stored: &'a Tensor) -> Operand<'a> {
        Operand::Narrow(Narrow::of(stored))
    }

    fn len(&self) -> usize {
        match self {
            Operand::Words(words) => words.len(),
            Operand::Narrow(narrow) => narrow.len(),
        }
    }
}

fn bits(words: &Words) -> &[u32] {
    match words {
        Words::F32(v) => bytemuck::cast_slice(v),
        Words::I32(v) => bytemuck::cast_slice(v),
        Words::U32(v) => v,
    }
}

/// Computes a body at every element, into memory whose contents do not matter.
pub fn map(body: &Body, operands: &[Operand<'_>], into: Array) -> Result<Array> {
    let Array { spec, words } = into;
    let mut words = words.into_bits();
    let behind = Behind::new(body, operands)?;
    behind.apply_to_all(&mut words);
    Ok(Array { words: Words::from_bits(spec.dtype.lane(), words), spec })
}

/// What is computed behind an anchor, on its elements where they lie.
pub struct Behind<'a> {
    body: &'a Body,
    code: Vec<Prepared<'a>>,
    operands: &'a [Operand<'a>],
    chain: Option<Chain<'a>>,
}

impl<'a> Behind<'a> {
    pub fn new(body: &'a Body, operands: &'a [Operand<'a>]) -> Result<Behind<'a>> {
        let elements = body.space.dims.iter().fold(1, |n: usize, &dim| n.saturating_mul(dim));
        let chain = if elements < LEAST_FOR_CHAIN { None } else { Chain::of(body, operands) };
        Ok(Behind { body, code: prepare(body)?, operands, chain })
    }

    /// Computes the body at neighbouring elements, of which the first is at a linear position;
    /// `words` holds the anchor's result before, the body's after.
    pub fn apply(&self, first: usize, words: &mut [u32]) {
        if let [Inst::Anchor { dtype }] = self.body.code.as_slice() {
            return round(*dtype, words);
        }
        if let Some(chain) = &self.chain {
            return chain.apply(first, bytemuck::cast_slice_mut(words));
        }
        let mut machine = Machine::new(self.body, &self.code, self.operands, words.len());
        let mut done = 0;
        while done < words.len() {
            let len = machine.seek(first + done, words.len() - done);
            machine.run_in_place(&mut words[done..done + len]);
            done += len;
        }
    }

    /// [`apply`](Behind::apply) to all elements, on all cores.
    pub fn apply_to_all(&self, words: &mut [u32]) {
        let pieces = words.par_chunks_mut(TASK).enumerate();
        pieces.for_each(|(task, words)| self.apply(task * TASK, words));
    }
}

/// An instruction with its table row looked up.
pub enum Prepared<'a> {
    Unary(&'static UnaryRow),
    Binary(&'static BinaryRow),
    Other(&'a Inst),
}

/// The rows of a body's instructions.
pub fn prepare(body: &Body) -> Result<Vec<Prepared<'_>>> {
    body.code
        .iter()
        .map(|inst| {
            Ok(match inst {
                Inst::Unary { name, .. } => {
                    Prepared::Unary(crate::graph::ops::Unary { name }.row()?)
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
pub struct Machine<'a> {
    body: &'a Body,
    code: &'a [Prepared<'a>],
    operands: &'a [Operand<'a>],
    /// One register behind the other.
    registers: Vec<u32>,
    /// Elements of a register.
    size: usize,
    /// A run is one line along the last dimension, or several whole ones. For each line the index
    /// of its first element along every dimension.
    index: Vec<i64>,
    /// Elements of a line.
    line: usize,
    /// For each instruction, whether it gives every whole line the same elements.
    repeats: Vec<bool>,
    /// How many elements of a register are there from an earlier run, if its lines are all the same.
    there: Vec<usize>,
}

impl<'a> Machine<'a> {
    /// A machine for at most `most` elements.
    pub fn new(
        body: &'a Body,
        code: &'a [Prepared<'a>],
        operands: &'a [Operand<'a>],
        most: usize,
    ) -> Machine<'a> {
        let size = RUN.min(most).max(1);
        let mut registers = vec![0; body.code.len() * size];
        for (inst, register) in body.code.iter().zip(registers.chunks_exact_mut(size)) {
            if let Inst::Scalar { bits, .. } = inst {
                register.fill(*bits);
            }
        }
        let repeats = body.code.iter().map(repeats_lines).collect();
        let there = vec![0; body.code.len()];
        Machine {
            body,
            code,
            operands,
            registers,
            size,
            index: Vec::new(),
            line: 1,
            repeats,
            there,
        }
    }

    /// Moves to a linear position; returns how many elements, at most `most`, form a run from there.
    pub fn seek(&mut self, mut position: usize, most: usize) -> usize {
        let dims = &self.body.space.dims;
        let most = most.min(self.size);
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

    /// What the last instruction gave.
    pub fn result(&self, len: usize) -> &[u32] {
        self.registers.rchunks_exact(self.size).next().map_or(&[], |r| &r[..len])
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

    /// Computes the run that [`seek`](Machine::seek) found.
    pub fn run(&mut self, len: usize, anchor: &[u32]) {
        self.run_first(self.code.len(), len, anchor);
    }

    /// The same for a run whose elements hold the anchor's result, and then the body's.
    fn run_in_place(&mut self, words: &mut [u32]) {
        let last = self.code.len() - 1;
        self.run_first(last, words.len(), words);
        match &self.body.code[last] {
            Inst::Anchor { dtype } => round(*dtype, words),
            Inst::Scalar { bits, .. } => words.fill(*bits),
            // What looks at the anchor has done so before.
            _ => self.step(last, &self.registers, words, &[]),
        }
    }

    /// Computes the first so many instructions.
    fn run_first(&mut self, count: usize, len: usize, anchor: &[u32]) {
        let mut registers = std::mem::take(&mut self.registers);
        let whole = self.body.space.dims.last() == Some(&self.line);
        for i in 0..count {
            let repeats = whole && self.repeats[i];
            if repeats && self.there[i] >= len {
                continue;
            }
            // An instruction reads registers in front of its own.
            let (before, rest) = registers.split_at_mut(i * self.size);
            self.step(i, before, &mut rest[..len], anchor);
            self.there[i] = if repeats { len } else { 0 };
        }
        self.registers = registers;
    }

    fn step(&self, i: usize, before: &[u32], out: &mut [u32], anchor: &[u32]) {
        let len = out.len();
        let register = |reg: usize| &before[reg * self.size..][..len];
        let dtype = self.body.code[i].dtype();
        match (&self.code[i], &self.body.code[i]) {
            (Prepared::Unary(row), Inst::Unary { x, .. }) => {
                let lane = self.body.code[*x].dtype().lane();
                host_math::apply_unary(row, lane, register(*x), out);
                round(dtype, out);
            }
            (Prepared::Binary(row), Inst::Binary { a, b, .. }) => {
                let lane = self.body.code[*a].dtype().lane();
                let (a, b) = (register(*a), register(*b));
                host_math::apply_binary(row, lane, a, b, out);
                round(dtype, out);
            }
            (Prepared::Other(inst), _) => self.other(inst, before, out, anchor),
            _ => {}
        }
    }

    fn other(&self, inst: &Inst, before: &[u32], out: &mut [u32], anchor: &[u32]) {
        let len = out.len();
        let register = |reg: usize| &before[reg * self.size..][..len];
        match inst {
            Inst::Anchor { dtype } => {
                out.copy_from_slice(anchor);
                round(*dtype, out);
            }
            Inst::Load { operand, at, .. } => {
                let data = self.operands[*operand];
                self.lines(at, len, |line, first, step| load(data, first, step, &mut out[line]));
            }
            Inst::Gather { operand, at, index, extent, stride, .. } => {
                let data = self.operands[*operand];
                let unsigned = self.body.code[*index].dtype().lane() == Lane::U32;
                let index = register(*index);
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
                let condition = register(*condition);
                let (a, b) = (register(*a), register(*b));
                host_math::select(condition, a, b, out);
            }
            Inst::Cast { x, dtype } => {
                let from = self.body.code[*x].dtype().lane();
                host_math::cast(from, *dtype, register(*x), out);
                round(*dtype, out);
            }
            Inst::Bitcast { x, dtype } => {
                let from = self.body.code[*x].dtype();
                let words = out.iter_mut().zip(register(*x));
                words.for_each(|(out, &word)| *out = word_of(*dtype, bits_of(from, word)));
            }
            Inst::Inside { bounds, x, otherwise, .. } => {
                out.copy_from_slice(register(*x));
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
                let words = key.map(register);
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
                    out[at] = part.map_or(0, |(_, reg)| register(*reg)[at]);
                }
            }),
            // A scalar's register is filled once, the others have arms of their own in `step`, and a
            // host is given no regions of rows.
            Inst::Row { .. } | Inst::Scalar { .. } | Inst::Unary { .. } | Inst::Binary { .. } => {}
        }
    }
}

/// Whether an instruction looks at the same elements for every line of the last dimension.
fn repeats_lines(inst: &Inst) -> bool {
    let Inst::Load { at, .. } = inst else { return false };
    at.strides.split_last().is_some_and(|(_, outer)| outer.iter().all(|&stride| stride == 0))
}

/// An element of a stored value; any number for a position outside it, which what surrounds the
/// access discards.
fn element(data: Operand<'_>, i: i64) -> u32 {
    let Ok(i) = usize::try_from(i) else { return 0 };
    match data {
        Operand::Words(words) => words.get(i).copied().unwrap_or(0),
        Operand::Narrow(narrow) => narrow.element(i),
    }
}

/// Elements of a stored value. Positions outside it are those a surrounding pad discards.
fn load(data: Operand<'_>, first: i64, step: i64, out: &mut [u32]) {
    let last = first + (out.len() as i64 - 1) * step;
    let inside = |i: i64| i >= 0 && (i as usize) < data.len();
    if inside(first) && inside(last) {
        match (data, step) {
            (_, 0) => return out.fill(element(data, first)),
            (Operand::Words(data), 1) => {
                return out.copy_from_slice(&data[first as usize..=last as usize]);
            }
            (Operand::Narrow(data), 1) => return data.load(first as usize, out),
            (Operand::Words(data), 2..) => {
                let data = data[first as usize..].iter().step_by(step as usize);
                return out.iter_mut().zip(data).for_each(|(out, &x)| *out = x);
            }
            _ => {}
        }
    }
    for (j, out) in out.iter_mut().enumerate() {
        *out = element(data, first + j as i64 * step);
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

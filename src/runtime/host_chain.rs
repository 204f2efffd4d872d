//! Code of a region that needs no registers in memory: one element goes through it from step to step,
//! with few values beside it. Bias, scale, residual and activation are such.

use crate::base::DType;
use crate::program::region::{Body, Inst, Reg};
use crate::program::view::Affine;
use crate::runtime::host_body::Operand;
use crate::runtime::host_steps::{Binary, Step, Test, Unary, run};

/// Instructions of code that is looked at.
const LONGEST: usize = 32;

/// Elements that are a whole number of blocks of vectors on every processor.
const ALIGNED: usize = 64;

/// Elements of a repeated source at least.
const LONG: usize = 256;

/// Elements that a source is repeated to for whole blocks at most.
const LONGER: usize = 4096;

/// The steps, and what they look at.
pub struct Chain<'a> {
    steps: Vec<Step>,
    sources: Vec<Source<'a>>,
    /// Elements after which repeated sources start again.
    columns: usize,
    /// The same times how often they are repeated.
    period: usize,
}

enum Source<'a> {
    /// An element for each.
    Elements(&'a [f32]),
    /// Elements that repeat, for a period from any column on.
    Repeated(Vec<f32>),
}

impl<'a> Chain<'a> {
    /// The chain that gives what a body does, to the last bit; none, if it is not one.
    pub fn of(body: &Body, operands: &[Operand<'a>]) -> Option<Chain<'a>> {
        let last = body.code.len().checked_sub(1)?;
        if body.code.len() > LONGEST {
            return None;
        }
        let columns = body.space.dims.last().copied().unwrap_or(1).max(1);
        let linear = body.space.position(0..usize::MAX);
        let finder = Finder { body, linear };
        let steps = finder.steps(None, last)?;
        let mut found: Vec<Reg> = Vec::new();
        let steps = steps.into_iter().map(|step| step.numbered(&mut found)).collect();
        let period = period(columns);
        let sources = found.into_iter().map(|reg| finder.source(reg, operands, columns, period));
        let sources = sources.collect::<Option<Vec<_>>>()?;
        Some(Chain { steps, sources, columns, period })
    }

    /// Takes the steps for neighbouring elements, of which the first is at a linear position.
    pub fn apply(&self, first: usize, words: &mut [f32]) {
        let mut lines: Vec<&[f32]> = Vec::with_capacity(self.sources.len());
        for (i, words) in words.chunks_mut(self.period).enumerate() {
            let at = first + i * self.period;
            lines.clear();
            lines.extend(self.sources.iter().map(|source| match source {
                Source::Elements(all) => &all[at..at + words.len()],
                Source::Repeated(all) => &all[at % self.columns..][..words.len()],
            }));
            run(&self.steps, &lines, words);
        }
    }
}

impl Step {
    /// The step with its source's position among the found ones instead of its register.
    fn numbered(self, found: &mut Vec<Reg>) -> Step {
        let mut number = |reg: Reg| {
            found.iter().position(|&known| known == reg).unwrap_or_else(|| {
                found.push(reg);
                found.len() - 1
            })
        };
        match self {
            Step::Load(reg) => Step::Load(number(reg)),
            Step::Binary(function, reg) => Step::Binary(function, number(reg)),
            other => other,
        }
    }

    /// Whether it needs the element that is kept, or the test.
    fn keeps(&self) -> [bool; 2] {
        let element = matches!(self, Step::Save | Step::Swap | Step::WithSaved(_));
        [element, matches!(self, Step::Ask | Step::Answer(..))]
    }
}

/// Columns repeated until they are whole blocks of vectors, and some of them.
fn period(columns: usize) -> usize {
    // Powers of two: what the columns lack of one their repetitions have to bring.
    let times = 1 << ALIGNED.trailing_zeros().saturating_sub(columns.trailing_zeros());
    let whole = columns.saturating_mul(times);
    let whole = if whole <= LONGER { whole } else { columns };
    whole * LONG.div_ceil(whole)
}

/// Looks for the steps of a body.
struct Finder<'a> {
    body: &'a Body,
    /// The linear position of an element.
    linear: Affine,
}

impl Finder<'_> {
    /// The steps from one register's element, or from the start, to another's. Their sources are named
    /// by registers.
    fn steps(&self, from: Option<Reg>, to: Reg) -> Option<Vec<Step>> {
        if from == Some(to) {
            return Some(Vec::new());
        }
        let inst = &self.body.code[to];
        if inst.dtype() != DType::Float32 {
            return None;
        }
        match inst {
            Inst::Anchor { .. } => from.is_none().then(Vec::new),
            Inst::Load { .. } | Inst::Scalar { .. } => from.is_none().then(|| vec![Step::Load(to)]),
            Inst::Cast { x, .. } => self.steps(from, *x),
            Inst::Unary { name, x, .. } => {
                let function = Step::Unary(Unary::named(name)?);
                Some(with(self.steps(from, *x)?, [function]))
            }
            Inst::Binary { name, a, b, .. } => {
                let function = Binary::named(name)?;
                let one = |x: Reg, source: Reg, function: Binary| {
                    let steps = self.is_source(source).then(|| self.steps(from, x))??;
                    Some(with(steps, [Step::Binary(function, source)]))
                };
                one(*a, *b, function)
                    .or_else(|| one(*b, *a, function.reversed()))
                    .or_else(|| self.joined(from, function, *a, *b))
            }
            Inst::Select { condition, a, b, .. } => self.chosen(from, *condition, *a, *b),
            _ => None,
        }
    }

    fn is_source(&self, reg: Reg) -> bool {
        matches!(self.body.code[reg], Inst::Load { .. } | Inst::Scalar { .. })
    }

    /// A function of two values that both come from one element.
    fn joined(&self, from: Option<Reg>, function: Binary, a: Reg, b: Reg) -> Option<Vec<Step>> {
        let mut base = Some(a);
        while let Some(x) = base {
            let parts = self.steps(Some(x), a).zip(self.steps(Some(x), b));
            let Some((of_a, of_b)) = parts else {
                base = self.before(x);
                continue;
            };
            if of_a.iter().chain(&of_b).any(|step| step.keeps()[0]) {
                return None;
            }
            let start = with(self.steps(from, x)?, [Step::Save]);
            return Some(if of_a.is_empty() {
                with(with(start, of_b), [Step::WithSaved(function.reversed())])
            } else {
                let turned = (!of_b.is_empty()).then_some(Step::Swap);
                with(with(with(with(start, of_b), turned), of_a), [Step::WithSaved(function)])
            });
        }
        None
    }

    /// The register whose element an instruction works on.
    fn before(&self, reg: Reg) -> Option<Reg> {
        match &self.body.code[reg] {
            Inst::Unary { x, .. } => Some(*x),
            Inst::Binary { a, b, .. } => Some(if self.is_source(*a) { *b } else { *a }),
            _ => None,
        }
    }

    /// A number where an element passes a test, else something else of that element.
    fn chosen(&self, from: Option<Reg>, condition: Reg, a: Reg, b: Reg) -> Option<Vec<Step>> {
        let Inst::Binary { name, a: x, b: bound, .. } = &self.body.code[condition] else {
            return None;
        };
        let (test, bound, value) = (Test::named(name)?, self.number(*bound)?, self.number(a)?);
        let start = self.steps(from, *x)?;
        let otherwise = self.steps(Some(*x), b)?;
        if otherwise.is_empty() {
            return Some(with(start, [Step::Choose(test, bound, value)]));
        }
        if otherwise.iter().any(|step| step.keeps()[1]) {
            return None;
        }
        Some(with(with(with(start, [Step::Ask]), otherwise), [Step::Answer(test, bound, value)]))
    }

    fn number(&self, reg: Reg) -> Option<f32> {
        match self.body.code[reg] {
            Inst::Scalar { dtype: DType::Float32, bits } => Some(f32::from_bits(bits)),
            _ => None,
        }
    }

    /// The elements of a source, where they are one for each or repeat after the last dimension.
    fn source<'a>(
        &self,
        reg: Reg,
        operands: &[Operand<'a>],
        columns: usize,
        period: usize,
    ) -> Option<Source<'a>> {
        let repeated = |line: &[f32]| {
            let all = line.iter().copied().cycle().take(period + columns);
            Some(Source::Repeated(all.collect()))
        };
        if let Some(number) = self.number(reg) {
            return repeated(&[number]);
        }
        let Inst::Load { operand, dtype: DType::Float32, at } = &self.body.code[reg] else {
            return None;
        };
        let Operand::Words(words) = operands.get(*operand)? else { return None };
        let data: &'a [f32] = bytemuck::cast_slice(words);
        if *at == self.linear {
            return Some(Source::Elements(data));
        }
        let first = usize::try_from(at.offset).ok()?;
        let (&along, outer) = at.strides.split_last()?;
        match (outer.iter().all(|&stride| stride == 0), along) {
            (true, 0) => repeated(data.get(first..)?.get(..1)?),
            (true, 1) => repeated(data.get(first..)?.get(..columns)?),
            _ => None,
        }
    }
}

/// Steps with others behind them.
fn with(mut steps: Vec<Step>, others: impl IntoIterator<Item = Step>) -> Vec<Step> {
    steps.extend(others);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::view::Space;
    use crate::runtime::host_body::{Machine, prepare};

    const ROWS: usize = 11;

    /// Operand 0 has an element for each, operand 1 one for each column, operand 2 a single one.
    fn load(operand: usize, columns: usize) -> Inst {
        let strides = match operand {
            0 => vec![columns as i64, 1],
            1 => vec![0, 1],
            _ => vec![0, 0],
        };
        let at = Affine { offset: 0, strides };
        Inst::Load { operand, dtype: DType::Float32, at }
    }

    fn scalar(x: f32) -> Inst {
        Inst::Scalar { dtype: DType::Float32, bits: x.to_bits() }
    }

    fn unary(name: &'static str, x: Reg) -> Inst {
        Inst::Unary { name, x, dtype: DType::Float32 }
    }

    fn binary(name: &'static str, a: Reg, b: Reg) -> Inst {
        let tests = Test::named(name).is_some();
        let dtype = if tests { DType::Bool } else { DType::Float32 };
        Inst::Binary { name, a, b, dtype }
    }

    fn select(condition: Reg, a: Reg, b: Reg) -> Inst {
        Inst::Select { condition, a, b, dtype: DType::Float32 }
    }

    const ANCHOR: Inst = Inst::Anchor { dtype: DType::Float32 };

    /// Code of the kinds that stand behind products, by name.
    fn bodies(columns: usize) -> Vec<(&'static str, Vec<Inst>)> {
        let load = |operand| load(operand, columns);
        let scaled = || {
            vec![ANCHOR, load(1), binary("mul", 0, 1), load(1), binary("add", 2, 3), scalar(0.5)]
        };
        let after = |more: Vec<Inst>| scaled().into_iter().chain(more).collect();
        vec![
            ("bias", vec![ANCHOR, load(1), binary("add", 1, 0)]),
            ("residual", vec![ANCHOR, load(0), binary("sub", 1, 0), load(2), binary("div", 3, 2)]),
            ("relu", after(vec![binary("le", 4, 5), select(6, 5, 4)])),
            (
                "relu6",
                after(vec![
                    scalar(0.25),
                    binary("ge", 4, 5),
                    binary("le", 4, 6),
                    select(8, 6, 4),
                    select(7, 5, 9),
                ]),
            ),
            ("clip", after(vec![binary("max", 4, 5), scalar(0.7), binary("min", 6, 7)])),
            ("silu", after(vec![unary("sigmoid", 4), binary("mul", 4, 6)])),
            ("reversed", after(vec![unary("tanh", 4), binary("sub", 6, 4)])),
            (
                "gelu",
                after(vec![
                    binary("mul", 4, 5),
                    unary("erf", 4),
                    binary("add", 7, 5),
                    binary("div", 6, 8),
                ]),
            ),
            ("map", vec![load(0), load(1), binary("add", 0, 1), unary("exp", 2)]),
        ]
    }

    /// What the code gives, run by registers in memory.
    fn interpreted(body: &Body, operands: &[Operand<'_>], words: &[u32]) -> Vec<u32> {
        let code = prepare(body).unwrap();
        let mut machine = Machine::new(body, &code, operands, words.len());
        let mut given = Vec::new();
        while given.len() < words.len() {
            let len = machine.seek(given.len(), words.len() - given.len());
            machine.run(len, &words[given.len()..][..len]);
            given.extend_from_slice(machine.result(len));
        }
        given
    }

    #[test]
    fn chains_give_what_the_code_gives() {
        for columns in [1, 3, 24, 96, 500] {
            let count = ROWS * columns;
            let number = |i: usize, f: f32| (i as f32 * f).sin();
            let mut x: Vec<f32> = (0..count).map(|i| number(i, 0.7)).collect();
            x[count / 2] = f32::NAN;
            let own: Vec<f32> = (0..count).map(|i| number(i, 0.3)).collect();
            let each: Vec<f32> = (0..columns).map(|i| number(i, 0.9)).collect();
            let values = [own, each, vec![0.75]];
            let operands = values.each_ref().map(|v| Operand::Words(bytemuck::cast_slice(v)));
            for (name, code) in bodies(columns) {
                let space = Space::new(&[&[ROWS, columns]]);
                let body = Body { space, operands: vec![0, 1, 2], code };
                let expected = interpreted(&body, &operands, bytemuck::cast_slice(&x));
                let chain = Chain::of(&body, &operands).unwrap_or_else(|| panic!("{name}"));
                let mut given = x.clone();
                // In two parts that start and end in the middle of rows.
                let (one, two) = given.split_at_mut(count / 3);
                chain.apply(0, one);
                chain.apply(count / 3, two);
                for (given, expected) in given.iter().zip(expected) {
                    let expected = f32::from_bits(expected);
                    let same = given.to_bits() == expected.to_bits()
                        || given.is_nan() && expected.is_nan();
                    assert!(same, "{name}, {columns} columns: {given}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_chain_is_left_to_registers() {
        let code = vec![ANCHOR, unary("floor", 0)];
        let space = Space::new(&[&[ROWS, 3]]);
        let body = Body { space, operands: vec![], code };
        assert!(Chain::of(&body, &[]).is_none());
    }
}

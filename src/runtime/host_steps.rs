//! Runs the steps of a [`Chain`](crate::runtime::host_chain::Chain): an element stays in a register from
//! the first to the last of them.

use pulp::{Arch, Simd, WithSimd};

use crate::runtime::host_functions as functions;

/// Vectors that a step is looked up for once.
const BLOCK: usize = 4;

/// What becomes of the element at hand. Sources are named by their position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// It is a source's.
    Load(usize),
    Unary(Unary),
    /// A function of it and a source's.
    Binary(Binary, usize),
    /// It is kept for later.
    Save,
    /// It and the kept one change places.
    Swap,
    /// A function of it and the kept one.
    WithSaved(Binary),
    /// The value where it passes the test.
    Choose(Test, f32, f32),
    /// It is kept for a test.
    Ask,
    /// The value where the element kept for it passes the test.
    Answer(Test, f32, f32),
}

/// Functions of one element that are computed in registers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    Neg,
    Abs,
    Sqrt,
    Rsqrt,
    Recip,
    Exp,
    Tanh,
    Sigmoid,
    Erf,
}

/// Functions of two elements that are computed in registers; the element at hand is the first, but
/// where they are from behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binary {
    Add,
    Mul,
    Sub,
    SubFrom,
    Div,
    DivInto,
    Max,
    Min,
}

/// Comparisons with a number; false for NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Test {
    Below,
    UpTo,
    From,
    Above,
}

impl Unary {
    pub fn named(name: &str) -> Option<Unary> {
        Some(match name {
            "neg" => Unary::Neg,
            "abs" => Unary::Abs,
            "sqrt" => Unary::Sqrt,
            "rsqrt" => Unary::Rsqrt,
            "recip" => Unary::Recip,
            "exp" => Unary::Exp,
            "tanh" => Unary::Tanh,
            "sigmoid" => Unary::Sigmoid,
            "erf" => Unary::Erf,
            _ => return None,
        })
    }

    /// Plain loops: inlined into a function for wide vectors, they become such.
    #[inline(always)]
    fn of<S: Simd, const N: usize>(self, x: [S::f32s; N]) -> [S::f32s; N] {
        match self {
            Unary::Neg => each::<S, N>(x, |x| -x),
            Unary::Abs => each::<S, N>(x, f32::abs),
            Unary::Sqrt => each::<S, N>(x, f32::sqrt),
            Unary::Rsqrt => each::<S, N>(x, |x| 1.0 / x.sqrt()),
            Unary::Recip => each::<S, N>(x, f32::recip),
            Unary::Exp => each::<S, N>(x, functions::exp),
            Unary::Tanh => each::<S, N>(x, functions::tanh),
            Unary::Sigmoid => each::<S, N>(x, functions::sigmoid),
            Unary::Erf => each::<S, N>(x, functions::erf),
        }
    }
}

impl Binary {
    pub fn named(name: &str) -> Option<Binary> {
        Some(match name {
            "add" => Binary::Add,
            "mul" => Binary::Mul,
            "sub" => Binary::Sub,
            "div" => Binary::Div,
            "max" => Binary::Max,
            "min" => Binary::Min,
            _ => return None,
        })
    }

    /// The same function with its operands exchanged.
    pub fn reversed(self) -> Binary {
        match self {
            Binary::Sub => Binary::SubFrom,
            Binary::SubFrom => Binary::Sub,
            Binary::Div => Binary::DivInto,
            Binary::DivInto => Binary::Div,
            other => other,
        }
    }

    #[inline(always)]
    fn of<S: Simd, const N: usize>(
        self,
        simd: S,
        a: [S::f32s; N],
        b: [S::f32s; N],
    ) -> [S::f32s; N] {
        match self {
            Binary::Add => pairs::<S, N>(a, b, |a, b| simd.add_f32s(a, b)),
            Binary::Mul => pairs::<S, N>(a, b, |a, b| simd.mul_f32s(a, b)),
            Binary::Sub => pairs::<S, N>(a, b, |a, b| simd.sub_f32s(a, b)),
            Binary::SubFrom => pairs::<S, N>(a, b, |a, b| simd.sub_f32s(b, a)),
            Binary::Div => pairs::<S, N>(a, b, |a, b| simd.div_f32s(a, b)),
            Binary::DivInto => pairs::<S, N>(a, b, |a, b| simd.div_f32s(b, a)),
            // The comparison is false for NaN on either side, the sum then is NaN.
            Binary::Max => pairs::<S, N>(a, b, |a, b| {
                let other = simd.select_f32s(simd.greater_than_f32s(b, a), b, simd.add_f32s(a, b));
                simd.select_f32s(simd.greater_than_or_equal_f32s(a, b), a, other)
            }),
            Binary::Min => pairs::<S, N>(a, b, |a, b| {
                let other = simd.select_f32s(simd.less_than_f32s(b, a), b, simd.add_f32s(a, b));
                simd.select_f32s(simd.less_than_or_equal_f32s(a, b), a, other)
            }),
        }
    }
}

impl Test {
    pub fn named(name: &str) -> Option<Test> {
        Some(match name {
            "lt" => Test::Below,
            "le" => Test::UpTo,
            "ge" => Test::From,
            "gt" => Test::Above,
            _ => return None,
        })
    }

    /// The value where an element passes, else the other one.
    #[inline(always)]
    fn choose<S: Simd, const N: usize>(
        self,
        simd: S,
        (x, bound): ([S::f32s; N], f32),
        value: f32,
        other: [S::f32s; N],
    ) -> [S::f32s; N] {
        let (bound, value) = (simd.splat_f32s(bound), simd.splat_f32s(value));
        let pick = |passed, other| simd.select_f32s(passed, value, other);
        match self {
            Test::Below => pairs::<S, N>(x, other, |x, y| pick(simd.less_than_f32s(x, bound), y)),
            Test::UpTo => {
                pairs::<S, N>(x, other, |x, y| pick(simd.less_than_or_equal_f32s(x, bound), y))
            }
            Test::From => {
                pairs::<S, N>(x, other, |x, y| pick(simd.greater_than_or_equal_f32s(x, bound), y))
            }
            Test::Above => {
                pairs::<S, N>(x, other, |x, y| pick(simd.greater_than_f32s(x, bound), y))
            }
        }
    }
}

/// Steps for neighbouring elements: `lines` are the sources' elements at their places.
struct Running<'a> {
    steps: &'a [Step],
    lines: &'a [&'a [f32]],
    words: &'a mut [f32],
}

/// Takes the steps for all elements; the sources have as many.
pub fn run(steps: &[Step], lines: &[&[f32]], words: &mut [f32]) {
    Arch::new().dispatch(Running { steps, lines, words });
}

impl WithSimd for Running<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Running { steps, lines, words } = self;
        let len = words.len();
        let lanes = S::F32_LANES;
        let (vectors, tail) = S::as_mut_simd_f32s(words);
        let (blocks, rest) = vectors.as_chunks_mut::<BLOCK>();
        for (i, block) in blocks.iter_mut().enumerate() {
            *block = taken::<S, BLOCK>(simd, steps, lines, i * BLOCK * lanes, *block);
        }
        let first = blocks.len() * BLOCK * lanes;
        for (i, vector) in rest.iter_mut().enumerate() {
            [*vector] = taken::<S, 1>(simd, steps, lines, first + i * lanes, [*vector]);
        }
        if !tail.is_empty() {
            let [vector] = [simd.partial_load_f32s(tail)];
            let [vector] = taken::<S, 1>(simd, steps, lines, len - tail.len(), [vector]);
            simd.partial_store_f32s(tail, vector);
        }
    }
}

/// What the steps make of some vectors, of which the first starts at a place of the lines.
#[inline(always)]
fn taken<S: Simd, const N: usize>(
    simd: S,
    steps: &[Step],
    lines: &[&[f32]],
    at: usize,
    mut x: [S::f32s; N],
) -> [S::f32s; N] {
    let mut saved = x;
    let mut asked = x;
    for step in steps {
        match *step {
            Step::Load(source) => x = load::<S, N>(simd, lines[source], at),
            Step::Unary(function) => x = function.of::<S, N>(x),
            Step::Binary(function, source) => {
                x = function.of::<S, N>(simd, x, load::<S, N>(simd, lines[source], at));
            }
            Step::Save => saved = x,
            Step::Swap => (x, saved) = (saved, x),
            Step::WithSaved(function) => x = function.of::<S, N>(simd, x, saved),
            Step::Choose(test, bound, value) => {
                x = test.choose::<S, N>(simd, (x, bound), value, x);
            }
            Step::Ask => asked = x,
            Step::Answer(test, bound, value) => {
                x = test.choose::<S, N>(simd, (asked, bound), value, x);
            }
        }
    }
    x
}

/// Vectors of a line; the last one may be cut short where it is loaded by itself.
#[inline(always)]
fn load<S: Simd, const N: usize>(simd: S, line: &[f32], at: usize) -> [S::f32s; N] {
    let lanes = S::F32_LANES;
    let line = &line[at..];
    match S::as_simd_f32s(&line[..line.len().min(N * lanes)]).0.try_into() {
        Ok(vectors) => vectors,
        Err(_) => [simd.partial_load_f32s(&line[..line.len().min(lanes)]); N],
    }
}

#[inline(always)]
fn pairs<S: Simd, const N: usize>(
    mut a: [S::f32s; N],
    b: [S::f32s; N],
    f: impl Fn(S::f32s, S::f32s) -> S::f32s,
) -> [S::f32s; N] {
    // No `map`: it would stay a call.
    a.iter_mut().zip(&b).for_each(|(a, &b)| *a = f(*a, b));
    a
}

#[inline(always)]
fn each<S: Simd, const N: usize>(mut x: [S::f32s; N], f: impl Fn(f32) -> f32) -> [S::f32s; N] {
    bytemuck::cast_slice_mut::<S::f32s, f32>(&mut x).iter_mut().for_each(|x| *x = f(*x));
    x
}

//! Einstein summation as transposes, one batched matrix product and sums.

use crate::base::error::quote;
use crate::base::{Error, Result, Shape};
use crate::graph::Value;

/// An equation such as `ab,bc->ac`, with its ellipses replaced by letters of their own.
struct Equation {
    inputs: Vec<Vec<char>>,
    output: Vec<char>,
}

/// Letters that stand for the axes of an ellipsis; equations are ASCII and cannot contain them.
fn ellipsis_axes(count: usize) -> impl Iterator<Item = char> {
    (0..count as u32).filter_map(|i| char::from_u32(0xE000 + i))
}

impl Equation {
    /// Reads an equation for operands of these ranks.
    fn parse(text: &str, ranks: &[usize]) -> Result<Equation> {
        let bad = || {
            let found = format!("{} for operands of rank {ranks:?}", quote(text));
            Error::shape("einsum", found, "an equation such as \"ab,bc->ac\" that fits them")
        };
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if !text.is_ascii() {
            return Err(bad());
        }
        let (left, right) =
            text.split_once("->").map_or((text.as_str(), None), |(l, r)| (l, Some(r)));
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != ranks.len() {
            return Err(bad());
        }
        // All ellipses stand for the same axes, counted from the last.
        let hidden = |term: &str, rank: usize| match term.contains("...") {
            true => rank.checked_sub(term.len() - 3),
            false => Some(0),
        };
        let counts: Option<Vec<usize>> =
            terms.iter().zip(ranks).map(|(term, &rank)| hidden(term, rank)).collect();
        let counts = counts.ok_or_else(bad)?;
        let longest = counts.iter().copied().max().unwrap_or(0);
        let expand = |term: &str, count: usize| -> Option<Vec<char>> {
            let (front, back) = term.split_once("...").unwrap_or((term, ""));
            let letters = front.chars().chain(ellipsis_axes(longest).skip(longest - count));
            let letters: Vec<char> = letters.chain(back.chars()).collect();
            let known = |c: &char| c.is_ascii_alphabetic() || *c >= '\u{E000}';
            letters.iter().all(known).then_some(letters)
        };
        let inputs: Option<Vec<Vec<char>>> =
            terms.iter().zip(&counts).map(|(term, &n)| expand(term, n)).collect();
        let inputs = inputs.ok_or_else(bad)?;
        let output = match right {
            Some(term) => expand(term, if term.contains("...") { longest } else { 0 }),
            None => Some(implied_output(&inputs, longest)),
        };
        let equation = Equation { inputs, output: output.ok_or_else(bad)? };
        if equation.fits(ranks) { Ok(equation) } else { Err(bad()) }
    }

    /// Whether operands have a letter per axis, and the output's come from them, one axis each.
    fn fits(&self, ranks: &[usize]) -> bool {
        let distinct = |term: &[char]| term.iter().all(|c| count(term, *c) == 1);
        let known = |c: &char| self.inputs.iter().any(|term| term.contains(c));
        self.inputs.iter().zip(ranks).all(|(term, &rank)| term.len() == rank)
            && distinct(&self.output)
            && self.output.iter().all(known)
    }
}

fn count(term: &[char], letter: char) -> usize {
    term.iter().filter(|c| **c == letter).count()
}

/// Without an arrow: the ellipsis, then every letter that occurs once, in alphabetical order.
fn implied_output(inputs: &[Vec<char>], hidden: usize) -> Vec<char> {
    let all: Vec<char> = inputs.concat();
    let mut once: Vec<char> =
        all.iter().copied().filter(|&c| c < '\u{E000}' && count(&all, c) == 1).collect();
    once.sort_unstable();
    ellipsis_axes(hidden).chain(once).collect()
}

/// A value whose axes have letters.
struct Term<'g> {
    value: Value<'g>,
    letters: Vec<char>,
}

impl<'g> Term<'g> {
    fn extent(&self, letter: char) -> Option<usize> {
        let axis = self.letters.iter().position(|&c| c == letter)?;
        self.value.shape().get(axis).copied()
    }

    /// Of axes with the same letter the diagonal, as one axis.
    fn on_diagonals(mut self) -> Result<Term<'g>> {
        let repeated = |letters: &[char]| {
            let later = |i: usize| letters[i + 1..].iter().position(|c| *c == letters[i]);
            (0..letters.len()).find_map(|i| Some((i, i + 1 + later(i)?)))
        };
        while let Some((first, second)) = repeated(&self.letters) {
            let shape = self.value.shape();
            if shape[first] != shape[second] {
                let expected = format!("axes of one extent for both '{}'", self.letters[first]);
                return Err(Error::shape("einsum", shape.to_string(), expected));
            }
            let index = |axis| self.value.graph().iota(shape.clone(), axis);
            let diagonal = index(first).binary("eq", index(second));
            self.value = diagonal.select(self.value, self.value.like(0.0)).sum(&[second]);
            self.letters.remove(second);
        }
        Ok(self)
    }

    /// The same value without the letters that nothing else needs, summed over.
    fn sum_out(self, needed: impl Fn(char) -> bool) -> Term<'g> {
        let axes: Vec<usize> =
            (0..self.letters.len()).filter(|&i| !needed(self.letters[i])).collect();
        let letters = self.letters.into_iter().filter(|&c| needed(c)).collect();
        Term { value: self.value.sum(&axes), letters }
    }

    /// Axes in the order of `letters`, which are all of the term's.
    fn ordered(&self, letters: &[char]) -> Value<'g> {
        let axis = |c: &char| self.letters.iter().position(|own| own == c);
        self.value.transpose(&letters.iter().filter_map(axis).collect::<Vec<_>>())
    }

    /// The extents of some letters.
    fn extents(&self, letters: &[char]) -> Vec<usize> {
        letters.iter().filter_map(|&c| self.extent(c)).collect()
    }
}

/// The sum of products of the operands that an equation in NumPy's notation describes; where a letter
/// occurs twice in one operand, its diagonal is taken.
///
/// # Errors
/// If the equation does not fit the operands.
pub fn einsum<'g>(equation: &str, operands: &[Value<'g>]) -> Result<Value<'g>> {
    let ranks: Vec<usize> = operands.iter().map(|v| v.rank()).collect();
    let Equation { inputs, output } = Equation::parse(equation, &ranks)?;
    let terms = operands.iter().zip(inputs).map(|(&value, letters)| Term { value, letters });
    let mut rest = terms.map(Term::on_diagonals).collect::<Result<Vec<Term<'g>>>>()?;
    if rest.is_empty() {
        return Err(Error::shape("einsum", "no operands", "at least one"));
    }
    let mut left = rest.remove(0);
    while !rest.is_empty() {
        let right = rest.remove(0);
        let later = |c: char| output.contains(&c) || rest.iter().any(|t| t.letters.contains(&c));
        // The operand whose axes come first in the output gives the rows: nothing is turned around.
        let first = |own: &Term<'_>, other: &Term<'_>| {
            output.iter().position(|c| own.letters.contains(c) && !other.letters.contains(c))
        };
        let turned = first(&right, &left).zip(first(&left, &right)).is_some_and(|(r, l)| r < l);
        let (rows, columns) = if turned { (right, left) } else { (left, right) };
        left = contract(rows, columns, &later)?;
    }
    let left = left.sum_out(|c| output.contains(&c));
    Ok(left.ordered(&output))
}

/// The product of two terms, summed over the letters that nothing later needs.
fn contract<'g>(a: Term<'g>, b: Term<'g>, later: &dyn Fn(char) -> bool) -> Result<Term<'g>> {
    let (mine, theirs) = (a.letters.clone(), b.letters.clone());
    let a = a.sum_out(|c| later(c) || theirs.contains(&c));
    let b = b.sum_out(|c| later(c) || mine.contains(&c));
    let shared: Vec<char> = a.letters.iter().copied().filter(|c| b.letters.contains(c)).collect();
    for &c in &shared {
        if a.extent(c) != b.extent(c) {
            let found = format!("{} and {}", a.value.shape(), b.value.shape());
            return Err(Error::shape("einsum", found, "equal extents under one letter"));
        }
    }
    let pick = |from: &[char], test: &dyn Fn(char) -> bool| -> Vec<char> {
        from.iter().copied().filter(|&c| test(c)).collect()
    };
    let batch = pick(&shared, later);
    let inner = pick(&shared, &|c| !later(c));
    let rows = pick(&a.letters, &|c| !shared.contains(&c));
    let columns = pick(&b.letters, &|c| !shared.contains(&c));
    let size = |term: &Term<'g>, letters: &[char]| Shape::from(term.extents(letters)).len();
    let x = a.ordered(&[batch.clone(), rows.clone(), inner.clone()].concat());
    let x = x.reshape([size(&a, &batch), size(&a, &rows), size(&a, &inner)]);
    let y = b.ordered(&[batch.clone(), inner.clone(), columns.clone()].concat());
    let y = y.reshape([size(&b, &batch), size(&b, &inner), size(&b, &columns)]);
    let extents = [a.extents(&batch), a.extents(&rows), b.extents(&columns)].concat();
    let value = x.matmul(y).reshape(extents);
    Ok(Term { value, letters: [batch, rows, columns].concat() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{DType, Spec};
    use crate::graph::Graph;
    use crate::graph::eval::{Leaves, eval};
    use crate::tensor::Array;

    /// The result for operands that count up from 0 in each shape.
    fn run(equation: &str, shapes: &[&[usize]]) -> Result<Array> {
        let graph = Graph::new();
        let count = |shape: &[usize]| {
            let len = Shape::from(shape).len();
            Array::f32(shape, (0..len).map(|i| i as f32).collect())
        };
        let arrays: Vec<Array> = shapes.iter().map(|shape| count(shape)).collect();
        let operands: Vec<Value<'_>> =
            shapes.iter().map(|&shape| graph.input(Spec::new(shape, DType::Float32))).collect();
        let id = einsum(equation, &operands)?.id();
        let trace = graph.finish()?;
        let leaves = Leaves { inputs: &arrays, ..Leaves::default() };
        Ok(eval(&trace.nodes, &[id], &leaves)?.remove(0))
    }

    #[test]
    fn sums_are_those_of_numpy() {
        type Case<'a> = (&'a str, &'a [&'a [usize]], &'a [usize], &'a [f32]);
        let cases: [Case<'_>; 8] = [
            ("ab,cb->ca", &[&[2, 2], &[1, 2]], &[1, 2], &[1., 3.]),
            ("ab,bc->ac", &[&[2, 2], &[2, 2]], &[2, 2], &[2., 3., 6., 11.]),
            ("ab,bc", &[&[2, 2], &[2, 2]], &[2, 2], &[2., 3., 6., 11.]),
            ("ab->ba", &[&[2, 3]], &[3, 2], &[0., 3., 1., 4., 2., 5.]),
            ("ab,a->", &[&[2, 2], &[2]], &[], &[5.]),
            ("aa,ab->b", &[&[2, 2], &[2, 2]], &[2], &[6., 9.]),
            ("...a,ab->...b", &[&[1, 2, 2], &[2, 1]], &[1, 2, 1], &[1., 3.]),
            ("a,b,a->ab", &[&[2], &[3], &[2]], &[2, 3], &[0., 0., 0., 0., 1., 2.]),
        ];
        for (equation, shapes, shape, expected) in cases {
            let result = run(equation, shapes).unwrap();
            assert_eq!(result.spec.shape.as_slice(), shape, "{equation}");
            assert_eq!(result.as_f32(), expected, "{equation}");
        }
    }

    #[test]
    fn equations_that_do_not_fit_are_refused() {
        for equation in ["ab,bc->ad", "abc,bc->a", "ab->a", "ab,bc->aa", "é,b", "...a...,b"] {
            assert!(run(equation, &[&[2, 2], &[2, 2]]).is_err(), "{equation}");
        }
        assert!(run("ab,bc->ac", &[&[2, 2], &[3, 2]]).is_err());
    }
}

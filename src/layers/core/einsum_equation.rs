//! The equation of an `EinsumDense`: which extents it gives the weights, and where their scales go.

use crate::base::{Error, Result, Shape, SymbolicShape};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::quantizers::Summed;

/// The terms of `input,weight->output`, without the ellipsis that input and output may share.
pub(super) struct Equation {
    pub text: String,
    input: String,
    weight: String,
    pub output: String,
    /// Whether the ellipsis, if there is one, stands in front.
    elided_left: bool,
}

impl Equation {
    /// Reads the config key `equation`.
    pub fn parse(config: &Config) -> Result<Equation> {
        let bad =
            || config.bad("equation", "[X],[Y]->[Z], ...[X],[Y]->...[Z] or [X]...,[Y]->[Z]...");
        let text = config.str("equation")?;
        let (terms, output) = text.split_once("->").ok_or_else(bad)?;
        let (input, weight) = terms.split_once(',').ok_or_else(bad)?;
        let strip = |term: &str| -> Option<(String, bool, bool)> {
            let (left, right) = (term.starts_with("..."), term.ends_with("..."));
            let letters = term.trim_start_matches("...").trim_end_matches("...");
            let known = !letters.is_empty() && letters.chars().all(|c| c.is_ascii_alphabetic());
            (known && !(left && right)).then(|| (letters.to_owned(), left, right))
        };
        let (input, left, right) = strip(input).ok_or_else(bad)?;
        let (output, also_left, also_right) = strip(output).ok_or_else(bad)?;
        let weight = strip(weight).filter(|(_, left, right)| !left && !right).ok_or_else(bad)?.0;
        if left != also_left || right != also_right {
            return Err(bad());
        }
        Ok(Equation { text: text.to_owned(), input, weight, output, elided_left: left })
    }
}

/// What the equation says of the weights for one input shape.
pub(super) struct Extents {
    pub kernel: Vec<usize>,
    pub bias: Option<Vec<usize>>,
}

impl Equation {
    /// The extents of kernel and bias, for an input of this shape and `output_shape` without batch.
    pub fn extents(
        &self,
        input: &SymbolicShape,
        output_shape: &[Option<usize>],
        bias_axes: Option<&str>,
    ) -> Result<Extents> {
        let Equation { input: letters, weight, output, elided_left, .. } = self;
        let misfit = || {
            let expected = format!("a shape that fits the equation {}", self.text);
            Error::shape("einsum dense", format!("input {input}"), expected)
        };
        let elided = input.rank().checked_sub(letters.len()).ok_or_else(misfit)?;
        let offset = if *elided_left { elided } else { 0 };
        let whole = self.whole_output(input, elided, output_shape).ok_or_else(misfit)?;
        let from_output =
            |c: char| output.find(c).and_then(|i| whole.get(i + offset).copied().flatten());
        let from_input =
            |c: char| letters.find(c).and_then(|i| input.0.get(i + offset).copied().flatten());
        let extent = |c: char| from_output(c).or_else(|| from_input(c)).ok_or_else(misfit);
        let shared = letters.chars().filter_map(|c| Some((from_output(c)?, from_input(c)?)));
        if shared.into_iter().any(|(a, b)| a != b) {
            return Err(misfit());
        }
        let bias = bias_axes.map(|axes| -> Result<Vec<usize>> {
            let behind = output.chars().skip_while(|c| !axes.contains(*c));
            let extents = behind.map(|c| if axes.contains(c) { extent(c) } else { Ok(1) });
            let trailing = if *elided_left { 0 } else { elided };
            extents.chain((0..trailing).map(|_| Ok(1))).collect()
        });
        Ok(Extents {
            kernel: weight.chars().map(extent).collect::<Result<_>>()?,
            bias: bias.transpose()?,
        })
    }

    /// The output's extents with the batch and what the ellipsis stands for.
    fn whole_output(
        &self,
        input: &SymbolicShape,
        elided: usize,
        output_shape: &[Option<usize>],
    ) -> Option<Vec<Option<usize>>> {
        let mut whole = vec![*input.0.first()?];
        if self.elided_left {
            whole.extend_from_slice(input.0.get(1..elided.max(1))?);
            whole.extend_from_slice(output_shape);
        } else {
            whole.extend_from_slice(output_shape);
            whole.extend_from_slice(&input.0[input.rank() - elided..]);
        }
        Some(whole)
    }
}

/// How the axes of a quantized operand's scale come to lie as the output's: they are exchanged, axes
/// of extent 1 put in, and some taken away.
pub(super) struct ScaleAxes {
    transpose: Vec<usize>,
    expand: Vec<usize>,
    squeeze: Vec<usize>,
}

/// Which letters a quantized product reads: those of an ellipsis are written out.
struct Letters {
    input: Vec<char>,
    weight: Vec<char>,
    output: Vec<char>,
}

impl Equation {
    fn letters(&self, rank: usize) -> Letters {
        // Letters of private use stand for the axes of the ellipsis.
        let elided = rank.saturating_sub(self.input.len()) as u32;
        let hidden: Vec<char> = (0..elided).filter_map(|i| char::from_u32(0xE000 + i)).collect();
        let term = |letters: &str| -> Vec<char> {
            match self.elided_left {
                true => hidden.iter().copied().chain(letters.chars()).collect(),
                false => letters.chars().chain(hidden.iter().copied()).collect(),
            }
        };
        let (input, output) = (term(&self.input), term(&self.output));
        Letters { input, output, weight: self.weight.chars().collect() }
    }

    /// The axes that the product sums over, for an input of this rank.
    pub fn summed(&self, rank: usize) -> Vec<Summed> {
        let Letters { input, weight, output } = self.letters(rank);
        let place = |term: &[char], c: char| term.iter().position(|&other| other == c);
        let mut summed: Vec<Summed> = Vec::new();
        for &c in input.iter().chain(weight.iter().filter(|&c| !input.contains(c))) {
            if !output.contains(&c) {
                summed.push(Summed { a: place(&input, c), b: place(&weight, c) });
            }
        }
        summed
    }

    /// Whether axis `i` of the kernel is summed over.
    pub fn sums_kernel(&self, i: usize) -> bool {
        self.weight.chars().nth(i).is_some_and(|c| !self.output.contains(c))
    }

    /// How the scale of the inputs, whose summed axes are 1, comes to lie as the output.
    pub fn input_scale_axes(&self, rank: usize) -> Result<ScaleAxes> {
        let letters = self.letters(rank);
        self.scale_axes(&letters.input, &letters.output)
    }

    /// The same for the kernel's scale, which a file holds in that form.
    pub fn kernel_scale_axes(&self, input_rank: usize) -> Result<ScaleAxes> {
        let letters = self.letters(input_rank);
        self.scale_axes(&letters.weight, &letters.output)
    }

    /// Summed axes stand where the output has axes that the operand lacks, as long as there are such;
    /// the others are taken away.
    fn scale_axes(&self, operand: &[char], output: &[char]) -> Result<ScaleAxes> {
        let place = |c: &char| operand.iter().position(|other| other == c);
        let lacking = (0..output.len()).filter(|&i| place(&output[i]).is_none());
        let mut expand: std::collections::VecDeque<usize> = lacking.collect();
        let mut transpose: Vec<usize> = output.iter().filter_map(place).collect();
        let mut squeeze = Vec::new();
        let mut at = None;
        for (i, _) in operand.iter().enumerate().filter(|(_, c)| !output.contains(c)) {
            match expand.pop_front() {
                None => squeeze.push(i),
                next => at = next,
            }
            let at = at.filter(|&at| at <= transpose.len()).ok_or_else(|| {
                Error::Unsupported(format!("a quantized product with equation {}", self.text))
            })?;
            transpose.insert(at, i);
        }
        Ok(ScaleAxes { transpose, expand: expand.into(), squeeze })
    }
}

impl ScaleAxes {
    /// The shape of a scale that had `shape` before.
    pub fn shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        let misfit = || {
            let found = format!("a scale {}", Shape::new(shape.to_vec()));
            Error::shape("einsum dense", found, "one that fits the equation")
        };
        let axis = |&axis: &usize| shape.get(axis).copied().ok_or_else(misfit);
        let mut shape: Vec<usize> = self.transpose.iter().map(axis).collect::<Result<_>>()?;
        for &axis in &self.expand {
            let rank = shape.len();
            shape.insert(axis.min(rank), 1);
        }
        for &axis in self.squeeze.iter().rev() {
            if shape.get(axis) != Some(&1) {
                return Err(misfit());
            }
            shape.remove(axis);
        }
        Ok(shape)
    }

    /// The scale, as the output wants it.
    pub fn apply<'g>(&self, scale: Value<'g>) -> Result<Value<'g>> {
        let shape = self.shape(&scale.shape())?;
        Ok(scale.transpose(&self.transpose).reshape(shape))
    }

    /// The scale as it was, from how the output wants it.
    pub fn undo<'g>(&self, scale: Value<'g>) -> Value<'g> {
        let mut shape = scale.shape().to_vec();
        for &axis in &self.squeeze {
            let rank = shape.len();
            shape.insert(axis.min(rank), 1);
        }
        for &axis in self.expand.iter().rev() {
            if axis < shape.len() {
                shape.remove(axis);
            }
        }
        let mut back: Vec<usize> = (0..self.transpose.len()).collect();
        back.sort_by_key(|&i| self.transpose[i]);
        scale.reshape(shape).transpose(&back)
    }
}

//! `keras.layers.EinsumDense`: output = activation(einsum(equation, inputs, kernel) + bias).
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | extents of the equation's second term | always |
//! | 1 bias | extents of bias_axes, 1 for the axes behind the first of them | bias_axes |
//!
//! Extents come from `output_shape`, which leaves out the batch, and from the input.

use crate::activations::Activation;
use crate::base::{Error, Result, SymbolicShape};
use crate::builder;
use crate::graph::einsum::einsum;
use crate::initializers::Initializer;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::settings::{lora_settings, refuse_quantization, weight_settings};
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::tensor::Variable;

builder! {
    /// A dense layer whose product is an Einstein summation.
    EinsumDense(equation, output_shape) {
        activation: "linear",
        bias_axes: null,
        kernel_initializer: "glorot_uniform",
        bias_initializer: "zeros",
        kernel_regularizer: null,
        bias_regularizer: null,
        activity_regularizer: null,
        kernel_constraint: null,
        bias_constraint: null,
        lora_rank: null,
        lora_alpha: null,
        quantization_config: null,
    }
}

/// The terms of `input,weight->output`, without the ellipsis that input and output may share.
struct Equation {
    input: String,
    weight: String,
    output: String,
    /// Whether the ellipsis, if there is one, stands in front.
    elided_left: bool,
}

impl Equation {
    fn parse(config: &Config) -> Result<Equation> {
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
        Ok(Equation { input, weight, output, elided_left: left })
    }
}

/// What the equation says of the weights for one input shape.
struct Extents {
    kernel: Vec<usize>,
    bias: Option<Vec<usize>>,
}

struct EinsumDenseLayer {
    base: LayerBase,
    equation: String,
    terms: Equation,
    output_shape: Vec<Option<usize>>,
    bias_axes: Option<String>,
    activation: Activation,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
    kernel: Option<Variable>,
    bias: Option<Variable>,
}

impl EinsumDense {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        weight_settings(config, &["kernel", "bias"])?;
        lora_settings(config)?;
        refuse_quantization(config)?;
        let terms = Equation::parse(config)?;
        let bias_axes = config.optional_str("bias_axes")?;
        if bias_axes.is_some_and(|a| a.is_empty() || !a.chars().all(|c| terms.output.contains(c))) {
            return Err(config.bad("bias_axes", "letters of the equation's output"));
        }
        Ok(Box::new(EinsumDenseLayer {
            base: LayerBase::new("EinsumDense", config)?,
            equation: config.str("equation")?.to_owned(),
            terms,
            output_shape: output_shape(config)?,
            bias_axes: bias_axes.map(str::to_owned),
            activation: Activation::from_config(config, "activation")?,
            kernel_initializer: Initializer::from_config(config, "kernel_initializer")?,
            bias_initializer: Initializer::from_config(config, "bias_initializer")?,
            kernel: None,
            bias: None,
        }))
    }
}

/// The key `output_shape`: extents without the batch, null where they follow from the input.
fn output_shape(config: &Config) -> Result<Vec<Option<usize>>> {
    let bad = || config.bad("output_shape", "an extent or a list of extents and null");
    let extent = |json: &Json| match json {
        Json::Null => Ok(None),
        n => {
            let n = n.as_u64().filter(|&n| n > 0 && n <= u64::from(u32::MAX));
            n.map(|n| Some(n as usize)).ok_or_else(bad)
        }
    };
    match config.get("output_shape") {
        Json::Array(items) => items.iter().map(extent).collect(),
        Json::Null => Err(bad()),
        one => Ok(vec![extent(one)?]),
    }
}

impl EinsumDenseLayer {
    fn extents(&self, input: &SymbolicShape) -> Result<Extents> {
        let Equation { input: letters, weight, output, elided_left } = &self.terms;
        let misfit = || {
            let expected = format!("a shape that fits the equation {}", self.equation);
            Error::shape("einsum dense", format!("input {input}"), expected)
        };
        let elided = input.rank().checked_sub(letters.len()).ok_or_else(misfit)?;
        let offset = if *elided_left { elided } else { 0 };
        let whole = self.whole_output(input, elided).ok_or_else(misfit)?;
        let from_output =
            |c: char| output.find(c).and_then(|i| whole.get(i + offset).copied().flatten());
        let from_input =
            |c: char| letters.find(c).and_then(|i| input.0.get(i + offset).copied().flatten());
        let extent = |c: char| from_output(c).or_else(|| from_input(c)).ok_or_else(misfit);
        let shared = letters.chars().filter_map(|c| Some((from_output(c)?, from_input(c)?)));
        if shared.into_iter().any(|(a, b)| a != b) {
            return Err(misfit());
        }
        let bias = self.bias_axes.as_deref().map(|axes| -> Result<Vec<usize>> {
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
    fn whole_output(&self, input: &SymbolicShape, elided: usize) -> Option<Vec<Option<usize>>> {
        let mut whole = vec![*input.0.first()?];
        if self.terms.elided_left {
            whole.extend_from_slice(input.0.get(1..elided.max(1))?);
            whole.extend_from_slice(&self.output_shape);
        } else {
            whole.extend_from_slice(&self.output_shape);
            whole.extend_from_slice(&input.0[input.rank() - elided..]);
        }
        Some(whole)
    }
}

impl Layer for EinsumDenseLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let Extents { kernel, bias } = self.extents(inputs.input_shape()?)?;
        self.kernel = Some(self.base.add_weight("kernel", kernel, &self.kernel_initializer)?);
        if let Some(bias) = bias {
            self.bias = Some(self.base.add_weight("bias", bias, &self.bias_initializer)?);
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let kernel = cx.weight(&self.kernel, "kernel")?;
        let y = einsum(&self.equation, &[args.input()?.cast(kernel.dtype()), kernel])?;
        let y = self.bias.as_ref().map_or(y, |bias| y + cx.read(bias));
        Ok(self.activation.apply(y).into())
    }
}

//! `keras.layers.ReversibleEmbedding`: row `inputs` of a table or, called with `reverse`, the product of
//! vectors with all rows: output = inputs · embeddingsᵀ, capped by
//! logit_soft_cap · tanh(output / logit_soft_cap).
//!
//! Its variables are those of its [table](super::table), then, without `tie_weights`, the matrix that
//! maps back: reverse_embeddings, and when it is quantized reverse_embeddings_scale and, in blocks,
//! reverse_embeddings_zero.
//!
//! Input (batch, …) of integers → output (batch, …, output_dim); reversed,
//! (batch, …, output_dim) → (batch, …, input_dim).

use super::table::Table;
use crate::base::{DType, Error, Result, Spec};
use crate::builder;
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::{layer_base, numbered};
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::operations::promotion::{Kind::Strong, result_type};
use crate::quantizers::{
    AbsMaxQuantizer, Mode, Summed, contract_integers, dequantize_groups, unpack_int4,
};
use crate::tensor::Variable;

builder! {
    /// Looks up rows of a table, and maps vectors back to all rows.
    ReversibleEmbedding(input_dim, output_dim) {
        tie_weights: true,
        embeddings_initializer: "uniform",
        embeddings_regularizer: null,
        activity_regularizer: null,
        embeddings_constraint: null,
        mask_zero: false,
        reverse_dtype: null,
        logit_soft_cap: null,
        lora_rank: null,
        lora_alpha: null,
        quantization_config: null,
    }
}

struct ReversibleEmbeddingLayer {
    base: LayerBase,
    table: Table,
    tie_weights: bool,
    reverse_dtype: Option<DType>,
    logit_soft_cap: Option<f64>,
    reverse: Option<Reverse>,
}

/// The matrix that maps back, where it is not the table's: `output_dim × input_dim` as floats or
/// int8, two numbers of a column to a byte for int4.
struct Reverse {
    kernel: Variable,
    /// (input_dim), or (groups, input_dim) with blocks; none for floats.
    scale: Option<Variable>,
    /// (groups, input_dim), float.
    zero: Option<Variable>,
}

/// A quantized matrix `output_dim × input_dim`.
struct Quantized<'g> {
    numbers: Value<'g>,
    scale: Value<'g>,
    /// Zero point of every group and the group of every row.
    groups: Option<(Value<'g>, Value<'g>)>,
}

impl ReversibleEmbedding {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let mut base = LayerBase::new("ReversibleEmbedding", config)?;
        base.autocast = false;
        Ok(Box::new(ReversibleEmbeddingLayer {
            base,
            table: Table::from_config(config)?,
            tie_weights: config.bool("tie_weights")?,
            reverse_dtype: config
                .optional_str("reverse_dtype")?
                .map(DType::from_name)
                .transpose()?,
            logit_soft_cap: config.optional_float("logit_soft_cap")?,
            reverse: None,
        }))
    }
}

impl Reverse {
    fn build(base: &mut LayerBase, table: &Table) -> Result<Reverse> {
        let (rows, columns) = (table.output_dim, table.input_dim);
        let (height, block) = match table.mode(base)? {
            None => {
                let shape = [rows, columns];
                let kernel = base.add_weight("reverse_embeddings", shape, &table.initializer)?;
                return Ok(Reverse { kernel, scale: None, zero: None });
            }
            Some(Mode::Int4 { block }) => (rows.div_ceil(2), block),
            Some(_) => (rows, None),
        };
        let spec = Spec::new([height, columns], DType::Int8);
        let kernel = base.add_frozen("reverse_embeddings", spec, &Initializer::ZEROS)?;
        let shape = match block {
            Some(block) => vec![rows.div_ceil(block as usize), columns],
            None => vec![columns],
        };
        let spec = Spec::new(shape, base.policy.variable);
        let scale =
            base.add_frozen("reverse_embeddings_scale", spec.clone(), &Initializer::ONES)?;
        let zero = match block {
            Some(_) => {
                Some(base.add_frozen("reverse_embeddings_zero", spec, &Initializer::ZEROS)?)
            }
            None => None,
        };
        Ok(Reverse { kernel, scale: Some(scale), zero })
    }

    fn variables(&self) -> impl Iterator<Item = Variable> {
        [Some(&self.kernel), self.scale.as_ref(), self.zero.as_ref()].into_iter().flatten().cloned()
    }
}

impl ReversibleEmbeddingLayer {
    fn logits<'g>(&self, cx: &Context<'g>, x: Value<'g>) -> Result<Value<'g>> {
        let logits = match self.table.floats(cx)? {
            None => self.quantized_logits(cx, x)?,
            Some(table) => {
                let kernel = match &self.reverse {
                    Some(reverse) => cx.read(&reverse.kernel),
                    None => table.transpose(&[1, 0]),
                };
                let common = result_type(&[Strong(x.dtype()), Strong(kernel.dtype())]);
                let dtype = self.reverse_dtype.unwrap_or(common);
                x.cast(dtype).dot(kernel.cast(dtype))
            }
        };
        Ok(self.logit_soft_cap.map_or(logits, |cap| (logits / cap).tanh() * cap))
    }

    fn quantized_logits<'g>(&self, cx: &Context<'g>, x: Value<'g>) -> Result<Value<'g>> {
        let Quantized { numbers, scale, groups } = self.matrix(cx)?;
        let compute = cx.compute_dtype();
        let last = x.rank().saturating_sub(1);
        let quantizer = self.table.config.activation_quantizer(Some(AbsMaxQuantizer::default()));
        let inputs = match quantizer {
            Some(quantizer) => Some(quantizer.quantize(x, &[last])?),
            None => None,
        };
        let floats = |x: Value<'g>, kernel: Value<'g>| {
            let dtype = result_type(&[Strong(x.dtype()), Strong(kernel.dtype())]);
            x.cast(dtype).dot(kernel.cast(dtype))
        };
        if let Some((zero, index)) = groups {
            let kernel = dequantize_groups(numbers.cast(compute), scale, zero, index, 0);
            return Ok(match inputs {
                Some((x, scale)) => divided(floats(x, kernel), scale),
                None => floats(x, kernel),
            });
        }
        Ok(match inputs {
            Some((x, by_row)) => {
                let axes = [Summed { a: Some(last), b: Some(0) }];
                let y = contract_integers(x, numbers, &axes, &|a, b| Ok(a.dot(b)))?;
                let dtype = result_type(&[Strong(by_row.dtype()), Strong(scale.dtype())]);
                divided(y.cast(compute), by_row.cast(dtype) * scale.cast(dtype))
            }
            None => divided(floats(x, numbers).cast(compute), scale),
        })
    }

    /// The quantized matrix that maps back: of its own, or the table turned around.
    fn matrix<'g>(&self, cx: &Context<'g>) -> Result<Quantized<'g>> {
        let missing = || Error::Internal("a quantized embedding without a table".into());
        let table = self.table.quantized().ok_or_else(missing)?;
        let index = table.groups.as_ref().map(|groups| cx.read(&groups.index));
        let Some(reverse) = &self.reverse else {
            let turned = |v: Value<'g>| if v.rank() == 2 { v.transpose(&[1, 0]) } else { v };
            let numbers = table.unpacked(cx.read(&table.numbers), self.table.output_dim);
            let zero = table.groups.as_ref().map(|groups| turned(cx.read(&groups.zero)));
            return Ok(Quantized {
                numbers: turned(numbers),
                scale: turned(cx.read(&table.scale)),
                groups: zero.zip(index),
            });
        };
        let numbers = cx.read(&reverse.kernel);
        let packed = matches!(self.table.mode(&self.base)?, Some(Mode::Int4 { .. }));
        Ok(Quantized {
            numbers: match packed {
                true => unpack_int4(numbers, self.table.output_dim, 0),
                false => numbers,
            },
            scale: cx.weight(&reverse.scale, "reverse_embeddings_scale")?,
            groups: reverse.zero.as_ref().map(|zero| cx.read(zero)).zip(index),
        })
    }
}

/// The quotient, in the dtype that holds both.
fn divided<'g>(y: Value<'g>, scale: Value<'g>) -> Value<'g> {
    let dtype = result_type(&[Strong(y.dtype()), Strong(scale.dtype())]);
    y.cast(dtype) / scale.cast(dtype)
}

impl Layer for ReversibleEmbeddingLayer {
    layer_base!();

    fn build(&mut self, _: &CallArgs<SymbolicSpec>) -> Result<()> {
        self.table.build(&mut self.base)?;
        if !self.tie_weights {
            self.reverse = Some(Reverse::build(&mut self.base, &self.table)?);
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        match args.flag(1, "reverse")? {
            true => Ok(self.logits(cx, x)?.into()),
            false => Ok(self.table.lookup(cx, x)?.into()),
        }
    }

    fn output_mask<'g>(
        &self,
        _: &Context<'g>,
        args: &Args<'g>,
        _: &[Option<Value<'g>>],
    ) -> Result<Option<Value<'g>>> {
        if args.flag(1, "reverse")? { Ok(None) } else { Ok(self.table.mask(args.input()?)) }
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["reverse"]
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        let reverse = self.reverse.iter().flat_map(Reverse::variables);
        numbered(self.table.variables().into_iter().chain(reverse).collect())
    }
}

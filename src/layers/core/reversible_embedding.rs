//! `keras.layers.ReversibleEmbedding`: row `inputs` of a table or, called with `reverse`, the product of
//! vectors with all rows: output = inputs · embeddingsᵀ, capped by
//! logit_soft_cap · tanh(output / logit_soft_cap).
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 embeddings | (input_dim, output_dim) | always |
//! | 1 reverse_embeddings | (output_dim, input_dim) | not tie_weights |
//!
//! Input (batch, …) of integers → output (batch, …, output_dim); reversed,
//! (batch, …, output_dim) → (batch, …, input_dim).

use super::embedding::Table;
use crate::base::{DType, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
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
    reverse: Option<Variable>,
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

impl ReversibleEmbeddingLayer {
    fn logits<'g>(&self, cx: &Context<'g>, x: Value<'g>) -> Result<Value<'g>> {
        let kernel = match &self.reverse {
            Some(kernel) => cx.read(kernel),
            None => self.table.rows(cx)?.transpose(&[1, 0]),
        };
        let dtype = self.reverse_dtype.unwrap_or(kernel.dtype());
        let logits = x.cast(dtype).dot(kernel.cast(dtype));
        Ok(self.logit_soft_cap.map_or(logits, |cap| (logits / cap).tanh() * cap))
    }
}

impl Layer for ReversibleEmbeddingLayer {
    layer_base!();

    fn build(&mut self, _: &CallArgs<SymbolicSpec>) -> Result<()> {
        self.table.build(&mut self.base)?;
        if !self.tie_weights {
            let shape = [self.table.output_dim, self.table.input_dim];
            let kernel =
                self.base.add_weight("reverse_embeddings", shape, &self.table.initializer)?;
            self.reverse = Some(kernel);
        }
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let x = args.input()?;
        match args.get(1, "reverse") {
            Some(Arg::Plain(Json::Bool(true))) => Ok(self.logits(cx, x)?.into()),
            _ => Ok(self.table.lookup(cx, x)?.into()),
        }
    }

    fn compute_mask<'g>(
        &self,
        _: &Context<'g>,
        args: &Args<'g>,
        _: &[Option<Value<'g>>],
    ) -> Result<Vec<Option<Value<'g>>>> {
        Ok(vec![self.table.mask(args.input()?)])
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["reverse"]
    }
}

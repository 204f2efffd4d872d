//! `keras.layers.Embedding`: row `inputs` of a table.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 embeddings | (input_dim, output_dim) | always |
//!
//! Input (batch, …) of integers → output (batch, …, output_dim). Negative indices count from the back;
//! what is outside the table is clamped into it. With `mask_zero`, a file holds the mask as a value of
//! its own.

use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::settings::{lora_settings, refuse_quantization, weight_settings};
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::operations::indexing::take;
use crate::tensor::Variable;

builder! {
    /// Looks up rows of a table.
    Embedding(input_dim, output_dim) {
        embeddings_initializer: "uniform",
        embeddings_regularizer: null,
        activity_regularizer: null,
        embeddings_constraint: null,
        mask_zero: false,
        lora_rank: null,
        lora_alpha: null,
        quantization_config: null,
    }
}

/// A table of vectors, and how it is looked up.
pub(super) struct Table {
    pub input_dim: usize,
    pub output_dim: usize,
    pub initializer: Initializer,
    mask_zero: bool,
    embeddings: Option<Variable>,
}

impl Table {
    /// Reads the keys that embeddings have in common.
    pub fn from_config(config: &Config) -> Result<Table> {
        weight_settings(config, &["embeddings"])?;
        lora_settings(config)?;
        refuse_quantization(config)?;
        Ok(Table {
            mask_zero: config.bool("mask_zero")?,
            input_dim: config.size("input_dim")?,
            output_dim: config.size("output_dim")?,
            initializer: Initializer::from_config(config, "embeddings_initializer")?,
            embeddings: None,
        })
    }

    pub fn build(&mut self, base: &mut LayerBase) -> Result<()> {
        let shape = [self.input_dim, self.output_dim];
        self.embeddings = Some(base.add_weight("embeddings", shape, &self.initializer)?);
        Ok(())
    }

    /// The whole table, in the compute dtype.
    pub fn rows<'g>(&self, cx: &Context<'g>) -> Result<Value<'g>> {
        cx.weight(&self.embeddings, "embeddings")
    }

    /// The mask that comes from positions: with `mask_zero`, those that are not 0 count.
    pub fn mask<'g>(&self, indices: Value<'g>) -> Option<Value<'g>> {
        self.mask_zero.then(|| indices.binary("ne", indices.like(0.0)))
    }

    /// The rows at integer positions.
    pub fn lookup<'g>(&self, cx: &Context<'g>, indices: Value<'g>) -> Result<Value<'g>> {
        Ok(take(self.rows(cx)?, indices, 0))
    }
}

struct EmbeddingLayer {
    base: LayerBase,
    table: Table,
}

impl Embedding {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        // What older files say of the input's length was never used.
        config.get("input_length");
        let mut base = LayerBase::new("Embedding", config)?;
        base.autocast = false;
        Ok(Box::new(EmbeddingLayer { base, table: Table::from_config(config)? }))
    }
}

impl Layer for EmbeddingLayer {
    layer_base!();

    fn build(&mut self, _: &CallArgs<SymbolicSpec>) -> Result<()> {
        self.table.build(&mut self.base)
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        Ok(self.table.lookup(cx, args.input()?)?.into())
    }

    fn compute_mask<'g>(
        &self,
        _: &Context<'g>,
        args: &Args<'g>,
        _: &[Option<Value<'g>>],
    ) -> Result<Vec<Option<Value<'g>>>> {
        Ok(vec![self.table.mask(args.input()?)])
    }
}

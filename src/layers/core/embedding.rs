//! `keras.layers.Embedding`: row `inputs` of a table.
//!
//! Its variables are those of its [table](super::table).
//!
//! Input (batch, …) of integers → output (batch, …, output_dim). Negative indices count from the back;
//! what is outside the table gives NaN, as on JAX. With `mask_zero`, a file holds the mask as a value of
//! its own.

use super::table::Table;
use crate::base::Result;
use crate::builder;
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::layer::{layer_base, numbered};
use crate::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
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

    fn output_mask<'g>(
        &self,
        _: &Context<'g>,
        args: &Args<'g>,
        _: &[Option<Value<'g>>],
    ) -> Result<Option<Value<'g>>> {
        Ok(self.table.mask(args.input()?))
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        numbered(self.table.variables())
    }
}

//! The table of `Embedding` and `ReversibleEmbedding`, as floats or quantized.
//!
//! | mode | variables in file order | shapes for a table of `rows × columns` |
//! | --- | --- | --- |
//! | float | embeddings | rows × columns |
//! | int8 | embeddings, embeddings_scale | rows × columns; rows |
//! | int4 | embeddings, embeddings_scale | rows × ⌈columns / 2⌉; rows |
//! | int4 in blocks | …, embeddings_zero, g_idx | rows × groups, both; columns |

use crate::base::{DType, Error, Result, Spec};
use crate::graph::Value;
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::layers::lora::Lora;
use crate::layers::{Context, LayerBase};
use crate::operations::indexing::take;
use crate::quantizers::{
    Groups, Mode, QuantizationConfig, dequantize_groups, group_index, unpack_int4,
};
use crate::tensor::Variable;

/// A table of vectors, and how it is looked up.
pub(super) struct Table {
    pub input_dim: usize,
    pub output_dim: usize,
    pub initializer: Initializer,
    pub config: QuantizationConfig,
    lora: Lora,
    mask_zero: bool,
    rows: Rows,
}

/// The variables of a table.
enum Rows {
    Unbuilt,
    Float(Variable),
    Quantized(QuantizedRows),
}

/// Bytes, and one scale per row or one for every block of it.
pub(super) struct QuantizedRows {
    pub numbers: Variable,
    pub scale: Variable,
    pub groups: Option<Groups>,
    /// Whether two numbers share a byte, along the rows.
    packed: bool,
}

impl Table {
    /// Reads the keys that embeddings have in common.
    pub fn from_config(config: &Config) -> Result<Table> {
        Ok(Table {
            mask_zero: config.bool("mask_zero")?,
            input_dim: config.size("input_dim")?,
            output_dim: config.size("output_dim")?,
            initializer: Initializer::from_config(config, "embeddings_initializer")?,
            config: QuantizationConfig::from_config(config)?,
            lora: Lora::from_config(config)?,
            rows: Rows::Unbuilt,
        })
    }

    /// The mode in which the table is quantized.
    ///
    /// # Errors
    /// For modes that embeddings do not have.
    pub fn mode(&self, base: &LayerBase) -> Result<Option<Mode>> {
        match base.policy.quantization.map(|mode| self.config.mode(mode)) {
            mode @ (None | Some(Mode::Int8 | Mode::Int4 { .. })) => Ok(mode),
            Some(mode) => Err(Error::Unsupported(format!(
                "{} '{}': an embedding quantized as {mode}; Keras has int8 and int4",
                base.class_name, base.name
            ))),
        }
    }

    /// Makes the variables in Keras's order.
    pub fn build(&mut self, base: &mut LayerBase) -> Result<()> {
        self.build_rows(base)?;
        let shape = [self.input_dim, self.output_dim];
        let weight = self.variables().into_iter().next();
        weight.map_or(Ok(()), |weight| self.lora.build(base, &weight, &shape))
    }

    fn build_rows(&mut self, base: &mut LayerBase) -> Result<()> {
        let (rows, columns) = (self.input_dim, self.output_dim);
        let (packed, width, block) = match self.mode(base)? {
            None => {
                let shape = [rows, columns];
                self.rows = Rows::Float(base.add_weight("embeddings", shape, &self.initializer)?);
                return Ok(());
            }
            Some(Mode::Int4 { block }) => (true, columns.div_ceil(2), block),
            Some(_) => (false, columns, None),
        };
        let spec = Spec::new([rows, width], DType::Int8);
        let numbers = base.add_frozen("embeddings", spec, &Initializer::ZEROS)?;
        let shape = match block {
            Some(block) => vec![rows, columns.div_ceil(block as usize)],
            None => vec![rows],
        };
        let spec = Spec::new(shape.clone(), base.policy.variable);
        let scale = base.add_frozen("embeddings_scale", spec, &Initializer::ONES)?;
        let groups = match block {
            Some(_) => {
                let spec = Spec::new(shape, DType::Int8);
                let zero = base.add_frozen("embeddings_zero", spec, &Initializer::ZEROS)?;
                Some(Groups { zero, index: group_index(base, columns, block)? })
            }
            None => None,
        };
        self.rows = Rows::Quantized(QuantizedRows { numbers, scale, groups, packed });
        Ok(())
    }

    /// The variables in the order of a file.
    pub fn variables(&self) -> Vec<Variable> {
        match &self.rows {
            Rows::Unbuilt => Vec::new(),
            Rows::Float(embeddings) => vec![embeddings.clone()],
            Rows::Quantized(rows) => {
                let groups = rows.groups.iter().flat_map(|g| [g.zero.clone(), g.index.clone()]);
                [rows.numbers.clone(), rows.scale.clone()].into_iter().chain(groups).collect()
            }
        }
    }

    /// The whole table, in the compute dtype; `None` when it is quantized.
    pub fn floats<'g>(&self, cx: &Context<'g>) -> Result<Option<Value<'g>>> {
        match &self.rows {
            Rows::Unbuilt => Err(Error::Internal("an embedding is used before it is built".into())),
            Rows::Float(embeddings) => Ok(Some(cx.read(embeddings))),
            Rows::Quantized(_) => Ok(None),
        }
    }

    /// The quantized table.
    pub fn quantized(&self) -> Option<&QuantizedRows> {
        match &self.rows {
            Rows::Quantized(rows) => Some(rows),
            _ => None,
        }
    }

    /// The mask that comes from positions: with `mask_zero`, those that are not 0 count.
    pub fn mask<'g>(&self, indices: Value<'g>) -> Option<Value<'g>> {
        self.mask_zero.then(|| indices.binary("ne", indices.like(0.0)))
    }

    /// The rows at integer positions.
    pub fn lookup<'g>(&self, cx: &Context<'g>, indices: Value<'g>) -> Result<Value<'g>> {
        match (self.floats(cx)?, &self.rows) {
            (Some(floats), _) => Ok(take(floats, indices, 0)),
            (None, Rows::Quantized(rows)) => Ok(rows.lookup(cx, indices, self.output_dim)),
            (None, _) => Err(Error::Internal("an embedding without a table".into())),
        }
    }
}

impl QuantizedRows {
    /// The integers of some rows, of which each has `columns`.
    pub fn unpacked<'g>(&self, numbers: Value<'g>, columns: usize) -> Value<'g> {
        match self.packed {
            true => unpack_int4(numbers, columns, numbers.rank().saturating_sub(1)),
            false => numbers,
        }
    }

    /// Rows are picked as bytes, and then unpacked and scaled.
    fn lookup<'g>(&self, cx: &Context<'g>, indices: Value<'g>, columns: usize) -> Value<'g> {
        let picked = take(cx.read(&self.numbers), indices, 0);
        let numbers = self.unpacked(picked, columns).cast(cx.compute_dtype());
        let scale = take(cx.read(&self.scale), indices, 0);
        let rows = match &self.groups {
            None => {
                let mut shape = scale.shape().to_vec();
                shape.push(1);
                numbers / scale.reshape(shape)
            }
            Some(groups) => {
                let zero = take(cx.read(&groups.zero), indices, 0);
                let last = numbers.rank().saturating_sub(1);
                dequantize_groups(numbers, scale, zero, cx.read(&groups.index), last)
            }
        };
        rows.cast(cx.compute_dtype())
    }
}

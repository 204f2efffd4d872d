//! Low-rank adaptation of a weight (Hu et al. 2021): the keys `lora_rank` and `lora_alpha`.
//!
//! Keras writes the weight with the product of both factors added to it, and sets the factors of a
//! model that it loads to zero. Neither factor then has a gradient, so the layer computes with the
//! weight alone, and training leaves the weight and both factors as they are. Only optimizers see the
//! factors: they keep state for them, and none for the weight.

use crate::base::{DType, Error, Result};
use crate::initializers::Initializer;
use crate::layers::LayerBase;
use crate::layers::config::Config;
use crate::tensor::Variable;

/// The setting of a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lora {
    rank: Option<usize>,
}

/// A weight that training leaves alone, and the factors that it would change.
#[derive(Clone, Debug)]
pub(crate) struct Adaptation {
    pub weight: Variable,
    /// Of shapes (.., rank) and (rank, columns).
    pub factors: [Variable; 2],
    /// How many of the layer's variables come before the factors.
    pub position: usize,
}

impl Lora {
    /// Reads both keys.
    pub fn from_config(config: &Config) -> Result<Lora> {
        config.optional_float("lora_alpha")?;
        let rank = config.optional_size("lora_rank")?;
        Ok(Lora { rank: rank.filter(|&rank| rank > 0) })
    }

    /// Gives a layer the factors of a weight, whose floats are of this shape. They come behind the
    /// variables that the layer has so far.
    ///
    /// # Errors
    /// If the weight has a constraint, as in Keras.
    pub fn build(&self, base: &mut LayerBase, weight: &Variable, shape: &[usize]) -> Result<()> {
        let (Some(rank), [rows @ .., columns]) = (self.rank, shape) else { return Ok(()) };
        let name = weight.name();
        if base.rules.constraint(name).is_some() {
            return Err(Error::Invalid(format!(
                "{} '{}': lora_rank and a constraint of '{name}', of which one can be set",
                base.class_name, base.name
            )));
        }
        let name = if name == "embeddings" { name } else { "kernel" };
        let factor = |ending: &str, shape: Vec<usize>| {
            let shape = crate::base::Shape::from(shape);
            shape.checked_len()?;
            let zeros = Initializer::ZEROS.source(shape, DType::Float32)?;
            Ok::<_, Error>(Variable::new(&format!("lora_{name}_{ending}"), true, zeros))
        };
        let factors = [
            factor("a", rows.iter().copied().chain([rank]).collect())?,
            factor("b", vec![rank, *columns])?,
        ];
        let position = base.variables.len();
        base.adaptation = Some(Adaptation { weight: weight.clone(), factors, position });
        Ok(())
    }
}

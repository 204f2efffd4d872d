//! `keras.optimizers.Muon`: the momentum of a matrix, made nearly orthogonal by Newton-Schulz
//! iterations. Other weights, embeddings and excluded layers follow AdamW.

use super::adam::Moments;
use super::clipping::square_sum;
use crate::base::{Pattern, Result};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::optimizer;
use crate::optimizers::Weight;
use crate::optimizers::rule::{Rule, Slot, Update};

optimizer! {
    /// Orthogonalized momentum for matrices (Jordan, 2024; Liu et al., 2025).
    Muon {
        learning_rate: 0.001,
        adam_beta_1: 0.9,
        adam_beta_2: 0.999,
        adam_weight_decay: 0.004,
        epsilon: 1e-7,
        weight_decay: 0.004,
        exclude_layers: [],
        exclude_embeddings: true,
        muon_a: 3.4445,
        muon_b: (-4.775),
        muon_c: 2.0315,
        adam_lr_ratio: 1,
        momentum: 0.95,
        ns_steps: 5,
        nesterov: true,
        rms_rate: 0.2,
    }
}

/// Iterations that a config may ask for: each is three products in every step's plan.
const MAX_ITERATIONS: usize = 100;

struct Orthogonal {
    adam: Moments,
    adam_weight_decay: Option<f64>,
    adam_ratio: f64,
    excluded: Vec<Pattern>,
    exclude_embeddings: bool,
    coefficients: [f64; 3],
    momentum: f64,
    iterations: usize,
    nesterov: bool,
    rms_rate: Option<f64>,
}

impl Muon {
    fn rule(config: &Config) -> Result<impl Rule + use<>> {
        let (beta_1, beta_2) = (config.float("adam_beta_1")?, config.float("adam_beta_2")?);
        let adam = Moments { beta_1, beta_2, epsilon: config.float("epsilon")?, amsgrad: false };
        let iterations = config.int("ns_steps")?;
        let iterations = usize::try_from(iterations).ok().filter(|&n| n <= MAX_ITERATIONS);
        Ok(Orthogonal {
            adam,
            adam_weight_decay: config.optional_float("adam_weight_decay")?,
            adam_ratio: config.float("adam_lr_ratio")?,
            excluded: patterns(config)?,
            exclude_embeddings: config.bool("exclude_embeddings")?,
            coefficients: [
                config.float("muon_a")?,
                config.float("muon_b")?,
                config.float("muon_c")?,
            ],
            momentum: config.float("momentum")?,
            iterations: iterations
                .ok_or_else(|| config.bad("ns_steps", &format!("0 to {MAX_ITERATIONS}")))?,
            nesterov: config.bool("nesterov")?,
            rms_rate: config.optional_float("rms_rate")?,
        })
    }
}

fn patterns(config: &Config) -> Result<Vec<Pattern>> {
    let pattern = |item: &Json| match item.as_str() {
        Some(text) => Pattern::new(text),
        None => Err(config.bad("exclude_layers", "a list of texts")),
    };
    match config.get("exclude_layers") {
        Json::Null => Ok(Vec::new()),
        Json::Array(items) => items.iter().map(pattern).collect(),
        _ => Err(config.bad("exclude_layers", "a list of texts")),
    }
}

impl Orthogonal {
    fn follows_adam(&self, weight: &Weight) -> bool {
        weight.variable.spec().shape.rank() != 2
            || (self.exclude_embeddings && weight.path.to_lowercase().contains("embedding"))
            || self.excluded.iter().any(|pattern| pattern.is_in(&weight.path))
    }

    /// Newton-Schulz iterations towards the nearest orthogonal matrix of `[M, N]`.
    fn orthogonalize<'g>(&self, x: Value<'g>) -> Value<'g> {
        let [a, b, c] = self.coefficients;
        let (rows, columns) = (x.extent(0), x.extent(1));
        let tall = rows > columns;
        let x = if tall { x.transpose(&[1, 0]) } else { x };
        let matrix = x.shape();
        let x = x / (square_sum(x).sqrt() + 1e-7);
        let mut x = x.reshape([1, rows.min(columns), rows.max(columns)]);
        for _ in 0..self.iterations {
            let gram = x.matmul_flags(x, false, true);
            let polynomial = gram * b + (gram * c).matmul(gram);
            x = x * a + polynomial.matmul(x);
        }
        let x = x.reshape(matrix);
        if tall { x.transpose(&[1, 0]) } else { x }
    }
}

impl Rule for Orthogonal {
    fn slots(&self, weight: &Weight) -> Vec<Vec<Slot>> {
        let velocity = self.follows_adam(weight).then(|| Slot::zeros("velocity", weight));
        vec![std::iter::once(Slot::zeros("momentum", weight)).chain(velocity).collect()]
    }

    fn update<'g>(&self, update: &Update<'g, '_>, gradient: Value<'g>) -> Result<Value<'g>> {
        if self.follows_adam(update.weight) {
            let rate = (update.rate * self.adam_ratio).cast(update.dtype());
            return self.adam.step(update, gradient, rate);
        }
        let old = update.slot(0)?;
        let momentum = update.set_slot(0, old + (gradient + old * (self.momentum - 1.0)))?;
        let direction = if self.nesterov { gradient + momentum * self.momentum } else { momentum };
        let step = self.orthogonalize(direction) * update.rate();
        let larger = step.extent(0).max(step.extent(1)) as f64;
        let step = self.rms_rate.map_or(step, |rate| step * larger.sqrt() * rate);
        Ok(update.value() - step)
    }

    fn weight_decay(&self, decay: Option<f64>, weight: &Weight) -> Option<f64> {
        if self.follows_adam(weight) { self.adam_weight_decay } else { decay }
    }
}

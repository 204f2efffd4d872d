//! `keras.layers.SpectralNormalization`: a layer whose kernel, in training, is divided by its largest
//! singular value (Miyato and others, 2018).
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | 0 kernel | the layer's own kernel or embeddings | always |
//! | 1 vector_u | (1, last extent of the kernel) | always |
//!
//! The layer's weights, the kernel among them, are under `layer`. Inputs and outputs are the layer's.
//! Training moves `vector_u` by `power_iterations` steps towards the kernel's first right singular
//! vector; predicting changes nothing.

use std::sync::Arc;

use crate::base::{Error, Nested, Result, Spec};
use crate::builder;
use crate::graph::Value;
use crate::initializers::{Distribution, Initializer};
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::{Arg, Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec, build};
use crate::tensor::Variable;

builder! {
    /// Bounds how much a layer stretches its inputs. The layer is given as its record.
    SpectralNormalization(layer) {
        power_iterations: 1,
    }
}

/// What a vector's length is multiplied with at most when it is brought to one: 1 / Keras's epsilon.
const MAX_SCALE: f64 = 1e7;

const START: Initializer = Initializer::Random {
    distribution: Distribution::TruncatedNormal { mean: 0.0, stddev: 0.02 },
    seed: None,
};

struct SpectralNormalizationLayer {
    base: LayerBase,
    layer: Arc<dyn Layer>,
    power_iterations: usize,
    /// The layer's kernel and the vector.
    normalized: Option<(Variable, Variable)>,
}

impl SpectralNormalization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(SpectralNormalizationLayer {
            base: LayerBase::new("SpectralNormalization", config)?,
            layer: Arc::from(config.layer("layer")?),
            power_iterations: config.size("power_iterations")?,
            normalized: None,
        }))
    }
}

/// The vector at length one; a vector without length stays as it is.
fn unit(vector: Value<'_>) -> Value<'_> {
    let inverse = vector.square().sum(&[0, 1]).rsqrt();
    let inverse = inverse.minimum(inverse.scalar_like(MAX_SCALE));
    vector * inverse.reshape([1, 1])
}

impl SpectralNormalizationLayer {
    /// The vector after the power iterations, and the kernel divided by its largest singular value. A
    /// kernel of zeros leaves both as they are.
    fn normalized<'g>(&self, kernel: Value<'g>, start: Value<'g>) -> (Value<'g>, Value<'g>) {
        let shape = kernel.shape();
        let columns = shape.last().copied().unwrap_or(1);
        let weights = kernel.reshape([shape.len() / columns.max(1), columns]);
        let turned = weights.transpose(&[1, 0]);
        let (mut u, mut v) = (start, start);
        for _ in 0..self.power_iterations {
            v = unit(u.dot(turned));
            u = unit(v.dot(weights));
        }
        let (u, v) = (u.stop_gradient(), v.stop_gradient());
        let sigma = v.dot(weights).dot(u.transpose(&[1, 0]));
        let is_zero = weights.binary("eq", weights.like(0.0)).min(&[0, 1]).reshape([1, 1]);
        let divided = is_zero.select(weights, weights / sigma);
        (is_zero.select(start, u), divided.reshape(shape))
    }

    fn call_inner<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let dtype = args.input()?.dtype();
        let outputs = cx.call(self.layer.as_ref(), &CallArgs::one(Arg::Tensor(args.input()?)))?;
        outputs.try_map(&mut |output| Ok(output.cast(dtype)))
    }
}

/// The kernel of a layer, or its table of embeddings.
fn kernel_of(layer: &dyn Layer) -> Result<Variable> {
    let base = layer.base();
    let named = |name: &str| base.variables.iter().find(|v| v.name() == name).cloned();
    let kernel = named("kernel").or_else(|| named("embeddings"));
    kernel.filter(|kernel| kernel.spec().dtype.is_float()).ok_or_else(|| {
        let what = format!("spectral normalization of a {} without a kernel", base.class_name);
        Error::Unsupported(what)
    })
}

impl Layer for SpectralNormalizationLayer {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        build(&mut self.layer, inputs)?;
        let kernel = kernel_of(self.layer.as_ref())?;
        let Spec { shape, dtype } = kernel.spec().clone();
        self.base.variables.push(kernel.clone());
        let columns = shape.last().copied().unwrap_or(1);
        let vector = self.base.add_frozen("vector_u", Spec::new([1, columns], dtype), &START)?;
        self.normalized = Some((kernel, vector));
        Ok(())
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let Some((kernel, vector)) = self.normalized.as_ref().filter(|_| cx.training()) else {
            return self.call_inner(cx, args);
        };
        let (moved, divided) = self.normalized(cx.read(kernel), cx.read(vector));
        cx.graph().assign(vector, moved.cast(vector.spec().dtype));
        cx.graph().assign(kernel, divided.cast(kernel.spec().dtype));
        self.call_inner(cx, args)
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        vec![("layer", Nested::Leaf(self.layer.clone()))]
    }
}

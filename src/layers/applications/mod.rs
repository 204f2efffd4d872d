//! Layers that `keras.applications` defines for its own networks. They have no builder: Keras does
//! not export them, but files of these networks hold them.

mod custom_scale_layer;
mod layer_scale;
mod stochastic_depth;

pub use custom_scale_layer::CustomScaleLayer;
pub use layer_scale::LayerScale;
pub use stochastic_depth::StochasticDepth;

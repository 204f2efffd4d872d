//! Regularization layers: identity in inference.

mod activity_regularization;
mod noise;

pub use activity_regularization::ActivityRegularization;
pub use noise::{
    AlphaDropout, Dropout, GaussianDropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D,
    SpatialDropout3D,
};

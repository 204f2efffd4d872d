//! Masks that ride along in chains of layers.
//!
//! A functional model's file holds its masks as values of their own, which layers get by keyword. A
//! sequential model's does not: there a mask goes from layer to layer, as
//! [`Layer::output_mask`](crate::layers::Layer::output_mask) says.

/// Layers that keep a mask as it is: those that `supports_masking` in Keras and whose `compute_mask`
/// is the default one. Sorted.
const KEEPING: &[&str] = &[
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "ELU",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "Identity",
    "LayerNormalization",
    "LeakyReLU",
    "Normalization",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "TernaryDense",
    "ThresholdedReLU",
    "TimeDistributed",
    "UnitNormalization",
];

/// Whether the output of a layer of this class has the mask of its input.
pub(crate) fn keeps(class_name: &str) -> bool {
    KEEPING.binary_search(&class_name).is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_sorted() {
        assert!(super::KEEPING.is_sorted());
    }
}

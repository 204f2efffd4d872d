//! The table of layer classes: the only way from a class name in a file to code.

use crate::base::Result;
use crate::layers::config::{Config, Json};
use crate::layers::{
    Layer, activations, applications, attention, convolutional, core, merging, normalization,
    pooling, preprocessing, regularization, reshaping, rnn,
};

/// How much of a class is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All config keys, in inference.
    Complete,
    /// What is missing, in words.
    Partial(&'static str),
}

/// The part of Keras's documentation a layer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Core layers, such as `Dense` and `Embedding`.
    Core,
    /// Activation layers, such as `ReLU`.
    Activation,
    /// Convolution layers, transposed and separable ones among them.
    Convolutional,
    /// Pooling layers, global ones among them.
    Pooling,
    /// Normalization layers, such as `BatchNormalization`.
    Normalization,
    /// Merging layers, such as `Add` and `Concatenate`.
    Merging,
    /// Reshaping layers, such as `Flatten`, cropping and padding.
    Reshaping,
    /// Regularization layers, such as `Dropout`.
    Regularization,
    /// Preprocessing layers of numbers, categories, text, images and sound.
    Preprocessing,
    /// Attention layers, such as `MultiHeadAttention`.
    Attention,
    /// Recurrent layers, their cells and their wrappers.
    Recurrent,
    /// Layers that networks of `keras.applications` define for themselves.
    Applications,
}

/// What the table says of a class.
pub struct LayerDef {
    /// The class in a file.
    pub class_name: &'static str,
    /// Where Keras documents it.
    pub group: Group,
    /// How much of it is done.
    pub status: Status,
    /// The constructor's defaults.
    pub defaults: fn() -> Json,
    /// Reads the constructor's arguments from a config.
    pub new: fn(&Config) -> Result<Box<dyn Layer>>,
}

macro_rules! layers {
    ($($group:ident: $($module:ident :: $name:ident $(($missing:literal))?),* ;)*) => {
        /// Every layer class this version can load, in the order of Keras's documentation.
        pub const LAYERS: &[LayerDef] = &[$($(LayerDef {
            class_name: stringify!($name),
            group: Group::$group,
            status: layers!(@status $($missing)?),
            defaults: $module::$name::defaults,
            new: $module::$name::from_config,
        }),*),*];
    };
    (@status) => { Status::Complete };
    (@status $missing:literal) => { Status::Partial($missing) };
}

layers! {
    Core: core::InputLayer("ragged inputs"), core::Dense("training in float8"),
        core::Activation, core::Embedding,
        core::ReversibleEmbedding, core::Masking,
        core::EinsumDense("training in float8"), core::Identity, core::TernaryDense;
    Activation: activations::ReLU, activations::Softmax, activations::LeakyReLU,
        activations::PReLU, activations::ELU, activations::ThresholdedReLU;
    Convolutional: convolutional::Conv1D, convolutional::Conv2D, convolutional::Conv3D,
        convolutional::SeparableConv1D, convolutional::SeparableConv2D,
        convolutional::DepthwiseConv1D, convolutional::DepthwiseConv2D,
        convolutional::Conv1DTranspose, convolutional::Conv2DTranspose,
        convolutional::Conv3DTranspose;
    Pooling: pooling::MaxPooling1D, pooling::MaxPooling2D, pooling::MaxPooling3D,
        pooling::AveragePooling1D, pooling::AveragePooling2D, pooling::AveragePooling3D,
        pooling::GlobalMaxPooling1D, pooling::GlobalMaxPooling2D, pooling::GlobalMaxPooling3D,
        pooling::GlobalAveragePooling1D, pooling::GlobalAveragePooling2D,
        pooling::GlobalAveragePooling3D, pooling::AdaptiveMaxPooling1D,
        pooling::AdaptiveMaxPooling2D, pooling::AdaptiveMaxPooling3D,
        pooling::AdaptiveAveragePooling1D, pooling::AdaptiveAveragePooling2D,
        pooling::AdaptiveAveragePooling3D;
    Normalization: normalization::BatchNormalization,
        normalization::LayerNormalization, normalization::UnitNormalization,
        normalization::GroupNormalization, normalization::RMSNormalization,
        normalization::SpectralNormalization;
    Regularization: regularization::Dropout, regularization::SpatialDropout1D,
        regularization::SpatialDropout2D, regularization::SpatialDropout3D,
        regularization::GaussianDropout, regularization::AlphaDropout,
        regularization::GaussianNoise, regularization::ActivityRegularization;
    Preprocessing: preprocessing::Rescaling, preprocessing::Normalization,
        preprocessing::CategoryEncoding, preprocessing::Discretization,
        preprocessing::Hashing, preprocessing::HashedCrossing,
        preprocessing::TFDConcat, preprocessing::TFDIdentity,
        preprocessing::TextVectorization("ragged output, callables"),
        preprocessing::StringLookup, preprocessing::IntegerLookup, preprocessing::IndexLookup,
        preprocessing::MelSpectrogram, preprocessing::STFTSpectrogram, preprocessing::Pipeline,
        preprocessing::Resizing, preprocessing::CenterCrop,
        preprocessing::AutoContrast,
        preprocessing::ContrastLimitedAdaptiveHistogramEqualization,
        preprocessing::CutMix,
        preprocessing::Equalization,
        preprocessing::MaxNumBoundingBoxes,
        preprocessing::MixUp,
        preprocessing::RandomBrightness,
        preprocessing::RandomColorDegeneration,
        preprocessing::RandomContrast,
        preprocessing::RandomCrop,
        preprocessing::RandomErasing,
        preprocessing::RandomFlip,
        preprocessing::RandomGaussianBlur,
        preprocessing::RandomGrayscale,
        preprocessing::RandomHue,
        preprocessing::RandomInvert,
        preprocessing::RandomPosterization,
        preprocessing::RandomSaturation,
        preprocessing::RandomSharpness,
        preprocessing::Solarization,
        preprocessing::AugMix,
        preprocessing::RandAugment,
        preprocessing::RandomColorJitter,
        preprocessing::RandomElasticTransform,
        preprocessing::RandomPerspective,
        preprocessing::RandomRotation,
        preprocessing::RandomShear,
        preprocessing::RandomTranslation,
        preprocessing::RandomZoom;
    Attention: attention::GroupQueryAttention,
        attention::MultiHeadAttention,
        attention::Attention,
        attention::AdditiveAttention;
    Reshaping: reshaping::Reshape, reshaping::Flatten, reshaping::RepeatVector,
        reshaping::Permute, reshaping::Cropping1D, reshaping::Cropping2D, reshaping::Cropping3D,
        reshaping::UpSampling1D, reshaping::UpSampling2D,
        reshaping::UpSampling3D, reshaping::ZeroPadding1D, reshaping::ZeroPadding2D,
        reshaping::ZeroPadding3D;
    Recurrent: rnn::LSTM, rnn::LSTMCell, rnn::GRU, rnn::GRUCell, rnn::SimpleRNN,
        rnn::SimpleRNNCell, rnn::RNN, rnn::StackedRNNCells, rnn::TimeDistributed,
        rnn::Bidirectional, rnn::ConvLSTM1D, rnn::ConvLSTM2D, rnn::ConvLSTM3D, rnn::ConvLSTMCell;
    Merging: merging::Concatenate, merging::Average, merging::Maximum, merging::Minimum,
        merging::Add, merging::Subtract, merging::Multiply, merging::Dot;
    Applications: applications::LayerScale, applications::StochasticDepth,
        applications::CustomScaleLayer;
}

/// What files of other versions call a class: Keras 3.16 gives this one the name of its Python class.
const ALIASES: &[(&str, &str)] = &[("GroupedQueryAttention", "GroupQueryAttention")];

/// The definition of a class.
pub fn find(class_name: &str) -> Option<&'static LayerDef> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == class_name);
    let class_name = alias.map_or(class_name, |(_, name)| name);
    LAYERS.iter().find(|def| def.class_name == class_name)
}

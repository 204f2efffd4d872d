//! Preprocessing layers on numbers and images.

mod category_encoding;
mod discretization;
mod encoding;
mod feature_space;
mod hash;
mod hashed_crossing;
mod hashing;
mod image;
mod index_lookup;
mod integer_lookup;
mod lookup;
mod mel_spectrogram;
mod normalization;
mod pipeline;
mod rescaling;
mod stft_spectrogram;
mod string_lookup;
mod text_vectorization;

pub use category_encoding::CategoryEncoding;
pub use discretization::Discretization;
pub use feature_space::{FeatureSpace, TFDConcat, TFDIdentity};
pub use hashed_crossing::HashedCrossing;
pub use hashing::Hashing;
pub(crate) use image::Resize;
pub use image::*;
pub use index_lookup::IndexLookup;
pub use integer_lookup::IntegerLookup;
pub use mel_spectrogram::MelSpectrogram;
pub use normalization::Normalization;
pub use pipeline::Pipeline;
pub use rescaling::Rescaling;
pub use stft_spectrogram::STFTSpectrogram;
pub use string_lookup::StringLookup;
pub use text_vectorization::TextVectorization;

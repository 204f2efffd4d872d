//! HDF5, as far as Keras uses it.

mod chunk_tree;
mod dataset;
mod datatype;
mod encode;
mod reader;
mod structure;
mod writer;

pub use reader::H5File;
pub use writer::{Attribute, AttributeValue, H5Writer};

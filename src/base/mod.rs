//! The vocabulary that every other module shares: dtypes, shapes, errors, nested structures and the
//! two traits by which bytes move between files, host memory and a device.

pub mod dtype;
pub mod error;
pub mod naming;
pub mod nested;
pub mod pattern;
pub mod shape;
pub mod spec;
pub mod stream;
pub mod threads;

pub use dtype::DType;
pub use error::{Error, Result, ResultExt};
pub use nested::Nested;
pub use pattern::Pattern;
pub use shape::Shape;
pub use spec::{Dim, Spec, SymbolicShape};
pub use stream::{Sink, Source};

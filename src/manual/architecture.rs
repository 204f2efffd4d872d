//! The structure of the crate.

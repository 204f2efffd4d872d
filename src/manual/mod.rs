//! Chapters for those who read or change this crate.

pub mod numerics;

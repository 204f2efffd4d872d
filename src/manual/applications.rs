//! `keras.applications`: how far predictions lie from Keras's.
//!
//! Each network has random weights and random batch-norm statistics and gives logits for two images.
//! The table holds the largest difference from Keras 3.15.1 (JAX) as a part of the largest logit, on
//! the host (two cores of an AMD EPYC) and on Mesa's software GPU; at most 1e-3 is allowed. "Images
//! differ by" says how much the logits of the two images differ, by the same measure. A network
//! without a row has not been judged. The rows of 2026-11-23 are of a binary built that morning, before
//! loops over time and packed operands came; `tests/applications.rs` judges three networks at every run.
//!
//! `python tests/keras/judge_applications.py KERAUNOS src/manual/applications.md [NAME …]` writes it.
//!
#![doc = include_str!("applications.md")]

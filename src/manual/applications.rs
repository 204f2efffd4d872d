//! `keras.applications`: how far predictions lie from Keras's.
//!
//! Each network has random weights and random batch-norm statistics and gives logits for two images.
//! The table holds the largest difference from Keras 3.15.1 (JAX) as a part of the largest logit, on
//! the host (two cores of an AMD EPYC) and on Mesa's software GPU; at most 1e-3 is allowed. "Images
//! differ by" says how much the logits of the two images differ, by the same measure. Networks for
//! larger images are given some of 240 × 240.
//!
//! All rows are of 2026-11-23, before rows of a softmax or a normalization became one dispatch: the
//! fifteen from EfficientNetB2 on that are larger than their kind's first, and EfficientNetV2B1, by
//! commit b43a2b1, the others by one of that morning. `tests/applications.rs` judges three networks at
//! every run.
//!
//! `python tests/keras/judge_applications.py KERAUNOS src/manual/applications.md [NAME …]` writes it.
//!
#![doc = include_str!("applications.md")]

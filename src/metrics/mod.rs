//! `keras.metrics`: numbers about a model, kept over batches.
//!
//! A metric is variables, an update that assigns them, and a formula of them. All three are written
//! on graph values, so a training step with its metrics stays one program.

mod accuracy;
mod direction;
mod mean;
mod metric;
mod registry;

pub use direction::Direction;
pub use mean::{Mean, MeanMetric, Sum};
pub use metric::{Metric, MetricBase};
pub use registry::{METRICS, MetricDef, get};

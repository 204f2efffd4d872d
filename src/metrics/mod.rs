//! `keras.metrics`: numbers about a model, kept over batches.
//!
//! A metric is variables, an update that assigns them, and a formula of them. All three are written
//! on graph values, so a training step with its metrics stays one program.

mod accuracy;
mod auc;
mod confusion;
mod correlation;
mod counts;
mod direction;
mod f_score;
mod iou;
mod mean;
mod metric;
mod operating_point;
mod registry;
mod regression;

pub use direction::Direction;
pub use mean::{Mean, MeanLoss, MeanMetric, Sum};
pub use metric::{Metric, MetricBase};
pub use registry::{METRICS, MetricDef, get};

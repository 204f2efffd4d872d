//! `keras.layers.Dot`: for each sample, the sum of products along one axis of each of two inputs.
//!
//! Inputs (batch, a…) and (batch, b…) → output (batch, a… without its axis, b… without its axis), or
//! (batch, 1) when nothing is left. With `normalize`, both are first scaled to unit length along
//! their axes, so that the result is the cosine of the angle.

use crate::base::{Error, Result, Shape};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::{Config, Json};
use crate::layers::stateless::stateless;
use crate::operations::linear::lane_of;
use crate::operations::promotion::promoted;

builder! {
    /// Batched dot product of two inputs; `axes` is one axis or a pair.
    Dot(axes) {
        normalize: false,
    }
}

/// The shortest length that is scaled to one, as in Keras.
const MIN_LENGTH: f64 = 1e-7;

impl Dot {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let axes = match (config.get("axes"), config.ints("axes")?.as_slice()) {
            (Json::Array(_), &[a, b]) => [a, b],
            (Json::Number(_), &[both]) => [both, both],
            _ => return Err(config.bad("axes", "an integer or a pair of integers")),
        };
        let normalize = config.bool("normalize")?;
        stateless("Dot", config, move |_, args| {
            let inputs = args.inputs()?;
            let &[a, b] = inputs.as_slice() else {
                let found = format!("{} inputs", inputs.len());
                return Err(Error::shape("dot", found, "two inputs"));
            };
            let (i, j) = (a.shape().axis(axes[0])?, b.shape().axis(axes[1])?);
            if i == 0 || j == 0 || a.extent(0) != b.extent(0) {
                let found = format!("axes {i} of {} and {j} of {}", a.shape(), b.shape());
                return Err(Error::shape("dot", found, "one batch, and axes other than the batch"));
            }
            let scaled = |x, axis| if normalize { unit(x, axis) } else { x };
            let [a, b] = promoted([scaled(a, i), scaled(b, j)]);
            let (dtype, lane) = (a.dtype(), lane_of(a.dtype()));
            Ok(batch_dot(a.cast(lane), i, b.cast(lane), j).cast(dtype))
        })
    }
}

fn unit(x: Value<'_>, axis: usize) -> Value<'_> {
    let length = x.square().sum(&[axis]).keep_axes(&x.shape(), &[axis]).sqrt();
    x / length.maximum(length.scalar_like(MIN_LENGTH))
}

fn batch_dot<'g>(a: Value<'g>, i: usize, b: Value<'g>, j: usize) -> Value<'g> {
    let (a, rows) = axis_last(a, i);
    let (b, columns) = axis_last(b, j);
    let batch = a.extent(0);
    let output: Vec<usize> = match rows.len() + columns.len() {
        0 => vec![batch, 1],
        _ => [batch].into_iter().chain(rows).chain(columns).collect(),
    };
    a.matmul_flags(b, false, true).reshape(output)
}

/// `x` as (batch, rest, axis), and the extents of the rest.
fn axis_last(x: Value<'_>, axis: usize) -> (Value<'_>, Vec<usize>) {
    let rest: Vec<usize> = (1..x.rank()).filter(|&i| i != axis).collect();
    let order: Vec<usize> = [0].into_iter().chain(rest.iter().copied()).chain([axis]).collect();
    let extents: Vec<usize> = rest.iter().map(|&i| x.extent(i)).collect();
    let rows = Shape::from(extents.as_slice()).len();
    (x.transpose(&order).reshape([x.extent(0), rows, x.extent(axis)]), extents)
}

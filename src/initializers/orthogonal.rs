//! `Orthogonal` (Saxe et al. 2014): the orthogonal part of a matrix of normal numbers.

use crate::base::{Error, Result, Shape, Source, Spec};
use crate::initializers::random::{Distribution, RandomSource};
use crate::tensor::Tensor;

/// Rows (all axes but the last) and columns of a weight.
///
/// # Errors
/// If it has fewer than two axes.
pub(super) fn extents(shape: &Shape) -> Result<(usize, usize)> {
    match shape.split_last() {
        Some((&columns, lead)) if !lead.is_empty() => Ok((lead.iter().product(), columns)),
        _ => {
            let expected = "two axes or more";
            Err(Error::shape("orthogonal initializer", shape.to_string(), expected))
        }
    }
}

/// The weight: its longer side has orthogonal lines of length `gain`.
pub(super) fn orthogonal(spec: &Spec, gain: f64, seed: u64) -> Result<Tensor> {
    let (rows, columns) = extents(&spec.shape)?;
    let (long, short) = (rows.max(columns), rows.min(columns));
    let normal = Distribution::Normal { mean: 0.0, stddev: 1.0 };
    let matrix = RandomSource::new(Spec::new([long, short], spec.dtype), normal, seed);
    let matrix: Vec<f64> = Tensor::from_source(&matrix as &dyn Source)?.iter_f64().collect();
    let mut lines: Vec<Vec<f64>> =
        (0..short).map(|j| (0..long).map(|i| matrix[i * short + j]).collect()).collect();
    orthonormalize(&mut lines);
    let element = |i: usize| {
        let (row, column) = (i / columns, i % columns);
        gain * if rows < columns { lines[row][column] } else { lines[column][row] }
    };
    let elements: Vec<f64> = (0..spec.shape.len()).map(element).collect();
    Ok(Tensor::new(Shape::clone(&spec.shape), &elements)?.cast(spec.dtype))
}

/// Gram and Schmidt's method in its modified form. What it leaves is the orthogonal factor whose triangular
/// one has a positive diagonal, of which there is only one.
fn orthonormalize(lines: &mut [Vec<f64>]) {
    for done in 0..lines.len() {
        let (before, rest) = lines.split_at_mut(done);
        let line = &mut rest[0];
        for other in before.iter() {
            let along: f64 = line.iter().zip(other).map(|(a, b)| a * b).sum();
            line.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let length = line.iter().map(|a| a * a).sum::<f64>().sqrt();
        line.iter_mut().for_each(|a| *a /= length);
    }
}

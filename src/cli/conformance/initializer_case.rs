//! Area `initializers`: values of constant ones, statistics of random ones.

use crate::base::{DType, Error, Nested, Result, Shape};
use crate::cli::conformance::compare::{Comparison, tolerance};
use crate::cli::conformance::suite::{Area, Arrays, Case, Leaf};
use crate::initializers::Initializer;
use crate::layers::config::Config;
use crate::saving::json::{self, Json};
use crate::tensor::Tensor;

/// Statistics of `n` numbers may be this many times their spread over `sqrt(n)` apart.
const SIGMAS: f64 = 6.0;

/// Makes a weight with the initializer of a case and compares it.
pub fn run(area: &Area, case: &Case) -> Result<Comparison> {
    let given = [("initializer".to_owned(), case.get("config").clone())].into_iter().collect();
    let config = Config::new(case.class.clone(), given, Json::Null);
    let initializer = Initializer::from_config(&config, "initializer")?;
    let mut arrays = Arrays::new(area, case);
    let shape = argument(&mut arrays, case, 0, "shape")?;
    let dtype = argument(&mut arrays, case, 1, "dtype")?;
    let dtype = dtype.as_str().map_or(Ok(DType::Float32), DType::from_name)?;
    let source = initializer.source(extents(&shape)?, dtype)?;
    let found = Tensor::from_source(source.as_ref())?;
    match case.get("statistics") {
        Json::Null => {
            let expected = arrays.structure(case.get("out"))?;
            Comparison::of(&[found], &expected.flatten(), tolerance(case))
        }
        statistics => Ok(Comparison::unless(distribution(&found, statistics))),
    }
}

/// An argument by position or name; null when it is not given.
fn argument(arrays: &mut Arrays<'_>, case: &Case, position: usize, name: &str) -> Result<Json> {
    let given = case.get("args").get(position).or_else(|| case.get("kwargs").get(name));
    match arrays.structure(given.unwrap_or(&Json::Null))? {
        Nested::Leaf(Leaf::Plain(json)) => Ok(json),
        Nested::List(items) => items
            .into_iter()
            .map(|item| match item {
                Nested::Leaf(Leaf::Plain(json)) => Ok(json),
                other => Err(Error::Unsupported(format!("{name} {other:?}"))),
            })
            .collect(),
        other => Err(Error::Unsupported(format!("{name} {other:?}"))),
    }
}

fn extents(shape: &Json) -> Result<Shape> {
    let extent = |n: &Json| n.as_u64().and_then(|n| usize::try_from(n).ok());
    let extents = shape.as_array().map(|items| items.iter().map(extent).collect());
    extents
        .flatten()
        .ok_or_else(|| Error::Invalid(format!("recorded case: {shape} is not a shape")))
}

/// What sets elements apart from recorded statistics: shape and dtype exactly, mean, deviation and
/// bounds as far as two draws of so many numbers tell.
fn distribution(found: &Tensor, recorded: &Json) -> Option<String> {
    let of = |key: &str| recorded.get(key).and_then(json::float).unwrap_or(f64::NAN);
    let shape = recorded.get("shape").and_then(|shape| extents(shape).ok());
    let dtype = recorded.get("dtype").and_then(Json::as_str);
    if shape.as_ref() != Some(found.shape()) || dtype != Some(found.dtype().name()) {
        return Some(format!("{}, expected {shape:?} {dtype:?}", found.spec()));
    }
    let n = found.len() as f64;
    let mean = found.iter_f64().sum::<f64>() / n;
    let std = (found.iter_f64().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let slack = SIGMAS / n.sqrt();
    let high = found.iter_f64().fold(f64::NEG_INFINITY, f64::max);
    let low = found.iter_f64().fold(f64::INFINITY, f64::min);
    // The tails of a normal distribution reach that much further once in ten thousand draws.
    let range = (of("max") - of("min")) / 2.0;
    let far = |(what, found, expected, by): (&str, f64, f64, f64)| {
        let near = (found - expected).abs() <= by;
        (!near).then(|| format!("{what} is {found}, expected {expected} within {by:.3e}"))
    };
    [
        ("mean", mean, of("mean"), of("std") * slack),
        ("standard deviation", std, of("std"), of("std") * slack),
        ("largest element", high, of("max"), range),
        ("least element", low, of("min"), range),
    ]
    .into_iter()
    .find_map(far)
}

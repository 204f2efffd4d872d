//! Numbers on which kernels are tried, and what the host computes of them.

use std::ops::Range;

use crate::base::{DType, Result, Spec};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::tensor::Tensor;

/// What an element of a device's result may differ from the host's, as a part of the larger of itself and
/// the root of the mean square of all: sums are in another order.
const TOLERANCE: f64 = 1e-4;

/// The same for 16-bit floats, which may be rounded to the neighbouring number.
const TOLERANCE_16: f64 = 2e-2;

/// Of so many elements one may differ: rounding decides on which side of a threshold a sum is.
const ON_A_THRESHOLD: usize = 1000;

/// Inputs of a program and its outputs.
pub struct Sample {
    pub inputs: Vec<Tensor>,
    expected: Vec<Tensor>,
}

impl Sample {
    /// Floats of a range, and integers that are 0 or 1, and what the host computes of them.
    ///
    /// # Errors
    /// As [`Compiled::run`].
    pub fn new(program: &Program, floats: &Range<f32>) -> Result<Sample> {
        let fill = |(seed, spec)| filled(spec, seed as u32, floats);
        let inputs: Vec<Tensor> =
            program.inputs.iter().enumerate().map(fill).collect::<Result<_>>()?;
        let host =
            Compiled::new(program.clone(), &Device::Host, &Options::default(), &mut |_, _| {})?;
        let expected = host.run(&inputs)?;
        Ok(Sample { inputs, expected })
    }

    /// What is wrong about the outputs of a plan; `None` if nothing is.
    ///
    /// # Errors
    /// As [`Compiled::run`].
    pub fn wrong(&self, plan: &Compiled) -> Result<Option<String>> {
        let found = plan.run(&self.inputs)?;
        for (found, expected) in found.iter().zip(&self.expected) {
            if let Some(difference) = difference(found, expected)? {
                return Ok(Some(difference));
            }
        }
        Ok(None)
    }
}

/// Numbers that do not repeat soon.
fn filled(spec: &Spec, seed: u32, floats: &Range<f32>) -> Result<Tensor> {
    let hash = |i: usize| {
        let mixed = (i as u32 ^ seed.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
        (mixed ^ mixed >> 15).wrapping_mul(0xc2b2_ae35) >> 8
    };
    let part = |i: usize| hash(i) as f32 / (1 << 24) as f32;
    let width = floats.end - floats.start;
    let number = |i: usize| match spec.dtype.is_float() {
        true => floats.start + width * part(i),
        false => (hash(i) & 1) as f32,
    };
    let numbers: Vec<f32> = (0..spec.shape.len()).map(number).collect();
    Ok(Tensor::new(spec.shape.clone(), &numbers)?.cast(spec.dtype))
}

/// How a device's result differs from the host's by more than rounding.
fn difference(found: &Tensor, expected: &Tensor) -> Result<Option<String>> {
    let tolerance = match expected.dtype() {
        DType::Float16 | DType::BFloat16 => TOLERANCE_16,
        _ => TOLERANCE,
    };
    let [found, expected]: [Vec<f32>; 2] = [
        found.cast(DType::Float32).to_vec::<f32>()?,
        expected.cast(DType::Float32).to_vec::<f32>()?,
    ];
    let finite = expected.iter().map(|&x| f64::from(x)).filter(|x| x.is_finite());
    let (squares, count) = finite.fold((0.0, 0), |(sum, n), x| (sum + x * x, n + 1));
    let usual = (squares / f64::from(count.max(1))).sqrt();
    let allowed = |found: f32, expected: f32| {
        let (found, expected) = (f64::from(found), f64::from(expected));
        found == expected
            || (found.is_nan() && expected.is_nan())
            || (expected.is_finite()
                && (found - expected).abs() <= tolerance * usual.max(expected.abs()))
    };
    let wrong = found.iter().zip(&expected).enumerate().filter(|(_, (f, e))| !allowed(**f, **e));
    let mut wrong = wrong.peekable();
    let Some((at, (first, instead))) = wrong.peek().copied() else { return Ok(None) };
    let (beyond, of) = (wrong.count(), expected.len());
    let text =
        format!("{beyond} of {of} elements, such as number {at}: {first} instead of {instead}");
    Ok((beyond > of / ON_A_THRESHOLD).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_no_difference_and_a_wrong_element_is_one() {
        let tensor = |numbers: &[f32]| Tensor::new([numbers.len()], numbers).unwrap();
        let expected = tensor(&[1.0, -2.0, f32::NAN, f32::INFINITY]);
        let alike = tensor(&[1.000_01, -2.000_01, f32::NAN, f32::INFINITY]);
        assert_eq!(difference(&alike, &expected).unwrap(), None);
        for at in 0..4 {
            let mut numbers = alike.to_vec::<f32>().unwrap();
            numbers[at] = 0.5;
            assert!(difference(&tensor(&numbers), &expected).unwrap().is_some(), "{at}");
        }
    }

    #[test]
    fn samples_fill_their_range() {
        let spec = Spec::new([1000], DType::Float32);
        let numbers = filled(&spec, 1, &(-1.0..1.0)).unwrap().to_vec::<f32>().unwrap();
        let within = |low, high| numbers.iter().filter(|&&x| x >= low && x < high).count();
        assert_eq!(within(-1.0, 1.0), 1000);
        assert!((400..600).contains(&within(-1.0, 0.0)));
        let spec = Spec::new([100], DType::Int32);
        let numbers = filled(&spec, 1, &(-1.0..1.0)).unwrap().to_vec::<i32>().unwrap();
        assert!(numbers.iter().all(|n| [0, 1].contains(n)) && numbers.contains(&1));
    }
}

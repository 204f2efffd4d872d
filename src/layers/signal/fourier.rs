//! Discrete Fourier transforms of the last axis, as products with matrices.
//!
//! A transform of `n` points with a divisor is one over its two factors, with a rotation in between (Cooley
//! and Tukey 1965), until a matrix of few rows is left; a long prime one is a convolution (Bluestein 1970).
//! So memory stays within a few times that of the signal, for every length.

use std::f64::consts::TAU;

use crate::base::{DType, Error, Result};
use crate::graph::{Complex, Graph, Value};
use crate::tensor::Tensor;

/// The longest transform that is one product.
const DIRECT: usize = 256;

/// The longest transform; what stands in a file must not fill memory.
const LONGEST: usize = 1 << 20;

/// `exp(-2πi k / n)` for every `k`, in the order of `turns`, as constants of a shape.
fn roots<'g>(graph: &'g Graph, shape: &[usize], n: usize, turns: &[usize]) -> Result<Complex<'g>> {
    let part = |f: fn(f64) -> f64| -> Result<Value<'g>> {
        let values: Vec<f32> =
            turns.iter().map(|&k| f(-TAU * k as f64 / n as f64) as f32).collect();
        Ok(graph.constant(Tensor::new(shape, &values)?))
    };
    Ok(Complex { re: part(f64::cos)?, im: part(f64::sin)? })
}

/// The transform of the last axis: `Σ x[j] exp(-2πi jk / n)`.
///
/// # Errors
/// If the parts differ in shape or are no floats, or the axis is empty or too long.
pub(crate) fn fft(x: Complex<'_>) -> Result<Complex<'_>> {
    let shape = x.re.shape();
    let Some(&n) = shape.last().filter(|&&n| n > 0 && n <= LONGEST) else {
        let expected = format!("a last axis of 1 to {LONGEST} elements");
        return Err(Error::shape("a Fourier transform", shape.to_string(), expected));
    };
    if x.im.shape() != shape || x.re.dtype() != DType::Float32 || x.im.dtype() != DType::Float32 {
        let found = format!("{} and {}", x.re.spec(), x.im.spec());
        let expected = "a real and an imaginary part, float32 of one shape";
        return Err(Error::shape("a Fourier transform", found, expected));
    }
    let rows = shape.len() / n;
    Ok(transform(x.reshape([rows, n]), rows, n)?.reshape(shape))
}

/// The inverse of [`fft`].
///
/// # Errors
/// As those of [`fft`].
pub(crate) fn ifft(x: Complex<'_>) -> Result<Complex<'_>> {
    // Exchanging the parts turns the circle around.
    let turned = fft(Complex { re: x.im, im: x.re })?;
    let n = x.re.shape().last().map_or(1.0, |&n| n as f64);
    Ok(Complex { re: turned.im / n, im: turned.re / n })
}

/// The transform of the first `n` elements of a real last axis, zeros standing for those that are not
/// there: the `n / 2 + 1` elements that tell the others.
///
/// # Errors
/// As those of [`fft`].
pub(crate) fn rfft(x: Value<'_>, n: usize) -> Result<Complex<'_>> {
    let x = fitted(x, n)?;
    let axis = x.rank() - 1;
    Ok(fft(Complex { re: x, im: x.like(0.0) })?.map(|v| v.narrow(axis, 0, n / 2 + 1)))
}

/// The inverse of [`rfft`]: `n` real elements.
///
/// # Errors
/// As those of [`fft`].
pub(crate) fn irfft<'g>(x: Complex<'g>, n: usize) -> Result<Value<'g>> {
    if n == 0 {
        let found = x.re.shape().to_string();
        return Err(Error::shape(
            "an inverse Fourier transform",
            found,
            "two elements or a length",
        ));
    }
    let (re, im) = (fitted(x.re, n / 2 + 1)?, fitted(x.im, n / 2 + 1)?);
    let axis = re.rank() - 1;
    // The other half mirrors this one. Imaginary parts at both ends have no effect on the real result.
    let mirrored = n - (n / 2 + 1);
    let tail = |v: Value<'g>| v.narrow(axis, 1, mirrored).reverse(&[axis]);
    let graph = re.graph();
    let whole = Complex {
        re: graph.concat(&[re, tail(re)], axis),
        im: graph.concat(&[im, -tail(im)], axis),
    };
    Ok(ifft(whole)?.re)
}

/// `x` with its last axis cut, or filled up with zeros, to `n` elements.
fn fitted(x: Value<'_>, n: usize) -> Result<Value<'_>> {
    let shape = x.shape();
    let (Some(&extent), true) = (shape.last(), (1..=LONGEST).contains(&n)) else {
        let found = format!("{n} points of {shape}");
        return Err(Error::shape("a Fourier transform", found, format!("1 to {LONGEST} points")));
    };
    let axis = shape.rank() - 1;
    let mut high = vec![0; shape.rank()];
    high[axis] = n.saturating_sub(extent);
    Ok(x.narrow(axis, 0, extent.min(n)).pad(&vec![0; shape.rank()], &high, 0.0))
}

/// The transform of `[rows, n]`.
fn transform(x: Complex<'_>, rows: usize, n: usize) -> Result<Complex<'_>> {
    if n <= DIRECT {
        return direct(x, rows, n);
    }
    match (2..=n.isqrt()).rev().find(|a| n.is_multiple_of(*a)) {
        Some(a) => split(x, rows, [a, n / a]),
        None => convolved(x, rows, n),
    }
}

/// By one product: real and imaginary parts side by side, with a matrix of both.
fn direct(x: Complex<'_>, rows: usize, n: usize) -> Result<Complex<'_>> {
    let graph = x.re.graph();
    let turns: Vec<usize> = (0..n * n).map(|i| (i / n) * (i % n) % n).collect();
    let roots = roots(graph, &[n, n], n, &turns)?;
    let top = graph.concat(&[roots.re, roots.im], 1);
    let bottom = graph.concat(&[-roots.im, roots.re], 1);
    let matrix = graph.concat(&[top, bottom], 0);
    let both = graph.concat(&[x.re, x.im], 1).dot(matrix).reshape([rows, 2 * n]);
    Ok(Complex { re: both.narrow(1, 0, n), im: both.narrow(1, n, n) })
}

/// Over `a · b` points: over `a`, a rotation, over `b`.
fn split(x: Complex<'_>, rows: usize, [a, b]: [usize; 2]) -> Result<Complex<'_>> {
    let n = a * b;
    let x = x.reshape([rows, a, b]).map(|v| v.transpose(&[0, 2, 1])).reshape([rows * b, a]);
    let x = transform(x, rows * b, a)?.reshape([rows, b, a]);
    let turns: Vec<usize> = (0..n).map(|i| (i / a) * (i % a)).collect();
    let x = x.times(roots(x.re.graph(), &[1, b, a], n, &turns)?);
    let x = x.map(|v| v.transpose(&[0, 2, 1])).reshape([rows * a, b]);
    let x = transform(x, rows * a, b)?.reshape([rows, a, b]);
    Ok(x.map(|v| v.transpose(&[0, 2, 1])).reshape([rows, n]))
}

/// As a circular convolution over a power of two, for jk = (j² + k² - (k - j)²) / 2.
fn convolved(x: Complex<'_>, rows: usize, n: usize) -> Result<Complex<'_>> {
    let graph = x.re.graph();
    let size = (2 * n - 1).next_power_of_two();
    let square = |j: usize| (j as u64 * j as u64 % (2 * n as u64)) as usize;
    let turns: Vec<usize> = (0..n).map(square).collect();
    let chirp = roots(graph, &[1, n], 2 * n, &turns)?;
    // Distances both ways around; what lies between is never asked for.
    let around: Vec<usize> = (0..size).map(|j| square(j.min(size - j).min(n - 1))).collect();
    let kernel = roots(graph, &[1, size], 2 * n, &around)?;
    let kernel = transform(Complex { re: kernel.re, im: -kernel.im }, 1, size)?;
    let padded = x.times(chirp).map(|v| v.pad(&[0, 0], &[0, size - n], 0.0));
    let product = transform(padded, rows, size)?.times(kernel);
    let back = ifft(product)?.map(|v| v.narrow(1, 0, n));
    Ok(back.times(chirp))
}

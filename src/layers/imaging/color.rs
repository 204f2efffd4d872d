//! Colours: grey, and hue, saturation and value.

use crate::base::{DType, Error, Result};
use crate::graph::Value;

/// The three channels along an axis, each with extent 1 there.
///
/// # Errors
/// If there are not three.
pub(crate) fn split_channels<'g>(images: Value<'g>, axis: usize) -> Result<[Value<'g>; 3]> {
    if images.extent(axis) != 3 {
        let found = images.shape().to_string();
        return Err(Error::shape("images in colour", found, format!("3 channels at axis {axis}")));
    }
    Ok(std::array::from_fn(|i| images.narrow(axis, i, 1)))
}

/// How bright the pixels are, in the dtype they came in; grey images stay as they are.
pub(crate) fn rgb_to_grayscale(images: Value<'_>, axis: usize) -> Result<Value<'_>> {
    if images.extent(axis) == 1 {
        return Ok(images);
    }
    let keep = images.dtype();
    let x = if keep.is_float() { images } else { images.cast(DType::Float32) };
    let [red, green, blue] = split_channels(x, axis)?;
    Ok((red * 0.2989 + green * 0.587 + blue * 0.114).cast(keep))
}

/// Smallest difference from 1 of a dtype.
fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::Float16 => 1.0 / 1024.0,
        DType::BFloat16 => 1.0 / 128.0,
        _ => f64::from(f32::EPSILON),
    }
}

/// Hue, saturation and value, all from 0 to 1, of colours from 0 to 1.
pub(crate) fn rgb_to_hsv<'g>(images: Value<'g>, axis: usize) -> Result<Value<'g>> {
    floats(images)?;
    let tiny = images.abs().binary("lt", images.like(epsilon(images.dtype())));
    let [red, green, blue] = split_channels(tiny.select(images.like(0.0), images), axis)?;
    let value = red.maximum(green).maximum(blue);
    let range = value - red.minimum(green).minimum(blue);
    let (zero, one) = (value.like(0.0), value.like(1.0));
    let (bright, colored) = (value.binary("gt", zero), range.binary("gt", zero));
    let saturation = bright.select(range / bright.select(value, one), zero);
    let norm = one / (colored.select(range, one) * 6.0);
    let is = |channel: Value<'g>| value.binary("eq", channel);
    let hue = is(green).select(norm * (blue - red) + 2.0 / 6.0, norm * (red - green) + 4.0 / 6.0);
    let hue = is(red).select(norm * (green - blue), hue);
    let negative = hue.binary("lt", zero);
    let hue = colored.select(hue, zero) + negative.cast(hue.dtype());
    Ok(images.graph().concat(&[hue, saturation, value], axis))
}

/// Colours from 0 to 1 of hue, saturation and value.
pub(crate) fn hsv_to_rgb<'g>(images: Value<'g>, axis: usize) -> Result<Value<'g>> {
    floats(images)?;
    let [hue, saturation, value] = split_channels(images, axis)?;
    let sixth = hue.binary("mod", hue.like(1.0)) * 6.0;
    let (zero, one) = (hue.like(0.0), hue.like(1.0));
    let unit = |x: Value<'g>| x.maximum(zero).minimum(one);
    let channel = |share: Value<'g>| value * ((one - saturation) + saturation * share);
    let red = channel(unit((sixth - 3.0).abs() - 1.0));
    let green = channel(unit(-(sixth - 2.0).abs() + 2.0));
    let blue = channel(unit(-(sixth - 4.0).abs() + 2.0));
    Ok(images.graph().concat(&[red, green, blue], axis))
}

fn floats(images: Value<'_>) -> Result<()> {
    match images.dtype().is_float() {
        true => Ok(()),
        false => Err(Error::DType {
            context: "images".into(),
            found: images.dtype().name().into(),
            expected: "a floating dtype".into(),
        }),
    }
}

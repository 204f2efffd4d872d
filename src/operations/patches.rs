//! Images cut into blocks, and blocks put together.

use crate::base::{Error, Result, Shape};
use crate::graph::Value;
use crate::layers::config::Json;
use crate::layers::imaging::{Sliding, extract_patches};
use crate::layers::spatial::{DataFormat, Padding};
use crate::operations::call::Call;
use crate::operations::image::batched;
use crate::operations::operations;

operations! {
    /// `keras.ops.image`.
    PATCHES:
    ExtractPatches(images)
        { size: null, strides: null, dilation_rate: 1, padding: "valid", data_format: null } |c| {
        patches(c, c.config.get("size").as_array().map_or(2, Vec::len))
    };
}

operations! {
    /// `keras.ops.nn`.
    BLOCKS:
    Unfold(x) { kernel_size: null, dilation: 1, padding: 0, stride: 1 } |c| unfold(c);
    Fold(x) { output_size: null, kernel_size: null, dilation: 1, padding: 0, stride: 1 } |c| fold(c);
    DepthToSpace(x) { block_size: null, data_format: "channels_last" } |c| depth_to_space(c);
    SpaceToDepth(x) { block_size: null, data_format: "channels_last" } |c| space_to_depth(c);
}

fn patches<'g>(c: &Call<'_, 'g>, rank: usize) -> Result<Value<'g>> {
    if !(2..=3).contains(&rank) {
        return Err(c.config.bad("size", "one integer, or two or three"));
    }
    let size = c.config.sizes("size", rank)?;
    let strides = match c.config.get("strides") {
        Json::Null => size.clone(),
        _ => c.config.sizes("strides", rank)?,
    };
    let dilation = c.config.sizes("dilation_rate", rank)?;
    let same = Padding::from_config(c.config, false)? == Padding::Same;
    let windows: Vec<Sliding> = (0..rank)
        .map(|i| Sliding { size: size[i], stride: strides[i], dilation: dilation[i] })
        .collect();
    batched(c, rank, |x| extract_patches(x, &windows, same))
}

/// Two settings under a key, where one number stands for both.
fn pair(c: &Call<'_, '_>, key: &str, least: usize) -> Result<[usize; 2]> {
    let bad = || c.config.bad(key, &format!("one or two integers from {least} on"));
    let ints = c.config.ints(key)?;
    let count = |n: i64| {
        usize::try_from(n).ok().filter(|&n| n >= least && n <= u32::MAX as usize).ok_or_else(bad)
    };
    match (c.config.get(key), ints.as_slice()) {
        (Json::Array(_), &[a, b]) => Ok([count(a)?, count(b)?]),
        (Json::Number(_), &[n]) => Ok([count(n)?; 2]),
        _ => Err(bad()),
    }
}

/// The windows of `Fold` and `Unfold` along height and width, and the padding of each.
fn sliding(c: &Call<'_, '_>) -> Result<[(Sliding, usize); 2]> {
    let [size, dilation, stride] =
        [pair(c, "kernel_size", 1)?, pair(c, "dilation", 1)?, pair(c, "stride", 1)?];
    let padding = pair(c, "padding", 0)?;
    let window = |i: usize| Sliding { size: size[i], stride: stride[i], dilation: dilation[i] };
    Ok([0, 1].map(|i| (window(i), padding[i])))
}

fn unfold<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let &[batch, channels, ..] = rank4(x)?.as_slice() else { return Err(not_rank4(x)) };
    let [(high, pad_high), (wide, pad_wide)] = sliding(c)?;
    let pads = [0, 0, pad_high, pad_wide];
    let x = x.pad(&pads, &pads, 0.0);
    // (batch, channels, rows, height, columns, width)
    let x = wide.windows(high.windows(x, 2)?, 4)?;
    let (rows, columns) = (x.extent(2), x.extent(4));
    let elements = channels * high.size * wide.size;
    Ok(x.transpose(&[0, 1, 3, 5, 2, 4]).reshape([batch, elements, rows * columns]))
}

/// Keras on JAX gives as many rows as the windows and their strides cover, which is less than
/// `output_size` where that is not a whole number of strides, and so does this.
fn fold<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let windows = sliding(c)?;
    let output = pair(c, "output_size", 1)?;
    let area = windows[0].0.size.saturating_mul(windows[1].0.size);
    let shape = x.shape();
    let mut counts = [0; 2];
    for (i, (window, padding)) in windows.iter().enumerate() {
        counts[i] = window.count(output[i].saturating_add(2 * padding))?;
    }
    let &[batch, elements, blocks] = shape.as_slice() else {
        return Err(Error::shape("fold", shape.to_string(), "(batch, elements, blocks)"));
    };
    if elements % area != 0 || blocks != counts[0] * counts[1] {
        let expected = format!("a multiple of {area} elements, and {counts:?} blocks");
        return Err(Error::shape("fold", shape.to_string(), expected));
    }
    let [(high, pad_high), (wide, pad_wide)] = windows;
    let split = [batch, elements / area, high.size, wide.size, counts[0], counts[1]];
    let x = x.reshape(split).transpose(&[0, 1, 4, 2, 5, 3]);
    let covered = |window: Sliding, count: usize| -> Result<usize> {
        Ok((count - 1) * window.stride + window.reach()?.max(window.stride))
    };
    let (height, width) = (covered(high, counts[0])?, covered(wide, counts[1])?);
    let x = wide.sum(high.sum(x, 2, height)?, 3, width)?;
    if pad_high == 0 && pad_wide == 0 {
        return Ok(x);
    }
    let inside = |x: Value<'g>, axis: usize, padding: usize, wanted: usize| {
        let start = padding.min(x.extent(axis));
        x.narrow(axis, start, wanted.min(x.extent(axis) - start))
    };
    Ok(inside(inside(x, 2, pad_high, output[0]), 3, pad_wide, output[1]))
}

fn rank4(x: Value<'_>) -> Result<Shape> {
    let shape = x.shape();
    if shape.rank() == 4 { Ok(shape) } else { Err(not_rank4(x)) }
}

fn not_rank4(x: Value<'_>) -> Error {
    Error::shape("images", x.shape().to_string(), "a batch of them (rank 4)")
}

/// Blocks of `block_size` by `block_size` pixels from the channels of one.
fn depth_to_space<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (x, format) = (c.value(0)?, DataFormat::from_config(c.config)?);
    let block = c.config.size("block_size")?;
    let first = format == DataFormat::ChannelsFirst;
    let (&[n, a, b, d], area) = (rank4(x)?.as_slice(), block.saturating_mul(block)) else {
        return Err(not_rank4(x));
    };
    let (height, width, channels) = if first { (b, d, a) } else { (a, b, d) };
    if channels % area != 0 {
        let expected = format!("a multiple of {area} channels");
        return Err(Error::shape("depth_to_space", x.shape().to_string(), expected));
    }
    let (high, wide, depth) = (height * block, width * block, channels / area);
    Ok(if first {
        let x = x.reshape([n, depth, block, block, height, width]);
        x.transpose(&[0, 1, 4, 2, 5, 3]).reshape([n, depth, high, wide])
    } else {
        let x = x.reshape([n, height, width, block, block, depth]);
        x.transpose(&[0, 1, 3, 2, 4, 5]).reshape([n, high, wide, depth])
    })
}

/// The opposite of [`depth_to_space`].
fn space_to_depth<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let (x, format) = (c.value(0)?, DataFormat::from_config(c.config)?);
    let block = c.config.size("block_size")?;
    let first = format == DataFormat::ChannelsFirst;
    let &[n, a, b, d] = rank4(x)?.as_slice() else { return Err(not_rank4(x)) };
    let (height, width, channels) = if first { (b, d, a) } else { (a, b, d) };
    if height % block != 0 || width % block != 0 {
        let expected = format!("height and width that {block} divides");
        return Err(Error::shape("space_to_depth", x.shape().to_string(), expected));
    }
    let (high, wide, depth) = (height / block, width / block, channels * block * block);
    Ok(if first {
        let x = x.reshape([n, channels, high, block, wide, block]);
        x.transpose(&[0, 1, 3, 5, 2, 4]).reshape([n, depth, high, wide])
    } else {
        let x = x.reshape([n, high, block, wide, block, channels]);
        x.transpose(&[0, 1, 3, 2, 4, 5]).reshape([n, high, wide, depth])
    })
}

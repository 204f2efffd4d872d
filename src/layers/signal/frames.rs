//! Signals cut into overlapping frames, and frames put together.

use crate::base::{Error, Result, Shape};
use crate::graph::Value;

/// Blocks of `step` elements that a frame reaches into.
fn blocks(length: usize, step: usize) -> usize {
    length.div_ceil(step)
}

/// The last axis as frames of `length` elements, each `step` after the one before:
/// `[…, time] → […, frames, length]`.
///
/// Every block of `step` elements is laid out once for each of its places in a frame; rows that are one block
/// longer then turn that into frames. Both ways cost what the frames hold, however many there are.
///
/// # Errors
/// If no frame fits in.
pub(crate) fn frames(x: Value<'_>, length: usize, step: usize) -> Result<Value<'_>> {
    let shape = x.shape();
    let room = shape.last().and_then(|time| time.checked_sub(length));
    let (Some(room), true) = (room, length > 0 && step > 0) else {
        let found = format!("frames of {length}, {step} apart, of {shape}");
        return Err(Error::shape("frames of a signal", found, "a frame that fits in, and a step"));
    };
    let lead = &shape[..shape.rank() - 1];
    let (rows, time, count) = (lead.iter().product(), length + room, room / step + 1);
    let depth = blocks(length, step);
    let width = count + depth - 1;
    let needed = Shape::from([width, step]).checked_len()?;
    let x = x.reshape([rows, time]).narrow(1, 0, time.min(needed));
    let x = x.pad(&[0, 0], &[0, needed.saturating_sub(time)], 0.0);
    let laid_out = x.reshape([rows, 1, width, step]).broadcast([rows, depth, width, step]);
    let longer = laid_out
        .reshape([rows, depth * width, step])
        .pad(&[0, 0, 0], &[0, depth, 0], 0.0)
        .reshape([rows, depth, width + 1, step]);
    let whole = longer.narrow(2, 0, count).transpose(&[0, 2, 1, 3]);
    let framed = whole.reshape([rows, count, depth * step]).narrow(2, 0, length);
    Ok(framed.reshape(lead.iter().copied().chain([count, length]).collect::<Shape>()))
}

/// The opposite of [`frames`]: `[…, frames, length] → […, time]`, where what overlaps is summed.
///
/// # Errors
/// If the rank is less than two, or there is no frame or step.
pub(crate) fn overlap_and_add(x: Value<'_>, step: usize) -> Result<Value<'_>> {
    let shape = x.shape();
    let Some((&[count, length], lead)) = shape
        .split_last_chunk()
        .map(|(lead, last)| (last, lead))
        .filter(|(last, _)| step > 0 && !last.contains(&0))
    else {
        let found = format!("{shape}, {step} apart");
        return Err(Error::shape("overlapping frames", found, "frames, their elements and a step"));
    };
    let rows = lead.iter().product();
    let depth = blocks(length, step);
    let width = count + depth - 1;
    let x = x.reshape([rows, count, length]);
    let x = x.pad(&[0, 0, 0], &[0, 0, depth * step - length], 0.0);
    let x = x.reshape([rows, count, depth, step]).transpose(&[0, 2, 1, 3]);
    let longer = x.pad(&[0, 0, 0, 0], &[0, 0, depth, 0], 0.0);
    let moved = longer
        .reshape([rows, depth * (width + 1), step])
        .narrow(1, 0, depth * width)
        .reshape([rows, depth, width, step]);
    let time = (count - 1) * step + length;
    let summed = moved.sum(&[1]).reshape([rows, width * step]).narrow(1, 0, time);
    Ok(summed.reshape(lead.iter().copied().chain([time]).collect::<Shape>()))
}

/// The last axis with `pad` elements on both sides, which mirror it without repeating its ends, as often as
/// it takes.
///
/// # Errors
/// If there is nothing to mirror.
pub(crate) fn reflected(x: Value<'_>, pad: usize) -> Result<Value<'_>> {
    let shape = x.shape();
    let Some(&time) = shape.last().filter(|&&time| time > 0) else {
        return Err(Error::shape("a mirrored signal", shape.to_string(), "a signal with elements"));
    };
    let (axis, lead) = (shape.rank() - 1, &shape[..shape.rank() - 1]);
    let back = x.narrow(axis, 1.min(time - 1), time.saturating_sub(2)).reverse(&[axis]);
    let period = time + time.saturating_sub(2);
    let start = (period - pad % period) % period;
    let extent = Shape::from([2, pad]).checked_len()?.saturating_add(time);
    let count = (start + extent).div_ceil(period);
    let cycle = x.graph().concat(&[x, back], axis);
    let at = |last: &[usize]| [lead, last].concat();
    let repeated = cycle.reshape(at(&[1, period])).broadcast(at(&[count, period]));
    Ok(repeated.reshape(at(&[count * period])).narrow(axis, start, extent))
}

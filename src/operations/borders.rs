//! `keras.ops.image`: images cut smaller and made larger at their edges.

use crate::base::{Error, Result};
use crate::graph::Value;
use crate::operations::call::Call;
use crate::operations::image::channels;
use crate::operations::operations;

operations! {
    /// Cropping and padding.
    BORDERS:
    CropImages(images) {
        top_cropping: null, left_cropping: null, bottom_cropping: null, right_cropping: null,
        target_height: null, target_width: null, data_format: null
    } |c| crop_images(c);
    PadImages(images) {
        top_padding: null, left_padding: null, bottom_padding: null, right_padding: null,
        target_height: null, target_width: null, data_format: null
    } |c| pad_images(c);
}

/// What stands under a key: a count from 0 on, or null.
fn optional_count(c: &Call<'_, '_>, key: &str) -> Result<Option<usize>> {
    if c.config.is_null(key) {
        return Ok(None);
    }
    let count = usize::try_from(c.config.int(key)?).ok().filter(|&n| n <= u32::MAX as usize);
    count.map(Some).ok_or_else(|| c.config.bad(key, "an integer from 0 on"))
}

/// Along height and width: the axis, and how many elements there are in front, behind and in the target, of which one is not
/// given.
type Edges = [(usize, [Option<usize>; 3]); 2];

fn edges(c: &Call<'_, '_>, x: Value<'_>, what: &str) -> Result<Edges> {
    let channels = channels(c, x)?;
    let first = if channels == x.rank() - 1 { x.rank() - 3 } else { x.rank() - 2 };
    let along = |axis: usize, front: &str, behind: &str, target: &str| -> Result<_> {
        let behind = format!("{behind}_{what}");
        let given = [
            optional_count(c, &format!("{front}_{what}"))?,
            optional_count(c, &behind)?,
            optional_count(c, target)?,
        ];
        match given.iter().flatten().count() {
            2 => Ok((axis, given)),
            _ => {
                let expected = format!("two of {front}_{what}, {behind} and {target}");
                Err(c.config.bad(&behind, &expected))
            }
        }
    };
    Ok([
        along(first, "top", "bottom", "target_height")?,
        along(first + 1, "left", "right", "target_width")?,
    ])
}

fn crop_images<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    edges(c, x, "cropping")?.into_iter().try_fold(x, |x, (axis, [front, behind, target])| {
        let extent = x.extent(axis);
        let bad = || {
            let found = format!("front {front:?}, behind {behind:?}, target {target:?}");
            Error::shape("cropping", found, format!("parts of {extent} pixels"))
        };
        let rest = |a: usize, b: usize| extent.checked_sub(a)?.checked_sub(b);
        let (start, size) = match (front, behind, target) {
            (Some(front), _, Some(target)) => (Some(front), Some(target)),
            (Some(front), Some(behind), _) => (Some(front), rest(front, behind)),
            (_, Some(behind), Some(target)) => (rest(behind, target), Some(target)),
            _ => (None, None),
        };
        let (start, size) = start.zip(size).ok_or_else(bad)?;
        if start.saturating_add(size) > extent {
            return Err(bad());
        }
        Ok(x.narrow(axis, start, size))
    })
}

fn pad_images<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    edges(c, x, "padding")?.into_iter().try_fold(x, |x, (axis, [front, behind, target])| {
        let rest = |part: usize| target?.checked_sub(x.extent(axis))?.checked_sub(part);
        let (low, high) = match (front, behind) {
            (Some(front), Some(behind)) => (Some(front), Some(behind)),
            (Some(front), None) => (Some(front), rest(front)),
            (None, behind) => (behind.and_then(rest), behind),
        };
        let (low, high) = low.zip(high).ok_or_else(|| {
            let found = format!("front {front:?}, behind {behind:?}, target {target:?}");
            Error::shape("padding", found, format!("no less than {} pixels", x.extent(axis)))
        })?;
        let at =
            |n: usize| (0..x.rank()).map(|i| if i == axis { n } else { 0 }).collect::<Vec<_>>();
        Ok(x.pad(&at(low), &at(high), 0.0))
    })
}

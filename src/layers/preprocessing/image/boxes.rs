//! Bounding boxes in the formats Keras knows. Keras's `utils.bounding_boxes`.

use crate::base::{DType, Error, Nested, Result, Shape};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::{Arg, Outputs};

/// How the four numbers of a box are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoxFormat {
    layout: Layout,
    /// Whether they are shares of the image's height and width.
    relative: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Xyxy,
    Yxyx,
    Xywh,
    CenterXywh,
    CenterYxhw,
}

/// Boxes (batch, boxes, 4) in float32, and their labels.
#[derive(Clone, Copy)]
pub(crate) struct Boxes<'g> {
    pub boxes: Value<'g>,
    pub labels: Value<'g>,
}

impl BoxFormat {
    /// Left, top, right and bottom edge in pixels.
    pub const XYXY: BoxFormat = BoxFormat { layout: Layout::Xyxy, relative: false };
    /// The same as shares of the image.
    pub const REL_XYXY: BoxFormat = BoxFormat { layout: Layout::Xyxy, relative: true };

    /// The format under the key `bounding_box_format`, when it is given.
    pub fn from_config(config: &Config) -> Result<Option<BoxFormat>> {
        if config.is_null("bounding_box_format") {
            return Ok(None);
        }
        let format = |layout, relative| BoxFormat { layout, relative };
        let all = [
            ("xyxy", format(Layout::Xyxy, false)),
            ("yxyx", format(Layout::Yxyx, false)),
            ("xywh", format(Layout::Xywh, false)),
            ("center_xywh", format(Layout::CenterXywh, false)),
            ("center_yxhw", format(Layout::CenterYxhw, false)),
            ("rel_xyxy", format(Layout::Xyxy, true)),
            ("rel_yxyx", format(Layout::Yxyx, true)),
            ("rel_xywh", format(Layout::Xywh, true)),
            ("rel_center_xywh", format(Layout::CenterXywh, true)),
        ];
        config.choice("bounding_box_format", &all).map(Some)
    }

    /// Boxes of this format in another one, for images of a height and width.
    pub fn convert<'g>(
        self,
        boxes: Value<'g>,
        target: BoxFormat,
        [height, width]: [f64; 2],
    ) -> Value<'g> {
        if self == target {
            return boxes;
        }
        let [a, b, c, d] = numbers(boxes);
        let mut edges = match self.layout {
            Layout::Xyxy => [a, b, c, d],
            Layout::Yxyx => [b, a, d, c],
            Layout::Xywh => [a, b, a + c, b + d],
            Layout::CenterXywh => {
                let (w, h) = (c / 2.0, d / 2.0);
                [a - w, b - h, a + w, b + h]
            }
            Layout::CenterYxhw => {
                let (h, w) = (c / 2.0, d / 2.0);
                [b - w, a - h, b + w, a + h]
            }
        };
        let scale = [width, height, width, height];
        match (self.relative, target.relative) {
            (true, false) => edges = std::array::from_fn(|i| edges[i] * scale[i]),
            (false, true) => edges = std::array::from_fn(|i| edges[i] / scale[i]),
            _ => {}
        }
        let [x1, y1, x2, y2] = edges;
        let center = |low: Value<'g>, high: Value<'g>| (high + low) / 2.0;
        joined(match target.layout {
            Layout::Xyxy => [x1, y1, x2, y2],
            Layout::Yxyx => [y1, x1, y2, x2],
            Layout::Xywh => [x1, y1, x2 - x1, y2 - y1],
            Layout::CenterXywh => [center(x1, x2), center(y1, y2), x2 - x1, y2 - y1],
            Layout::CenterYxhw => [center(y1, y2), center(x1, x2), y2 - y1, x2 - x1],
        })
    }
}

/// The four numbers of every box, each with a last axis of 1.
pub(crate) fn numbers(boxes: Value<'_>) -> [Value<'_>; 4] {
    let last = boxes.rank().saturating_sub(1);
    std::array::from_fn(|i| boxes.narrow(last, i, 1))
}

/// The opposite of [`numbers`].
pub(crate) fn joined<'g>(numbers: [Value<'g>; 4]) -> Value<'g> {
    let last = numbers[0].rank().saturating_sub(1);
    numbers[0].graph().concat(&numbers, last)
}

/// `x` bounded by 0 and a number.
pub(crate) fn clip(x: Value<'_>, high: f64) -> Value<'_> {
    x.maximum(x.scalar_like(0.0)).minimum(x.scalar_like(high))
}

impl<'g> Boxes<'g> {
    /// The parts of a mapping of `boxes` and `labels`; `single` ones get a batch axis.
    pub fn from_parts(parts: &[(String, Arg<Value<'g>>)], single: bool) -> Result<Boxes<'g>> {
        let part = |key: &str| match parts.iter().find(|(k, _)| k == key) {
            Some((_, Arg::Tensor(value))) if single => {
                let shape = value.shape();
                let batched: Shape = std::iter::once(1).chain(shape.iter().copied()).collect();
                Ok(value.reshape(batched))
            }
            Some((_, Arg::Tensor(value))) => Ok(*value),
            _ => Err(Error::shape("bounding boxes", format!("no '{key}'"), "'boxes' and 'labels'")),
        };
        let (boxes, labels) = (part("boxes")?.cast(DType::Float32), part("labels")?);
        match boxes.shape().as_slice() {
            [_, _, 4] if (2..=3).contains(&labels.rank()) && parts.len() == 2 => {
                Ok(Boxes { boxes, labels })
            }
            _ => {
                let found = format!("boxes {}, labels {}", boxes.shape(), labels.shape());
                let expected = "(batch, boxes, 4), and labels of rank 2 or 3";
                Err(Error::shape("bounding boxes", found, expected))
            }
        }
    }

    /// The mapping, without the batch axis that `single` ones got.
    pub fn into_outputs(self, single: bool) -> Outputs<'g> {
        let part = |value: Value<'g>| match single {
            true => value.reshape(value.shape().iter().skip(1).copied().collect::<Shape>()),
            false => value,
        };
        let leaf = |key: &str, value: Value<'g>| (key.to_owned(), Nested::Leaf(part(value)));
        Nested::Dict(vec![leaf("boxes", self.boxes), leaf("labels", self.labels)])
    }

    /// The boxes cut off at the edges of an image, where boxes are in [`BoxFormat::XYXY`], or in
    /// [`BoxFormat::REL_XYXY`] for a size of 1. Labels of boxes without area become −1.
    pub fn clipped(self, [height, width]: [f64; 2]) -> Boxes<'g> {
        let [x1, y1, x2, y2] = numbers(self.boxes);
        let (x1, x2) = (clip(x1, width), clip(x2, width));
        let (y1, y2) = (clip(y1, height), clip(y2, height));
        let area = (x2 - x1) * (y2 - y1);
        let some = area.binary("gt", area.like(0.0));
        let shape = some.shape();
        let some = some.reshape(shape.iter().take(2).copied().collect::<Shape>());
        let labels = match self.labels.rank() == some.rank() {
            true => some.select(self.labels, self.labels.like(-1.0)),
            false => self.labels,
        };
        Boxes { boxes: joined([x1, y1, x2, y2]), labels }
    }

    /// The same labels with other boxes.
    pub fn with(self, boxes: Value<'g>) -> Boxes<'g> {
        Boxes { boxes, ..self }
    }
}

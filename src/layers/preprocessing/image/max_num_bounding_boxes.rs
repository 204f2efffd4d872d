//! `keras.layers.MaxNumBoundingBoxes`: cuts or fills the list of boxes of every image to one length.
//!
//! Images are passed on; boxes (batch, n, 4) → (batch, max_number, 4).

use crate::base::{Error, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::Boxes;

builder! {
    /// Gives every image the same number of boxes.
    MaxNumBoundingBoxes(max_number) {
        fill_value: (-1),
        data_format: null,
    }
}

struct Limit {
    count: usize,
    fill: i64,
}

impl MaxNumBoundingBoxes {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let limit = Limit { count: config.size("max_number")?, fill: config.int("fill_value")? };
        ImageLayer::boxed("MaxNumBoundingBoxes", config, limit)
    }
}

impl Augment for Limit {
    fn always(&self) -> bool {
        true
    }

    fn draw<'g>(&self, _: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        Ok(Draw::default())
    }

    fn images<'g>(&self, _: &Scene<'_, 'g>, images: Value<'g>, _: &Draw<'g>) -> Result<Value<'g>> {
        Ok(images)
    }

    fn boxes<'g>(&self, _: &Scene<'_, 'g>, boxes: Boxes<'g>, _: &Draw<'g>) -> Result<Boxes<'g>> {
        if boxes.labels.rank() != 2 {
            let found = format!("labels of shape {}", boxes.labels.shape());
            return Err(Error::shape("MaxNumBoundingBoxes", found, "one label for each box"));
        }
        let fitted = |x: Value<'g>| {
            let kept = x.narrow(1, 0, self.count.min(x.extent(1)));
            let mut behind = vec![0; x.rank()];
            behind[1] = self.count - kept.extent(1);
            kept.pad(&vec![0; x.rank()], &behind, self.fill as f64)
        };
        Ok(Boxes { boxes: fitted(boxes.boxes), labels: fitted(boxes.labels) })
    }
}

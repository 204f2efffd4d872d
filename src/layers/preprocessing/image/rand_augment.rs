//! `keras.layers.RandAugment`: in training, changes images by operations drawn from a list (Cubuk et al. 2019).
//!
//! Output shape = input shape.

use crate::base::{DType, Result};
use crate::builder;
use crate::graph::Value;
use crate::layers::Layer;
use crate::layers::config::Config;
use crate::layers::preprocessing::image::base::{Augment, Draw, ImageLayer, Scene};
use crate::layers::preprocessing::image::boxes::Boxes;
use crate::layers::preprocessing::image::policy::{Change, changes};

/// The most operations that are drawn: each stands for all of the list in the program.
const MAX_OPERATIONS: i64 = 64;

builder! {
    /// Applies operations drawn from a list to images, in training.
    RandAugment() {
        value_range: [0, 255],
        num_ops: 2,
        factor: 0.5,
        interpolation: "bilinear",
        seed: null,
        data_format: null,
    }
}

struct Drawn {
    /// All operations, in Keras's order.
    operations: Vec<Box<dyn Augment>>,
    /// How many of them are drawn.
    count: usize,
}

impl RandAugment {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let count = config.int("num_ops")?;
        if !(0..=MAX_OPERATIONS).contains(&count) {
            return Err(config.bad("num_ops", &format!("from 0 to {MAX_OPERATIONS} operations")));
        }
        let operations = changes(config, &Change::ALL)?;
        let drawn = Drawn { operations, count: count as usize };
        ImageLayer::boxed("RandAugment", config, drawn)
    }
}

impl Drawn {
    /// `f` of every operation, where it is drawn.
    fn applied<'g>(
        &self,
        x: Value<'g>,
        draw: &Draw<'g>,
        f: &dyn Fn(&dyn Augment, Value<'g>, &Draw<'g>) -> Result<Value<'g>>,
    ) -> Result<Value<'g>> {
        let [chosen] = draw.take()?;
        let mut x = x;
        for i in 0..self.count {
            let number = chosen.narrow(0, i, 1).reshape([]);
            for (index, operation) in self.operations.iter().enumerate() {
                let changed = f(operation.as_ref(), x, draw.part(index)?)?;
                x = number.binary("eq", number.like(index as f64)).select(changed, x);
            }
        }
        Ok(x)
    }
}

impl Augment for Drawn {
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>> {
        let key = scene.seeds.next(scene.cx)?;
        let chosen = key.randint([self.count], 0, self.operations.len() as i32);
        let mut draw = Draw::from(vec![chosen]);
        for operation in &self.operations {
            draw.parts.push(operation.draw(scene)?);
        }
        Ok(draw)
    }

    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        let dtype = scene.cx.compute_dtype();
        self.applied(images.cast(dtype), draw, &|operation, x, part| {
            operation.images(scene, x, part).map(|changed| changed.cast(dtype))
        })
    }

    fn masks<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        masks: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>> {
        self.applied(masks, draw, &|operation, x, part| {
            operation.masks(scene, x, part).map(|changed| changed.cast(masks.dtype()))
        })
    }

    fn boxes<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        boxes: Boxes<'g>,
        draw: &Draw<'g>,
    ) -> Result<Boxes<'g>> {
        let [chosen] = draw.take()?;
        if self.count == 0 {
            return Ok(boxes);
        }
        let mut boxes = boxes;
        // Unlike images, boxes see each operation once, in the order of the list.
        for (index, operation) in self.operations.iter().enumerate() {
            let drawn = chosen.binary("eq", chosen.like(index as f64)).cast(DType::Int32).max(&[0]);
            let drawn = drawn.binary("gt", drawn.like(0.0));
            let changed = operation.boxes(scene, boxes, draw.part(index)?)?;
            boxes = Boxes {
                boxes: drawn.select(changed.boxes, boxes.boxes),
                labels: drawn.select(changed.labels, boxes.labels),
            };
        }
        Ok(boxes)
    }
}

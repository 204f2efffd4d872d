//! What all layers of images share: one image or a batch of them, alone or in a mapping with labels,
//! bounding boxes and segmentation masks. Keras's `BaseImagePreprocessingLayer`.

use crate::base::error::quote;
use crate::base::{DType, Error, Nested, Result, Shape};
use crate::graph::Value;
use crate::layers::config::Config;
use crate::layers::layer::layer_base;
use crate::layers::preprocessing::image::boxes::{BoxFormat, Boxes};
use crate::layers::seed_generator::SeedGenerator;
use crate::layers::spatial::DataFormat;
use crate::layers::{Arg, Args, Context, Layer, LayerBase, Outputs};
use crate::tensor::Variable;

/// One call of a layer of images.
pub(crate) struct Scene<'a, 'g> {
    pub cx: &'a Context<'g>,
    pub seeds: &'a SeedGenerator,
    pub format: DataFormat,
    /// Shape of the batch of images, of rank 4.
    pub shape: Shape,
    /// Whether the input is one image without a batch axis.
    pub single: bool,
    /// How the input writes bounding boxes.
    pub box_format: Option<BoxFormat>,
}

impl<'g> Scene<'_, 'g> {
    /// Height and width axis of the images.
    pub fn axes(&self) -> [usize; 2] {
        let first = self.format.first_spatial_axis();
        [first, first + 1]
    }

    /// Height and width of the images.
    pub fn size(&self) -> [usize; 2] {
        self.axes().map(|axis| self.shape[axis])
    }

    /// The axis of the channels.
    pub fn channels(&self) -> usize {
        if self.format == DataFormat::ChannelsLast { 3 } else { 1 }
    }

    /// Number of images.
    pub fn batch(&self) -> usize {
        self.shape[0]
    }

    /// Numbers from `low` to `high` in float32, one for each image.
    pub fn uniform(&self, [low, high]: [f64; 2]) -> Result<Value<'g>> {
        let key = self.seeds.next(self.cx)?;
        Ok(key.uniform([self.batch()], low, high, DType::Float32))
    }

    /// Which images a change is made to, with a probability that is itself drawn; ready to combine with
    /// images.
    pub fn chosen(&self, probability: [f64; 2]) -> Result<Value<'g>> {
        let probability = self.uniform(probability)?;
        let threshold = self.uniform([0.0, 1.0])?;
        Ok(self.per_image(threshold.binary("lt", probability)))
    }

    /// One number for each image, ready to combine with images.
    pub fn per_image(&self, x: Value<'g>) -> Value<'g> {
        x.reshape([self.batch(), 1, 1, 1])
    }

    /// How the boxes are written.
    ///
    /// # Errors
    /// When the layer was not told.
    pub fn needed_box_format(&self) -> Result<BoxFormat> {
        let missing = "bounding boxes for a layer without `bounding_box_format`";
        self.box_format.ok_or_else(|| Error::Invalid(missing.into()))
    }
}

/// What one call has drawn: the same for images, boxes and masks.
#[derive(Default)]
pub(crate) struct Draw<'g> {
    pub values: Vec<Value<'g>>,
    /// What the parts of a layer of several changes have drawn.
    pub parts: Vec<Draw<'g>>,
}

impl<'g> Draw<'g> {
    /// The values, as many as there should be.
    pub fn take<const N: usize>(&self) -> Result<[Value<'g>; N]> {
        let wrong = |_| Error::Internal(format!("{} draws, expected {N}", self.values.len()));
        <[Value<'g>; N]>::try_from(self.values.clone()).map_err(wrong)
    }

    /// What one part has drawn.
    pub fn part(&self, index: usize) -> Result<&Draw<'g>> {
        let none = || Error::Internal(format!("{} parts of a draw, no {index}", self.parts.len()));
        self.parts.get(index).ok_or_else(none)
    }
}

impl<'g> From<Vec<Value<'g>>> for Draw<'g> {
    fn from(values: Vec<Value<'g>>) -> Draw<'g> {
        Draw { values, parts: Vec::new() }
    }
}

/// What a class does with images. The methods are called in training; in inference most classes pass
/// everything on.
pub(crate) trait Augment: Send + Sync {
    /// Whether inference does the same as training.
    fn always(&self) -> bool {
        false
    }

    /// What inference makes of the images.
    fn inference<'g>(&self, scene: &Scene<'_, 'g>, images: Value<'g>) -> Result<Value<'g>> {
        Ok(images.cast(scene.cx.compute_dtype()))
    }

    /// What inference makes of segmentation masks.
    fn inference_masks<'g>(&self, _: &Scene<'_, 'g>, masks: Value<'g>) -> Result<Value<'g>> {
        Ok(masks)
    }

    /// Draws what a call needs.
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Draw<'g>>;

    /// Transforms a batch of images.
    fn images<'g>(
        &self,
        scene: &Scene<'_, 'g>,
        images: Value<'g>,
        draw: &Draw<'g>,
    ) -> Result<Value<'g>>;

    /// Transforms labels.
    fn labels<'g>(&self, _: &Scene<'_, 'g>, labels: Value<'g>, _: &Draw<'g>) -> Result<Value<'g>> {
        Ok(labels)
    }

    /// Transforms bounding boxes.
    fn boxes<'g>(&self, _: &Scene<'_, 'g>, boxes: Boxes<'g>, _: &Draw<'g>) -> Result<Boxes<'g>> {
        Ok(boxes)
    }

    /// Transforms segmentation masks.
    fn masks<'g>(&self, _: &Scene<'_, 'g>, masks: Value<'g>, _: &Draw<'g>) -> Result<Value<'g>> {
        Ok(masks)
    }
}

/// A layer of images of one class.
pub(crate) struct ImageLayer<A> {
    base: LayerBase,
    format: DataFormat,
    box_format: Option<BoxFormat>,
    seed_generator: SeedGenerator,
    augment: A,
}

impl<A: Augment + 'static> ImageLayer<A> {
    /// A layer that does `augment`; the keys that all classes have are read here.
    pub fn boxed(class_name: &'static str, config: &Config, augment: A) -> Result<Box<dyn Layer>> {
        Ok(Box::new(ImageLayer::new(class_name, config, augment)?))
    }

    fn new(class_name: &'static str, config: &Config, augment: A) -> Result<ImageLayer<A>> {
        let mut base = LayerBase::new(class_name, config)?;
        // These take their inputs in any dtype.
        base.autocast = !matches!(class_name, "RandomCrop" | "RandomFlip");
        Ok(ImageLayer {
            base,
            format: DataFormat::from_config(config)?,
            box_format: BoxFormat::from_config(config)?,
            seed_generator: SeedGenerator::from_config(config)?,
            augment,
        })
    }

    fn scene<'a, 'g>(&'a self, cx: &'a Context<'g>, images: Value<'g>) -> Result<Scene<'a, 'g>> {
        let shape = match images.shape() {
            shape if shape.rank() == 4 => shape,
            shape if shape.rank() == 3 => std::iter::once(1).chain(shape.iter().copied()).collect(),
            shape => {
                let expected = "one image (rank 3) or a batch (rank 4)";
                return Err(Error::shape(self.base.class_name, shape.to_string(), expected));
            }
        };
        Ok(Scene {
            cx,
            seeds: &self.seed_generator,
            format: self.format,
            shape,
            single: images.rank() == 3,
            box_format: self.box_format,
        })
    }

    fn mapping<'g>(
        &self,
        cx: &Context<'g>,
        items: &[(String, Arg<Value<'g>>)],
    ) -> Result<Outputs<'g>> {
        let find = |key: &str| items.iter().find(|(k, _)| k == key).map(|(_, arg)| arg);
        let Some(Arg::Tensor(images)) = find("images") else {
            let found = format!("a mapping of {} values", items.len());
            return Err(Error::shape(self.base.class_name, found, "a mapping with 'images'"));
        };
        let scene = self.scene(cx, *images)?;
        let work = Work { augment: &self.augment, draw: self.draw(&scene)?, scene };
        let out = |(key, arg): &(String, Arg<Value<'g>>)| {
            let value = match (key.as_str(), arg) {
                ("images", _) => work.images(*images)?.into(),
                ("labels", Arg::Tensor(labels)) => work.labels(*labels)?.into(),
                ("segmentation_masks", Arg::Tensor(masks)) => work.masks(*masks)?.into(),
                ("bounding_boxes", Arg::Dict(parts)) => work.boxes(parts)?,
                (_, other) => other.nested().ok_or_else(|| {
                    let what = format!("'{}' of a mapping of images", quote(key));
                    Error::shape(what, "a plain value", "tensors")
                })?,
            };
            Ok((key.clone(), value))
        };
        Ok(Nested::Dict(items.iter().map(out).collect::<Result<_>>()?))
    }

    /// What the call draws; nothing where images are passed on.
    fn draw<'g>(&self, scene: &Scene<'_, 'g>) -> Result<Option<Draw<'g>>> {
        let active = scene.cx.training() || self.augment.always();
        active.then(|| self.augment.draw(scene)).transpose()
    }
}

/// A call in progress: with what was drawn, or passing on.
struct Work<'a, 'g, A> {
    augment: &'a A,
    scene: Scene<'a, 'g>,
    draw: Option<Draw<'g>>,
}

impl<'g, A: Augment> Work<'_, 'g, A> {
    /// `f` of a value that has a batch axis.
    fn batched(
        &self,
        x: Value<'g>,
        f: impl FnOnce(Value<'g>) -> Result<Value<'g>>,
    ) -> Result<Value<'g>> {
        if !self.scene.single {
            return f(x);
        }
        let shape: Shape = std::iter::once(1).chain(x.shape().iter().copied()).collect();
        let y = f(x.reshape(shape))?;
        Ok(y.reshape(y.shape().iter().skip(1).copied().collect::<Shape>()))
    }

    fn images(&self, images: Value<'g>) -> Result<Value<'g>> {
        self.batched(images, |x| match &self.draw {
            Some(draw) => self.augment.images(&self.scene, x, draw),
            None => self.augment.inference(&self.scene, x),
        })
    }

    fn labels(&self, labels: Value<'g>) -> Result<Value<'g>> {
        match &self.draw {
            Some(draw) => self.batched(labels, |x| self.augment.labels(&self.scene, x, draw)),
            None => Ok(labels),
        }
    }

    fn masks(&self, masks: Value<'g>) -> Result<Value<'g>> {
        self.batched(masks, |x| match &self.draw {
            Some(draw) => self.augment.masks(&self.scene, x, draw),
            None => self.augment.inference_masks(&self.scene, x),
        })
    }

    fn boxes(&self, parts: &[(String, Arg<Value<'g>>)]) -> Result<Outputs<'g>> {
        self.scene.needed_box_format()?;
        let Some(draw) = &self.draw else { return passed_on(parts) };
        let boxes = Boxes::from_parts(parts, self.scene.single)?;
        Ok(self.augment.boxes(&self.scene, boxes, draw)?.into_outputs(self.scene.single))
    }
}

/// Boxes as they are, in float32.
fn passed_on<'g>(parts: &[(String, Arg<Value<'g>>)]) -> Result<Outputs<'g>> {
    let part = |(key, arg): &(String, Arg<Value<'g>>)| match (key.as_str(), arg) {
        ("boxes", Arg::Tensor(boxes)) => Ok((key.clone(), boxes.cast(DType::Float32).into())),
        ("labels", Arg::Tensor(labels)) => Ok((key.clone(), (*labels).into())),
        _ => {
            let found = format!("'{}'", quote(key));
            Err(Error::shape("bounding boxes", found, "'boxes' and 'labels'"))
        }
    };
    Ok(Nested::Dict(parts.iter().map(part).collect::<Result<_>>()?))
}

impl<A: Augment + 'static> Layer for ImageLayer<A> {
    layer_base!();

    fn memory(&self) -> Vec<Variable> {
        vec![self.seed_generator.state().clone()]
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let images = match args.get(0, "data") {
            Some(Arg::Dict(items)) => return self.mapping(cx, items),
            Some(Arg::Tensor(images)) => *images,
            _ => args.input()?,
        };
        let scene = self.scene(cx, images)?;
        let draw = self.draw(&scene)?;
        Work { augment: &self.augment, scene, draw }.images(images).map(Outputs::from)
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["data"]
    }
}

//! `keras.distillation.Distiller`: a student that learns from a teacher. What it predicts is what the
//! student predicts.

use std::sync::Arc;

use serde_json::Map;

use crate::base::{Error, Nested, Result};
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs};
use crate::models::compile_config::check_settings;
use crate::models::custom::CustomObjects;
use crate::models::form::Form;

/// The losses of `keras.distillation`.
const LOSSES: [&str; 2] = ["LogitsDistillation", "FeatureDistillation"];

/// Two models of one structure of inputs and outputs.
pub struct Distiller {
    base: LayerBase,
    pub student: Form,
    teacher: Form,
    /// Models that Keras makes of the two for losses of what single layers give.
    extractors: Vec<Arc<dyn Layer>>,
}

/// The place of such a model among the layers. It has no weights of its own and is not called.
struct Extractor {
    base: LayerBase,
}

impl Extractor {
    fn of(model: &Form) -> Result<Arc<dyn Layer>> {
        let name = format!("{}_multi_feature_extractor", model.root().base().name);
        let config = Map::from_iter([("name".to_owned(), Json::from(name))]);
        let config = Config::new("feature extractor".into(), config, Json::Null);
        let mut base = LayerBase::without_policy("Functional", &config)?;
        base.built = true;
        Ok(Arc::new(Extractor { base }))
    }
}

impl Layer for Extractor {
    layer_base!();

    fn call<'g>(&self, _: &Context<'g>, _: &Args<'g>) -> Result<Outputs<'g>> {
        Err(Error::Unsupported("training of a distiller".into()))
    }
}

impl Distiller {
    /// Reads the constructor's arguments, of which `model` reads the models. The losses are for
    /// training, and only looked at: a file must not carry on what names foreign code.
    pub fn from_config(
        config: &Config,
        custom: &CustomObjects,
        model: impl Fn(&Json) -> Result<Form>,
    ) -> Result<Distiller> {
        let losses = config.get("distillation_losses");
        let known = |loss: &Json| loss["class_name"].as_str().is_some_and(|c| LOSSES.contains(&c));
        if !losses.as_array().is_some_and(|losses| losses.iter().all(known)) {
            return Err(config.bad("distillation_losses", "a list of losses of keras.distillation"));
        }
        check_settings(losses, true, custom)?;
        let weights = config.get("distillation_loss_weights").as_array();
        if weights.map(Vec::len) != losses.as_array().map(Vec::len) {
            return Err(config.bad("distillation_loss_weights", "a number for each loss"));
        }
        if !(0.0..=1.0).contains(&config.float("student_loss_weight")?) {
            return Err(config.bad("student_loss_weight", "a number from 0 to 1"));
        }
        let teacher = model(config.get("teacher"))?;
        let student = model(config.get("student"))?;
        let mut base = LayerBase::new("Distiller", config)?;
        base.built = true;
        let names = |key: &str| {
            let of =
                |loss: &Json| loss["config"][key].as_str().is_some_and(|name| !name.is_empty());
            losses.as_array().is_some_and(|losses| losses.iter().any(of))
        };
        let mut extractors = Vec::new();
        for (key, model) in [("teacher_layer_name", &teacher), ("student_layer_name", &student)] {
            if names(key) {
                extractors.push(Extractor::of(model)?);
            }
        }
        let distiller = Distiller { base, student, teacher, extractors };
        distiller.check_alike()?;
        Ok(distiller)
    }

    /// The models, as layers.
    pub fn layers(&self) -> Vec<Arc<dyn Layer>> {
        vec![self.teacher.root(), self.student.root()]
    }

    /// Refuses models that do not take or give the same.
    fn check_alike(&self) -> Result<()> {
        let (teacher, student) = (&self.teacher, &self.student);
        for (what, teacher, student) in [
            ("inputs", teacher.inputs(), student.inputs()),
            ("outputs", teacher.outputs(), student.outputs()),
        ] {
            let alike = teacher.len() == student.len()
                && teacher
                    .iter()
                    .zip(&student)
                    .all(|(t, s)| t.dtype == s.dtype && t.shape.is_compatible_with(&s.shape));
            // A model that is not built says nothing of them.
            if !alike && !teacher.is_empty() && !student.is_empty() {
                return Err(Error::shape(
                    format!("the {what} of a distiller's student"),
                    format!("{student:?}"),
                    format!("those of its teacher, {teacher:?}"),
                ));
            }
        }
        Ok(())
    }
}

impl Layer for Distiller {
    layer_base!();

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        self.student.call_with_masks(cx, args).map(|(outputs, _)| outputs)
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        let all = self.layers().into_iter().chain(self.extractors.iter().cloned());
        vec![("layers", Nested::List(all.map(Nested::Leaf).collect()))]
    }
}

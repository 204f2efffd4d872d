//! Sequential models: a chain of layers.

use std::sync::Arc;

use serde_json::Map;

use crate::base::error::quote;
use crate::base::{DType, Error, Nested, Result, ResultExt, SymbolicShape};
use crate::graph::Value;
use crate::layers::config::{Config, Json};
use crate::layers::layer::layer_base;
use crate::layers::{
    Arg, Args, CallArgs, Context, DTypePolicy, InputLayer, Layer, LayerBase, Outputs, Stage,
    SymbolicSpec, build, output_specs,
};
use crate::models::deserialize::{Names, Reader, Record};
use crate::models::flow::with_unchanged;
use crate::saving::Kind;

/// A model that is a chain.
pub struct Sequential {
    base: LayerBase,
    pub layers: Vec<Arc<dyn Layer>>,
    /// The layers of a model that is not built yet.
    waiting: Vec<Arc<dyn Layer>>,
    /// Name and spec of the input, once the model is built.
    pub input: Option<(String, SymbolicSpec)>,
    /// What each layer gives.
    pub specs: Vec<Nested<SymbolicSpec>>,
}

impl Sequential {
    pub fn from_config(config: &Map<String, Json>, reader: &Reader<'_>) -> Result<Sequential> {
        let fail = |what: &str| Error::Json { member: "config.json".into(), what: what.into() };
        let own = ["name", "trainable", "dtype", "layers", "build_input_shape"];
        if let Some(key) = config.keys().find(|key| !own.contains(&key.as_str())) {
            return Err(fail(&format!("a sequential model with the unknown key '{}'", quote(key))));
        }
        if !config.contains_key("name") {
            return Err(fail("a sequential model without 'name'"));
        }
        let records = config.get("layers").and_then(Json::as_array);
        let records = records.ok_or_else(|| fail("a sequential model without a list of layers"))?;
        // Keras writes both and reads neither: the layers' own policies and flags count.
        let mut settings = config.clone();
        settings.remove("dtype");
        settings.remove("trainable");
        let settings = Config::new("sequential model".into(), settings, Json::Null);
        let mut base = LayerBase::new("Sequential", &settings)?;
        base.policy = DTypePolicy::FLOAT32;
        base.autocast = false;
        let mut model = Sequential {
            base,
            layers: Vec::new(),
            waiting: Vec::new(),
            input: None,
            specs: Vec::new(),
        };
        let mut layers = Vec::new();
        let mut names = Names::default();
        for (i, record) in records.iter().enumerate() {
            let parsed = Record::parse(record)?;
            names.claim(&parsed)?;
            let layer = reader.member(record)?;
            if parsed.class_name == "InputLayer" {
                if i > 0 {
                    return Err(fail("an InputLayer that is not the first layer"));
                }
                let owner = format!("input '{}'", quote(&layer.base().name));
                let config = Config::new(owner, parsed.config.clone(), Json::Null);
                model.input = Some((layer.base().name.clone(), InputLayer::spec(&config)?));
            } else {
                layers.push(layer);
            }
        }
        if model.input.is_none() {
            model.input = build_input_shape(config)?;
        }
        model.build_layers(layers)?;
        Ok(model)
    }

    /// Builds the chain when the input is known.
    fn build_layers(&mut self, layers: Vec<Arc<dyn Layer>>) -> Result<()> {
        let input = self.input.as_ref().map(|(_, spec)| Nested::Leaf(spec.clone()));
        let Some(mut current) = input else {
            self.waiting = layers;
            return Ok(());
        };
        for mut layer in layers {
            let args = CallArgs::one(Arg::from(&current));
            let name = layer.base().name.clone();
            build(&mut layer, &args).at(|| format!("layer '{}'", quote(&name)))?;
            current = output_specs(layer.as_ref(), &args)?;
            self.specs.push(current.clone());
            self.layers.push(layer);
        }
        self.base.built = true;
        Ok(())
    }

    /// Calls layer after layer, each with the masks that came so far if it takes them. Gives the
    /// outputs and their masks.
    pub(crate) fn chain<'g>(
        &self,
        cx: &Context<'g>,
        args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<(Outputs<'g>, Vec<Option<Value<'g>>>)> {
        let mut current = args.get(0, "inputs").and_then(Arg::nested).ok_or_else(|| {
            Error::shape(format!("model '{}'", quote(&self.base.name)), "no input", "one input")
        })?;
        let mut masks = match args.tensor(1, "mask")? {
            Some(mask) => vec![Some(mask)],
            None => masks.to_vec(),
        };
        for layer in &self.layers {
            let mut args = CallArgs::one(Arg::from(&current));
            let mask = masks.first().copied().flatten();
            if let Some(mask) = mask.filter(|_| layer.keywords().contains(&"mask")) {
                args.keyword.push(("mask".into(), Arg::Tensor(mask)));
            }
            let (outputs, own) = cx.call_with_masks(layer.as_ref(), &args, &masks)?;
            let flat = |nested: &Outputs<'g>| nested.flatten().into_iter().copied().collect();
            let (inputs, flat): (Vec<_>, Vec<_>) = (flat(&current), flat(&outputs));
            let riding = |i: usize| masks.get(i).copied().flatten();
            let inputs: Vec<_> =
                inputs.into_iter().enumerate().map(|(i, input)| (input, riding(i))).collect();
            masks = with_unchanged(&flat, &own, &inputs);
            current = outputs;
        }
        Ok((current, masks))
    }

    /// What the model gives.
    pub fn output(&self) -> Option<Nested<SymbolicSpec>> {
        let input = self.input.as_ref().map(|(_, spec)| Nested::Leaf(spec.clone()));
        self.specs.last().cloned().or(input)
    }
}

/// The input that a model without `InputLayer` was built with.
fn build_input_shape(config: &Map<String, Json>) -> Result<Option<(String, SymbolicSpec)>> {
    let Some(Json::Array(dims)) = config.get("build_input_shape") else { return Ok(None) };
    let dim = |json: &Json| match json {
        Json::Null => Some(None),
        n => n.as_u64().and_then(|n| usize::try_from(n).ok()).map(Some),
    };
    let shape: Option<Vec<_>> = dims.iter().map(dim).collect();
    let shape = shape.ok_or_else(|| Error::Json {
        member: "config.json".into(),
        what: format!("build_input_shape {}", quote(&config["build_input_shape"].to_string())),
    })?;
    let spec = SymbolicSpec { shape: SymbolicShape(shape), dtype: DType::Float32 };
    Ok(Some(("input_layer".into(), spec)))
}

impl Layer for Sequential {
    layer_base!();

    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        if self.input.is_some() {
            return Ok(());
        }
        let shape = inputs.input_shape()?.clone();
        let spec = SymbolicSpec { shape, dtype: DType::Float32 };
        self.input = Some(("input_layer".into(), spec));
        let layers = std::mem::take(&mut self.waiting);
        self.build_layers(layers)
    }

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        self.chain(cx, args, &[]).map(|(outputs, _)| outputs)
    }

    fn call_with_masks<'g>(
        &self,
        cx: &Context<'g>,
        args: &Args<'g>,
        masks: &[Option<Value<'g>>],
    ) -> Result<(Outputs<'g>, Vec<Option<Value<'g>>>)> {
        self.chain(cx, args, masks)
    }

    fn keywords(&self) -> &'static [&'static str] {
        &["mask"]
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        let layers = self.layers.iter().cloned().map(Nested::Leaf).collect();
        vec![("layers", Nested::List(layers))]
    }

    fn stages(&self) -> Vec<Stage> {
        let given = |i: usize| {
            let specs = self.specs.get(i)?;
            Some(specs.flatten().into_iter().cloned().collect())
        };
        self.layers.iter().enumerate().map(|(i, layer)| (layer.clone(), given(i))).collect()
    }

    fn kind(&self) -> Kind {
        Kind::Sequential
    }
}

#[cfg(test)]
mod tests {
    use crate::models::{CustomObjects, Model};
    use crate::runtime::Device;
    use crate::saving::Json;
    use crate::tensor::Tensor;

    #[test]
    fn masks_go_from_layer_to_layer() {
        let layer = |class: &str, config: Json| {
            serde_json::json!({
                "module": "keras.layers", "class_name": class, "config": config,
                "registered_name": null,
            })
        };
        let config = serde_json::json!({"name": "masked", "layers": [
            layer("InputLayer", serde_json::json!({"name": "x", "batch_shape": [null, 3, 2], "dtype": "float32"})),
            layer("Masking", serde_json::json!({"name": "masking", "mask_value": 9.0})),
            layer("ReLU", serde_json::json!({"name": "relu"})),
            layer("GlobalAveragePooling1D", serde_json::json!({"name": "mean"})),
        ]});
        let record = serde_json::json!({
            "module": "keras", "class_name": "Sequential", "config": config,
            "registered_name": null,
        });
        let model = Model::from_config(record, &CustomObjects::new()).unwrap();
        let x = Tensor::new([1, 3, 2], &[1f32, 9.0, 9.0, 9.0, 3.0, -5.0]).unwrap();
        let y = model.call(&[x], &Device::Host).unwrap();
        // The second step does not count: (1 + 3) / 2 and (9 + 0) / 2.
        assert_eq!(y[0].to_vec::<f32>().unwrap(), [2.0, 4.5]);
    }
}

//! Layers of the user's own in the place of what a file holds.

use keraunos::layers::config::Config;
use keraunos::layers::{Args, Context, Layer, LayerBase, Outputs};
use keraunos::{CustomObjects, Device, Model, Result, Tensor};
use serde_json::json;

struct Doubled(LayerBase);

impl Doubled {
    fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        Ok(Box::new(Doubled(LayerBase::new("Doubled", config)?)))
    }
}

impl Layer for Doubled {
    fn base(&self) -> &LayerBase {
        &self.0
    }

    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.0
    }

    fn call<'g>(&self, _: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        Ok((args.input()? * 2.0).into())
    }
}

fn with_lambda(custom: &CustomObjects) -> Result<Model> {
    let function = json!({"class_name": "__lambda__", "config": {"code": "4wEAAAA="}});
    let layers = json!([
        {"module": "keras.layers", "class_name": "InputLayer", "registered_name": null,
         "config": {"name": "x", "batch_shape": [null, 2], "dtype": "float32"}},
        {"module": "keras.layers", "class_name": "Lambda", "registered_name": null,
         "config": {"name": "twice", "trainable": true, "function": function}},
    ]);
    let record = json!({
        "module": "keras", "class_name": "Sequential", "registered_name": null,
        "config": {"name": "model", "layers": layers},
    });
    Model::from_config(record, custom)
}

#[test]
fn a_lambda_is_refused_with_the_way_to_replace_it() {
    let message = with_lambda(&CustomObjects::new()).err().unwrap().to_string();
    assert!(message.contains("never run") && message.contains("replace_layer"), "{message}");
    let elsewhere = CustomObjects::new().replace_layer("thrice", Doubled::from_config);
    assert!(with_lambda(&elsewhere).is_err());
}

#[test]
fn a_layer_stands_for_a_lambda_by_its_name() {
    let custom = CustomObjects::new().replace_layer("twice", Doubled::from_config);
    let x = Tensor::new([1, 2], &[1f32, -3.0]).unwrap();
    let y = with_lambda(&custom).unwrap().call(&[x], &Device::Host).unwrap();
    assert_eq!(y[0].to_vec::<f32>().unwrap(), [2.0, -6.0]);
}

//! A layer of one's own: `cargo run --example custom_layer MODEL.keras`.
//!
//! The model's Python code has a layer `Scaled`, registered as `my_package>Scaled`.

use keraunos::layers::config::Config;
use keraunos::layers::{Args, CallArgs, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use keraunos::{CustomObjects, LoadOptions, Result, initializers::Initializer, load_model_with};

struct Scaled {
    base: LayerBase,
    factor: f64,
}

impl Scaled {
    fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        let base = LayerBase::new("Scaled", config)?;
        Ok(Box::new(Scaled { base, factor: config.float("factor")? }))
    }
}

impl Layer for Scaled {
    fn base(&self) -> &LayerBase {
        &self.base
    }
    fn base_mut(&mut self) -> &mut LayerBase {
        &mut self.base
    }
    fn build(&mut self, inputs: &CallArgs<SymbolicSpec>) -> Result<()> {
        let channels = inputs.input_shape()?.known(-1)?;
        self.base.add_weight("gain", [channels], &Initializer::ONES).map(drop)
    }
    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let gain = cx.read(&self.base.variables[0]);
        Ok((args.input()? * gain * self.factor).into())
    }
}

fn main() -> Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        println!("usage: custom_layer MODEL.keras");
        return Ok(());
    };
    let custom_objects = CustomObjects::new().layer("my_package>Scaled", Scaled::from_config);
    let options = LoadOptions { custom_objects, ..LoadOptions::default() };
    println!("{:#?}", load_model_with(path, &options)?.summary());
    Ok(())
}

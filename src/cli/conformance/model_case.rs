//! Areas `layers` and `models`: a saved model, called once or twice.

use crate::base::{Error, Nested, Result};
use crate::cli::conformance::compare::{Comparison, tolerance};
use crate::cli::conformance::suite::{Area, Arrays, Case, Leaf};
use crate::cli::conformance::test_classes;
use crate::models::Model;
use crate::runtime::Device;
use crate::saving::json::Json;
use crate::saving::saving_lib::{LoadOptions, load_model_from};
use crate::tensor::Tensor;

/// Loads the model of a case, calls it and compares its outputs.
pub fn run(area: &Area, case: &Case, device: &Device) -> Result<Comparison> {
    let source = area.member(case.text("model_file")?)?;
    // Training settings may name objects of the test that made the case, and change no output.
    let custom_objects = test_classes::custom_objects();
    let options = LoadOptions { compile: false, custom_objects, ..LoadOptions::default() };
    let model = load_model_from(source, &options)?;
    let mut arrays = Arrays::new(area, case);
    let inputs = in_order(&arrays.structure(case.get("call"))?, &model)?;
    let outputs = arrays.structure(case.get("output_structure"))?;
    let tolerance = tolerance(case);
    let mut result = Comparison::of(&model.call(&inputs, device)?, &outputs.flatten(), tolerance)?;
    if case.get("stateful") == true {
        // The names of a list, not the structure: the order is that of the first call's outputs.
        let Json::Array(names) = case.get("outputs_of_second_call") else {
            return Err(Error::Invalid("recorded case: no outputs_of_second_call".into()));
        };
        let names = names.iter().filter_map(Json::as_str);
        let second: Vec<Leaf> =
            names.map(|name| Ok(Leaf::Array(arrays.array(name)?))).collect::<Result<_>>()?;
        let second = Comparison::of(
            &model.call(&inputs, device)?,
            &second.iter().collect::<Vec<_>>(),
            tolerance,
        )?;
        result.include(second, 1);
    }
    Ok(result)
}

/// The inputs of a call in the order of the model's inputs. A mapping is taken by name when it has
/// the names of all inputs (Keras passes over others), and else, as all structures are, in Keras's order of flattening.
fn in_order(call: &Nested<Leaf>, model: &Model) -> Result<Vec<Tensor>> {
    let names: Vec<String> = model.inputs().into_iter().map(|input| input.name).collect();
    let tensor = |leaf: &Leaf| match leaf {
        Leaf::Array(tensor) => Ok(tensor.clone()),
        Leaf::Plain(json) => Err(Error::Unsupported(format!("{json} as an input of a model"))),
    };
    if let Nested::Dict(items) = call {
        let by_name = |name: &String| items.iter().find(|(key, _)| key == name)?.1.leaf();
        let named: Option<Vec<&Leaf>> = names.iter().map(by_name).collect();
        if let Some(leaves) = named {
            return leaves.into_iter().map(tensor).collect();
        }
    }
    call.flatten().into_iter().map(tensor).collect()
}

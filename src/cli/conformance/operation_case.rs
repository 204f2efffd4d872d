//! Areas `ops` and `activations`: one call of a function.

use serde_json::Map;

use crate::activations::Activation;
use crate::base::{DType, Error, Nested, Result};
use crate::cli::conformance::compare::{Comparison, tolerance};
use crate::cli::conformance::suite::{Area, Arrays, Case, Leaf};
use crate::graph::{Graph, NodeId, Value};
use crate::layers::config::Config;
use crate::layers::{Arg, Args, CallArgs, Context, Outputs};
use crate::operations::{FUNCTIONS, OPERATIONS, OperationDef};
use crate::program::{Options, Program};
use crate::runtime::{Compiled, Device};
use crate::saving::json::Json;
use crate::tensor::Tensor;

/// Functions whose parameters are not those of the call followed by those of the constructor.
const SIGNATURES: &[(&str, &[&str])] = &[
    ("Average", &["x", "axis", "weights"]),
    ("BatchNorm", &["x", "mean", "variance", "axis", "offset", "scale", "epsilon"]),
    ("Full", &["shape", "fill_value", "dtype"]),
    (
        "ScaleAndTranslate",
        &["images", "output_shape", "scale", "translation", "spatial_dims", "method", "antialias"],
    ),
    ("Pad", &["x", "pad_width", "mode", "constant_values"]),
];

/// Functions with another name than their operation.
const NAMES: &[(&str, &str)] = &[
    ("batch_normalization", "BatchNorm"),
    ("extract_patches_3d", "ExtractPatches"),
    ("layer_normalization", "LayerNorm"),
    ("rms_normalization", "RMSNorm"),
];

/// Functions whose images Keras takes to be channels first when the call does not say, unlike their
/// operations in models.
const CHANNELS_FIRST: &[&str] = &["GaussianBlur"];

/// Functions of three axes that share an operation with one of two: an integer under this key counts for
/// all three.
const OF_THREE_AXES: &[(&str, &str)] = &[("image.extract_patches_3d", "size")];

/// What a case calls.
enum Function {
    Operation(&'static OperationDef),
    /// An activation, with the arguments of Keras's own default.
    Activation(Activation),
}

/// Traces the call of a case, computes it and compares the outputs.
pub fn run(area: &Area, case: &Case, device: &Device) -> Result<Comparison> {
    let mut arrays = Arrays::new(area, case);
    let positional = arrays.structure(case.get("args"))?;
    let keyword = match case.get("kwargs") {
        Json::Object(items) => items
            .iter()
            .map(|(key, item)| Ok((key.clone(), arrays.structure(item)?)))
            .collect::<Result<_>>()?,
        _ => Vec::new(),
    };
    let Nested::List(positional) = positional else {
        return Err(Error::Invalid("recorded case: args is not a list".into()));
    };
    let of_three = OF_THREE_AXES.iter().find(|(class, _)| *class == case.class);
    let data_format = case.get("image_data_format").clone();
    let call = Call { positional, keyword, data_format, threefold: of_three.map(|(_, key)| *key) };
    let found = call.compute(&function(area, case, &call)?, device)?;
    let expected = arrays.structure(case.get("out"))?;
    Comparison::of(&found, &expected.flatten(), tolerance(case))
}

/// The function of a case.
fn function(area: &Area, case: &Case, call: &Call) -> Result<Function> {
    let (place, name) = case.class.rsplit_once('.').unwrap_or(("", &case.class));
    let is_activation = area.name == "activations";
    // Keras's activations have other defaults than the operations of the same names.
    let plain = is_activation && call.positional.len() == 1 && call.keyword.is_empty();
    if let Some(activation) = Activation::named(name).filter(|_| plain) {
        return Ok(Function::Activation(activation));
    }
    let modules: &[&str] = match (is_activation, place) {
        (true, _) => &["keras.src.activations.activations", "keras.src.ops.nn"],
        (false, "image") => &["keras.src.ops.image"],
        (false, "") => &[
            "keras.src.ops.numpy",
            "keras.src.ops.nn",
            "keras.src.ops.math",
            "keras.src.ops.core",
            "keras.src.ops.linalg",
            "keras.src.ops.einops",
        ],
        (false, _) => &[],
    };
    let class = NAMES.iter().find(|(function, _)| *function == name).map_or(name, |(_, c)| c);
    let letters = class.replace('_', "");
    let in_module = |module: &str| {
        let tables = OPERATIONS.iter().filter(|(name, _)| *name == module);
        let mut rows = tables.flat_map(|(_, table)| table.iter());
        rows.find(|def| def.class_name.eq_ignore_ascii_case(&letters)).map(Function::Operation)
    };
    let plain = || {
        let mut rows = FUNCTIONS.iter().filter(|_| !is_activation && place.is_empty());
        rows.find(|def| def.class_name.eq_ignore_ascii_case(&letters)).map(Function::Operation)
    };
    modules.iter().find_map(|module| in_module(module)).or_else(plain).ok_or_else(|| {
        let kind = if is_activation { "activation" } else { "operation" };
        Error::Unsupported(format!("the {kind} {}", case.class))
    })
}

/// Whether a function is called with arrays that are known while tracing, as eager code does: its
/// result's shape depends on them.
fn is_known(def: &OperationDef) -> bool {
    FUNCTIONS.iter().any(|function| function.class_name == def.class_name)
        || def.class_name == "Bincount"
}

/// The arguments of a call, and the image layout that was Keras's default.
struct Call {
    positional: Vec<Nested<Leaf>>,
    keyword: Vec<(String, Nested<Leaf>)>,
    data_format: Json,
    /// The key whose integer stands for three.
    threefold: Option<&'static str>,
}

impl Call {
    /// Traces the call with its arrays as inputs and runs it.
    fn compute(&self, function: &Function, device: &Device) -> Result<Vec<Tensor>> {
        let graph = Graph::new();
        let mut inputs = Vec::new();
        let traced = self.trace(function, &graph, &mut inputs);
        let ids: Result<Vec<NodeId>> =
            traced.map(|outputs| outputs.flatten().into_iter().map(|v| v.id()).collect());
        // An error inside a formula is kept by the graph, with its place: it comes first.
        let trace = graph.finish()?;
        let program = Program::new(trace, &ids?);
        Compiled::new(program, device, &Options::default(), &mut |_, _| {})?.run(&inputs)
    }

    fn trace<'g>(
        &self,
        function: &Function,
        graph: &'g Graph,
        inputs: &mut Vec<Tensor>,
    ) -> Result<Outputs<'g>> {
        let known = matches!(function, Function::Operation(def) if is_known(def));
        let mut input = |tensor: &Tensor| {
            if known {
                return graph.constant(tensor.clone());
            }
            inputs.push(tensor.clone());
            graph.input(tensor.spec().clone())
        };
        match function {
            Function::Activation(activation) => {
                match self.positional.first().and_then(Nested::leaf) {
                    Some(Leaf::Array(x)) => Ok(activation.apply(input(x)).into()),
                    _ => Err(Error::Unsupported("an activation of a plain number".into())),
                }
            }
            Function::Operation(def) => {
                let (args, config) = self.split(def, &mut input)?;
                let config = Config::new(def.class_name.into(), config, (def.defaults)());
                let operation = def.create(&config)?;
                config.finish()?;
                Context::new(graph, false).call(operation.as_ref(), &args)
            }
        }
    }

    /// The arguments of the call and the config of the constructor.
    fn split<'g>(
        &self,
        def: &OperationDef,
        input: &mut dyn FnMut(&Tensor) -> Value<'g>,
    ) -> Result<(Args<'g>, Map<String, Json>)> {
        if def.class_name == "Meshgrid" {
            let positional = self.positional.iter().map(|value| to_arg(value, input)).collect();
            let keyword = self.keyword.iter().map(|(key, item)| Ok((key.clone(), to_json(item)?)));
            let config = keyword.collect::<Result<_>>()?;
            return Ok((CallArgs { positional, ..CallArgs::default() }, config));
        }
        if def.class_name == "Einsum" {
            return self.split_einsum(input);
        }
        let (mut args, mut config) = (CallArgs::default(), Map::new());
        let defaults = match (def.defaults)() {
            Json::Object(defaults) => defaults,
            _ => Map::new(),
        };
        let signature = SIGNATURES.iter().find(|(class, _)| *class == def.class_name);
        let parameters: Vec<&str> = match signature {
            Some((_, parameters)) => parameters.to_vec(),
            None => {
                let keys = defaults.keys().map(String::as_str);
                def.arguments.iter().copied().chain(keys).collect()
            }
        };
        let positional = self.positional.iter().enumerate();
        let positional = positional.map(|(i, value)| (parameters.get(i).copied(), value));
        let keyword = self.keyword.iter().map(|(key, value)| (Some(key.as_str()), value));
        for (name, value) in positional.chain(keyword) {
            match name {
                Some(name) if def.arguments.contains(&name) || def.keywords.is_some() => {
                    args.keyword.push((name.into(), to_arg(value, input)));
                }
                Some(name) => {
                    config.insert(name.into(), to_json(value)?);
                }
                None => {
                    let what = format!("{} positional arguments", self.positional.len());
                    return Err(Error::Unsupported(format!("{} with {what}", def.class_name)));
                }
            }
        }
        let given = self.threefold.and_then(|key| Some((key, config.get(key)?.clone())));
        if let Some((key, size)) = given.filter(|(_, size)| size.is_number()) {
            config.insert(key.into(), vec![size; 3].into());
        }
        let takes_format = defaults.contains_key("data_format");
        if takes_format && config.get("data_format").is_none_or(Json::is_null) {
            let format = match CHANNELS_FIRST.contains(&def.class_name) {
                true => "channels_first".into(),
                false => self.data_format.clone(),
            };
            config.insert("data_format".into(), format);
        }
        Ok((args, config))
    }

    /// `einsum(subscripts, *operands)`, the one call with any number of arguments.
    fn split_einsum<'g>(
        &self,
        input: &mut dyn FnMut(&Tensor) -> Value<'g>,
    ) -> Result<(Args<'g>, Map<String, Json>)> {
        let [subscripts, operands @ ..] = self.positional.as_slice() else {
            return Err(Error::Invalid("recorded case: einsum without subscripts".into()));
        };
        let config = [("subscripts".into(), to_json(subscripts)?)].into_iter().collect();
        let positional = operands.iter().map(|value| to_arg(value, input)).collect();
        Ok((CallArgs { positional, ..CallArgs::default() }, config))
    }
}

/// A recorded value as the argument of a call.
fn to_arg<'g>(value: &Nested<Leaf>, input: &mut dyn FnMut(&Tensor) -> Value<'g>) -> Arg<Value<'g>> {
    match value {
        Nested::None => Arg::Plain(Json::Null),
        Nested::Leaf(Leaf::Array(tensor)) => Arg::Tensor(input(tensor)),
        Nested::Leaf(Leaf::Plain(json)) => Arg::Plain(json.clone()),
        Nested::List(items) => {
            let items: Vec<_> = items.iter().map(|item| to_arg(item, input)).collect();
            // As in files, a list without tensors is one plain value, such as a shape.
            let plain = items.iter().map(|item| match item {
                Arg::Plain(json) => Some(json.clone()),
                _ => None,
            });
            match plain.collect::<Option<Vec<Json>>>() {
                Some(plain) => Arg::Plain(Json::Array(plain)),
                None => Arg::List(items),
            }
        }
        Nested::Dict(items) => {
            Arg::Dict(items.iter().map(|(key, item)| (key.clone(), to_arg(item, input))).collect())
        }
    }
}

/// A recorded value as a constructor's argument; arrays become lists.
pub(super) fn to_json(value: &Nested<Leaf>) -> Result<Json> {
    Ok(match value {
        Nested::None => Json::Null,
        Nested::Leaf(Leaf::Plain(json)) => json.clone(),
        Nested::Leaf(Leaf::Array(tensor)) => match tensor.dtype() {
            DType::Float32 | DType::Int32 | DType::Bool => lists(tensor),
            // Other dtypes are not what lists of numbers have: Keras writes a record.
            dtype => serde_json::json!({
                "class_name": "__numpy__",
                "config": { "value": lists(tensor), "dtype": dtype.name() },
            }),
        },
        Nested::List(items) => Json::Array(items.iter().map(to_json).collect::<Result<_>>()?),
        Nested::Dict(_) => {
            return Err(Error::Unsupported("a mapping as a constructor's argument".into()));
        }
    })
}

/// The elements of a tensor as nested lists.
fn lists(tensor: &Tensor) -> Json {
    let number = |x: f64| match tensor.dtype() {
        dtype if dtype.is_float() => crate::saving::json::from_float(x),
        DType::Bool => Json::Bool(x != 0.0),
        _ => Json::from(x as i64),
    };
    let mut values: Vec<Json> = tensor.iter_f64().map(number).collect();
    for &extent in tensor.shape().iter().rev() {
        values = values.chunks(extent.max(1)).map(|row| Json::Array(row.to_vec())).collect();
    }
    values.pop().unwrap_or(Json::Array(Vec::new()))
}

//! Every registered layer and operation against Keras's own table of classes, and against configs
//! that mean harm.

use keraunos::base::{DType, Result, Spec, SymbolicShape};
use keraunos::graph::Graph;
use keraunos::layers::config::{Config, Json};
use keraunos::layers::{Arg, CallArgs, Context, Layer, SymbolicSpec, registry};
use keraunos::operations::OPERATIONS;
use serde_json::{Map, json};

/// Config keys of every class of Keras 3.15.1 with the values that `get_config` gave, and the
/// arguments of every operation.
fn keras(kind: &str) -> Vec<Json> {
    let text = include_str!("keras/classes.json");
    let table: Json = serde_json::from_str(text).unwrap();
    table[kind].as_array().unwrap().clone()
}

fn sample<'a>(table: &'a [Json], class_name: &str) -> Option<&'a Map<String, Json>> {
    let own = |c: &&Json| c["class_name"] == class_name && c["module"] == "keras.layers";
    table.iter().find(own).map(|c| c["config"].as_object().unwrap())
}

/// Classes that files of Keras hold but that `keras.layers` of 3.15.1 does not export, so that the table
/// has no sample of them: parts of FeatureSpace and of other layers, layers of `keras.applications`, of
/// older versions, and of Keras 3.16.
const NOT_EXPORTED: [&str; 9] = [
    "ConvLSTMCell",
    "CustomScaleLayer",
    "IndexLookup",
    "LayerScale",
    "StochasticDepth",
    "TernaryDense",
    "TFDConcat",
    "TFDIdentity",
    "ThresholdedReLU",
];

/// Classes whose config holds layers, which only a model's reader can make: models test these.
const HOLD_LAYERS: [&str; 6] = [
    "Bidirectional",
    "Pipeline",
    "RNN",
    "SpectralNormalization",
    "StackedRNNCells",
    "TimeDistributed",
];

fn exported() -> impl Iterator<Item = &'static registry::LayerDef> {
    let other = |name: &str| NOT_EXPORTED.contains(&name) || HOLD_LAYERS.contains(&name);
    registry::LAYERS.iter().filter(move |def| !other(def.class_name))
}

fn construct(def: &registry::LayerDef, given: Map<String, Json>) -> Result<Box<dyn Layer>> {
    let config = Config::new(def.class_name.into(), given, (def.defaults)());
    let layer = (def.new)(&config)?;
    config.finish().map(|()| layer)
}

#[test]
fn every_layer_reads_the_config_that_keras_writes() {
    let table = keras("layer");
    for def in exported() {
        let given = sample(&table, def.class_name).expect("a class of Keras").clone();
        if let Err(error) = construct(def, given) {
            panic!("{}: {error}", def.class_name);
        }
    }
}

#[test]
fn every_layer_has_keras_defaults_for_what_a_file_leaves_out() {
    let table = keras("layer");
    for def in exported() {
        let class = table
            .iter()
            .find(|c| c["class_name"] == def.class_name && c["module"] == "keras.layers");
        let class = class.unwrap();
        let required = class["required"].as_array().unwrap().iter().filter_map(Json::as_str);
        let mut given: Map<String, Json> =
            required.map(|key| (key.to_owned(), class["config"][key].clone())).collect();
        // Arguments that have a default in Python, which the constructor then refuses.
        match def.class_name {
            "InputLayer" => given.insert("batch_shape".into(), json!([null, 3])),
            "CategoryEncoding" => given.insert("num_tokens".into(), json!(4)),
            _ => None,
        };
        if let Err(error) = construct(def, given) {
            panic!("{}: {error}", def.class_name);
        }
    }
}

#[test]
fn no_layer_ignores_a_key_it_does_not_know() {
    let table = keras("layer");
    for def in exported() {
        let mut given = sample(&table, def.class_name).unwrap().clone();
        given.insert("made_up".into(), json!(1));
        let message = construct(def, given).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("made_up"), "{}: {message}", def.class_name);
    }
}

#[test]
fn every_operation_has_the_arguments_of_its_keras_class() {
    let table = keras("operation");
    for (module, rows) in OPERATIONS {
        for def in *rows {
            let own = |c: &&Json| c["class_name"] == def.class_name && c["module"] == *module;
            let class =
                table.iter().find(own).unwrap_or_else(|| panic!("{module}.{}", def.class_name));
            let keys = |json: &Json| -> Vec<String> {
                let mut keys: Vec<String> = json.as_object().unwrap().keys().cloned().collect();
                keys.retain(|key| key != "name");
                keys.sort();
                keys
            };
            assert_eq!(keys(&(def.defaults)()), keys(&class["config"]), "{}", def.class_name);
            let bare = |name: &Json| {
                let name = name.as_str().unwrap();
                name.split('=').next().unwrap().to_owned()
            };
            let call: Vec<String> = class["call"].as_array().unwrap().iter().map(bare).collect();
            let variadic = call.iter().any(|name| name == "kwargs");
            let own = [def.arguments, def.keywords.as_slice()].concat();
            assert!(variadic || call == own, "{}: {call:?}", def.class_name);
        }
    }
}

/// Values that a file may hold where a layer expects something sensible.
fn hostile() -> Vec<Json> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(3),
        json!(1000),
        json!(u32::MAX),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(-0.5),
        json!("same"),
        json!("abz,bz->az"),
        json!([]),
        json!([0, 0]),
        json!([-1, -1]),
        json!([7, 7, 7]),
        json!([u32::MAX, u32::MAX]),
        json!([[1, 2], [u32::MAX, u32::MAX]]),
        json!([[[1]], [2, 3]]),
        json!({"class_name": "__numpy__", "config": {"value": [[1], [2, 3]], "dtype": "int4"}}),
    ]
}

/// Input shapes on which a layer is tried: of every rank, and with an empty axis.
const SHAPES: [&[usize]; 7] =
    [&[], &[3], &[2, 4], &[2, 5, 3], &[2, 6, 5, 4], &[1, 4, 5, 6, 2], &[2, 0, 3, 2]];

/// Builds and traces a layer on one input, or two of the same shape.
fn trace(layer: &mut dyn Layer, shape: &[usize], twice: bool) -> Result<()> {
    let spec = Spec::new(shape, DType::Float32);
    let symbolic = SymbolicSpec { shape: SymbolicShape::from(&spec.shape), dtype: DType::Float32 };
    let args = |arg: Arg<SymbolicSpec>| match twice {
        true => CallArgs::one(Arg::List(vec![arg.clone(), arg])),
        false => CallArgs { positional: vec![arg.clone(), arg], keyword: Vec::new() },
    };
    let args = args(Arg::Tensor(symbolic));
    layer.build(&args)?;
    let graph = Graph::new();
    let values = args.try_map(&mut |_: &SymbolicSpec| Ok(graph.input(spec.clone())))?;
    Context::new(&graph, false).call(layer, &values)?;
    graph.finish().map(|_| ())
}

#[test]
fn hostile_layer_configs_give_errors_and_no_panics() {
    let table = keras("layer");
    for def in exported() {
        let good = sample(&table, def.class_name).unwrap();
        for key in good.keys() {
            for value in hostile() {
                let mut given = good.clone();
                given.insert(key.clone(), value);
                for shape in SHAPES {
                    for twice in [false, true] {
                        if let Ok(mut layer) = construct(def, given.clone()) {
                            // Either answer will do, as long as there is one.
                            let _ = trace(layer.as_mut(), shape, twice);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn hostile_operations_give_errors_and_no_panics() {
    for def in OPERATIONS.iter().flat_map(|(_, rows)| rows.iter()) {
        let Json::Object(defaults) = (def.defaults)() else { panic!("{}", def.class_name) };
        let keys: Vec<Option<String>> = defaults.keys().cloned().map(Some).chain([None]).collect();
        for key in keys {
            for value in hostile() {
                let given = match &key {
                    Some(key) => [(key.clone(), value.clone())].into_iter().collect(),
                    None => Map::new(),
                };
                let config = Config::new(def.class_name.into(), given, (def.defaults)());
                let Ok(mut op) = def.create(&config) else { continue };
                for shape in SHAPES {
                    for twice in [false, true] {
                        let _ = trace(op.as_mut(), shape, twice);
                    }
                }
                call_with_plain(op.as_ref(), &value);
            }
        }
    }
}

/// Calls an operation on a tensor and a plain value, such as a key of `GetItem`.
fn call_with_plain(op: &dyn Layer, value: &Json) {
    let graph = Graph::new();
    let x = graph.input(Spec::new([2, 3, 4], DType::Float32));
    let args = CallArgs {
        positional: vec![Arg::Tensor(x), Arg::Plain(value.clone())],
        keyword: Vec::new(),
    };
    let _ = Context::new(&graph, false).call(op, &args);
}

/// Text and complex numbers are refused, or computed with; nothing goes on with what an error leaves.
#[test]
fn inputs_of_unusual_dtypes_are_survived() {
    let table = keras("layer");
    for def in exported() {
        let mut given = sample(&table, def.class_name).unwrap().clone();
        let policies =
            [given.get("dtype").cloned().unwrap_or_default(), json!("int4_from_float32")];
        for (rank, policy) in (1..=5).flat_map(|rank| policies.iter().map(move |p| (rank, p))) {
            given.insert("dtype".into(), policy.clone());
            if given.contains_key("pad_to_aspect_ratio") {
                given.insert("pad_to_aspect_ratio".into(), json!(rank % 2 == 0));
            }
            for dtype in [DType::String, DType::Complex64] {
                let spec = SymbolicSpec { shape: SymbolicShape(vec![Some(4); rank]), dtype };
                for arg in [Arg::Tensor(spec.clone()), Arg::from(vec![spec.clone(), spec])] {
                    let Ok(mut layer) = construct(def, given.clone()) else { continue };
                    let args = CallArgs::one(arg);
                    if layer.build(&args).is_ok() {
                        let graph = Graph::new();
                        let input = |spec: &SymbolicSpec| {
                            Ok(graph.input(Spec::new(spec.shape.filled(1), spec.dtype)))
                        };
                        let args = args.try_map(&mut { input }).unwrap();
                        let _ = Context::new(&graph, false).call(layer.as_ref(), &args);
                    }
                }
            }
        }
    }
}

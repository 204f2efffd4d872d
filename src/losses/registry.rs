//! The tables of losses: the only way from a name in a file to code.

use std::sync::Arc;

use serde_json::{Map, json};

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::layers::config::{Config, Json};
use crate::losses::cross_entropy::CROSS_ENTROPY;
use crate::losses::function::formula;
use crate::losses::hinge::HINGE;
use crate::losses::overlap::OVERLAP;
use crate::losses::regression::REGRESSION;
use crate::losses::sequence::SEQUENCE;
use crate::losses::{Function, FunctionDef, FunctionLoss, Loss};

/// What the table says of a class of `keras.losses`.
pub struct LossDef {
    /// The class in `keras.losses`.
    pub class_name: &'static str,
    /// The name of a loss that is given none.
    pub name: &'static str,
    /// The function that it wraps.
    pub function: &'static str,
    /// Those of the function's arguments that are the constructor's.
    pub arguments: &'static [&'static str],
}

const fn class(
    class_name: &'static str,
    name: &'static str,
    function: &'static str,
    arguments: &'static [&'static str],
) -> LossDef {
    LossDef { class_name, name, function, arguments }
}

/// Every loss class that wraps one function, in the order of Keras's documentation.
pub const LOSSES: &[LossDef] = &[
    class(
        "BinaryCrossentropy",
        "binary_crossentropy",
        "binary_crossentropy",
        &["from_logits", "label_smoothing", "axis"],
    ),
    class(
        "BinaryFocalCrossentropy",
        "binary_focal_crossentropy",
        "binary_focal_crossentropy",
        &["apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis"],
    ),
    class(
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        "categorical_crossentropy",
        &["from_logits", "label_smoothing", "axis"],
    ),
    class(
        "CategoricalFocalCrossentropy",
        "categorical_focal_crossentropy",
        "categorical_focal_crossentropy",
        &["alpha", "gamma", "from_logits", "label_smoothing", "axis"],
    ),
    class(
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        "sparse_categorical_crossentropy",
        &["from_logits", "ignore_class", "axis"],
    ),
    class(
        "CategoricalGeneralizedCrossEntropy",
        "categorical_generalized_cross_entropy",
        "categorical_generalized_cross_entropy",
        &["q"],
    ),
    class("KLDivergence", "kl_divergence", "kl_divergence", &[]),
    class("Poisson", "poisson", "poisson", &[]),
    class("Circle", "circle", "circle", &["gamma", "margin", "remove_diagonal"]),
    class("MeanSquaredError", "mean_squared_error", "mean_squared_error", &[]),
    class("MeanAbsoluteError", "mean_absolute_error", "mean_absolute_error", &[]),
    class(
        "MeanAbsolutePercentageError",
        "mean_absolute_percentage_error",
        "mean_absolute_percentage_error",
        &[],
    ),
    class(
        "MeanSquaredLogarithmicError",
        "mean_squared_logarithmic_error",
        "mean_squared_logarithmic_error",
        &[],
    ),
    class("CosineSimilarity", "cosine_similarity", "cosine_similarity", &["axis"]),
    class("Huber", "huber_loss", "huber", &["delta"]),
    class("LogCosh", "log_cosh", "log_cosh", &[]),
    class("Tversky", "tversky", "tversky", &["alpha", "beta", "axis"]),
    class("Dice", "dice", "dice", &["axis"]),
    class("CTC", "ctc", "ctc", &[]),
    class("Hinge", "hinge", "hinge", &[]),
    class("SquaredHinge", "squared_hinge", "squared_hinge", &[]),
    class("CategoricalHinge", "categorical_hinge", "categorical_hinge", &[]),
];

/// Short names of functions.
const ALIASES: &[(&str, &str)] = &[
    ("bce", "binary_crossentropy"),
    ("BCE", "binary_crossentropy"),
    ("kld", "kl_divergence"),
    ("KLD", "kl_divergence"),
    ("mae", "mean_absolute_error"),
    ("MAE", "mean_absolute_error"),
    ("mse", "mean_squared_error"),
    ("MSE", "mean_squared_error"),
    ("mape", "mean_absolute_percentage_error"),
    ("MAPE", "mean_absolute_percentage_error"),
    ("msle", "mean_squared_logarithmic_error"),
    ("MSLE", "mean_squared_logarithmic_error"),
];

/// What Keras leaves out of its table of names, though it has it.
const UNNAMED: &[&str] =
    &["CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy"];

const TABLES: &[&[FunctionDef]] = &[REGRESSION, HINGE, CROSS_ENTROPY, OVERLAP, SEQUENCE];

/// The function of this name.
pub fn function(name: &str) -> Option<&'static FunctionDef> {
    TABLES.iter().flat_map(|table| table.iter()).find(|def| def.name == name)
}

impl FunctionDef {
    /// The function with its default arguments; `owner` is for errors.
    ///
    /// # Errors
    /// If an argument has no default.
    pub fn with_defaults(&self, owner: &str) -> Result<Arc<dyn Function>> {
        (self.new)(&Config::new(owner.into(), Map::new(), (self.defaults)()))
    }
}

/// The loss that a name or a record stands for: what `compile` makes of it.
///
/// # Errors
/// If it names nothing of Keras, or its config is not one of that class.
pub fn get(identifier: &Json, owner: &str) -> Result<Arc<dyn Loss>> {
    match identifier {
        Json::String(name) => named(name, owner),
        Json::Object(record) => from_record(record, owner),
        other => Err(unknown(&other.to_string(), "", owner)),
    }
}

fn unknown(name: &str, module: &str, owner: &str) -> Error {
    Error::UnknownClass {
        kind: "loss",
        name: quote(name),
        module: quote(module),
        hint: format!("in {owner}; expected a name or a record of keras.losses"),
    }
}

fn named(name: &str, owner: &str) -> Result<Arc<dyn Loss>> {
    let allowed = |name: &str| !UNNAMED.contains(&name);
    if let Some(def) = LOSSES.iter().find(|def| def.class_name == name && allowed(name)) {
        return from_class(def, Map::new(), owner);
    }
    let function_name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, f)| f);
    let def = function(function_name).filter(|def| allowed(def.name));
    let def = def.ok_or_else(|| unknown(name, "", owner))?;
    Ok(Arc::new(FunctionLoss::new(name, def.with_defaults(owner)?)))
}

fn from_record(record: &Map<String, Json>, owner: &str) -> Result<Arc<dyn Loss>> {
    let text = |key: &str| record.get(key).and_then(Json::as_str).unwrap_or("");
    let (class_name, module) = (text("class_name"), text("module"));
    if class_name == "function" {
        let def = record_function(record).ok_or_else(|| unknown(text("config"), module, owner))?;
        return Ok(Arc::new(FunctionLoss::new(def.name, def.with_defaults(owner)?)));
    }
    let config = match record.get("config") {
        Some(Json::Object(config)) if is_keras(module) => config.clone(),
        None if is_keras(module) => Map::new(),
        _ => return Err(unknown(class_name, module, owner)),
    };
    if class_name == "LossFunctionWrapper" {
        return wrapper(config, owner);
    }
    let def = LOSSES.iter().find(|def| def.class_name == class_name);
    from_class(def.ok_or_else(|| unknown(class_name, module, owner))?, config, owner)
}

fn is_keras(module: &str) -> bool {
    module.is_empty() || module == "keras" || module.starts_with("keras.")
}

/// The function that a function record names.
fn record_function(record: &Map<String, Json>) -> Option<&'static FunctionDef> {
    let text = |key: &str| record.get(key).and_then(Json::as_str).unwrap_or("");
    let ours = text("module") == "builtins" || is_keras(text("module"));
    function(text("config")).filter(|_| ours && text("class_name") == "function")
}

fn from_class(def: &LossDef, config: Map<String, Json>, owner: &str) -> Result<Arc<dyn Loss>> {
    let missing = || Error::Internal(format!("loss {} wraps no function", def.class_name));
    let function = function(def.function).ok_or_else(missing)?;
    let owner = format!("{} in {owner}", def.class_name);
    let general = ["name", "reduction", "dtype"];
    let config = only(&owner, config, &[&general, def.arguments])?;
    let mut defaults = (function.defaults)();
    if def.class_name == "CategoricalGeneralizedCrossEntropy" {
        defaults["q"] = json!(0.5);
    }
    of_function(function, config, defaults, def.name, owner)
}

/// `LossFunctionWrapper`: the function under `fn`, with further keys as its arguments.
fn wrapper(mut config: Map<String, Json>, owner: &str) -> Result<Arc<dyn Loss>> {
    let owner = format!("LossFunctionWrapper in {owner}");
    let wrapped = config.remove("fn");
    if let Some(Json::Object(record)) = &wrapped
        && let Some(function) = batch_mean(record, &owner)?
    {
        let config = Config::new(owner, config, json!({ "reduction": "sum_over_batch_size" }));
        let loss = FunctionLoss::from_config(&config, "loss_function_wrapper", function)?;
        config.finish()?;
        return Ok(Arc::new(loss));
    }
    let def = match wrapped {
        Some(Json::Object(record)) => record_function(&record),
        Some(Json::String(name)) => function(&name),
        _ => None,
    };
    let def = def.ok_or_else(|| unknown("fn", "", &owner))?;
    of_function(def, config, (def.defaults)(), "loss_function_wrapper", owner)
}

/// What a metric in the place of a function gives, if it is the mean of a function that a loss of the same
/// class has. In a step of Keras on JAX such a metric starts anew: the mean is that of the batch.
fn batch_mean(record: &Map<String, Json>, owner: &str) -> Result<Option<Arc<dyn Function>>> {
    let text = |key: &str| record.get(key).and_then(Json::as_str).unwrap_or("");
    // The metric of this class has the other sign.
    let named =
        |def: &&LossDef| def.class_name == text("class_name") && def.name != "cosine_similarity";
    let def = LOSSES.iter().find(named).filter(|_| text("module") == "keras.metrics");
    let Some((def, wrapped)) = def.and_then(|def| Some((def, function(def.function)?))) else {
        return Ok(None);
    };
    let given = record.get("config").and_then(Json::as_object).cloned().unwrap_or_default();
    let owner = format!("{} in {owner}", def.class_name);
    let mut arguments = only(&owner, given, &[&["name", "dtype"], def.arguments])?;
    arguments.retain(|key, _| def.arguments.contains(&key.as_str()));
    let config = Config::new(owner, arguments, (wrapped.defaults)());
    let each = (wrapped.new)(&config)?;
    config.finish()?;
    Ok(Some(formula(move |y_true, y_pred| {
        let values = each.call(y_true, y_pred).values;
        values.mean(&(0..values.rank()).collect::<Vec<_>>())
    })))
}

fn of_function(
    def: &FunctionDef,
    config: Map<String, Json>,
    mut defaults: Json,
    name: &str,
    owner: String,
) -> Result<Arc<dyn Loss>> {
    defaults["reduction"] = json!("sum_over_batch_size");
    let config = Config::new(owner, config, defaults);
    let call = (def.new)(&config)?;
    let loss = FunctionLoss::from_config(&config, name, call)?;
    config.finish()?;
    Ok(Arc::new(loss))
}

/// A config that has no keys but these, which a class passes on to the function that it wraps.
pub(crate) fn only(
    owner: &str,
    config: Map<String, Json>,
    keys: &[&[&str]],
) -> Result<Map<String, Json>> {
    let allowed = |key: &str| keys.iter().any(|keys| keys.contains(&key));
    let (ours, others): (Map<_, _>, Map<_, _>) =
        config.into_iter().partition(|(key, _)| allowed(key));
    Config::new(owner.into(), others, Json::Null).finish().map(|()| ours)
}

//! The table of metrics: the only way from a name in a file to code.

use std::sync::Arc;

use serde_json::{Map, json};

use crate::base::error::quote;
use crate::base::naming::snake_case;
use crate::base::{Error, Result};
use crate::layers::config::{Config, Json};
use crate::losses::registry::only;
use crate::losses::{self, FunctionDef, function as loss_function};
use crate::metrics::accuracy::ACCURACY;
use crate::metrics::auc::Auc;
use crate::metrics::confusion::Condition;
use crate::metrics::correlation::{CORRELATION, SIMILARITY};
use crate::metrics::counts::{DecisionCount, PositiveShare};
use crate::metrics::f_score::FBetaScore;
use crate::metrics::iou::{IoU, Targets};
use crate::metrics::operating_point::{OperatingPoint, Share};
use crate::metrics::regression::{R2Score, RootMeanSquaredError};
use crate::metrics::{Direction, Mean, MeanLoss, MeanMetric, Metric, MetricBase, Sum};

/// What the table says of a class of `keras.metrics`.
pub struct MetricDef {
    /// The class in `keras.metrics`.
    pub class_name: &'static str,
    /// The name of a metric that is given none.
    pub name: &'static str,
    /// The constructor's defaults; null for those of the function that the metric wraps.
    pub defaults: fn() -> Json,
    make: Make,
}

/// How a metric is made.
enum Make {
    /// The mean of a function, of whose arguments these are the constructor's.
    MeanOf(&'static str, &'static [&'static str]),
    Own(New),
}

const fn mean_of(
    class_name: &'static str,
    name: &'static str,
    function: &'static str,
    arguments: &'static [&'static str],
) -> MetricDef {
    let make = Make::MeanOf(function, arguments);
    MetricDef { class_name, name, defaults: || Json::Null, make }
}

const fn own(
    class_name: &'static str,
    name: &'static str,
    defaults: fn() -> Json,
    new: New,
) -> MetricDef {
    MetricDef { class_name, name, defaults, make: Make::Own(new) }
}

/// Every metric class, in the order of Keras's documentation.
pub const METRICS: &[MetricDef] = &[
    own("Mean", "mean", || json!({}), |c| Ok(Box::new(Mean::from_config(c)?))),
    own("Sum", "sum", || json!({}), |c| Ok(Box::new(Sum::from_config(c)?))),
    mean_of("Accuracy", "accuracy", "accuracy", &[]),
    mean_of("BinaryAccuracy", "binary_accuracy", "binary_accuracy", &["threshold"]),
    mean_of("CategoricalAccuracy", "categorical_accuracy", "categorical_accuracy", &[]),
    mean_of(
        "SparseCategoricalAccuracy",
        "sparse_categorical_accuracy",
        "sparse_categorical_accuracy",
        &[],
    ),
    mean_of(
        "TopKCategoricalAccuracy",
        "top_k_categorical_accuracy",
        "top_k_categorical_accuracy",
        &["k"],
    ),
    mean_of(
        "SparseTopKCategoricalAccuracy",
        "sparse_top_k_categorical_accuracy",
        "sparse_top_k_categorical_accuracy",
        &["k", "from_sorted_ids"],
    ),
    mean_of(
        "BinaryCrossentropy",
        "binary_crossentropy",
        "binary_crossentropy",
        &["from_logits", "label_smoothing"],
    ),
    mean_of(
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        "categorical_crossentropy",
        &["from_logits", "label_smoothing", "axis"],
    ),
    mean_of(
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        "sparse_categorical_crossentropy",
        &["from_logits", "ignore_class", "axis"],
    ),
    mean_of("KLDivergence", "kl_divergence", "kl_divergence", &[]),
    mean_of("Poisson", "poisson", "poisson", &[]),
    mean_of("MeanSquaredError", "mean_squared_error", "mean_squared_error", &[]),
    own(
        "RootMeanSquaredError",
        "root_mean_squared_error",
        || json!({}),
        |c| Ok(Box::new(RootMeanSquaredError::from_config(c)?)),
    ),
    mean_of("MeanAbsoluteError", "mean_absolute_error", "mean_absolute_error", &[]),
    mean_of(
        "MeanAbsolutePercentageError",
        "mean_absolute_percentage_error",
        "mean_absolute_percentage_error",
        &[],
    ),
    mean_of(
        "MeanSquaredLogarithmicError",
        "mean_squared_logarithmic_error",
        "mean_squared_logarithmic_error",
        &[],
    ),
    mean_of("CosineSimilarity", "cosine_similarity", "cosine_similarity", &["axis"]),
    mean_of("LogCoshError", "logcosh", "log_cosh", &[]),
    own(
        "R2Score",
        "r2_score",
        || json!({ "class_aggregation": "uniform_average", "num_regressors": 0 }),
        |c| Ok(Box::new(R2Score::from_config(c)?)),
    ),
    mean_of("PearsonCorrelation", "pearson_correlation", "pearson_correlation", &["axis"]),
    mean_of(
        "ConcordanceCorrelation",
        "concordance_correlation",
        "concordance_correlation",
        &["axis"],
    ),
    mean_of("Hinge", "hinge", "hinge", &[]),
    mean_of("SquaredHinge", "squared_hinge", "squared_hinge", &[]),
    mean_of("CategoricalHinge", "categorical_hinge", "categorical_hinge", &[]),
    count("TruePositives", "true_positives", |c| decisions(c, Condition::TruePositives)),
    count("FalsePositives", "false_positives", |c| decisions(c, Condition::FalsePositives)),
    count("TrueNegatives", "true_negatives", |c| decisions(c, Condition::TrueNegatives)),
    count("FalseNegatives", "false_negatives", |c| decisions(c, Condition::FalseNegatives)),
    own(
        "Precision",
        "precision",
        || json!({}),
        |c| Ok(Box::new(PositiveShare::from_config(c, Condition::FalsePositives)?)),
    ),
    own(
        "Recall",
        "recall",
        || json!({}),
        |c| Ok(Box::new(PositiveShare::from_config(c, Condition::FalseNegatives)?)),
    ),
    at("SensitivityAtSpecificity", "sensitivity_at_specificity", |c| {
        operating_point(c, Share::Sensitivity, ("specificity", Share::Specificity))
    }),
    at("SpecificityAtSensitivity", "specificity_at_sensitivity", |c| {
        operating_point(c, Share::Specificity, ("sensitivity", Share::Sensitivity))
    }),
    at("PrecisionAtRecall", "precision_at_recall", |c| {
        operating_point(c, Share::Precision, ("recall", Share::Sensitivity))
    }),
    at("RecallAtPrecision", "recall_at_precision", |c| {
        operating_point(c, Share::Sensitivity, ("precision", Share::Precision))
    }),
    own(
        "AUC",
        "auc",
        || {
            json!({
                "num_thresholds": 200, "curve": "ROC", "summation_method": "interpolation",
                "multi_label": false, "from_logits": false,
            })
        },
        |c| Ok(Box::new(Auc::from_config(c)?)),
    ),
    own(
        "FBetaScore",
        "fbeta_score",
        || json!({ "beta": 1.0 }),
        |c| Ok(Box::new(FBetaScore::from_config(c)?)),
    ),
    own("F1Score", "f1_score", || json!({}), |c| Ok(Box::new(FBetaScore::with_beta(c, 1.0)?))),
    own("IoU", "io_u", sparse, |c| Ok(Box::new(IoU::from_config(c, Targets::Given)?))),
    own(
        "BinaryIoU",
        "binary_io_u",
        || json!({ "target_class_ids": [0, 1], "threshold": 0.5 }),
        |c| Ok(Box::new(IoU::binary(c)?)),
    ),
    own("MeanIoU", "mean_io_u", sparse, |c| Ok(Box::new(IoU::from_config(c, Targets::All)?))),
    own("OneHotIoU", "one_hot_io_u", one_hot, |c| Ok(Box::new(IoU::one_hot(c, Targets::Given)?))),
    own("OneHotMeanIoU", "one_hot_mean_io_u", one_hot, |c| {
        Ok(Box::new(IoU::one_hot(c, Targets::All)?))
    }),
];

type New = fn(&Config) -> Result<Box<dyn Metric>>;

const fn count(class_name: &'static str, name: &'static str, new: New) -> MetricDef {
    own(class_name, name, || json!({}), new)
}

fn decisions(config: &Config, condition: Condition) -> Result<Box<dyn Metric>> {
    Ok(Box::new(DecisionCount::from_config(config, condition)?))
}

const fn at(class_name: &'static str, name: &'static str, new: New) -> MetricDef {
    own(class_name, name, || json!({ "num_thresholds": 200 }), new)
}

fn operating_point(
    config: &Config,
    largest: Share,
    constrained: (&str, Share),
) -> Result<Box<dyn Metric>> {
    Ok(Box::new(OperatingPoint::from_config(config, largest, constrained)?))
}

fn sparse() -> Json {
    json!({ "sparse_y_true": true, "sparse_y_pred": true, "axis": -1 })
}

fn one_hot() -> Json {
    json!({ "sparse_y_pred": false, "axis": -1 })
}

/// Short names of classes.
const ALIASES: &[(&str, &str)] = &[
    ("bce", "BinaryCrossentropy"),
    ("BCE", "BinaryCrossentropy"),
    ("mse", "MeanSquaredError"),
    ("MSE", "MeanSquaredError"),
    ("mae", "MeanAbsoluteError"),
    ("MAE", "MeanAbsoluteError"),
    ("mape", "MeanAbsolutePercentageError"),
    ("MAPE", "MeanAbsolutePercentageError"),
    ("msle", "MeanSquaredLogarithmicError"),
    ("MSLE", "MeanSquaredLogarithmicError"),
];

/// A function of `keras.metrics` or `keras.losses`.
fn function(name: &str) -> Option<&'static FunctionDef> {
    let mut ours = ACCURACY.iter().chain(CORRELATION);
    ours.find(|def| def.name == name).or_else(|| loss_function(name))
}

/// The function that a class of `keras.metrics` wraps.
fn class_function(name: &str) -> Option<&'static FunctionDef> {
    SIMILARITY.iter().find(|def| def.name == name).or_else(|| function(name))
}

/// The metric that a name or a record stands for: what `compile` makes of it, but for `"accuracy"`,
/// which here is the class of that name.
///
/// # Errors
/// If it names nothing of Keras, or its config is not one of that class.
pub fn get(identifier: &Json, owner: &str) -> Result<Box<dyn Metric>> {
    match identifier {
        Json::String(name) => named(name, owner),
        Json::Object(record) => from_record(record, owner),
        other => Err(unknown(&other.to_string(), "", owner)),
    }
}

fn unknown(name: &str, module: &str, owner: &str) -> Error {
    Error::UnknownClass {
        kind: "metric",
        name: quote(name),
        module: quote(module),
        hint: format!("in {owner}; expected a name or a record of keras.metrics"),
    }
}

fn named(name: &str, owner: &str) -> Result<Box<dyn Metric>> {
    let class = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, class)| class);
    let is = |def: &&MetricDef| def.class_name == class || snake_case(def.class_name) == class;
    let def = METRICS.iter().find(is).ok_or_else(|| unknown(name, "", owner))?;
    let mut metric = from_class(def, Map::new(), owner)?;
    metric.base_mut().name = name.into();
    Ok(metric)
}

fn from_record(record: &Map<String, Json>, owner: &str) -> Result<Box<dyn Metric>> {
    let text = |key: &str| record.get(key).and_then(Json::as_str).unwrap_or("");
    let (class_name, module) = (text("class_name"), text("module"));
    if class_name == "function" {
        let def = record_function(record).ok_or_else(|| unknown(text("config"), module, owner))?;
        let mut metric = MeanMetric::new(def.name, def.with_defaults(owner)?)?;
        metric.base_mut().direction = direction_of(def);
        return Ok(Box::new(metric));
    }
    if is_loss(record) {
        return Ok(Box::new(MeanLoss::new(losses::get(&record.clone().into(), owner)?)?));
    }
    let config = match record.get("config") {
        Some(Json::Object(config)) if is_keras(module) => config.clone(),
        None if is_keras(module) => Map::new(),
        _ => return Err(unknown(class_name, module, owner)),
    };
    if class_name == "MeanMetricWrapper" {
        return wrapper(config, owner);
    }
    let def = METRICS.iter().find(|def| def.class_name == class_name);
    from_class(def.ok_or_else(|| unknown(class_name, module, owner))?, config, owner)
}

fn is_keras(module: &str) -> bool {
    module.is_empty() || module == "keras" || module.starts_with("keras.")
}

/// Whether a record is of a loss, some of which are called as metrics are.
fn is_loss(record: &Map<String, Json>) -> bool {
    let text = |key: &str| record.get(key).and_then(Json::as_str).unwrap_or("");
    text("module").starts_with("keras.losses") || text("module").starts_with("keras.src.losses")
}

fn record_function(record: &Map<String, Json>) -> Option<&'static FunctionDef> {
    let text = |key: &str| record.get(key).and_then(Json::as_str).unwrap_or("");
    let ours = text("module") == "builtins" || is_keras(text("module"));
    function(text("config")).filter(|_| ours && text("class_name") == "function")
}

fn from_class(def: &MetricDef, config: Map<String, Json>, owner: &str) -> Result<Box<dyn Metric>> {
    let owner = format!("{} in {owner}", def.class_name);
    let mut metric = make(def, config, owner)?;
    metric.base_mut().direction = Direction::of_class(def.class_name);
    Ok(metric)
}

fn make(def: &MetricDef, config: Map<String, Json>, owner: String) -> Result<Box<dyn Metric>> {
    match def.make {
        Make::Own(new) => {
            let config = Config::new(owner, config, (def.defaults)());
            let mut metric = new(&config)?;
            if config.is_null("name") {
                metric.base_mut().name = def.name.into();
            }
            config.finish()?;
            Ok(metric)
        }
        Make::MeanOf(name, arguments) => {
            let missing =
                || Error::Internal(format!("metric {} wraps no function", def.class_name));
            let function = class_function(name).ok_or_else(missing)?;
            let config = only(&owner, config, &[&["name", "dtype"], arguments])?;
            mean_metric(function, config, def.name, owner)
        }
    }
}

/// `MeanMetricWrapper`: the function under `fn`, with further keys as its arguments.
fn wrapper(mut config: Map<String, Json>, owner: &str) -> Result<Box<dyn Metric>> {
    let owner = format!("MeanMetricWrapper in {owner}");
    let def = match config.remove("fn") {
        Some(Json::Object(record)) if is_loss(&record) => {
            let config = Config::new(owner.clone(), config, Json::Null);
            let base = MetricBase::new(&config, "mean_metric_wrapper")?;
            config.finish()?;
            return Ok(Box::new(MeanLoss::with_base(base, losses::get(&record.into(), &owner)?)?));
        }
        Some(Json::Object(record)) => record_function(&record),
        Some(Json::String(name)) => function(&name),
        _ => None,
    };
    let def = def.ok_or_else(|| unknown("fn", "", &owner))?;
    let mut metric = mean_metric(def, config, "mean_metric_wrapper", owner)?;
    metric.base_mut().direction = direction_of(def);
    Ok(metric)
}

/// The mean of a loss is better when it is smaller; Keras knows nothing of other functions.
fn direction_of(function: &FunctionDef) -> Option<Direction> {
    loss_function(function.name).map(|_| Direction::Down)
}

fn mean_metric(
    def: &FunctionDef,
    config: Map<String, Json>,
    name: &str,
    owner: String,
) -> Result<Box<dyn Metric>> {
    let config = Config::new(owner, config, (def.defaults)());
    let function: Arc<_> = (def.new)(&config)?;
    let metric = MeanMetric::with_base(MetricBase::new(&config, name)?, function)?;
    config.finish()?;
    Ok(Box::new(metric))
}

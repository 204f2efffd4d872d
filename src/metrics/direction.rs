//! Whether a metric is better when it is larger.

/// Where a metric goes when a model gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It grows, as an accuracy does.
    Up,
    /// It falls, as an error does.
    Down,
}

const UP: &[&str] = &[
    "Accuracy",
    "AUC",
    "BinaryAccuracy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "IoU",
    "MeanIoU",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "TopKCategoricalAccuracy",
];

const DOWN: &[&str] = &[
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "RootMeanSquaredError",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
];

impl Direction {
    /// The direction of a class, where Keras knows one: counts and plain means have none.
    pub fn of_class(class_name: &str) -> Option<Direction> {
        match class_name {
            up if UP.contains(&up) => Some(Direction::Up),
            down if DOWN.contains(&down) => Some(Direction::Down),
            _ => None,
        }
    }
}

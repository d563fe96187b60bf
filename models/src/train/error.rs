//! Why there is no model.

use super::{Algorithm, FOLDS_MAX, FitError, LEVELS_MAX, PARITY, ParameterError, ROWS_MIN};
use crate::{TableError, manifest::ManifestError, scorer::Decline};

/// Why there is no model. The settings' fault or the data's, but for the last four.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A name or a version that a manifest cannot have.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A hyper-parameter that is not accepted.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Hyper-parameters without an algorithm.
    #[error(
        "train: hyper-parameters belong to one algorithm; choose it, or leave them out to try all algorithms with their defaults"
    )]
    ParametersForAll,
    /// Fewer rows than [`ROWS_MIN`].
    #[error("train: {rows} rows are too few, at least {ROWS_MIN} are needed")]
    TooFewRows {
        /// How many there are.
        rows: usize,
    },
    /// A number of folds that the rows do not allow.
    #[error(
        "train: {folds} folds do not fit {rows} rows; choose 2 to {most} (at least two rows a fold, at most {FOLDS_MAX} folds)"
    )]
    Folds {
        /// How many were asked for.
        folds: usize,
        /// How many rows there are.
        rows: usize,
        /// How many folds there may be.
        most: usize,
    },
    /// No such column.
    #[error("train: no column is named `{target}`{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    NoTarget {
        /// The name.
        target: String,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// A target that is not numbers.
    #[error("train: the target `{target}` must be numeric{}", value.as_ref().map(|(value, line)| format!(", but line {line} has `{value}`")).unwrap_or_default())]
    TargetNotNumeric {
        /// The column.
        target: String,
        /// The first value that is not a number, and its line.
        value: Option<(String, u64)>,
    },
    /// A target with gaps.
    #[error(
        "train: the target `{target}` is missing in {count} rows, first on line {line}; take these rows out"
    )]
    TargetMissing {
        /// The column.
        target: String,
        /// How many rows.
        count: usize,
        /// The line of the first.
        line: u64,
    },
    /// Nothing to learn from.
    #[error("train: there is no column besides the target `{target}`")]
    NoFeatures {
        /// The target.
        target: String,
    },
    /// A feature without values.
    #[error("train: `{feature}` has no values at all; ignore the column")]
    EmptyFeature {
        /// The feature.
        feature: String,
    },
    /// A feature with gaps where gaps are refused.
    #[error(
        "train: `{feature}` is missing on line {line}; choose what stands in for missing values, or ignore the column"
    )]
    MissingRefused {
        /// The feature.
        feature: String,
        /// The line.
        line: u64,
    },
    /// A category with more levels than [`LEVELS_MAX`].
    #[error(
        "train: `{feature}` has {levels} levels, more than {LEVELS_MAX}{}; ignore the column or group its levels",
        text(value)
    )]
    TooManyLevels {
        /// The feature.
        feature: String,
        /// How many levels.
        levels: usize,
        /// The first value that is not a number, and its line.
        value: Option<(String, u64)>,
    },
    /// A category in which nearly every row has a level of its own.
    #[error(
        "train: `{feature}` has {levels} levels in {rows} rows, like an identifier{}; ignore the column, or say that it is categorical",
        text(value)
    )]
    Identifier {
        /// The feature.
        feature: String,
        /// How many levels.
        levels: usize,
        /// How many rows have one.
        rows: usize,
        /// The first value that is not a number, and its line.
        value: Option<(String, u64)>,
    },
    /// A number that counts the rows.
    #[error(
        "train: `{feature}` counts the rows and would not mean anything for a new one; ignore the column, or say that it is numeric"
    )]
    RowNumber {
        /// The feature.
        feature: String,
    },
    /// The algorithm did not learn.
    #[error("train {algorithm}")]
    Fit {
        /// The algorithm.
        algorithm: Algorithm,
        /// Why.
        #[source]
        source: FitError,
    },
    /// No algorithm learned.
    #[error("train: none of the algorithms learned from this data; the first one says: {first}")]
    NoneLearned {
        /// Why the first one did not.
        first: String,
    },
    /// The tables do not say what the learner says.
    #[error(
        "train: the model was learned but its tables are wrong (a fault of this program): on line {line} smartcore predicts {learner}, the tables {tables}, further apart than {PARITY:e}"
    )]
    Parity {
        /// The row, from 0.
        row: usize,
        /// Its line.
        line: u64,
        /// The learner's prediction.
        learner: f64,
        /// The tables' prediction.
        tables: f64,
    },
    /// Tables that break their own rules.
    #[error(
        "train: the model was learned but its tables are refused (a fault of this program, or numbers too large)"
    )]
    Tables(#[from] TableError),
    /// A training row that the model declines.
    #[error("train: the model declines a row that it learned from: {}", .0.message)]
    Declined(Decline),
}

impl From<Decline> for TrainError {
    fn from(decline: Decline) -> Self {
        Self::Declined(decline)
    }
}

fn text(value: &Option<(String, u64)>) -> String {
    value
        .as_ref()
        .map(|(value, line)| format!(" (it is text because line {line} has `{value}`)"))
        .unwrap_or_default()
}

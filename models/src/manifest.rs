//! The manifest: what a model package says about itself, as JSON in a custom section of the component.
//!
//! Readers ignore keys that they do not know; a change that an old reader would misread gets a new `format`.

pub mod check;
pub mod distribution;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::schema::Feature;

pub use check::ManifestError;

/// The custom section of a package that holds the manifest.
pub const MANIFEST_SECTION: &str = "outpost:manifest";
/// The form of the manifest that this code writes.
pub const MANIFEST_FORMAT: u32 = 1;

/// What a model package says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this manifest, [`MANIFEST_FORMAT`].
    pub format: u32,
    /// The model's name, also the default id of a deployment of it. Lower-case letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// The model's version, free text without spaces.
    pub version: String,
    /// `regression`.
    pub prediction_type: String,
    /// The column that the model predicts.
    pub target: String,
    /// The inputs in the order of the batch's columns.
    pub features: Vec<Feature>,
    /// The training data as histograms, for drift.
    pub baseline: Baseline,
    /// Scores by name: `cv_r2`, `cv_rmse`, `cv_mae`, `training_r2`, ... A score that does not exist (R2 of a constant
    /// target) is left out.
    pub metrics: BTreeMap<String, f64>,
    /// Rows whose predictions the package must reproduce bit for bit.
    pub golden: Vec<Golden>,
    /// Where the model comes from.
    pub provenance: Provenance,
}

/// The training data as histograms, for drift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Rows of training data.
    pub rows: u64,
    /// One for each feature, in the order of the features.
    pub features: Vec<Distribution>,
    /// The target's values in the training data.
    pub target: Distribution,
    /// The model's own predictions on the training data.
    pub predictions: Distribution,
    /// How much the model depends on each feature, 0 to 1, in the order of the features; empty where nobody measured it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub importance: Vec<f64>,
}

/// How the values of one column were distributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Of numbers.
    Numeric {
        /// Missing values.
        missing: u64,
        /// Smallest and largest value; 0 when every value is missing.
        min: f64,
        /// See `min`.
        max: f64,
        /// Mean of the values that are there.
        mean: f64,
        /// Standard deviation (divided by n) of the values that are there.
        std: f64,
        /// Counts in equal steps from `min` to `max`; a value on an edge belongs to the bin above it, `max` to
        /// the last. Ten bins, or one when `min` equals `max`.
        counts: Vec<u64>,
    },
    /// Of levels.
    Categorical {
        /// Missing values.
        missing: u64,
        /// The most frequent levels with their counts, at most 25, most frequent first, ties by name.
        levels: Vec<(String, u64)>,
        /// Values in levels that are not listed.
        other: u64,
    },
}

/// A row whose prediction the package must reproduce bit for bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// One value for each feature, as it crosses into the model: numbers, level codes, `null` for missing.
    pub row: Vec<Option<f64>>,
    /// The model's prediction.
    pub prediction: f64,
}

/// Where a model comes from. No times and no places: the same data, settings and seed make the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// `csv` for a trained model.
    pub source: String,
    /// SHA-256 of the training data's bytes, in hex.
    pub data_sha256: String,
    /// Rows of training data.
    pub data_rows: u64,
    /// What learned: `ridge`, `random-forest`, ...
    pub algorithm: String,
    /// Hyper-parameters by scikit-learn's names, as given or defaulted.
    pub parameters: BTreeMap<String, String>,
    /// Seed of everything random.
    pub seed: u64,
    /// Tools and their versions: `outpost`, `smartcore`.
    pub tools: BTreeMap<String, String>,
}

//! The schema of a row: which features a model takes, of what kind, and what it does with a value that is
//! missing or a level that it has never seen.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// What stands for a missing value in a file of rows.
pub const MISSING: [&str; 9] = ["", "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "Null"];
/// The code by which an unknown level crosses into a model (`wit/world.wit`, batch).
pub const UNKNOWN_LEVEL: f64 = -1.0;

/// One input of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The name by which rows bind.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// What happens to a missing value.
    pub missing: Missing,
    /// What happens to a level that `kind` does not list. Of no meaning for numbers.
    pub unknown: Unknown,
}

/// What the values of a feature are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Finite 64-bit floats.
    Numeric,
    /// One of these levels; a level's code is its place in the list.
    Categorical(Vec<String>),
}

/// What a model does with a missing value (NaN in a batch).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Declines the batch and names the row and the feature.
    Refuse,
    /// Takes this number, or the level with this code, in its place.
    Replace(f64),
    /// Takes the value as missing: each node of a tree says where it goes, and no level of a category matches.
    Keep,
}

/// What a model does with a level that it does not know (any code that is not the place of a level).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// Declines the batch and names the row and the feature.
    Refuse,
    /// Treats the value as missing.
    Missing,
    /// Treats the value as a level of its own that matches none of the known ones.
    Other,
}

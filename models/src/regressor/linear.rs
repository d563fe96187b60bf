//! A weighted sum of the columns: `(x0*w0 + x1*w1 + ...) + intercept`, in this order.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::lanes;
use crate::model::{
    TableError,
    validate::{Shape, broken, finite},
};

/// A weighted sum of the columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// One weight a column.
    pub weights: Vec<f64>,
    /// What is added at the end.
    pub intercept: f64,
}

impl Linear {
    pub(crate) fn validate(&self, shape: &Shape<'_>) -> Result<(), TableError> {
        if self.weights.len() != shape.columns.len() {
            return Err(broken(
                "weights",
                self.weights.len(),
                "is where the weights end: there must be one for each column",
            ));
        }
        finite("weights", &self.weights)?;
        finite("intercept", &[self.intercept])
    }

    /// Appends one prediction for each row of `block`, which holds `rows` rows.
    pub(crate) fn score(&self, rows: usize, block: &[f64], out: &mut Vec<f64>) {
        if self.weights.is_empty() {
            out.extend((0..rows).map(|_| self.intercept));
            return;
        }
        lanes::sums(
            block,
            &self.weights,
            |x, weight| x * weight,
            |sums| out.extend(sums.iter().map(|sum| sum + self.intercept)),
        );
    }
}

/// The sum of products, from the first to the last, for training.
#[cfg(feature = "train")]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    lanes::sum(a, b, |a, b| a * b)
}

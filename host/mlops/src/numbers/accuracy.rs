//! How near predictions came to what happened: sums that a row can enter and leave, and the metrics that they give.
//!
//! A row that a metric cannot take (no percentage of zero, no logarithm of a negative number) is left out of that metric
//! alone; every metric says how many rows it used, and why it has no value when it has none.

mod binary;
mod classes;
mod metric;
mod multiclass;
mod regression;
mod scores;

use serde::{Deserialize, Serialize};

pub use binary::Binary;
pub use classes::class_of;
pub use metric::{Method, Metric, Reason};
pub use multiclass::{CLASSES_WITH_SCORES, Multiclass};
pub use regression::{Regression, TWEEDIE_POWER};
pub use scores::{GRID, SCORES_KEPT, Scores};

/// The largest predictions and actuals that are counted: sums of squares of larger ones could come to an end.
pub const LARGEST: f64 = 1e140;
/// A probability from which on the positive class is predicted, unless a package says another.
pub const THRESHOLD: f64 = 0.5;

/// What a deployment predicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A number.
    Regression,
    /// One of two classes.
    Binary {
        /// The negative and the positive class, in scikit-learn's order.
        classes: [String; 2],
        /// The probability from which on the positive class is predicted.
        threshold: f64,
    },
    /// One of several classes.
    Multiclass {
        /// The classes.
        classes: Vec<String>,
    },
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Actual {
    /// A number, of a regression.
    Number(f64),
    /// The place of a class in the target's list.
    Class(usize),
}

/// A prediction and what happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<'a> {
    /// Of a regression the number; of a classification the probabilities in the order of the target's classes. Of two
    /// classes the last one counts, so that the positive class alone will do.
    pub prediction: &'a [f64],
    /// What happened.
    pub actual: Actual,
}

/// The outcomes of one group in one hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Sums {
    /// Of numbers.
    Regression(Box<Regression>),
    /// Of two classes.
    Binary(Binary),
    /// Of several classes.
    Multiclass(Multiclass),
}

impl Sums {
    /// Of nothing yet.
    #[must_use]
    pub fn new(target: &Target) -> Self {
        match target {
            Target::Regression => Self::Regression(Box::default()),
            Target::Binary { threshold, .. } => Self::Binary(Binary::new(*threshold)),
            Target::Multiclass { classes } => Self::Multiclass(Multiclass::new(classes.len())),
        }
    }

    /// Adds an outcome. One that cannot be counted at all (not finite, no such class) is counted as unusable.
    pub fn add(&mut self, outcome: &Outcome<'_>) {
        self.count(outcome, true);
    }

    /// Takes away an outcome that was added.
    pub fn remove(&mut self, outcome: &Outcome<'_>) {
        self.count(outcome, false);
    }

    fn count(&mut self, outcome: &Outcome<'_>, enters: bool) {
        match self {
            Self::Regression(sums) => sums.count(outcome, enters),
            Self::Binary(sums) => sums.count(outcome, enters),
            Self::Multiclass(sums) => sums.count(outcome, enters),
        }
    }

    /// Adds other sums of the same target; of another target they are left out.
    pub fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Regression(ours), Self::Regression(theirs)) => ours.merge(theirs),
            (Self::Binary(ours), Self::Binary(theirs)) => ours.merge(theirs),
            (Self::Multiclass(ours), Self::Multiclass(theirs)) => ours.merge(theirs),
            _other_targets => {}
        }
    }

    /// Rows that were counted.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match self {
            Self::Regression(sums) => sums.rows(),
            Self::Binary(sums) => sums.rows(),
            Self::Multiclass(sums) => sums.rows(),
        }
    }

    /// Rows that could not be counted: a number that is not finite or beyond [`LARGEST`], no probability, no such class.
    #[must_use]
    pub fn unusable(&self) -> u64 {
        match self {
            Self::Regression(sums) => sums.unusable,
            Self::Binary(sums) => sums.unusable,
            Self::Multiclass(sums) => sums.unusable,
        }
    }

    /// The mean of the actuals, where they are numbers.
    #[must_use]
    pub fn mean_actual(&self) -> Option<f64> {
        match self {
            Self::Regression(sums) => sums.mean_actual(),
            Self::Binary(_) | Self::Multiclass(_) => None,
        }
    }

    /// The metrics, in the order in which they are shown.
    #[must_use]
    pub fn report(&self) -> Vec<Metric> {
        match self {
            Self::Regression(sums) => sums.report(),
            Self::Binary(sums) => sums.report(),
            Self::Multiclass(sums) => sums.report(),
        }
    }
}

/// One more, or one fewer.
fn step(count: &mut u64, enters: bool) {
    *count = if enters { count.saturating_add(1) } else { count.saturating_sub(1) };
}

#[cfg(test)]
mod tests;

//! Accuracy: sums over pairs of prediction and actual, from which every metric of a window follows.
//!
//! A pair that a metric cannot take (an actual of 0 for MAPE) is left out of that metric alone, and counted there.

mod binary;
mod multiclass;
mod regression;
mod scores;

use serde::{Deserialize, Serialize};

pub use binary::Binary;
pub use multiclass::Multiclass;
pub use regression::Regression;
pub use scores::{AUC_CLASSES, EXACT_SCORES};

/// The probability from which on a row is predicted positive.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// What a deployment predicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// A number.
    Regression,
    /// The probability of one of two classes.
    Binary {
        /// The class names in the order of the probabilities.
        classes: [String; 2],
        /// Which of the two is the positive one, 0 or 1.
        positive: usize,
        /// The probability of the positive class from which on (`>=`) a row is predicted positive.
        threshold: f64,
    },
    /// The probabilities of several classes.
    Multiclass {
        /// The class names in the order of the probabilities.
        classes: Vec<String>,
    },
}

/// A row's prediction with what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// Regression: the number. Binary: both probabilities, or the positive class's alone. Multiclass: all.
    pub prediction: &'a [f64],
    /// What came of it.
    pub actual: Actual<'a>,
}

/// What came of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Actual<'a> {
    /// A number. Of a binary target 1 is the positive class and 0 the other, unless classes are named by numbers.
    Number(f64),
    /// The name of a class.
    Class(&'a str),
}

/// Why a pair was not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Not as many numbers as the target has.
    #[error("the prediction has {found} numbers, the target has {expected}")]
    Width {
        /// Numbers of the prediction.
        found: usize,
        /// Numbers that belong there.
        expected: usize,
    },
    /// NaN or infinite.
    #[error("the prediction {0} is not a finite number")]
    Prediction(f64),
    /// Outside 0 to 1.
    #[error("the prediction {0} is not a probability between 0 and 1")]
    Probability(f64),
    /// Not a finite number where one is needed.
    #[error("the actual `{0}` is not a finite number")]
    Actual(String),
    /// Not a class of the target.
    #[error("the actual `{0}` is none of the target's classes")]
    Class(String),
    /// Sums of one target met a pair or sums of another.
    #[error("these sums are of another prediction type or have other classes")]
    Target,
}

/// A metric over all pairs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its name as the service shows it (`RMSE`, `FVE Poisson`).
    pub name: &'static str,
    /// The class that it is about, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The value, or why there is none.
    pub value: Result<f64, Reason>,
    /// Pairs that went into it.
    pub rows: u64,
    /// Pairs that it cannot take.
    pub left_out: u64,
    /// How exact it is.
    pub method: Method,
}

/// How exact a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// To the rounding of doubles.
    Exact,
    /// Scores were rounded to a grid, because there are too many different ones.
    Grid,
    /// A median from counts, within 1 %.
    Sketch,
}

/// Why a metric has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// No pair, or none that it can take.
    #[error("no row that this metric can take")]
    NoRows,
    /// One pair is too few.
    #[error("needs at least two rows")]
    OneRow,
    /// All actuals are the same (R squared, FVE).
    #[error("the actuals do not vary")]
    Constant,
    /// All actuals are of one class (AUC, KS).
    #[error("all actuals are of one class")]
    OneClass,
    /// Nothing was predicted to be, or was, of the class (PPV, TPR).
    #[error("a count that it divides by is 0")]
    NothingToCount,
    /// More classes than [`AUC_CLASSES`].
    #[error("too many classes for this metric")]
    TooManyClasses,
    /// The sums left the range of doubles.
    #[error("the values are too large")]
    TooLarge,
}

/// The sums of a deployment's pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Sums {
    /// Of numbers.
    Regression(Box<Regression>),
    /// Of two classes.
    Binary(Box<Binary>),
    /// Of several classes.
    Multiclass(Box<Multiclass>),
}

impl Sums {
    /// No pairs yet.
    #[must_use]
    pub fn new(target: &Target) -> Self {
        match target {
            Target::Regression => Self::Regression(Box::default()),
            Target::Binary { .. } => Self::Binary(Box::default()),
            Target::Multiclass { classes } => {
                Self::Multiclass(Box::new(Multiclass::new(classes.len())))
            }
        }
    }

    /// Takes a pair.
    ///
    /// # Errors
    ///
    /// When it does not fit the target; the sums are as before.
    pub fn add(&mut self, target: &Target, outcome: &Outcome<'_>) -> Result<(), Unfit> {
        self.change(target, outcome, false)
    }

    /// Takes back a pair that was taken.
    ///
    /// # Errors
    ///
    /// When it does not fit the target; the sums are as before.
    pub fn remove(&mut self, target: &Target, outcome: &Outcome<'_>) -> Result<(), Unfit> {
        self.change(target, outcome, true)
    }

    /// Takes everything of another.
    ///
    /// # Errors
    ///
    /// When it is of another target; the sums are as before.
    pub fn merge(&mut self, other: &Self) -> Result<(), Unfit> {
        match (self, other) {
            (Self::Regression(these), Self::Regression(those)) => these.merge(those),
            (Self::Binary(these), Self::Binary(those)) => these.merge(those),
            (Self::Multiclass(these), Self::Multiclass(those)) => return these.merge(those),
            _ => return Err(Unfit::Target),
        }
        Ok(())
    }

    /// Pairs taken.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match self {
            Self::Regression(sums) => sums.rows(),
            Self::Binary(sums) => sums.rows(),
            Self::Multiclass(sums) => sums.rows(),
        }
    }

    /// Every metric of this prediction type.
    #[must_use]
    pub fn metrics(&self, target: &Target) -> Vec<Metric> {
        match (self, target) {
            (Self::Regression(sums), _) => sums.metrics(),
            (Self::Binary(sums), _) => sums.metrics(),
            (Self::Multiclass(sums), Target::Multiclass { classes }) => sums.metrics(classes),
            (Self::Multiclass(sums), _) => sums.metrics(&[]),
        }
    }

    fn change(&mut self, _: &Target, _: &Outcome<'_>, _: bool) -> Result<(), Unfit> {
        Ok(())
    }
}

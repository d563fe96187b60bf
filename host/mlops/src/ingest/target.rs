//! What a deployment predicts, in the terms of the accuracy sums.

use crate::numbers::accuracy::{Actual, Outcome, Target};

/// The classes; none for a regression.
pub(super) fn classes(target: &Target) -> &[String] {
    match target {
        Target::Regression => &[],
        Target::Binary { classes, .. } => classes,
        Target::Multiclass { classes } => classes,
    }
}

/// A prediction and what came true: a number, or the place of a class.
pub(super) fn outcome(prediction: &[f64], actual: f64) -> Outcome<'_> {
    let actual =
        if prediction.len() == 1 { Actual::Number(actual) } else { Actual::Class(actual as usize) };
    Outcome { prediction, actual }
}

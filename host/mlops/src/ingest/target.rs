//! What a deployment predicts, in the terms of the accuracy sums.

use std::borrow::Cow;

use record::wire::rest::read::Fault;

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

/// Where each of the deployment's classes is among an entry's, which has them in its own order; in the package's when it
/// names none: there the positive one of two is the first.
pub(super) fn order(names: &[Cow<'_, str>], classes: &[String]) -> Result<Vec<usize>, Fault> {
    match (names.len(), classes.len()) {
        (0, 2) => return Ok(vec![1, 0]),
        (0, several) => return Ok((0..several).collect()),
        _named => {}
    }
    let place = |class: &String| names.iter().position(|name| *name == **class);
    let places: Option<Vec<usize>> = classes.iter().map(place).collect();
    places
        .filter(|_| names.len() == classes.len())
        .ok_or_else(|| Fault::new("classNames", "must be the classes of the deployment"))
}

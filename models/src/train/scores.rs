//! How good predictions are.

/// How good predictions are against what was there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Share of the target's variance that is explained; none where the target does not vary.
    pub r2: Option<f64>,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
}

/// A mean over folds with the standard deviation (divided by the number of folds) around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub std: f64,
}

impl Scores {
    /// Of predictions against what was there, pair by pair; there is at least one pair.
    pub(super) fn of(actual: &[f64], predicted: &[f64]) -> Self {
        let count = actual.len() as f64;
        let errors = || actual.iter().zip(predicted).map(|(actual, predicted)| actual - predicted);
        let mean = actual.iter().sum::<f64>() / count;
        let squares = errors().map(|error| error * error).sum::<f64>();
        let variation = actual.iter().map(|actual| (actual - mean) * (actual - mean)).sum::<f64>();
        Self {
            // Asked of the values themselves: their mean may be a rounding away from a constant.
            r2: actual.windows(2).any(|pair| pair[0] != pair[1]).then(|| 1.0 - squares / variation),
            rmse: (squares / count).sqrt(),
            mae: errors().map(f64::abs).sum::<f64>() / count,
        }
    }
}

impl Spread {
    /// Of values; none if there are none.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance =
            values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
        (!values.is_empty()).then(|| Self { mean, std: variance.sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_what_the_formulas_say() {
        // Errors 1, -1, 2 around a mean of 4: squares 6, variation 8.
        let scores = Scores::of(&[2.0, 4.0, 6.0], &[1.0, 5.0, 4.0]);
        assert_eq!(scores.r2, Some(0.25));
        assert!((scores.rmse - 2f64.sqrt()).abs() < 1e-15);
        assert!((scores.mae - 4.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn a_constant_target_has_no_r2() {
        assert_eq!(Scores::of(&[3.0, 3.0], &[3.0, 4.0]).r2, None);
        assert_eq!(Spread::of(&[]), None);
    }
}

//! The metrics of predicted numbers.
//!
//! The deviances of the predictions are summed row by row, in a form that does not cancel. The deviance of the mean, which
//! the fractions of explained variance need, comes from sums of y ln y, ln y and the root of y, kept exactly of terms with 106 bits: there
//! it does cancel, and what is left is still good to 1e-12.

use serde::{Deserialize, Serialize};

use super::metric::{Metric, Reason};
use super::{Actual, LARGEST, Outcome, step};
use crate::numbers::Sum;
use crate::numbers::double::Double;

/// The power of the Tweedie deviance: between counts (1) and amounts (2).
pub const TWEEDIE_POWER: f64 = 1.5;

/// Sums over the rows that a metric can take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Part {
    rows: u64,
    sum: Sum,
}

impl Part {
    fn count(&mut self, x: f64, enters: bool) {
        step(&mut self.rows, enters);
        count(&mut self.sum, Double::from(x), enters);
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.sum.merge(&other.sum);
    }

    fn mean(&self) -> f64 {
        self.sum.value() / self.rows as f64
    }
}

/// A deviance: of the predictions, and what the deviance of the mean is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Deviance {
    part: Part,
    actuals: Sum,
    transformed: Sum,
}

impl Deviance {
    fn count(&mut self, deviance: f64, actual: f64, transformed: Double, enters: bool) {
        self.part.count(deviance, enters);
        count(&mut self.actuals, Double::from(actual), enters);
        count(&mut self.transformed, transformed, enters);
    }

    fn merge(&mut self, other: &Self) {
        self.part.merge(&other.part);
        self.actuals.merge(&other.actuals);
        self.transformed.merge(&other.transformed);
    }

    /// The share of the mean's deviance that the predictions explain. `of_mean` gets the number of rows, the mean, and
    /// the sum of the transformed actuals.
    fn explained(&self, of_mean: impl Fn(Double, Double, Double) -> Double) -> Result<f64, Reason> {
        let rows = Double::from(self.part.rows);
        let mean = self.actuals.double() / rows;
        if self.part.rows == 0 {
            return Err(Reason::NoRowsInDomain);
        }
        if mean.value() <= 0.0 {
            return Err(Reason::ConstantActuals);
        }
        let whole = of_mean(rows, mean, self.transformed.double());
        // Less than this is what is left of rounding where nothing varies.
        let scale = self.transformed.value().abs().max(rows.value() * f64::MIN_POSITIVE);
        if whole.value() <= scale * 1e-28 {
            return Err(Reason::ConstantActuals);
        }
        Ok((Double::from(1.0) - self.part.sum.double() / whole).value())
    }
}

fn count(sum: &mut Sum, x: Double, enters: bool) {
    sum.add_double(if enters { x } else { -x });
}

/// The outcomes of predicted numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    rows: u64,
    pub(super) unusable: u64,
    absolute: Sum,
    squared: Sum,
    actuals: Sum,
    actuals_squared: Sum,
    percentage: Part,
    logarithmic: Part,
    poisson: Deviance,
    gamma: Deviance,
    tweedie: Deviance,
}

impl Regression {
    pub(super) fn count(&mut self, outcome: &Outcome<'_>, enters: bool) {
        let (Some(&p), Actual::Number(y)) = (outcome.prediction.last(), outcome.actual) else {
            return step(&mut self.unusable, enters);
        };
        // NaN is not smaller than anything.
        if !(p.abs() <= LARGEST && y.abs() <= LARGEST) {
            return step(&mut self.unusable, enters);
        }
        step(&mut self.rows, enters);
        // The difference of two numbers is not always a number of the usual precision.
        let error = Double::from(p) - Double::from(y);
        let absolute = if error.value() < 0.0 { -error } else { error };
        count(&mut self.absolute, absolute, enters);
        count(&mut self.squared, error * error, enters);
        count(&mut self.actuals, Double::from(y), enters);
        count(&mut self.actuals_squared, Double::product(y, y), enters);
        let error = error.value();
        let percentage = (error / y).abs();
        if y != 0.0 && percentage <= LARGEST {
            self.percentage.count(percentage, enters);
        }
        if y > -1.0 && p > -1.0 {
            // ln(1 + p) - ln(1 + y)
            let off = log_ratio(error, 1.0 + y, p.ln_1p() - y.ln_1p());
            self.logarithmic.count(off * off, enters);
        }
        if p > 0.0 && y >= 0.0 {
            self.deviances(p, y, error, enters);
        }
    }

    fn deviances(&mut self, p: f64, y: f64, error: f64, enters: bool) {
        let y_double = Double::from(y);
        let logarithm = if y > 0.0 { y_double.ln() } else { Double::default() };
        let poisson = if y > 0.0 { -2.0 * y * rest_of_logarithm(error / y) } else { 2.0 * p };
        if poisson <= LARGEST {
            self.poisson.count(poisson, y, y_double * logarithm, enters);
        }
        let gamma = -2.0 * rest_of_logarithm(-error / p);
        if y > 0.0 && gamma <= LARGEST {
            self.gamma.count(gamma, y, logarithm, enters);
        }
        let roots = error / (p.sqrt() + y.sqrt());
        let tweedie = 4.0 * roots * roots / p.sqrt();
        if tweedie <= LARGEST {
            self.tweedie.count(tweedie, y, y_double.root(), enters);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.unusable += other.unusable;
        self.absolute.merge(&other.absolute);
        self.squared.merge(&other.squared);
        self.actuals.merge(&other.actuals);
        self.actuals_squared.merge(&other.actuals_squared);
        self.percentage.merge(&other.percentage);
        self.logarithmic.merge(&other.logarithmic);
        self.poisson.merge(&other.poisson);
        self.gamma.merge(&other.gamma);
        self.tweedie.merge(&other.tweedie);
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The mean of the actuals; none without rows.
    pub(super) fn mean_actual(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.actuals.value() / self.rows as f64)
    }

    pub(super) fn report(&self) -> Vec<Metric> {
        let all = self.rows;
        let whole = |name, value| Metric::new(name, all, all, value);
        let part = |name, part: &Part, value| Metric::new(name, all, part.rows, value);
        let mean = |name, deviance: &Deviance| part(name, &deviance.part, Ok(deviance.part.mean()));
        let two = Double::from(2.0);
        // Sums of 2 (y ln(y / m) - y + m), of which the last two cancel over all rows.
        let poisson =
            |rows: Double, mean: Double, y_ln_y: Double| two * (y_ln_y - rows * mean * mean.ln());
        let gamma = |rows: Double, mean: Double, ln_y: Double| two * (rows * mean.ln() - ln_y);
        let tweedie = |rows: Double, mean: Double, root_y: Double| {
            Double::from(8.0) * (rows * mean.root() - root_y)
        };
        let absolute = self.absolute.value() / all as f64;
        vec![
            whole("RMSE", Ok((self.squared.value().max(0.0) / all as f64).sqrt())),
            whole("MAE", Ok(absolute)),
            // Taken as the mean absolute deviation of predictions from actuals, which is the mean absolute error by another
            // name: no definition of the service's was found.
            whole("MAD", Ok(absolute)),
            part("MAPE", &self.percentage, Ok(100.0 * self.percentage.mean())),
            part("RMSLE", &self.logarithmic, Ok(self.logarithmic.mean().max(0.0).sqrt())),
            whole("R Squared", self.r_squared()),
            mean("Poisson Deviance", &self.poisson),
            mean("Gamma Deviance", &self.gamma),
            mean("Tweedie Deviance", &self.tweedie),
            part("FVE Poisson", &self.poisson.part, self.poisson.explained(poisson)),
            part("FVE Gamma", &self.gamma.part, self.gamma.explained(gamma)),
            part("FVE Tweedie", &self.tweedie.part, self.tweedie.explained(tweedie)),
        ]
    }

    fn r_squared(&self) -> Result<f64, Reason> {
        if self.rows == 0 {
            return Err(Reason::NoRows);
        }
        let actuals = self.actuals.double();
        let mean_squared = actuals * actuals / Double::from(self.rows);
        let whole = self.actuals_squared.double() - mean_squared;
        if whole.value() <= self.actuals_squared.value() * 1e-28 {
            return Err(Reason::ConstantActuals);
        }
        Ok((Double::from(1.0) - self.squared.double() / whole).value())
    }
}

/// ln(1 + x) - x, above -1, without cancelling near zero.
fn rest_of_logarithm(x: f64) -> f64 {
    if x.abs() > 0.1 {
        return x.ln_1p() - x;
    }
    // ln(1 + x) = 2 artanh(z), z = x / (2 + x), and 2 z - x = -x z.
    let z = x / (2.0 + x);
    let square = z * z;
    // The terms fall by 400 each time.
    let series = (0..7).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 3));
    2.0 * z * square * series - x * z
}

/// ln((from + error) / from), which is `plain` unless the two are near each other.
fn log_ratio(error: f64, from: f64, plain: f64) -> f64 {
    let x = error / from;
    if x.abs() < 0.5 { x.ln_1p() } else { plain }
}

//! The linear family.
//!
//! smartcore's ridge fits no intercept, its lasso and elastic net assume one that is already gone. So columns and
//! target are centred here, and the intercept is put together from the means. Rows of zeros are added where there are
//! fewer rows than smartcore insists on: they change no inner product.
//!
//! Penalties: scikit-learn minimises `|y - Xw|^2 / 2n + alpha*l1_ratio*|w|_1 + alpha*(1 - l1_ratio)/2 * |w|^2`,
//! smartcore `|y - Xw|^2 / n + a*r*|w|_1 + a*(1 - r) * |w|^2`; hence `a*r = 2*alpha*l1_ratio` and
//! `a*(1 - r) = alpha*(1 - l1_ratio)`.
//!
//! smartcore stops at `max_iter` without a word. Whether it has an answer is decided here, by the duality gap that
//! scikit-learn stops at.

use smartcore::{
    error::Failed,
    linalg::basic::{arrays::Array, matrix::DenseMatrix},
    linear::{
        elastic_net::{ElasticNet, ElasticNetParameters},
        lasso::{Lasso, LassoParameters},
        linear_regression::{
            LinearRegression, LinearRegressionParameters, LinearRegressionSolverName,
        },
        ridge_regression::{RidgeRegression, RidgeRegressionParameters},
    },
};

use super::{FitError, Fitted, Rows};
use crate::{
    Regressor,
    regressor::{Linear, linear::dot},
    train::learner::Descent,
};

/// smartcore's own tolerances for the penalised models, the tightest first: where rounding keeps its line search from
/// going on, a looser one is tried. The result is judged by `tol` all the same.
const SOLVER_TOLERANCES: [f64; 3] = [1e-12, 1e-9, 1e-6];

/// Rows around their means, padded with zeros.
struct Centred {
    rows: usize,
    width: usize,
    padded: usize,
    means: Vec<f64>,
    target_mean: f64,
    values: Vec<f64>,
    targets: Vec<f64>,
}

/// Weights on centred rows, what smartcore adds to them, and its predictions.
struct Solution {
    weights: Vec<f64>,
    offset: f64,
    predictions: Option<Vec<f64>>,
}

impl Centred {
    fn new(rows: Rows<'_>) -> Self {
        let count = rows.count() as f64;
        let means: Vec<f64> = (0..rows.width)
            .map(|column| rows.values.iter().skip(column).step_by(rows.width).sum::<f64>() / count)
            .collect();
        let constant = rows.targets.windows(2).all(|pair| pair[0] == pair[1]);
        // The mean of equal numbers may be a rounding away from them, and solvers would chase the difference.
        let target_mean = if constant {
            rows.targets.first().copied().unwrap_or_default()
        } else {
            rows.targets.iter().sum::<f64>() / count
        };
        let padded = rows.count().max(rows.width + 1);
        let around_means =
            |row: &[f64]| row.iter().zip(&means).map(|(x, mean)| x - mean).collect::<Vec<f64>>();
        let mut values: Vec<f64> =
            rows.values.chunks_exact(rows.width).flat_map(around_means).collect();
        let mut targets: Vec<f64> = rows.targets.iter().map(|y| y - target_mean).collect();
        values.resize(padded * rows.width, 0.0);
        targets.resize(padded, 0.0);
        Self { rows: rows.count(), width: rows.width, padded, means, target_mean, values, targets }
    }

    fn matrix(&self) -> Result<DenseMatrix<f64>, FitError> {
        DenseMatrix::new(self.padded, self.width, self.values.clone(), false)
            .map_err(FitError::Smartcore)
    }

    fn fitted(&self, solution: Solution) -> Fitted {
        let level = self.target_mean + solution.offset;
        let intercept = level - dot(&solution.weights, &self.means);
        let predictions = solution.predictions.map(|centred| {
            centred
                .into_iter()
                .take(self.rows)
                .map(|prediction| prediction + self.target_mean)
                .collect()
        });
        Fitted {
            regressor: Regressor::Linear(Linear { weights: solution.weights, intercept }),
            predictions,
        }
    }

    /// How far weights are from the best ones: the duality gap over the target's sum of squares, as scikit-learn has it.
    fn gap(&self, weights: &[f64], l1: f64, l2: f64) -> f64 {
        let residuals: Vec<f64> = self
            .values
            .chunks_exact(self.width)
            .zip(&self.targets)
            .map(|(x, y)| y - dot(x, weights))
            .collect();
        let mut pull: Vec<f64> = weights.iter().map(|w| -l2 * w).collect();
        for (x, residual) in self.values.chunks_exact(self.width).zip(&residuals) {
            pull.iter_mut().zip(x).for_each(|(pull, x)| *pull += x * residual);
        }
        let dual_norm = pull.iter().fold(0.0, |most: f64, pull| most.max(pull.abs()));
        let scale = if dual_norm > l1 { l1 / dual_norm } else { 1.0 };
        let squares = dot(&residuals, &residuals);
        let gap = 0.5 * squares * (1.0 + scale * scale)
            + l1 * weights.iter().map(|w| w.abs()).sum::<f64>()
            - scale * dot(&residuals, &self.targets)
            + 0.5 * l2 * (1.0 + scale * scale) * dot(weights, weights);
        gap / dot(&self.targets, &self.targets)
    }

    /// Solves a penalised model with the tightest tolerance that smartcore can hold.
    fn descend(
        &self,
        (l1, l2): (f64, f64),
        descent: Descent,
        solve: impl Fn(f64) -> Result<Solution, Failed>,
    ) -> Result<Solution, FitError> {
        if self.targets.iter().all(|y| *y == 0.0) {
            // Nothing to explain: the gap would be 0 / 0.
            let predictions = Some(self.targets.clone());
            return Ok(Solution { weights: vec![0.0; self.width], offset: 0.0, predictions });
        }
        let mut solution = solve(SOLVER_TOLERANCES[0]);
        for tolerance in &SOLVER_TOLERANCES[1..] {
            solution = solution.or_else(|_| solve(*tolerance));
        }
        let solution = solution.map_err(FitError::Smartcore)?;
        let rows = self.rows as f64;
        let gap = self.gap(&solution.weights, l1 * rows, l2 * rows);
        // Not a number counts as far away.
        if gap <= descent.tol {
            Ok(solution)
        } else {
            let advice = "raise `max_iter` or `alpha`, or rescale columns of very different size";
            Err(FitError::NotConverged { gap, tol: descent.tol, advice })
        }
    }
}

/// Ordinary least squares; of all answers the one with the smallest weights, as scikit-learn's.
pub(super) fn ordinary(rows: Rows<'_>, predict: bool) -> Result<Fitted, FitError> {
    let centred = Centred::new(rows);
    let x = centred.matrix()?;
    let parameters =
        LinearRegressionParameters::default().with_solver(LinearRegressionSolverName::SVD);
    let model =
        LinearRegression::fit(&x, &centred.targets, parameters).map_err(FitError::Smartcore)?;
    let predictions = own(predict, || model.predict(&x)).map_err(FitError::Smartcore)?;
    Ok(centred.fitted(Solution {
        weights: numbers(model.coefficients()),
        offset: *model.intercept(),
        predictions,
    }))
}

/// Least squares with `alpha * |w|^2`.
pub(super) fn ridge(rows: Rows<'_>, alpha: f64, predict: bool) -> Result<Fitted, FitError> {
    let centred = Centred::new(rows);
    let x = centred.matrix()?;
    let parameters = RidgeRegressionParameters::default().with_alpha(alpha).with_normalize(false);
    let model =
        RidgeRegression::fit(&x, &centred.targets, parameters).map_err(FitError::Smartcore)?;
    let predictions = own(predict, || model.predict(&x)).map_err(FitError::Smartcore)?;
    Ok(centred.fitted(Solution {
        weights: numbers(model.coefficients()),
        offset: *model.intercept(),
        predictions,
    }))
}

/// Least squares with a penalty on the sum of absolute weights.
pub(super) fn lasso(
    rows: Rows<'_>,
    alpha: f64,
    descent: Descent,
    predict: bool,
) -> Result<Fitted, FitError> {
    let centred = Centred::new(rows);
    let x = centred.matrix()?;
    // smartcore multiplies by the rows that it sees, padding and all.
    let share = centred.rows as f64 / centred.padded as f64;
    let solution = centred.descend((alpha, 0.0), descent, |tolerance| {
        let parameters = LassoParameters::default()
            .with_alpha(2.0 * alpha * share)
            .with_normalize(false)
            .with_tol(tolerance)
            .with_max_iter(descent.max_iter as usize);
        let model = Lasso::fit(&x, &centred.targets, parameters)?;
        let predictions = own(predict, || model.predict(&x))?;
        Ok(Solution {
            weights: numbers(model.coefficients()),
            offset: *model.intercept(),
            predictions,
        })
    })?;
    Ok(centred.fitted(solution))
}

/// Least squares with both penalties.
pub(super) fn elastic_net(
    rows: Rows<'_>,
    alpha: f64,
    l1_ratio: f64,
    descent: Descent,
    predict: bool,
) -> Result<Fitted, FitError> {
    if l1_ratio == 0.0 {
        // Without the sum of absolute weights there is no dual to measure the gap by, and it is a ridge.
        return ridge(rows, alpha * rows.count() as f64, predict);
    }
    let centred = Centred::new(rows);
    let x = centred.matrix()?;
    let share = centred.rows as f64 / centred.padded as f64;
    let (l1, l2) = (alpha * l1_ratio, alpha * (1.0 - l1_ratio));
    let both = 2.0 * l1 + l2;
    let solution = centred.descend((l1, l2), descent, |tolerance| {
        let parameters = ElasticNetParameters::default()
            .with_alpha(both * share)
            .with_l1_ratio(2.0 * l1 / both)
            .with_normalize(false)
            .with_tol(tolerance)
            .with_max_iter(descent.max_iter as usize);
        let model = ElasticNet::fit(&x, &centred.targets, parameters)?;
        let predictions = own(predict, || model.predict(&x))?;
        Ok(Solution {
            weights: numbers(model.coefficients()),
            offset: *model.intercept(),
            predictions,
        })
    })?;
    Ok(centred.fitted(solution))
}

fn own(
    wanted: bool,
    predict: impl FnOnce() -> Result<Vec<f64>, Failed>,
) -> Result<Option<Vec<f64>>, Failed> {
    wanted.then(predict).transpose()
}

fn numbers(coefficients: &DenseMatrix<f64>) -> Vec<f64> {
    coefficients.iterator(0).copied().collect()
}

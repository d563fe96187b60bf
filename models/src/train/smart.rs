//! smartcore, and nothing of it outside this module.
//!
//! smartcore learns; what it learned is lowered to our tables at once. Most of its fitted state is private and read
//! from its serialised form, whose names are those of one exact version: Cargo.toml pins it, and a change of form is
//! a [`FitError::Form`].
//!
//! Its parameters do not mean what scikit-learn's do; each submodule says what it makes of them.

mod boosting;
mod forest;
mod linear;
mod lower;
mod neighbours;

use smartcore::{error::Failed, linalg::basic::matrix::DenseMatrix};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{learner::Learner, svr};
use crate::Regressor;

/// The version that the lowering is written against.
pub(super) const SMARTCORE_VERSION: &str = "0.7.0";
/// The most rows that k-nearest neighbours keeps: all of them are looked at for every prediction.
pub const KNN_ROWS_MAX: usize = 100_000;

/// Why an algorithm has not learned.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// smartcore refuses or gives up.
    #[error("fit with smartcore")]
    Smartcore(#[source] Failed),
    /// smartcore panicked, which it does where a decomposition does not converge.
    #[error(
        "fit with smartcore: it broke off with `{0}`; rescale columns of very different size or leave out columns that repeat others"
    )]
    Broke(String),
    /// The fitted state has an unexpected form.
    #[error("read what smartcore learned: its form is not that of version {SMARTCORE_VERSION}")]
    Form(#[source] serde_json::Error),
    /// The fitted state names a node or an input that does not exist.
    #[error("read what smartcore learned: a tree is not whole")]
    Tree,
    /// More rows than the algorithm can take.
    #[error(
        "fit: {rows} rows are more than the {most} that this algorithm can take; choose another one or take a sample"
    )]
    TooManyRows {
        /// How many there are.
        rows: usize,
        /// How many there may be.
        most: usize,
    },
    /// More neighbours than rows.
    #[error("fit: `n_neighbors` is {k}, but there are only {rows} rows to learn from")]
    TooFewRows {
        /// How many neighbours are asked.
        k: u64,
        /// How many rows there are.
        rows: usize,
    },
    /// The solver stopped before it had an answer.
    #[error(
        "fit: the solver stopped {gap:.1e} away from the answer, where `tol` allows {tol:.1e}; {advice}"
    )]
    NotConverged {
        /// How far it is.
        gap: f64,
        /// How far it may be.
        tol: f64,
        /// What to try.
        advice: &'static str,
    },
}

/// Rows of columns, row by row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) width: usize,
    pub(super) values: &'a [f64],
    pub(super) targets: &'a [f64],
}

/// What was learned.
#[derive(Debug)]
pub(super) struct Fitted {
    pub(super) regressor: Regressor,
    /// What smartcore itself predicts for the rows that it learned from, where that was asked for.
    pub(super) predictions: Option<Vec<f64>>,
}

impl Rows<'_> {
    fn count(&self) -> usize {
        self.targets.len()
    }

    fn matrix(&self) -> Result<DenseMatrix<f64>, FitError> {
        DenseMatrix::new(self.count(), self.width, self.values.to_vec(), false)
            .map_err(FitError::Smartcore)
    }
}

/// Learns from `rows`. `predict` asks for smartcore's own predictions too.
pub(super) fn fit(
    learner: Learner,
    rows: Rows<'_>,
    seed: u64,
    predict: bool,
) -> Result<Fitted, FitError> {
    let fit = || match learner {
        Learner::Linear => linear::ordinary(rows, predict),
        Learner::Ridge { alpha } => linear::ridge(rows, alpha, predict),
        Learner::Lasso { alpha, descent } => linear::lasso(rows, alpha, descent, predict),
        Learner::ElasticNet { alpha, l1_ratio, descent } => {
            linear::elastic_net(rows, alpha, l1_ratio, descent, predict)
        }
        // The one that smartcore gets wrong.
        Learner::Svr(settings) => svr::fit(rows, settings, predict),
        Learner::Knn { neighbours, distance_weights, metric } => {
            neighbours::fit(rows, neighbours, distance_weights, metric, predict)
        }
        Learner::RandomForest(settings) => forest::random(rows, settings, seed, predict),
        Learner::ExtraTrees(settings) => forest::extra(rows, settings, seed, predict),
        Learner::GradientBoosting(settings) => boosting::fit(rows, settings, seed, predict),
    };
    // Nothing that smartcore may have left half done outlives the closure.
    catch_unwind(AssertUnwindSafe(fit)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(FitError::Broke(text.unwrap_or_else(|| "no message".to_owned())))
    })
}

/// Reads fitted state by the names of its fields.
fn read<T: serde::de::DeserializeOwned>(fitted: &impl serde::Serialize) -> Result<T, FitError> {
    let form = serde_json::to_vec(fitted).map_err(FitError::Form)?;
    serde_json::from_slice(&form).map_err(FitError::Form)
}

#[cfg(test)]
mod tests;

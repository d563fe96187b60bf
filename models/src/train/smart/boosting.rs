//! Gradient-boosted trees.
//!
//! smartcore's XGRegressor with scikit-learn's rules: it starts from the mean of the target, leaves are plain means of
//! the residuals (no regularisation), and a leaf needs `min_samples_leaf` rows. Its defaults would be XGBoost's.

use serde::Deserialize;
use smartcore::{
    linalg::basic::matrix::DenseMatrix,
    xgboost::{XGRegressor, XGRegressorParameters},
};

use super::{
    FitError, Fitted, Rows,
    lower::{self, Grown},
    read,
};
use crate::{
    Regressor,
    regressor::trees::{Sum, Width},
    train::learner::Boosting,
};

/// What smartcore keeps of a fitted model.
#[derive(Deserialize)]
struct Form {
    regressors: Vec<TreeForm>,
}

#[derive(Deserialize)]
struct TreeForm {
    left: Option<Box<TreeForm>>,
    right: Option<Box<TreeForm>>,
    value: f64,
    threshold: f64,
    split_feature_idx: usize,
}

pub(super) fn fit(
    rows: Rows<'_>,
    settings: Boosting,
    seed: u64,
    predict: bool,
) -> Result<Fitted, FitError> {
    let start = rows.targets.iter().sum::<f64>() / rows.count() as f64;
    let parameters = XGRegressorParameters::default()
        .with_n_estimators(settings.trees as usize)
        .with_learning_rate(settings.learning_rate)
        .with_max_depth(settings.max_depth as u16)
        .with_min_child_weight(settings.min_samples_leaf as usize)
        .with_lambda(0.0)
        .with_gamma(0.0)
        .with_base_score(start)
        .with_subsample(settings.subsample)
        .with_seed(seed);
    let x = rows.matrix()?;
    let model: XGRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>> =
        XGRegressor::fit(&x, &rows.targets.to_vec(), parameters).map_err(FitError::Smartcore)?;
    let predictions =
        predict.then(|| model.predict(&x)).transpose().map_err(FitError::Smartcore)?;
    let form: Form = read(&model)?;
    let grown: Vec<Vec<Grown>> =
        form.regressors.iter().map(|tree| tree.grow(settings.learning_rate, Vec::new())).collect();
    let sum = Sum { width: Width::F64, start, divisor: 1.0, scale: 1.0, bias: 0.0 };
    Ok(Fitted { regressor: Regressor::Trees(lower::trees(&grown, sum)?), predictions })
}

impl TreeForm {
    /// Appends the nodes of this tree, at most [`crate::train::learner::BOOSTED_DEPTH_MAX`] deep. A leaf holds what it
    /// adds, so the learning rate is in it.
    fn grow(&self, learning_rate: f64, mut nodes: Vec<Grown>) -> Vec<Grown> {
        let at = nodes.len();
        nodes.push(Grown::Leaf(learning_rate * self.value));
        if let (Some(left), Some(right)) = (&self.left, &self.right) {
            let left_at = nodes.len();
            nodes = left.grow(learning_rate, nodes);
            let right_at = nodes.len();
            nodes = right.grow(learning_rate, nodes);
            nodes[at] = Grown::Split {
                column: self.split_feature_idx,
                threshold: self.threshold,
                left: left_at,
                right: right_at,
            };
        }
        nodes
    }
}

//! k-nearest neighbours. Its table is the training data itself.

use smartcore::{
    algorithm::neighbour::KNNAlgorithmName,
    linalg::basic::matrix::DenseMatrix,
    metrics::distance::{Distance, Distances},
    neighbors::{
        KNNWeightFunction,
        knn_regressor::{KNNRegressor, KNNRegressorParameters},
    },
};

use super::{FitError, Fitted, KNN_ROWS_MAX, Rows};
use crate::{
    Regressor,
    regressor::{self, Neighbours, Weighting},
    train::learner::Metric,
};

pub(super) fn fit(
    rows: Rows<'_>,
    k: u64,
    distance_weights: bool,
    metric: Metric,
    predict: bool,
) -> Result<Fitted, FitError> {
    if k > rows.count() as u64 {
        return Err(FitError::TooFewRows { k, rows: rows.count() });
    }
    if rows.count() > KNN_ROWS_MAX {
        return Err(FitError::TooManyRows { rows: rows.count(), most: KNN_ROWS_MAX });
    }
    let (weighting, weights) = if distance_weights {
        (Weighting::Distance, KNNWeightFunction::Distance)
    } else {
        (Weighting::Uniform, KNNWeightFunction::Uniform)
    };
    let k = k as u32;
    let predict = |rows| predict.then_some(rows);
    let (metric, predictions) = match metric {
        Metric::Euclidean => (
            regressor::Metric::Euclidean,
            predict(rows).map(|r| own(r, k, weights, Distances::euclidian())),
        ),
        Metric::Manhattan => (
            regressor::Metric::Manhattan,
            predict(rows).map(|r| own(r, k, weights, Distances::manhattan())),
        ),
        Metric::Minkowski(p) => (
            regressor::Metric::Minkowski { p: f64::from(p) },
            predict(rows).map(|r| own(r, k, weights, Distances::minkowski(p))),
        ),
    };
    let table = Neighbours {
        k,
        weighting,
        metric,
        points: rows.values.to_vec(),
        targets: rows.targets.to_vec(),
    };
    Ok(Fitted { regressor: Regressor::Neighbours(table), predictions: predictions.transpose()? })
}

/// smartcore's own predictions. Its plain search is the one whose ties are known.
fn own<D: Distance<Vec<f64>>>(
    rows: Rows<'_>,
    k: u32,
    weights: KNNWeightFunction,
    distance: D,
) -> Result<Vec<f64>, FitError> {
    let parameters = KNNRegressorParameters::default()
        .with_k(k as usize)
        .with_weight(weights)
        .with_algorithm(KNNAlgorithmName::LinearSearch)
        .with_distance(distance);
    let x = rows.matrix()?;
    let model: KNNRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>, D> =
        KNNRegressor::fit(&x, &rows.targets.to_vec(), parameters).map_err(FitError::Smartcore)?;
    model.predict(&x).map_err(FitError::Smartcore)
}

//! Random forests and extra trees.
//!
//! smartcore counts the levels of a tree where scikit-learn counts its splits, and looks at the root of the number of
//! columns by default where scikit-learn looks at all.

use serde::Deserialize;
use smartcore::{
    ensemble::{
        extra_trees_regressor::{ExtraTreesRegressor, ExtraTreesRegressorParameters},
        random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters},
    },
    linalg::basic::matrix::DenseMatrix,
};

use super::{
    FitError, Fitted, Rows,
    lower::{self, Grown},
    read,
};
use crate::{
    Regressor,
    regressor::trees::{Sum, Width},
    train::learner::Forest,
};

/// What smartcore keeps of a fitted forest.
#[derive(Deserialize)]
struct Form {
    forest_regressor: ForestForm,
}

#[derive(Deserialize)]
struct ForestForm {
    trees: Vec<TreeForm>,
}

#[derive(Deserialize)]
struct TreeForm {
    nodes: Vec<NodeForm>,
}

#[derive(Deserialize)]
struct NodeForm {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

/// A random forest.
pub(super) fn random(
    rows: Rows<'_>,
    settings: Forest,
    seed: u64,
    predict: bool,
) -> Result<Fitted, FitError> {
    let parameters = RandomForestRegressorParameters {
        max_depth: levels(settings),
        min_samples_leaf: settings.min_samples_leaf as usize,
        min_samples_split: settings.min_samples_split as usize,
        n_trees: settings.trees as usize,
        m: Some(settings.max_features.of(rows.width)),
        keep_samples: false,
        seed,
    };
    let x = rows.matrix()?;
    let model: RandomForestRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>> =
        RandomForestRegressor::fit(&x, &rows.targets.to_vec(), parameters)
            .map_err(FitError::Smartcore)?;
    let predictions =
        predict.then(|| model.predict(&x)).transpose().map_err(FitError::Smartcore)?;
    Ok(Fitted { regressor: read::<Form>(&model)?.lower()?, predictions })
}

/// Extra trees: every row, and thresholds drawn at random.
pub(super) fn extra(
    rows: Rows<'_>,
    settings: Forest,
    seed: u64,
    predict: bool,
) -> Result<Fitted, FitError> {
    let parameters = ExtraTreesRegressorParameters {
        max_depth: levels(settings),
        min_samples_leaf: settings.min_samples_leaf as usize,
        min_samples_split: settings.min_samples_split as usize,
        n_trees: settings.trees as usize,
        m: Some(settings.max_features.of(rows.width)),
        keep_samples: false,
        seed,
    };
    let x = rows.matrix()?;
    let model: ExtraTreesRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>> =
        ExtraTreesRegressor::fit(&x, &rows.targets.to_vec(), parameters)
            .map_err(FitError::Smartcore)?;
    let predictions =
        predict.then(|| model.predict(&x)).transpose().map_err(FitError::Smartcore)?;
    Ok(Fitted { regressor: read::<Form>(&model)?.lower()?, predictions })
}

fn levels(settings: Forest) -> Option<u16> {
    settings.max_depth.map(|splits| u16::try_from(splits + 1).unwrap_or(u16::MAX))
}

impl Form {
    fn lower(self) -> Result<Regressor, FitError> {
        let trees = self.forest_regressor.trees;
        let sum = Sum {
            width: Width::F64,
            start: 0.0,
            divisor: trees.len() as f64,
            scale: 1.0,
            bias: 0.0,
        };
        let grown: Vec<Vec<Grown>> = trees
            .into_iter()
            .map(|tree| tree.nodes.iter().map(NodeForm::grown).collect())
            .collect();
        Ok(Regressor::Trees(lower::trees(&grown, sum)?))
    }
}

impl NodeForm {
    fn grown(&self) -> Grown {
        match (self.split_value, self.true_child, self.false_child) {
            (Some(threshold), Some(left), Some(right)) => {
                Grown::Split { column: self.split_feature, threshold, left, right }
            }
            // A split that was found but not made leaves its value behind.
            _ => Grown::Leaf(self.output),
        }
    }
}

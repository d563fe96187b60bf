//! What training has to tell, while it runs and afterwards.

use std::collections::BTreeMap;

use super::{Algorithm, Scores, Spread};

/// A step of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// An algorithm is about to be cross-validated.
    Started {
        /// The algorithm.
        algorithm: Algorithm,
        /// How many folds it has before it.
        folds: usize,
    },
    /// A fold is done.
    Fold {
        /// The algorithm.
        algorithm: Algorithm,
        /// Which fold, from 1.
        fold: usize,
        /// Of how many.
        folds: usize,
        /// The fold's RMSE.
        rmse: f64,
    },
    /// An algorithm has been cross-validated.
    Finished {
        /// The algorithm.
        algorithm: Algorithm,
        /// The mean of its folds' RMSE; none if it did not learn.
        rmse: Option<f64>,
    },
    /// The features are weighed.
    Weighing,
    /// The chosen algorithm learns from all rows.
    Fitting {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The tables are held against the learner.
    Checking,
}

/// How a model came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What was tried.
    pub candidates: Vec<Candidate>,
    /// Index of the candidate that became the model.
    pub chosen: usize,
    /// The model's scores on the rows that it learned from.
    pub training: Scores,
}

/// An algorithm that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Its hyper-parameters, given or defaulted.
    pub parameters: BTreeMap<String, String>,
    /// Its scores, fold by fold; empty if it did not learn.
    pub folds: Vec<Scores>,
    /// Why it did not learn.
    pub failure: Option<String>,
}

impl Candidate {
    /// R2 over the folds that have one.
    #[must_use]
    pub fn r2(&self) -> Option<Spread> {
        Spread::of(&self.folds.iter().filter_map(|scores| scores.r2).collect::<Vec<_>>())
    }

    /// RMSE over the folds.
    #[must_use]
    pub fn rmse(&self) -> Option<Spread> {
        Spread::of(&self.folds.iter().map(|scores| scores.rmse).collect::<Vec<_>>())
    }

    /// MAE over the folds.
    #[must_use]
    pub fn mae(&self) -> Option<Spread> {
        Spread::of(&self.folds.iter().map(|scores| scores.mae).collect::<Vec<_>>())
    }
}

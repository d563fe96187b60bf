//! The trainer: from a table to a model with everything that its package says about it.
//!
//! # Constraints
//!
//! - A number that a model gives is the number that its learner gives: the learned model is lowered to tables, written,
//!   read back, and held against the learner's own predictions on every training row, to [`PARITY`]. Where they part
//!   there is no model: the *parity gate*.
//! - The same data, settings and seed make the same bytes. Nothing here knows the time, the machine or an order of
//!   hashing.
//! - Hyper-parameters mean what scikit-learn means by them.
//! - Nothing is repaired in silence. What is done with missing values is in the schema; what is refused is named.
//!
//! # Operation
//!
//! [`Table::read_csv`], then [`train`]: choose features (`prepare`), cross-validate one algorithm or all of them
//! (`auto` takes the one of the smallest mean RMSE), fit the chosen one on all rows, gate, describe. Rows are widened to
//! columns by the same code that does so when a package scores.

mod cross;
mod csv;
mod error;
mod folds;
mod gate;
mod golden;
mod importance;
mod learner;
mod nearest;
mod prepare;
mod report;
mod scores;
mod smart;
mod svr;
mod table;

use std::collections::BTreeMap;

pub use self::csv::{COLUMNS_MAX, CsvError, CsvOptions, NUMBER_MAX};
pub use crate::schema::MISSING;
pub use error::TrainError;
pub use gate::PARITY;
pub use learner::{Algorithm, BOOSTED_DEPTH_MAX, ParameterError, TREES_MAX, UnknownAlgorithm};
pub use prepare::{LEVELS_MAX, MissingPolicy};
pub use report::{Candidate, Progress, Report};
pub use scores::{Scores, Spread};
pub use smart::{FitError, KNN_ROWS_MAX};
pub use svr::{SVR_ROWS_MAX, SVR_STEPS_MAX};
pub use table::{Table, TableColumn};

use crate::{
    Model, Unknown,
    manifest::{Baseline, Distribution, MANIFEST_FORMAT, Manifest, Provenance, check},
    schema::Kind,
};
use learner::Learner;
use prepare::Prepared;

/// The fewest rows to learn from: two for each of two folds.
pub const ROWS_MIN: usize = 4;
/// The most folds.
pub const FOLDS_MAX: usize = 100;

/// What to train.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The column to predict.
    pub target: String,
    /// The algorithm; none tries all and takes the best.
    pub algorithm: Option<Algorithm>,
    /// Hyper-parameters by scikit-learn's names. None may be given where no algorithm is.
    pub parameters: BTreeMap<String, String>,
    /// Folds of the cross-validation, 2 to [`FOLDS_MAX`].
    pub folds: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// What stands in for a missing value of a feature that has some.
    pub missing: MissingPolicy,
    /// What the model does with a level that it does not know.
    pub unknown: Unknown,
    /// The model's name.
    pub name: String,
    /// The model's version.
    pub version: String,
}

/// A trained model with everything that is said about it.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The tables.
    pub model: Model,
    /// What its package says about it.
    pub manifest: Manifest,
    /// How it came about.
    pub report: Report,
}

impl Settings {
    /// Defaults: all algorithms, five folds, seed 0, means for missing numbers, unknown levels refused.
    #[must_use]
    pub fn new(target: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            algorithm: None,
            parameters: BTreeMap::new(),
            folds: 5,
            seed: 0,
            missing: MissingPolicy::Mean,
            unknown: Unknown::Refuse,
            name: name.into(),
            version: "1".to_owned(),
        }
    }

    fn check(&self, rows: usize) -> Result<(), TrainError> {
        check::name(&self.name)?;
        check::version(&self.version)?;
        if self.algorithm.is_none() && !self.parameters.is_empty() {
            return Err(TrainError::ParametersForAll);
        }
        if rows < ROWS_MIN {
            return Err(TrainError::TooFewRows { rows });
        }
        // A fold needs two rows for a score that means anything, and what is left two rows to learn from.
        if !(2..=FOLDS_MAX.min(rows / 2)).contains(&self.folds) {
            return Err(TrainError::Folds {
                folds: self.folds,
                rows,
                most: FOLDS_MAX.min(rows / 2),
            });
        }
        Ok(())
    }
}

/// Trains a model. `progress` hears of every step, for fits may take minutes.
///
/// # Errors
///
/// [`TrainError`]: settings or data that do not fit together, an algorithm that does not learn from them, or tables
/// that do not agree with the learner.
pub fn train(
    table: &Table,
    settings: &Settings,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, TrainError> {
    settings.check(table.rows())?;
    let prepared = Prepared::new(table, settings)?;
    let candidates = cross::candidates(&prepared, settings, progress)?;
    let chosen = cross::best(&candidates)?;
    let algorithm = candidates[chosen].algorithm;
    progress(Progress::Fitting { algorithm });
    let (learner, parameters) = Learner::new(algorithm, &settings.parameters)?;
    let all: Vec<usize> = (0..table.rows()).collect();
    let (model, own) = prepared.fit(learner, &all, settings.seed, true)?;
    progress(Progress::Checking);
    let (model, predictions) = gate::pass(&model, &prepared, &own, &table.lines)?;
    let training = Scores::of(&prepared.targets, &predictions);
    let golden = golden::rows(&model, &prepared, &predictions)?;
    progress(Progress::Weighing);
    let importance = importance::of(&model, &prepared, settings.seed)?;
    let manifest = Manifest {
        format: MANIFEST_FORMAT,
        name: settings.name.clone(),
        version: settings.version.clone(),
        prediction_type: "regression".to_owned(),
        target: settings.target.clone(),
        features: model.features.clone(),
        baseline: Baseline { importance, ..baseline(&prepared, &predictions) },
        metrics: metrics(&candidates[chosen], &training),
        golden,
        provenance: Provenance {
            source: "csv".to_owned(),
            data_sha256: table.sha256.clone(),
            data_rows: table.rows() as u64,
            algorithm: algorithm.name().to_owned(),
            parameters,
            seed: settings.seed,
            tools: BTreeMap::from([
                ("outpost".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
                ("smartcore".to_owned(), smart::SMARTCORE_VERSION.to_owned()),
            ]),
        },
    };
    manifest.validate()?;
    Ok(Trained { model, manifest, report: Report { candidates, chosen, training } })
}

fn baseline(prepared: &Prepared, predictions: &[f64]) -> Baseline {
    let features = prepared.features.iter().enumerate().map(|(at, feature)| {
        let values = prepared.column(at);
        match &feature.kind {
            Kind::Numeric => Distribution::of_numbers(&values),
            Kind::Categorical(levels) => Distribution::of_codes(&values, levels),
        }
    });
    Baseline {
        rows: prepared.targets.len() as u64,
        features: features.collect(),
        target: Distribution::of_numbers(&prepared.targets),
        predictions: Distribution::of_numbers(predictions),
        importance: Vec::new(),
    }
}

fn metrics(candidate: &Candidate, training: &Scores) -> BTreeMap<String, f64> {
    let spreads =
        [("cv_r2", candidate.r2()), ("cv_rmse", candidate.rmse()), ("cv_mae", candidate.mae())];
    let crossed =
        spreads.into_iter().filter_map(|(name, spread)| spread.map(|spread| (name, spread)));
    let crossed = crossed.flat_map(|(name, spread)| {
        [(name.to_owned(), spread.mean), (format!("{name}_std"), spread.std)]
    });
    let training = [
        ("training_r2", training.r2),
        ("training_rmse", Some(training.rmse)),
        ("training_mae", Some(training.mae)),
    ];
    let training = training
        .into_iter()
        .filter_map(|(name, score)| score.map(|score| (name.to_owned(), score)));
    crossed.chain(training).collect()
}

#[cfg(test)]
mod tests;

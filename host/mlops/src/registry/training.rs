//! The training data of an external model: histograms of its columns, by the rules of our own trainer.
//!
//! A CSV file whose first line names the columns. One is the target; one may be named `prediction`, and has what the model
//! said for the row, best on rows that it had not seen. All others are features: numbers where every value is one,
//! levels otherwise. Of a classification both have classes by the target's names.

use std::collections::{BTreeMap, BTreeSet};

use models::manifest::{Baseline, Distribution};
use models::schema::{Feature, Kind, MISSING, Missing, Unknown};
use sha2::{Digest as _, Sha256};

use super::{Package, TargetDescription, TargetType};
use crate::numbers::accuracy::{Actual, Outcome, Sums, Target, class_of};

/// The column with the model's own predictions.
const PREDICTION: &str = "prediction";
/// What metrics are called that were measured on rows that the model had learned from, and on others.
const TRAINING: &str = "training_";
const HOLDOUT: &str = "holdout_";
/// Most columns.
const COLUMNS_MAX: usize = 10_000;

/// Training data that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrainingFault {
    /// It is no CSV file, or its lines differ in length.
    #[error("it is not CSV: {0}")]
    Csv(#[from] csv::Error),
    /// A column is there twice, or has no name.
    #[error("its first line must name every column once, not {0:?}")]
    Header(String),
    /// There are too many columns.
    #[error("it has {found} columns; at most {COLUMNS_MAX} can be")]
    TooWide {
        /// How many there are.
        found: usize,
    },
    /// There is no target.
    #[error("it has no column {0:?}, the target")]
    NoTarget(String),
    /// There is no row.
    #[error("it has no rows")]
    Empty,
    /// The holdout data does not tell what the model said.
    #[error(
        "the holdout data has no column \"prediction\" with what the model said: add it, or leave `datasets.holdoutDataCatalogId` out"
    )]
    NoPrediction,
    /// The holdout data cannot be used.
    #[error("the holdout data: {0}")]
    Holdout(#[source] Box<TrainingFault>),
    /// A target or a prediction of a regression is no number.
    #[error("column {column:?}, line {line}: not a number")]
    NotANumber {
        /// The column.
        column: String,
        /// The line in the file.
        line: u64,
    },
    /// A target or a prediction of a classification is none of the classes.
    #[error(
        "column {column:?}, line {line}: {found:?} is none of the target's classNames {classes:?}"
    )]
    NotAClass {
        /// The column.
        column: String,
        /// The line in the file.
        line: u64,
        /// What is there.
        found: String,
        /// The classes.
        classes: Vec<String>,
    },
}

impl Package {
    /// Takes the baseline from training data. What the model said of rows that it had not learned from is better known from
    /// holdout data, where there is some: rows with the target and the column `prediction`.
    pub(super) fn train_on(
        &mut self,
        bytes: &[u8],
        holdout: Option<&[u8]>,
    ) -> Result<(), TrainingFault> {
        let rows = Rows::read(bytes)?;
        let target = rows.target(&self.target)?;
        let prediction = rows.prediction(target);
        let mut features = Vec::new();
        let mut distributions = Vec::new();
        for (at, name) in rows.header.iter().enumerate() {
            if at == target || Some(at) == prediction {
                continue;
            }
            let (kind, distribution) = distribution(&rows.column(at));
            features.push(Feature {
                name: name.clone(),
                kind,
                missing: Missing::Keep,
                unknown: Unknown::Other,
            });
            distributions.push(distribution);
        }
        let target_distribution = match &self.target.class_names {
            Some(classes) => labels(&rows.rows, target, &self.target.name, classes)?,
            None => distribution(&rows.column(target)).1,
        };
        let mut said = rows.said(&self.target, TRAINING)?;
        if let Some(bytes) = holdout {
            let of_holdout = Rows::read(bytes).and_then(|rows| rows.said(&self.target, HOLDOUT));
            let of_holdout = of_holdout.map_err(|fault| TrainingFault::Holdout(Box::new(fault)))?;
            let (predictions, metrics) = of_holdout.ok_or(TrainingFault::NoPrediction)?;
            // Metrics of both: the report takes those of rows that the model had not seen.
            let of_training = said.map(|(_, metrics)| metrics).unwrap_or_default();
            said = Some((predictions, metrics.into_iter().chain(of_training).collect()));
        }
        // The best guess at what a model says is what it was taught.
        let (predictions, metrics) =
            said.unwrap_or_else(|| (target_distribution.clone(), BTreeMap::new()));
        self.metrics = metrics;
        let hex = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.training_data_sha256 = Some(hex);
        self.training_rows = Some(rows.rows.len() as u64);
        self.features = features;
        self.baseline = Some(Baseline {
            rows: rows.rows.len() as u64,
            features: distributions,
            target: target_distribution,
            predictions,
            importance: Vec::new(),
        });
        Ok(())
    }
}

/// What a model said, and how good it was by name.
type Said = (Distribution, BTreeMap<String, f64>);

/// A file's rows.
struct Rows {
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl Rows {
    fn read(bytes: &[u8]) -> Result<Self, TrainingFault> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
        let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        if header.len() > COLUMNS_MAX {
            return Err(TrainingFault::TooWide { found: header.len() });
        }
        let mut names = BTreeSet::new();
        if let Some(wrong) = header.iter().find(|name| name.is_empty() || !names.insert(*name)) {
            return Err(TrainingFault::Header(wrong.clone()));
        }
        let rows = reader.records().collect::<Result<Vec<_>, _>>()?;
        if rows.is_empty() {
            return Err(TrainingFault::Empty);
        }
        Ok(Self { header, rows })
    }

    fn column(&self, at: usize) -> Vec<Option<&str>> {
        self.rows.iter().map(|row| row.get(at).filter(|text| !MISSING.contains(text))).collect()
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    fn target(&self, target: &TargetDescription) -> Result<usize, TrainingFault> {
        self.place(&target.name).ok_or_else(|| TrainingFault::NoTarget(target.name.clone()))
    }

    /// The column with the model's own predictions.
    fn prediction(&self, target: usize) -> Option<usize> {
        self.place(PREDICTION).filter(|place| *place != target)
    }

    /// What the model said of these rows, and how good it was where these are numbers; none where it is not told.
    fn said(&self, target: &TargetDescription, of: &str) -> Result<Option<Said>, TrainingFault> {
        let at = self.target(target)?;
        let Some(prediction) = self.prediction(at) else { return Ok(None) };
        Ok(Some(match &target.class_names {
            Some(classes) => {
                (labels(&self.rows, prediction, PREDICTION, classes)?, BTreeMap::new())
            }
            None if target.kind == TargetType::Regression => {
                let said = numbers(&self.column(prediction), PREDICTION, &self.rows)?;
                let happened = numbers(&self.column(at), &target.name, &self.rows)?;
                (Distribution::of_numbers(&said), metrics(&said, &happened, of))
            }
            None => (distribution(&self.column(prediction)).1, BTreeMap::new()),
        }))
    }
}

/// Numbers where every value is one, levels otherwise.
fn distribution(values: &[Option<&str>]) -> (Kind, Distribution) {
    let number = |value: &Option<&str>| match value {
        None => Some(f64::NAN),
        Some(text) => text.parse::<f64>().ok().filter(|number| number.is_finite()),
    };
    if let Some(numbers) = values.iter().map(number).collect::<Option<Vec<f64>>>() {
        return (Kind::Numeric, Distribution::of_numbers(&numbers));
    }
    let levels: BTreeSet<&str> = values.iter().flatten().copied().collect();
    let codes: BTreeMap<&str, f64> = levels.iter().copied().zip((0..).map(f64::from)).collect();
    let levels: Vec<String> = levels.into_iter().map(str::to_owned).collect();
    let code = |value: &Option<&str>| value.map_or(f64::NAN, |text| codes[text]);
    let codes: Vec<f64> = values.iter().map(code).collect();
    let distribution = Distribution::of_codes(&codes, &levels);
    (Kind::Categorical(levels), distribution)
}

/// Of a column of classes.
fn labels(
    rows: &[csv::StringRecord],
    at: usize,
    column: &str,
    classes: &[String],
) -> Result<Distribution, TrainingFault> {
    let code = |row: &csv::StringRecord| {
        let text = row.get(at).unwrap_or_default();
        match class_of(classes, text) {
            Some(place) => Ok(place as f64),
            // A class may be called what otherwise means that nothing is there.
            None if MISSING.contains(&text) => Ok(f64::NAN),
            None => Err(TrainingFault::NotAClass {
                column: column.to_owned(),
                line: row.position().map_or(0, csv::Position::line),
                found: text.to_owned(),
                classes: classes.to_vec(),
            }),
        }
    };
    let codes = rows.iter().map(code).collect::<Result<Vec<f64>, _>>()?;
    Ok(Distribution::of_codes(&codes, classes))
}

fn numbers(
    values: &[Option<&str>],
    column: &str,
    rows: &[csv::StringRecord],
) -> Result<Vec<f64>, TrainingFault> {
    let number = |(value, row): (&Option<&str>, &csv::StringRecord)| match value {
        None => Ok(f64::NAN),
        Some(text) => text.parse::<f64>().map_err(|_| TrainingFault::NotANumber {
            column: column.to_owned(),
            line: row.position().map_or(0, csv::Position::line),
        }),
    };
    values.iter().zip(rows).map(number).collect()
}

/// The metrics of a regression by the trainer's names, with what says on which rows they were measured.
fn metrics(said: &[f64], happened: &[f64], of: &str) -> BTreeMap<String, f64> {
    let mut sums = Sums::new(&Target::Regression);
    for (prediction, actual) in said.iter().zip(happened) {
        if prediction.is_finite() && actual.is_finite() {
            let actual = Actual::Number(*actual);
            sums.add(&Outcome { prediction: &[*prediction], actual });
        }
    }
    let named = |metric: crate::numbers::accuracy::Metric| {
        Some((format!("{of}{}", crate::report::trained_name(metric.name)), metric.value?))
    };
    sums.report().into_iter().filter_map(named).collect()
}

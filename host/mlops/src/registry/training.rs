//! The training data of an external model: histograms of its columns, by the rules of our own trainer.
//!
//! A CSV file whose first line names the columns. One is the target; one may be named `prediction`, and has what the model
//! said for the row, best on rows that it had not seen. All others are features: numbers where every value is one,
//! levels otherwise.

use std::collections::{BTreeMap, BTreeSet};

use models::manifest::{Baseline, Distribution};
use models::schema::{Feature, Kind, MISSING, Missing, Unknown};
use sha2::{Digest as _, Sha256};

use super::{Package, TargetType};
use crate::numbers::accuracy::{Actual, Outcome, Sums, Target};

/// The column with the model's own predictions.
const PREDICTION: &str = "prediction";
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
    /// A target or a prediction of a regression is no number.
    #[error("column {column:?}, line {line}: not a number")]
    NotANumber {
        /// The column.
        column: String,
        /// The line in the file.
        line: u64,
    },
}

impl Package {
    /// Takes the baseline from training data.
    pub(super) fn train_on(&mut self, bytes: &[u8]) -> Result<(), TrainingFault> {
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
        let column = |at: usize| -> Vec<Option<&str>> {
            rows.iter().map(|row| row.get(at).filter(|text| !MISSING.contains(text))).collect()
        };
        let place = |name: &str| header.iter().position(|column| column == name);
        let target = place(&self.target.name)
            .ok_or_else(|| TrainingFault::NoTarget(self.target.name.clone()))?;
        let prediction = place(PREDICTION).filter(|place| *place != target);

        let mut features = Vec::new();
        let mut distributions = Vec::new();
        for (at, name) in header.iter().enumerate() {
            if at == target || Some(at) == prediction {
                continue;
            }
            let (kind, distribution) = distribution(&column(at));
            features.push(Feature {
                name: name.clone(),
                kind,
                missing: Missing::Keep,
                unknown: Unknown::Other,
            });
            distributions.push(distribution);
        }
        let outcomes = column(target);
        let target_distribution = distribution(&outcomes).1;
        self.metrics = BTreeMap::new();
        let predictions = match prediction {
            Some(at) if self.target.kind == TargetType::Regression => {
                let said = numbers(&column(at), PREDICTION, &rows)?;
                let happened = numbers(&outcomes, &self.target.name, &rows)?;
                self.metrics = metrics(&said, &happened);
                Distribution::of_numbers(&said)
            }
            Some(at) => distribution(&column(at)).1,
            // The best guess at what a model says is what it was taught.
            None => target_distribution.clone(),
        };
        let hex = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.training_data_sha256 = Some(hex);
        self.training_rows = Some(rows.len() as u64);
        self.features = features;
        self.baseline = Some(Baseline {
            rows: rows.len() as u64,
            features: distributions,
            target: target_distribution,
            predictions,
            importance: Vec::new(),
        });
        Ok(())
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

/// The metrics of a regression by the trainer's names.
fn metrics(said: &[f64], happened: &[f64]) -> BTreeMap<String, f64> {
    let mut sums = Sums::new(&Target::Regression);
    for (prediction, actual) in said.iter().zip(happened) {
        if prediction.is_finite() && actual.is_finite() {
            let actual = Actual::Number(*actual);
            sums.add(&Outcome { prediction: &[*prediction], actual });
        }
    }
    let named = |metric: crate::numbers::accuracy::Metric| {
        Some((format!("training_{}", crate::report::trained_name(metric.name)), metric.value?))
    };
    sums.report().into_iter().filter_map(named).collect()
}

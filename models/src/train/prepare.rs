//! From a table to what is learned from: features with their policies, columns, and rows.
//!
//! Kinds, levels and whether a feature may be missing are facts of the whole table. What stands in for a missing value
//! is learned, and so comes from the rows that are learned from only, in every fold.

use super::{
    Algorithm, Settings, Table, TableColumn, TrainError, learner::Learner, nearest::nearest, smart,
};
use crate::{Column, Decline, Feature, Kind, Missing, Model, Regressor, scorer::block::Block};

/// The most levels of a category; each becomes a column.
pub const LEVELS_MAX: usize = 128;
/// From this many rows on a category can be recognised as an identifier, and a number as a count of the rows.
const SUSPECT_ROWS: usize = 20;

/// What stands in for a missing value. Features without missing values refuse them later, whatever is chosen here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingPolicy {
    /// Nothing: missing values are refused in training.
    Refuse,
    /// The mean of a number, the most frequent level of a category.
    Mean,
    /// The median of a number, the most frequent level of a category.
    Median,
}

/// What is learned from.
#[derive(Debug)]
pub(super) struct Prepared {
    target: String,
    /// Features with policies that come from all rows.
    pub(super) features: Vec<Feature>,
    columns: Vec<Column>,
    /// Rows of features, row by row.
    pub(super) numbers: Vec<f64>,
    pub(super) targets: Vec<f64>,
    missing: MissingPolicy,
}

/// A model and its learner's own predictions.
pub(super) type Fit = (Model, Vec<f64>);

impl Prepared {
    pub(super) fn new(table: &Table, settings: &Settings) -> Result<Self, TrainError> {
        let targets = targets(table, &settings.target)?;
        let used: Vec<&TableColumn> =
            table.columns.iter().filter(|column| column.name != settings.target).collect();
        if used.is_empty() {
            return Err(TrainError::NoFeatures { target: settings.target.clone() });
        }
        for column in &used {
            check_feature(column, table, settings.missing)?;
        }
        let features = used.iter().map(|column| Feature {
            name: column.name.clone(),
            kind: column.kind.clone(),
            missing: Missing::Refuse,
            unknown: settings.unknown,
        });
        let mut prepared = Self {
            target: settings.target.clone(),
            features: features.collect(),
            columns: used
                .iter()
                .enumerate()
                .flat_map(|(at, column)| columns(at as u32, &column.kind))
                .collect(),
            numbers: (0..table.rows())
                .flat_map(|row| used.iter().map(move |column| column.values[row]))
                .collect(),
            targets,
            missing: settings.missing,
        };
        let all: Vec<usize> = (0..table.rows()).collect();
        prepared.features = prepared.features_from(&all);
        Ok(prepared)
    }

    /// The values of one feature.
    pub(super) fn column(&self, feature: usize) -> Vec<f64> {
        self.numbers.iter().skip(feature).step_by(self.features.len()).copied().collect()
    }

    /// The features' values of some rows.
    pub(super) fn rows(&self, rows: &[usize]) -> Vec<f64> {
        let width = self.features.len();
        rows.iter()
            .flat_map(|row| self.numbers[row * width..(row + 1) * width].iter().copied())
            .collect()
    }

    /// The targets of some rows.
    pub(super) fn targets_of(&self, rows: &[usize]) -> Vec<f64> {
        rows.iter().map(|row| self.targets[*row]).collect()
    }

    /// Learns from some rows. The learner's own predictions for them are empty unless asked for.
    pub(super) fn fit(
        &self,
        learner: Learner,
        rows: &[usize],
        seed: u64,
        predict: bool,
    ) -> Result<Fit, TrainError> {
        let features = self.features_from(rows);
        let values = self.widen(&features, rows)?;
        let targets = self.targets_of(rows);
        let rows = smart::Rows { width: self.columns.len(), values: &values, targets: &targets };
        let fitted = smart::fit(learner, rows, seed, predict)
            .map_err(|source| TrainError::Fit { algorithm: Algorithm::of(&learner), source })?;
        Ok((self.model(features, fitted.regressor), fitted.predictions.unwrap_or_default()))
    }

    fn model(&self, features: Vec<Feature>, regressor: Regressor) -> Model {
        Model { target: self.target.clone(), features, columns: self.columns.clone(), regressor }
    }

    fn widen(&self, features: &[Feature], rows: &[usize]) -> Result<Vec<f64>, Decline> {
        let mut block = Block::new(features, &self.columns);
        block.widen(features, &self.columns, 0, &self.rows(rows)).map(<[f64]>::to_vec)
    }

    /// The features with what stands in for missing values, learned from some rows.
    fn features_from(&self, rows: &[usize]) -> Vec<Feature> {
        let learned = self.features.iter().enumerate().map(|(at, feature)| {
            let all = self.column(at);
            let missing = if all.iter().any(|value| value.is_nan()) {
                let present = |values: &mut dyn Iterator<Item = f64>| {
                    values.filter(|value| !value.is_nan()).collect()
                };
                let mut values: Vec<f64> = present(&mut rows.iter().map(|row| all[*row]));
                if values.is_empty() {
                    // A fold may have none; then the whole column speaks.
                    values = present(&mut all.iter().copied());
                }
                Missing::Replace(stand_in(&mut values, &feature.kind, self.missing))
            } else {
                Missing::Refuse
            };
            Feature { missing, ..feature.clone() }
        });
        learned.collect()
    }
}

fn targets(table: &Table, target: &str) -> Result<Vec<f64>, TrainError> {
    let Some(column) = table.position(target).map(|at| &table.columns[at]) else {
        let nearest = nearest(target, table.columns.iter().map(|column| column.name.as_str()));
        return Err(TrainError::NoTarget { target: target.to_owned(), nearest });
    };
    if column.kind != Kind::Numeric {
        let value = column.not_a_number.clone();
        return Err(TrainError::TargetNotNumeric { target: target.to_owned(), value });
    }
    let gaps = || column.values.iter().zip(&table.lines).filter(|(value, _)| value.is_nan());
    match gaps().next() {
        Some((_, line)) => Err(TrainError::TargetMissing {
            target: target.to_owned(),
            count: gaps().count(),
            line: *line,
        }),
        None => Ok(column.values.clone()),
    }
}

fn check_feature(
    column: &TableColumn,
    table: &Table,
    missing: MissingPolicy,
) -> Result<(), TrainError> {
    let feature = || column.name.clone();
    let present = column.values.iter().filter(|value| !value.is_nan()).count();
    if present == 0 {
        return Err(TrainError::EmptyFeature { feature: feature() });
    }
    let gap = column.values.iter().zip(&table.lines).find(|(value, _)| value.is_nan());
    if let (Some((_, line)), MissingPolicy::Refuse) = (gap, missing) {
        return Err(TrainError::MissingRefused { feature: feature(), line: *line });
    }
    let value = || column.not_a_number.clone();
    match &column.kind {
        Kind::Categorical(levels) => {
            let identifier =
                present >= SUSPECT_ROWS && levels.len() * 2 > present && !column.forced;
            if identifier {
                return Err(TrainError::Identifier {
                    feature: feature(),
                    levels: levels.len(),
                    rows: present,
                    value: value(),
                });
            }
            if levels.len() > LEVELS_MAX {
                return Err(TrainError::TooManyLevels {
                    feature: feature(),
                    levels: levels.len(),
                    value: value(),
                });
            }
        }
        Kind::Numeric => {
            let first = column.values.first().copied().unwrap_or_default();
            let counts =
                column.values.iter().enumerate().all(|(row, value)| *value == first + row as f64);
            if counts && present >= SUSPECT_ROWS && !column.forced {
                return Err(TrainError::RowNumber { feature: feature() });
            }
        }
    }
    Ok(())
}

/// A number is one column, a category one for each level.
fn columns(feature: u32, kind: &Kind) -> Vec<Column> {
    match kind {
        Kind::Numeric => vec![Column::Number { feature }],
        Kind::Categorical(levels) => {
            (0..levels.len()).map(|code| Column::Level { feature, code: code as u32 }).collect()
        }
    }
}

/// What stands in for a missing value; there is at least one that is not.
fn stand_in(values: &mut [f64], kind: &Kind, policy: MissingPolicy) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (kind, policy) {
        (Kind::Numeric, MissingPolicy::Median) if values.len().is_multiple_of(2) => {
            f64::midpoint(values[middle - 1], values[middle])
        }
        (Kind::Numeric, MissingPolicy::Median) => values[middle],
        (Kind::Numeric, _) => values.iter().sum::<f64>() / values.len() as f64,
        (Kind::Categorical(_), _) => {
            // The longest run; of several the first, which is the level that comes first.
            let runs = values.chunk_by(|a, b| a == b);
            let longest =
                runs.reduce(|longest, run| if run.len() > longest.len() { run } else { longest });
            longest.and_then(|run| run.first().copied()).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests;

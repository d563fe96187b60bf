//! Golden rows: training rows whose predictions a package must reproduce bit for bit. Extremes first, because faults
//! of tables show at their ends, then rows spread over the data.

use super::{TrainError, prepare::Prepared};
use crate::{Model, manifest::Golden, schema::Missing};

/// How many golden rows a model has at most, besides the one with missing values.
const GOLDEN_ROWS: usize = 10;
/// How many of them are extremes of features.
const EXTREMES: usize = 6;

/// Chooses golden rows and asks the model for their predictions.
pub(super) fn rows(
    model: &Model,
    prepared: &Prepared,
    predictions: &[f64],
) -> Result<Vec<Golden>, TrainError> {
    let mut chosen = Vec::new();
    let mut take = |row: Option<usize>, most: usize| {
        if let Some(row) = row.filter(|row| !chosen.contains(row) && chosen.len() < most) {
            chosen.push(row);
        }
    };
    take(extreme(predictions, 1.0), GOLDEN_ROWS);
    take(extreme(predictions, -1.0), GOLDEN_ROWS);
    for feature in 0..model.features.len() {
        let values = prepared.column(feature);
        take(extreme(&values, 1.0), 2 + EXTREMES);
        take(extreme(&values, -1.0), 2 + EXTREMES);
    }
    for step in 0..GOLDEN_ROWS {
        take(Some(step * predictions.len() / GOLDEN_ROWS), GOLDEN_ROWS);
    }
    let width = model.features.len();
    let mut numbers = prepared.rows(&chosen);
    if model.features.iter().any(|feature| feature.missing != Missing::Refuse) {
        let gaps = prepared.rows(&[0]).into_iter().zip(&model.features);
        numbers.extend(
            gaps.map(|(value, f)| if f.missing == Missing::Refuse { value } else { f64::NAN }),
        );
    }
    let mut predictions = Vec::new();
    model.clone().scorer()?.score(numbers.len() / width, &numbers, &mut predictions)?;
    let golden = numbers.chunks_exact(width).zip(predictions).map(|(row, prediction)| Golden {
        row: row.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect(),
        prediction,
    });
    Ok(golden.collect())
}

/// The first row with the largest value times `sign`.
fn extreme(values: &[f64], sign: f64) -> Option<usize> {
    let present = values.iter().enumerate().filter(|(_, value)| !value.is_nan());
    present
        .reduce(|best, other| if other.1 * sign > best.1 * sign { other } else { best })
        .map(|(row, _)| row)
}

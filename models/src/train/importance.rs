//! How much a model depends on each feature: how much worse its predictions become when the feature's values are dealt
//! out anew among the rows (permutation importance). The feature that matters most has 1, one that does not matter 0.
//!
//! It holds for any model, because it only asks for predictions. Features that say the same share their importance.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{TrainError, prepare::Prepared};
use crate::Model;

/// Rows that are looked at, at most: more take longer and hardly say more.
pub(super) const ROWS_MAX: usize = 2_000;
/// How often each feature is dealt out anew; chance evens out.
const REPEATS: usize = 5;

/// The importance of each feature, 0 to 1, in the order of the features. The same seed gives the same numbers.
pub(super) fn of(model: &Model, prepared: &Prepared, seed: u64) -> Result<Vec<f64>, TrainError> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut rows: Vec<usize> = (0..prepared.targets.len()).collect();
    rows.shuffle(&mut chance);
    rows.truncate(ROWS_MAX);
    let (mut numbers, targets) = (prepared.rows(&rows), prepared.targets_of(&rows));
    let mut scorer = model.clone().scorer()?;
    let mut predictions = Vec::new();
    let mut error = |numbers: &[f64]| -> Result<f64, TrainError> {
        predictions.clear();
        scorer.score(targets.len(), numbers, &mut predictions)?;
        let squares = predictions.iter().zip(&targets).map(|(p, y)| (p - y) * (p - y));
        Ok(squares.sum::<f64>() / targets.len() as f64)
    };
    let before = error(&numbers)?;
    let width = prepared.features.len();
    let mut rises = Vec::with_capacity(width);
    for feature in 0..width {
        let own: Vec<f64> = numbers.iter().skip(feature).step_by(width).copied().collect();
        let mut dealt = own.clone();
        let mut sum = 0.0;
        for _repeat in 0..REPEATS {
            dealt.shuffle(&mut chance);
            put(&mut numbers, width, feature, &dealt);
            sum += error(&numbers)?;
        }
        put(&mut numbers, width, feature, &own);
        rises.push((sum / REPEATS as f64 - before).max(0.0));
    }
    let most = rises.iter().copied().fold(0.0, f64::max);
    // A model that says the same of every row depends on nothing.
    Ok(rises.into_iter().map(|rise| if most > 0.0 { rise / most } else { 0.0 }).collect())
}

/// Puts values into a column of rows.
fn put(numbers: &mut [f64], width: usize, column: usize, values: &[f64]) {
    for (place, value) in numbers.iter_mut().skip(column).step_by(width).zip(values) {
        *place = *value;
    }
}

//! The parity gate: tables say what their learner says, or there is no model.

use super::{TrainError, prepare::Prepared};
use crate::Model;

/// How far tables and learner may part, relative to the larger prediction or, where predictions are near zero, to the
/// spread of the target.
pub const PARITY: f64 = 1e-9;

/// Writes a model, reads it back, and scores every training row. Gives the model that was read and its predictions.
pub(super) fn pass(
    model: &Model,
    prepared: &Prepared,
    learner: &[f64],
    lines: &[u64],
) -> Result<(Model, Vec<f64>), TrainError> {
    let mut scorer = Model::decode(&model.encode())?.scorer()?;
    let mut predictions = Vec::new();
    scorer.score(prepared.targets.len(), &prepared.numbers, &mut predictions)?;
    compare(learner, &predictions, spread(&prepared.targets), lines)?;
    Ok((scorer.model().clone(), predictions))
}

fn compare(learner: &[f64], tables: &[f64], spread: f64, lines: &[u64]) -> Result<(), TrainError> {
    // A prediction that is not there is one that does not agree.
    let both =
        (0..lines.len()).map(|row| (row, learner.get(row).copied(), tables.get(row).copied()));
    for (row, learner, tables) in both {
        let (learner, tables) = (learner.unwrap_or(f64::NAN), tables.unwrap_or(f64::NAN));
        let allowed = PARITY * learner.abs().max(tables.abs()).max(spread);
        let agrees = (learner - tables).abs() <= allowed;
        if !agrees {
            return Err(TrainError::Parity { row, line: lines[row], learner, tables });
        }
    }
    Ok(())
}

fn spread(targets: &[f64]) -> f64 {
    let count = targets.len() as f64;
    let mean = targets.iter().sum::<f64>() / count;
    (targets.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_that_part_are_named_with_row_line_and_numbers() {
        let lines = [2, 3, 5];
        assert!(compare(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0 + 2.9e-9], 0.0, &lines).is_ok());
        match compare(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0 + 3.1e-9], 0.0, &lines) {
            Err(TrainError::Parity { row: 2, line: 5, learner: 3.0, tables }) => {
                assert_eq!(tables, 3.0 + 3.1e-9)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn near_zero_the_spread_of_the_target_is_the_measure() {
        assert!(compare(&[1e-12], &[-1e-12], 1.0, &[2]).is_ok());
        assert!(compare(&[1e-12], &[-1e-12], 0.0, &[2]).is_err());
    }

    #[test]
    fn what_is_missing_or_not_a_number_does_not_agree() {
        assert!(compare(&[1.0], &[], 1.0, &[2]).is_err());
        assert!(compare(&[], &[1.0], 1.0, &[2]).is_err());
        assert!(compare(&[f64::NAN], &[f64::NAN], 1.0, &[2]).is_err());
    }
}

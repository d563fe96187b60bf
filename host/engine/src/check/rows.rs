//! Rows to ask a model with.

use models::manifest::{Distribution, Manifest};

use crate::contract::{Input, Signature};

/// How many different rows are made up.
const MADE_UP: usize = 200;
/// Numbers that models of most things take.
const NUMBERS: [f64; 8] = [1.0, 0.0, 30.0, 3.5, 100.0, 0.25, 2.0, 57.0];

/// Rows that the model may score, the likeliest first: those given, golden ones, then made-up ones.
pub(super) fn candidates(
    signature: &Signature,
    given: &[f64],
    manifest: Option<&Manifest>,
) -> Vec<Vec<f64>> {
    let width = signature.features.len();
    let mut rows: Vec<Vec<f64>> = given.chunks_exact(width.max(1)).map(<[f64]>::to_vec).collect();
    if let Some(manifest) = manifest {
        let golden = manifest.golden.iter();
        rows.extend(golden.map(|it| it.row.iter().map(|x| x.unwrap_or(f64::NAN)).collect()));
    }
    // Also among each other: what two rows have in a column is at home there.
    let known = rows.len();
    for step in 0..MADE_UP {
        let column = |(at, input): (usize, &Input)| {
            // A step of its own for each column, so that columns do not move together.
            let turn = step.wrapping_mul(2 * at + 3).wrapping_add(at * at);
            if known > 1 {
                return rows[turn % known][at];
            }
            match manifest.map(|manifest| &manifest.baseline.features[at]) {
                _ if input.kind == "categorical" => (turn % input.levels.len().max(1)) as f64,
                Some(Distribution::Numeric { min, max, .. }) if min < max => {
                    min + (max - min) * ((turn % 11) as f64 / 10.0)
                }
                _ => NUMBERS.get(step).copied().unwrap_or_else(|| {
                    NUMBERS[turn % NUMBERS.len()] * (1.0 + (turn % 5) as f64 / 4.0)
                }),
            }
        };
        let row = signature.features.iter().enumerate().map(column).collect();
        rows.push(row);
    }
    rows
}

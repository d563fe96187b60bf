use alloc::{vec, vec::Vec};

use super::*;
use crate::{
    model::tests as samples,
    schema::{Missing, Unknown},
};

fn score(model: &Model, rows: usize, numbers: &[f64]) -> Result<Vec<f64>, Decline> {
    let mut out = vec![7.0];
    model.clone().scorer().expect("a valid model").score(rows, numbers, &mut out).map(|()| out)
}

/// The code, row and feature of a decline.
fn declined(
    model: &Model,
    rows: usize,
    numbers: &[f64],
) -> (&'static str, Option<u32>, Option<u32>) {
    let decline = score(model, rows, numbers).expect_err("a row that cannot be scored");
    (decline.code, decline.row, decline.feature)
}

#[test]
fn a_linear_model_is_its_formula() {
    let model = samples::linear();
    assert_eq!(score(&model, 3, &[1.0, 0.0, 2.0, 1.0, 3.0, 2.0]), Ok(vec![13.0, 25.0, 37.0]));
    // A level of its own matches none of the known ones.
    assert_eq!(score(&model, 1, &[1.0, -1.0]), Ok(vec![3.0]));
}

#[test]
fn what_cannot_be_scored_is_named_by_row_and_feature() {
    let mut model = samples::linear();
    model.features[1].unknown = Unknown::Refuse;
    let nan = f64::NAN;
    assert_eq!(declined(&model, 2, &[1.0, 0.0, nan, 0.0]), ("missing-value", Some(1), Some(0)));
    assert_eq!(declined(&model, 1, &[1.0, nan]), ("missing-value", Some(0), Some(1)));
    for code in [-1.0, 3.0, 0.5, f64::INFINITY] {
        assert_eq!(declined(&model, 1, &[1.0, code]), ("unknown-level", Some(0), Some(1)));
    }
    assert_eq!(declined(&model, 1, &[f64::INFINITY, 0.0]), ("not-finite", Some(0), Some(0)));
    assert_eq!(declined(&model, 2, &[1.0, 0.0, f64::MAX, 0.0]), ("not-finite", Some(1), None));
    for (rows, numbers) in
        [(0, &[][..]), (1, &[1.0][..]), (1, &[1.0, 0.0, 1.0][..]), (usize::MAX, &[1.0, 0.0][..])]
    {
        assert_eq!(declined(&model, rows, numbers), ("wrong-shape", None, None));
    }
}

#[test]
fn a_decline_leaves_no_predictions_and_the_scorer_in_use() {
    let mut scorer = samples::linear().scorer().expect("a valid model");
    let mut out = Vec::new();
    let mut numbers = [1.0, 0.0].repeat(3 * BLOCK_ROWS);
    *numbers.last_mut().expect("rows") = f64::NAN;
    let decline =
        scorer.score(3 * BLOCK_ROWS, &numbers, &mut out).expect_err("the last row lacks a value");
    assert_eq!((decline.row, out.len()), (Some(3 * BLOCK_ROWS as u32 - 1), 0));
    scorer.score(1, &[1.0, 0.0], &mut out).expect("a good row");
    assert_eq!(out, [13.0]);
}

#[test]
fn policies_stand_in_for_what_is_missing_or_unknown() {
    let mut model = samples::linear();
    model.features[0].missing = Missing::Replace(5.0);
    model.features[1].missing = Missing::Replace(2.0);
    model.features[1].unknown = Unknown::Missing;
    assert_eq!(score(&model, 1, &[f64::NAN, 0.0]), Ok(vec![21.0]));
    assert_eq!(score(&model, 1, &[0.0, f64::NAN]), Ok(vec![31.0]));
    assert_eq!(score(&model, 1, &[0.0, -1.0]), Ok(vec![31.0]));
    model.features[1].missing = Missing::Keep;
    assert_eq!(score(&model, 1, &[0.0, f64::NAN]), Ok(vec![1.0]), "no level matches a kept gap");
}

#[test]
fn a_prediction_does_not_depend_on_the_batch() {
    for model in samples::models() {
        let width = model.features.len();
        let rows = 2 * BLOCK_ROWS + 1;
        let numbers: Vec<f64> =
            (0..rows).flat_map(|row| [row as f64 * 0.037 - 2.0, (row % 3) as f64]).collect();
        let batch = score(&model, rows, &numbers).expect("good rows");
        for (row, numbers) in numbers.chunks_exact(width).enumerate() {
            let alone = score(&model, 1, numbers).expect("a good row");
            assert_eq!(alone[0].to_bits(), batch[row].to_bits(), "row {row}");
        }
    }
}

/// A linear model whose columns are its features, one of them without weight.
fn plain() -> Model {
    let mut model = samples::linear();
    model.features[1].kind = crate::schema::Kind::Numeric;
    model.columns =
        vec![crate::Column::Number { feature: 0 }, crate::Column::Number { feature: 1 }];
    model.regressor =
        Regressor::Linear(crate::regressor::Linear { weights: vec![2.0, 0.0], intercept: 1.0 });
    model
}

#[test]
fn a_linear_model_sees_bad_inputs_in_its_predictions() {
    let rows = 2 * BLOCK_ROWS + 5;
    let numbers = [3.0, 4.0].repeat(rows);
    assert_eq!(score(&plain(), rows, &numbers), Ok(vec![7.0; rows]));
    for at in [0, 1, 2 * BLOCK_ROWS + 1, 2 * rows - 1] {
        let (row, feature) = (Some(at as u32 / 2), Some(at as u32 % 2));
        let with = |value: f64| {
            let mut numbers = numbers.clone();
            numbers[at] = value;
            numbers
        };
        let infinite = f64::INFINITY;
        for (value, code) in [(f64::NAN, "missing-value"), (infinite, "not-finite")] {
            assert_eq!(declined(&plain(), rows, &with(value)), (code, row, feature));
        }
        let mut replacing = plain();
        replacing.features[at % 2].missing = Missing::Replace(5.0);
        assert_eq!(score(&replacing, rows, &with(f64::NAN)), score(&plain(), rows, &with(5.0)));
    }
    assert_eq!(declined(&plain(), 2, &[1.0, 0.0, f64::MAX, 0.0]), ("not-finite", Some(1), None));
}

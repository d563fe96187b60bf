//! Scoring a batch: rows are checked against the schema, widened to the regressor's columns, and handed over in
//! blocks, so that the scratch stays small and is allocated once.
//!
//! A batch is scored whole or not at all. What a caller can get wrong comes back as a [`Decline`]; nothing panics on
//! any batch.

pub(crate) mod block;

use alloc::{format, string::String, vec::Vec};

use crate::{
    model::Model,
    regressor::{Regressor, lanes::all_finite, neighbours::Nearest, trees::Forest},
    scorer::block::Block,
};

/// The stable words of [`Decline::code`].
pub mod decline_code {
    /// A value is missing that the model cannot do without.
    pub const MISSING_VALUE: &str = "missing-value";
    /// A level that the model does not know.
    pub const UNKNOWN_LEVEL: &str = "unknown-level";
    /// The batch has no rows, or not as many values as rows and features ask for.
    pub const WRONG_SHAPE: &str = "wrong-shape";
    /// An infinite input, or a row whose prediction would not be a finite number.
    pub const NOT_FINITE: &str = "not-finite";
}

/// Rows that are widened and scored at a time: enough to spread the cost of a block, few enough to stay in the cache.
pub(crate) const BLOCK_ROWS: usize = 64;

/// Why a model does not score a batch. An answer, not a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decline {
    /// One of [`decline_code`].
    pub code: &'static str,
    /// A sentence for the person who sent the row.
    pub message: String,
    /// The first row (from 0) that cannot be scored, when one row is to blame.
    pub row: Option<u32>,
    /// Index of the feature to blame, when one is.
    pub feature: Option<u32>,
}

/// A model that is ready to score, with its scratch.
#[derive(Debug)]
pub struct Scorer {
    model: Model,
    block: Block,
    /// The trees in the form in which they are walked; none for another regressor.
    forest: Forest,
    /// The nearest training rows of the row at hand.
    nearest: Nearest,
}

impl Scorer {
    /// Prepares a model that has been validated.
    pub(crate) fn new(model: Model) -> Self {
        let forest = match &model.regressor {
            Regressor::Trees(trees) => Forest::new(trees),
            _ => Forest::default(),
        };
        let block = Block::new(&model.features, &model.columns);
        Self { model, block, forest, nearest: Nearest::default() }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Scores `rows` rows of `numbers`, row by row in the order of the features: NaN is a missing value, a level is
    /// given by its code. `out` is cleared and holds one finite prediction a row afterwards. A row's prediction does
    /// not depend on the rows around it.
    ///
    /// # Errors
    ///
    /// [`Decline`] for the first row that cannot be scored; `out` is empty then.
    pub fn score(
        &mut self,
        rows: usize,
        numbers: &[f64],
        out: &mut Vec<f64>,
    ) -> Result<(), Decline> {
        out.clear();
        let result = self.score_blocks(rows, numbers, out);
        if result.is_err() {
            out.clear();
        }
        result
    }

    fn score_blocks(
        &mut self,
        rows: usize,
        numbers: &[f64],
        out: &mut Vec<f64>,
    ) -> Result<(), Decline> {
        let features = self.model.features.len();
        if rows == 0 || rows.checked_mul(features) != Some(numbers.len()) {
            return Err(Decline {
                code: decline_code::WRONG_SHAPE,
                message: format!(
                    "the batch has {} values, where {rows} rows of {features} features were announced",
                    numbers.len()
                ),
                row: None,
                feature: None,
            });
        }
        out.reserve(rows);
        let width = self.model.columns.len();
        for (block, numbers) in numbers.chunks(BLOCK_ROWS * features).enumerate() {
            let first = block * BLOCK_ROWS;
            let rows = numbers.len() / features;
            if self.linear_at_once(rows, numbers, out) {
                continue;
            }
            let columns =
                self.block.widen(&self.model.features, &self.model.columns, first, numbers)?;
            match &self.model.regressor {
                Regressor::Linear(table) => table.score(rows, columns, out),
                Regressor::Trees(table) => self.forest.score(table, rows, width, columns, out),
                Regressor::Kernel(table) => table.score(width, columns, out),
                Regressor::Neighbours(table) => {
                    table.score(width, columns, &mut self.nearest, out);
                }
            }
            if !all_finite(&out[first..]) {
                let row = out.iter().skip(first).position(|prediction| !prediction.is_finite());
                return Err(Decline {
                    code: decline_code::NOT_FINITE,
                    message: String::from("the prediction for this row is not a finite number"),
                    row: row.and_then(|row| u32::try_from(first + row).ok()),
                    feature: None,
                });
            }
        }
        Ok(())
    }

    /// Scores a block of a linear model whose columns are the features without looking at the inputs first, and says
    /// whether that was right; if not, nothing is appended. The predictions tell: weights are finite, so an input that
    /// is not (0 times it neither) makes a term, and so a sum, that is not, and no addition after it mends that.
    fn linear_at_once(&self, rows: usize, numbers: &[f64], out: &mut Vec<f64>) -> bool {
        let Regressor::Linear(table) = &self.model.regressor else { return false };
        if !self.block.is_plain() {
            return false;
        }
        let first = out.len();
        table.score(rows, numbers, out);
        let right = all_finite(&out[first..]);
        if !right {
            out.truncate(first);
        }
        right
    }
}

#[cfg(test)]
mod tests;

//! How many positive and negative rows had which score: all that the metrics need that put rows in order.
//!
//! Scores are kept as they are while there are few different ones, and rounded to a grid when there are more. A grid never
//! becomes exact again, so that merging does the same in any order.

use serde::{Deserialize, Serialize};

use super::metric::Method;

/// So many different scores are kept as they are, for one group in one hour as for any number of them together. More
/// would make a month of hours slow to read.
pub const SCORES_KEPT: usize = 4096;
/// Beyond, scores are rounded to multiples of one by this.
pub const GRID: f64 = 4096.0;

/// Rows by score, the lowest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    rounded: bool,
    by_score: Vec<Rows>,
}

/// The rows with one score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Rows {
    /// The score's bits, whose order is its own because none is negative; of a grid its place.
    score: u64,
    positive: u64,
    negative: u64,
}

impl Scores {
    /// Counts a row in or out. The score is from 0 to 1.
    pub(super) fn count(&mut self, score: f64, positive: bool, enters: bool) {
        let score = if self.rounded { place(score) } else { (score + 0.0).to_bits() };
        let found = self.by_score.binary_search_by_key(&score, |rows| rows.score);
        let at = found.unwrap_or_else(|at| {
            self.by_score.insert(at, Rows { score, ..Rows::default() });
            at
        });
        let rows = &mut self.by_score[at];
        super::step(if positive { &mut rows.positive } else { &mut rows.negative }, enters);
        if rows.positive == 0 && rows.negative == 0 {
            self.by_score.remove(at);
        }
        self.keep_small();
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.rounded && !other.rounded {
            let mut other = other.clone();
            other.round();
            return self.merge(&other);
        }
        if other.rounded && !self.rounded {
            self.round();
        }
        let mut merged = Vec::with_capacity(self.by_score.len() + other.by_score.len());
        let (mut ours, mut theirs) = (self.by_score.as_slice(), other.by_score.as_slice());
        while let ([a, after_a @ ..], [b, after_b @ ..]) = (ours, theirs) {
            let mut rows = if a.score <= b.score { *a } else { *b };
            if a.score == b.score {
                rows.positive += b.positive;
                rows.negative += b.negative;
            }
            if a.score <= b.score {
                ours = after_a;
            }
            if b.score <= a.score {
                theirs = after_b;
            }
            merged.push(rows);
        }
        merged.extend_from_slice(ours);
        merged.extend_from_slice(theirs);
        self.by_score = merged;
        self.keep_small();
    }

    fn keep_small(&mut self) {
        if !self.rounded && self.by_score.len() > SCORES_KEPT {
            self.round();
        }
    }

    fn round(&mut self) {
        self.rounded = true;
        for rows in &mut self.by_score {
            rows.score = place(f64::from_bits(rows.score));
        }
        self.by_score.dedup_by(|next, rows| {
            let same = next.score == rows.score;
            if same {
                rows.positive += next.positive;
                rows.negative += next.negative;
            }
            same
        });
    }

    pub(super) fn method(&self) -> Method {
        if self.rounded { Method::Grid } else { Method::Exact }
    }

    /// Positive and negative rows.
    pub(super) fn totals(&self) -> (u64, u64) {
        self.by_score.iter().fold((0, 0), |(p, n), rows| (p + rows.positive, n + rows.negative))
    }

    /// The chance that a positive row has a higher score than a negative one, ties counting half. None when all rows are
    /// of one class.
    pub(super) fn area(&self) -> Option<f64> {
        let (positive, negative) = self.totals();
        let pairs = u128::from(positive) * u128::from(negative) * 2;
        let mut below = 0;
        // Twice the pairs in the right order, so that half a pair is whole.
        let mut right: u128 = 0;
        for rows in &self.by_score {
            let beaten = 2 * below + u128::from(rows.negative);
            right += u128::from(rows.positive) * beaten;
            below += u128::from(rows.negative);
        }
        (pairs > 0).then(|| right as f64 / pairs as f64)
    }

    /// The largest distance between the two classes' distributions of scores (Kolmogorov-Smirnov).
    pub(super) fn separation(&self) -> Option<f64> {
        let (positive, negative) = self.totals();
        let (mut p, mut n) = (0, 0);
        let distances = self.by_score.iter().map(|rows| {
            p += rows.positive;
            n += rows.negative;
            (p as f64 / positive as f64 - n as f64 / negative as f64).abs()
        });
        if positive == 0 || negative == 0 { None } else { Some(distances.fold(0.0, f64::max)) }
    }

    /// The share of positive rows among this share of rows with the highest scores (at least one row, rounded up). Of
    /// rows with the same score at its end, each is in it with the same chance.
    pub(super) fn rate_at_top(&self, percent: u64) -> Option<f64> {
        let (positive, negative) = self.totals();
        let rows = positive + negative;
        if rows == 0 {
            return None;
        }
        let top = (u128::from(rows) * u128::from(percent)).div_ceil(100) as u64;
        let (mut left, mut hits) = (top, 0.0);
        for rows in self.by_score.iter().rev() {
            let here = rows.positive + rows.negative;
            let taken = here.min(left);
            hits += rows.positive as f64 * (taken as f64 / here as f64);
            left -= taken;
            if left == 0 {
                break;
            }
        }
        Some(hits / top as f64)
    }
}

/// The place of a score on the grid.
fn place(score: f64) -> u64 {
    (score * GRID).round() as u64
}

//! Quantiles of positive numbers within 1 %, in counts that can be merged and taken back.
//!
//! A value is counted in the cell `floor(ln(value) / ln(gamma))` with `gamma = (1 + a) / (1 - a)`; every value of a cell is
//! within `a` of the cell's representative (the DDSketch of Masson, Rim and Lee, 2019). Cells are never collapsed: merging
//! is exact, whatever the order, and so is taking back. Values are held between [`SMALLEST`] and [`LARGEST`], so
//! that there are at most some 2,100 cells.

use serde::{Deserialize, Serialize};

/// How far a quantile may be from the value of that rank, relative to it.
pub const ACCURACY: f64 = 0.01;
/// What is below counts as zero.
pub const SMALLEST: f64 = 1e-9;
/// What is above counts as this.
pub const LARGEST: f64 = 1e9;

/// Counts of positive numbers by their logarithm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    zeros: u64,
    /// Cells with their counts, in order, none zero.
    cells: Vec<(i32, u64)>,
}

impl Sketch {
    /// Counts a value `count` times. What is negative or not a number counts as zero.
    pub fn add(&mut self, value: f64, count: u64) {
        if count == 0 {
            return;
        }
        let Some(key) = key(value) else {
            self.zeros += count;
            return;
        };
        match self.cells.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => self.cells[place].1 += count,
            Err(place) => self.cells.insert(place, (key, count)),
        }
    }

    /// Takes back a value that was counted.
    pub fn remove(&mut self, value: f64) {
        let Some(key) = key(value) else {
            self.zeros = self.zeros.saturating_sub(1);
            return;
        };
        if let Ok(place) = self.cells.binary_search_by_key(&key, |(key, _)| *key) {
            self.cells[place].1 -= 1;
            if self.cells[place].1 == 0 {
                self.cells.remove(place);
            }
        }
    }

    /// Takes everything of another sketch.
    pub fn merge(&mut self, other: &Self) {
        self.zeros += other.zeros;
        for (key, count) in &other.cells {
            match self.cells.binary_search_by_key(key, |(key, _)| *key) {
                Ok(place) => self.cells[place].1 += count,
                Err(place) => self.cells.insert(place, (*key, *count)),
            }
        }
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.zeros + self.cells.iter().map(|(_, count)| count).sum::<u64>()
    }

    /// About the value of rank `floor(q (n - 1))` in ascending order, counted from 0; none when nothing was counted or `q`
    /// is not between 0 and 1.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = (q * (count - 1) as f64) as u64;
        let mut passed = self.zeros;
        if rank < passed {
            return Some(0.0);
        }
        for (key, count) in &self.cells {
            passed += count;
            if rank < passed {
                return Some(representative(*key));
            }
        }
        None
    }
}

fn gamma() -> f64 {
    (1.0 + ACCURACY) / (1.0 - ACCURACY)
}

/// The cell of a value; none for what counts as zero.
fn key(value: f64) -> Option<i32> {
    let above = value >= SMALLEST;
    above.then(|| (value.min(LARGEST).ln() / gamma().ln()).floor() as i32)
}

/// The value that is within the accuracy of every value of the cell.
fn representative(key: i32) -> f64 {
    (f64::from(key) * gamma().ln()).exp() * (1.0 + ACCURACY)
}

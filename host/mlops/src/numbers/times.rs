//! Execution times.

use serde::{Deserialize, Serialize};

use super::sketch::Sketch;

/// Execution times in milliseconds, quantiles within 1 %.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times(Sketch);

impl Times {
    /// Takes one time.
    pub fn add(&mut self, milliseconds: f64) {
        self.0.add(milliseconds, 1);
    }

    /// Takes one time that `count` requests share.
    pub fn add_many(&mut self, milliseconds: f64, count: u64) {
        self.0.add(milliseconds, count);
    }

    /// Takes everything of another.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// The time below which the share `q` of the requests lies; none when there are none.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.0.quantile(q)
    }

    /// How many times were taken.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.count()
    }
}

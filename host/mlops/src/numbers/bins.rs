//! Bins of drift: where a value is counted. The bins of a column come from its distribution in training.

use models::{manifest::Distribution, manifest::distribution, schema::Kind};
use serde::{Deserialize, Serialize};

/// Equal steps over the training range.
const STEPS: usize = distribution::BINS;
/// Where a number below the training range is counted; the steps come after it.
const BELOW: usize = 0;
const ABOVE: usize = STEPS + 1;
const NUMBER_MISSING: usize = STEPS + 2;

/// The bins of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Bins {
    /// Of numbers: below, ten equal steps, above, missing. An edge belongs to the step above it, `max` to the last.
    Numeric {
        /// The smallest value in training.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// Of levels: those listed, other, new, missing.
    Levels {
        /// The most frequent in training, each with a bin of its own.
        listed: Vec<String>,
        /// The other levels of training, together in `other`. Without them every unlisted level is new.
        known: Vec<String>,
    },
}

/// Counts, one a bin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally(pub Vec<u64>);

impl Bins {
    /// The bins of a column, and its training data counted in them. `kind` tells the levels that the distribution
    /// does not list.
    #[must_use]
    pub fn of(distribution: &Distribution, kind: Option<&Kind>) -> (Self, Tally) {
        match distribution {
            Distribution::Numeric { missing, min, max, counts, .. } => {
                let bins = Self::Numeric { min: *min, max: *max };
                let mut tally = bins.empty();
                for (step, count) in counts.iter().enumerate().take(STEPS) {
                    tally.add(BELOW + 1 + step, *count);
                }
                tally.add(NUMBER_MISSING, *missing);
                (bins, tally)
            }
            Distribution::Categorical { missing, levels, other } => {
                let listed: Vec<String> = levels.iter().map(|(level, _)| level.clone()).collect();
                let mut known = match kind {
                    Some(Kind::Categorical(all)) => all.clone(),
                    Some(Kind::Numeric) | None => Vec::new(),
                };
                known.retain(|level| !listed.contains(level));
                let mut counts: Vec<u64> = levels.iter().map(|(_, count)| *count).collect();
                counts.extend([*other, 0, *missing]);
                (Self::Levels { listed, known }, Tally(counts))
            }
        }
    }

    /// No counts, in as many bins.
    #[must_use]
    pub fn empty(&self) -> Tally {
        Tally(vec![0; self.len()])
    }

    /// How many bins there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there are always some")]
    pub fn len(&self) -> usize {
        match self {
            Self::Numeric { .. } => NUMBER_MISSING + 1,
            Self::Levels { listed, .. } => listed.len() + 3,
        }
    }

    /// The bin of missing values.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.len() - 1
    }

    /// Where a number is counted; NaN is missing. Of levels a number is a new one.
    #[must_use]
    pub fn place_number(&self, value: f64) -> usize {
        match self {
            _ if value.is_nan() => self.missing(),
            Self::Numeric { min, .. } if value < *min => BELOW,
            Self::Numeric { max, .. } if value > *max => ABOVE,
            Self::Numeric { min, max } if min == max => BELOW + 1,
            Self::Numeric { min, max } => BELOW + 1 + distribution::bin(value, *min, *max, STEPS),
            Self::Levels { listed, .. } => listed.len() + 1,
        }
    }

    /// Where a text is counted; none is missing. Of numbers the text is read as one, and counts as missing when it is none.
    #[must_use]
    pub fn place_text(&self, value: Option<&str>) -> usize {
        let Some(value) = value else {
            return self.missing();
        };
        match self {
            Self::Numeric { .. } => self.place_number(value.trim().parse().unwrap_or(f64::NAN)),
            Self::Levels { listed, known } => {
                let new = listed.len() + 1;
                let other = || known.iter().any(|level| level == value).then_some(listed.len());
                listed.iter().position(|level| level == value).or_else(other).unwrap_or(new)
            }
        }
    }

    /// Counts numbers that come as centroids with their weights, and missing values.
    pub fn add_centroids(&self, tally: &mut Tally, centroids: &[(f64, i64)], missing: u64) {
        for (value, weight) in centroids {
            tally.add(self.place_number(*value), u64::try_from(*weight).unwrap_or(0));
        }
        tally.add(self.missing(), missing);
    }
}

impl Tally {
    /// Counts `count` values in the bin of this number.
    pub fn add(&mut self, place: usize, count: u64) {
        if self.0.len() <= place {
            self.0.resize(place + 1, 0);
        }
        self.0[place] += count;
    }

    /// Takes everything of another with the same bins.
    pub fn merge(&mut self, other: &Self) {
        for (place, count) in other.0.iter().enumerate() {
            self.add(place, *count);
        }
    }

    /// How many values were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

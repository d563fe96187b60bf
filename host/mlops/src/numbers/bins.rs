//! How the values of one column are counted: bins over the training range or the training levels, and places for what
//! training did not have.
//!
//! What a column's bins are is fixed when a package becomes part of a deployment. A tally is a list of counts and says
//! nothing of its bins: tallies are added only where they were counted with the same ones.

use models::manifest::Distribution;
use models::manifest::distribution::{BINS, LEVELS_LISTED, bin};
use models::schema::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The bins of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bins {
    /// Ten equal steps from the smallest to the largest value of training, places below and above them, and one for
    /// missing values.
    Numeric {
        /// The smallest value of training.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// The most frequent levels of training, a place for its other levels, one for new ones, and one for missing values.
    Levels {
        /// The levels with a place of their own, in this order.
        listed: Vec<String>,
        /// Training's other levels, sorted.
        known: Vec<String>,
    },
}

impl Bins {
    /// The bins of a column of the training data, and how training's values fell into them. The kind tells which levels
    /// training had beside those that are listed.
    #[must_use]
    pub fn of(distribution: &Distribution, kind: Option<&Kind>) -> (Self, Tally) {
        match distribution {
            Distribution::Numeric { missing, min, max, counts, .. } => {
                let bins = Self::Numeric { min: *min, max: *max };
                let mut tally = bins.empty();
                for (at, count) in counts.iter().enumerate() {
                    // One bin for a constant, ten otherwise.
                    tally.add(1 + at * BINS / counts.len(), *count);
                }
                tally.add(BINS + 2, *missing);
                (bins, tally)
            }
            Distribution::Categorical { missing, levels, other } => {
                let listed: Vec<String> = levels.iter().map(|(level, _)| level.clone()).collect();
                let mut known = match kind {
                    Some(Kind::Categorical(all)) => all.clone(),
                    Some(Kind::Numeric) | None => Vec::new(),
                };
                known.retain(|level| !listed.contains(level));
                known.sort();
                let mut counts: Vec<u64> = levels.iter().map(|(_, count)| *count).collect();
                counts.extend([*other, 0, *missing]);
                (Self::Levels { listed, known }, Tally(counts))
            }
        }
    }

    /// The bins of predicted classes, and how training's fell into them: a place for each class in the target's order, also
    /// for one that training did not have; of more classes than can be listed, for the most frequent ones. None where
    /// training's were counted as numbers.
    #[must_use]
    pub fn of_classes(distribution: &Distribution, classes: &[String]) -> Option<(Self, Tally)> {
        let Distribution::Categorical { missing, levels, other } = distribution else {
            return None;
        };
        let mut listed = classes.to_vec();
        let mut known = Vec::new();
        if classes.len() > LEVELS_LISTED {
            let frequent = levels.iter().filter(|(level, _)| classes.contains(level));
            listed = frequent.take(LEVELS_LISTED).map(|(level, _)| level.clone()).collect();
            known = classes.iter().filter(|class| !listed.contains(class)).cloned().collect();
            known.sort();
        }
        let unlisted = listed.len();
        let mut counts = vec![0; unlisted];
        counts.extend([*other, 0, *missing]);
        for (level, count) in levels {
            let place = listed.iter().position(|class| class == level).unwrap_or(unlisted);
            counts[place] += count;
        }
        Some((Self::Levels { listed, known }, Tally(counts)))
    }

    /// How many places there are.
    #[must_use]
    pub fn places(&self) -> usize {
        match self {
            Self::Numeric { .. } => BINS + 3,
            Self::Levels { listed, .. } => listed.len() + 3,
        }
    }

    /// A tally of nothing.
    #[must_use]
    pub fn empty(&self) -> Tally {
        Tally(vec![0; self.places()])
    }

    /// The place of a number; NaN is a missing value. Among levels it is the place of its text.
    #[must_use]
    pub fn place_number(&self, x: f64) -> usize {
        match self {
            Self::Numeric { .. } if x.is_nan() => BINS + 2,
            Self::Numeric { min, .. } if x < *min => 0,
            Self::Numeric { max, .. } if x > *max => BINS + 1,
            Self::Numeric { min, max } => 1 + bin(x, *min, *max, BINS),
            Self::Levels { .. } if x.is_nan() => self.place_text(None),
            Self::Levels { .. } => self.place_text(Some(&x.to_string())),
        }
    }

    /// The place of a text. Among numbers it is the place of the number that it says, or of a missing value.
    ///
    /// A level that is not listed is another one of training's, or new. Where nobody knows training's other levels
    /// but there may be some (the list is full), it is taken for one of them.
    #[must_use]
    pub fn place_text(&self, text: Option<&str>) -> usize {
        match self {
            Self::Numeric { .. } => {
                let number = text.and_then(|text| text.trim().parse().ok());
                self.place_number(number.unwrap_or(f64::NAN))
            }
            Self::Levels { listed, known } => {
                let Some(text) = text else { return listed.len() + 2 };
                if let Some(place) = listed.iter().position(|level| level == text) {
                    return place;
                }
                let other = if known.is_empty() {
                    listed.len() >= LEVELS_LISTED
                } else {
                    known.binary_search_by(|level| level.as_str().cmp(text)).is_ok()
                };
                listed.len() + usize::from(!other)
            }
        }
    }

    /// Counts values that were summed up where they were made, as centroids with their counts. All values of a centroid go
    /// to its place: exact as long as the sender's histogram had room for every value, near it otherwise.
    pub fn add_centroids(&self, tally: &mut Tally, centroids: &[(f64, i64)], missing: u64) {
        for (centroid, count) in centroids {
            tally.add(self.place_number(*centroid), u64::try_from(*count).unwrap_or(0));
        }
        tally.add(self.places() - 1, missing);
    }

    /// The names of the places, in their order.
    #[must_use]
    pub fn labels(&self) -> Vec<Label> {
        match self {
            Self::Numeric { min, max } => {
                let edge = |step: usize| match step {
                    0 => *min,
                    BINS => *max,
                    step => min + (max / BINS as f64 - min / BINS as f64) * step as f64,
                };
                let step = |at: usize| Label::Step { from: edge(at), to: edge(at + 1) };
                let ends = [Label::Above { than: *max }, Label::Missing];
                let below = Label::Below { than: *min };
                std::iter::once(below).chain((0..BINS).map(step)).chain(ends).collect()
            }
            Self::Levels { listed, .. } => {
                let listed = listed.iter().map(|level| Label::Level { level: level.clone() });
                listed.chain([Label::Other, Label::New, Label::Missing]).collect()
            }
        }
    }
}

/// What a place stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Label {
    /// Numbers below the training range.
    Below {
        /// The smallest number of training.
        than: f64,
    },
    /// Numbers from one edge up to, but not including, the next; the last step includes its end.
    Step {
        /// The first number.
        from: f64,
        /// The end.
        to: f64,
    },
    /// Numbers above the training range.
    Above {
        /// The largest number of training.
        than: f64,
    },
    /// One level.
    Level {
        /// Its text.
        level: String,
    },
    /// Training's levels that are not listed.
    Other,
    /// Levels that training did not have.
    New,
    /// Missing values.
    Missing,
}

/// How many values fell into each bin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally(pub Vec<u64>);

impl Tally {
    /// Counts `count` values at a place.
    pub fn add(&mut self, place: usize, count: u64) {
        if let Some(bin) = self.0.get_mut(place) {
            *bin = bin.saturating_add(count);
        } else {
            debug_assert!(false, "a place that these bins do not have");
        }
    }

    /// Adds another tally of the same bins.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.0.len(), other.0.len(), "tallies of other bins do not add up");
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            *ours = ours.saturating_add(*theirs);
        }
    }

    /// All values, missing ones too.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The counts, place by place.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests;

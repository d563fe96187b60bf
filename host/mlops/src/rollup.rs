//! What one group came to in one hour: everything that a report needs, small enough that a month of hours is read at
//! once. Rollups add up: of hours to a day, of gateways to a deployment.

use serde::{Deserialize, Serialize};

use crate::numbers::accuracy::{Sums, Target};
use crate::numbers::{Health, Sum, Tally, Usage};

/// The part of challengers.
const CHALLENGER: &str = "challenger";

/// An hour, in microseconds.
pub const HOUR_US: i64 = 3_600_000_000;

/// Whose records are counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupKey {
    /// The deployment's id.
    pub deployment: String,
    /// The model's id; empty when a record has none and the deployment knows none.
    pub model_id: String,
    /// The package, `sha256:<hex>`, where a record names it.
    pub digest: Option<String>,
    /// `canary` or `challenger`; none for the champion.
    pub role: Option<String>,
    /// The gateway that answered, where a record names it.
    pub gateway: Option<String>,
    /// The number of the bins that the rows were counted with; none when nothing is known of the package.
    pub plan: Option<u32>,
}

impl GroupKey {
    /// Whether somebody got these answers: nobody gets those of challengers.
    pub fn is_answer(&self) -> bool {
        self.role.as_deref() != Some(CHALLENGER)
    }
}

/// What the rollups of a group have room for.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) target: Target,
    pub(crate) features: Vec<Tally>,
    pub(crate) predicted: Option<Tally>,
}

/// A stretch of time, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its first moment.
    pub first_us: i64,
    /// Its last.
    pub last_us: i64,
}

impl Span {
    /// The stretch that has both; none is no stretch.
    pub(crate) fn join(one: &mut Option<Self>, other: Option<Self>) {
        *one = match (*one, other) {
            (Some(a), Some(b)) => Some(Self {
                first_us: a.first_us.min(b.first_us),
                last_us: a.last_us.max(b.last_us),
            }),
            (a, b) => a.or(b),
        };
    }
}

/// What one group came to in one hour, or several hours or groups to together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rollup {
    /// How requests went.
    pub health: Health,
    /// What became of the rows that arrived.
    pub usage: Usage,
    /// Rows that were counted for drift or usage: single ones, and those that were summed up where they were made.
    pub rows: u64,
    /// Of them, those that were summed up where they were made.
    pub rows_summed: u64,
    /// Further rows, which were in a sum already or are not to count for drift; they only wait for their actuals.
    pub rows_untracked: u64,
    /// The sum of the predictions: of the number, or of the positive class's probability (the last one's of several).
    pub prediction_sum: Sum,
    /// How many predictions are in it.
    pub prediction_count: u64,
    /// The features, in the order of the plan.
    pub features: Vec<Tally>,
    /// The predictions.
    pub predicted: Option<Tally>,
    /// Predictions with their actuals.
    pub accuracy: Sums,
    /// When records happened, by the devices' clocks where they can be used.
    pub happened: Option<Span>,
    /// When records were received.
    pub received: Option<Span>,
    /// Entries with a time that cannot be read, or is further off than is tolerated.
    pub skewed: u64,
}

impl Rollup {
    /// Of nothing yet.
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            health: Health::default(),
            usage: Usage::default(),
            rows: 0,
            rows_summed: 0,
            rows_untracked: 0,
            prediction_sum: Sum::default(),
            prediction_count: 0,
            features: shape.features.clone(),
            predicted: shape.predicted.clone(),
            accuracy: Sums::new(&shape.target),
            happened: None,
            received: None,
            skewed: 0,
        }
    }

    /// Notes when an entry happened and was received.
    pub(crate) fn note(&mut self, happened_us: i64, received_us: i64, skewed: bool) {
        let point = |us| Some(Span { first_us: us, last_us: us });
        Span::join(&mut self.happened, point(happened_us));
        Span::join(&mut self.received, point(received_us));
        self.skewed += u64::from(skewed);
    }

    /// Adds another one. Tallies with other bins cannot be added, and are left out: merge those of one plan.
    #[cfg(test)]
    pub(crate) fn merge(&mut self, other: &Self) {
        self.health.merge(&other.health);
        self.usage.merge(&other.usage);
        self.rows = self.rows.saturating_add(other.rows);
        self.rows_summed = self.rows_summed.saturating_add(other.rows_summed);
        self.rows_untracked += other.rows_untracked;
        self.prediction_sum.merge(&other.prediction_sum);
        self.prediction_count = self.prediction_count.saturating_add(other.prediction_count);
        if self.features.len() == other.features.len() {
            for (ours, theirs) in self.features.iter_mut().zip(&other.features) {
                merge_alike(ours, theirs);
            }
        }
        if let (Some(ours), Some(theirs)) = (&mut self.predicted, &other.predicted) {
            merge_alike(ours, theirs);
        }
        self.accuracy.merge(&other.accuracy);
        Span::join(&mut self.happened, other.happened);
        Span::join(&mut self.received, other.received);
        self.skewed += other.skewed;
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(self)
    }

    /// A rollup from its bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}

/// Adds a tally with as many places. One with fewer or more was counted with other bins for certain.
pub(crate) fn merge_alike(ours: &mut Tally, theirs: &Tally) {
    if ours.0.len() == theirs.0.len() {
        ours.merge(theirs);
    }
}

//! What the numbers say: service health, drift and accuracy of one deployment, made of its rollups.
//!
//! Nothing here reads a database or knows of HTTP: rollups go in, serialisable answers come out, which the REST calls and the
//! terminal show alike. Times are RFC 3339 in UTC, shares are parts of one, execution times are milliseconds. What cannot
//! be said is null, with the reason beside it.

mod accuracy;
mod bucket;
mod drift;
mod health;
mod service;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

pub(crate) use self::accuracy::trained_name;
pub use self::accuracy::{AccuracyBucket, AccuracyReport, GroupAccuracy, Metric};
pub use self::bucket::BucketSize;
pub use self::drift::{
    Bin, ColumnDrift, DriftBucket, DriftReport, DriftSettings, IMPORTANT, ROWS_MIN, THRESHOLD,
};
pub use self::health::{
    Clock, ERRORS_RED, ERRORS_YELLOW, ExecutionTime, GroupHealth, HealthBucket, HealthReport,
    HealthSettings, REQUESTS_MIN, Totals, Usage,
};
pub use self::service::{
    Compared, Counted, FeatureDrift, Predicted, PredictionsOverTime, PredictionsVsActuals,
    ServiceMetrics, ServiceStats, TargetDrift, Trained,
};
use crate::numbers::{Bins, Tally};
use crate::rollup::{GroupKey, HOUR_US, Rollup};

/// What one group came to in one hour.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The group.
    pub group: &'a GroupKey,
    /// The hour's begin, microseconds since 1970.
    pub hour_us: i64,
    /// The numbers.
    pub rollup: &'a Rollup,
}

/// The training data of a package, as rows are compared with it.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// The number of its bins; rows that were counted with others cannot be compared.
    pub plan: u32,
    /// The features, in the order of the rollups.
    pub features: Vec<Column>,
    /// The model's predictions on the training data.
    pub predictions: Option<Column>,
    /// Metrics of the model by the trainer's names: `cv_rmse` was estimated on rows that it had not seen, `training_rmse` on
    /// those it had.
    pub metrics: BTreeMap<String, f64>,
}

/// One column of the training data.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Where values go.
    pub bins: Bins,
    /// How many training rows went where.
    pub tally: Tally,
    /// How much the model depends on it, 0 to 1.
    pub importance: f64,
}

/// What a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Nothing to do.
    Green,
    /// Worth a look.
    Yellow,
    /// Something is wrong.
    Red,
    /// Too few rows for a verdict.
    NotEnoughData,
    /// There is no training data to compare with.
    NoBaseline,
}

/// A moment as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What no calendar has is shown as its last day.
        let end = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        serializer.collect_str(&jiff::Timestamp::from_microsecond(self.0).unwrap_or(end))
    }
}

/// The stretch that a report is about: from the first hour on, up to the second moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Window {
    /// Its begin.
    pub start: Moment,
    /// Its end, which is not in it.
    pub end: Moment,
}

impl Window {
    /// Whether an hour begins in it.
    pub fn has(&self, hour_us: i64) -> bool {
        (self.start.0.div_euclid(HOUR_US) * HOUR_US..self.end.0).contains(&hour_us)
    }
}

/// What one report takes of rollups. The whole of a rollup is many times as much.
trait Piece: Sized {
    /// Of one rollup.
    fn of(rollup: &Rollup) -> Self;
    /// Adds another one's.
    fn add(&mut self, rollup: &Rollup);
}

/// Rollups by bucket, added up.
fn buckets<'a, P: Piece>(
    parts: impl Iterator<Item = Part<'a>>,
    size: BucketSize,
) -> BTreeMap<i64, P> {
    by(parts.map(|part| (size.start(part.hour_us), part.rollup)))
}

/// Rollups by something, added up.
fn by<'a, K: Ord, P: Piece>(rollups: impl Iterator<Item = (K, &'a Rollup)>) -> BTreeMap<K, P> {
    let mut sums = BTreeMap::<K, P>::new();
    for (key, rollup) in rollups {
        sums.entry(key).and_modify(|sum| sum.add(rollup)).or_insert_with(|| P::of(rollup));
    }
    sums
}

/// All of these rollups together; none of none.
fn merged<'a, P: Piece>(rollups: impl Iterator<Item = &'a Rollup>) -> Option<P> {
    by(rollups.map(|rollup| ((), rollup))).remove(&())
}

/// A part of a whole; none of nothing.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests;

//! Drift: how differently the columns are distributed now from how they were in the training data, or in another window.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Baseline, BucketSize, Column, Moment, Part, Piece, Status, Window, buckets, merged, share,
};
use crate::numbers::bins::Label;
use crate::numbers::{Distance, Sum, Tally};
use crate::rollup::{Rollup, merge_alike};

/// The distance above which a column has drifted, by default.
pub const THRESHOLD: f64 = 0.15;
/// Rows that a verdict needs at least, by default. Fewer differ from any distribution by chance.
pub const ROWS_MIN: u64 = 100;
/// From this importance on a column that has drifted makes a deployment red, below it yellow.
pub const IMPORTANT: f64 = 0.5;

/// What verdicts depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriftSettings {
    /// How distances are measured.
    pub distance: Distance,
    /// The distance above which a column has drifted.
    pub threshold: f64,
    /// Rows that a verdict needs.
    pub rows_min: u64,
}

impl Default for DriftSettings {
    fn default() -> Self {
        Self { distance: Distance::Psi, threshold: THRESHOLD, rows_min: ROWS_MIN }
    }
}

/// How the columns have drifted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// The stretch of time.
    pub window: Window,
    /// The window that it is compared with; none for the training data.
    pub reference: Option<Window>,
    /// Red when a column of high importance has drifted, yellow for one of low importance.
    pub status: Status,
    /// How distances were measured.
    pub metric: Distance,
    /// The distance above which a column has drifted.
    pub threshold: f64,
    /// Rows that a verdict needs.
    pub minimum_rows: u64,
    /// Rows in the window.
    pub rows: u64,
    /// Rows that it is compared with.
    pub baseline_rows: u64,
    /// The predictions.
    pub target: Option<ColumnDrift>,
    /// The features, in the order of the model.
    pub features: Vec<ColumnDrift>,
    /// Distances in pieces of the window, oldest first.
    pub buckets: Vec<DriftBucket>,
}

/// How a column has drifted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ColumnDrift {
    /// Its name.
    pub name: String,
    /// How much the model depends on it, 0 to 1.
    pub importance: f64,
    /// The verdict.
    pub status: Status,
    /// The distance; none without rows on both sides.
    pub drift: Option<f64>,
    /// The share of rows in which it is missing.
    pub missing: Option<f64>,
    /// Where its values are.
    pub bins: Vec<Bin>,
}

/// A place for values.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bin {
    /// What values go there.
    #[serde(flatten)]
    pub label: Label,
    /// Rows in the window.
    pub count: u64,
    /// Rows that it is compared with.
    pub baseline_count: u64,
    /// Of the rows in the window.
    pub share: Option<f64>,
    /// Of the rows that it is compared with.
    pub baseline_share: Option<f64>,
}

/// A piece of the window.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftBucket {
    /// Its begin.
    pub start: Moment,
    /// Rows in it.
    pub rows: u64,
    /// The verdict.
    pub status: Status,
    /// The predictions' distance.
    pub target: Option<f64>,
    /// The mean of the predictions: of the number, or of the positive class's probability (the last one's of several).
    pub mean_prediction: Option<f64>,
    /// The features' distances, by name.
    pub features: BTreeMap<String, Option<f64>>,
}

/// What drift takes of rollups with the same bins.
struct Columns {
    features: Vec<Tally>,
    predicted: Option<Tally>,
    rows: u64,
    prediction_sum: Sum,
    prediction_count: u64,
}

impl Piece for Columns {
    fn of(rollup: &Rollup) -> Self {
        Self {
            features: rollup.features.clone(),
            predicted: rollup.predicted.clone(),
            rows: rollup.rows,
            prediction_sum: rollup.prediction_sum.clone(),
            prediction_count: rollup.prediction_count,
        }
    }

    fn add(&mut self, rollup: &Rollup) {
        for (ours, theirs) in self.features.iter_mut().zip(&rollup.features) {
            merge_alike(ours, theirs);
        }
        if let (Some(ours), Some(theirs)) = (&mut self.predicted, &rollup.predicted) {
            merge_alike(ours, theirs);
        }
        self.rows = self.rows.saturating_add(rollup.rows);
        self.prediction_sum.merge(&rollup.prediction_sum);
        self.prediction_count = self.prediction_count.saturating_add(rollup.prediction_count);
    }
}

/// What a window is compared with.
struct Reference<'a> {
    baseline: &'a Baseline,
    /// The rows of another window instead of the training data.
    other: Option<&'a Columns>,
}

impl Reference<'_> {
    fn feature(&self, at: usize) -> Option<(&Column, &Tally)> {
        let column = self.baseline.features.get(at)?;
        Some((column, self.other.map_or(Some(&column.tally), |other| other.features.get(at))?))
    }

    fn predictions(&self) -> Option<(&Column, &Tally)> {
        let column = self.baseline.predictions.as_ref()?;
        Some((column, self.other.map_or(Some(&column.tally), |it| it.predicted.as_ref())?))
    }

    fn rows(&self) -> u64 {
        let column = self.predictions().or_else(|| self.feature(0));
        column.map_or(0, |(_, tally)| tally.total())
    }
}

impl DriftReport {
    /// Of these rollups, beside a baseline. With a second window, rows are compared with those in it, in the baseline's bins.
    /// Rollups with other bins than the baseline's are left out.
    pub fn of(
        parts: &[Part<'_>],
        window: Window,
        reference: Option<Window>,
        size: BucketSize,
        baseline: Option<&Baseline>,
        settings: &DriftSettings,
    ) -> Self {
        let mut report = Self {
            window,
            reference,
            status: Status::NoBaseline,
            metric: settings.distance,
            threshold: settings.threshold,
            minimum_rows: settings.rows_min,
            rows: 0,
            baseline_rows: 0,
            target: None,
            features: Vec::new(),
            buckets: Vec::new(),
        };
        let Some(baseline) = baseline else { return report };
        let of = |window: Window| {
            parts.iter().filter(move |part| {
                part.group.plan == Some(baseline.plan) && window.has(part.hour_us)
            })
        };
        // A window without rows is one to compare with all the same: there is not enough data in it.
        let other: Option<Option<Columns>> =
            reference.map(|window| merged(of(window).map(|part| part.rollup)));
        let now = merged::<Columns>(of(window).map(|part| part.rollup));
        let (Some(now), None | Some(Some(_))) = (now, &other) else {
            report.status = Status::NotEnoughData;
            return report;
        };
        let reference = Reference { baseline, other: other.as_ref().and_then(Option::as_ref) };
        report.rows = now.rows;
        report.baseline_rows = reference.rows();
        report.target = target(&now, &reference, settings);
        report.features = features(&now, &reference, settings);
        report.status = overall(report.features.iter().chain(&report.target));
        report.buckets = buckets(of(window).copied(), size)
            .into_iter()
            .map(|(start, rollup): (i64, Columns)| bucket(start, &rollup, &reference, settings))
            .collect();
        report
    }
}

fn features(
    now: &Columns,
    reference: &Reference<'_>,
    settings: &DriftSettings,
) -> Vec<ColumnDrift> {
    let column = |(at, tally): (usize, &Tally)| {
        let (column, before) = reference.feature(at)?;
        Some(drift(column, tally, before, reference, settings))
    };
    now.features.iter().enumerate().filter_map(column).collect()
}

fn target(
    now: &Columns,
    reference: &Reference<'_>,
    settings: &DriftSettings,
) -> Option<ColumnDrift> {
    let (column, before) = reference.predictions()?;
    Some(drift(column, now.predicted.as_ref()?, before, reference, settings))
}

fn drift(
    column: &Column,
    now: &Tally,
    before: &Tally,
    reference: &Reference<'_>,
    settings: &DriftSettings,
) -> ColumnDrift {
    let (rows, rows_before) = (now.total(), before.total());
    let distance = settings.distance.between(&now.0, &before.0);
    // A window of few rows says as little about another as the other about it. Training data is what there is.
    let few = if reference.other.is_some() { rows.min(rows_before) } else { rows };
    let status = match distance {
        Some(_) if few < settings.rows_min => Status::NotEnoughData,
        Some(distance) if distance <= settings.threshold => Status::Green,
        Some(_) if column.importance >= IMPORTANT => Status::Red,
        Some(_) => Status::Yellow,
        None => Status::NotEnoughData,
    };
    let labels = column.bins.labels();
    let missing = now.0.last().and_then(|&missing| share(missing, rows));
    let bin = |((label, &count), &baseline_count): ((Label, &u64), &u64)| Bin {
        label,
        count,
        baseline_count,
        share: share(count, rows),
        baseline_share: share(baseline_count, rows_before),
    };
    let counts = labels.into_iter().zip(&now.0).zip(&before.0);
    ColumnDrift {
        name: column.name.clone(),
        importance: column.importance,
        status,
        drift: distance,
        missing,
        bins: counts.map(bin).collect(),
    }
}

/// The worst of the verdicts that could be given; none could without enough rows.
fn overall<'a>(columns: impl Iterator<Item = &'a ColumnDrift>) -> Status {
    let mut worst = Status::NotEnoughData;
    for column in columns {
        worst = match (worst, column.status) {
            (Status::Red, _) | (_, Status::Red) => Status::Red,
            (Status::Yellow, _) | (_, Status::Yellow) => Status::Yellow,
            (Status::Green, _) | (_, Status::Green) => Status::Green,
            (worst, _) => worst,
        };
    }
    worst
}

fn bucket(
    start: i64,
    rollup: &Columns,
    reference: &Reference<'_>,
    settings: &DriftSettings,
) -> DriftBucket {
    let features = features(rollup, reference, settings);
    let target = target(rollup, reference, settings);
    let mean = (rollup.prediction_count > 0)
        .then(|| rollup.prediction_sum.value() / rollup.prediction_count as f64);
    DriftBucket {
        start: Moment(start),
        rows: rollup.rows,
        status: overall(features.iter().chain(&target)),
        target: target.and_then(|target| target.drift),
        mean_prediction: mean.filter(|mean| mean.is_finite()),
        features: features.into_iter().map(|column| (column.name, column.drift)).collect(),
    }
}

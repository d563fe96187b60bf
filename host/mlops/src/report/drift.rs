//! Drift: how far what a model is asked, and what it answers, has moved from its training data.

use std::collections::BTreeMap;

use models::manifest::Manifest;
use serde::{Deserialize, Serialize};

use super::{Moment, Part, Status, Window};
use crate::numbers::bins::Label;
use crate::numbers::{Bins, Distance, Tally};

/// From this distance on a column has drifted, by default.
pub const THRESHOLD: f64 = 0.15;
/// With fewer rows there is no verdict on a column, by default: chance alone would move it.
pub const LEAST_ROWS: u64 = 100;
/// From this importance on a feature makes the light red, by default.
pub const HIGH_IMPORTANCE: f64 = 0.5;
/// The importance of a feature of which nobody said how important it is.
pub const IMPORTANCE: f64 = 1.0;

/// How drift is measured, and when the light changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftSettings {
    /// How histograms are compared.
    pub metric: Distance,
    /// Above this distance a column has drifted.
    pub threshold: f64,
    /// With fewer rows there is no verdict on a column.
    pub least_rows: u64,
    /// From this importance on a feature makes the light red, below it yellow.
    pub high_importance: f64,
    /// How important features are, from 0 to 1; 1 for those that are not named.
    pub feature_importance: BTreeMap<String, f64>,
}

impl Default for DriftSettings {
    fn default() -> Self {
        Self {
            metric: Distance::default(),
            threshold: THRESHOLD,
            least_rows: LEAST_ROWS,
            high_importance: HIGH_IMPORTANCE,
            feature_importance: BTreeMap::new(),
        }
    }
}

/// The bins of a package, and how its training data fell into them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its number. Parts that were counted with another one have other bins.
    pub number: u32,
    /// The features, in the order in which parts have them.
    pub features: Vec<Column>,
    /// The predictions; none where their baseline is not known.
    pub predictions: Option<Column>,
}

/// One column of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name; of the predictions the target's.
    pub name: String,
    /// Its bins.
    pub bins: Bins,
    /// Training's rows.
    pub baseline: Tally,
}

impl Plan {
    /// The plan of a package that brings its own baseline.
    #[must_use]
    pub fn of(number: u32, manifest: &Manifest) -> Self {
        let column = |name: &str, (bins, baseline)| Column { name: name.into(), bins, baseline };
        let baseline = &manifest.baseline;
        let features = manifest.features.iter().zip(&baseline.features);
        Self {
            number,
            features: features
                .map(|(feature, distribution)| {
                    column(&feature.name, Bins::of(distribution, Some(&feature.kind)))
                })
                .collect(),
            predictions: Some(column(&manifest.target, Bins::of(&baseline.predictions, None))),
        }
    }
}

/// Drift in a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport<'a> {
    /// The window.
    pub window: Window,
    /// The light: the worst of the columns. Red for the predictions or a feature of high importance that drifted, yellow
    /// for one of low importance.
    pub status: Status,
    /// How histograms were compared.
    pub metric: Distance,
    /// Above this distance a column has drifted.
    pub threshold: f64,
    /// The number of the bins; null without a baseline.
    pub plan: Option<u32>,
    /// The first hour in the window that was counted with these bins.
    pub since: Option<Moment>,
    /// Hours of groups in the window that were counted with other bins, and are not in here.
    pub parts_of_other_plans: u64,
    /// The predictions.
    pub target: Option<ColumnDrift<'a>>,
    /// The features, in the order of the package.
    pub features: Vec<ColumnDrift<'a>>,
    /// The same bucket by bucket.
    pub buckets: Vec<BucketDrift<'a>>,
}

/// Drift of one column.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnDrift<'a> {
    /// The column's name.
    pub name: &'a str,
    /// `green`; `yellow` or `red` when it drifted; `notEnoughData`; `noBaseline` when training has no row.
    pub status: Status,
    /// How far the rows are from the baseline; null without enough of them.
    pub drift_score: Option<f64>,
    /// How important the feature is, 0 to 1.
    pub importance: f64,
    /// Rows that were compared.
    pub rows: u64,
    /// Rows of the baseline.
    pub baseline_rows: u64,
    /// The histograms.
    pub bins: Vec<Bin>,
}

/// One bin of a column.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bin {
    /// What it stands for.
    #[serde(flatten)]
    pub label: Label,
    /// Rows in it.
    pub rows: u64,
    /// Rows of the baseline in it.
    pub baseline_rows: u64,
    /// Rows in it as a fraction of all, 0 to 1; null without rows.
    pub share: Option<f64>,
    /// The same of the baseline.
    pub baseline_share: Option<f64>,
}

/// Drift of one bucket of time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketDrift<'a> {
    /// When it begins.
    pub start: Moment,
    /// The worst of its columns.
    pub status: Status,
    /// The predictions.
    pub target: Option<Score<'a>>,
    /// The features.
    pub features: Vec<Score<'a>>,
}

/// Drift of one column without its histogram.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score<'a> {
    /// The column's name.
    pub name: &'a str,
    /// As in [`ColumnDrift`].
    pub status: Status,
    /// As in [`ColumnDrift`].
    pub drift_score: Option<f64>,
    /// As in [`ColumnDrift`].
    pub rows: u64,
}

/// The tallies of a plan.
#[derive(Clone)]
struct Tallies {
    features: Vec<Tally>,
    predictions: Option<Tally>,
}

impl Tallies {
    fn empty(plan: &Plan) -> Self {
        Self {
            features: plan.features.iter().map(|column| column.bins.empty()).collect(),
            predictions: plan.predictions.as_ref().map(|column| column.bins.empty()),
        }
    }

    fn add(&mut self, features: &[Tally], predictions: Option<&Tally>) {
        let fits = |ours: &Tally, theirs: &Tally| ours.0.len() == theirs.0.len();
        for (ours, theirs) in self.features.iter_mut().zip(features) {
            if fits(ours, theirs) {
                ours.merge(theirs);
            }
        }
        if let (Some(ours), Some(theirs)) = (&mut self.predictions, predictions)
            && fits(ours, theirs)
        {
            ours.merge(theirs);
        }
    }

    fn of(plan: &Plan, parts: &[Part<'_>], window: Window) -> Self {
        let mut tallies = Self::empty(plan);
        for part in counted(plan, parts, window) {
            tallies.add(part.features, part.predicted);
        }
        tallies
    }
}

/// The parts of a window that were counted with a plan, for callers.
fn counted<'p, 'a>(
    plan: &'p Plan,
    parts: &'p [Part<'a>],
    window: Window,
) -> impl Iterator<Item = &'p Part<'a>> {
    parts.iter().filter(move |part| {
        window.has(part.start_us) && part.plan == Some(plan.number) && part.group.answers()
    })
}

/// Drift of a deployment from its training data in a window, in buckets of this width. Challengers are left out: they
/// see the same rows. For the drift of a challenger hand over its parts without their role.
#[must_use]
pub fn drift<'a>(
    plan: Option<&'a Plan>,
    parts: &[Part<'_>],
    window: Window,
    bucket_us: i64,
    settings: &DriftSettings,
) -> DriftReport<'a> {
    let Some(plan) = plan else { return without_baseline(window, settings) };
    let mut buckets = BTreeMap::<Moment, Tallies>::new();
    for part in counted(plan, parts, window) {
        let bucket = buckets.entry(Window::bucket(part.start_us, bucket_us));
        let bucket = bucket.or_insert_with(|| Tallies::empty(plan));
        bucket.add(part.features, part.predicted);
    }
    let mut total = Tallies::empty(plan);
    for bucket in buckets.values() {
        total.add(&bucket.features, bucket.predictions.as_ref());
    }
    let (target, features) = columns(plan, &total, None, settings);
    let in_window =
        parts.iter().filter(|part| window.has(part.start_us) && part.group.answers()).count();
    let buckets = buckets.iter().map(|(start, tallies)| {
        let (target, features) = columns(plan, tallies, None, settings);
        BucketDrift {
            start: *start,
            status: worst(target.iter().chain(&features).map(|column| column.status)),
            target: target.map(Score::from),
            features: features.into_iter().map(Score::from).collect(),
        }
    });
    DriftReport {
        window,
        status: worst(target.iter().chain(&features).map(|column| column.status)),
        metric: settings.metric,
        threshold: settings.threshold,
        plan: Some(plan.number),
        since: counted(plan, parts, window).map(|part| Moment(part.start_us)).min(),
        parts_of_other_plans: (in_window - counted(plan, parts, window).count()) as u64,
        target,
        features,
        buckets: buckets.collect(),
    }
}

/// How far the rows of one window are from those of an earlier one, which takes the place of the training data. It has no
/// buckets.
#[must_use]
pub fn between<'a>(
    plan: Option<&'a Plan>,
    parts: &[Part<'_>],
    window: Window,
    earlier: Window,
    settings: &DriftSettings,
) -> DriftReport<'a> {
    let Some(plan) = plan else { return without_baseline(window, settings) };
    let (now, then) = (Tallies::of(plan, parts, window), Tallies::of(plan, parts, earlier));
    let (target, features) = columns(plan, &now, Some(&then), settings);
    DriftReport {
        status: worst(target.iter().chain(&features).map(|column| column.status)),
        plan: Some(plan.number),
        since: counted(plan, parts, window).map(|part| Moment(part.start_us)).min(),
        target,
        features,
        ..without_baseline(window, settings)
    }
}

fn without_baseline<'a>(window: Window, settings: &DriftSettings) -> DriftReport<'a> {
    DriftReport {
        window,
        status: Status::NoBaseline,
        metric: settings.metric,
        threshold: settings.threshold,
        plan: None,
        since: None,
        parts_of_other_plans: 0,
        target: None,
        features: Vec::new(),
        buckets: Vec::new(),
    }
}

type Columns<'a> = (Option<ColumnDrift<'a>>, Vec<ColumnDrift<'a>>);

/// Compares columns with another window, or with training. Of another window there must be enough rows too.
fn columns<'a>(
    plan: &'a Plan,
    now: &Tallies,
    then: Option<&Tallies>,
    settings: &DriftSettings,
) -> Columns<'a> {
    let least_before = if then.is_some() { settings.least_rows } else { 0 };
    let target = plan.predictions.as_ref().zip(now.predictions.as_ref()).map(|(column, tally)| {
        let before = then.and_then(|then| then.predictions.as_ref());
        compare(column, tally, before.unwrap_or(&column.baseline), least_before, 1.0, settings)
    });
    let features = plan.features.iter().zip(&now.features).enumerate();
    let features = features.map(|(at, (column, tally))| {
        let before = then.map_or(&column.baseline, |then| &then.features[at]);
        let importance = settings.feature_importance.get(&column.name);
        let importance = importance.copied().unwrap_or(IMPORTANCE);
        compare(column, tally, before, least_before, importance, settings)
    });
    (target, features.collect())
}

fn compare<'a>(
    column: &'a Column,
    tally: &Tally,
    before: &Tally,
    least_before: u64,
    importance: f64,
    settings: &DriftSettings,
) -> ColumnDrift<'a> {
    let (rows, rows_before) = (tally.total(), before.total());
    let enough = rows >= settings.least_rows && rows_before >= least_before;
    let distance = settings.metric.between(tally.counts(), before.counts()).filter(|_| enough);
    let status = match distance {
        _ if rows_before == 0 && least_before == 0 => Status::NoBaseline,
        None => Status::NotEnoughData,
        Some(distance) if distance <= settings.threshold => Status::Green,
        Some(_) if importance >= settings.high_importance => Status::Red,
        Some(_) => Status::Yellow,
    };
    let share = |count: u64, all: u64| (all > 0).then(|| count as f64 / all as f64);
    let counts = tally.counts().iter().zip(before.counts());
    let bins =
        column.bins.labels().into_iter().zip(counts).map(|(label, (count, count_before))| Bin {
            label,
            rows: *count,
            baseline_rows: *count_before,
            share: share(*count, rows),
            baseline_share: share(*count_before, rows_before),
        });
    ColumnDrift {
        name: &column.name,
        status,
        drift_score: distance,
        importance,
        rows,
        baseline_rows: rows_before,
        bins: bins.collect(),
    }
}

impl<'a> From<ColumnDrift<'a>> for Score<'a> {
    fn from(column: ColumnDrift<'a>) -> Self {
        let ColumnDrift { name, status, drift_score, rows, .. } = column;
        Self { name, status, drift_score, rows }
    }
}

/// The light of several columns. One on which there is no verdict yet does not darken the others.
fn worst(columns: impl Iterator<Item = Status>) -> Status {
    let rank = |status: &Status| match status {
        Status::NoBaseline => 0,
        Status::NotEnoughData => 1,
        Status::Green => 2,
        Status::Yellow => 3,
        Status::Red => 4,
    };
    columns.max_by_key(rank).unwrap_or(Status::NoBaseline)
}

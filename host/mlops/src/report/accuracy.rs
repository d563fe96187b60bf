//! Accuracy: how near predictions came to what happened, and to what the model promised.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Group, Moment, Part, Window};
use crate::numbers::accuracy::{Method, Metric, Reason, Sums, Target};

/// A package's own scores, by the metrics' names here: those of rows that the model had not learned from. A trained
/// package has them from cross-validation.
const BASELINES: [(&str, &str); 3] =
    [("RMSE", "cv_rmse"), ("MAE", "cv_mae"), ("R Squared", "cv_r2")];

/// Accuracy in a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccuracyReport<'a> {
    /// The window, by the time of the predictions.
    pub window: Window,
    /// Predictions that met their actual, for callers: champion and canary, without challengers.
    pub rows: u64,
    /// Of the pairs that met, those that could not be counted: no finite number, no probability, no such class.
    pub unusable: u64,
    /// The metrics.
    pub metrics: Vec<MetricReport<'a>>,
    /// Each role: `champion`, `canary`, `challenger`.
    pub roles: BTreeMap<&'a str, Vec<MetricReport<'a>>>,
    /// Each package and gateway.
    pub groups: Vec<GroupAccuracy<'a>>,
    /// For callers, bucket by bucket.
    pub buckets: Vec<BucketAccuracy<'a>>,
}

/// A metric beside what the model promised.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricReport<'a> {
    /// Its name.
    pub name: &'static str,
    /// The class that it is about, for metrics of single classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<&'a str>,
    /// Its value, null when there is none. MAPE is in percent; every other rate is a fraction, 0 to 1.
    pub value: Option<f64>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The value on training rows that the model had not learned from; null when the package does not tell it.
    pub baseline_value: Option<f64>,
    /// By how many percent of the baseline's size the value is above it. Whether that is good depends on the metric.
    pub percent_change: Option<f64>,
    /// The rows that it was computed from.
    pub rows: u64,
    /// The rows that it could not take.
    pub left_out: u64,
    /// Whether scores were compared as they are or rounded to a grid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
}

/// Accuracy of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupAccuracy<'a> {
    /// The group.
    #[serde(flatten)]
    pub group: Group<'a>,
    /// Predictions that met their actual.
    pub rows: u64,
    /// The metrics.
    pub metrics: Vec<MetricReport<'a>>,
}

/// Accuracy of one bucket of time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketAccuracy<'a> {
    /// When it begins.
    pub start: Moment,
    /// Predictions that met their actual.
    pub rows: u64,
    /// The metrics.
    pub metrics: Vec<MetricReport<'a>>,
}

/// Accuracy of a deployment in a window, in buckets of this width. `promised` are the scores of the package's manifest, by
/// its names or by the metrics'; the baseline of the champion is everybody's.
#[must_use]
pub fn accuracy<'a>(
    target: &'a Target,
    promised: &BTreeMap<String, f64>,
    parts: &[Part<'a>],
    window: Window,
    bucket_us: i64,
) -> AccuracyReport<'a> {
    let mut groups = BTreeMap::<Group<'a>, Sums>::new();
    let mut buckets = BTreeMap::<Moment, Sums>::new();
    let empty = || Sums::new(target);
    for part in parts.iter().filter(|part| window.has(part.start_us)) {
        if part.accuracy.rows() == 0 && part.accuracy.unusable() == 0 {
            continue;
        }
        groups.entry(part.group).or_insert_with(empty).merge(part.accuracy);
        if part.group.answers() {
            let start = Window::bucket(part.start_us, bucket_us);
            buckets.entry(start).or_insert_with(empty).merge(part.accuracy);
        }
    }
    let (mut total, mut roles) = (empty(), BTreeMap::<&'a str, Sums>::new());
    buckets.values().for_each(|bucket| total.merge(bucket));
    for (group, sums) in &groups {
        let role = group.role.unwrap_or(super::CHAMPION);
        roles.entry(role).or_insert_with(empty).merge(sums);
    }
    let report = |sums: &Sums| metrics(target, promised, sums);
    AccuracyReport {
        window,
        rows: total.rows(),
        unusable: total.unusable(),
        metrics: report(&total),
        roles: roles.iter().map(|(role, sums)| (*role, report(sums))).collect(),
        groups: groups
            .iter()
            .map(|(group, sums)| GroupAccuracy {
                group: *group,
                rows: sums.rows(),
                metrics: report(sums),
            })
            .collect(),
        buckets: buckets
            .iter()
            .map(|(start, sums)| BucketAccuracy {
                start: *start,
                rows: sums.rows(),
                metrics: report(sums),
            })
            .collect(),
    }
}

fn metrics<'a>(
    target: &'a Target,
    promised: &BTreeMap<String, f64>,
    sums: &Sums,
) -> Vec<MetricReport<'a>> {
    let class = |at: usize| match target {
        Target::Multiclass { classes } => classes.get(at).map(String::as_str),
        Target::Regression | Target::Binary { .. } => None,
    };
    let one = |metric: Metric| {
        let alias = BASELINES.iter().find(|(name, _)| *name == metric.name);
        let baseline_value = promised
            .get(metric.name)
            .or_else(|| promised.get(alias?.1))
            // What a class alone came to is not what all together promised.
            .filter(|_| metric.class.is_none())
            .copied();
        let change = |(value, baseline): (f64, f64)| 100.0 * (value - baseline) / baseline.abs();
        MetricReport {
            name: metric.name,
            class: metric.class.and_then(class),
            value: metric.value,
            reason: metric.reason,
            baseline_value,
            percent_change: metric.value.zip(baseline_value).map(change).filter(|x| x.is_finite()),
            rows: metric.rows,
            left_out: metric.left_out,
            method: metric.method,
        }
    };
    sums.report().into_iter().map(one).collect()
}

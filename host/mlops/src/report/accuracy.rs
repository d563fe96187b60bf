//! Accuracy: predictions beside the outcomes that became known, in the hour of the prediction.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Baseline, BucketSize, Moment, Part, Piece, Window, buckets, by, merged, share};
use crate::numbers::accuracy::{Method, Metric as Measured, Reason, Sums, Target};
use crate::rollup::Rollup;

/// How metrics are marked of rows that the model had not seen, and of those it had.
const BASELINES: [&str; 3] = ["holdout_", "cv_", "training_"];

/// How good predictions were.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccuracyReport {
    /// The stretch of time, of predictions.
    pub window: Window,
    /// Predictions whose outcome is known.
    pub rows: u64,
    /// Of all predictions that could have one, this share has.
    pub known: Option<f64>,
    /// Metrics by name.
    pub metrics: BTreeMap<String, Metric>,
    /// The same in pieces, oldest first.
    pub buckets: Vec<AccuracyBucket>,
    /// Each model and part apart.
    pub groups: Vec<GroupAccuracy>,
}

/// A metric.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its value.
    pub value: Option<f64>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Rows that it was made of.
    pub rows: u64,
    /// Rows with an outcome that it is not defined for.
    pub left_out: u64,
    /// How scores were compared, for metrics that put rows in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// What it was in training, on rows that the model had not seen where that was measured.
    pub baseline_value: Option<f64>,
    /// How much larger it is than in training, in percent.
    pub percent_change: Option<f64>,
}

/// A piece of the window.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccuracyBucket {
    /// Its begin.
    pub start: Moment,
    /// Predictions with outcomes in it.
    pub rows: u64,
    /// Metrics by name.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// A model in a part.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupAccuracy {
    /// The model.
    pub model_id: String,
    /// Its package.
    pub model_digest: Option<String>,
    /// `champion`, `canary` or `challenger`.
    pub role: String,
    /// Predictions with outcomes.
    pub rows: u64,
    /// Metrics by name.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// What accuracy takes of rollups.
struct Outcomes {
    sums: Sums,
    rows: u64,
    /// Rows that no outcome can be joined with.
    unjoinable: u64,
}

impl Piece for Outcomes {
    fn of(rollup: &Rollup) -> Self {
        Self {
            sums: rollup.accuracy.clone(),
            rows: rollup.rows.saturating_add(rollup.rows_untracked),
            unjoinable: rollup.usage.without_association_id,
        }
    }

    fn add(&mut self, rollup: &Rollup) {
        self.sums.merge(&rollup.accuracy);
        self.rows = self.rows.saturating_add(rollup.rows).saturating_add(rollup.rows_untracked);
        self.unjoinable = self.unjoinable.saturating_add(rollup.usage.without_association_id);
    }
}

/// A model in a part: part, id, package.
type Who<'a> = (Option<&'a str>, &'a str, Option<&'a str>);

impl AccuracyReport {
    /// Of these rollups, beside what was measured in training. Totals are those of the parts that `counts` names; groups are
    /// all.
    pub fn of(
        parts: &[Part<'_>],
        counts: impl Fn(&Part<'_>) -> bool,
        window: Window,
        size: BucketSize,
        target: &Target,
        baseline: Option<&Baseline>,
    ) -> Self {
        let counted = || parts.iter().filter(|part| counts(part));
        let sum = merged::<Outcomes>(counted().map(|part| part.rollup));
        let rows = sum.as_ref().map_or(0, |sum| sum.sums.rows());
        let joinable = sum.as_ref().map_or(0, |sum| sum.rows.saturating_sub(sum.unjoinable));
        let bucket = |(start, outcomes): (i64, Outcomes)| AccuracyBucket {
            start: Moment(start),
            rows: outcomes.sums.rows(),
            metrics: values(&outcomes.sums, target),
        };
        let groups = by(parts.iter().map(|part| (who(part), part.rollup)));
        let group = |((role, model_id, digest), outcomes): (Who<'_>, Outcomes)| GroupAccuracy {
            model_id: model_id.to_owned(),
            model_digest: digest.map(str::to_owned),
            role: role.unwrap_or("champion").to_owned(),
            rows: outcomes.sums.rows(),
            metrics: values(&outcomes.sums, target),
        };
        Self {
            window,
            rows,
            known: share(rows.min(joinable), joinable),
            metrics: sum
                .as_ref()
                .map(|sum| metrics(&sum.sums, target, baseline))
                .unwrap_or_default(),
            buckets: buckets(counted().copied(), size).into_iter().map(bucket).collect(),
            groups: groups.into_iter().map(group).collect(),
        }
    }
}

fn who<'a>(part: &Part<'a>) -> Who<'a> {
    let group = part.group;
    (group.role.as_deref(), &group.model_id, group.digest.as_deref())
}

fn values(sums: &Sums, target: &Target) -> BTreeMap<String, Option<f64>> {
    let value = |measured: Measured| (key(&measured, target), measured.value);
    sums.report().into_iter().map(value).collect()
}

fn metrics(sums: &Sums, target: &Target, baseline: Option<&Baseline>) -> BTreeMap<String, Metric> {
    let metric = |measured: Measured| {
        let baseline_value = baseline.and_then(|baseline| trained(baseline, &measured));
        let value = measured.value;
        let change = |(value, before): (f64, f64)| {
            (before != 0.0).then(|| (value - before) / before.abs() * 100.0)
        };
        let metric = Metric {
            value,
            reason: measured.reason,
            rows: measured.rows,
            left_out: measured.left_out,
            method: measured.method,
            baseline_value,
            percent_change: value.zip(baseline_value).and_then(change),
        };
        (key(&measured, target), metric)
    };
    sums.report().into_iter().map(metric).collect()
}

/// What a metric is called: its name, with the class that it is about.
fn key(measured: &Measured, target: &Target) -> String {
    let classes = match target {
        Target::Regression => &[][..],
        Target::Binary { classes, .. } => classes,
        Target::Multiclass { classes } => classes,
    };
    match measured.class {
        Some(class) => {
            let class = classes.get(class).map_or_else(|| class.to_string(), Clone::clone);
            format!("{} of {class}", measured.name)
        }
        None => measured.name.to_owned(),
    }
}

/// What the metric was in training.
fn trained(baseline: &Baseline, measured: &Measured) -> Option<f64> {
    let name = trained_name(measured.name);
    let named = |before: &str| baseline.metrics.get(&format!("{before}{name}"));
    measured.class.is_none().then(|| BASELINES.into_iter().find_map(named).copied())?
}

/// The trainer's name of a metric, without what says on which rows it was measured: `rmse`, `r2`, `fve_poisson`.
pub(crate) fn trained_name(metric: &str) -> String {
    match metric {
        "R Squared" => "r2".to_owned(),
        metric => metric.to_lowercase().replace(' ', "_"),
    }
}

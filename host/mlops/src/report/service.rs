//! The same numbers in the shapes that clients of the service know.
//!
//! They read rates and loads as numbers without asking whether there was anything: here nothing is 0. What we are not told
//! is left out (consumers, cache hits) or null (response times: agents report how long a model took, not how long an answer was on
//! its way).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{BucketSize, DriftReport, Part, Totals, Window};
use crate::numbers::accuracy::Sums;
use crate::numbers::times::Times;
use crate::numbers::{Distance, Sum};
use crate::rollup::Rollup;

/// Service health of a stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStats {
    /// The stretch of time.
    pub period: Window,
    /// The model; null for all that answered.
    pub model_id: Option<String>,
    /// The numbers.
    pub metrics: ServiceMetrics,
}

/// The numbers of [`ServiceStats`].
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMetrics {
    /// Predictions that requests got.
    pub total_predictions: u64,
    /// Requests.
    pub total_requests: u64,
    /// Requests that took longer than the deployment's limit.
    pub slow_requests: u64,
    /// The quantile of execution times that was asked for, milliseconds; the median by default.
    pub execution_time: Option<f64>,
    /// Nobody measures it.
    pub response_time: Option<f64>,
    /// Requests that failed and the caller was to blame, as a part of all.
    pub user_error_rate: f64,
    /// Requests that failed and the model or what runs it was to blame, as a part of all.
    pub server_error_rate: f64,
    /// Requests in the middle one of the minutes that had any.
    pub median_load: f64,
    /// Requests in the busiest minute.
    pub peak_load: f64,
}

impl ServiceStats {
    /// Of all of these rollups; `quantile` is that of the execution time.
    pub fn of(parts: &[Part<'_>], window: Window, model_id: Option<String>, quantile: f64) -> Self {
        let totals = Totals::of_all(parts);
        let mut times = Times::default();
        for part in parts {
            times.merge(&part.rollup.health.times);
        }
        let metrics = ServiceMetrics {
            total_predictions: totals.predictions,
            total_requests: totals.requests,
            slow_requests: totals.slow_requests,
            execution_time: times.quantile(quantile),
            response_time: None,
            user_error_rate: totals.user_error_rate.unwrap_or(0.0),
            server_error_rate: totals.system_error_rate.unwrap_or(0.0),
            median_load: totals.load.median.unwrap_or(0.0),
            peak_load: totals.load.peak.unwrap_or(0) as f64,
        };
        Self { period: window, model_id, metrics }
    }
}

/// How far predictions have drifted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetDrift {
    /// The stretch of time.
    pub period: Window,
    /// The model.
    pub model_id: Option<String>,
    /// How distances were measured, by the service's name.
    pub metric: &'static str,
    /// The column that is predicted.
    pub target_name: String,
    /// The distance; null without rows on both sides.
    pub drift_score: Option<f64>,
    /// Rows in the stretch of time, whether there is something to compare them with or not.
    pub sample_size: u64,
    /// Rows that they are compared with.
    pub baseline_sample_size: Option<u64>,
    /// Rows are not told apart by segments.
    pub segment_value: Option<String>,
}

impl TargetDrift {
    /// Of a report.
    pub fn of(report: &DriftReport, rows: u64, model_id: Option<String>, target: &str) -> Self {
        let column = report.target.as_ref();
        let baseline_rows = |column: &super::ColumnDrift| {
            column.bins.iter().map(|bin| bin.baseline_count).sum::<u64>()
        };
        Self {
            period: report.window,
            model_id,
            metric: report.metric.service_name(),
            target_name: target.to_owned(),
            drift_score: column.and_then(|column| column.drift),
            sample_size: rows,
            baseline_sample_size: column.map(baseline_rows),
            segment_value: None,
        }
    }
}

/// How far a feature has drifted.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeatureDrift {
    /// Its name.
    pub name: String,
    /// How much the model depends on it, 0 to 1.
    pub feature_impact: f64,
    /// The distance; null without rows on both sides.
    pub drift_score: Option<f64>,
    /// Rows in the stretch of time.
    pub sample_size: u64,
    /// Rows that they are compared with.
    pub baseline_sample_size: u64,
}

impl FeatureDrift {
    /// All features of a report.
    pub fn all(report: &DriftReport) -> Vec<Self> {
        let feature = |column: &super::ColumnDrift| Self {
            name: column.name.clone(),
            feature_impact: column.importance,
            drift_score: column.drift,
            sample_size: column.bins.iter().map(|bin| bin.count).sum(),
            baseline_sample_size: column.bins.iter().map(|bin| bin.baseline_count).sum(),
        };
        report.features.iter().map(feature).collect()
    }
}

impl Distance {
    /// What the service calls it.
    pub fn service_name(self) -> &'static str {
        match self {
            Self::Psi => "psi",
            Self::KullbackLeibler => "kl_divergence",
            Self::JensenShannon => "js_divergence",
            Self::Hellinger => "hellinger",
            Self::HistogramIntersection => "dissimilarity",
        }
    }
}

/// Predictions, bucket by bucket.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PredictionsOverTime {
    /// What training had, for each model where that is known.
    pub baselines: Vec<Predicted>,
    /// What there was, the oldest first; none of a time without rows.
    pub buckets: Vec<Predicted>,
}

/// The predictions of a model in a stretch of time, or in training.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Predicted {
    /// The stretch of time; none for training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Window>,
    /// The model.
    pub model_id: String,
    /// Rows.
    pub row_count: u64,
    /// The mean of the predictions: of the number, or of the positive class's probability (the last one's of several).
    pub mean_predicted_value: Option<f64>,
}

/// Predictions beside their outcomes, bucket by bucket.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PredictionsVsActuals {
    /// Of the whole stretch.
    pub summary: Counted,
    /// What training had, for each model where that is known.
    pub baselines: Vec<Compared>,
    /// What there was, the oldest first; none of a time without rows.
    pub buckets: Vec<Compared>,
}

/// Rows, and those whose outcome is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Rows.
    pub row_count_total: u64,
    /// Of them, those whose outcome is known.
    pub row_count_with_actual: u64,
}

/// The predictions and outcomes of a model in a stretch of time, or in training.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The stretch of time; none for training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Window>,
    /// The model.
    pub model_id: String,
    /// Rows.
    #[serde(flatten)]
    pub rows: Counted,
    /// The mean of all predictions.
    pub mean_predicted_value: Option<f64>,
    /// The mean of the outcomes; null for classes.
    pub mean_actual_value: Option<f64>,
}

/// What a model was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The model.
    pub model_id: String,
    /// Rows of training.
    pub rows: u64,
    /// The mean of its predictions of them, where they are numbers.
    pub mean_prediction: Option<f64>,
    /// The mean of what it was to predict, where that is a number.
    pub mean_target: Option<f64>,
}

impl Predicted {
    /// Of training.
    pub fn of(trained: &Trained) -> Self {
        Self {
            period: None,
            model_id: trained.model_id.clone(),
            row_count: trained.rows,
            mean_predicted_value: trained.mean_prediction,
        }
    }
}

impl PredictionsOverTime {
    /// Of these rollups.
    pub fn of(parts: &[Part<'_>], window: Window, size: BucketSize, trained: &[Trained]) -> Self {
        let bucket = |((start, model), sums): ((i64, &str), Means)| Predicted {
            period: Some(size.period(start, window)),
            model_id: model.to_owned(),
            row_count: sums.rows,
            mean_predicted_value: sums.mean_prediction(),
        };
        Self {
            baselines: trained.iter().map(Predicted::of).collect(),
            buckets: Means::by(parts, size).into_iter().map(bucket).collect(),
        }
    }
}

impl PredictionsVsActuals {
    /// Of these rollups.
    pub fn of(parts: &[Part<'_>], window: Window, size: BucketSize, trained: &[Trained]) -> Self {
        let baseline = |trained: &Trained| Compared {
            period: None,
            model_id: trained.model_id.clone(),
            rows: Counted { row_count_total: trained.rows, row_count_with_actual: trained.rows },
            mean_predicted_value: trained.mean_prediction,
            mean_actual_value: trained.mean_target,
        };
        let mut summary = Counted::default();
        let bucket = |((start, model), sums): ((i64, &str), Means)| {
            let rows = Counted {
                row_count_total: sums.joinable,
                row_count_with_actual: sums.outcomes.as_ref().map_or(0, Sums::rows),
            };
            summary.row_count_total += rows.row_count_total;
            summary.row_count_with_actual += rows.row_count_with_actual;
            Compared {
                period: Some(size.period(start, window)),
                model_id: model.to_owned(),
                rows,
                mean_predicted_value: sums.mean_prediction(),
                mean_actual_value: sums.outcomes.as_ref().and_then(Sums::mean_actual),
            }
        };
        let buckets = Means::by(parts, size).into_iter().map(bucket).collect();
        Self { baselines: trained.iter().map(baseline).collect(), buckets, summary }
    }
}

/// What means are made of.
#[derive(Default)]
struct Means {
    rows: u64,
    /// Rows that an outcome could be joined with. Rows that were summed up may have come once more, for their outcomes.
    joinable: u64,
    predictions: Sum,
    count: u64,
    outcomes: Option<Sums>,
}

impl Means {
    fn by<'a>(parts: &[Part<'a>], size: BucketSize) -> BTreeMap<(i64, &'a str), Self> {
        let mut all = BTreeMap::<_, Self>::new();
        for part in parts {
            all.entry((size.start(part.hour_us), &*part.group.model_id))
                .or_default()
                .add(part.rollup);
        }
        all
    }

    fn add(&mut self, rollup: &Rollup) {
        let single = rollup.rows.saturating_sub(rollup.rows_summed);
        self.rows = self.rows.saturating_add(rollup.rows);
        self.joinable += single.saturating_add(rollup.rows_untracked).max(rollup.rows);
        self.predictions.merge(&rollup.prediction_sum);
        self.count = self.count.saturating_add(rollup.prediction_count);
        match &mut self.outcomes {
            None => self.outcomes = Some(rollup.accuracy.clone()),
            Some(outcomes) => outcomes.merge(&rollup.accuracy),
        }
    }

    fn mean_prediction(&self) -> Option<f64> {
        let mean = (self.count > 0).then(|| self.predictions.value() / self.count as f64);
        mean.filter(|mean| mean.is_finite())
    }
}

//! Service health: how many requests, how long they took, how many failed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Group, Moment, Part, Status, Window};
use crate::numbers::load::Peaks;
use crate::numbers::{Health, Load, Times, Usage};

/// From this share of failed requests on the light is yellow, by default.
pub const YELLOW_ERROR_RATE: f64 = 0.01;
/// From this share on it is red, by default.
pub const RED_ERROR_RATE: f64 = 0.05;
/// With fewer requests there is no verdict, by default.
pub const LEAST_REQUESTS: u64 = 10;

/// When the light changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthSettings {
    /// From this share of failed requests on, the caller's and the system's each for itself, it is yellow.
    pub yellow_error_rate: f64,
    /// From this share on it is red.
    pub red_error_rate: f64,
    /// With fewer requests there is no verdict.
    pub least_requests: u64,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            yellow_error_rate: YELLOW_ERROR_RATE,
            red_error_rate: RED_ERROR_RATE,
            least_requests: LEAST_REQUESTS,
        }
    }
}

/// Service health in a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthReport<'a> {
    /// The window.
    pub window: Window,
    /// The light, for those that answer callers.
    pub status: Status,
    /// All that answer callers together: champion and canary, without challengers.
    pub total: Figures,
    /// Each role: `champion`, `canary`, `challenger`.
    pub roles: BTreeMap<&'a str, Figures>,
    /// Each group.
    pub groups: Vec<GroupFigures<'a>>,
    /// All that answer callers, bucket by bucket. A bucket in which nothing came is not there.
    pub buckets: Vec<BucketFigures>,
}

/// What one group came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupFigures<'a> {
    /// The group.
    #[serde(flatten)]
    pub group: Group<'a>,
    /// What it came to.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What one bucket of time came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketFigures {
    /// When it begins.
    pub start: Moment,
    /// What it came to.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Counts, rates and times. A rate or a time is null where there were no requests.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Predictions that requests got.
    pub total_predictions: u64,
    /// Requests.
    pub total_requests: u64,
    /// Requests that took longer than the deployment's limit.
    pub slow_requests: u64,
    /// Requests that failed, and the caller was to blame.
    pub user_errors: u64,
    /// Requests that failed, and the model or what runs it was to blame.
    pub system_errors: u64,
    /// User errors as a fraction of requests, 0 to 1.
    pub user_error_rate: Option<f64>,
    /// System errors as a fraction of requests, 0 to 1.
    pub system_error_rate: Option<f64>,
    /// How long requests took.
    pub execution_time: ExecutionTime,
    /// Requests a minute, over the minutes that had any: the middle one.
    pub median_load: Option<f64>,
    /// Requests in the busiest minute.
    pub peak_load: Option<u64>,
    /// What became of rows.
    pub usage: UsageFigures,
}

/// Execution times in milliseconds, to 1 %.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionTime {
    /// Half of the requests took no longer.
    pub median: Option<f64>,
    /// 90 % took no longer.
    pub p90: Option<f64>,
    /// 95 % took no longer.
    pub p95: Option<f64>,
    /// 99 % took no longer.
    pub p99: Option<f64>,
    /// Requests that told how long they took.
    pub requests: u64,
}

impl From<&Times> for ExecutionTime {
    fn from(times: &Times) -> Self {
        Self {
            median: times.quantile(0.5),
            p90: times.quantile(0.9),
            p95: times.quantile(0.95),
            p99: times.quantile(0.99),
            requests: times.count(),
        }
    }
}

/// What became of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageFigures {
    /// Rows that arrived.
    pub rows: u64,
    /// Of them, those without an association id.
    pub without_association_id: u64,
    /// Of them, those beyond the deployment's limit.
    pub rate_limited: u64,
}

/// Parts that are put together. The load of each hour stays apart.
#[derive(Default)]
struct Gathered<'a> {
    health: Health,
    usage: Usage,
    hours: BTreeMap<i64, Vec<&'a Load>>,
}

impl<'a> Gathered<'a> {
    fn add(&mut self, part: &Part<'a>) {
        self.health.merge(part.health);
        self.usage.merge(part.usage);
        self.hours.entry(part.start_us).or_default().push(&part.health.load);
    }

    fn merge(&mut self, other: &Self) {
        self.health.merge(&other.health);
        self.usage.merge(&other.usage);
        for (hour, loads) in &other.hours {
            self.hours.entry(*hour).or_default().extend(loads);
        }
    }

    fn figures(&self) -> Figures {
        let Health { requests, predictions, user_errors, system_errors, slow, times, .. } =
            &self.health;
        let rate = |count: &u64| (*requests > 0).then(|| *count as f64 / *requests as f64);
        let hours: Vec<Load> = self
            .hours
            .values()
            .map(|loads| {
                let mut hour = Load::default();
                loads.iter().for_each(|load| hour.merge(load));
                hour
            })
            .collect();
        let peaks = Peaks::of(&hours);
        Figures {
            total_predictions: *predictions,
            total_requests: *requests,
            slow_requests: *slow,
            user_errors: *user_errors,
            system_errors: *system_errors,
            user_error_rate: rate(user_errors),
            system_error_rate: rate(system_errors),
            execution_time: times.into(),
            median_load: peaks.median,
            peak_load: peaks.peak,
            usage: UsageFigures {
                rows: self.usage.rows,
                without_association_id: self.usage.without_association_id,
                rate_limited: self.usage.rate_limited,
            },
        }
    }
}

/// Service health of a deployment in a window, in buckets of this width.
#[must_use]
pub fn health<'a>(
    parts: &[Part<'a>],
    window: Window,
    bucket_us: i64,
    settings: &HealthSettings,
) -> HealthReport<'a> {
    let mut groups = BTreeMap::<Group<'a>, Gathered<'a>>::new();
    let mut buckets = BTreeMap::<Moment, Gathered<'a>>::new();
    for part in parts.iter().filter(|part| window.has(part.start_us)) {
        groups.entry(part.group).or_default().add(part);
        if part.group.answers() {
            let start = Window::bucket(part.start_us, bucket_us);
            buckets.entry(start).or_default().add(part);
        }
    }
    let mut total = Gathered::default();
    buckets.values().for_each(|bucket| total.merge(bucket));
    let mut roles = BTreeMap::<&'a str, Gathered<'a>>::new();
    for (group, gathered) in &groups {
        let role = group.role.unwrap_or(super::CHAMPION);
        roles.entry(role).or_default().merge(gathered);
    }
    let total = total.figures();
    HealthReport {
        window,
        status: status(&total, settings),
        total,
        roles: roles.iter().map(|(role, gathered)| (*role, gathered.figures())).collect(),
        groups: groups
            .iter()
            .map(|(group, gathered)| GroupFigures { group: *group, figures: gathered.figures() })
            .collect(),
        buckets: buckets
            .iter()
            .map(|(start, gathered)| BucketFigures { start: *start, figures: gathered.figures() })
            .collect(),
    }
}

fn status(total: &Figures, settings: &HealthSettings) -> Status {
    let (Some(user), Some(system)) = (total.user_error_rate, total.system_error_rate) else {
        return Status::NotEnoughData;
    };
    match user.max(system) {
        _ if total.total_requests < settings.least_requests => Status::NotEnoughData,
        rate if rate >= settings.red_error_rate => Status::Red,
        rate if rate >= settings.yellow_error_rate => Status::Yellow,
        _few => Status::Green,
    }
}

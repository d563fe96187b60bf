//! Service health: how much was asked, how long it took, how often it failed, and whose records these are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{BucketSize, Moment, Part, Piece, Status, Window, merged, share};
use crate::numbers::load::{Load as Minutes, Peaks};
use crate::numbers::{self, Health};
use crate::rollup::{GroupKey, Rollup, Span};

/// From what share of failed requests on a deployment is yellow and red, by default.
pub const ERRORS_YELLOW: f64 = 0.01;
/// See [`ERRORS_YELLOW`].
pub const ERRORS_RED: f64 = 0.05;
/// Requests that a verdict needs at least, by default.
pub const REQUESTS_MIN: u64 = 20;

/// What verdicts depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthSettings {
    /// From this share of failed requests on it is yellow.
    pub errors_yellow: f64,
    /// From this share on it is red.
    pub errors_red: f64,
    /// Requests that a verdict needs.
    pub requests_min: u64,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self { errors_yellow: ERRORS_YELLOW, errors_red: ERRORS_RED, requests_min: REQUESTS_MIN }
    }
}

/// How a deployment does.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthReport {
    /// The stretch of time.
    pub window: Window,
    /// By the share of failed requests, whoever was to blame.
    pub status: Status,
    /// All gateways and models whose answers somebody got.
    pub totals: Totals,
    /// Rows, and what is wrong with them.
    pub usage: Usage,
    /// What the devices' clocks show.
    pub clock: Clock,
    /// The same in pieces, oldest first; a piece without records is left out.
    pub buckets: Vec<HealthBucket>,
    /// Each model, part and gateway apart, challengers too.
    pub groups: Vec<GroupHealth>,
}

/// Requests and how they went.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Requests.
    pub requests: u64,
    /// Predictions that they got.
    pub predictions: u64,
    /// Requests that failed, and the caller was to blame.
    pub user_errors: u64,
    /// Requests that failed, and the model or what runs it was to blame.
    pub system_errors: u64,
    /// As a part of all requests.
    pub user_error_rate: Option<f64>,
    /// As a part of all requests.
    pub system_error_rate: Option<f64>,
    /// Requests that took longer than the deployment's limit.
    pub slow_requests: u64,
    /// How long a request took.
    pub execution_time: ExecutionTime,
    /// Requests a minute.
    pub load: Peaks,
}

/// Execution times, milliseconds; within 1 %. All are null when nothing was measured.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ExecutionTime {
    /// Half took no longer.
    pub median: Option<f64>,
    /// Nine in ten took no longer.
    pub p90: Option<f64>,
    /// 95 in a hundred took no longer.
    pub p95: Option<f64>,
    /// 99 in a hundred took no longer.
    pub p99: Option<f64>,
}

/// Rows, and what is wrong with them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Rows that arrived.
    pub rows: u64,
    /// Of them, rows that were summed up where they were made.
    pub summed: u64,
    /// Further rows, which came for their outcomes only.
    pub untracked: u64,
    /// Rows that no outcome can be joined with.
    pub without_association_id: u64,
    /// Rows beyond the deployment's limit.
    pub rate_limited: u64,
}

/// What the devices' clocks show.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Clock {
    /// Records with a time that is further off than tolerated, or cannot be read. They are counted all the same.
    pub skewed: u64,
    /// The first and the last record by the devices' clocks.
    pub first: Option<Moment>,
    /// See `first`.
    pub last: Option<Moment>,
    /// When the last one came in.
    pub received: Option<Moment>,
}

/// A piece of the window.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthBucket {
    /// Its begin.
    pub start: Moment,
    /// What came in it.
    #[serde(flatten)]
    pub totals: Totals,
    /// Rows in it.
    pub rows: u64,
}

/// A model in a part at a gateway.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupHealth {
    /// The model.
    pub model_id: String,
    /// Its package.
    pub model_digest: Option<String>,
    /// `champion`, `canary` or `challenger`.
    pub role: String,
    /// The gateway.
    pub gateway: Option<String>,
    /// Its requests.
    #[serde(flatten)]
    pub totals: Totals,
    /// Its rows.
    pub usage: Usage,
    /// Its clock.
    pub clock: Clock,
}

/// What health takes of rollups.
struct Went {
    health: Health,
    usage: numbers::Usage,
    rows: u64,
    rows_summed: u64,
    rows_untracked: u64,
    happened: Option<Span>,
    received: Option<Span>,
    skewed: u64,
}

impl Piece for Went {
    fn of(rollup: &Rollup) -> Self {
        Self {
            health: rollup.health.clone(),
            usage: rollup.usage,
            rows: rollup.rows,
            rows_summed: rollup.rows_summed,
            rows_untracked: rollup.rows_untracked,
            happened: rollup.happened,
            received: rollup.received,
            skewed: rollup.skewed,
        }
    }

    fn add(&mut self, rollup: &Rollup) {
        self.health.merge(&rollup.health);
        self.usage.merge(&rollup.usage);
        self.rows = self.rows.saturating_add(rollup.rows);
        self.rows_summed = self.rows_summed.saturating_add(rollup.rows_summed);
        self.rows_untracked = self.rows_untracked.saturating_add(rollup.rows_untracked);
        Span::join(&mut self.happened, rollup.happened);
        Span::join(&mut self.received, rollup.received);
        self.skewed = self.skewed.saturating_add(rollup.skewed);
    }
}

impl HealthReport {
    /// Of these rollups.
    pub fn of(
        parts: &[Part<'_>],
        window: Window,
        size: BucketSize,
        settings: &HealthSettings,
    ) -> Self {
        let answered = || parts.iter().filter(|part| part.group.is_answer());
        let sum = merged::<Went>(answered().map(|part| part.rollup));
        let totals = Totals::of(sum.as_ref(), peaks(answered()));
        let mut groups = BTreeMap::<Who<'_>, Vec<&Part<'_>>>::new();
        for part in parts {
            groups.entry(Who::of(part.group)).or_default().push(part);
        }
        let mut pieces = BTreeMap::<i64, Vec<&Part<'_>>>::new();
        for part in answered() {
            pieces.entry(size.start(part.hour_us)).or_default().push(part);
        }
        let bucket = |(start, parts): (i64, Vec<&Part<'_>>)| {
            let sum = merged::<Went>(parts.iter().map(|part| part.rollup));
            HealthBucket {
                start: Moment(start),
                totals: Totals::of(sum.as_ref(), peaks(parts.into_iter())),
                rows: sum.map_or(0, |sum| sum.rows),
            }
        };
        Self {
            window,
            status: status(&totals, settings),
            usage: Usage::of(sum.as_ref()),
            clock: Clock::of(sum.as_ref()),
            totals,
            buckets: pieces.into_iter().map(bucket).collect(),
            groups: groups.into_iter().map(|(who, parts)| who.health(&parts)).collect(),
        }
    }
}

/// The minutes of these hours. Groups of one hour share its minutes.
fn peaks<'a, 'b: 'a>(parts: impl Iterator<Item = &'a Part<'b>>) -> Peaks {
    let mut hours = BTreeMap::<i64, Minutes>::new();
    for part in parts {
        hours.entry(part.hour_us).or_default().merge(&part.rollup.health.load);
    }
    Peaks::of(hours.values())
}

fn status(totals: &Totals, settings: &HealthSettings) -> Status {
    if totals.requests < settings.requests_min {
        return Status::NotEnoughData;
    }
    let failed = share(totals.user_errors + totals.system_errors, totals.requests).unwrap_or(0.0);
    match failed {
        failed if failed >= settings.errors_red => Status::Red,
        failed if failed >= settings.errors_yellow => Status::Yellow,
        _ => Status::Green,
    }
}

impl Totals {
    /// Of all of these.
    pub(super) fn of_all(parts: &[Part<'_>]) -> Self {
        let sum = merged::<Went>(parts.iter().map(|part| part.rollup));
        Self::of(sum.as_ref(), peaks(parts.iter()))
    }

    fn of(rollup: Option<&Went>, load: Peaks) -> Self {
        let count = |of: fn(&Went) -> u64| rollup.map_or(0, of);
        let requests = count(|rollup| rollup.health.requests);
        let user_errors = count(|rollup| rollup.health.user_errors);
        let system_errors = count(|rollup| rollup.health.system_errors);
        let quantile = |part| rollup.and_then(|rollup| rollup.health.times.quantile(part));
        Self {
            requests,
            predictions: count(|rollup| rollup.health.predictions),
            user_errors,
            system_errors,
            user_error_rate: share(user_errors, requests),
            system_error_rate: share(system_errors, requests),
            slow_requests: count(|rollup| rollup.health.slow),
            execution_time: ExecutionTime {
                median: quantile(0.5),
                p90: quantile(0.9),
                p95: quantile(0.95),
                p99: quantile(0.99),
            },
            load,
        }
    }
}

impl Usage {
    fn of(rollup: Option<&Went>) -> Self {
        let count = |of: fn(&Went) -> u64| rollup.map_or(0, of);
        Self {
            rows: count(|rollup| rollup.usage.rows),
            summed: count(|rollup| rollup.rows_summed),
            untracked: count(|rollup| rollup.rows_untracked),
            without_association_id: count(|rollup| rollup.usage.without_association_id),
            rate_limited: count(|rollup| rollup.usage.rate_limited),
        }
    }
}

impl Clock {
    fn of(rollup: Option<&Went>) -> Self {
        let happened = rollup.and_then(|rollup| rollup.happened);
        Self {
            skewed: rollup.map_or(0, |rollup| rollup.skewed),
            first: happened.map(|span| Moment(span.first_us)),
            last: happened.map(|span| Moment(span.last_us)),
            received: rollup.and_then(|rollup| rollup.received).map(|span| Moment(span.last_us)),
        }
    }
}

/// A group, whatever its bins.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Who<'a> {
    role: Option<&'a str>,
    model_id: &'a str,
    digest: Option<&'a str>,
    gateway: Option<&'a str>,
}

impl<'a> Who<'a> {
    fn of(group: &'a GroupKey) -> Self {
        Self {
            role: group.role.as_deref(),
            model_id: &group.model_id,
            digest: group.digest.as_deref(),
            gateway: group.gateway.as_deref(),
        }
    }

    fn health(&self, parts: &[&Part<'_>]) -> GroupHealth {
        let sum = merged::<Went>(parts.iter().map(|part| part.rollup));
        let rollup = sum.as_ref();
        GroupHealth {
            model_id: self.model_id.to_owned(),
            model_digest: self.digest.map(str::to_owned),
            role: self.role.unwrap_or("champion").to_owned(),
            gateway: self.gateway.map(str::to_owned),
            totals: Totals::of(rollup, peaks(parts.iter().copied())),
            usage: Usage::of(rollup),
            clock: Clock::of(rollup),
        }
    }
}

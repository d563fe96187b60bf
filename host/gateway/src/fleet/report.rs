//! What the gateway says about its deployments: to the admin API, the status page and the metrics, from one place.
//!
//! Names are as the admin API's JSON has them. Times are RFC 3339 in UTC, durations milliseconds.

use serde::Serialize;

/// The whole gateway at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetReport {
    /// The gateway's own version.
    pub version: &'static str,
    /// Seconds since its start.
    pub uptime_seconds: f64,
    /// Whether requests may come ([`FleetReport::reasons`] says why not).
    pub ready: bool,
    /// Whether it is shutting down, or was told to take no more requests.
    pub draining: bool,
    /// Why it is not ready.
    pub reasons: Vec<String>,
    /// What is wrong and stops nothing.
    pub warnings: Vec<String>,
    /// The deployment that `/predict` serves.
    pub default_deployment: Option<String>,
    /// All deployments, by id.
    pub deployments: Vec<DeploymentReport>,
    /// The outbox, where there is one.
    pub outbox: Option<OutboxReport>,
    /// The channels that drain it.
    pub channels: Vec<ChannelReport>,
    /// The last changes, the latest first.
    pub events: Vec<Event>,
}

/// A deployment at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentReport {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Who made it: `config`, `folder` or `admin`.
    pub made_by: &'static str,
    /// Whether `/predict` serves it.
    pub is_default: bool,
    /// Whether it takes no requests for now.
    pub draining: bool,
    /// The package that answers; none while nothing could be loaded.
    pub champion: Option<PackageReport>,
    /// The package that `rollback` brings back.
    pub previous: Option<VersionReport>,
    /// How the champion does while it is new and watched.
    pub watch: Option<WatchReport>,
    /// The package that answers a share of the requests.
    pub canary: Option<CanaryReport>,
    /// Packages that score along and never answer.
    pub challengers: Vec<ChallengerReport>,
    /// Champions, the latest first.
    pub history: Vec<VersionReport>,
    /// Requests for predictions since the start, answered or not.
    pub requests: u64,
    /// Those that failed by our or the model's fault.
    pub errors: u64,
    /// Those of the last whole minute or so, a second.
    pub requests_per_second: f64,
    /// Time from the end of the head to the answer in the last minute or so, median.
    pub p50_ms: Option<f64>,
    /// The same, 99th percentile.
    pub p99_ms: Option<f64>,
}

/// A loaded package and how it does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageReport {
    /// `sha256:<hex>` of the package's bytes.
    pub digest: String,
    /// The id by which monitoring knows it.
    pub model_id: String,
    /// The model's name in the manifest.
    pub name: String,
    /// The model's version in the manifest.
    pub version: String,
    /// The trusted key that has signed it.
    pub signed_by: Option<String>,
    /// Since when it has its place.
    pub since: String,
    /// Calls of the model.
    pub calls: u64,
    /// Rows that it scored.
    pub rows: u64,
    /// Calls that it declined.
    pub declined: u64,
    /// Calls in which it trapped, used up its memory, or answered nonsense.
    pub broken: u64,
    /// Calls that ran into the deadline.
    pub late: u64,
    /// Time of one call in the last minute or so, median.
    pub p50_ms: Option<f64>,
    /// The same, 99th percentile.
    pub p99_ms: Option<f64>,
}

/// A champion of now or before.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionReport {
    /// `sha256:<hex>` of the package's bytes.
    pub digest: String,
    /// The model's name in the manifest.
    pub name: String,
    /// The model's version in the manifest.
    pub version: String,
    /// Since when.
    pub since: String,
    /// Who put it there.
    pub by: String,
    /// How it got there: `start`, `deploy`, `folder`, `promote`, `rollback`, `automatic-rollback`.
    pub how: String,
    /// Why it was taken back, if it was.
    pub withdrawn: Option<String>,
}

/// A new package's first requests.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchReport {
    /// Requests so far.
    pub requests: u64,
    /// Those in which it trapped, declined what its predecessor scores, or was late.
    pub faults: u64,
    /// Requests after which the watch ends.
    pub window: u64,
}

/// A package that answers a share of the requests.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryReport {
    /// Its share, from 0 to 1.
    pub share: f64,
    /// The package.
    pub package: PackageReport,
    /// How it does under watch.
    pub watch: WatchReport,
    /// Against the champion on the same rows.
    pub comparison: ComparisonReport,
}

/// A package that scores along and never answers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChallengerReport {
    /// Its name in the deployment.
    pub name: String,
    /// The package.
    pub package: PackageReport,
    /// Requests that it did not score because its time was used up.
    pub shed: u64,
    /// Against what was answered on the same rows.
    pub comparison: ComparisonReport,
}

/// Two packages on the same rows.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparisonReport {
    /// Requests that both scored.
    pub requests: u64,
    /// Rows that both scored.
    pub rows: u64,
    /// Requests that the champion scored and this one did not.
    pub failed: u64,
    /// Mean of this one's prediction minus the champion's, in the target's unit.
    pub mean_difference: Option<f64>,
    /// Largest absolute difference, in the target's unit.
    pub largest_difference: Option<f64>,
    /// Mean time of a call of this one, in milliseconds.
    pub mean_ms: Option<f64>,
    /// Mean time of a call of the champion for the same requests, in milliseconds.
    pub champion_mean_ms: Option<f64>,
}

/// The outbox at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxReport {
    /// Whether it takes records.
    pub healthy: bool,
    /// What is wrong.
    pub trouble: Option<String>,
    /// Bytes on disk.
    pub stored_bytes: u64,
    /// Records on their way to the disk.
    pub queued_records: u64,
    /// Records that it refused since the start.
    pub refused: u64,
}

/// A channel at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelReport {
    /// Its name.
    pub name: String,
    /// Records that it has not delivered yet.
    pub waiting_records: u64,
    /// Age of the oldest of them.
    pub oldest_age_seconds: Option<f64>,
    /// Why it waits for somebody, if it does.
    pub paused: Option<String>,
    /// Its last failure.
    pub last_error: Option<String>,
}

/// A change, or an attempt at one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub at: String,
    /// The deployment; none where it is about the whole gateway.
    pub deployment: Option<String>,
    /// What: `deploy`, `promote`, `rollback`, `automatic-rollback`, `canary`, `canary-abort`, `challenger-add`,
    /// `challenger-remove`, `remove`, `default`, `drain`, `resume`, `log-level`.
    pub action: &'static str,
    /// Who: the name of a token, `folder`, `config` or `gateway`.
    pub by: String,
    /// The digest before.
    pub from: Option<String>,
    /// The digest after, or the digest that was refused.
    pub to: Option<String>,
    /// Whether it was done.
    pub done: bool,
    /// Why not, or what else there is to say.
    pub message: Option<String>,
}

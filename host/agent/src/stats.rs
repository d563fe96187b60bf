//! What the agent counts, in the names of the library's agent where it has them.

use std::collections::BTreeMap;
use std::time::Instant;

use parking_lot::Mutex;
use record::wire::rest::Kind;
use serde_json::{Value, json};

use crate::lane::LaneKey;

/// Most deployments that are counted by name; others are counted together, so that made-up ids fill no memory.
const DEPLOYMENTS: usize = 10_000;
/// Most URLs that are counted by name.
const URLS: usize = 20_000;
/// What is counted together.
const OTHERS: &str = "others";

/// The counters.
#[derive(Debug)]
pub(crate) struct Stats {
    started: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    deployments: BTreeMap<String, BTreeMap<&'static str, u64>>,
    channels: BTreeMap<String, Channel>,
    urls: BTreeMap<String, u64>,
    reported: u64,
    rejected: u64,
}

/// What was read of a channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Channel {
    pub(crate) types: BTreeMap<&'static str, u64>,
    pub(crate) invalid: u64,
    pub(crate) repeats: u64,
    pub(crate) acknowledged: u64,
    pub(crate) features_left_out: u64,
    pub(crate) trouble: Option<String>,
    /// Nothing was there when it was looked at last.
    pub(crate) empty: bool,
}

/// What the library's agent calls a kind.
pub(crate) fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Requests => "deployment-stats",
        Kind::Inputs(_) => "predictions-data",
        Kind::Stats => "prediction-stats",
        Kind::Actuals => "actuals-data",
        Kind::CustomMetric(_) => "custom-metric",
        Kind::Event => "external-event",
        Kind::Ping => "ping",
    }
}

impl Stats {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), counts: Mutex::default() }
    }

    pub(crate) fn called(&self, path: &str) {
        let mut counts = self.counts.lock();
        let path =
            if counts.urls.len() < URLS || counts.urls.contains_key(path) { path } else { OTHERS };
        *counts.urls.entry(path.to_owned()).or_default() += 1;
    }

    pub(crate) fn reported(&self, key: &LaneKey, records: usize, rejected: usize) {
        let mut counts = self.counts.lock();
        counts.reported += records as u64;
        counts.rejected += rejected as u64;
        let known = counts.deployments.contains_key(&key.deployment);
        let id =
            if known || counts.deployments.len() < DEPLOYMENTS { &key.deployment } else { OTHERS };
        let deployment = counts.deployments.entry(id.to_owned()).or_default();
        *deployment.entry(name(&key.kind)).or_default() += records as u64;
    }

    pub(crate) fn channel(&self, name: &str, change: impl FnOnce(&mut Channel)) {
        change(self.counts.lock().channels.entry(name.to_owned()).or_default());
    }

    /// Records that the server took, and dead letters.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let counts = self.counts.lock();
        let invalid = counts.channels.values().map(|channel| channel.invalid).sum::<u64>();
        (counts.reported, counts.rejected + invalid)
    }

    /// Everything, as `GET /stats` shows it.
    pub(crate) fn show(&self) -> Value {
        let counts = self.counts.lock();
        let channel = |channel: &Channel| {
            let mut map = json!(channel.types);
            map["invalid"] = channel.invalid.into();
            map["repeats"] = channel.repeats.into();
            map["acknowledged"] = channel.acknowledged.into();
            map["featuresLeftOut"] = channel.features_left_out.into();
            map["trouble"] = channel.trouble.clone().into();
            map
        };
        let channels: BTreeMap<&String, Value> =
            counts.channels.iter().map(|(name, found)| (name, channel(found))).collect();
        json!({
            "vmVersion": concat!("outpost ", env!("CARGO_PKG_VERSION")),
            "uptimeSec": self.started.elapsed().as_secs(),
            "statsCounterPerDeployment": counts.deployments,
            "requestCounterToDataRobotMLOps": counts.urls,
            "statsCounterPerChannel": channels,
            "channelIsEmpty": counts.channels.values().all(|channel| channel.empty),
            "reportedRecords": counts.reported,
            "deadLetters": counts.rejected,
        })
    }
}

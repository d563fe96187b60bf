//! A lane: what waits for one deployment and is of one kind. Lanes know nothing of each other, so that one that the
//! server holds up holds up no other.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use record::wire::DataType;
use record::wire::rest::Kind;
use xxhash_rust::xxh3::xxh3_128;

use crate::message::Item;
use crate::parked::Park;

/// The smallest bound for the bytes of a call that a 413 can lead to.
const MIN_CALL_BYTES: usize = 1024;

/// What a lane is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LaneKey {
    pub(crate) deployment: String,
    pub(crate) kind: Kind,
}

/// Most of everything in a call of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    pub(crate) entries: usize,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
    /// So many items make a call before their time.
    pub(crate) ready: usize,
    /// So long the oldest waits.
    pub(crate) wait: Duration,
    /// Most calls at the same time.
    pub(crate) calls: usize,
}

/// The items of a call.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Item>,
}

/// How the server takes what a lane has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Fine,
    /// The server asks to wait, or cannot be reached.
    Waiting {
        why: String,
    },
    /// Somebody has to do something.
    Operator {
        why: String,
    },
}

/// A lane.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) key: LaneKey,
    pub(crate) caps: Caps,
    pub(crate) items: VecDeque<Item>,
    pub(crate) bytes: usize,
    rows: usize,
    entries: usize,
    oldest: Option<Instant>,
    /// Calls that are to be made again, just as they were.
    pub(crate) again: VecDeque<Batch>,
    pub(crate) calling: usize,
    pub(crate) failures: u32,
    pub(crate) failing_since: Option<Instant>,
    pub(crate) until: Option<Instant>,
    pub(crate) health: Health,
    /// The failure is this lane's own: others go on.
    pub(crate) alone: bool,
    pub(crate) park: Option<Park>,
    pub(crate) flush: bool,
}

impl LaneKey {
    /// The path of its calls.
    pub(crate) fn path(&self) -> Vec<&str> {
        let name = match &self.kind {
            Kind::Event | Kind::Ping => return vec!["remoteEvents"],
            Kind::CustomMetric(metric) => {
                return vec!["deployments", &self.deployment, "customMetrics", metric, "fromJSON"];
            }
            Kind::Requests => "predictionRequests",
            Kind::Inputs(_) => "predictionInputs",
            Kind::Stats => "predictionStats",
            Kind::Actuals => "actuals",
        };
        vec!["deployments", &self.deployment, name, "fromJSON"]
    }

    /// The type of its messages.
    pub(crate) fn data_type(&self) -> DataType {
        match &self.kind {
            Kind::Requests => DataType::DeploymentStats,
            Kind::Inputs(_) => DataType::PredictionsData,
            Kind::Stats => DataType::PredictionStats,
            Kind::Actuals => DataType::ActualsData,
            Kind::CustomMetric(_) => DataType::CustomMetric,
            Kind::Event => DataType::Event,
            Kind::Ping => DataType::Ping,
        }
    }

    /// Whether each message is a call of its own.
    pub(crate) fn travels_alone(&self) -> bool {
        matches!(self.kind, Kind::CustomMetric(_) | Kind::Event | Kind::Ping)
    }
}

impl Lane {
    pub(crate) fn new(key: LaneKey, caps: Caps) -> Self {
        Self {
            key,
            caps,
            items: VecDeque::new(),
            bytes: 0,
            rows: 0,
            entries: 0,
            oldest: None,
            again: VecDeque::new(),
            calling: 0,
            failures: 0,
            failing_since: None,
            until: None,
            health: Health::Fine,
            alone: false,
            park: None,
            flush: false,
        }
    }

    pub(crate) fn push(&mut self, item: Item, now: Instant) {
        self.bytes += item.bytes();
        self.rows += item.rows;
        self.entries += item.entries;
        self.oldest.get_or_insert(now);
        self.items.push_back(item);
    }

    /// Takes everything out that waits for its first call.
    pub(crate) fn take_items(&mut self) -> VecDeque<Item> {
        (self.rows, self.entries, self.oldest) = (0, 0, None);
        let items = std::mem::take(&mut self.items);
        self.bytes -= items.iter().map(Item::bytes).sum::<usize>();
        items
    }

    /// Nothing waits, here or on the disk, and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.calling == 0
            && self.again.is_empty()
            && self.items.is_empty()
            && self.park.as_ref().is_none_or(Park::is_empty)
    }

    /// When there is a call to be made: now, later, or (none) when something comes.
    pub(crate) fn due(&self, now: Instant, hurry: bool) -> Option<Instant> {
        if self.items.is_empty() && self.again.is_empty() {
            return None;
        }
        let most = if self.failures > 0 { 1 } else { self.caps.calls };
        if self.calling >= most {
            return None;
        }
        let full = self.items.len() >= self.caps.ready
            || self.entries >= self.caps.entries
            || self.rows >= self.caps.rows
            || self.bytes >= self.caps.bytes;
        let due = if !self.again.is_empty() || full || hurry || self.flush {
            now
        } else {
            self.oldest.map_or(now, |oldest| oldest + self.caps.wait)
        };
        Some(self.until.map_or(due, |until| until.max(due)))
    }

    /// Takes the items of the next call out.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Batch> {
        if let Some(batch) = self.again.pop_front() {
            self.bytes -= batch.bytes();
            return Some(batch);
        }
        let mut items: Vec<Item> = Vec::new();
        let (mut rows, mut entries, mut bytes) = (0, 0, 0);
        while let Some(item) = self.items.front() {
            let fits = entries + item.entries <= self.caps.entries
                && rows + item.rows <= self.caps.rows
                && bytes + item.json.len() < self.caps.bytes;
            if !fits && !items.is_empty() {
                break;
            }
            rows += item.rows;
            entries += item.entries;
            bytes += item.json.len() + 1;
            items.extend(self.items.pop_front());
        }
        self.rows -= rows;
        self.entries -= entries;
        self.bytes -= items.iter().map(Item::bytes).sum::<usize>();
        self.oldest = (!self.items.is_empty()).then_some(now);
        if self.items.is_empty() {
            self.flush = false;
        }
        (!items.is_empty()).then_some(Batch { items })
    }

    /// Puts a call back that is to be made again.
    pub(crate) fn put_back(&mut self, batch: Batch) {
        self.bytes += batch.bytes();
        self.again.push_back(batch);
    }

    /// The server finds a call too large.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.caps.bytes = (bytes / 2).max(MIN_CALL_BYTES).min(self.caps.bytes);
    }
}

impl Batch {
    pub(crate) fn bytes(&self) -> usize {
        self.items.iter().map(Item::bytes).sum()
    }

    /// The call's body.
    pub(crate) fn body(&self, key: &LaneKey) -> Vec<u8> {
        if key.travels_alone() {
            return self.items.first().map(|item| item.json.clone()).unwrap_or_default();
        }
        let length: usize = self.items.iter().map(|item| item.json.len() + 1).sum();
        let mut body = Vec::with_capacity(length + 80);
        body.extend_from_slice(b"{\"data\":[");
        for (place, item) in self.items.iter().enumerate() {
            if place > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&item.json);
        }
        body.push(b']');
        if let Kind::Inputs(flags) = &key.kind {
            if flags.skip_drift_tracking {
                body.extend_from_slice(b",\"skipDriftTracking\":true");
            }
            if flags.skip_accuracy_tracking {
                body.extend_from_slice(b",\"skipAccuracyTracking\":true");
            }
        }
        body.push(b'}');
        body
    }

    /// The call's key: the same body has the same.
    pub(crate) fn key(body: &[u8]) -> uuid::Uuid {
        uuid::Builder::from_custom_bytes(xxh3_128(body).to_be_bytes()).into_uuid()
    }

    /// Two calls in place of one; none when there is a single entry.
    pub(crate) fn halves(self) -> Result<(Self, Self), Self> {
        let mut items = self.items;
        if items.len() > 1 {
            let rest = items.split_off(items.len() / 2);
            return Ok((Self { items }, Self { items: rest }));
        }
        match items.first().and_then(Item::halves) {
            Some((one, other)) => Ok((Self { items: vec![one] }, Self { items: vec![other] })),
            None => Err(Self { items }),
        }
    }
}

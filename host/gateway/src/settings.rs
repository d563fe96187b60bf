//! Every limit of the gateway, each with a name, a default and the reason for that number.

use std::time::Duration;

use crate::privacy::PrivacySettings;

/// Connections open at once. Each costs about 40 KiB of buffers, so this is some 40 MiB at worst.
pub const DEFAULT_CONNECTIONS: usize = 1024;
/// From the first byte of a request's head to its last. A sensor on a bad radio link needs a second or two.
pub const DEFAULT_HEADER_TIME: Duration = Duration::from_secs(5);
/// A quiet connection is kept this long: longer than the 60 s after which common proxies drop theirs, so
/// that it is never us who close a connection that a proxy is about to use.
pub const DEFAULT_IDLE_TIME: Duration = Duration::from_secs(75);
/// A client that takes no byte of its answer for this long is gone.
pub const DEFAULT_WRITE_STALL_TIME: Duration = Duration::from_secs(30);
/// Request line and headers together. Browsers and proxies stay below 8 KiB.
pub const DEFAULT_HEADER_BYTES: usize = 16 * 1024;
/// One request's body: 10,000 rows of 100 columns as CSV.
pub const DEFAULT_BODY_BYTES: usize = 8 * 1024 * 1024;
/// All bodies above [`INLINE_BODY_BYTES`] that are in memory at once; small boards have 1 GiB.
pub const DEFAULT_ALL_BODIES_BYTES: usize = 64 * 1024 * 1024;
/// From the end of the head to the end of the body.
pub const DEFAULT_BODY_TIME: Duration = Duration::from_secs(15);
/// Rows in one request.
pub const DEFAULT_ROWS: u32 = 10_000;
/// A request waits this long for a free instance of the model before it is told to come again.
pub const DEFAULT_QUEUE_TIME: Duration = Duration::from_secs(1);
/// From the end of the head to the start of scoring; scoring itself has the engine's own deadline.
pub const DEFAULT_REQUEST_TIME: Duration = Duration::from_secs(30);
/// A `durable` answer waits this long for its record to be on disk.
pub const DEFAULT_DURABLE_TIME: Duration = Duration::from_secs(2);
/// Time to finish requests after the order to stop. Service managers kill after 30 s or later, and the
/// channels want what is left of that.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// The field that carries a row's association id.
pub const DEFAULT_ASSOCIATION_ID_COLUMN: &str = "associationId";

/// Deployments of one gateway. Each keeps an instance or two in memory.
pub const DEFAULT_DEPLOYMENTS: usize = 256;
/// Packages that score along in one deployment.
pub const DEFAULT_CHALLENGERS: usize = 8;
/// Champions that are kept for a rollback.
pub const DEFAULT_VERSIONS: usize = 10;
/// A new package's first requests, in which its predecessor stands by.
pub const DEFAULT_WATCH_REQUESTS: u64 = 200;
/// The part of them that may be faults: at 200, the eleventh fault takes the package back.
pub const DEFAULT_WATCH_FAULTS: f64 = 0.05;
/// A call that takes longer than this is a fault of a new package. Far above what any model takes for a row.
pub const DEFAULT_WATCH_LATE: Duration = Duration::from_millis(250);
/// The part of one processor that scoring along may take.
pub const DEFAULT_SHADOW_CPU: f64 = 0.25;
/// Bytes of requests that wait to be scored along; what comes on top is shed.
pub const DEFAULT_SHADOW_BYTES: usize = 8 * 1024 * 1024;

/// Bodies up to this size are decoded and scored on the task that has the request (a few hundred rows, tens
/// of microseconds); a larger one would hold up the other requests of the thread and goes to a blocking one.
pub const INLINE_BODY_BYTES: usize = 16 * 1024;
/// A model that takes longer than this for a small body is moved off the request's thread, until it is quick again.
pub const INLINE_TIME: Duration = Duration::from_millis(2);
/// Characters in an association id.
pub const ASSOCIATION_ID_CHARS: usize = 128;
/// Characters in the value of an actual that is a text.
pub const ACTUAL_TEXT_CHARS: usize = 256;
/// Characters in a gateway's name: as many as a host's name has.
pub const NAME_CHARS: usize = 64;
/// Bytes in an `X-Request-Id`.
pub const REQUEST_ID_BYTES: usize = 128;

/// The limits of a gateway.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// How records name this gateway; the host's name when not given. See [`is_name`].
    pub name: Option<String>,
    /// Connections open at once; more wait in the kernel's queue.
    pub connections: usize,
    /// From the first byte of a request's head to its last; also the time a new connection has to say anything.
    pub header_time: Duration,
    /// How long a connection may be quiet between two requests.
    pub idle_time: Duration,
    /// How long a client may take no byte of its answer.
    pub write_stall_time: Duration,
    /// Bytes of request line and headers: 431. At least 256.
    pub header_bytes: usize,
    /// Bytes of one body: 413.
    pub body_bytes: usize,
    /// Bytes of all large bodies in memory at once: 503.
    pub all_bodies_bytes: usize,
    /// From the end of the head to the end of the body: 408.
    pub body_time: Duration,
    /// Rows in one request: 413.
    pub rows: u32,
    /// Waiting for an instance of the model: 503.
    pub queue_time: Duration,
    /// From the end of the head to the start of scoring: 504.
    pub request_time: Duration,
    /// Waiting for a durable record: 503.
    pub durable_time: Duration,
    /// Time to finish requests after the order to stop.
    pub grace: Duration,
}

/// The limits of all deployments together.
#[derive(Clone, Debug)]
pub struct FleetSettings {
    /// Deployments at once.
    pub deployments: usize,
    /// Challengers in one deployment.
    pub challengers: usize,
    /// Champions of one deployment that are kept for a rollback, the one that serves among them. At least 2.
    pub versions: usize,
    /// The watch over new packages.
    pub watch: WatchSettings,
    /// The part of one processor that scoring along may take, above 0 and at most 1.
    pub shadow_cpu: f64,
    /// Bytes of requests that wait to be scored along.
    pub shadow_bytes: usize,
}

/// The watch over new packages.
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// A new package's first requests; 0 watches none.
    pub requests: u64,
    /// The part of them that may be faults, from 0 to 1.
    pub faults: f64,
    /// The longest call that is no fault.
    pub late: Duration,
}

/// How one deployment treats its requests.
#[derive(Clone, Debug)]
pub struct DeploymentSettings {
    /// What happens to a field that is no feature of the model.
    pub unknown_names: UnknownNames,
    /// The field that carries a row's association id.
    pub association_id_column: String,
    /// Whether an answer waits for its record.
    pub record_class: RecordClass,
    /// What is kept out of the records.
    pub privacy: PrivacySettings,
}

/// What happens to a field that is no feature of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownNames {
    /// 400, naming the field.
    Refuse,
    /// Left out and counted in `gateway_unknown_fields_total`.
    Ignore,
}

/// Whether an answer waits for its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordClass {
    /// Never: a record that the outbox refuses is counted.
    Observe,
    /// Until the record is on disk, or the answer is 503.
    Durable,
}

/// Whether a gateway can have this name: 1 to [`NAME_CHARS`] characters, none of them a control character.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= NAME_CHARS && !name.contains(char::is_control)
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            name: None,
            connections: DEFAULT_CONNECTIONS,
            header_time: DEFAULT_HEADER_TIME,
            idle_time: DEFAULT_IDLE_TIME,
            write_stall_time: DEFAULT_WRITE_STALL_TIME,
            header_bytes: DEFAULT_HEADER_BYTES,
            body_bytes: DEFAULT_BODY_BYTES,
            all_bodies_bytes: DEFAULT_ALL_BODIES_BYTES,
            body_time: DEFAULT_BODY_TIME,
            rows: DEFAULT_ROWS,
            queue_time: DEFAULT_QUEUE_TIME,
            request_time: DEFAULT_REQUEST_TIME,
            durable_time: DEFAULT_DURABLE_TIME,
            grace: DEFAULT_GRACE,
        }
    }
}

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            deployments: DEFAULT_DEPLOYMENTS,
            challengers: DEFAULT_CHALLENGERS,
            versions: DEFAULT_VERSIONS,
            watch: WatchSettings::default(),
            shadow_cpu: DEFAULT_SHADOW_CPU,
            shadow_bytes: DEFAULT_SHADOW_BYTES,
        }
    }
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            requests: DEFAULT_WATCH_REQUESTS,
            faults: DEFAULT_WATCH_FAULTS,
            late: DEFAULT_WATCH_LATE,
        }
    }
}

impl Default for DeploymentSettings {
    fn default() -> Self {
        Self {
            unknown_names: UnknownNames::Refuse,
            association_id_column: DEFAULT_ASSOCIATION_ID_COLUMN.to_owned(),
            record_class: RecordClass::Observe,
            privacy: PrivacySettings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_can_be_shown() {
        for good in ["g", "ward 3, ü", &"ü".repeat(NAME_CHARS)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a\nb", &"g".repeat(NAME_CHARS + 1)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}

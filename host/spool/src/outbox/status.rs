//! What the outbox tells of itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::Refused;
use super::gaps::{Gap, Losses};
use super::segment::FRAME_BYTES;
use super::settings::WhenFull;
use super::shared::{Log, Shared};

/// Upper bounds of the classes of [`OutboxStatus::sync_times`].
pub const SYNC_TIME_BOUNDS: [Duration; 10] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(5),
];

/// A picture of the outbox.
#[derive(Clone, Debug)]
pub struct OutboxStatus {
    /// The id of the store.
    pub store_id: Uuid,
    /// Whether the disk takes what is appended.
    pub state: OutboxState,
    /// The number that the next record gets.
    pub next_seq: u64,
    /// The last durable record.
    pub durable_seq: u64,
    /// Records between the callers and the writer.
    pub queued_records: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// Segments on disk.
    pub segments: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Whether records may be refused because the channels do not keep up: there is no room below the cap for one of
    /// the largest size.
    pub at_cap: bool,
    /// What each channel has before it, by name.
    pub channels: Vec<CursorStatus>,
    /// Records that were not taken.
    pub refused: Refusals,
    /// Records that are gone, since the outbox was made.
    pub lost: Losses,
    /// Where they were; the 32 latest.
    pub gaps: Vec<Gap>,
    /// Damaged segments that were set aside, as far as nobody has removed them.
    pub quarantined_segments: u64,
    /// Batches made durable.
    pub syncs: u64,
    /// Time that took, write and sync.
    pub sync_time: Duration,
    /// How many of them took at most [`SYNC_TIME_BOUNDS`]; the last is those that took longer.
    pub sync_times: [u64; SYNC_TIME_BOUNDS.len() + 1],
    /// Writes and syncs that failed.
    pub write_errors: u64,
}

/// Whether the disk takes what is appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OutboxState {
    /// It does.
    #[default]
    Healthy,
    /// It did not, the last time; the writer tries again.
    Degraded {
        /// What the disk said.
        error: String,
    },
    /// There is no space for it; the writer tries again.
    DiskFull,
    /// The outbox was closed.
    Closed,
}

/// What a channel has before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorStatus {
    /// The channel.
    pub channel: String,
    /// Whether it has a reader in this run. One that has none still holds its records back.
    pub attached: bool,
    /// The last record that it has done with.
    pub done_seq: u64,
    /// Durable records that wait for it.
    pub waiting_records: u64,
    /// Their bytes on disk; within one segment this is an estimate by count.
    pub waiting_bytes: u64,
    /// When the oldest of them was written, to the second. None when none waits or no reader has seen it yet.
    pub oldest: Option<SystemTime>,
}

/// Records that were not taken, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// [`Refused::QueueFull`]
    pub queue_full: u64,
    /// [`Refused::OutboxFull`]
    pub outbox_full: u64,
    /// [`Refused::DiskFull`]
    pub disk_full: u64,
    /// [`Refused::TooLarge`]
    pub too_large: u64,
    /// [`Refused::Closed`]
    pub closed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    refused: [AtomicU64; 5],
    pub(super) quarantined: AtomicU64,
    syncs: [AtomicU64; SYNC_TIME_BOUNDS.len() + 1],
    sync_us: AtomicU64,
    pub(super) write_errors: AtomicU64,
}

impl Refusals {
    /// Each reason, as a word for a metric's label, with its count.
    pub fn by_reason(&self) -> [(&'static str, u64); 5] {
        [
            ("queue_full", self.queue_full),
            ("outbox_full", self.outbox_full),
            ("disk_full", self.disk_full),
            ("too_large", self.too_large),
            ("closed", self.closed),
        ]
    }
}

impl Counters {
    pub(super) fn new(quarantined: u64) -> Self {
        Self { quarantined: AtomicU64::new(quarantined), ..Self::default() }
    }

    pub(super) fn refused(&self, refused: Refused) {
        let reason = match refused {
            Refused::QueueFull => 0,
            Refused::OutboxFull => 1,
            Refused::DiskFull => 2,
            Refused::TooLarge { .. } => 3,
            Refused::Closed => 4,
        };
        self.refused[reason].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a batch that became durable, and how long that took.
    pub(super) fn synced(&self, took: Duration) {
        let class = SYNC_TIME_BOUNDS.partition_point(|bound| *bound < took);
        self.syncs[class].fetch_add(1, Ordering::Relaxed);
        self.sync_us.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }
}

pub(super) fn of(shared: &Shared) -> OutboxStatus {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counters = &shared.counters;
    let [queue_full, outbox_full, disk_full, too_large, closed] =
        std::array::from_fn(|reason| load(&counters.refused[reason]));
    let queue = shared.queue.lock();
    let (next_seq, queued_records, queued_bytes) =
        (queue.next_seq, queue.batch.records as u64, queue.batch.bytes.len() as u64);
    drop(queue);
    let state = shared.state.lock().clone();
    let (lost, gaps) = {
        let ledger = shared.ledger.lock();
        (ledger.losses(), ledger.gaps().copied().collect())
    };
    let stored_bytes = load(&shared.stored_bytes);
    let settings = &shared.settings;
    let largest = queued_bytes + (FRAME_BYTES + settings.record_bytes) as u64;
    let sync_times = std::array::from_fn(|class| load(&counters.syncs[class]));
    let log = shared.log.lock();
    let durable_seq = shared.durable.load(Ordering::Acquire);
    OutboxStatus {
        store_id: log.store,
        state,
        next_seq,
        durable_seq,
        queued_records,
        queued_bytes,
        segments: log.segments.len() as u64,
        stored_bytes,
        at_cap: settings.when_full == WhenFull::RejectNew
            && stored_bytes + largest > settings.max_bytes,
        channels: channels(&log, durable_seq),
        refused: Refusals { queue_full, outbox_full, disk_full, too_large, closed },
        lost,
        gaps,
        quarantined_segments: load(&counters.quarantined),
        syncs: sync_times.iter().sum(),
        sync_time: Duration::from_micros(load(&counters.sync_us)),
        sync_times,
        write_errors: load(&counters.write_errors),
    }
}

fn channels(log: &Log, durable: u64) -> Vec<CursorStatus> {
    log.cursors
        .values()
        .map(|cursor| {
            let done = cursor.done.load(Ordering::Acquire);
            let waiting = durable.saturating_sub(done);
            let at_s = cursor.oldest_at_s.load(Ordering::Relaxed);
            CursorStatus {
                channel: cursor.name.clone(),
                attached: cursor.attached.load(Ordering::Relaxed),
                done_seq: done,
                waiting_records: waiting,
                waiting_bytes: waiting_bytes(log, done, durable),
                oldest: (waiting > 0 && at_s > 0).then(|| UNIX_EPOCH + Duration::from_secs(at_s)),
            }
        })
        .collect()
}

/// Bytes behind `done`: whole segments, and of the one in which it lies the share that its records have.
fn waiting_bytes(log: &Log, done: u64, durable: u64) -> u64 {
    let ends = log.segments.iter().skip(1).map(|next| next.base).chain([durable.saturating_add(1)]);
    log.segments
        .iter()
        .zip(ends)
        .map(|(segment, end)| {
            let all = end.saturating_sub(segment.base);
            let left = end.saturating_sub(segment.base.max(done.saturating_add(1)));
            match u128::from(all) {
                0 => 0,
                all => (u128::from(segment.bytes) * u128::from(left) / all) as u64,
            }
        })
        .sum()
}

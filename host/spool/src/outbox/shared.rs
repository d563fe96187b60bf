//! What callers, writer and readers share: the queue in memory and the list of segments on disk.
//!
//! Two locks. `queue` is short and hot: a caller holds it for one copy. `log` changes once a segment; files are
//! removed under it, which no caller of `append` ever waits for.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::cursor::Cursor;
use super::fs::{Fs, FsFile};
use super::gaps::{GapReason, Ledger};
use super::segment;
use super::settings::{OutboxSettings, WhenFull};
use super::status::{Counters, OutboxState};
use super::{Class, Receipt, Refused};

/// How the name of a damaged segment ends that was set aside.
pub(super) const QUARANTINE_SUFFIX: &str = ".quarantine";
/// The writer stops gathering when this much is queued, so that one sync does not take too long.
const GATHER_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) fs: Arc<dyn Fs>,
    pub(super) dir: PathBuf,
    pub(super) settings: OutboxSettings,
    pub(super) queue: Mutex<Queue>,
    /// Wakes the writer.
    pub(super) wake: Condvar,
    /// Wakes whoever waits in `close`.
    pub(super) stopped: Condvar,
    pub(super) log: Mutex<Log>,
    /// What is gone. Taken after `log`, never before it.
    pub(super) ledger: Mutex<Ledger>,
    /// The last durable record.
    pub(super) durable: AtomicU64,
    /// Wakes readers; the lock guards nothing but the wait.
    pub(super) published: (Mutex<()>, Condvar),
    /// Bytes of all segments.
    pub(super) stored_bytes: AtomicU64,
    /// Set while the disk takes nothing for lack of space.
    pub(super) disk_full: AtomicBool,
    pub(super) state: Mutex<OutboxState>,
    pub(super) counters: Counters,
    /// Holds the lock on the directory.
    pub(super) _lock: Box<dyn FsFile>,
}

/// Records on their way to the writer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) batch: Pending,
    pub(super) next_seq: u64,
    /// The writer sleeps until somebody wakes it.
    pub(super) idle: bool,
    /// The writer lets records gather and may be woken early.
    pub(super) gathering: bool,
    pub(super) closed: bool,
    /// Nobody waits any longer: the writer is to give up.
    pub(super) abandoned: bool,
    pub(super) finished: bool,
}

/// Records that are written together.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) first: u64,
    pub(super) records: usize,
    /// The records as they lie in a segment, unsealed.
    pub(super) bytes: Vec<u8>,
    pub(super) waiters: Vec<oneshot::Sender<()>>,
}

/// The segments and the cursors.
#[derive(Debug)]
pub(super) struct Log {
    /// The id of the newest segment.
    pub(super) store: Uuid,
    /// Oldest first. The numbers of one end where the next begins.
    pub(super) segments: VecDeque<Segment>,
    pub(super) cursors: BTreeMap<String, Arc<Cursor>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) index: u64,
    pub(super) base: u64,
    pub(super) store: Uuid,
    pub(super) bytes: u64,
}

impl Pending {
    pub(super) fn last(&self) -> u64 {
        self.first + self.records as u64 - 1
    }

    pub(super) fn clear(&mut self) {
        self.records = 0;
        self.bytes.clear();
        self.waiters.clear();
    }
}

impl Queue {
    /// Whether the writer should not let records gather any longer.
    pub(super) fn is_urgent(&self, settings: &OutboxSettings) -> bool {
        !self.batch.waiters.is_empty()
            || self.closed
            || self.batch.bytes.len() >= GATHER_BYTES.min(settings.queue_bytes / 2)
            || self.batch.records >= settings.queue_records.div_ceil(2)
    }
}

impl Shared {
    pub(super) fn append(&self, payload: &[u8], class: Class) -> Result<Receipt, Refused> {
        let taken = self.try_append(payload, class);
        if let Err(refused) = &taken {
            self.counters.refused(*refused);
        }
        taken
    }

    fn try_append(&self, payload: &[u8], class: Class) -> Result<Receipt, Refused> {
        let limit = self.settings.record_bytes;
        if payload.len() > limit {
            return Err(Refused::TooLarge { bytes: payload.len(), limit });
        }
        let bytes = segment::FRAME_BYTES + payload.len();
        let (ticket, durable) = match class {
            Class::Observe => (None, None),
            Class::Durable => {
                let (ticket, durable) = oneshot::channel();
                (Some(ticket), Some(durable))
            }
        };
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(Refused::Closed);
        }
        if self.disk_full.load(Ordering::Relaxed) {
            return Err(Refused::DiskFull);
        }
        let queued = queue.batch.bytes.len() + bytes;
        if queue.batch.records == self.settings.queue_records || queued > self.settings.queue_bytes
        {
            return Err(Refused::QueueFull);
        }
        let stored = self.stored_bytes.load(Ordering::Relaxed);
        // Else the writer makes room.
        if self.settings.when_full == WhenFull::RejectNew
            && stored + queued as u64 > self.settings.max_bytes
        {
            return Err(Refused::OutboxFull);
        }
        let seq = queue.next_seq;
        queue.next_seq += 1;
        if queue.batch.records == 0 {
            queue.batch.first = seq;
        }
        queue.batch.records += 1;
        segment::push(&mut queue.batch.bytes, seq, payload);
        queue.batch.waiters.extend(ticket);
        // One wake-up a batch: whoever finds the writer asleep wakes it, the others see the flag cleared.
        let wake = queue.idle || (queue.gathering && queue.is_urgent(&self.settings));
        if wake {
            (queue.idle, queue.gathering) = (false, false);
        }
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
        Ok(Receipt { seq, durable })
    }

    /// Tells readers that everything up to `seq` is durable.
    pub(super) fn publish(&self, seq: u64) {
        self.durable.store(seq, Ordering::Release);
        // A reader checks the number under the lock before it sleeps, so the wake-up cannot fall in between.
        drop(self.published.0.lock());
        self.published.1.notify_all();
    }

    /// Removes the segments that every cursor has passed durably. The newest stays.
    pub(super) fn reclaim(&self, log: &mut Log) {
        let Some(passed) = log.passed() else { return };
        while log.segments.get(1).is_some_and(|next| next.base <= passed.saturating_add(1)) {
            if let Err(error) = self.remove_oldest(log) {
                tracing::warn!(%error, "Passed segment not removed");
                return;
            }
        }
    }

    /// Makes room under the cap by dropping the oldest segments, which is noted before it is done. The newest stays.
    pub(super) fn drop_oldest(&self) -> io::Result<()> {
        let mut log = self.log.lock();
        while self.stored_bytes.load(Ordering::Relaxed) > self.settings.max_bytes {
            let (Some(oldest), Some(next)) = (log.segments.front(), log.segments.get(1)) else {
                return Ok(());
            };
            let (first, last) = (oldest.base, next.base - 1);
            if first <= last {
                let had = log.cursors.values().map(|cursor| cursor.done.load(Ordering::Acquire));
                let records = (last + 1).saturating_sub(first.max(had.min().unwrap_or(0) + 1));
                self.ledger.lock().note(first, last, GapReason::Dropped, records)?;
                tracing::error!(first, last, records, "Outbox full: oldest records dropped");
            }
            self.remove_oldest(&mut log)?;
        }
        Ok(())
    }

    fn remove_oldest(&self, log: &mut Log) -> io::Result<()> {
        let Some(oldest) = log.segments.front() else { return Ok(()) };
        match self.fs.remove(&self.dir.join(segment_name(oldest.index))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _gone => self.stored_bytes.fetch_sub(oldest.bytes, Ordering::Relaxed),
        };
        log.segments.pop_front();
        Ok(())
    }
}

impl Log {
    /// The last record that every channel has passed, durably. None without any channel.
    pub(super) fn passed(&self) -> Option<u64> {
        self.cursors.values().map(|cursor| cursor.synced.load(Ordering::Acquire)).min()
    }

    /// The segment that holds record `seq`, and the first number that is not its own any more.
    pub(super) fn find(&self, seq: u64) -> Option<(Segment, u64)> {
        let after = self.segments.partition_point(|segment| segment.base <= seq);
        let segment = *self.segments.get(after.checked_sub(1)?)?;
        Some((segment, self.segments.get(after).map_or(u64::MAX, |next| next.base)))
    }
}

pub(super) fn segment_name(index: u64) -> String {
    format!("segment-{index:010}.log")
}

pub(super) fn segment_index(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    let index = digits.parse().ok()?;
    (segment_name(index) == name).then_some(index)
}

/// Gives a damaged segment a second name, so that it outlives the cursors; a second file where names cannot be given.
/// Whether that was done now.
pub(super) fn quarantine(fs: &dyn Fs, dir: &Path, index: u64) -> bool {
    let path = dir.join(segment_name(index));
    let kept = dir.join(quarantine_name(index));
    let done = match fs.link(&path, &kept) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return false,
        Err(_no_links) => fs.copy(&path, &kept),
        done => done,
    };
    match done {
        Err(error) => {
            tracing::error!(%error, segment = index, "Damaged segment not kept");
            false
        }
        Ok(()) => {
            tracing::error!(segment = index, file = %kept.display(), "Damaged segment kept");
            true
        }
    }
}

pub(super) fn quarantine_name(index: u64) -> String {
    format!("segment-{index:010}{QUARANTINE_SUFFIX}")
}

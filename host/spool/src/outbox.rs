//! A segmented, append-only log with group commit, and readers with cursors.
//!
//! # Constraints
//!
//! * Appending never waits for a disk or a broker. It copies the record behind a short lock, and is refused, with a
//!   counted reason, when a bound is reached.
//! * "Durable" means that `fdatasync` returned. Readers see nothing else.
//! * A failed write or sync leaves its outcome unknown: the file is given up, and the batch is written again, with
//!   the same numbers, to a new one.
//! * The position in the log comes from the log. A lost cursor costs duplicates, never records.
//!
//! # Files
//!
//! | name | what |
//! |---|---|
//! | `LOCK` | held (flock) while the outbox is open |
//! | `segment-<n>.log` | header, then records; n grows and gives the order (`segment.rs` has the bytes) |
//! | `<channel>.cursor` | what the channel has done (`slots.rs`) |
//! | `spare.segment` | space for the next segment, set aside |
//! | `gaps.ledger` | which numbers are gone, and why (`gaps.rs`) |
//! | `durable.mark` | what was durable when the writer last rested; tells a damaged end from a torn one |
//! | `*.quarantine` | a second name of a damaged segment, so that it outlives the cursors |
//! | `rejected-<channel>.jsonl` | records that the other side will never take |
//!
//! Directories are 0700, files 0600; a new file appears by rename, and its directory is synced.
//!
//! # Operation
//!
//! One writer thread takes all that is queued, makes one write and one `fdatasync`, and publishes the last number. It
//! writes where zeros are already, so that the sync depends on no journal (`writer.rs` says why).
//! Batch k+1 is not written before batch k is durable. While nobody waits for durability the writer lets records
//! gather for [`OutboxSettings::observe_window`], which saves wake-ups, syncs and flash. A segment is removed when the
//! synced cursors of all channels have passed it. Without any cursor nothing is removed: the outbox fills up
//! to its cap. There it refuses new records, or drops the oldest segment, as [`WhenFull`] says; what is dropped is noted
//! in the ledger before, and read as an [`Entry::Gap`] by channels that had not had it.
//!
//! # Failure
//!
//! | what | then |
//! |---|---|
//! | torn end of the newest segment | cut off: it was never durable; so are zeros, which are written ahead |
//! | damage anywhere else | the rest is delivered, the missing numbers become an [`Entry::Gap`], the file is kept |
//! | a place that cannot be read | five tries, then it counts as damage |
//! | write or sync error | state is degraded; this batch and the durable one before it are written to a new segment, with the same numbers, tried again with back-off; durable appends wait |
//! | disk full or floor reached | appends are refused and counted; what was taken is written to the space set aside; reading goes on; it resumes by itself |
//! | cap reached | appends are refused and counted, or the oldest segment goes and is counted |

mod archive;
mod cursor;
mod fs;
mod gaps;
mod patchy;
mod reader;
mod recover;
mod segment;
mod settings;
mod shared;
mod slots;
mod status;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use uuid::Uuid;

pub use self::archive::{
    Archive, ArchiveError, ArchiveStatus, ArchivedRecord, Backlog, Finding, Report,
};
pub(crate) use self::cursor::is_name as is_channel_name;
pub use self::gaps::{Gap, GapReason, Losses};
pub(crate) use self::reader::Watch;
pub use self::reader::{Batch, Entry, ReadError, Reader};
pub use self::recover::OpenError;
pub use self::settings::{OutboxSettings, WhenFull};
pub use self::status::{CursorStatus, OutboxState, OutboxStatus, Refusals, SYNC_TIME_BOUNDS};

use self::fs::{Disk, Fs};
use self::shared::Shared;

/// How long the last handle waits for the writer when it is dropped without [`Outbox::close`].
const DROP_GRACE: Duration = Duration::from_secs(5);

/// What is promised about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Written within [`OutboxSettings::observe_window`]; nobody waits for it. A power cut may cost that window.
    Observe,
    /// The caller waits for [`Receipt::settled`], and the writer does not let it wait for others.
    Durable,
}

/// Why a record was not taken. It is counted in [`OutboxStatus::refused`], and nothing of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The disk does not keep up: the queue to the writer is full.
    #[error("append a record: the queue to the disk is full")]
    QueueFull,
    /// The channels do not keep up: the outbox has reached [`OutboxSettings::max_bytes`].
    #[error("append a record: the outbox has reached its size limit")]
    OutboxFull,
    /// The disk is full, or below [`OutboxSettings::min_free_bytes`].
    #[error("append a record: the disk is full")]
    DiskFull,
    /// The record is larger than [`OutboxSettings::record_bytes`].
    #[error("append a record: it has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// The record's size.
        bytes: usize,
        /// The most it may have.
        limit: usize,
    },
    /// The outbox was closed.
    #[error("append a record: the outbox is closed")]
    Closed,
}

/// The outbox stopped before the record was durable. It may survive or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("make a record durable: the outbox stopped first")]
pub struct Stopped;

/// The outbox could not make everything durable in time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("close the outbox: {records} records were not durable in time")]
pub struct CloseError {
    /// How many records may be lost.
    pub records: u64,
}

/// A record that was taken.
#[derive(Debug)]
pub struct Receipt {
    seq: u64,
    durable: Option<oneshot::Receiver<()>>,
}

/// The crash-safe queue on the local disk. A handle: clones share it, the last one to go closes it.
#[derive(Clone, Debug)]
pub struct Outbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Receipt {
    /// The record's number in this outbox.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Completes when the class's promise is kept: at once for [`Class::Observe`], once the record is durable
    /// for [`Class::Durable`], however long the disk takes; the caller brings the time-out.
    pub async fn settled(self) -> Result<(), Stopped> {
        match self.durable {
            None => Ok(()),
            Some(durable) => durable.await.map_err(|_closed| Stopped),
        }
    }
}

impl Outbox {
    /// Opens the outbox in `dir`, creating it when it is missing, and starts its writer. The newest segment is
    /// checked and a torn end cut off.
    ///
    /// # Errors
    ///
    /// When another process has it open, when a file was written by a newer version, when a setting contradicts
    /// another, or when the disk fails.
    pub fn open(dir: impl AsRef<Path>, settings: OutboxSettings) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(Disk), dir.as_ref(), settings)
    }

    fn open_on(fs: Arc<dyn Fs>, dir: &Path, settings: OutboxSettings) -> Result<Self, OpenError> {
        settings.check()?;
        let (shared, start) = recover::open(fs, dir, settings)?;
        let shared = Arc::new(shared);
        let writer = writer::spawn(Arc::clone(&shared), start)
            .map_err(|source| OpenError::Thread { source })?;
        Ok(Self { inner: Arc::new(Inner { shared, writer: Mutex::new(Some(writer)) }) })
    }

    /// Queues a record. Never waits; `payload` is copied.
    pub fn append(&self, payload: &[u8], class: Class) -> Result<Receipt, Refused> {
        self.inner.shared.append(payload, class)
    }

    /// A reader at the channel's cursor, or at the oldest record kept when the channel is new. From then on the
    /// cursor holds back what it has not passed, in later runs too.
    ///
    /// # Errors
    ///
    /// When `channel` is not 1 to 32 of `a-z 0-9 -`, when it has a reader already, or when the disk fails.
    pub fn reader(&self, channel: &str) -> Result<Reader, ReadError> {
        Reader::open(Arc::clone(&self.inner.shared), channel)
    }

    /// Forgets the cursor of a channel that is no longer used, so that it holds nothing back.
    ///
    /// # Errors
    ///
    /// When the channel has a reader, or when the disk fails. A channel that never was is fine.
    pub fn forget(&self, channel: &str) -> Result<(), ReadError> {
        cursor::forget(&self.inner.shared, channel)
    }

    /// The id of this store, the first half of every record's id.
    pub fn store_id(&self) -> Uuid {
        self.inner.shared.log.lock().store
    }

    /// Most bytes of one record ([`OutboxSettings::record_bytes`]).
    pub fn record_bytes(&self) -> usize {
        self.inner.shared.settings.record_bytes
    }

    /// Most bytes of one channel's dead letters ([`OutboxSettings::dead_letter_bytes`]).
    pub fn dead_letter_bytes(&self) -> u64 {
        self.inner.shared.settings.dead_letter_bytes
    }

    /// Where the outbox is: its rejected and quarantined records lie here.
    pub fn dir(&self) -> &Path {
        &self.inner.shared.dir
    }

    /// A picture of the outbox. Cheap enough for every scrape.
    pub fn status(&self) -> OutboxStatus {
        status::of(&self.inner.shared)
    }

    /// Refuses what comes from now on, makes durable what is queued, and stops the writer; waits `deadline` at most.
    /// Readers may go on reading.
    ///
    /// # Errors
    ///
    /// When the disk did not take everything in time. The writer is told to give up.
    pub fn close(&self, deadline: Duration) -> Result<(), CloseError> {
        self.inner.close(deadline)
    }
}

impl Inner {
    fn close(&self, deadline: Duration) -> Result<(), CloseError> {
        let mut writer = self.writer.lock();
        let Some(thread) = writer.as_ref() else { return Ok(()) };
        let until = Instant::now() + deadline;
        let mut queue = self.shared.queue.lock();
        queue.closed = true;
        self.shared.wake.notify_all();
        while !queue.finished && !self.shared.stopped.wait_until(&mut queue, until).timed_out() {}
        if queue.finished {
            drop(queue);
            if writer.take().is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("Outbox writer panicked");
            }
            return Ok(());
        }
        queue.abandoned = true;
        self.shared.wake.notify_all();
        let durable = self.shared.durable.load(Ordering::Acquire);
        let records = (queue.next_seq - 1).saturating_sub(durable);
        tracing::error!(records, thread = ?thread.thread().id(), "Outbox closed incompletely");
        Err(CloseError { records })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close(DROP_GRACE) {
            tracing::error!(%error, "Outbox dropped with records that are not durable");
        }
    }
}

#[cfg(test)]
mod tests;

//! The one thread that writes: take what is queued, one write, one sync, publish.
//!
//! After any error the file is given up. The batch stays in memory and is written to a new segment, with the same
//! numbers, as often as it takes. What the old file holds of it is not read: its numbers end where the next segment
//! begins. A segment enters the list only with its first durable batch, so one that failed at birth is just removed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::fs::{FsFile, Open};
use super::segment::{self, HEADER_BYTES, Header};
use super::shared::{Pending, Segment, Shared, segment_name};
use super::slots::Slots;
use super::status::OutboxState;

/// First and longest wait between attempts to write a batch.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// With a full disk: space may come back at any moment, and asking is cheap.
const SPACE_CHECK: Duration = Duration::from_secs(1);
/// The writer rests when this long nothing came, and then notes what is durable.
const REST: Duration = Duration::from_secs(1);

/// Where recovery left the log.
#[derive(Debug)]
pub(super) struct Start {
    /// The newest segment, when more may be appended to it.
    pub(super) open: Option<(Segment, Box<dyn FsFile>)>,
    pub(super) next_index: u64,
    pub(super) mark: Slots,
}

/// Why a batch was not written.
enum Failed {
    NoSpace,
    Io(io::Error),
}

struct Writer {
    shared: Arc<Shared>,
    /// The file that takes the next batch; none after an error.
    open: Option<OpenSegment>,
    next_index: u64,
    mark: Slots,
}

struct OpenSegment {
    segment: Segment,
    file: Box<dyn FsFile>,
    /// Whether it is in the list, that is, has a durable batch.
    listed: bool,
}

/// Says that the writer is gone, also when it panicked.
struct Finish(Arc<Shared>);

pub(super) fn spawn(shared: Arc<Shared>, start: Start) -> io::Result<JoinHandle<()>> {
    let open = start.open.map(|(segment, file)| OpenSegment { segment, file, listed: true });
    let (next_index, mark) = (start.next_index, start.mark);
    std::thread::Builder::new().name("outbox-writer".to_owned()).spawn(move || {
        let finish = Finish(Arc::clone(&shared));
        Writer { shared, open, next_index, mark }.run();
        drop(finish);
    })
}

impl Drop for Finish {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        (queue.closed, queue.finished) = (true, true);
        // Dropping the senders tells whoever waits for durability.
        queue.batch.waiters.clear();
        *self.0.state.lock() = OutboxState::Closed;
        self.0.stopped.notify_all();
    }
}

impl Writer {
    fn run(mut self) {
        let mut batch = Pending::default();
        while self.take(&mut batch) {
            let taken = Instant::now();
            if !self.write_until_durable(&mut batch) {
                return;
            }
            let counters = &self.shared.counters;
            counters.syncs.fetch_add(1, Ordering::Relaxed);
            counters.sync_us.fetch_add(taken.elapsed().as_micros() as u64, Ordering::Relaxed);
            self.shared.publish(batch.last());
            for waiter in batch.waiters.drain(..) {
                // An error means that the caller's time-out came first.
                let _gone = waiter.send(());
            }
            batch.clear();
        }
        self.note_durable();
    }

    /// Waits for records, lets them gather, and swaps them into `batch`. False when closed and empty.
    fn take(&mut self, batch: &mut Pending) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut queue = shared.queue.lock();
        let mut rested = false;
        while queue.batch.records == 0 {
            if queue.closed {
                return false;
            }
            queue.idle = true;
            if rested {
                shared.wake.wait(&mut queue);
            } else if shared.wake.wait_for(&mut queue, REST).timed_out() && queue.batch.records == 0
            {
                drop(queue);
                self.note_durable();
                rested = true;
                queue = shared.queue.lock();
            }
        }
        queue.idle = false;
        let until = Instant::now() + shared.settings.observe_window;
        while !queue.is_urgent(&shared.settings) {
            queue.gathering = true;
            if shared.wake.wait_until(&mut queue, until).timed_out() {
                break;
            }
        }
        queue.gathering = false;
        std::mem::swap(&mut queue.batch, batch);
        shared.stored_bytes.fetch_add(batch.bytes.len() as u64, Ordering::Relaxed);
        true
    }

    /// False when told to give up.
    fn write_until_durable(&mut self, batch: &mut Pending) -> bool {
        let mut backoff = BACKOFF.0;
        loop {
            let failed = match self.write(batch) {
                Ok(()) => {
                    self.recovered();
                    return true;
                }
                Err(failed) => failed,
            };
            let pause = match &failed {
                Failed::NoSpace => SPACE_CHECK,
                Failed::Io(_) => backoff,
            };
            self.degraded(failed);
            backoff = (backoff * 2).min(BACKOFF.1);
            let until = Instant::now() + pause;
            let mut queue = self.shared.queue.lock();
            while !queue.abandoned {
                if self.shared.wake.wait_until(&mut queue, until).timed_out() {
                    break;
                }
            }
            if queue.abandoned {
                return false;
            }
        }
    }

    fn degraded(&self, failed: Failed) {
        let shared = &self.shared;
        let now = match failed {
            Failed::NoSpace => OutboxState::DiskFull,
            Failed::Io(error) => {
                shared.counters.write_errors.fetch_add(1, Ordering::Relaxed);
                OutboxState::Degraded { error: error.to_string() }
            }
        };
        shared.disk_full.store(now == OutboxState::DiskFull, Ordering::Relaxed);
        let mut state = shared.state.lock();
        if *state != now {
            tracing::error!(state = ?now, dir = %shared.dir.display(), "Outbox not writable");
            *state = now;
        }
    }

    fn recovered(&self) {
        let mut state = self.shared.state.lock();
        if *state != OutboxState::Healthy {
            tracing::info!(dir = %self.shared.dir.display(), "Outbox writable again");
            *state = OutboxState::Healthy;
            self.shared.disk_full.store(false, Ordering::Relaxed);
        }
    }

    /// One attempt: the batch is durable when this returns `Ok`.
    fn write(&mut self, batch: &mut Pending) -> Result<(), Failed> {
        let shared = Arc::clone(&self.shared);
        let bytes = batch.bytes.len() as u64;
        let free = shared.fs.free_bytes(&shared.dir).map_err(Failed::Io)?;
        if free < shared.settings.min_free_bytes.saturating_add(bytes) {
            return Err(Failed::NoSpace);
        }
        let limit = shared.settings.segment_bytes;
        let mut open = match self.open.take() {
            Some(open) if open.segment.bytes + bytes <= limit => open,
            _full_or_given_up => self.create(batch.first)?,
        };
        let segment = open.segment;
        segment::seal(&mut batch.bytes, segment.store, batch.first, unix_time().as_secs() as u32);
        let written =
            open.file.write_at(&batch.bytes, segment.bytes).and_then(|()| open.file.sync());
        if let Err(error) = written {
            self.give_up(open);
            return Err(failed(error));
        }
        open.segment.bytes += bytes;
        let mut log = shared.log.lock();
        if open.listed {
            if let Some(newest) = log.segments.back_mut() {
                newest.bytes = open.segment.bytes;
            }
        } else {
            log.segments.push_back(open.segment);
            open.listed = true;
            shared.stored_bytes.fetch_add(HEADER_BYTES as u64, Ordering::Relaxed);
            shared.reclaim(&mut log);
        }
        drop(log);
        self.open = Some(open);
        Ok(())
    }

    /// Makes a segment appear, whole and durable, or not at all.
    fn create(&mut self, base: u64) -> Result<OpenSegment, Failed> {
        let shared = &self.shared;
        let store: Uuid = shared.log.lock().store;
        let index = self.next_index;
        self.next_index += 1;
        let path = shared.dir.join(segment_name(index));
        let fresh = path.with_extension("tmp");
        let header = Header { store, base, created_ms: unix_time().as_millis() as u64 };
        let made = shared.fs.open(&fresh, Open::Fresh).and_then(|file| {
            file.write_at(&header.encode(), 0)?;
            file.sync()?;
            shared.fs.rename(&fresh, &path)?;
            shared.fs.sync_dir(&shared.dir)?;
            Ok(file)
        });
        match made {
            Ok(file) => {
                let segment = Segment { index, base, store, bytes: HEADER_BYTES as u64 };
                Ok(OpenSegment { segment, file, listed: false })
            }
            Err(error) => {
                self.remove(&fresh);
                self.remove(&path);
                Err(failed(error))
            }
        }
    }

    /// Tidies up after a failed write, as far as the disk lets us; nothing depends on it.
    fn give_up(&self, open: OpenSegment) {
        if !open.listed {
            self.remove(&self.shared.dir.join(segment_name(open.segment.index)));
        } else if let Err(error) = open.file.set_len(open.segment.bytes) {
            tracing::debug!(%error, segment = open.segment.index, "Failed batch not cut off");
        }
    }

    fn remove(&self, path: &std::path::Path) {
        match self.shared.fs.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::debug!(%error, file = %path.display(), "Failed file not removed");
            }
            _gone => {}
        }
    }

    /// Notes what is durable, so that a damaged end can be told from a torn one.
    fn note_durable(&mut self) {
        let durable = self.shared.durable.load(Ordering::Acquire);
        if self.mark.value() == Some(durable) {
            return;
        }
        if let Err(error) = self.mark.write(durable).and_then(|()| self.mark.sync()) {
            tracing::debug!(%error, "Durable mark not written");
        }
    }
}

fn failed(error: io::Error) -> Failed {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failed::NoSpace,
        _ => Failed::Io(error),
    }
}

fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

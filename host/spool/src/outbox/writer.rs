//! The one thread that writes: take what is queued, one write, one sync, publish.
//!
//! After any error the file is given up. The batch stays in memory and is written to a new segment, with the same
//! numbers, as often as it takes. A disk that fails may have told a lie just before, so the last durable batch goes there
//! too, before it. What the old file holds of either is not read: its numbers end where the next segment begins. A
//! segment enters the list only with its first durable batch, so one that failed at birth is just removed.
//!
//! Space is set aside a segment ahead: the spare becomes the next segment. So a disk that fills up is noticed while
//! there is still room for what was taken, and new records are refused from then on.
//!
//! Batches go where zeros are on the disk already, so that making one durable changes nothing but its own blocks. A
//! sync that also has to change the file's length or its list of blocks depends on the file system's journal, and ext4
//! was seen to report success for such a sync when the journal was given up (an I/O error) in the middle of it: the
//! blocks were written, and nothing led to them. Zeros are written with one batch for the next, hence cost no sync.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::fs::{FsFile, Open};
use super::segment::{self, HEADER_BYTES, Header};
use super::settings::WhenFull;
use super::shared::{Pending, Segment, Shared, segment_name};
use super::slots::Slots;
use super::status::OutboxState;

/// The file that becomes the next segment.
pub(super) const SPARE_FILE: &str = "spare.segment";
/// First and longest wait between attempts to write a batch.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// With a full disk: space may come back at any moment, and asking is cheap.
const SPACE_CHECK: Duration = Duration::from_secs(1);
/// Zeros in front of the records: at least this many bytes, and twice the last batch.
const AHEAD_BYTES: u64 = 256 << 10;
/// What is written of them at a time.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
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
    /// The last durable batch, for as long as the next one may find that the disk lied.
    last: Pending,
    /// A write failed since `last` became durable.
    suspect: bool,
    /// Space for the next segment.
    spare: Option<Box<dyn FsFile>>,
    /// The file system cannot set space aside.
    cannot_reserve: bool,
}

struct OpenSegment {
    segment: Segment,
    file: Box<dyn FsFile>,
    /// Bytes of the file that need no more space on the disk.
    reserved: u64,
    /// Bytes of the file that are on the disk, records or zeros.
    ready: u64,
    /// Whether it is in the list, that is, has a durable batch.
    listed: bool,
}

/// Says that the writer is gone, also when it panicked.
struct Finish(Arc<Shared>);

pub(super) fn spawn(shared: Arc<Shared>, start: Start) -> io::Result<JoinHandle<()>> {
    let open = start.open.map(|(segment, file)| {
        let ready = segment.bytes;
        OpenSegment { segment, file, reserved: 0, ready, listed: true }
    });
    let (next_index, mark) = (start.next_index, start.mark);
    std::thread::Builder::new().name("outbox-writer".to_owned()).spawn(move || {
        let finish = Finish(Arc::clone(&shared));
        let last = Pending::default();
        let (suspect, spare, cannot_reserve) = (false, None, false);
        Writer { shared, open, next_index, mark, last, suspect, spare, cannot_reserve }.run();
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
        self.prepare_open();
        self.prepare_spare();
        let mut batch = Pending::default();
        while self.take(&mut batch) {
            let taken = Instant::now();
            if !self.write_until_durable(&mut batch) {
                return;
            }
            self.shared.counters.synced(taken.elapsed());
            self.shared.publish(batch.last());
            for waiter in batch.waiters.drain(..) {
                // An error means that the caller's time-out came first.
                let _gone = waiter.send(());
            }
            std::mem::swap(&mut self.last, &mut batch);
            batch.clear();
            self.prepare_spare();
        }
        self.note_durable();
        if let Some(open) = &self.open {
            open.trim();
        }
        self.remove(&self.shared.dir.join(SPARE_FILE));
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
            self.suspect |= matches!(failed, Failed::Io(_));
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
        if self.shared.settings.when_full == WhenFull::DropOldest {
            self.shared.drop_oldest().map_err(Failed::Io)?;
        }
        if self.suspect && self.last.records > 0 {
            let mut last = std::mem::take(&mut self.last);
            self.shared.stored_bytes.fetch_add(last.bytes.len() as u64, Ordering::Relaxed);
            let written = self.write_batch(&mut last);
            if written.is_err() {
                self.shared.stored_bytes.fetch_sub(last.bytes.len() as u64, Ordering::Relaxed);
            }
            self.last = last;
            written?;
        }
        self.suspect = false;
        self.write_batch(batch)
    }

    fn write_batch(&mut self, batch: &mut Pending) -> Result<(), Failed> {
        let shared = Arc::clone(&self.shared);
        let bytes = batch.bytes.len() as u64;
        let limit = shared.settings.segment_bytes;
        let mut open = match self.open.take() {
            Some(open) if open.segment.bytes + bytes <= limit => open,
            full_or_given_up => {
                if let Some(full) = full_or_given_up {
                    full.trim();
                }
                self.create(batch.first, bytes)?
            }
        };
        let segment = open.segment;
        if segment.bytes + bytes > open.reserved
            && let Err(no_room) = self.need_space(bytes)
        {
            self.open = Some(open);
            return Err(no_room);
        }
        segment::seal(&mut batch.bytes, segment.store, batch.first, unix_time().as_secs() as u32);
        if let Err(error) = open.put(&batch.bytes) {
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

    /// Whether the disk may lose `bytes` more of its free space to us.
    fn need_space(&self, bytes: u64) -> Result<(), Failed> {
        let shared = &self.shared;
        let free = shared.fs.free_bytes(&shared.dir).map_err(Failed::Io)?;
        let needed = shared.settings.min_free_bytes.saturating_add(bytes);
        if free < needed { Err(Failed::NoSpace) } else { Ok(()) }
    }

    /// Sets space aside for the rest of a segment that a former run began.
    fn prepare_open(&mut self) {
        let limit = self.shared.settings.segment_bytes;
        if let Some(open) = &self.open
            && self.need_space(limit.saturating_sub(open.segment.bytes)).is_ok()
            && open.file.reserve(limit).is_ok()
            && let Some(open) = &mut self.open
        {
            open.reserved = limit;
        }
    }

    /// Sets space aside for the next segment. Without it the outbox works all the same, and looks at the free space
    /// before each batch.
    fn prepare_spare(&mut self) {
        let shared = &self.shared;
        let bytes = shared.settings.segment_bytes;
        let path = shared.dir.join(SPARE_FILE);
        if self.spare.is_some() || self.cannot_reserve {
            return;
        }
        // What a killed run has set aside is ours already, however full the disk is.
        let is_room = self.need_space(bytes).is_ok();
        let how = if is_room { Open::OrCreate } else { Open::Existing };
        let made = shared.fs.open(&path, how).and_then(|file| {
            if file.len()? > HEADER_BYTES as u64 + AHEAD_BYTES {
                // No segment in the making has more than its head and zeros.
                file.set_len(0)?;
            }
            file.reserve(bytes)?;
            Ok(file)
        });
        match made {
            Ok(file) => self.spare = Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::debug!(%error, "No space set aside");
                self.cannot_reserve = error.kind() == io::ErrorKind::Unsupported;
                self.remove(&path);
            }
        }
    }

    /// Makes a segment for `bytes` appear, whole and durable, or not at all.
    fn create(&mut self, base: u64, bytes: u64) -> Result<OpenSegment, Failed> {
        let spare = self.spare.take();
        if spare.is_none() {
            self.need_space(HEADER_BYTES as u64 + bytes)?;
        }
        let shared = &self.shared;
        let store: Uuid = shared.log.lock().store;
        let index = self.next_index;
        self.next_index += 1;
        let path = shared.dir.join(segment_name(index));
        let reserved = if spare.is_some() { shared.settings.segment_bytes } else { 0 };
        let fresh = shared.dir.join(SPARE_FILE);
        let header = Header { store, base, created_ms: unix_time().as_millis() as u64 };
        let segment = Segment { index, base, store, bytes: HEADER_BYTES as u64 };
        let made = spare.map_or_else(|| shared.fs.open(&fresh, Open::Fresh), Ok).and_then(|file| {
            let mut open = OpenSegment { segment, file, reserved, ready: 0, listed: false };
            open.file.write_at(&header.encode(), 0)?;
            open.ready = open.clear(segment.bytes, segment.bytes + bytes + ahead(bytes))?;
            open.file.sync()?;
            shared.fs.rename(&fresh, &path)?;
            shared.fs.sync_dir(&shared.dir)?;
            Ok(open)
        });
        match made {
            Ok(open) => Ok(open),
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
        } else {
            open.trim();
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

impl OpenSegment {
    /// Makes a batch durable behind the records.
    fn put(&mut self, batch: &[u8]) -> io::Result<()> {
        let bytes = batch.len() as u64;
        let end = self.segment.bytes + bytes;
        if self.ready < end {
            let ready = self.clear(self.ready, end + ahead(bytes))?;
            if ready > self.ready {
                self.file.sync()?;
                self.ready = ready;
            }
        }
        self.file.write_at(batch, self.segment.bytes)?;
        self.ready = self.ready.max(end);
        let is_scarce = self.ready < end + bytes;
        let ready =
            if is_scarce { self.clear(self.ready, end + ahead(bytes))? } else { self.ready };
        self.file.sync()?;
        self.ready = ready;
        Ok(())
    }

    /// Writes zeros, as far as space was set aside, and gives where they end. They count once they are synced.
    fn clear(&self, from: u64, to: u64) -> io::Result<u64> {
        let to = to.min(self.reserved);
        let mut at = from;
        while at < to {
            let some = (to - at).min(ZEROS.len() as u64);
            self.file.write_at(&ZEROS[..some as usize], at)?;
            at += some;
        }
        Ok(at)
    }

    /// Cuts off what is behind the records, as far as the disk lets us; nothing depends on it.
    fn trim(&self) {
        if let Err(error) = self.file.set_len(self.segment.bytes) {
            tracing::debug!(%error, segment = self.segment.index, "End not cut off");
        }
    }
}

/// How far zeros are to go in front of the records after a batch of this size.
fn ahead(batch_bytes: u64) -> u64 {
    AHEAD_BYTES.max(2 * batch_bytes)
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

//! What a channel has done with. Moving it is cheap; it is synced now and then, and always before a segment goes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::reader::ReadError;
use super::shared::Shared;
use super::slots::Slots;

/// Longest time that a moved cursor stays unsynced while it keeps moving; what a power cut makes a channel resend.
const SYNC_EVERY: Duration = Duration::from_secs(5);
/// Most bytes of a channel's name.
const NAME_BYTES: usize = 32;
/// How the file's name ends.
pub(super) const SUFFIX: &str = ".cursor";

/// The cursor of one channel.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) name: String,
    /// The last record that the channel has done with; of a new cursor, the one before the oldest kept.
    pub(super) done: AtomicU64,
    /// As much of `done` as is durable.
    pub(super) synced: AtomicU64,
    /// Whether a reader holds it.
    pub(super) attached: AtomicBool,
    /// When the oldest record that waits was written, seconds of Unix time; 0 is not known.
    pub(super) oldest_at_s: AtomicU64,
    file: Mutex<CursorFile>,
}

#[derive(Debug)]
struct CursorFile {
    slots: Slots,
    synced_at: Instant,
}

impl Cursor {
    /// Opens or makes the channel's file; `oldest` is the oldest record kept, where a new channel starts.
    pub(super) fn open(shared: &CursorPlace<'_>, name: &str, oldest: u64) -> io::Result<Self> {
        let mut slots = Slots::open(shared.fs, shared.dir, &format!("{name}{SUFFIX}"))?;
        // Of a killed process the number may be in memory only, and segments go by it.
        slots.sync()?;
        let done = slots.value().unwrap_or(oldest.saturating_sub(1));
        Ok(Self {
            name: name.to_owned(),
            done: AtomicU64::new(done),
            synced: AtomicU64::new(done),
            attached: AtomicBool::new(false),
            oldest_at_s: AtomicU64::new(0),
            file: Mutex::new(CursorFile { slots, synced_at: Instant::now() }),
        })
    }

    /// Moves the cursor, and syncs it when `must_sync` or when it is time.
    pub(super) fn advance(&self, seq: u64, must_sync: bool) -> io::Result<()> {
        let mut file = self.file.lock();
        file.slots.write(seq)?;
        self.done.store(seq, Ordering::Release);
        if must_sync || file.synced_at.elapsed() >= SYNC_EVERY {
            self.sync_file(&mut file)?;
        }
        Ok(())
    }

    /// Makes the cursor durable where it is.
    pub(super) fn sync(&self) -> io::Result<()> {
        let mut file = self.file.lock();
        if self.synced.load(Ordering::Acquire) == self.done.load(Ordering::Acquire) {
            return Ok(());
        }
        self.sync_file(&mut file)
    }

    fn sync_file(&self, file: &mut CursorFile) -> io::Result<()> {
        file.slots.sync()?;
        file.synced_at = Instant::now();
        self.synced.store(self.done.load(Ordering::Acquire), Ordering::Release);
        Ok(())
    }
}

/// Where cursors lie.
pub(super) struct CursorPlace<'a> {
    pub(super) fs: &'a dyn super::fs::Fs,
    pub(super) dir: &'a std::path::Path,
}

/// Whether a channel may have this name; it becomes part of file names.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// The channel's cursor, marked as held by a reader.
pub(super) fn attach(shared: &Shared, name: &str) -> Result<Arc<Cursor>, ReadError> {
    if !is_name(name) {
        return Err(ReadError::Name { name: name.to_owned() });
    }
    let mut log = shared.log.lock();
    let cursor = match log.cursors.get(name) {
        Some(cursor) => Arc::clone(cursor),
        None => {
            let place = CursorPlace { fs: &*shared.fs, dir: &shared.dir };
            let oldest = log.segments.front().map_or(1, |segment| segment.base);
            let cursor = Cursor::open(&place, name, oldest)
                .map_err(|source| ReadError::Cursor { name: name.to_owned(), source })?;
            let cursor = Arc::new(cursor);
            log.cursors.insert(name.to_owned(), Arc::clone(&cursor));
            cursor
        }
    };
    if cursor.attached.swap(true, Ordering::AcqRel) {
        return Err(ReadError::Attached { name: name.to_owned() });
    }
    Ok(cursor)
}

/// Removes the channel's cursor, and with it what only it held back.
pub(super) fn forget(shared: &Shared, name: &str) -> Result<(), ReadError> {
    let mut log = shared.log.lock();
    let Some(cursor) = log.cursors.get(name) else { return Ok(()) };
    if cursor.attached.load(Ordering::Acquire) {
        return Err(ReadError::Attached { name: name.to_owned() });
    }
    shared
        .fs
        .remove(&shared.dir.join(format!("{name}{SUFFIX}")))
        .map_err(|source| ReadError::Cursor { name: name.to_owned(), source })?;
    log.cursors.remove(name);
    shared.reclaim(&mut log);
    Ok(())
}

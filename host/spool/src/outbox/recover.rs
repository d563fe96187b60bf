//! Opening: lock the directory, find segments and cursors, settle where the log ends.
//!
//! Only the newest segment can have a torn end, because a segment is begun after the last batch of the one before
//! was durable, or was given up and written again. Its records are read until the first that is not whole. Then
//!
//! * if a whole record of a later batch lies behind it, the damaged batch had been durable, since a batch is not
//!   written before its predecessor is durable: the segment is damaged;
//! * if the mark or a cursor knows of a later record, likewise;
//! * else the end is torn, was never durable, and is cut off. Zeros alone are no torn end: the writer writes them ahead.
//!
//! A damaged newest segment is kept under a second name and followed by a new one under a new store id, so that no id
//! is ever given twice. Recovery changes nothing that a second recovery would not change the same way.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};
use uuid::Uuid;

use super::cursor::{self, Cursor, CursorPlace};
use super::fs::{Fs, FsFile, Open};
use super::gaps::{self, GapReason, Ledger};
use super::patchy::read_patchy;
use super::segment::{self, BadHeader, FRAME_BYTES, HEADER_BYTES, Header};
use super::settings::OutboxSettings;
use super::shared::{
    Log, QUARANTINE_SUFFIX, Queue, Segment, Shared, quarantine, quarantine_name, segment_index,
    segment_name,
};
use super::slots::Slots;
use super::status::{Counters, OutboxState};
use super::writer::Start;

pub(super) const LOCK_FILE: &str = "LOCK";
pub(super) const MARK_FILE: &str = "durable.mark";

/// The outbox was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting contradicts another.
    #[error("open the outbox: {setting} must be {must_be}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What it must be.
        must_be: &'static str,
    },
    /// Another process, or another part of this one, has it open.
    #[error("open the outbox {}: it is already open elsewhere", dir.display())]
    Locked {
        /// The outbox.
        dir: PathBuf,
    },
    /// A newer version wrote it.
    #[error("open the outbox: {} has format {format}, this program knows format 1", file.display())]
    TooNew {
        /// The file.
        file: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The file system refused.
    #[error("open the outbox: {action} {}", file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The operating system gave no thread.
    #[error("open the outbox: start its writer")]
    Thread {
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// How the records of the newest segment end.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// The number behind the last whole record.
    next: u64,
    /// Bytes up to there.
    bytes: u64,
    /// Whether something durable is missing behind.
    damaged: bool,
}

pub(super) fn open(
    fs: Arc<dyn Fs>,
    dir: &Path,
    settings: OutboxSettings,
) -> Result<(Shared, Start), OpenError> {
    fs.create_dir(dir).map_err(|source| failed("create the directory", dir, source))?;
    let lock = lock(&*fs, dir)?;
    let names = fs.list(dir).map_err(|source| failed("list", dir, source))?;
    let mut indices: Vec<u64> = names.iter().filter_map(|name| segment_index(name)).collect();
    indices.sort_unstable();
    let next_index = indices.last().map_or(1, |last| last + 1);
    let mut segments = VecDeque::new();
    for index in indices {
        segments.extend(read_header(&*fs, dir, index)?);
    }
    let ledger_path = dir.join(gaps::FILE);
    let ledger = Ledger::open(&*fs, dir).map_err(|source| failed("read", &ledger_path, source))?;
    finish_dropping(&*fs, dir, &ledger, &mut segments)?;
    let mark_path = dir.join(MARK_FILE);
    let mark =
        Slots::open(&*fs, dir, MARK_FILE).map_err(|source| failed("read", &mark_path, source))?;
    let cursors = read_cursors(&*fs, dir, &names, &segments)?;
    let known =
        cursors.values().map(|cursor| cursor.done.load(Ordering::Relaxed)).chain(mark.value());
    let known = known.max().unwrap_or(0);

    let mut store = segments.back().map_or_else(Uuid::new_v4, |newest: &Segment| newest.store);
    let mut next = known + 1;
    let mut open = None;
    if let Some(newest) = segments.back_mut() {
        let (end, file) = settle(&*fs, dir, newest, known)?;
        next = next.max(end.next);
        if end.damaged {
            quarantine(&*fs, dir, newest.index);
            store = Uuid::new_v4();
        } else {
            open = Some((*newest, file));
        }
    } else if known > 0 {
        tracing::error!(dir = %dir.display(), known, "All segments are gone");
        store = Uuid::new_v4();
    }
    fs.sync_dir(dir).map_err(|source| failed("sync", dir, source))?;
    let stored = segments.iter().map(|segment| segment.bytes).sum();
    let mut log = Log { store, segments, cursors };
    let quarantined = fs.list(dir).map_err(|source| failed("list", dir, source))?;
    let quarantined = quarantined.iter().filter(|name| name.ends_with(QUARANTINE_SUFFIX)).count();
    let shared = Shared {
        fs,
        dir: dir.to_path_buf(),
        settings,
        queue: Mutex::new(Queue { next_seq: next, ..Queue::default() }),
        wake: Condvar::new(),
        stopped: Condvar::new(),
        log: Mutex::new(Log { store, segments: VecDeque::new(), cursors: BTreeMap::new() }),
        ledger: Mutex::new(ledger),
        durable: AtomicU64::new(next - 1),
        published: (Mutex::new(()), Condvar::new()),
        stored_bytes: AtomicU64::new(stored),
        disk_full: AtomicBool::new(false),
        state: Mutex::new(OutboxState::Healthy),
        counters: Counters::new(quarantined as u64),
        _lock: lock,
    };
    shared.reclaim(&mut log);
    *shared.log.lock() = log;
    Ok((shared, Start { open, next_index, mark }))
}

fn lock(fs: &dyn Fs, dir: &Path) -> Result<Box<dyn FsFile>, OpenError> {
    let path = dir.join(LOCK_FILE);
    let file = fs.open(&path, Open::OrCreate).map_err(|source| failed("open", &path, source))?;
    match file.try_lock().map_err(|source| failed("lock", &path, source))? {
        true => Ok(file),
        false => Err(OpenError::Locked { dir: dir.to_path_buf() }),
    }
}

/// None when the head is damaged; the file is set aside, and its numbers will be missing.
fn read_header(fs: &dyn Fs, dir: &Path, index: u64) -> Result<Option<Segment>, OpenError> {
    let path = dir.join(segment_name(index));
    let read = || {
        let file = fs.open(&path, Open::Existing)?;
        let mut head = [0; HEADER_BYTES];
        let read = read_patchy(&*file, &mut head, 0)?;
        Ok((Header::decode(&head[..read.got]), file.len()?))
    };
    let (header, bytes) = read().map_err(|source| failed("read", &path, source))?;
    match header {
        Ok(Header { store, base, .. }) => Ok(Some(Segment { index, base, store, bytes })),
        Err(BadHeader::Format(format)) => Err(OpenError::TooNew { file: path, format }),
        Err(BadHeader::Damaged) => {
            let kept = dir.join(quarantine_name(index));
            fs.rename(&path, &kept).map_err(|source| failed("set aside", &path, source))?;
            tracing::error!(segment = index, file = %kept.display(), "Headless segment set aside");
            Ok(None)
        }
    }
}

/// Removes what the ledger calls dropped: the process died between the note and the deed.
fn finish_dropping(
    fs: &dyn Fs,
    dir: &Path,
    ledger: &Ledger,
    segments: &mut VecDeque<Segment>,
) -> Result<(), OpenError> {
    let dropped = |seq| ledger.find(seq).is_some_and(|gap| gap.why == GapReason::Dropped);
    while let (Some(oldest), Some(next)) = (segments.front(), segments.get(1)) {
        if oldest.base >= next.base || !(dropped(oldest.base) && dropped(next.base - 1)) {
            break;
        }
        let path = dir.join(segment_name(oldest.index));
        fs.remove(&path).map_err(|source| failed("remove", &path, source))?;
        segments.pop_front();
    }
    Ok(())
}

fn read_cursors(
    fs: &dyn Fs,
    dir: &Path,
    names: &[String],
    segments: &VecDeque<Segment>,
) -> Result<BTreeMap<String, Arc<Cursor>>, OpenError> {
    let oldest = segments.front().map_or(1, |segment| segment.base);
    let channels = names.iter().filter_map(|name| name.strip_suffix(cursor::SUFFIX));
    channels
        .filter(|name| cursor::is_name(name))
        .map(|name| {
            let path = dir.join(format!("{name}{}", cursor::SUFFIX));
            let cursor = Cursor::open(&CursorPlace { fs, dir }, name, oldest)
                .map_err(|source| failed("read", &path, source))?;
            Ok((name.to_owned(), Arc::new(cursor)))
        })
        .collect()
}

/// Finds the end of the newest segment and, unless it is damaged, cuts off what is torn. Everything up to the end is
/// durable afterwards: of a killed process it may have been in memory only.
fn settle(
    fs: &dyn Fs,
    dir: &Path,
    newest: &mut Segment,
    known: u64,
) -> Result<(End, Box<dyn FsFile>), OpenError> {
    let path = dir.join(segment_name(newest.index));
    let read = |file: &dyn FsFile| {
        let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
        let read = read_patchy(file, &mut bytes, 0)?;
        bytes.truncate(read.got);
        Ok((bytes, read.unreadable > 0))
    };
    let file = fs.open(&path, Open::Existing).map_err(|source| failed("open", &path, source))?;
    let (bytes, unreadable) = read(&*file).map_err(|source| failed("read", &path, source))?;
    let mut end = find_end(&bytes, newest, known);
    if unreadable && !end.damaged && end.bytes < bytes.len() as u64 {
        // What cannot be read may have been durable. It is not cut off, and its numbers are not given again.
        end.damaged = true;
    }
    if !end.damaged {
        if end.bytes < bytes.len() as u64 {
            let torn = segment::torn_bytes(&bytes[end.bytes as usize..]);
            if torn > 0 {
                tracing::warn!(file = %path.display(), torn_bytes = torn, "Torn end cut off");
            }
            file.set_len(end.bytes).map_err(|source| failed("cut", &path, source))?;
        }
        newest.bytes = end.bytes;
    }
    file.sync().map_err(|source| failed("sync", &path, source))?;
    Ok((end, file))
}

fn find_end(bytes: &[u8], newest: &Segment, known: u64) -> End {
    let mut next = newest.base;
    let mut at = HEADER_BYTES.min(bytes.len());
    while let Ok(frame) = segment::frame(&bytes[at..], newest.store) {
        if frame.seq != next {
            break;
        }
        at += frame.bytes;
        next += 1;
    }
    let damaged = known >= next || holds_later_batch(&bytes[at..], newest.store, next);
    // A torn batch was never given out: its numbers are used again. Those of a damaged end never are.
    let next = if damaged { last_whole(&bytes[at..], newest.store, next) } else { next };
    End { next, bytes: at as u64, damaged }
}

/// Whether a whole record behind the hole belongs to a batch that begins behind it too.
pub(super) fn holds_later_batch(bytes: &[u8], store: Uuid, hole: u64) -> bool {
    whole_records(bytes, store, hole).any(|(_, batch_first)| batch_first > hole)
}

/// The number behind the last whole record behind the hole; those records are still delivered.
fn last_whole(bytes: &[u8], store: Uuid, hole: u64) -> u64 {
    whole_records(bytes, store, hole).map(|(seq, _)| seq + 1).max().unwrap_or(hole)
}

fn whole_records(bytes: &[u8], store: Uuid, hole: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
    // A segment cannot hold more records than it has room for heads.
    let most = hole.saturating_add((bytes.len() / FRAME_BYTES) as u64);
    let mut at = 0;
    std::iter::from_fn(move || {
        let (skipped, frame) = segment::search(bytes.get(at..)?, store, hole..=most)?;
        at += skipped + frame.bytes;
        Some((frame.seq, frame.batch_first))
    })
}

fn failed(action: &'static str, file: &Path, source: io::Error) -> OpenError {
    OpenError::Io { action, file: file.to_path_buf(), source }
}

#[cfg(test)]
mod tests;

//! Dead letters: where records go that the other side will never take.
//!
//! They lie in `rejected-<channel>.jsonl` in the outbox's directory, a JSON object a line: `id` (store/number), `atMs`
//! (Unix time), `channel`, `why`, and `record`, the compact form in base64, so that nothing of the record is lost. The
//! first line tells how many were dropped before it.
//!
//! A file that has reached half of the bound becomes `.1`, and what that held before is dropped, counted and said. A
//! half line at the end, left by a crash, is cut off before anything is appended: its record was not settled, and comes
//! again. A line that cannot be read is stepped over and counted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::wire::RecordId;

use crate::outbox::ArchivedRecord;

/// What the name of a file begins and ends with.
const NAME: (&str, &str) = ("rejected-", ".jsonl");
/// What is added to the name of the older file.
const OLDER: &str = ".1";
/// Most characters of a reason; one that holds an answer of the other side may be long.
const WHY_CHARS: usize = 1000;

/// A record that the other side will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The record's name, `store/number`.
    pub id: String,
    /// When it was given up.
    pub at: SystemTime,
    /// The channel that gave it up.
    pub channel: String,
    /// What the other side said.
    pub why: String,
    /// The record in its compact form.
    pub record: Vec<u8>,
}

impl DeadLetter {
    /// The record as it lay in the outbox; none when its id is none.
    pub fn archived(&self) -> Option<ArchivedRecord<'_>> {
        let (store, seq) = self.id.split_once('/')?;
        let id = RecordId { store: store.parse().ok()?, seq: seq.parse().ok()? };
        Some(ArchivedRecord { id, written: self.at, payload: &self.record })
    }
}

/// What the store of a channel holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterCount {
    /// Records that lie there.
    pub records: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Records that were dropped because the store was full, since it was made.
    pub dropped: u64,
    /// Lines that cannot be read.
    pub unreadable: u64,
}

impl DeadLetterCount {
    /// This file and the older one. Each begins with what was dropped before it, so the larger number counts for both.
    fn with(self, older: Self) -> Self {
        Self {
            records: self.records + older.records,
            bytes: self.bytes + older.bytes,
            dropped: self.dropped.max(older.dropped),
            unreadable: self.unreadable + older.unreadable,
        }
    }
}

/// The store of one channel, as its writer has it.
pub(crate) struct DeadLetters {
    path: PathBuf,
    channel: String,
    max_bytes: u64,
    /// None before the first use and after an error.
    open: Option<Open>,
}

struct Open {
    file: File,
    /// Of the newer file.
    newer: DeadLetterCount,
    /// Of the older file.
    older: DeadLetterCount,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: String,
    at_ms: u64,
    channel: String,
    why: String,
    record: String,
}

/// The first line of a file.
#[derive(serde::Serialize, serde::Deserialize)]
struct First {
    dropped: u64,
}

impl DeadLetters {
    /// The store of `channel` in an outbox's directory, of at most `max_bytes`. Nothing is opened yet.
    pub(crate) fn new(dir: &Path, channel: &str, max_bytes: u64) -> Self {
        Self { path: path(dir, channel), channel: channel.to_owned(), max_bytes, open: None }
    }

    /// What the store holds. An unreadable one counts as empty here, and is an error when something is to be kept.
    pub(crate) fn count(&mut self) -> DeadLetterCount {
        if !self.path.exists() {
            return DeadLetterCount::default();
        }
        match self.opened() {
            Ok(open) => open.count(),
            Err(error) => {
                tracing::warn!(%error, file = %self.path.display(), "Dead letters not read");
                DeadLetterCount::default()
            }
        }
    }

    /// Keeps a record. It is durable when this returns `Ok`.
    pub(crate) fn keep(&mut self, id: RecordId, payload: &[u8], why: &str) -> io::Result<()> {
        let line = Line {
            id: format!("{}/{}", id.store, id.seq),
            at_ms: millis(SystemTime::now()),
            channel: self.channel.clone(),
            why: why.chars().take(WHY_CHARS).collect(),
            record: STANDARD.encode(payload),
        };
        let line = whole(&line)?;
        let kept = self.append(&line);
        if kept.is_err() {
            // Part of the line may be there; opening cuts it off.
            self.open = None;
        }
        kept
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let half = self.max_bytes / 2;
        let open = self.opened()?;
        if open.newer.records > 0 && open.newer.bytes + line.len() as u64 > half {
            self.turn()?;
        }
        let open = self.opened()?;
        open.file.write_all(line)?;
        open.file.sync_data()?;
        open.newer.bytes += line.len() as u64;
        open.newer.records += 1;
        Ok(())
    }

    /// Begins a new file, and drops what the older one holds.
    fn turn(&mut self) -> io::Result<()> {
        let Some(Open { newer, older, .. }) = self.open.take() else { return Ok(()) };
        let dropped = newer.dropped + older.records;
        let fresh = self.path.with_extension("tmp");
        begin(&fresh, dropped)?.sync_data()?;
        fs::rename(&self.path, older_path(&self.path))?;
        fs::rename(&fresh, &self.path)?;
        sync_parent(&self.path)?;
        if older.records > 0 {
            let (channel, records) = (&self.channel, older.records);
            tracing::error!(channel, records, "Dead letters full: the oldest are dropped");
        }
        Ok(())
    }

    fn opened(&mut self) -> io::Result<&mut Open> {
        if self.open.is_none() {
            self.open = Some(Open::at(&self.path)?);
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("the store is not open"))
    }
}

impl Open {
    /// Opens or makes the newer file and sees to it that it ends with a whole line.
    fn at(path: &Path) -> io::Result<Self> {
        if !path.exists() {
            // The process may have died between the two renames of a turn.
            let older = count_file(&older_path(path))?;
            begin(path, older.dropped)?.sync_data()?;
            sync_parent(path)?;
        }
        let file = OpenOptions::new().read(true).append(true).open(path)?;
        let end = whole_bytes(&mut BufReader::new(&file))?;
        if end < file.metadata()?.len() {
            tracing::warn!(file = %path.display(), "Half line of a dead letter cut off");
            file.set_len(end)?;
            file.sync_data()?;
        }
        Ok(Self { newer: count_file(path)?, older: count_file(&older_path(path))?, file })
    }

    fn count(&self) -> DeadLetterCount {
        self.newer.with(self.older)
    }
}

/// The channels that have dead letters in an outbox's directory.
pub(crate) fn channels(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let channel =
            name.to_str().and_then(|name| name.strip_prefix(NAME.0)?.strip_suffix(NAME.1));
        names.extend(channel.map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

/// What the store of a channel holds, for whoever does not write it.
pub(crate) fn count(dir: &Path, channel: &str) -> io::Result<DeadLetterCount> {
    let path = path(dir, channel);
    Ok(count_file(&path)?.with(count_file(&older_path(&path))?))
}

/// Hands all dead letters of a channel to `take`, oldest first.
pub(crate) fn each(
    dir: &Path,
    channel: &str,
    mut take: impl FnMut(DeadLetter) -> io::Result<()>,
) -> io::Result<()> {
    let path = path(dir, channel);
    for file in [older_path(&path), path] {
        each_line(&file, |line| match letter(line) {
            Some(letter) => take(letter),
            None => Ok(()),
        })?;
    }
    Ok(())
}

/// Takes those dead letters away that `is_gone` names by id. Only while no channel runs.
pub(crate) fn remove(dir: &Path, channel: &str, is_gone: impl Fn(&str) -> bool) -> io::Result<()> {
    let path = path(dir, channel);
    let dropped = count(dir, channel)?.dropped;
    for file in [older_path(&path), path] {
        if !file.exists() {
            continue;
        }
        let fresh = file.with_extension("tmp");
        let mut left = begin(&fresh, dropped)?;
        each_line(&file, |line| {
            let gone = letter(line).is_some_and(|letter| is_gone(&letter.id));
            if gone || first(line).is_some() { Ok(()) } else { left.write_all(line) }
        })?;
        left.sync_data()?;
        fs::rename(&fresh, &file)?;
        sync_parent(&file)?;
    }
    Ok(())
}

/// Removes the store of a channel, and gives how many records it held.
pub(crate) fn purge(dir: &Path, channel: &str) -> io::Result<u64> {
    let records = count(dir, channel)?.records;
    let path = path(dir, channel);
    for file in [older_path(&path), path] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _gone => {}
        }
    }
    fs::File::open(dir)?.sync_all()?;
    Ok(records)
}

fn path(dir: &Path, channel: &str) -> PathBuf {
    dir.join(format!("{}{channel}{}", NAME.0, NAME.1))
}

fn older_path(path: &Path) -> PathBuf {
    let mut older = path.as_os_str().to_owned();
    older.push(OLDER);
    older.into()
}

/// A new file with its first line.
fn begin(path: &Path, dropped: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&whole(&First { dropped })?)?;
    Ok(file)
}

fn whole(line: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn letter(line: &[u8]) -> Option<DeadLetter> {
    let Line { id, at_ms, channel, why, record } = serde_json::from_slice(line).ok()?;
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(at_ms))?;
    Some(DeadLetter { id, at, channel, why, record: STANDARD.decode(record).ok()? })
}

fn first(line: &[u8]) -> Option<First> {
    serde_json::from_slice(line).ok()
}

/// Whole lines only; a file that is not there has none.
fn each_line(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut lines = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => BufReader::new(opened?),
    };
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        take(&line)?;
        line.clear();
    }
    Ok(())
}

fn whole_bytes(lines: &mut impl io::BufRead) -> io::Result<u64> {
    let (mut bytes, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = lines.read_until(b'\n', &mut line)? as u64;
        if !line.ends_with(b"\n") {
            return Ok(bytes);
        }
        bytes += read;
    }
}

fn count_file(path: &Path) -> io::Result<DeadLetterCount> {
    let mut count = DeadLetterCount::default();
    each_line(path, |line| {
        count.bytes += line.len() as u64;
        match first(line) {
            Some(First { dropped }) => count.dropped = dropped,
            None if letter(line).is_some() => count.records += 1,
            None => count.unreadable += 1,
        }
        Ok(())
    })?;
    Ok(count)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

fn millis(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seq: u64) -> RecordId {
        RecordId { store: uuid::Uuid::nil(), seq }
    }

    fn seqs(dir: &Path) -> Vec<u64> {
        let mut seqs = Vec::new();
        each(dir, "kafka", |letter| {
            seqs.push(letter.id.rsplit_once('/').unwrap().1.parse().unwrap());
            Ok(())
        })
        .unwrap();
        seqs
    }

    #[test]
    fn a_letter_keeps_everything() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = DeadLetters::new(dir.path(), "kafka", 1 << 20);
        assert_eq!(store.count(), DeadLetterCount::default());
        assert!(!dir.path().join("rejected-kafka.jsonl").exists(), "asking makes no file");
        store.keep(id(3), &[1, 0xff], "too \"large\"").unwrap();
        let mut found = Vec::new();
        each(dir.path(), "kafka", |letter| {
            found.push(letter);
            Ok(())
        })
        .unwrap();
        let [letter] = &found[..] else { panic!("{found:?}") };
        assert_eq!(letter.id, "00000000-0000-0000-0000-000000000000/3");
        assert_eq!((&*letter.channel, &*letter.why), ("kafka", "too \"large\""));
        assert_eq!(letter.record, [1, 0xff]);
        assert!(letter.at.elapsed().unwrap() < Duration::from_secs(60));
        assert_eq!(channels(dir.path()).unwrap(), ["kafka"]);
    }

    #[test]
    fn the_store_is_bounded_and_counts_what_it_drops() {
        let dir = tempfile::tempdir().unwrap();
        let payload = [7; 600];
        let mut store = DeadLetters::new(dir.path(), "kafka", 8192);
        for seq in 1..=20 {
            store.keep(id(seq), &payload, "no").unwrap();
            let count = store.count();
            assert!(count.bytes <= 8192, "{count:?}");
            assert_eq!(count.records + count.dropped, seq, "{count:?}");
            assert_eq!(super::count(dir.path(), "kafka").unwrap(), count);
        }
        let left = seqs(dir.path());
        assert_eq!(left, (21 - left.len() as u64..=20).collect::<Vec<_>>());
        assert!(left.len() >= 4, "{left:?}");
        // Another process goes on where this one ended.
        let mut store = DeadLetters::new(dir.path(), "kafka", 8192);
        store.keep(id(21), &payload, "no").unwrap();
        let count = store.count();
        assert_eq!(count.records + count.dropped, 21, "{count:?}");
    }

    #[test]
    fn a_torn_line_is_cut_off_and_a_bad_one_stepped_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = DeadLetters::new(dir.path(), "kafka", 1 << 20);
        store.keep(id(1), b"one", "no").unwrap();
        store.keep(id(2), b"two", "no").unwrap();
        drop(store);
        let path = dir.path().join("rejected-kafka.jsonl");
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"neither\":1}\n{\"id\":\"half");
        fs::write(&path, text).unwrap();
        assert_eq!(seqs(dir.path()), [1, 2]);
        let mut store = DeadLetters::new(dir.path(), "kafka", 1 << 20);
        store.keep(id(3), b"three", "no").unwrap();
        assert_eq!(seqs(dir.path()), [1, 2, 3]);
        let count = store.count();
        assert_eq!((count.records, count.unreadable), (3, 1));
        assert!(!fs::read_to_string(&path).unwrap().contains("half"));
    }

    #[test]
    fn a_crash_in_the_middle_of_a_turn_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = DeadLetters::new(dir.path(), "kafka", 1 << 20);
        store.keep(id(1), b"one", "no").unwrap();
        drop(store);
        let path = dir.path().join("rejected-kafka.jsonl");
        fs::rename(&path, older_path(&path)).unwrap();
        let mut store = DeadLetters::new(dir.path(), "kafka", 1 << 20);
        store.keep(id(2), b"two", "no").unwrap();
        assert_eq!(seqs(dir.path()), [1, 2]);
    }

    #[test]
    fn letters_are_taken_away_by_id() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = DeadLetters::new(dir.path(), "kafka", 8192);
        (1..=9).for_each(|seq| store.keep(id(seq), &[7; 600], "no").unwrap());
        drop(store);
        let before = seqs(dir.path());
        remove(dir.path(), "kafka", |id| id.ends_with("/9")).unwrap();
        assert_eq!(seqs(dir.path()), before[..before.len() - 1]);
        assert_eq!(purge(dir.path(), "kafka").unwrap(), before.len() as u64 - 1);
        assert_eq!(seqs(dir.path()), [0; 0]);
        assert_eq!(channels(dir.path()).unwrap(), [""; 0]);
    }
}

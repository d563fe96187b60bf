//! Records on the disk of lanes that the server holds up, so that what comes behind them in their channels is read.
//!
//! A channel is ordered: what lies behind a record that cannot be reported can be read only when that record has a
//! place. Up to `laneBytes` that place is memory, and the record stays unacknowledged. Behind that it is a file in the
//! state directory, and the record is acknowledged when the disk has it. The file belongs to the lane; it is read again
//! from its beginning in order, a chunk at a time, and cleared when all of it is reported. A crash repeats at most a
//! chunk. A frame that a crash tore off is cut off: its record was not acknowledged.
//!
//! Frames: `u32` length of the JSON, `u32` rows, `u32` entries, little endian, then the JSON. First comes the lane's key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use record::wire::rest::{Flags, Kind};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::lane::LaneKey;
use crate::message::{Item, Origin};

const PREFIX: &str = "parked-";
const SUFFIX: &str = ".records";
const FRAME: usize = 12;
/// Most bytes of a frame; a longer one is damage.
const MAX_FRAME: usize = 256 << 20;

/// The records of one lane.
#[derive(Debug)]
pub(crate) struct Park {
    path: PathBuf,
    file: File,
    /// Where the first record begins.
    start: u64,
    /// Up to where all is done with.
    done: u64,
    /// Up to where records were given out.
    read: u64,
    end: u64,
    /// Records of the chunk that is out.
    out: Arc<AtomicUsize>,
    total: Arc<AtomicU64>,
}

impl Park {
    /// The park of a lane, made when it is missing. `total` counts the bytes of all.
    pub(crate) fn open(
        directory: &Path,
        key: &LaneKey,
        total: &Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let head = key_text(key);
        let name = format!("{PREFIX}{:016x}{SUFFIX}", xxh3_64(head.as_bytes()));
        let path = directory.join(name);
        let fresh = !path.exists();
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(&path)?;
        let park = Self::of(path, file, total)?;
        if fresh || park.end == 0 {
            return park.begin(&head);
        }
        Ok(park)
    }

    /// Those that the last run left.
    pub(crate) fn all(
        directory: &Path,
        total: &Arc<AtomicU64>,
    ) -> io::Result<Vec<(LaneKey, Self)>> {
        let mut parks = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !(name.starts_with(PREFIX) && name.ends_with(SUFFIX)) {
                continue;
            }
            let file = OpenOptions::new().read(true).append(true).open(&path)?;
            let park = Self::of(path.clone(), file, total)?;
            match park.head()? {
                Some(key) => parks.push((key, park)),
                None => {
                    let file = path.display().to_string();
                    tracing::warn!(
                        file,
                        "Parked records without the name of their lane are left alone"
                    );
                }
            }
        }
        Ok(parks)
    }

    fn of(path: PathBuf, file: File, total: &Arc<AtomicU64>) -> io::Result<Self> {
        let (start, end) = whole(&file)?;
        if end < file.metadata()?.len() {
            tracing::warn!(file = %path.display(), "Half a parked record is cut off; its channel has it");
            file.set_len(end)?;
        }
        total.fetch_add(end - start, Ordering::Relaxed);
        let total = Arc::clone(total);
        Ok(Self { path, file, start, done: start, read: start, end, out: Arc::default(), total })
    }

    fn begin(mut self, head: &str) -> io::Result<Self> {
        self.file.write_all(&frame(0, 0, head.as_bytes()))?;
        self.file.sync_data()?;
        self.path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())?;
        self.end = (FRAME + head.len()) as u64;
        (self.start, self.done, self.read) = (self.end, self.end, self.end);
        Ok(self)
    }

    fn head(&self) -> io::Result<Option<LaneKey>> {
        if self.start == 0 {
            return Ok(None);
        }
        let mut text = vec![0; self.start as usize - FRAME];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(FRAME as u64))?;
        file.read_exact(&mut text)?;
        Ok(key_of(&text))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.done == self.end
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.end - self.done
    }

    /// Keeps records; they are durable when this returns `Ok`.
    pub(crate) fn keep<'a>(&mut self, items: impl Iterator<Item = &'a Item>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for item in items {
            bytes.extend(frame(item.rows as u32, item.entries as u32, &item.json));
        }
        let kept = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = kept {
            // What is there of it counts for nothing.
            self.file.set_len(self.end)?;
            return Err(error);
        }
        self.end += bytes.len() as u64;
        self.total.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// The next records, of about `most` bytes. None while the last ones are out; at the end the file is cleared.
    pub(crate) fn next(&mut self, most: usize) -> io::Result<Vec<Item>> {
        if self.out.load(Ordering::Acquire) > 0 {
            return Ok(Vec::new());
        }
        self.done = self.read;
        if self.is_empty() {
            if self.end > self.start {
                self.file.set_len(self.start)?;
                self.total.fetch_sub(self.end - self.start, Ordering::Relaxed);
                (self.done, self.read, self.end) = (self.start, self.start, self.start);
            }
            return Ok(Vec::new());
        }
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.read))?;
        let mut reader = BufReader::new(file);
        let (mut items, mut bytes) = (Vec::new(), 0);
        while self.read < self.end && bytes < most {
            let mut head = [0; FRAME];
            reader.read_exact(&mut head)?;
            let [length, rows, entries] = numbers(&head);
            let mut json = vec![0; length];
            reader.read_exact(&mut json)?;
            self.read += (FRAME + length) as u64;
            bytes += length;
            let origin = Origin::Parked(Arc::clone(&self.out));
            items.push(Item { json, rows, entries, origin });
        }
        self.out.store(items.len(), Ordering::Release);
        Ok(items)
    }
}

fn frame(rows: u32, entries: u32, json: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME + json.len());
    for number in [json.len() as u32, rows, entries] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(json);
    bytes
}

fn numbers(head: &[u8; FRAME]) -> [usize; 3] {
    let number = |at: usize| {
        u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize
    };
    [number(0), number(4), number(8)]
}

/// Where the records begin, and where the last whole one ends.
fn whole(file: &File) -> io::Result<(u64, u64)> {
    let length = file.metadata()?.len();
    let (mut start, mut at) = (0, 0);
    let mut reader = file;
    loop {
        let mut head = [0; FRAME];
        if at + FRAME as u64 > length {
            return Ok((start, at));
        }
        reader.seek(SeekFrom::Start(at))?;
        reader.read_exact(&mut head)?;
        let next = at + (FRAME + numbers(&head)[0]) as u64;
        if next > length || numbers(&head)[0] > MAX_FRAME {
            return Ok((start, at));
        }
        if at == 0 {
            start = next;
        }
        at = next;
    }
}

fn key_text(key: &LaneKey) -> String {
    let (kind, more) = match &key.kind {
        Kind::Requests => ("requests", Value::Null),
        Kind::Inputs(flags) => {
            ("inputs", json!([flags.skip_drift_tracking, flags.skip_accuracy_tracking]))
        }
        Kind::Stats => ("stats", Value::Null),
        Kind::Actuals => ("actuals", Value::Null),
        Kind::CustomMetric(metric) => ("metric", json!(metric)),
        Kind::Event | Kind::Ping => ("event", Value::Null),
    };
    json!({"deployment": key.deployment, "kind": kind, "of": more}).to_string()
}

fn key_of(text: &[u8]) -> Option<LaneKey> {
    let value: Value = serde_json::from_slice(text).ok()?;
    let kind = match value["kind"].as_str()? {
        "requests" => Kind::Requests,
        "inputs" => Kind::Inputs(Flags {
            skip_drift_tracking: value["of"][0].as_bool()?,
            skip_accuracy_tracking: value["of"][1].as_bool()?,
        }),
        "stats" => Kind::Stats,
        "actuals" => Kind::Actuals,
        "metric" => Kind::CustomMetric(value["of"].as_str()?.to_owned()),
        "event" => Kind::Event,
        _other => return None,
    };
    Some(LaneKey { deployment: value["deployment"].as_str()?.to_owned(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repeats::Repeats;

    fn item(text: &str) -> Item {
        Item { json: text.as_bytes().to_vec(), rows: 2, entries: 1, origin: Origin::Own }
    }

    fn key() -> LaneKey {
        let flags = Flags { skip_drift_tracking: true, skip_accuracy_tracking: false };
        LaneKey { deployment: "d \"x\"".into(), kind: Kind::Inputs(flags) }
    }

    fn texts(items: &[Item]) -> Vec<String> {
        items.iter().map(|item| String::from_utf8(item.json.clone()).unwrap()).collect()
    }

    #[test]
    fn what_is_parked_comes_back_in_order_over_a_crash_and_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let total = Arc::new(AtomicU64::new(0));
        let mut park = Park::open(dir.path(), &key(), &total).unwrap();
        assert!(park.is_empty());
        park.keep([item("one"), item("two\n"), item("three")].iter()).unwrap();
        let first = park.next(5).unwrap();
        assert_eq!(texts(&first), ["one", "two\n"]);
        assert!(park.next(5).unwrap().is_empty(), "the chunk is out");
        drop(park);
        // A crash: what was out is not done with, and a frame is torn.
        let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&[9, 0, 0, 0, 1]).unwrap();
        let total = Arc::new(AtomicU64::new(0));
        let mut all = Park::all(dir.path(), &total).unwrap();
        let (found, mut park) = all.pop().unwrap();
        assert_eq!(found, key());
        let again = park.next(1 << 20).unwrap();
        assert_eq!(texts(&again), ["one", "two\n", "three"]);
        assert_eq!((again[0].rows, again[0].entries), (2, 1));
        assert!(total.load(Ordering::Relaxed) > 0);
        let repeats = Repeats::new(0);
        again.iter().for_each(|item| item.origin.done(&repeats));
        assert!(park.next(1).unwrap().is_empty() && park.is_empty());
        assert_eq!(total.load(Ordering::Relaxed), 0);
        // It is used again.
        park.keep([item("four")].iter()).unwrap();
        assert_eq!(texts(&park.next(1).unwrap()), ["four"]);
    }
}

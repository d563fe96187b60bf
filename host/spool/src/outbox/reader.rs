//! Reading what is durable, from a channel's cursor on.
//!
//! A reader has two places: the cursor, up to which the channel has done with the records, and its own next record,
//! which runs ahead of it and goes back on [`Reader::rewind`]. Numbers in a segment follow each other, so whatever
//! does not is damage: the reader looks for the next whole record, and what is missing between becomes an
//! [`Entry::Gap`]. It never stops at damage, and never steps over it without saying so.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use record::wire::RecordId;
use uuid::Uuid;

use super::cursor::{self, Cursor};
use super::fs::{FsFile, Open};
use super::gaps::GapReason;
use super::patchy::read_patchy;
use super::segment::{self, HEADER_BYTES, NoFrame};
use super::shared::{Segment, Shared, quarantine, segment_name};

/// Errors in a row after which an unreadable place of a segment is given up.
const READ_TRIES: u32 = 5;
/// Bytes that are read from a segment at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Records were not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The channel's name cannot be part of a file name.
    #[error("read the outbox: channel name {name:?} must be 1 to 32 of a-z, 0-9 and -")]
    Name {
        /// The name.
        name: String,
    },
    /// The channel has a reader already.
    #[error("read the outbox: channel {name:?} has a reader already")]
    Attached {
        /// The channel.
        name: String,
    },
    /// The channel's cursor cannot be read, written or removed.
    #[error("read the outbox: move the cursor of channel {name:?}")]
    Cursor {
        /// The channel.
        name: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A segment cannot be read.
    #[error("read the outbox: read {}", file.display())]
    Segment {
        /// The segment.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What a reader finds at one or more numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A record.
    Record {
        /// Its name.
        id: RecordId,
        /// What was appended.
        payload: &'a [u8],
    },
    /// Records that are gone.
    Gap {
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
        /// Why.
        why: GapReason,
    },
}

/// Consecutive entries.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    items: Vec<Item>,
    payload_bytes: usize,
}

/// A channel's place in the outbox. Dropping it leaves the cursor where it is.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    cursor: Arc<Cursor>,
    next: u64,
    at: Option<Position>,
    /// The segment that could not be read, and how often in a row.
    trouble: Option<(u64, u32)>,
    /// Since which number records have which time, for those that the channel has not done with.
    times: VecDeque<(u64, u32)>,
}

/// How far behind a reader's channel is, for whoever does not hold the reader.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    cursor: Arc<Cursor>,
}

#[derive(Debug)]
enum Item {
    Record { store: Uuid, seq: u64, payload: Range<usize> },
    Gap { first: u64, last: u64, why: GapReason },
}

/// Where the next record lies.
#[derive(Debug)]
struct Position {
    segment: Segment,
    file: Box<dyn FsFile>,
    offset: u64,
    /// The number of the record at `offset`.
    seq: u64,
}

/// How much a batch may hold.
#[derive(Clone, Copy)]
struct Room {
    records: usize,
    bytes: usize,
}

impl Entry<'_> {
    /// The last number that the entry stands for.
    pub fn last_seq(&self) -> u64 {
        match *self {
            Entry::Record { id, .. } => id.seq,
            Entry::Gap { last, .. } => last,
        }
    }
}

impl Batch {
    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Entry `index`, counted from 0.
    pub fn get(&self, index: usize) -> Option<Entry<'_>> {
        Some(match self.items.get(index)? {
            Item::Record { store, seq, payload } => Entry::Record {
                id: RecordId { store: *store, seq: *seq },
                payload: &self.bytes[payload.clone()],
            },
            Item::Gap { first, last, why } => Entry::Gap { first: *first, last: *last, why: *why },
        })
    }

    /// The entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    fn has_room(&self, room: Room) -> bool {
        self.items.len() < room.records && (self.is_empty() || self.payload_bytes < room.bytes)
    }
}

impl Watch {
    /// Durable records that the channel has not done with.
    pub(crate) fn waiting_records(&self) -> u64 {
        let durable = self.shared.durable.load(Ordering::Acquire);
        durable.saturating_sub(self.cursor.done.load(Ordering::Acquire))
    }

    /// Ends the wait in [`Reader::next`], for all readers.
    pub(crate) fn wake_readers(&self) {
        drop(self.shared.published.0.lock());
        self.shared.published.1.notify_all();
    }
}

impl Reader {
    pub(super) fn open(shared: Arc<Shared>, channel: &str) -> Result<Self, ReadError> {
        let cursor = cursor::attach(&shared, channel)?;
        let next = cursor.done.load(Ordering::Acquire) + 1;
        Ok(Self { shared, cursor, next, at: None, trouble: None, times: VecDeque::new() })
    }

    /// The next entries: at most `records`, and no more once `bytes` of payload are reached, so that one large
    /// record is never in the way. Waits up to `timeout` for the first; may return none earlier.
    ///
    /// # Errors
    ///
    /// When the disk cannot be read. The reader stays where it is and may be asked again; after [`READ_TRIES`] errors in
    /// a row it reads around what the disk will not give, which is then a gap.
    pub fn next(
        &mut self,
        records: usize,
        bytes: usize,
        timeout: Duration,
    ) -> Result<Batch, ReadError> {
        let durable = self.wait(timeout);
        let mut batch = Batch::default();
        let room = Room { records, bytes };
        while self.next <= durable && batch.has_room(room) {
            let found = {
                let log = self.shared.log.lock();
                log.find(self.next).ok_or_else(|| log.segments.front().map(|oldest| oldest.base))
            };
            match found {
                Err(oldest) => {
                    let last = oldest.map_or(durable, |base| (base - 1).min(durable));
                    self.gap(&mut batch, last, GapReason::Missing);
                }
                Ok((segment, limit)) => {
                    let last = (limit - 1).min(durable);
                    self.read(&mut batch, segment, last, room).map_err(|source| {
                        let before = self.trouble.filter(|(index, _)| *index == segment.index);
                        self.trouble =
                            Some((segment.index, before.map_or(0, |(_, times)| times) + 1));
                        let file = self.shared.dir.join(segment_name(segment.index));
                        ReadError::Segment { file, source }
                    })?;
                }
            }
        }
        Ok(batch)
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch { shared: Arc::clone(&self.shared), cursor: Arc::clone(&self.cursor) }
    }

    /// Goes back to the cursor: what was read and not committed comes again.
    pub fn rewind(&mut self) {
        self.next = self.done() + 1;
        self.at = None;
    }

    /// The last record that was read.
    #[cfg(test)]
    pub(super) fn position(&self) -> u64 {
        self.next - 1
    }

    /// The last record that the channel has done with.
    pub fn done(&self) -> u64 {
        self.cursor.done.load(Ordering::Acquire)
    }

    /// Says that the channel has done with everything up to `seq`, which must have been read. Segments that no
    /// channel needs any more are removed.
    ///
    /// # Errors
    ///
    /// When the cursor's file cannot be written or synced: a later commit makes up for it.
    pub fn commit(&mut self, seq: u64) -> Result<(), ReadError> {
        let seq = seq.min(self.next - 1);
        if seq <= self.done() {
            return Ok(());
        }
        while self.times.get(1).is_some_and(|&(first, _)| first <= seq + 1) {
            self.times.pop_front();
        }
        self.note_oldest();
        let synced = self.cursor.synced.load(Ordering::Acquire);
        let passed = {
            let log = self.shared.log.lock();
            log.segments.get(1).is_some_and(|next| next.base <= seq + 1 && next.base > synced + 1)
        };
        self.cursor
            .advance(seq, passed)
            .map_err(|source| ReadError::Cursor { name: self.cursor.name.clone(), source })?;
        if passed {
            self.shared.reclaim(&mut self.shared.log.lock());
        }
        Ok(())
    }

    /// Waits until there is something to read, somebody wakes all readers, or time is up.
    fn wait(&self, timeout: Duration) -> u64 {
        let durable = || self.shared.durable.load(Ordering::Acquire);
        if durable() < self.next && !timeout.is_zero() {
            let until = Instant::now() + timeout;
            let mut asleep = self.shared.published.0.lock();
            if durable() < self.next {
                self.shared.published.1.wait_until(&mut asleep, until);
            }
        }
        durable()
    }

    /// Reads one chunk of `segment`, whose numbers up to `last` are wanted.
    fn read(
        &mut self,
        batch: &mut Batch,
        segment: Segment,
        last: u64,
        room: Room,
    ) -> io::Result<()> {
        let mut at = match self.at.take() {
            Some(at) if at.segment.index == segment.index => at,
            _another => {
                let path = self.shared.dir.join(segment_name(segment.index));
                let file = match self.shared.fs.open(&path, Open::Existing) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        self.gap(batch, last, GapReason::Missing);
                        return Ok(());
                    }
                    opened => opened?,
                };
                Position { segment, file, offset: HEADER_BYTES as u64, seq: segment.base }
            }
        };
        let mut chunk = CHUNK_BYTES;
        loop {
            let start = batch.bytes.len();
            batch.bytes.resize(start + chunk, 0);
            let got = self.read_at(&at, &mut batch.bytes[start..])?;
            batch.bytes.truncate(start + got);
            match self.parse(batch, &mut at, start, last, room) {
                Ok(()) => break,
                Err(NoFrame::Short(bytes))
                    if got == chunk && at.offset + bytes as u64 <= at.file.len()? =>
                {
                    batch.bytes.truncate(start);
                    chunk = bytes;
                }
                Err(_damaged_or_cut) => {
                    batch.bytes.truncate(start);
                    self.resync(batch, &mut at, last)?;
                    break;
                }
            }
        }
        self.at = Some(at);
        Ok(())
    }

    /// Reads from the place on; around what is unreadable, once that has failed often enough.
    fn read_at(&self, at: &Position, bytes: &mut [u8]) -> io::Result<usize> {
        match self.trouble {
            Some((index, times)) if index == at.segment.index && times >= READ_TRIES => {
                Ok(read_patchy(&*at.file, bytes, at.offset)?.got)
            }
            _ => at.file.read_at(bytes, at.offset),
        }
    }

    /// Takes the records from the chunk at `start`. An error tells why not even one could be taken.
    fn parse(
        &mut self,
        batch: &mut Batch,
        at: &mut Position,
        start: usize,
        last: u64,
        room: Room,
    ) -> Result<(), NoFrame> {
        let mut from = start;
        while at.seq <= last && batch.has_room(room) {
            let frame = match segment::frame(&batch.bytes[from..], at.segment.store) {
                Ok(frame) if frame.seq == at.seq => frame,
                _end_of_chunk if from > start => return Ok(()),
                Ok(_out_of_order) => return Err(NoFrame::Damaged),
                Err(none) => return Err(none),
            };
            let (seq, at_s, bytes) = (frame.seq, frame.at_s, frame.bytes);
            let payload = frame.payload.map(|payload| payload.len());
            from += bytes;
            at.offset += bytes as u64;
            at.seq = seq + 1;
            if seq < self.next {
                continue;
            }
            self.next = seq + 1;
            if self.times.back().is_none_or(|&(_, newest)| newest != at_s) {
                self.times.push_back((seq, at_s));
                self.note_oldest();
            }
            if let Some(payload) = payload {
                batch.payload_bytes += payload;
                let payload = from - payload..from;
                batch.items.push(Item::Record { store: at.segment.store, seq, payload });
            }
        }
        Ok(())
    }

    /// Goes on at the next whole record behind a damaged place.
    fn resync(&mut self, batch: &mut Batch, at: &mut Position, last: u64) -> io::Result<()> {
        let rest = at.file.len()?.saturating_sub(at.offset);
        let mut bytes = vec![0; usize::try_from(rest).map_err(io::Error::other)?];
        let got = self.read_at(at, &mut bytes)?;
        // A file that just ends, or has only the zeros that were written ahead, has nothing that could be looked at later.
        let unreadable = self.trouble.is_some_and(|(index, _)| index == at.segment.index);
        let is_damaged = unreadable || segment::torn_bytes(&bytes[..got]) > 0;
        if is_damaged {
            let kept = quarantine(&*self.shared.fs, &self.shared.dir, at.segment.index);
            self.shared.counters.quarantined.fetch_add(u64::from(kept), Ordering::Relaxed);
        }
        let found = segment::search(&bytes[..got], at.segment.store, at.seq..=last);
        let resume = found.map_or(last + 1, |(_, frame)| frame.seq);
        // Without a find the place stays: records that are appended later may lie behind it.
        at.offset += found.map_or(0, |(skipped, _)| skipped as u64);
        at.seq = resume;
        let why = if is_damaged { GapReason::Damaged } else { GapReason::Missing };
        self.gap(batch, resume - 1, why);
        Ok(())
    }

    /// Records that nothing is left of the numbers up to `last`. What the ledger knows of keeps the reason that it has
    /// there; the rest is noted with `why`.
    fn gap(&mut self, batch: &mut Batch, last: u64, why: GapReason) {
        while self.next <= last {
            let first = self.next;
            let mut ledger = self.shared.ledger.lock();
            let (end, why) = match ledger.find(first) {
                Some(noted) => (noted.last.min(last), noted.why),
                None => {
                    let end = ledger.next_noted(first).map_or(last, |next| (next - 1).min(last));
                    if let Err(error) = ledger.note(first, end, why, end - first + 1) {
                        tracing::warn!(%error, first, last = end, "Loss not noted on disk");
                    }
                    let channel = &self.cursor.name;
                    tracing::error!(channel, first, last = end, why = why.word(), "Records lost");
                    (end, why)
                }
            };
            self.next = end + 1;
            batch.items.push(Item::Gap { first, last: end, why });
        }
    }

    fn note_oldest(&self) {
        let oldest = self.times.front().map_or(0, |&(_, at_s)| u64::from(at_s));
        self.cursor.oldest_at_s.store(oldest, Ordering::Relaxed);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Err(error) = self.cursor.sync() {
            tracing::warn!(%error, channel = self.cursor.name, "Cursor not synced");
        }
        self.cursor.attached.store(false, Ordering::Release);
    }
}

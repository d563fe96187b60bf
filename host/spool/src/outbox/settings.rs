//! The bounds of an outbox. Every one has a default that is named here.

use std::time::Duration;

use super::recover::OpenError;

/// Most bytes of a record by default; the gateway cuts a request in parts that stay below.
pub(super) const RECORD_BYTES: usize = 1 << 20;
/// Bytes of a segment, the unit in which space is given back, by default.
pub(super) const SEGMENT_BYTES: u64 = 16 << 20;
/// Most bytes of all segments by default.
pub(super) const MAX_BYTES: u64 = 1 << 30;
/// Free bytes that are left to the rest of the machine by default.
pub(super) const MIN_FREE_BYTES: u64 = 64 << 20;
/// Most records between the callers and the writer by default.
pub(super) const QUEUE_RECORDS: usize = 32_768;
/// Most bytes between the callers and the writer by default.
pub(super) const QUEUE_BYTES: usize = 8 << 20;
/// Most bytes of one channel's dead letters by default.
pub(super) const DEAD_LETTER_BYTES: u64 = 64 << 20;
/// How long records gather while nobody waits, by default.
pub(super) const OBSERVE_WINDOW: Duration = Duration::from_millis(20);

/// Smallest sizes that still work.
const MIN_SEGMENT_BYTES: u64 = 4096;
/// A segment is read whole after a crash, so it must fit in memory.
const MAX_SEGMENT_BYTES: u64 = 256 << 20;

/// What happens to a new record when the outbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// It is refused and counted; what is stored stays.
    #[default]
    RejectNew,
    /// The oldest segment is removed, whether or not the channels have had it; what they had not had is counted and
    /// told to them as a gap. For those who would rather have the newest. A disk that is full of other things is not
    /// helped by it: then new records are refused.
    DropOldest,
}

/// The bounds of an outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxSettings {
    /// Most bytes of one record.
    pub record_bytes: usize,
    /// Bytes after which a segment is followed by the next.
    pub segment_bytes: u64,
    /// Most bytes of all segments together; at least two segments.
    pub max_bytes: u64,
    /// Below this many free bytes on the file system nothing is written.
    pub min_free_bytes: u64,
    /// Most records that wait for the writer.
    pub queue_records: usize,
    /// Most bytes that wait for the writer; at least one record, at most one segment.
    pub queue_bytes: usize,
    /// How long [`super::Class::Observe`] records gather before they are written.
    pub observe_window: Duration,
    /// What happens at `max_bytes`.
    pub when_full: WhenFull,
    /// Most bytes of one channel's dead letters; room for two of the largest.
    pub dead_letter_bytes: u64,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        Self {
            record_bytes: RECORD_BYTES,
            segment_bytes: SEGMENT_BYTES,
            max_bytes: MAX_BYTES,
            min_free_bytes: MIN_FREE_BYTES,
            queue_records: QUEUE_RECORDS,
            queue_bytes: QUEUE_BYTES,
            observe_window: OBSERVE_WINDOW,
            when_full: WhenFull::default(),
            dead_letter_bytes: DEAD_LETTER_BYTES,
        }
    }
}

impl OutboxSettings {
    /// Names the first setting that contradicts another.
    pub(super) fn check(&self) -> Result<(), OpenError> {
        let overhead = super::segment::FRAME_BYTES as u64;
        let room = self.segment_bytes.saturating_sub(super::segment::HEADER_BYTES as u64);
        let rules: [(&'static str, &'static str, bool); 7] = [
            (
                "segment_bytes",
                "between 4096 and 256 MiB",
                (MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes),
            ),
            ("max_bytes", "at least twice segment_bytes", self.max_bytes / 2 >= self.segment_bytes),
            ("record_bytes", "at least 1", self.record_bytes >= 1),
            (
                "queue_bytes",
                "at least record_bytes + 32",
                self.queue_bytes as u64 >= self.record_bytes as u64 + overhead,
            ),
            ("queue_bytes", "at most segment_bytes - 48", self.queue_bytes as u64 <= room),
            ("queue_records", "at least 1", self.queue_records >= 1),
            (
                "dead_letter_bytes",
                "at least 4 times record_bytes and 16 KiB",
                self.dead_letter_bytes / 4 >= self.record_bytes as u64 + 4096,
            ),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((setting, must_be, _)) => Err(OpenError::Setting { setting, must_be }),
            None => Ok(()),
        }
    }
}

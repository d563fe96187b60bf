//! How much waits for whom.

use std::path::PathBuf;
use std::time::SystemTime;

use uuid::Uuid;

use super::super::gaps::{Gap, Losses};
use super::walk::Found;
use super::{Archive, ArchiveError, failed, time};
use crate::channel::DeadLetterCount;
use crate::channel::rejected;

/// The format of the segments that this version knows.
const FORMAT: u32 = 1;

/// A picture of an outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveStatus {
    /// The outbox.
    pub dir: PathBuf,
    /// The id of the store; none before the first record.
    pub store_id: Option<Uuid>,
    /// The format of its segments.
    pub format: u32,
    /// Segments on disk.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records in them.
    pub records: u64,
    /// The number of the last record; 0 before the first.
    pub last_seq: u64,
    /// When the oldest record was written, to the second.
    pub oldest: Option<SystemTime>,
    /// What waits for each channel.
    pub channels: Vec<Backlog>,
    /// Records that are gone, since the outbox was made.
    pub lost: Losses,
    /// Where they were; the 32 latest.
    pub gaps: Vec<Gap>,
    /// Damaged segments that were set aside, with their bytes.
    pub quarantined: Vec<(String, u64)>,
}

/// What waits for a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The channel.
    pub channel: String,
    /// The last record that it has done with; none when it has no cursor.
    pub done_seq: Option<u64>,
    /// Records that wait for it.
    pub waiting_records: u64,
    /// Their bytes on disk.
    pub waiting_bytes: u64,
    /// When the oldest of them was written, to the second.
    pub oldest: Option<SystemTime>,
    /// Records that the other side will never take.
    pub dead_letters: DeadLetterCount,
}

impl Archive {
    /// A picture of the outbox. Reads the segments in which a channel or the log begins or ends, not those between.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn status(&self) -> Result<ArchiveStatus, ArchiveError> {
        let known = self.known();
        let last_seq = match self.volumes.last() {
            Some(newest) => newest.walk(known, |_| {})?.next.saturating_sub(1),
            None => known,
        };
        let first_seq = self.volumes.first().map_or(last_seq + 1, |oldest| oldest.base);
        let mut channels = Vec::new();
        for channel in self.channels()? {
            channels.push(self.backlog(channel, first_seq, last_seq)?);
        }
        Ok(ArchiveStatus {
            dir: self.dir.clone(),
            store_id: self.store_id(),
            format: FORMAT,
            segments: self.volumes.len() as u64,
            bytes: self.volumes.iter().map(|volume| volume.bytes).sum(),
            records: (last_seq + 1).saturating_sub(first_seq),
            last_seq,
            oldest: self.from(first_seq)?.1,
            channels,
            lost: self.losses,
            gaps: self.gaps.clone(),
            quarantined: self.quarantined.clone(),
        })
    }

    fn backlog(
        &self,
        channel: String,
        first_seq: u64,
        last_seq: u64,
    ) -> Result<Backlog, ArchiveError> {
        let dead_letters = rejected::count(&self.dir, &channel);
        let dead_letters = dead_letters.map_err(|error| failed(&self.dir, error))?;
        let Some(done) = self.cursors.get(&channel) else {
            return Ok(Backlog { channel, dead_letters, ..Backlog::default() });
        };
        let done = done.number().unwrap_or(first_seq.saturating_sub(1));
        let (waiting_bytes, oldest) = self.from(done.saturating_add(1))?;
        Ok(Backlog {
            channel,
            done_seq: Some(done),
            waiting_records: last_seq.saturating_sub(done),
            waiting_bytes,
            oldest,
            dead_letters,
        })
    }

    /// The bytes from record `seq` on, and when the first of them was written.
    fn from(&self, seq: u64) -> Result<(u64, Option<SystemTime>), ArchiveError> {
        let is_past = |limit: Option<u64>| limit.is_some_and(|limit| limit <= seq);
        let mut volumes = self.volumes.iter().skip_while(|volume| is_past(volume.limit));
        let Some(first) = volumes.next() else { return Ok((0, None)) };
        let mut start = None;
        first.walk(self.known(), |found| {
            if let Found::Record { seq: found, at_s, offset, .. } = found
                && found >= seq
                && start.is_none()
            {
                start = Some((offset, time(at_s)));
            }
        })?;
        let behind: u64 = volumes.map(|volume| volume.bytes).sum();
        let within = start.map_or(0, |(offset, _)| first.bytes.saturating_sub(offset));
        Ok((within + behind, start.map(|(_, written)| written)))
    }
}

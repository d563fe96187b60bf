//! One segment, from its first record to its last.

use std::io;
use std::path::PathBuf;

use uuid::Uuid;

use super::super::gaps::GapReason;
use super::super::recover::holds_later_batch;
use super::super::segment::{self, FRAME_BYTES, HEADER_BYTES};
use super::{ArchiveError, failed};

/// A segment whose head could be read.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) path: PathBuf,
    pub(super) store: Uuid,
    /// The number of its first record.
    pub(super) base: u64,
    /// The first number of the next segment; none of the newest.
    pub(super) limit: Option<u64>,
    /// Bytes when it was looked at.
    pub(super) bytes: u64,
}

/// What lies in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Record {
        seq: u64,
        at_s: u32,
        /// None for a kind that this version does not know.
        payload: Option<&'a [u8]>,
        /// Where it begins.
        offset: u64,
    },
    /// Nothing is left of these numbers.
    Gap { first: u64, last: u64, why: GapReason, offset: u64 },
}

/// How a segment ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// The number behind the last one.
    pub(super) next: u64,
    /// Bytes behind the last record of the newest segment: a batch that was being written, then or when the power went.
    pub(super) torn_bytes: u64,
}

impl Volume {
    /// Tells of everything in the segment, in order. `known` is a number of which is known that it was durable. A segment
    /// that is gone by now was passed by everybody, and has nothing to tell.
    pub(super) fn walk(
        &self,
        known: u64,
        mut tell: impl FnMut(Found<'_>),
    ) -> Result<Ended, ArchiveError> {
        let bytes = match std::fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Of the newest one that went so soon nobody knows where the log has got to.
                return Ok(Ended { next: self.limit.unwrap_or(u64::MAX), torn_bytes: 0 });
            }
            read => read.map_err(|error| failed(&self.path, error))?,
        };
        let mut at = HEADER_BYTES.min(bytes.len());
        let mut seq = self.base;
        while self.limit.is_none_or(|limit| seq < limit) {
            let rest = &bytes[at..];
            match segment::frame(rest, self.store) {
                Ok(frame) if frame.seq == seq => {
                    let offset = at as u64;
                    tell(Found::Record { seq, at_s: frame.at_s, payload: frame.payload, offset });
                    at += frame.bytes;
                    seq += 1;
                    continue;
                }
                _none => {}
            }
            if self.limit.is_none() && known < seq && !holds_later_batch(rest, self.store, seq) {
                return Ok(Ended { next: seq, torn_bytes: segment::torn_bytes(rest) });
            }
            // A segment cannot hold more records than it has room for heads.
            let most = seq.saturating_add((rest.len() / FRAME_BYTES) as u64);
            let last = self.limit.map_or(most, |limit| limit - 1);
            let found = segment::search(rest, self.store, seq..=last);
            let is_empty = segment::torn_bytes(rest) == 0;
            let why = if is_empty { GapReason::Missing } else { GapReason::Damaged };
            let (skipped, next) = match found {
                Some((skipped, frame)) => (skipped, frame.seq),
                None => (rest.len(), self.limit.unwrap_or(known.saturating_add(1)).max(seq)),
            };
            if next > seq {
                tell(Found::Gap { first: seq, last: next - 1, why, offset: at as u64 });
            }
            (at, seq) = (at + skipped, next);
            if found.is_none() {
                break;
            }
        }
        Ok(Ended { next: seq, torn_bytes: 0 })
    }
}

//! The ledger of losses: which numbers are gone, and why. It outlives restarts, so a loss is counted once, whoever finds
//! it and however often.
//!
//! It is told to people and to metrics. Nothing is recovered by it, with one exception: a segment that it calls dropped
//! and that is still there, because the process died in between, is removed on opening.
//!
//! The file has 4096 real zeros from the start, so that a full disk does not keep a loss from being noted. Slot k starts
//! at byte 128·k; all integers are little-endian.
//!
//! | at | type | what |
//! |---|---|---|
//! | 0 | u32 | `OQG1` |
//! | 4 | u32 | CRC-32C of the 64 bytes that follow |
//! | 8 | u64 | generation, from 1; slot generation mod 32 |
//! | 16 | u64 | first number |
//! | 24 | u64 | last number |
//! | 32 | u64 | when it was noted, seconds of Unix time; told to people, never compared |
//! | 40 | u64 | why: 0 dropped, 1 damaged, 2 missing |
//! | 48 | 3 × u64 | records lost since the outbox was made, for each reason |
//!
//! A loss that goes on where the last one of its kind ended is noted as one, in a new slot. With 32 in the file the
//! oldest is overwritten; the totals stay.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fs::{Fs, FsFile};
use super::patchy::read_patchy;

const FILE_BYTES: usize = 4096;
const SLOT_BYTES: usize = 128;
const USED_BYTES: usize = 72;
const SLOTS: u64 = (FILE_BYTES / SLOT_BYTES) as u64;
const MAGIC: &[u8; 4] = b"OQG1";
pub(super) const FILE: &str = "gaps.ledger";

/// Why records are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// The outbox was full and [`super::WhenFull::DropOldest`] made room.
    Dropped,
    /// What lies there is not what was written.
    Damaged,
    /// Their segment is not there.
    Missing,
}

/// Records that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// Why.
    pub why: GapReason,
    /// When it was noticed, by the device's clock.
    pub noticed: SystemTime,
}

/// Records that are gone, by reason, since the outbox was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// [`GapReason::Dropped`], of those that a channel had not had yet
    pub dropped: u64,
    /// [`GapReason::Damaged`]
    pub damaged: u64,
    /// [`GapReason::Missing`]
    pub missing: u64,
}

#[derive(Debug)]
pub(super) struct Ledger {
    file: Box<dyn FsFile>,
    generation: u64,
    /// Oldest first; none overlaps another.
    gaps: VecDeque<Gap>,
    losses: Losses,
}

impl GapReason {
    /// All of them, in the order of their numbers on disk.
    pub const ALL: [Self; 3] = [Self::Dropped, Self::Damaged, Self::Missing];

    /// A word for logs and labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Damaged => "damaged",
            Self::Missing => "missing",
        }
    }
}

impl Losses {
    /// All of them together.
    pub fn total(&self) -> u64 {
        self.dropped + self.damaged + self.missing
    }

    /// Each reason, as a word for a metric's label, with its count.
    pub fn by_reason(&self) -> [(&'static str, u64); 3] {
        GapReason::ALL.map(|why| (why.word(), self.of(why)))
    }

    fn of(&self, why: GapReason) -> u64 {
        match why {
            GapReason::Dropped => self.dropped,
            GapReason::Damaged => self.damaged,
            GapReason::Missing => self.missing,
        }
    }

    fn add(&mut self, why: GapReason, records: u64) {
        let count = match why {
            GapReason::Dropped => &mut self.dropped,
            GapReason::Damaged => &mut self.damaged,
            GapReason::Missing => &mut self.missing,
        };
        *count = count.saturating_add(records);
    }
}

impl Ledger {
    /// Opens the file, or makes it, empty. What cannot be read of it is forgotten.
    pub(super) fn open(fs: &dyn Fs, dir: &Path) -> io::Result<Self> {
        let file = super::slots::preallocated(fs, dir, FILE, FILE_BYTES)?;
        let mut bytes = [0; FILE_BYTES];
        read_patchy(&*file, &mut bytes, 0)?;
        let (generation, gaps, losses) = decode_all(&bytes);
        Ok(Self { file, generation, gaps, losses })
    }

    pub(super) fn losses(&self) -> Losses {
        self.losses
    }

    /// The gaps that are still remembered, oldest first.
    pub(super) fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.gaps.iter()
    }

    /// The gap that `seq` lies in.
    pub(super) fn find(&self, seq: u64) -> Option<&Gap> {
        self.gaps.iter().find(|gap| (gap.first..=gap.last).contains(&seq))
    }

    /// The first number from `seq` on that lies in a gap.
    pub(super) fn next_noted(&self, seq: u64) -> Option<u64> {
        self.gaps.iter().filter(|gap| gap.last >= seq).map(|gap| gap.first.max(seq)).min()
    }

    /// Notes that `first..=last`, of which none is in the ledger yet, is gone, and that this cost `records` records.
    ///
    /// # Errors
    ///
    /// When the note is not durable. It is remembered for this run all the same.
    pub(super) fn note(
        &mut self,
        first: u64,
        last: u64,
        why: GapReason,
        records: u64,
    ) -> io::Result<()> {
        let mut gap = Gap { first, last, why, noticed: SystemTime::now() };
        if self.gaps.back().is_some_and(|newest| newest.why == why && newest.last + 1 == first) {
            gap.first = self.gaps.pop_back().map_or(first, |newest| newest.first);
        }
        self.losses.add(why, records);
        self.gaps.push_back(gap);
        if self.gaps.len() as u64 > SLOTS {
            self.gaps.pop_front();
        }
        self.generation += 1;
        let at = (self.generation % SLOTS) * SLOT_BYTES as u64;
        self.file.write_at(&encode(self.generation, &gap, &self.losses), at)?;
        self.file.sync()
    }
}

/// What the bytes of a ledger say: the newest generation, the gaps and the totals.
pub(super) fn decode_all(bytes: &[u8]) -> (u64, VecDeque<Gap>, Losses) {
    let mut slots: Vec<_> = bytes.chunks(SLOT_BYTES).filter_map(decode).collect();
    slots.sort_unstable_by_key(|(generation, ..)| *generation);
    let mut gaps: VecDeque<Gap> = VecDeque::new();
    for (_, gap, _) in &slots {
        // A gap that went on was noted again, from its beginning.
        gaps.retain(|older| older.last < gap.first || older.first > gap.last);
        gaps.push_back(*gap);
    }
    let newest = slots.last();
    (
        newest.map_or(0, |(generation, ..)| *generation),
        gaps,
        newest.map_or_else(Losses::default, |(_, _, losses)| *losses),
    )
}

fn encode(generation: u64, gap: &Gap, losses: &Losses) -> [u8; USED_BYTES] {
    let noticed = gap.noticed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let [dropped, damaged, missing] = GapReason::ALL.map(|why| losses.of(why));
    let numbers =
        [generation, gap.first, gap.last, noticed, gap.why as u64, dropped, damaged, missing];
    let mut out = [0; USED_BYTES];
    out[..4].copy_from_slice(MAGIC);
    for (place, number) in out[8..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let crc = crc32c::crc32c(&out[8..]);
    out[4..8].copy_from_slice(&crc.to_le_bytes());
    out
}

fn decode(slot: &[u8]) -> Option<(u64, Gap, Losses)> {
    let slot: &[u8; USED_BYTES] = slot.first_chunk()?;
    if slot[..4] != *MAGIC || slot[4..8] != crc32c::crc32c(&slot[8..]).to_le_bytes() {
        return None;
    }
    let number = |place: usize| {
        u64::from_le_bytes(*slot[8 + 8 * place..].first_chunk().expect("the slot has 8 numbers"))
    };
    let why = *GapReason::ALL.get(usize::try_from(number(4)).ok()?)?;
    let noticed = UNIX_EPOCH.checked_add(Duration::from_secs(number(3)))?;
    let gap = Gap { first: number(1), last: number(2), why, noticed };
    let losses = Losses { dropped: number(5), damaged: number(6), missing: number(7) };
    (gap.first <= gap.last).then_some((number(0), gap, losses))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::fs::Disk;

    fn ranges(ledger: &Ledger) -> Vec<(u64, u64, GapReason)> {
        ledger.gaps().map(|gap| (gap.first, gap.last, gap.why)).collect()
    }

    #[test]
    fn losses_are_remembered_and_one_that_goes_on_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&Disk, dir.path()).unwrap();
        ledger.note(1, 10, GapReason::Dropped, 4).unwrap();
        ledger.note(11, 20, GapReason::Dropped, 10).unwrap();
        ledger.note(30, 30, GapReason::Damaged, 1).unwrap();
        ledger.note(31, 40, GapReason::Missing, 10).unwrap();
        for ledger in [ledger, Ledger::open(&Disk, dir.path()).unwrap()] {
            let expected = [
                (1, 20, GapReason::Dropped),
                (30, 30, GapReason::Damaged),
                (31, 40, GapReason::Missing),
            ];
            assert_eq!(ranges(&ledger), expected);
            assert_eq!(ledger.losses(), Losses { dropped: 14, damaged: 1, missing: 10 });
            assert_eq!(ledger.find(20).unwrap().first, 1);
            assert_eq!(ledger.find(21), None);
            assert_eq!(ledger.next_noted(21), Some(30));
            assert_eq!(ledger.next_noted(35), Some(35));
            assert_eq!(ledger.next_noted(41), None);
        }
    }

    #[test]
    fn the_33rd_gap_takes_the_place_of_the_oldest_and_the_totals_stay() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&Disk, dir.path()).unwrap();
        for gap in 1..=33 {
            ledger.note(gap * 10, gap * 10 + 1, GapReason::Damaged, 2).unwrap();
        }
        for ledger in [ledger, Ledger::open(&Disk, dir.path()).unwrap()] {
            assert_eq!(ranges(&ledger).len(), 32);
            assert_eq!(ledger.find(10), None);
            assert_eq!(ledger.losses().damaged, 66);
        }
    }

    #[test]
    fn a_torn_note_costs_that_note() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&Disk, dir.path()).unwrap();
        ledger.note(1, 1, GapReason::Missing, 1).unwrap();
        ledger.note(5, 5, GapReason::Missing, 1).unwrap();
        let path = dir.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), FILE_BYTES);
        bytes[2 * SLOT_BYTES + 20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let ledger = Ledger::open(&Disk, dir.path()).unwrap();
        assert_eq!(ranges(&ledger), [(1, 1, GapReason::Missing)]);
        assert_eq!(ledger.losses().total(), 1);
    }

    /// Format 1: slot 1 of a ledger, made by an independent script.
    const GOLDEN: &[u8] = include_bytes!("fixtures/gaps-format-1.slot");

    #[test]
    fn a_slot_keeps_its_bytes() {
        let noticed = UNIX_EPOCH + Duration::from_secs(1_795_563_012);
        let gap = Gap { first: 7, last: 12_345, why: GapReason::Missing, noticed };
        let losses = Losses { dropped: 1, damaged: 2, missing: 12_339 };
        assert_eq!(encode(33, &gap, &losses)[..], *GOLDEN);
        assert_eq!(decode(GOLDEN), Some((33, gap, losses)));
    }
}

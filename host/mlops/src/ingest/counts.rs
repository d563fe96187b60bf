//! What ingest counts since it was started. A call touches a handful of atomics; only names from closed lists become
//! labels, so that clients cannot make any.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::answer::{Accepted, IngestError};
use super::work::Call;

/// Upper bounds of the commit times' histogram, in microseconds.
pub const COMMIT_BOUNDS_US: [u64; 12] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];
/// The name of events among the calls.
const EVENTS: &str = "remoteEvents";

/// Counters of ingest.
#[derive(Debug, Default)]
pub struct Counts {
    calls: [CallCounts; Call::ALL.len()],
    events: CallCounts,
    turned_away: [AtomicU64; TurnedAway::ALL.len()],
    rows: AtomicU64,
    joined: AtomicU64,
    /// One more than there are bounds.
    commit_times: [AtomicU64; COMMIT_BOUNDS_US.len() + 1],
    commit_us: AtomicU64,
    commits_failed: AtomicU64,
    held: Held<AtomicU64>,
}

/// What came by one kind of call.
#[derive(Debug, Default)]
struct CallCounts {
    accepted: AtomicU64,
    duplicates: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
}

/// What the writer holds, after the last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held<N = u64> {
    /// Rollups of hours that were written lately.
    pub rollups: N,
    /// Records, predictions and outcomes that are not yet folded.
    pub items: N,
    /// Of these predictions, those whose outcome is not known.
    pub waiting: N,
    /// Folds in the database.
    pub folds: N,
}

/// Why a call was told to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TurnedAway {
    Busy,
    Unavailable,
    Closed,
}

/// What entries of one kind of call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entries {
    /// The call, as its path has it.
    pub call: &'static str,
    /// Entries that were taken.
    pub accepted: u64,
    /// Entries that had been taken before.
    pub duplicates: u64,
    /// Entries that were not taken.
    pub refused: u64,
    /// Bytes of all bodies.
    pub bytes: u64,
}

/// How long commits took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitTimes {
    /// How many took up to each of [`COMMIT_BOUNDS_US`] and more than the one before, and one more for the rest.
    pub counts: Vec<u64>,
    /// All together, in microseconds.
    pub sum_us: u64,
}

impl TurnedAway {
    const ALL: [Self; 3] = [Self::Busy, Self::Unavailable, Self::Closed];

    fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Closed => "closed",
        }
    }
}

impl Counts {
    /// A body came.
    pub(super) fn body(&self, call: Call, bytes: usize) {
        self.calls[call.place()].bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// A call was answered by the writer.
    pub(super) fn answered(&self, call: Call, answer: &Result<Accepted, IngestError>) {
        match answer {
            Ok(taken) => self.calls[call.place()].add(taken),
            Err(error) => self.turned_away(error),
        }
    }

    /// A call was told to come again.
    pub(super) fn turned_away(&self, error: &IngestError) {
        let why = match error {
            IngestError::Busy => TurnedAway::Busy,
            IngestError::Unavailable => TurnedAway::Unavailable,
            IngestError::Closed => TurnedAway::Closed,
            IngestError::NotJson(_) | IngestError::Body { .. } => return,
        };
        self.turned_away[why as usize].fetch_add(1, Relaxed);
    }

    /// An event came; one that the database did not take now is told to come again.
    pub fn event(&self, bytes: usize, taken: Option<EventTaken>) {
        self.events.bytes.fetch_add(bytes as u64, Relaxed);
        let count = match taken {
            Some(EventTaken::New) => &self.events.accepted,
            Some(EventTaken::Before) => &self.events.duplicates,
            Some(EventTaken::Refused) => &self.events.refused,
            None => &self.turned_away[TurnedAway::Unavailable as usize],
        };
        count.fetch_add(1, Relaxed);
    }

    /// A commit was made, of so many rows, after which so many predictions have their first outcome.
    pub(super) fn committed(&self, time: Duration, rows: u64, joined: u64, held: Held) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let place = COMMIT_BOUNDS_US.iter().position(|bound| us <= *bound);
        self.commit_times[place.unwrap_or(COMMIT_BOUNDS_US.len())].fetch_add(1, Relaxed);
        self.commit_us.fetch_add(us, Relaxed);
        self.rows.fetch_add(rows, Relaxed);
        self.joined.fetch_add(joined, Relaxed);
        self.hold(held);
    }

    /// The writer holds this now.
    pub(super) fn hold(&self, held: Held) {
        self.held.rollups.store(held.rollups, Relaxed);
        self.held.items.store(held.items, Relaxed);
        self.held.waiting.store(held.waiting, Relaxed);
        self.held.folds.store(held.folds, Relaxed);
    }

    /// A commit failed.
    pub(super) fn commit_failed(&self) {
        self.commits_failed.fetch_add(1, Relaxed);
    }

    /// Entries by call.
    pub fn entries(&self) -> impl Iterator<Item = Entries> {
        let calls = Call::ALL.iter().map(|call| self.calls[call.place()].entries(call.name()));
        calls.chain([self.events.entries(EVENTS)])
    }

    /// Calls that were told to come again, by why.
    pub fn all_turned_away(&self) -> impl Iterator<Item = (&'static str, u64)> {
        TurnedAway::ALL
            .into_iter()
            .map(|why| (why.name(), self.turned_away[why as usize].load(Relaxed)))
    }

    /// Rows that were counted.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Predictions that have met their first outcome.
    pub fn joined(&self) -> u64 {
        self.joined.load(Relaxed)
    }

    /// How long commits took.
    pub fn commit_times(&self) -> CommitTimes {
        let counts = self.commit_times.iter().map(|count| count.load(Relaxed)).collect();
        CommitTimes { counts, sum_us: self.commit_us.load(Relaxed) }
    }

    /// Commits that failed.
    pub fn commits_failed(&self) -> u64 {
        self.commits_failed.load(Relaxed)
    }

    /// What the writer holds.
    pub fn held(&self) -> Held {
        Held {
            rollups: self.held.rollups.load(Relaxed),
            items: self.held.items.load(Relaxed),
            waiting: self.held.waiting.load(Relaxed),
            folds: self.held.folds.load(Relaxed),
        }
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTaken {
    /// It was taken.
    New,
    /// It had been taken before.
    Before,
    /// It was not taken.
    Refused,
}

impl CallCounts {
    fn add(&self, taken: &Accepted) {
        self.accepted.fetch_add(taken.accepted as u64, Relaxed);
        self.duplicates.fetch_add(taken.duplicates as u64, Relaxed);
        self.refused.fetch_add(taken.refused.len() as u64, Relaxed);
    }

    fn entries(&self, call: &'static str) -> Entries {
        Entries {
            call,
            accepted: self.accepted.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            refused: self.refused.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
        }
    }
}

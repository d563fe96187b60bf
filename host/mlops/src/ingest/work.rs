//! A call, read and checked on its own thread: what is left for the writer is to see what is new, and to add.

use crate::rollup::GroupKey;

use super::answer::RefusedEntry;
use crate::numbers::Tally;

/// The key of a row without an association id; no hash is zero in practice.
pub(crate) const NO_KEY: u128 = 0;

/// Rows or predictions that an entry may say it has: a million millions, so that sums of many stay far from the end of
/// what a database can count.
pub(crate) const MOST_ROWS: u64 = 1_000_000_000_000;

/// What kind of call it is; a record's id is only known within its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Requests = 1,
    Inputs = 2,
    Stats = 3,
    Actuals = 4,
    Metrics = 5,
}

/// The key kind of association ids.
pub(crate) const ASSOCIATION: u8 = 0;

impl Call {
    pub(crate) const ALL: [Self; 5] =
        [Self::Requests, Self::Inputs, Self::Stats, Self::Actuals, Self::Metrics];

    /// Its place in [`Self::ALL`].
    pub(crate) fn place(self) -> usize {
        self as usize - 1
    }

    /// Its name, as the path has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Requests => "predictionRequests",
            Self::Inputs => "predictionInputs",
            Self::Stats => "predictionStats",
            Self::Actuals => "actuals",
            Self::Metrics => "customMetrics",
        }
    }
}

/// A call's entries, ready to be added.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) call: Call,
    pub(crate) received_us: i64,
    /// Rows of this hour that are counted.
    pub(crate) rows_an_hour: Option<u64>,
    pub(crate) groups: Vec<GroupSeed>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) refused: Vec<RefusedEntry>,
    /// Columns of the entries, each the places of its rows from `start` on.
    pub(crate) columns: Vec<Column>,
    pub(crate) places: Vec<u16>,
    /// The numbers of the predictions.
    pub(crate) values: Vec<f64>,
    /// The keys of the association ids.
    pub(crate) keys: Vec<u128>,
    /// Rows in all entries.
    pub(crate) rows: usize,
}

/// A group of the entries, with what its rollups must have room for.
#[derive(Clone, Debug)]
pub(crate) struct GroupSeed {
    pub(crate) key: GroupKey,
    pub(crate) shape: crate::rollup::Shape,
}

/// A column of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its place in the plan; [`PREDICTIONS`] for the predictions.
    pub(crate) place: u32,
    pub(crate) start: u32,
}

/// The place of the predictions among the columns.
pub(crate) const PREDICTIONS: u32 = u32::MAX;

/// An entry that can be taken.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its place in the call.
    pub(crate) index: usize,
    /// The messages that it came from; none where it does not say.
    pub(crate) records: Records,
    /// Its group's place in [`Work::groups`].
    pub(crate) group: u32,
    pub(crate) time: EntryTime,
    pub(crate) batch: Option<Box<str>>,
    pub(crate) what: What,
}

/// The messages of an entry.
#[derive(Debug)]
pub(crate) enum Records {
    None,
    One(u128),
    /// Of an entry that sums up several, with their ids.
    Many(Vec<(u128, String)>),
}

/// When an entry happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryTime {
    /// By the device's clock where it can be used, else when it was received.
    pub(crate) us: i64,
    /// Microseconds that the clock is ahead of ours (behind: negative), where that is more than is tolerated.
    pub(crate) skew: Option<Skew>,
}

/// What is wrong with a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skew {
    /// It cannot be read, or is not there.
    Unreadable,
    /// So many microseconds ahead, or behind where negative.
    By(i64),
}

impl EntryTime {
    /// Hours since 1970.
    pub(crate) fn hour(self) -> u32 {
        (self.us / crate::rollup::HOUR_US) as u32
    }
    /// The minute of the hour.
    pub(crate) fn minute(self) -> usize {
        (self.us % crate::rollup::HOUR_US / 60_000_000) as usize
    }
}

/// What an entry tells.
#[derive(Debug)]
pub(crate) enum What {
    Request {
        predictions: u64,
        ms: Option<f64>,
        slow: bool,
        user_error: bool,
        system_error: bool,
    },
    Rows(Rows),
    Summed {
        rows: u64,
        features: Vec<Option<Tally>>,
        predictions: Option<Tally>,
        sum: Option<(f64, u64)>,
    },
    Actual {
        key: u128,
        at_us: i64,
        value: f64,
    },
    Metric {
        metric: String,
        model: String,
        values: Vec<(i64, f64)>,
    },
}

/// Rows of an entry, in the lists of its call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    pub(crate) rows: usize,
    /// From where to where in [`Work::columns`]; none when they do not count for drift.
    pub(crate) columns: (usize, usize),
    /// They count as rows: not what was summed up already.
    pub(crate) counted: bool,
    /// From where in [`Work::values`], and how many a row; 0 when there are no predictions.
    pub(crate) values: usize,
    pub(crate) width: usize,
    /// From where in [`Work::keys`]; none when no row waits for its actual.
    pub(crate) keys: Option<usize>,
    /// A row without an association id counts as one that should have it.
    pub(crate) without_id: usize,
}

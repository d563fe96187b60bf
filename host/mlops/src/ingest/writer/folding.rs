//! Storing a fold a few shards at a time.

use tokio::task::JoinHandle;

use super::writes::Writes;
use crate::store::pending::fold::{Fold, Sorted};

/// How far the fold of the frozen items is.
#[derive(Debug, Default)]
pub(super) enum Folding {
    /// There is none.
    #[default]
    Idle,
    /// They are being sorted, on a thread of their own.
    Sorting(i64, JoinHandle<Sorted>),
    /// They are being stored; so many shards are.
    Storing(i64, Box<Sorted>, usize),
}

/// A step of a fold, for a commit.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) fold: i64,
    /// Shards with their numbers.
    pub(super) shards: Vec<(i64, Vec<u8>)>,
    /// The first one: the fold's own row.
    pub(super) start: Option<Start>,
    /// The last one: blocks up to this number are folded.
    pub(super) end: Option<i64>,
    next: usize,
}

/// The row of a fold.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) bits: i64,
    pub(super) newest_us: i64,
    pub(super) records: Vec<u8>,
    pub(super) predictions: Vec<u8>,
    pub(super) actuals: Vec<u8>,
}

impl Folding {
    /// Whether there is something to store at once.
    pub(super) fn can_step(&self) -> bool {
        matches!(self, Self::Storing(..))
    }

    /// Waits until the items are sorted; for ever when there are none to sort.
    pub(super) async fn sorted(&mut self) {
        match self {
            Self::Idle => std::future::pending().await,
            Self::Storing(..) => {}
            Self::Sorting(id, task) => match task.await {
                Ok(sorted) => *self = Self::Storing(*id, Box::new(sorted), 0),
                Err(error) => {
                    // Only when the process ends: sorting does not panic.
                    tracing::error!(%error, "the items were not sorted");
                    std::future::pending().await
                }
            },
        }
    }

    /// Adds the next shards to a commit.
    pub(super) fn next_shards(&self, shards_a_commit: usize, writes: &mut Writes) {
        let Self::Storing(fold, sorted, stored) = self else { return };
        let next = (stored + shards_a_commit.max(1)).min(sorted.shards.len());
        let shards = sorted.shards.iter().enumerate().take(next).skip(*stored);
        let shards = shards.filter(|(_, bytes)| !bytes.is_empty());
        let start = (*stored == 0).then(|| Start {
            bits: i64::from(sorted.bits),
            newest_us: sorted.newest_us,
            records: sorted.records.bytes(),
            predictions: sorted.predictions.bytes(),
            actuals: sorted.actuals.bytes(),
        });
        writes.fold = Some(Step {
            fold: *fold,
            shards: shards.map(|(at, bytes)| (at as i64, bytes.clone())).collect(),
            start,
            end: (next == sorted.shards.len()).then_some(sorted.last_block),
            next,
        });
    }

    /// After the commit; the fold when it is whole.
    pub(super) fn committed(&mut self, step: &Step) -> Option<Fold> {
        if let Self::Storing(_, _, stored) = self {
            *stored = step.next;
        }
        step.end?;
        let Self::Storing(id, sorted, _) = std::mem::take(self) else { return None };
        let Sorted { bits, newest_us, records, predictions, actuals, .. } = *sorted;
        Some(Fold { id, bits, newest_us, records, predictions, actuals })
    }
}

//! What becomes of calls with sums.
//!
//! | the answer | then |
//! |---|---|
//! | 2xx | what is to be joined with outcomes is told as predictions; the rest is done with |
//! | our own server has some records of a sum already | those are taken; the others are summed up again |
//! | a sum is refused, or the whole call (400, 422) | its records go as they came |
//! | 413 | halves; a single record goes as it came |
//! | any other | as for every call: the same sums again |

use std::collections::{BTreeMap, BTreeSet};

use record::wire::rest::Kind;
use spool::rest::Outcome;

use super::{Answer, Poster, Refused};
use crate::desk::Settled;
use crate::lane::{Batch, LaneKey};
use crate::message::Item;
use crate::summed::{Stage, Summed, outcomes};

/// What becomes of the records of a call.
#[derive(Debug, Default)]
struct Sorted {
    done: Vec<Item>,
    plain: Vec<Item>,
    outcomes: Vec<Item>,
    sums: Vec<Item>,
}

impl Poster {
    /// Sums up the records of a call, and makes it.
    pub(super) fn sum(&self, key: &LaneKey, batch: Batch) -> Settled {
        let summed = Summed::of(&batch.items, &self.config.aggregation);
        let plain = summed.plain.clone();
        let (body, members) = summed.body();
        if members.is_empty() {
            let sorted = Sorted { plain: batch.items, ..Sorted::default() };
            return self.settle(sorted);
        }
        let stats = LaneKey { deployment: key.deployment.clone(), kind: Kind::Stats };
        let path = stats.path();
        let outcome = self.client.post(&self.client.url(&path), Batch::key(&body), &body);
        self.stats.called(&path.join("/"));
        match outcome {
            Outcome::Taken { reply } => {
                let answer: Answer = serde_json::from_slice(&reply).unwrap_or_default();
                self.settle(self.after(key, batch.items, (&plain, &members), answer))
            }
            Outcome::TooLarge { .. } => {
                let bytes = batch.bytes();
                match batch.halves() {
                    Ok((one, other)) => Settled {
                        again: vec![one, other],
                        too_large: Some(bytes),
                        ..Settled::default()
                    },
                    Err(Batch { items, .. }) => {
                        self.settle(Sorted { plain: items, ..Sorted::default() })
                    }
                }
            }
            Outcome::Refused { why } => {
                self.diary.warn(format!("{}: sums are refused: {why}", path.join("/")));
                self.settle(Sorted { plain: batch.items, ..Sorted::default() })
            }
            other => self.sort(key, batch, body.len(), other),
        }
    }

    /// Sorts the records of a call that the server answered.
    fn after(
        &self,
        key: &LaneKey,
        items: Vec<Item>,
        (plain, members): (&[usize], &[crate::summed::Members]),
        answer: Answer,
    ) -> Sorted {
        let refused: BTreeMap<usize, Refused> =
            answer.refused.into_iter().map(|one| (one.index, one)).collect();
        let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
        let mut sorted = Sorted::default();
        for (index, members) in members.iter().enumerate() {
            let seen: BTreeSet<&str> = refused.get(&index).map_or_else(BTreeSet::new, |refused| {
                refused.seen_record_ids.iter().map(String::as_str).collect()
            });
            let some_seen = members.iter().any(|(_, id)| seen.contains(&**id));
            if let Some(refused) = refused.get(&index).filter(|_| !some_seen) {
                let why = refused.why();
                self.diary.warn(format!("{}: a sum is refused: {why}", key.path().join("/")));
            }
            for (at, id) in members {
                let Some(item) = items.get_mut(*at).and_then(Option::take) else { continue };
                match refused.contains_key(&index) {
                    true if !some_seen => sorted.plain.push(item),
                    true if !seen.contains(&**id) => sorted.sums.push(item),
                    _taken => self.taken_in_sum(key, item, &mut sorted),
                }
            }
        }
        sorted.plain.extend(plain.iter().filter_map(|at| items.get_mut(*at)?.take()));
        // What is left is a second copy of a record: by now the server knows the first.
        sorted.sums.extend(items.into_iter().flatten());
        self.stats.reported(key, sorted.done.len(), 0);
        sorted
    }

    fn taken_in_sum(&self, key: &LaneKey, item: Item, sorted: &mut Sorted) {
        let joined = matches!(key.kind, Kind::Inputs(flags) if !flags.skip_accuracy_tracking);
        let keep = joined && self.config.aggregation.keep_raw_for_accuracy;
        match outcomes(&item).filter(|_| keep) {
            Some(outcomes) => sorted.outcomes.push(outcomes),
            None => sorted.done.push(item),
        }
    }

    fn settle(&self, sorted: Sorted) -> Settled {
        let Sorted { done, plain, outcomes, sums } = sorted;
        let mut again = self.calls(plain, Stage::Plain);
        again.extend(self.calls(outcomes, Stage::Outcomes));
        if !sums.is_empty() {
            again.push(Batch { items: sums, stage: Stage::Sums });
        }
        Settled { done, again, ..Settled::default() }
    }

    /// Calls with rows, none larger than such a call may be.
    fn calls(&self, items: Vec<Item>, stage: Stage) -> Vec<Batch> {
        let config = &self.config;
        let mut calls: Vec<Batch> = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        for item in items {
            rows += item.rows;
            bytes += item.json.len() + 1;
            let fits = rows <= config.rows_per_call && bytes <= config.call_bytes;
            match calls.last_mut() {
                Some(call) if fits && call.items.len() < config.max_groups => call.items.push(item),
                _full => {
                    (rows, bytes) = (item.rows, item.json.len() + 1);
                    calls.push(Batch { items: vec![item], stage });
                }
            }
        }
        calls
    }
}

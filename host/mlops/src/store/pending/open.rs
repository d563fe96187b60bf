//! The newest items, in memory.

use std::collections::{HashMap, HashSet};

use super::ByKey;
use super::filter::Filter;
use super::fold::Sorted;
use super::item::{self, Item, Known, Waiting};

/// The end of a chain.
const NONE: u32 = u32::MAX;

/// The newest items, in memory.
#[derive(Debug, Default)]
pub(crate) struct Open {
    records: HashSet<u128, ByKey>,
    slots: HashMap<u128, Slot, ByKey>,
    predictions: Vec<Chained>,
    actuals: Vec<Known>,
    /// Predictions whose outcome is not here.
    waiting: usize,
    /// The number of the last block whose items these are.
    pub(crate) last_block: i64,
    /// When the newest item was taken in, in microseconds since 1970.
    pub(crate) newest_us: i64,
}

/// Where the items of a key are.
#[derive(Clone, Copy, Debug)]
struct Slot {
    prediction: u32,
    actual: u32,
}

/// A prediction, and where the next one of the same key is.
#[derive(Debug)]
struct Chained {
    waiting: Waiting,
    next: u32,
}

impl Open {
    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len() + self.predictions.len() + self.actuals.len()
    }

    /// How many of the predictions wait for their outcome.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Remembers a record; false when it was here already.
    pub(crate) fn add_record(&mut self, key: u128) -> bool {
        self.records.insert(key)
    }

    /// Whether a record was seen.
    pub(crate) fn has_record(&self, key: u128) -> bool {
        self.records.contains(&key)
    }

    /// Remembers a prediction.
    pub(crate) fn add_prediction(&mut self, key: u128, waiting: Waiting) {
        let at = self.predictions.len() as u32;
        let slot = self.slots.entry(key).or_insert(Slot { prediction: NONE, actual: NONE });
        self.predictions.push(Chained { waiting, next: slot.prediction });
        slot.prediction = at;
        self.waiting += usize::from(slot.actual == NONE);
    }

    /// Remembers an outcome, in the place of the one that is here.
    pub(crate) fn set_actual(&mut self, key: u128, known: Known) {
        let slot = self.slots.entry(key).or_insert(Slot { prediction: NONE, actual: NONE });
        match self.actuals.get_mut(slot.actual as usize) {
            Some(old) => *old = known,
            None => {
                slot.actual = self.actuals.len() as u32;
                self.actuals.push(known);
                self.waiting -= self.predictions(key).count();
            }
        }
    }

    /// The outcome of a key.
    pub(crate) fn actual(&self, key: u128) -> Option<Known> {
        self.actuals.get(self.slots.get(&key)?.actual as usize).copied()
    }

    /// The predictions of a key.
    pub(crate) fn predictions(&self, key: u128) -> impl Iterator<Item = &Waiting> {
        let first = self.slots.get(&key).map_or(NONE, |slot| slot.prediction);
        let start = self.predictions.get(first as usize);
        let next = |one: &&Chained| self.predictions.get(one.next as usize);
        std::iter::successors(start, next).map(|one| &one.waiting)
    }

    /// Takes an item in, as it was read from a block.
    pub(crate) fn add(&mut self, key: u128, item: Item) {
        match item {
            Item::Record => drop(self.add_record(key)),
            Item::Prediction(waiting) => self.add_prediction(key, waiting),
            Item::Actual(known) => self.set_actual(key, known),
        }
    }

    /// All of it in the order of the keys, for a fold with about so many in a shard. Takes a moment: not for the writer's own thread.
    pub(crate) fn sorted(&self, shard_items: usize) -> Sorted {
        let mut records: Vec<u128> = self.records.iter().copied().collect();
        records.sort_unstable();
        let mut slots: Vec<(u128, Slot)> = self.slots.iter().map(|(key, at)| (*key, *at)).collect();
        slots.sort_unstable_by_key(|(key, _)| *key);
        let shards = (self.len() / shard_items.max(1)).max(1).next_power_of_two();
        let mut sorted = Sorted {
            shards: Vec::with_capacity(shards),
            bits: shards.trailing_zeros(),
            records: Filter::new(records.len()),
            predictions: Filter::new(self.predictions.len()),
            actuals: Filter::new(self.actuals.len()),
            last_block: self.last_block,
            newest_us: self.newest_us,
        };
        let (mut records, mut slots) =
            (records.into_iter().peekable(), slots.into_iter().peekable());
        for shard in 0..shards {
            let mut bytes = Vec::new();
            while let Some(key) = records.next_if(|key| sorted.shard(*key) == shard) {
                item::write_record(&mut bytes, key);
                sorted.records.add(key);
            }
            while let Some((key, slot)) = slots.next_if(|(key, _)| sorted.shard(*key) == shard) {
                for waiting in self.predictions(key) {
                    let Waiting { group, hour, values } = waiting;
                    item::write_prediction(&mut bytes, key, *group, *hour, values.as_slice());
                    sorted.predictions.add(key);
                }
                if let Some(known) = self.actuals.get(slot.actual as usize) {
                    item::write_actual(&mut bytes, key, *known);
                    sorted.actuals.add(key);
                }
            }
            sorted.shards.push(bytes);
        }
        sorted
    }
}

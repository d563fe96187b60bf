//! What is stored of the keys of some calls: looked up in the folds before the calls are taken.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::{AnyConnection, Row as _};

use super::super::work::{NO_KEY, Records, What};
use super::memory::Memory;
use super::{Taken, WriteError};
use crate::store::pending::ByKey;
use crate::store::pending::item::{Item, Items, Known, Waiting};

/// From one shard in so many on, all between the first and the last are read in one go.
const DENSE: usize = 8;
/// Shards that are read in one go.
const SHARDS_A_READ: i64 = 256;

/// What the folds have of some keys.
#[derive(Debug, Default)]
pub(super) struct Found {
    records: HashSet<u128, ByKey>,
    outcomes: HashMap<u128, Outcomes, ByKey>,
}

/// Of an association id.
#[derive(Debug, Default)]
struct Outcomes {
    predictions: Vec<Waiting>,
    /// With the number of its fold: the newest counts.
    actual: Option<(i64, Known)>,
}

impl Found {
    /// Whether a record is in a fold.
    pub(super) fn has_record(&self, key: u128) -> bool {
        self.records.contains(&key)
    }
    /// An outcome in the folds.
    pub(super) fn actual(&self, key: u128) -> Option<Known> {
        self.outcomes.get(&key)?.actual.map(|(_, known)| known)
    }
    /// The predictions in the folds.
    pub(super) fn predictions(&self, key: u128) -> &[Waiting] {
        self.outcomes.get(&key).map_or(&[], |outcomes| &outcomes.predictions)
    }
    /// There are no outcomes in it.
    pub(super) fn has_no_outcomes(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// Looks up the keys of some calls.
    pub(super) async fn look(
        db: &mut AnyConnection,
        memory: &Memory,
        batch: &[Taken],
    ) -> Result<Self, WriteError> {
        let mut keys = HashSet::with_hasher(ByKey::default());
        let mut shards: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        if !memory.folds.is_empty() {
            for taken in batch {
                want(memory, taken, &mut keys, &mut shards);
            }
        }
        let mut found = Self::default();
        for (fold, shards) in shards {
            for (first, last) in ranges(&shards) {
                let rows = sqlx::query(
                    "SELECT body FROM pending WHERE fold = $1 AND shard BETWEEN $2 AND $3",
                );
                let rows = rows.bind(fold).bind(first).bind(last).fetch_all(&mut *db).await?;
                for row in rows {
                    let body: &[u8] = row.try_get(0)?;
                    for item in Items::of(body) {
                        let (key, item) = item?;
                        if keys.contains(&key) {
                            found.add(fold, key, item);
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    fn add(&mut self, fold: i64, key: u128, item: Item) {
        match item {
            Item::Record => drop(self.records.insert(key)),
            Item::Prediction(waiting) => {
                self.outcomes.entry(key).or_default().predictions.push(waiting);
            }
            Item::Actual(known) => {
                let actual = &mut self.outcomes.entry(key).or_default().actual;
                if actual.is_none_or(|(there, _)| there < fold) {
                    *actual = Some((fold, known));
                }
            }
        }
    }
}

/// The shards that may have something of a call.
fn want(
    memory: &Memory,
    taken: &Taken,
    keys: &mut HashSet<u128, ByKey>,
    shards: &mut BTreeMap<i64, BTreeSet<i64>>,
) {
    let work = &taken.work;
    let mut look = |key: u128, may_have: &dyn Fn(&crate::store::pending::fold::Fold) -> bool| {
        for fold in memory.folds.iter().filter(|fold| may_have(fold)) {
            keys.insert(key);
            shards.entry(fold.id).or_default().insert(fold.shard(key));
        }
    };
    for entry in &work.entries {
        let records = match &entry.records {
            Records::None => &[],
            Records::One(key) => std::slice::from_ref(key),
            Records::Many(many) => {
                for (key, _) in many {
                    look(*key, &|fold| fold.records.may_have(*key));
                }
                &[]
            }
        };
        for key in records {
            look(*key, &|fold| fold.records.may_have(*key));
        }
        match &entry.what {
            What::Rows(rows) => {
                let keys = rows.keys.map_or(&[][..], |first| &work.keys[first..first + rows.rows]);
                if memory.actuals_folded {
                    for key in keys.iter().filter(|key| **key != NO_KEY) {
                        look(*key, &|fold| fold.actuals.may_have(*key));
                    }
                }
            }
            What::Actual { key, .. } => {
                look(*key, &|fold| fold.predictions.may_have(*key) || fold.actuals.may_have(*key));
            }
            _other => {}
        }
    }
}

/// Shards as ranges: each alone where they are few, all between where they are many.
fn ranges(shards: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let (Some(first), Some(last)) = (shards.first().copied(), shards.last().copied()) else {
        return Vec::new();
    };
    if shards.len() * DENSE < (last - first) as usize {
        return shards.iter().map(|shard| (*shard, *shard)).collect();
    }
    (first..=last)
        .step_by(SHARDS_A_READ as usize)
        .map(|start| (start, (start + SHARDS_A_READ - 1).min(last)))
        .collect()
}

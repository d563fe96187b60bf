//! What the writer holds in memory; all of it can be read anew from what is stored.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{AnyConnection, Row as _};

use super::super::Settings;
use super::super::counts::Held;
use super::WriteError;
use super::folding::Folding;
use super::writes::Writes;
use crate::rollup::{GroupKey, Rollup, Shape};
use crate::store::Cache;
use crate::store::pending::filter::Filter;
use crate::store::pending::fold::Fold;
use crate::store::pending::item::Items;
use crate::store::pending::open::Open;

/// A group's number, and an hour.
pub(super) type Cell = (u32, u32);

/// What the writer holds in memory.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Memory {
    /// The newest items.
    pub(in crate::ingest) open: Open,
    /// Items that are being folded.
    pub(super) frozen: Option<Arc<Open>>,
    pub(super) folding: Folding,
    pub(super) folds: Vec<Fold>,
    /// Whether any fold has an outcome.
    pub(super) actuals_folded: bool,
    pub(super) next_block: i64,
    pub(super) next_fold: i64,
    pub(super) groups: HashMap<Arc<GroupKey>, u32>,
    /// The groups by number.
    pub(super) keys: HashMap<u32, Arc<GroupKey>>,
    pub(super) next_group: u32,
    /// Rollups of hours that were written lately.
    pub(super) rollups: HashMap<Cell, Cached, foldhash::fast::FixedState>,
    /// The first hour whose statistics are kept.
    pub(super) horizon: u32,
    /// Rows of the hour, where there is a limit.
    pub(super) limits: HashMap<String, (u32, u64)>,
}

/// A rollup in memory.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) rollup: Rollup,
    /// It is not yet stored as it is.
    pub(super) changed: bool,
}

impl Memory {
    /// Reads what is stored, and sweeps away what a crash left behind.
    pub(in crate::ingest) async fn load(db: &mut AnyConnection) -> Result<Self, WriteError> {
        let mut memory = Self::default();
        // A fold that is not done: its blocks are still there. Shards without a fold: of one that was being deleted.
        for sweep in [
            "DELETE FROM folds WHERE done = 0",
            "DELETE FROM pending WHERE fold NOT IN (SELECT id FROM folds)",
        ] {
            let swept = sqlx::query(sweep).execute(&mut *db).await?.rows_affected();
            if swept > 0 {
                tracing::info!(swept, "swept away what a fold left behind");
            }
        }
        let folds = sqlx::query(
            "SELECT id, bits, newest_us, records, predictions, actuals FROM folds ORDER BY id",
        );
        for row in folds.fetch_all(&mut *db).await? {
            let filter = |at: usize| -> Result<Filter, WriteError> {
                Filter::from_bytes(row.try_get(at)?).ok_or(WriteError::Row("folds"))
            };
            memory.folds.push(Fold {
                id: row.try_get(0)?,
                bits: row.try_get::<i64, _>(1)? as u32,
                newest_us: row.try_get(2)?,
                records: filter(3)?,
                predictions: filter(4)?,
                actuals: filter(5)?,
            });
        }
        memory.next_fold = memory.folds.last().map_or(0, |fold| fold.id + 1);
        memory.note_actuals();
        let blocks = sqlx::query("SELECT id, taken_us, body FROM blocks ORDER BY id");
        for row in blocks.fetch_all(&mut *db).await? {
            let open = &mut memory.open;
            open.last_block = row.try_get(0)?;
            open.newest_us = open.newest_us.max(row.try_get(1)?);
            for item in Items::of(row.try_get(2)?) {
                let (key, item) = item?;
                open.add(key, item);
            }
        }
        memory.next_block = memory.open.last_block + 1;
        for row in sqlx::query("SELECT id, body FROM groups").fetch_all(&mut *db).await? {
            let id = row.try_get::<i64, _>(0)? as u32;
            let key: Result<GroupKey, _> = serde_json::from_str(row.try_get(1)?);
            let key = Arc::new(key.map_err(|_| WriteError::Row("groups"))?);
            memory.keys.insert(id, Arc::clone(&key));
            memory.groups.insert(key, id);
            memory.next_group = memory.next_group.max(id + 1);
        }
        let horizon = sqlx::query("SELECT hour FROM horizon").fetch_optional(&mut *db).await?;
        memory.horizon = horizon.map_or(Ok(0), |row| row.try_get::<i64, _>(0))? as u32;
        let limits = sqlx::query("SELECT deployment_id, hour, row_count FROM limits");
        for row in limits.fetch_all(&mut *db).await? {
            let rows = row.try_get::<i64, _>(2)? as u64;
            memory.limits.insert(row.try_get(0)?, (row.try_get::<i64, _>(1)? as u32, rows));
        }
        Ok(memory)
    }

    /// What is held, for those who watch.
    pub(in crate::ingest) fn held(&self) -> Held {
        let open = |of: fn(&Open) -> usize| {
            let frozen = self.frozen.as_ref().map_or(0, |frozen| of(frozen));
            (of(&self.open) + frozen) as u64
        };
        Held {
            rollups: self.rollups.len() as u64,
            items: open(Open::len),
            waiting: open(Open::waiting),
            folds: self.folds.len() as u64,
        }
    }

    pub(super) fn note_actuals(&mut self) {
        let empty = Filter::new(0);
        self.actuals_folded = self.folds.iter().any(|fold| fold.actuals != empty);
    }

    /// Reads a rollup unless it is here; whether there is one now.
    pub(super) async fn fetch(
        &mut self,
        db: &mut AnyConnection,
        cell: Cell,
        shape: Option<&Shape>,
    ) -> Result<bool, WriteError> {
        if self.rollups.contains_key(&cell) {
            return Ok(true);
        }
        let stored = sqlx::query("SELECT body FROM rollups WHERE group_id = $1 AND hour = $2")
            .bind(i64::from(cell.0))
            .bind(i64::from(cell.1))
            .fetch_optional(db)
            .await?;
        let rollup = match (stored, shape) {
            (Some(row), _) => Rollup::from_bytes(row.try_get(0)?)?,
            (None, Some(shape)) => Rollup::new(shape),
            (None, None) => return Ok(false),
        };
        self.rollups.insert(cell, Cached { rollup, changed: false });
        Ok(true)
    }

    /// A rollup that was fetched, to change it.
    pub(super) fn rollup(&mut self, cell: Cell) -> Option<&mut Rollup> {
        let cached = self.rollups.get_mut(&cell)?;
        cached.changed = true;
        Some(&mut cached.rollup)
    }

    /// Puts what has changed into a commit.
    pub(super) fn finish(&mut self, writes: &mut Writes) -> Result<(), WriteError> {
        for (cell, cached) in self.rollups.iter().filter(|(_, cached)| cached.changed) {
            writes.rollups.push((*cell, cached.rollup.bytes()?));
        }
        // In the order of the tables, so that neighbours are written together.
        writes.rollups.sort_unstable_by_key(|(cell, _)| *cell);
        if !writes.block.is_empty() {
            writes.block_id = self.next_block;
        }
        Ok(())
    }

    /// After a commit.
    pub(super) fn committed(&mut self, writes: &Writes, settings: &Settings, cache: &Cache) {
        if !writes.block.is_empty() {
            self.open.last_block = writes.block_id;
            self.open.newest_us = self.open.newest_us.max(writes.taken_us);
            self.next_block = writes.block_id + 1;
        }
        for (cell, _) in &writes.rollups {
            if let (Some(key), Some(cached)) = (self.keys.get(&cell.0), self.rollups.get(cell)) {
                cache.written(cell.0, key, i64::from(cell.1), &cached.rollup);
            }
        }
        if self.rollups.len() > settings.cached_rollups {
            self.rollups.retain(|_, cached| cached.changed);
        }
        if !writes.rollups.is_empty() {
            self.rollups.values_mut().for_each(|cached| cached.changed = false);
        }
        if let Some(fold) = writes.fold.as_ref().and_then(|step| self.folding.committed(step)) {
            self.folds.push(fold);
            self.frozen = None;
            self.note_actuals();
        }
    }

    /// Makes the newest items ones that are being folded.
    pub(super) fn freeze(&mut self, shard_items: usize) {
        let frozen = Arc::new(std::mem::take(&mut self.open));
        self.open.last_block = frozen.last_block;
        let id = self.next_fold;
        self.next_fold += 1;
        let items = Arc::clone(&frozen);
        self.folding =
            Folding::Sorting(id, tokio::task::spawn_blocking(move || items.sorted(shard_items)));
        self.frozen = Some(frozen);
    }
}

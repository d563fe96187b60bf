//! Deleting what is too old, a day or some hundred shards at a time, so that no call waits long.

use sqlx::Row as _;

use super::Writer;
use crate::rollup::HOUR_US;
use crate::store::{Retention, StoreError};

/// Hours of rollups that are deleted in one transaction.
const HOURS_A_STEP: i64 = 24;
/// Shards of a fold that are deleted in one.
const SHARDS_A_STEP: i64 = 512;

impl Writer {
    /// Deletes what is older than is kept.
    pub(super) async fn retain(&mut self, now_us: i64, keep: Retention) -> Result<(), StoreError> {
        let before = |days: u32| now_us.saturating_sub(i64::from(days) * 24 * HOUR_US);
        self.rollups_before(before(keep.statistics_days)).await?;
        self.folds_before(before(keep.pending_days)).await?;
        let db = self.lock.connection();
        for old in [
            "DELETE FROM metric_values WHERE at_us < $1",
            "DELETE FROM events WHERE at_us < $1",
            "DELETE FROM batches WHERE last_us < $1",
        ] {
            sqlx::query(old).bind(before(keep.statistics_days)).execute(&mut *db).await?;
        }
        Ok(())
    }

    async fn rollups_before(&mut self, before_us: i64) -> Result<(), StoreError> {
        let horizon = before_us.div_euclid(HOUR_US);
        let db = self.lock.connection();
        // First: from here on no actual changes an hour that may be gone.
        sqlx::query(
            "INSERT INTO horizon (id, hour) VALUES (0, $1) ON CONFLICT (id) DO UPDATE SET hour = excluded.hour",
        )
        .bind(horizon)
        .execute(&mut *db)
        .await?;
        self.memory.horizon = u32::try_from(horizon).unwrap_or(0);
        self.memory.rollups.retain(|cell, _| i64::from(cell.1) >= horizon);
        loop {
            let first: Option<i64> = sqlx::query("SELECT MIN(hour) FROM rollups WHERE hour < $1")
                .bind(horizon)
                .fetch_one(&mut *db)
                .await?
                .try_get(0)?;
            let Some(first) = first else {
                self.store.cache().clear();
                return Ok(());
            };
            sqlx::query("DELETE FROM rollups WHERE hour < $1")
                .bind(horizon.min(first + HOURS_A_STEP))
                .execute(&mut *db)
                .await?;
        }
    }

    async fn folds_before(&mut self, before_us: i64) -> Result<(), StoreError> {
        let db = self.lock.connection();
        while let Some(at) = self.memory.folds.iter().position(|fold| fold.newest_us < before_us) {
            let fold = self.memory.folds.remove(at);
            // A fold without its row is swept at the start, should the process end in between.
            sqlx::query("DELETE FROM folds WHERE id = $1").bind(fold.id).execute(&mut *db).await?;
            for first in (0..1_i64 << fold.bits).step_by(SHARDS_A_STEP as usize) {
                sqlx::query("DELETE FROM pending WHERE fold = $1 AND shard >= $2 AND shard < $3")
                    .bind(fold.id)
                    .bind(first)
                    .bind(first + SHARDS_A_STEP)
                    .execute(&mut *db)
                    .await?;
            }
        }
        self.memory.note_actuals();
        Ok(())
    }
}

//! Reading what ingest stored.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row as _;

use super::cache::Hour;
use super::{Store, StoreError};
use crate::rollup::{GroupKey, HOUR_US, Rollup};

impl Store {
    /// What a deployment's groups came to in the hours that have a part of `from_us..to_us`, in the order of the
    /// hours: group, start of the hour in microseconds, rollup.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn rollups(
        &self,
        deployment: &str,
        from_us: i64,
        to_us: i64,
    ) -> Result<Vec<Hour>, StoreError> {
        let from = from_us.div_euclid(HOUR_US);
        let to = to_us.saturating_sub(1).div_euclid(HOUR_US);
        let hours = match self.cache.look(deployment, from, to) {
            Some(hours) => hours,
            None => {
                let read = self.read_rollups(deployment, from).await?;
                self.cache.fill(deployment, from, read.clone());
                read.into_iter().map(|(_, hour)| hour).filter(|hour| hour.1 <= to).collect()
            }
        };
        Ok(hours.into_iter().map(|(key, hour, rollup)| (key, hour * HOUR_US, rollup)).collect())
    }

    /// Rollups from an hour on, with the numbers of their groups.
    async fn read_rollups(
        &self,
        deployment: &str,
        from: i64,
    ) -> Result<Vec<(u32, Hour)>, StoreError> {
        let groups =
            sqlx::query("SELECT id, body FROM groups WHERE deployment_id = $1 ORDER BY id")
                .bind(deployment)
                .fetch_all(self.pool())
                .await?;
        let mut read = Vec::new();
        for group in groups {
            let key: GroupKey = serde_json::from_str(group.try_get(1)?)
                .map_err(|_| StoreError::Damaged("a row of groups"))?;
            let key = Arc::new(key);
            let id: i64 = group.try_get(0)?;
            let rows =
                sqlx::query("SELECT hour, body FROM rollups WHERE group_id = $1 AND hour >= $2");
            for row in rows.bind(id).bind(from).fetch_all(self.pool()).await? {
                let rollup = Rollup::from_bytes(row.try_get(1)?)
                    .map_err(|_| StoreError::Damaged("a rollup"))?;
                read.push((id as u32, (Arc::clone(&key), row.try_get(0)?, Arc::new(rollup))));
            }
        }
        read.sort_by_key(|(group, (_, hour, _))| (*hour, *group));
        Ok(read)
    }

    /// What was not taken, the most frequent first.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn refusals(&self, deployment: &str) -> Result<Vec<Refusal>, StoreError> {
        let rows = sqlx::query(
            "SELECT kind, field, reason, entries, last_record, last_us FROM refusals \
             WHERE deployment_id = $1 ORDER BY entries DESC, kind, field, reason",
        );
        let rows = rows.bind(deployment).fetch_all(self.pool()).await?;
        let refusal = |row: sqlx::any::AnyRow| {
            let last_record: String = row.try_get(4)?;
            Ok(Refusal {
                kind: row.try_get(0)?,
                field: row.try_get(1)?,
                reason: row.try_get(2)?,
                entries: row.try_get(3)?,
                last_record: Some(last_record).filter(|id| !id.is_empty()),
                last_us: row.try_get(5)?,
            })
        };
        rows.into_iter().map(refusal).collect()
    }

    /// Clocks that are wrong, by gateway.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn skew(&self, deployment: &str) -> Result<Vec<ClockSkew>, StoreError> {
        let rows = sqlx::query(
            "SELECT gateway, entries, unreadable, ahead_us, behind_us, last_us FROM skew \
             WHERE deployment_id = $1 ORDER BY gateway",
        );
        let rows = rows.bind(deployment).fetch_all(self.pool()).await?;
        let skew = |row: sqlx::any::AnyRow| {
            let gateway: String = row.try_get(0)?;
            Ok(ClockSkew {
                gateway: Some(gateway).filter(|gateway| !gateway.is_empty()),
                entries: row.try_get(1)?,
                unreadable: row.try_get(2)?,
                ahead_us: row.try_get(3)?,
                behind_us: row.try_get(4)?,
                last_us: row.try_get(5)?,
            })
        };
        rows.into_iter().map(skew).collect()
    }

    /// What batches came to, the newest first.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn batches(&self, deployment: &str) -> Result<Vec<BatchCounts>, StoreError> {
        let rows = sqlx::query(
            "SELECT batch_id, requests, predictions, row_count, first_us, last_us, user_errors, \
             system_errors, prediction_sum, prediction_count FROM batches WHERE deployment_id = $1 ORDER BY last_us DESC, batch_id",
        );
        let rows = rows.bind(deployment).fetch_all(self.pool()).await?;
        let batch = |row: sqlx::any::AnyRow| {
            Ok(BatchCounts {
                batch_id: row.try_get(0)?,
                requests: row.try_get(1)?,
                predictions: row.try_get(2)?,
                rows: row.try_get(3)?,
                first_us: row.try_get(4)?,
                last_us: row.try_get(5)?,
                user_errors: row.try_get(6)?,
                system_errors: row.try_get(7)?,
                prediction_sum: row.try_get(8)?,
                prediction_count: row.try_get(9)?,
            })
        };
        rows.into_iter().map(batch).collect()
    }
}

/// Entries that were not taken for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The call, as its path has it: `predictionInputs`, ...
    pub kind: String,
    /// The field that is wrong; `#` stands for a number.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
    /// How many entries.
    pub entries: i64,
    /// The message of the newest one, where it had an id.
    pub last_record: Option<String>,
    /// When it was received, in microseconds since 1970.
    pub last_us: i64,
}

/// What is wrong with a gateway's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClockSkew {
    /// The gateway, where its records name it.
    pub gateway: Option<String>,
    /// Entries with a time that cannot be read, or is further off than is tolerated.
    pub entries: i64,
    /// Of them, those that cannot be read.
    pub unreadable: i64,
    /// The furthest ahead, in microseconds.
    pub ahead_us: i64,
    /// The furthest behind.
    pub behind_us: i64,
    /// When the newest was received, in microseconds since 1970.
    pub last_us: i64,
}

/// What a batch came to.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchCounts {
    /// Its id.
    pub batch_id: String,
    /// Requests.
    pub requests: i64,
    /// Predictions that the requests got.
    pub predictions: i64,
    /// Requests that failed, and the caller was to blame.
    pub user_errors: i64,
    /// Requests that failed, and the model or what runs it was to blame.
    pub system_errors: i64,
    /// Rows with their predictions.
    pub rows: i64,
    /// What their predictions add up to: of the number, or of the positive class's probability (the last one's of several).
    pub prediction_sum: f64,
    /// How many predictions are in it.
    pub prediction_count: i64,
    /// When its first record happened, in microseconds since 1970.
    pub first_us: i64,
    /// When its last one did.
    pub last_us: i64,
}

//! One transaction: all of it, or nothing.

use sqlx::{AnyConnection, Connection as _};

use super::folding::Step;
use super::writes::Writes;

/// Stores what some calls came to.
pub(super) async fn commit(db: &mut AnyConnection, writes: &Writes) -> Result<(), sqlx::Error> {
    let mut transaction = db.begin().await?;
    let db = &mut *transaction;
    for (id, deployment, body) in &writes.groups {
        sqlx::query("INSERT INTO groups (id, deployment_id, body) VALUES ($1, $2, $3)")
            .bind(i64::from(*id))
            .bind(deployment)
            .bind(body)
            .execute(&mut *db)
            .await?;
    }
    for ((group, hour), body) in &writes.rollups {
        sqlx::query(
            "INSERT INTO rollups (group_id, hour, body) VALUES ($1, $2, $3) \
             ON CONFLICT (group_id, hour) DO UPDATE SET body = excluded.body",
        )
        .bind(i64::from(*group))
        .bind(i64::from(*hour))
        .bind(&**body)
        .execute(&mut *db)
        .await?;
    }
    if !writes.block.is_empty() {
        sqlx::query("INSERT INTO blocks (id, taken_us, body) VALUES ($1, $2, $3)")
            .bind(writes.block_id)
            .bind(writes.taken_us)
            .bind(&*writes.block)
            .execute(&mut *db)
            .await?;
    }
    if let Some(step) = &writes.fold {
        fold(db, step).await?;
    }
    notes(db, writes).await?;
    for (deployment, (hour, rows)) in &writes.limits {
        sqlx::query(
            "INSERT INTO limits (deployment_id, hour, row_count) VALUES ($1, $2, $3) \
             ON CONFLICT (deployment_id) DO UPDATE SET hour = excluded.hour, row_count = excluded.row_count",
        )
        .bind(deployment)
        .bind(i64::from(*hour))
        .bind(i64::try_from(*rows).unwrap_or(i64::MAX))
        .execute(&mut *db)
        .await?;
    }
    for (deployment, metric, model, at_us, value) in &writes.metrics {
        sqlx::query(
            "INSERT INTO metric_values (deployment_id, metric_id, model_id, at_us, value) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(deployment)
        .bind(metric)
        .bind(model)
        .bind(*at_us)
        .bind(*value)
        .execute(&mut *db)
        .await?;
    }
    transaction.commit().await
}

/// A step of a fold.
async fn fold(db: &mut AnyConnection, step: &Step) -> Result<(), sqlx::Error> {
    if let Some(start) = &step.start {
        sqlx::query(
            "INSERT INTO folds (id, done, bits, newest_us, records, predictions, actuals) \
             VALUES ($1, 0, $2, $3, $4, $5, $6)",
        )
        .bind(step.fold)
        .bind(start.bits)
        .bind(start.newest_us)
        .bind(&*start.records)
        .bind(&*start.predictions)
        .bind(&*start.actuals)
        .execute(&mut *db)
        .await?;
    }
    for (shard, body) in &step.shards {
        sqlx::query("INSERT INTO pending (fold, shard, body) VALUES ($1, $2, $3)")
            .bind(step.fold)
            .bind(*shard)
            .bind(&**body)
            .execute(&mut *db)
            .await?;
    }
    if let Some(last_block) = step.end {
        sqlx::query("UPDATE folds SET done = 1 WHERE id = $1")
            .bind(step.fold)
            .execute(&mut *db)
            .await?;
        sqlx::query("DELETE FROM blocks WHERE id <= $1").bind(last_block).execute(&mut *db).await?;
    }
    Ok(())
}

/// What is counted beside the rollups.
async fn notes(db: &mut AnyConnection, writes: &Writes) -> Result<(), sqlx::Error> {
    for ([deployment, kind, field, reason], noted) in &writes.refusals {
        sqlx::query(
            "INSERT INTO refusals (deployment_id, kind, field, reason, entries, last_record, last_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (deployment_id, kind, field, reason) DO UPDATE SET \
             entries = refusals.entries + excluded.entries, \
             last_record = excluded.last_record, last_us = excluded.last_us",
        )
        .bind(deployment)
        .bind(kind)
        .bind(field)
        .bind(reason)
        .bind(noted.entries)
        .bind(&noted.last_record)
        .bind(noted.last_us)
        .execute(&mut *db)
        .await?;
    }
    for ([deployment, gateway], skew) in &writes.skews {
        sqlx::query(
            "INSERT INTO skew (deployment_id, gateway, entries, unreadable, ahead_us, behind_us, last_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (deployment_id, gateway) DO UPDATE SET \
             entries = skew.entries + excluded.entries, \
             unreadable = skew.unreadable + excluded.unreadable, \
             ahead_us = CASE WHEN skew.ahead_us > excluded.ahead_us THEN skew.ahead_us ELSE excluded.ahead_us END, \
             behind_us = CASE WHEN skew.behind_us > excluded.behind_us THEN skew.behind_us ELSE excluded.behind_us END, \
             last_us = excluded.last_us",
        )
        .bind(deployment)
        .bind(gateway)
        .bind(skew.entries)
        .bind(skew.unreadable)
        .bind(skew.ahead_us)
        .bind(skew.behind_us)
        .bind(skew.last_us)
        .execute(&mut *db)
        .await?;
    }
    for ([deployment, id], batch) in &writes.batches {
        sqlx::query(
            "INSERT INTO batches (deployment_id, batch_id, requests, predictions, row_count, first_us, last_us, \
             user_errors, system_errors, prediction_sum, prediction_count) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (deployment_id, batch_id) DO UPDATE SET \
             requests = batches.requests + excluded.requests, \
             predictions = batches.predictions + excluded.predictions, \
             row_count = batches.row_count + excluded.row_count, \
             user_errors = batches.user_errors + excluded.user_errors, \
             system_errors = batches.system_errors + excluded.system_errors, \
             prediction_sum = batches.prediction_sum + excluded.prediction_sum, \
             prediction_count = batches.prediction_count + excluded.prediction_count, \
             first_us = CASE WHEN batches.first_us < excluded.first_us THEN batches.first_us ELSE excluded.first_us END, \
             last_us = CASE WHEN batches.last_us > excluded.last_us THEN batches.last_us ELSE excluded.last_us END",
        )
        .bind(deployment)
        .bind(id)
        .bind(batch.requests)
        .bind(batch.predictions)
        .bind(batch.rows)
        .bind(batch.first_us)
        .bind(batch.last_us)
        .bind(batch.user_errors)
        .bind(batch.system_errors)
        .bind(batch.prediction_sum)
        .bind(batch.prediction_count)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

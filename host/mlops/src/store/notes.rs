//! Events and values of metrics: few, and kept as they come.

use serde::Serialize;
use sqlx::Row as _;

use super::{Store, StoreError};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredEvent {
    /// Its id: an event with the same id is stored once.
    pub id: String,
    /// The deployment; empty for one of the whole.
    pub deployment_id: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// Its type.
    pub kind: String,
    /// The event as it came: JSON.
    pub body: String,
}

/// A value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricValue {
    /// The model; empty where the value is the deployment's.
    pub model_id: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// The value.
    pub value: f64,
}

/// What the values of a metric came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricSummary {
    /// How many there are.
    pub count: i64,
    /// Their sum.
    pub sum: f64,
    /// The smallest; none when there are none.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// The newest.
    pub last: Option<f64>,
}

impl Store {
    /// Stores an event; false when it was stored before.
    ///
    /// # Errors
    ///
    /// When it cannot be stored.
    pub async fn add_event(&self, event: &StoredEvent) -> Result<bool, StoreError> {
        let stored = sqlx::query(
            "INSERT INTO events (id, deployment_id, at_us, kind, body) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(&event.id)
        .bind(&event.deployment_id)
        .bind(event.at_us)
        .bind(&event.kind)
        .bind(&event.body)
        .execute(self.pool())
        .await?;
        Ok(stored.rows_affected() > 0)
    }

    /// The newest events of a deployment.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn events(
        &self,
        deployment: &str,
        most: i64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, deployment_id, at_us, kind, body FROM events WHERE deployment_id = $1 \
             ORDER BY at_us DESC, id LIMIT $2",
        );
        let rows = rows.bind(deployment).bind(most).fetch_all(self.pool()).await?;
        let event = |row: sqlx::any::AnyRow| {
            Ok(StoredEvent {
                id: row.try_get(0)?,
                deployment_id: row.try_get(1)?,
                at_us: row.try_get(2)?,
                kind: row.try_get(3)?,
                body: row.try_get(4)?,
            })
        };
        rows.into_iter().map(event).collect()
    }

    /// The values of a metric in `from_us..to_us`, in the order of time.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn metric_values(
        &self,
        deployment: &str,
        metric: &str,
        from_us: i64,
        to_us: i64,
    ) -> Result<Vec<MetricValue>, StoreError> {
        let rows = sqlx::query(
            "SELECT model_id, at_us, value FROM metric_values WHERE deployment_id = $1 \
             AND metric_id = $2 AND at_us >= $3 AND at_us < $4 ORDER BY at_us",
        );
        let rows = rows.bind(deployment).bind(metric).bind(from_us).bind(to_us);
        let value = |row: sqlx::any::AnyRow| {
            let (model_id, at_us) = (row.try_get(0)?, row.try_get(1)?);
            Ok(MetricValue { model_id, at_us, value: row.try_get(2)? })
        };
        rows.fetch_all(self.pool()).await?.into_iter().map(value).collect()
    }

    /// What the values of a metric in `from_us..to_us` came to, of one model or of all.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn metric_summary(
        &self,
        deployment: &str,
        metric: &str,
        model: Option<&str>,
        from_us: i64,
        to_us: i64,
    ) -> Result<MetricSummary, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*), COALESCE(SUM(value), 0.0), MIN(value), MAX(value) FROM metric_values \
             WHERE deployment_id = $1 AND metric_id = $2 AND at_us >= $3 AND at_us < $4 \
             AND ($5 = '' OR model_id = $5)",
        );
        let model = model.unwrap_or_default();
        let row = row.bind(deployment).bind(metric).bind(from_us).bind(to_us).bind(model);
        let row = row.fetch_one(self.pool()).await?;
        let last = sqlx::query(
            "SELECT value FROM metric_values \
             WHERE deployment_id = $1 AND metric_id = $2 AND at_us >= $3 AND at_us < $4 \
             AND ($5 = '' OR model_id = $5) ORDER BY at_us DESC LIMIT 1",
        );
        let last = last.bind(deployment).bind(metric).bind(from_us).bind(to_us).bind(model);
        let last = last.fetch_optional(self.pool()).await?;
        Ok(MetricSummary {
            count: row.try_get(0)?,
            sum: row.try_get(1)?,
            min: row.try_get(2)?,
            max: row.try_get(3)?,
            last: last.map(|row| row.try_get(0)).transpose()?,
        })
    }

    /// The metrics that a deployment has values of.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn metric_ids(&self, deployment: &str) -> Result<Vec<String>, StoreError> {
        let read = "SELECT DISTINCT metric_id FROM metric_values WHERE deployment_id = $1 \
                    ORDER BY metric_id";
        let rows = sqlx::query(read).bind(deployment).fetch_all(self.pool()).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

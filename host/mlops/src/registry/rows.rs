//! What the registry's tables have in common: a body of JSON in a column.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Registry, RegistryError, new_id};
use crate::store::StoreError;

/// Something that a deployment has beside its package: a metric, or a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Its id.
    pub id: String,
    /// When it was made, microseconds since 1970.
    pub created_us: i64,
    /// What was said about it.
    pub body: Value,
}

/// The body in a column.
pub(super) fn body<T: DeserializeOwned>(
    row: &AnyRow,
    column: usize,
    what: &'static str,
) -> Result<T, StoreError> {
    serde_json::from_str(row.try_get(column)?).map_err(|_| StoreError::Damaged(what))
}

/// A body for a column.
pub(super) fn text(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("the registry's things have texts as keys")
}

/// The present time, microseconds since 1970.
pub(super) fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

impl Registry {
    /// Stores a definition of this kind, such as `metric` or `batch`, for a deployment.
    ///
    /// # Errors
    ///
    /// When there is no such deployment.
    pub async fn define(
        &self,
        deployment: &str,
        kind: &'static str,
        body: Value,
    ) -> Result<Definition, RegistryError> {
        self.deployment(deployment)?;
        let definition = Definition { id: new_id(), created_us: now_us(), body };
        let write = "INSERT INTO definitions (id, deployment_id, kind, created_us, body) \
                     VALUES ($1, $2, $3, $4, $5)";
        sqlx::query(write)
            .bind(&definition.id)
            .bind(deployment)
            .bind(kind)
            .bind(definition.created_us)
            .bind(text(&definition.body))
            .execute(self.store().pool())
            .await?;
        Ok(definition)
    }

    /// The definitions of a deployment, the oldest first.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn definitions(
        &self,
        deployment: &str,
        kind: &'static str,
    ) -> Result<Vec<Definition>, RegistryError> {
        let read = "SELECT id, created_us, body FROM definitions WHERE deployment_id = $1 \
                    AND kind = $2 ORDER BY created_us, id";
        let rows = sqlx::query(read).bind(deployment).bind(kind);
        let definition = |row: AnyRow| {
            let (id, created_us) = (row.try_get(0)?, row.try_get(1)?);
            Ok(Definition { id, created_us, body: body(&row, 2, "a definition")? })
        };
        rows.fetch_all(self.store().pool()).await?.into_iter().map(definition).collect()
    }

    /// A definition of a deployment.
    ///
    /// # Errors
    ///
    /// When there is no such deployment, or no such definition.
    pub async fn definition(
        &self,
        deployment: &str,
        kind: &'static str,
        id: &str,
    ) -> Result<Definition, RegistryError> {
        self.deployment(deployment)?;
        let all = self.definitions(deployment, kind).await?;
        let found = all.into_iter().find(|definition| definition.id == id);
        found.ok_or_else(|| RegistryError::missing(kind, id))
    }

    /// A definition, with the deployment that it belongs to.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn find_definition(
        &self,
        kind: &'static str,
        id: &str,
    ) -> Result<(String, Definition), RegistryError> {
        let read =
            "SELECT deployment_id, created_us, body FROM definitions WHERE id = $1 AND kind = $2";
        let row = sqlx::query(read).bind(id).bind(kind).fetch_optional(self.store().pool()).await?;
        let row = row.ok_or_else(|| RegistryError::missing(kind, id))?;
        let body = body(&row, 2, "a definition")?;
        let definition = Definition { id: id.to_owned(), created_us: row.try_get(1)?, body };
        Ok((row.try_get(0)?, definition))
    }

    /// Puts other words in the place of a definition's; false, and nothing is changed, when they are no longer those that
    /// the caller knows.
    ///
    /// # Errors
    ///
    /// When they cannot be stored.
    pub async fn redefine(
        &self,
        id: &str,
        known: &Value,
        body: &Value,
    ) -> Result<bool, RegistryError> {
        let changed = sqlx::query("UPDATE definitions SET body = $3 WHERE id = $1 AND body = $2")
            .bind(id)
            .bind(text(known))
            .bind(text(body))
            .execute(self.store().pool())
            .await?;
        Ok(changed.rows_affected() > 0)
    }
}

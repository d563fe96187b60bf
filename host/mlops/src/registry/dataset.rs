//! Files that clients upload: training data of external models, rows for jobs.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::rows::now_us;
use super::{Registry, RegistryError, new_id};
use crate::store::StoreError;

/// A file that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its id.
    pub id: String,
    /// Its name where it was.
    pub name: String,
    /// How long it is.
    pub bytes: i64,
    /// When it came, microseconds since 1970.
    pub created_us: i64,
}

impl Registry {
    /// Keeps a file, and gives its id.
    ///
    /// # Errors
    ///
    /// When it cannot be stored.
    pub async fn add_dataset(&self, name: &str, bytes: &[u8]) -> Result<String, RegistryError> {
        let id = new_id();
        sqlx::query(
            "INSERT INTO datasets (id, created_us, name, bytes, byte_count) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&id)
        .bind(now_us())
        .bind(name)
        .bind(bytes)
        .bind(i64::try_from(bytes.len()).unwrap_or(i64::MAX))
        .execute(self.store().pool())
        .await?;
        Ok(id)
    }

    /// All files that are here, the oldest first.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn datasets(&self) -> Result<Vec<Dataset>, StoreError> {
        let read = "SELECT id, name, byte_count, created_us FROM datasets WHERE deleted_us = 0 \
                    ORDER BY created_us, id";
        let rows = sqlx::query(read).fetch_all(self.store().pool()).await?;
        rows.iter().map(dataset).collect()
    }

    /// What is known of a file.
    ///
    /// # Errors
    ///
    /// When there is none, or it was deleted.
    pub async fn dataset(&self, id: &str) -> Result<Dataset, RegistryError> {
        let read =
            "SELECT id, name, byte_count, created_us, deleted_us FROM datasets WHERE id = $1";
        let row = sqlx::query(read).bind(id).fetch_optional(self.store().pool()).await?;
        let row = row.ok_or_else(|| RegistryError::missing("dataset", id))?;
        if row.try_get::<i64, _>(4)? != 0 {
            return Err(RegistryError::gone("dataset", id));
        }
        Ok(dataset(&row)?)
    }

    /// A file's bytes.
    ///
    /// # Errors
    ///
    /// When there is none, or it was deleted.
    pub async fn dataset_bytes(&self, id: &str) -> Result<Vec<u8>, RegistryError> {
        self.dataset(id).await?;
        let read = "SELECT bytes FROM datasets WHERE id = $1 AND deleted_us = 0";
        let row = sqlx::query(read).bind(id).fetch_optional(self.store().pool()).await?;
        let row = row.ok_or_else(|| RegistryError::gone("dataset", id))?;
        Ok(row.try_get(0)?)
    }

    /// Deletes a file. What was made of it stays.
    ///
    /// # Errors
    ///
    /// When there is none, or it was deleted before.
    pub async fn remove_dataset(&self, id: &str) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        self.dataset(id).await?;
        sqlx::query("UPDATE datasets SET deleted_us = $2, bytes = $3 WHERE id = $1")
            .bind(id)
            .bind(now_us())
            .bind(&[][..])
            .execute(self.store().pool())
            .await?;
        Ok(())
    }
}

fn dataset(row: &AnyRow) -> Result<Dataset, StoreError> {
    Ok(Dataset {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        bytes: row.try_get(2)?,
        created_us: row.try_get(3)?,
    })
}

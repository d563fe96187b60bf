//! A copy while the server runs, and what is kept how long.

use std::path::Path;

use super::{Kind, Store, StoreError};

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days of statistics, events, batches and values of metrics.
    pub statistics_days: u32,
    /// Days that a prediction waits for its actual, and a repeat of a record is known as one.
    pub pending_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { statistics_days: 400, pending_days: 90 }
    }
}

impl Store {
    /// Writes a copy of the database to a file that is not there yet, while the server runs. To restore it, start a
    /// server with that file.
    ///
    /// # Errors
    ///
    /// When the file is there or cannot be written, and for PostgreSQL, which has its own tools.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        if self.kind() == Kind::Postgres {
            return Err(StoreError::Backup("a PostgreSQL database is copied by `pg_dump`"));
        }
        if to.exists() {
            return Err(StoreError::Backup("the file is there already; name another"));
        }
        let Some(path) = to.to_str() else {
            return Err(StoreError::Backup("the path must be UTF-8"));
        };
        sqlx::query("VACUUM INTO $1").bind(path).execute(self.pool()).await?;
        Ok(())
    }
}

//! Only one server writes to a database: the lock that says so, and the connection that the writer has to itself.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection};

use super::super::answer::StartError;
use crate::store::{Kind, Store};

/// The number of our lock on a PostgreSQL server, where locks have numbers.
const ADVISORY: i64 = 0x6f75_7470_6f73_7401;

/// How often a PostgreSQL server is asked for the lock: it notices only after a moment that the last one who had it
/// is gone.
const TRIES: u32 = 20;
/// How long between two of these.
const TRY_TIME: Duration = Duration::from_millis(100);

/// The writer's connection, and the lock as long as it lives.
pub(crate) struct Lock {
    connection: PoolConnection<Any>,
    /// Beside the file of the database; let go when it is closed, however the process ends.
    file: Option<File>,
    kind: Kind,
}

impl Lock {
    pub(crate) async fn take(store: &Store) -> Result<Self, StartError> {
        let file = store.file().map(lock_file).transpose()?;
        let mut connection = store.pool().acquire().await?;
        if store.kind() == Kind::Postgres {
            advisory(&mut connection).await?;
        }
        Ok(Self { connection, file, kind: store.kind() })
    }

    /// Takes it again after a failure: the old connection may be dead, and its lock with it.
    pub(crate) async fn renew(&mut self, store: &Store) -> Result<(), StartError> {
        if self.kind == Kind::Postgres {
            // A transaction may be open on it.
            let fresh = store.pool().acquire().await?;
            let old = std::mem::replace(&mut self.connection, fresh);
            drop(old.close().await);
            advisory(&mut self.connection).await?;
        } else {
            drop(sqlx::query("ROLLBACK").execute(&mut *self.connection).await);
        }
        Ok(())
    }

    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    pub(crate) async fn release(mut self) {
        if self.kind == Kind::Postgres {
            // Closing would do it too, but only after a moment.
            let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(ADVISORY);
            drop(unlock.execute(&mut *self.connection).await);
        }
        drop(self.connection.close().await);
        drop(self.file);
    }
}

async fn advisory(connection: &mut AnyConnection) -> Result<(), StartError> {
    for _ in 0..TRIES {
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(ADVISORY)
            .fetch_one(&mut *connection)
            .await?;
        if taken {
            return Ok(());
        }
        tokio::time::sleep(TRY_TIME).await;
    }
    Err(StartError::Taken)
}

fn lock_file(database: &Path) -> Result<File, StartError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = name.to_string_lossy().into_owned();
    let failed = |source| StartError::Lock { path, source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::Taken),
        Err(TryLockError::Error(source)) => {
            Err(StartError::Lock { path: name.to_string_lossy().into_owned(), source })
        }
    }
}

//! The database: one SQLite file by default, PostgreSQL by one setting.
//!
//! Both are spoken to through one driver and one text of every statement: placeholders are `$1`, times are microseconds
//! since 1970 in `BIGINT`, everything that is not searched for is a `BLOB` or JSON in `TEXT`. Only what differs has two
//! forms: how a database is opened, and the type of a blob in a migration.

mod backup;
mod cache;
mod migrations;
mod notes;
pub(crate) mod pending;
mod rollups;

use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Executor as _};

pub use self::backup::Retention;
pub(crate) use self::cache::Cache;
pub use self::cache::Hour;
pub use self::notes::{MetricSummary, MetricValue, StoredEvent};
pub use self::rollups::{BatchCounts, ClockSkew, Refusal};

/// What a path keeps in a URL.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// Connections that read at the same time, by default.
const READERS: u32 = 8;
/// How long a connection is waited for.
const ACQUIRE_TIME: Duration = Duration::from_secs(10);
/// What every connection to SQLite is told. Rollups are blobs of kilobytes, which larger pages read faster; a commit is
/// on disk when it returns.
const PRAGMAS: &str = "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000; PRAGMA cache_size = -65536";

/// What kind of database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// The database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names none that is known here.
    #[error("the database {0:?} must be sqlite:<file> or postgres://user@host/name")]
    Address(String),
    /// It cannot be opened.
    #[error("open the {kind} database")]
    Open {
        /// Which kind.
        kind: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// Its tables cannot be brought to this version.
    #[error("bring the database to this version")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("use the database")]
    Statement(#[from] sqlx::Error),
    /// What is stored is not what was written.
    #[error("what is stored is damaged: {0}")]
    Damaged(&'static str),
    /// It cannot be copied so.
    #[error("copy the database: {0}")]
    Backup(&'static str),
}

/// The open database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    kind: Kind,
    file: Option<PathBuf>,
    cache: Cache,
}

impl Store {
    /// Opens `sqlite:<file>` (made when there is none) or `postgres://...`, and brings its tables to this version.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, or was made by a later version.
    pub async fn open(address: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let mut path = None;
        let (kind, url) = match address.split_once(':') {
            // Not a URL of the driver's: a path may have characters that mean something there.
            Some(("sqlite", file)) if !file.is_empty() => {
                path = Some(PathBuf::from(file));
                (Kind::Sqlite, format!("sqlite://{}?mode=rwc", utf8_percent_encode(file, PATH)))
            }
            Some(("postgres" | "postgresql", _)) => (Kind::Postgres, address.to_owned()),
            _ => return Err(StoreError::Address(without_password(address))),
        };
        let options = AnyPoolOptions::new().max_connections(READERS).acquire_timeout(ACQUIRE_TIME);
        let options = match kind {
            Kind::Sqlite => options.after_connect(|connection, _| {
                Box::pin(async move { connection.execute(PRAGMAS).await.map(drop) })
            }),
            Kind::Postgres => options,
        };
        let pool = options
            .connect(&url)
            .await
            .map_err(|source| StoreError::Open { kind: kind.name(), source })?;
        migrations::of(kind).run(&pool).await.map_err(StoreError::Migrate)?;
        Ok(Self { pool, kind, file: path, cache: Cache::default() })
    }

    /// Connections to it.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Rollups in memory.
    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// An address as it may be shown.
fn without_password(address: &str) -> String {
    match (address.find("://"), address.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => {
            format!("{}***{}", &address[..scheme + 3], &address[at..])
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_made_and_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", folder.path().join("a ? b.db").display());
        for _ in 0..2 {
            let store = Store::open(&address).await.unwrap();
            let size: i64 =
                sqlx::query_scalar("PRAGMA page_size").fetch_one(store.pool()).await.unwrap();
            assert_eq!((size, store.kind()), (16384, Kind::Sqlite));
            store.pool().close().await;
        }
    }

    #[tokio::test]
    async fn another_address_is_refused_and_no_password_shown() {
        let error = Store::open("mysql://root:secret@host/name").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the database \"mysql://***@host/name\" must be sqlite:<file> or postgres://user@host/name"
        );
    }
}

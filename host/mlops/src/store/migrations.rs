//! The tables, version after version. A version that was released never changes; a change is a new one.

use sqlx::AssertSqlSafe;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::Kind;

/// Number, name, text. `{blob}` stands for the type that bytes have.
const ALL: &[(i64, &str, &str)] = &[
    (1, "registry", include_str!("../../migrations/0001_registry.sql")),
    (2, "statistics", include_str!("../../migrations/0002_statistics.sql")),
    (3, "lists", include_str!("../../migrations/0003_lists.sql")),
];

/// All of them for this kind of database.
pub(super) fn of(kind: Kind) -> Migrator {
    let blob = match kind {
        Kind::Sqlite => "BLOB",
        Kind::Postgres => "BYTEA",
    };
    let migration = |&(version, name, text): &(i64, &'static str, &str)| {
        let text = AssertSqlSafe(text.replace("{blob}", blob)).into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    };
    Migrator::with_migrations(ALL.iter().map(migration).collect())
}

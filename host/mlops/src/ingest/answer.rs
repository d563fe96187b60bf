//! What a call is answered.

use schemars::JsonSchema;
use serde::Serialize;

use crate::store::StoreError;

/// What became of a call's entries. Those that are good are taken when others are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Accepted {
    /// `ok`; it says nothing of single entries.
    message: &'static str,
    /// Entries that were taken.
    pub accepted: usize,
    /// Entries that had been taken before.
    pub duplicates: usize,
    /// Entries that were not.
    pub refused: Vec<RefusedEntry>,
}

impl Default for Accepted {
    fn default() -> Self {
        Self { message: "ok", accepted: 0, duplicates: 0, refused: Vec::new() }
    }
}

/// An entry that was not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedEntry {
    /// Its place in `data`.
    pub index: usize,
    /// The message that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
    /// The field that is wrong.
    pub field: String,
    /// What is wrong with it, and what to do.
    pub reason: String,
    /// The messages of the entry that were taken before, where others were not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seen_record_ids: Vec<String>,
}

/// A call of which nothing was taken.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// The body is JSON, but not what the call takes.
    #[error("`{field}` {reason}")]
    Body {
        /// The field that is wrong.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More calls wait than are taken; another try later is good.
    #[error("too many calls wait to be stored; try again")]
    Busy,
    /// The database did not take it; another try later is good.
    #[error("the database did not take the call; try again")]
    Unavailable,
    /// Ingest was ended.
    #[error("the server is being ended; try again")]
    Closed,
}

/// Ingest cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another server has the database.
    #[error("another server writes to this database; only one may")]
    Taken,
    /// The lock file cannot be made.
    #[error("make the lock file {path}")]
    Lock {
        /// Which.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The database did not give what is needed.
    #[error("read what was stored")]
    Store(#[from] StoreError),
    /// What is stored is not what was written.
    #[error("what is stored is damaged: {0}")]
    Damaged(String),
}

impl From<sqlx::Error> for StartError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

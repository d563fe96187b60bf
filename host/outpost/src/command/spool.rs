//! `outpost spool`: an outbox from outside. What only looks works while a gateway runs; what changes something needs the
//! outbox for itself.

mod export;
mod mend;
mod status;

use crate::cli::Spool;
use crate::error::CliError;
use ::spool::{Archive, ArchiveError};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(command: &Spool) -> Result<ExitCode, CliError> {
    match command {
        Spool::Status(args) => status::status(args),
        Spool::Check(args) => status::check(args),
        Spool::Export(args) => export::run(args),
        Spool::Requeue(args) => mend::requeue(args),
        Spool::Purge(args) => mend::purge(args),
    }
}

fn open(dir: &Path) -> Result<Archive, CliError> {
    Archive::open(dir).map_err(fault)
}

fn fault(error: ArchiveError) -> CliError {
    match error {
        ArchiveError::Io { file, source } => CliError::File { action: "read", path: file, source },
        ArchiveError::TooNew { ref file, .. } => {
            CliError::Data { path: file.clone(), source: error.into() }
        }
        error => CliError::Usage(format!("failed to {error}")),
    }
}

/// A value as JSON for people: several lines.
fn json(value: &serde_json::Value) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|source| CliError::Internal {
        what: "write the answer as JSON".into(),
        source: source.into(),
    })?;
    Ok(text + "\n")
}

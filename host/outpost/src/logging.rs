//! Logs go to standard error: lines for people on a terminal, JSON lines elsewhere when asked.

use crate::error::CliError;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is a level or a list of `room=level`; `json` writes one JSON object a line.
pub(crate) fn start(filter: &str, json: bool) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| CliError::Usage(format!("log filter `{filter}`: {error}")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if json { builder.json().try_init() } else { builder.try_init() };
    started.map_err(|source| CliError::Internal { what: "start logging".into(), source })
}

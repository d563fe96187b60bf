//! Logs go to standard error: lines for people on a terminal, JSON lines elsewhere when asked.

use crate::error::CliError;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// What goes without saying. The RabbitMQ client prints whole messages, rows of people's data among them, and repeats
/// each fault that the channel tells of; a filter that names `lapin` overrides this.
const QUIET: &str = "lapin=off";

/// Starts logging. `filter` is a level or a list of `room=level`; `json` writes one JSON object a line.
pub(crate) fn start(filter: &str, json: bool) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))
        .map_err(|error| CliError::Usage(format!("log filter `{filter}`: {error}")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if json { builder.json().try_init() } else { builder.try_init() };
    started.map_err(|source| CliError::Internal { what: "start logging".into(), source })
}

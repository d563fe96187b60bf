//! Logs go to standard error: lines for people on a terminal, JSON lines elsewhere when asked.

use crate::error::CliError;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// What goes without saying. The RabbitMQ client prints whole messages, rows of people's data among them, and repeats
/// each fault that the channel tells of; a filter that names `lapin` overrides this.
const QUIET: &str = "lapin=off";

/// What is logged, which can change while it runs.
pub(crate) struct LogFilter(Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>);

impl LogFilter {
    /// Logs by another filter from now on.
    ///
    /// # Errors
    ///
    /// What is wrong with the filter.
    pub(crate) fn set(&self, filter: &str) -> Result<(), String> {
        (self.0)(parse(filter)?)
    }
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(format!("{QUIET},{filter}")).map_err(|error| error.to_string())
}

/// Starts logging. `filter` is a level or a list of `room=level`; `json` writes one JSON object a line.
pub(crate) fn start(filter: &str, json: bool) -> Result<LogFilter, CliError> {
    let parsed = parse(filter)
        .map_err(|error| CliError::Usage(format!("log filter `{filter}`: {error}")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let failed = |source| CliError::Internal { what: "start logging".into(), source };
    if json {
        let builder = builder.json().with_filter_reloading();
        let handle = builder.reload_handle();
        builder.try_init().map_err(failed)?;
        Ok(LogFilter(Box::new(move |to| handle.reload(to).map_err(|error| error.to_string()))))
    } else {
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        builder.try_init().map_err(failed)?;
        Ok(LogFilter(Box::new(move |to| handle.reload(to).map_err(|error| error.to_string()))))
    }
}

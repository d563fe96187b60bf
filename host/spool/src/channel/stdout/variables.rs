//! The library's names for standard output: only how many rows a message may have.

use super::StdoutSettings;
use crate::channel::settings::{ROWS, SettingsError, Variables};

/// All names that are read or known.
pub(in crate::channel) const VARIABLES: &[&str] = &[];

pub(in crate::channel) fn read(variables: &Variables<'_>) -> Result<StdoutSettings, SettingsError> {
    let mut settings = StdoutSettings::default();
    variables.number(&[ROWS], &mut settings.rows_per_message)?;
    Ok(settings)
}

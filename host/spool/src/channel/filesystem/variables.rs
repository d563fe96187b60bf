//! The library's names for the filesystem channel.

use super::FilesystemSettings;
use crate::channel::settings::{NO_EFFECT, ROWS, SettingsError, Variables};

const PREFIX: &str = "MLOPS_FILESYSTEM_";
const DIRECTORY: [&str; 2] = ["MLOPS_FILESYSTEM_DIRECTORY", "MLOPS_SPOOLER_DIR_PATH"];
const FILE_SIZE: [&str; 2] = ["MLOPS_FILESYSTEM_MAX_FILE_SIZE", "MLOPS_SPOOLER_FILE_MAX_SIZE"];
const FILES: [&str; 2] = ["MLOPS_FILESYSTEM_MAX_NUM_FILES", "MLOPS_SPOOLER_MAX_FILES"];

/// All names that are read or known; of each pair the second is the old one.
pub(in crate::channel) const VARIABLES: &[&str] = &[
    DIRECTORY[0],
    DIRECTORY[1],
    FILE_SIZE[0],
    FILE_SIZE[1],
    FILES[0],
    FILES[1],
    "MLOPS_FILESYSTEM_ACKNOWLEDGEMENT_DEADLINE",
];

pub(in crate::channel) fn read(
    variables: &Variables<'_>,
) -> Result<FilesystemSettings, SettingsError> {
    for (name, _) in variables.of(PREFIX) {
        let variable = format!("{PREFIX}{name}");
        if !VARIABLES.contains(&&*variable) && !NO_EFFECT.contains(&name) {
            return Err(SettingsError::Unknown { variable });
        }
    }
    let mut settings = FilesystemSettings::new(variables.required(&DIRECTORY)?);
    variables.number(&FILE_SIZE, &mut settings.max_file_bytes)?;
    variables.number(&FILES, &mut settings.max_files)?;
    variables.number(&[ROWS], &mut settings.rows_per_message)?;
    Ok(settings)
}

//! Reading and writing files whole, with errors that name them.

use crate::error::CliError;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// Writes a file whole or not at all: a reader (or a gateway that watches) never sees half of it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let temporary = beside(path);
    let written = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|source| {
        // The half-written file is of no use to anybody, and the error to report is the first one.
        let _ = std::fs::remove_file(&temporary);
        CliError::File { action: "write", path: path.to_owned(), source }
    })
}

/// A name in the same folder that no other process writes to.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// Prints to standard output. A reader that closes the pipe early (`| head`) has seen what it wanted.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::File { action: "write", path: "standard output".into(), source: error })
        }
        _ => Ok(()),
    }
}

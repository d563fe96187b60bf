//! Reading and writing files whole, with errors that name them.

use crate::error::CliError;
use std::fs::File;
use std::io::{BufWriter, Write as _};
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
    write_with(path, |file| file.write_all(bytes).map_err(|source| unwritable(path, source)))
}

/// Finds out whether a file can be written, without touching it.
pub(crate) fn probe(path: &Path) -> Result<(), CliError> {
    let temporary = beside(path);
    File::create(&temporary)
        .and_then(|_| std::fs::remove_file(&temporary))
        .map_err(|source| unwritable(path, source))
}

/// Like [`write`], for what is made while it is written.
pub(crate) fn write_with<T>(
    path: &Path,
    make: impl FnOnce(&mut BufWriter<File>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let temporary = beside(path);
    let attempt = || {
        let fault = |source| unwritable(path, source);
        let mut file = BufWriter::new(File::create(&temporary).map_err(fault)?);
        let made = make(&mut file)?;
        let file = file.into_inner().map_err(|error| fault(error.into_error()))?;
        file.sync_all().and_then(|()| std::fs::rename(&temporary, path)).map_err(fault)?;
        Ok(made)
    };
    attempt().inspect_err(|_| {
        // The half-written file is of no use to anybody, and the error to report is the first one.
        let _gone = std::fs::remove_file(&temporary);
    })
}

/// Writes a secret, for nobody else to read.
pub(crate) fn write_secret(path: &Path, secret: &str) -> Result<(), CliError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let temporary = beside(path);
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    let write = || {
        let mut file = options.open(&temporary)?;
        file.write_all(secret.as_bytes())?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|source| unwritable(path, source))
}

fn unwritable(path: &Path, source: std::io::Error) -> CliError {
    CliError::File { action: "write", path: path.to_owned(), source }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.wasm");
        write(&path, b"old").unwrap();
        probe(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(probe(&dir.path().join("missing/model.wasm")).is_err());
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.csv");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |file| {
            file.write_all(b"half").map_err(|source| unwritable(&path, source))?;
            Err::<(), _>(CliError::Usage("stop".into()))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

//! Up to where a directory was read: `spool_meta.consumer`, as the library's readers have it.
//!
//! `{"file_name": "fs_spool.3", "offset": 1234}`: all files before that one are done with, and of it so many bytes.
//! The file is replaced as a whole, so that a crash leaves the old one or the new one. A position that makes no
//! sense is none: everything that is there is read again, which gives repeats and loses nothing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

const NAME: &str = "spool_meta.consumer";
/// Most bytes of the file that are looked at.
const MAX_BYTES: u64 = 4096;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Position {
    pub(super) file_name: String,
    pub(super) offset: u64,
}

impl Position {
    pub(super) fn load(directory: &Path) -> io::Result<Option<Self>> {
        let mut text = Vec::new();
        match File::open(directory.join(NAME)) {
            Ok(file) => io::Read::read_to_end(&mut io::Read::take(file, MAX_BYTES), &mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&text) {
            Ok(position) => Ok(Some(position)),
            Err(error) => {
                tracing::warn!(file = NAME, %error, "Position not understood; all files are read again");
                Ok(None)
            }
        }
    }

    /// Durable when this returns `Ok`.
    pub(super) fn store(&self, directory: &Path) -> io::Result<()> {
        let new = directory.join(format!("{NAME}.new"));
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&new, directory.join(NAME))?;
        File::open(directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_what_the_librarys_readers_write() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Position::load(dir.path()).unwrap(), None);
        let position = Position { file_name: "fs_spool.1".to_owned(), offset: 834 };
        position.store(dir.path()).unwrap();
        let text = fs::read_to_string(dir.path().join("spool_meta.consumer")).unwrap();
        assert_eq!(text, r#"{"file_name":"fs_spool.1","offset":834}"#);
        assert_eq!(Position::load(dir.path()).unwrap(), Some(position.clone()));
        let spaced = "{\"file_name\": \"fs_spool.1\", \"offset\": 834}\n";
        fs::write(dir.path().join(NAME), spaced).unwrap();
        assert_eq!(Position::load(dir.path()).unwrap(), Some(position));
        for damaged in ["", "{}", "{\"file_name\":\"fs_spool.1\",\"offset\":-1}"] {
            fs::write(dir.path().join(NAME), damaged).unwrap();
            assert_eq!(Position::load(dir.path()).unwrap(), None, "{damaged}");
        }
    }
}

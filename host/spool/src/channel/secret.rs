//! Texts that are never printed: passwords and tokens, given in the settings or in a file of their own.
//!
//! The memory of a secret is overwritten when it is dropped. A file is read once, when its channel starts; one that
//! everybody on the machine can read is refused, because then it is no secret.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

/// Most bytes of a secret's file. Tokens are the largest secrets, and have a few KiB.
const FILE_BYTES: u64 = 64 << 10;
/// The permission that everybody has.
const ANYBODY_READS: u32 = 0o004;

/// A text that is never printed.
#[derive(Clone)]
pub struct Secret(SecretString);

/// A secret's file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is open to everybody.
    #[error("{} can be read by everybody: take that permission away, as by chmod 600", file.display())]
    Open {
        /// The file.
        file: PathBuf,
    },
    /// There is nothing in it.
    #[error("{} is empty", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// It is too large to be a secret.
    #[error("{} has more than {FILE_BYTES} bytes, which is no secret", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// It is not text of one line.
    #[error("{} is not one line of UTF-8 text", file.display())]
    NotText {
        /// The file.
        file: PathBuf,
    },
}

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// Reads a file; a newline at its end is no part of the secret.
    ///
    /// # Errors
    ///
    /// When it cannot be read, when everybody can read it, or when it holds no line of text.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let file = || path.to_owned();
        let failed = |source| SecretError::Read { file: file(), source };
        let opened = File::open(path).map_err(failed)?;
        if opened.metadata().map_err(failed)?.permissions().mode() & ANYBODY_READS != 0 {
            return Err(SecretError::Open { file: file() });
        }
        let mut text = String::new();
        let read = opened.take(FILE_BYTES + 1).read_to_string(&mut text);
        // From here on the text is wiped, whatever comes.
        let text = SecretString::from(text);
        match read {
            Ok(bytes) if bytes as u64 > FILE_BYTES => {
                return Err(SecretError::TooLarge { file: file() });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(SecretError::NotText { file: file() });
            }
            Err(error) => return Err(failed(error)),
        }
        let line = text.expose_secret();
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        match line {
            "" => Err(SecretError::Empty { file: file() }),
            line if line.contains(['\n', '\r', '\0']) => Err(SecretError::NotText { file: file() }),
            line => Ok(Self::new(line)),
        }
    }

    /// The secret that is given as text or in a file, if one is.
    pub(crate) fn given(
        text: Option<&Self>,
        file: Option<&Path>,
    ) -> Result<Option<Self>, SecretError> {
        match (text, file) {
            (Some(text), _) => Ok(Some(text.clone())),
            (None, Some(file)) => Self::read(file).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The text itself. Only for handing it to a library that needs it.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is wrong with it would be told with its value.
        let text = String::deserialize(deserializer);
        text.map(Self::new).map_err(|_| serde::de::Error::custom("a secret must be a text"))
    }
}

impl PartialEq for Secret {
    /// For settings, which are compared where they come from and not with what an attacker sends.
    fn eq(&self, other: &Self) -> bool {
        self.reveal() == other.reveal()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &Path, mode: u32, bytes: &[u8]) -> PathBuf {
        let path = dir.join("secret");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_file_gives_its_line_without_the_newline() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["a canary", "a canary\n", "a canary\r\n"] {
            let secret = Secret::read(&file(dir.path(), 0o640, text.as_bytes())).unwrap();
            assert_eq!(secret.reveal(), "a canary");
            assert_eq!(format!("{secret:?}"), "[redacted]");
        }
        let longest = "x".repeat(FILE_BYTES as usize);
        let secret = Secret::read(&file(dir.path(), 0o600, longest.as_bytes())).unwrap();
        assert_eq!(secret.reveal().len(), longest.len());
    }

    #[test]
    fn a_secret_of_another_type_is_not_repeated() {
        let error = serde_json::from_str::<Secret>("12345678").unwrap_err().to_string();
        assert!(error.contains("must be a text") && !error.contains("5678"), "{error}");
        assert_eq!(
            serde_json::from_str::<Secret>("\"12345678\"").unwrap(),
            Secret::new("12345678")
        );
    }

    #[test]
    fn a_file_that_is_no_secret_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let too_large = "x".repeat(FILE_BYTES as usize + 1);
        let cases: [(u32, &[u8], &str); 5] = [
            (0o604, b"canary", "chmod"),
            (0o600, b"\n", "empty"),
            (0o600, b"canary\ncanary\n", "one line"),
            (0o600, b"canary\xff", "UTF-8"),
            (0o600, too_large.as_bytes(), "65536"),
        ];
        for (mode, bytes, says) in cases {
            let error = Secret::read(&file(dir.path(), mode, bytes)).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.contains(says) && said.contains("secret"), "{said}");
            assert!(!said.contains("canary"), "{said}");
        }
        let missing = Secret::read(&dir.path().join("missing")).unwrap_err();
        assert!(missing.to_string().contains("missing"), "{missing}");
    }
}

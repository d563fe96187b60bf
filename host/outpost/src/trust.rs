//! Whom a package must be signed by, from the pinned keys in files.

use crate::error::CliError;
use crate::files;
use engine::{Package, PublicKey, SignatureError};
use std::path::{Path, PathBuf};

/// The keys that are trusted, and what becomes of packages without a signature.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    keys: Vec<PublicKey>,
    only_signed: bool,
}

impl Trust {
    /// Reads the public keys.
    pub(crate) fn read(keys: &[PathBuf], only_signed: bool) -> Result<Self, CliError> {
        let read = |path: &PathBuf| {
            let text = String::from_utf8(files::read(path)?).unwrap_or_default();
            PublicKey::from_pem(&text)
                .map_err(|source| CliError::Data { path: path.clone(), source: source.into() })
        };
        Ok(Self { keys: keys.iter().map(read).collect::<Result<_, _>>()?, only_signed })
    }

    /// Gives the key that has signed a package; none of an unsigned one, where that is allowed. A signature beside the
    /// file counts like one in it.
    ///
    /// Without keys nothing is looked at: there is nobody to trust.
    pub(crate) fn check(
        &self,
        package: &Package,
        path: &Path,
    ) -> Result<Option<&PublicKey>, CliError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let beside = signature_beside(path);
        let detached = if beside.exists() { Some(files::read(&beside)?) } else { None };
        match engine::verify(package, detached.as_deref(), &self.keys) {
            Ok(key) => Ok(Some(key)),
            Err(SignatureError::Unsigned) if !self.only_signed => Ok(None),
            Err(source) => Err(CliError::Data { path: path.to_owned(), source: source.into() }),
        }
    }
}

/// Where the detached signature of a package lies.
pub(crate) fn signature_beside(package: &Path) -> PathBuf {
    let mut name = package.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

//! Keys and signatures as files.

use crate::error::CliError;
use crate::files;
use engine::{Package, PublicKey};
use std::path::{Path, PathBuf};

/// Reads public keys.
pub(crate) fn read_keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>, CliError> {
    let read = |path: &PathBuf| {
        let text = String::from_utf8(files::read(path)?).unwrap_or_default();
        PublicKey::from_pem(&text)
            .map_err(|source| CliError::Data { path: path.clone(), source: source.into() })
    };
    paths.iter().map(read).collect()
}

/// A package with the detached signature beside it, if there is one.
pub(crate) fn read_signed(path: &Path) -> Result<(Package, Option<Vec<u8>>), CliError> {
    let package = crate::command::open_package(path)?;
    let beside = signature_beside(path);
    let signature = if beside.exists() { Some(files::read(&beside)?) } else { None };
    Ok((package, signature))
}

/// Where the detached signature of a package lies.
pub(crate) fn signature_beside(package: &Path) -> PathBuf {
    let mut name = package.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

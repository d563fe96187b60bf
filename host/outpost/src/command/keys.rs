//! `outpost keygen`, `sign`, `verify`: keys and signatures of model packages.

use crate::cli::{Keygen, Sign, Verify};
use crate::error::CliError;
use crate::files;
use crate::trust::{read_keys, read_signed, signature_beside};
use engine::{KeyError, SecretKey};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What group and others may do with a secret key: nothing.
const FOREIGN: u32 = 0o077;

pub(crate) fn generate(args: &Keygen) -> Result<ExitCode, CliError> {
    let (secret, public) = (with_ending(&args.name, "key"), with_ending(&args.name, "pub"));
    for path in [&secret, &public] {
        if path.exists() {
            let why = "exists, and a key that is lost cannot be made again; choose another name";
            return Err(CliError::Usage(format!("{} {why}", path.display())));
        }
    }
    let failed = |error: KeyError| CliError::Internal {
        what: "make a key pair".to_owned(),
        source: error.into(),
    };
    let key = SecretKey::generate().map_err(failed)?;
    key.with_pem(|pem| create(&secret, 0o600, pem)).map_err(failed)??;
    create(&public, 0o644, &key.public().to_pem().map_err(failed)?)?;
    files::print(&format!(
        "{}  keep it secret; it signs\n{}  pin it on the gateways; key {}\n",
        secret.display(),
        public.display(),
        key.public()
    ))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn sign(args: &Sign) -> Result<ExitCode, CliError> {
    let key = read_secret(&args.key)?;
    let package = super::open_package(&args.package)?;
    let output = if args.detached {
        let output = signature_beside(&args.package);
        files::write(&output, &key.sign(package.bytes()))?;
        output
    } else {
        let output = args.output.clone().unwrap_or_else(|| args.package.clone());
        files::write(&output, &key.attach(package))?;
        output
    };
    files::print(&format!("{}  signed by key {}\n", output.display(), key.public()))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn verify(args: &Verify) -> Result<ExitCode, CliError> {
    let keys = read_keys(&args.key)?;
    let (package, signature) = read_signed(&args.package)?;
    let key = engine::verify(&package, signature.as_deref(), &keys)
        .map_err(|source| CliError::Data { path: args.package.clone(), source: source.into() })?;
    files::print(&format!("{}  signed by key {key}\n", args.package.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a secret key, unless others can read it too.
fn read_secret(path: &Path) -> Result<SecretKey, CliError> {
    let fault =
        |source: std::io::Error| CliError::File { action: "read", path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(fault)?.permissions().mode();
    let wrong = |source| CliError::Data { path: path.to_owned(), source };
    if mode & FOREIGN != 0 {
        return Err(wrong("others can read it; run: chmod 600 on it".into()));
    }
    let text = std::fs::read_to_string(path).map_err(fault)?;
    SecretKey::from_pem(&text).map_err(|error| wrong(error.into()))
}

/// Writes a file that does not exist yet.
fn create(path: &Path, mode: u32, text: &str) -> Result<(), CliError> {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(mode).open(path);
    made.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|source| CliError::File { action: "write", path: path.to_owned(), source })
}

/// `a/outpost` and `key` make `a/outpost.key`.
fn with_ending(name: &Path, ending: &str) -> PathBuf {
    let mut path = name.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

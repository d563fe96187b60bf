//! Who may come, and what they may do.
//!
//! # Constraints
//!
//! - Kept and compared are digests of tokens, all of them each time and in constant time, so that the time of an answer
//!   tells nothing about a token.
//! - The file with the tokens is its owner's alone.
//!
//! # Operation
//!
//! At the first start there is no file, and one is made with a token for each role. Later starts read it; a line may be
//! changed or taken away, and the server started again. Of two servers that start at once on an empty folder, the first
//! one's file counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// The file in the data folder.
pub const FILE: &str = "tokens.toml";
/// Characters that a token has at least: 96 bits in hexadecimal digits.
pub const TOKEN_CHARS_MIN: usize = 24;
/// Only the owner reads and writes it.
const FILE_MODE: u32 = 0o600;
/// Group and others.
const FOREIGN: u32 = 0o077;

/// What somebody may do. Each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Report predictions and outcomes.
    Report,
    /// Change the registry.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Read, Self::Report, Self::Admin];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Report => "report",
            Self::Admin => "admin",
        }
    }
}

/// The tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file cannot be read or made.
    #[error("{action} {}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others can read it.
    #[error("{} has mode {mode:03o}, which lets others read the tokens: chmod 600 it, and make new ones where others may have read them", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It does not say what it must.
    #[error("{} {reason}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do. No token is in it.
        reason: String,
    },
}

/// The tokens. They cannot be shown.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    made: bool,
    known: Vec<(Role, [u8; 32])>,
}

impl Tokens {
    /// Reads the tokens in the data folder; makes them when there are none.
    ///
    /// # Errors
    ///
    /// When the file cannot be used, or others can read it.
    pub fn open(data: &Path) -> Result<Self, TokensError> {
        let path = data.join(FILE);
        let made = match fs::metadata(&path) {
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path)?,
            Err(source) => return Err(fault("read", &path, source)),
        };
        let mode = fs::metadata(&path).map_err(|source| fault("read", &path, source))?;
        let mode = mode.permissions().mode() & 0o777;
        if mode & FOREIGN != 0 {
            return Err(TokensError::Open { path, mode });
        }
        let text = fs::read_to_string(&path).map_err(|source| fault("read", &path, source))?;
        let known =
            parse(&text).map_err(|reason| TokensError::Content { path: path.clone(), reason })?;
        Ok(Self { path, made, known })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether they were made now.
    pub fn were_made(&self) -> bool {
        self.made
    }

    /// The role of a token.
    pub fn role(&self, token: &[u8]) -> Option<Role> {
        let given = digest(token);
        let mut found = 0_u32;
        for ((_, known), number) in self.known.iter().zip(1..) {
            let same: Choice = known.ct_eq(&given);
            found.conditional_assign(&number, same);
        }
        let (role, _) = self.known.get((found as usize).checked_sub(1)?)?;
        Some(*role)
    }
}

/// Makes the file, whole or not at all; false when another process was first.
fn make(path: &Path) -> Result<bool, TokensError> {
    let mut text = String::from(
        "# Who may use this server: admin may everything, report reports predictions and outcomes, read looks.\n\
         # Change a line and start the server again; delete one, and nobody has that role.\n",
    );
    for role in Role::ALL.into_iter().rev() {
        let (one, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let _written = writeln!(text, "{} = \"{}{}\"", role.name(), one.simple(), other.simple());
    }
    let temporary = path.with_extension(format!("new.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::hard_link(&temporary, path)
        });
    let removed = fs::remove_file(&temporary);
    match (written, removed) {
        (Ok(()), Ok(())) => Ok(true),
        (Err(error), _) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        (Err(source), _) => Err(fault("make", path, source)),
        (Ok(()), Err(source)) => Err(fault("remove", &temporary, source)),
    }
}

fn parse(text: &str) -> Result<Vec<(Role, [u8; 32])>, String> {
    // The parser's own message quotes the line, which may hold a token.
    let lines: BTreeMap<String, String> = toml::from_str(text)
        .map_err(|_| "must have lines such as admin = \"...\", report = \"...\", read = \"...\"")?;
    let mut known: Vec<(Role, [u8; 32])> = Vec::new();
    for (name, token) in lines {
        let role = Role::ALL.into_iter().find(|role| role.name() == name);
        let role = role.ok_or_else(|| {
            format!("has the role {name:?}, which there is not: name admin, report or read")
        })?;
        if token.len() < TOKEN_CHARS_MIN || !token.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(format!(
                "has a token for {name} that is none: it must have {TOKEN_CHARS_MIN} characters or more, no blanks; make one with openssl rand -hex 32"
            ));
        }
        let digest = digest(token.as_bytes());
        if let Some((other, _)) = known.iter().find(|(_, other)| *other == digest) {
            return Err(format!(
                "has one token for {name} and {}: give each its own",
                other.name()
            ));
        }
        known.push((role, digest));
    }
    if known.is_empty() {
        return Err("has no token: delete it, and new ones are made".into());
    }
    Ok(known)
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn fault(action: &'static str, path: &Path, source: io::Error) -> TokensError {
    TokensError::File { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, role: &str) -> String {
        let text = fs::read_to_string(folder.join(FILE)).unwrap();
        let line = text.lines().find(|line| line.starts_with(role)).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    }

    fn replaced(folder: &Path, text: &str) -> Result<Tokens, TokensError> {
        fs::write(folder.join(FILE), text).unwrap();
        Tokens::open(folder)
    }

    #[test]
    fn tokens_are_made_once_and_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Tokens::open(folder.path()).unwrap();
        let again = Tokens::open(folder.path()).unwrap();
        assert!(first.were_made() && !again.were_made());
        let mode = fs::metadata(first.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, FILE_MODE);
        for role in Role::ALL {
            let token = written(folder.path(), role.name());
            assert_eq!(again.role(token.as_bytes()), Some(role));
            assert!(!format!("{again:?}").contains(&token));
            for other in [&token[1..], "", role.name()] {
                assert_eq!(again.role(other.as_bytes()), None);
            }
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = Tokens::open(folder.path()).unwrap().path().to_owned();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = Tokens::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("{mode:o}")) && error.contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        Tokens::open(folder.path()).unwrap();
    }

    #[test]
    fn what_a_file_must_say_is_told_without_its_tokens() {
        let folder = tempfile::tempdir().unwrap();
        Tokens::open(folder.path()).unwrap();
        let (short, long) = ("s".repeat(TOKEN_CHARS_MIN - 1), "l".repeat(TOKEN_CHARS_MIN));
        for (text, part) in [
            (String::new(), "no token"),
            (format!("admin = \"{short}\""), "24 characters"),
            (format!("admin = \"{long} x\""), "no blanks"),
            (format!("root = \"{long}\""), "\"root\""),
            (format!("admin = \"{long}\"\nread = \"{long}\""), "one token for read and admin"),
            (format!("admin = {long}"), "must have lines"),
        ] {
            let error = replaced(folder.path(), &text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(FILE), "{error}");
            assert!(!error.contains(&long) && !error.contains(&short), "{error}");
        }
        let one = replaced(folder.path(), &format!("read = \"{long}\"")).unwrap();
        assert_eq!(one.role(long.as_bytes()), Some(Role::Read));
    }
}

//! Machine code of packages seen before, in a folder that only this user can read and write.
//!
//! # Form
//!
//! One file for a package on one runtime: `<digest of the package>-<runtime>.machine`, where `<runtime>` is a hash of
//! wasmtime's version, its settings and the processor's features. A file is [`MAGIC`], the SHA-256 of what follows,
//! and what follows: machine code as wasmtime serialises it.
//!
//! # Operation
//!
//! Files are written beside their place and renamed. When there are more than [`FILES`], the oldest go.
//!
//! # Failure
//!
//! Loading machine code means trusting it. What is trusted is the folder: it belongs to this user and nobody else may
//! look into it, and the same holds for each file, which must not be a link. The hash only tells damage. Anything
//! else than a whole file of the right name is refused, and the package is compiled anew and replaces it.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::error::EngineError;
use crate::machine_code;
use crate::package::Digest;

/// Files that are kept.
const FILES: usize = 512;
/// How every file starts.
const MAGIC: &[u8; 16] = b"outpost code 1\n\0";
/// The end of every file's name.
const SUFFIX: &str = "machine";
/// The end of the name of a file that is being written, or was when its process died.
const UNFINISHED: &str = "unfinished";
/// Access bits of group and others.
const FOREIGN: u32 = 0o077;
/// Tells files apart that this process writes at the same time.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The open cache.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    runtime: u64,
}

/// What [`Cache::find`] gives.
pub(crate) enum Found {
    Component(Component),
    Nothing,
    Refused(String),
}

impl Cache {
    /// Opens the folder, and makes it when it does not exist.
    pub(crate) fn open(folder: PathBuf, engine: &wasmtime::Engine) -> Result<Self, EngineError> {
        let refuse = |why: String| EngineError::Cache { path: folder.clone(), why };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| refuse(error.to_string()))?;
        let meta = fs::symlink_metadata(&folder).map_err(|error| refuse(error.to_string()))?;
        if !meta.is_dir() {
            return Err(refuse("it is not a folder".to_string()));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse("it belongs to another user".to_string()));
        }
        if meta.mode() & FOREIGN != 0 {
            return Err(refuse("others have access to it; run: chmod 700 on it".to_string()));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { folder, runtime: hasher.finish() })
    }

    /// Looks for a package's machine code.
    pub(crate) fn find(&self, engine: &wasmtime::Engine, digest: Digest) -> Found {
        let code = match read(&self.path(digest)) {
            Ok(Some(code)) => code,
            Ok(None) => return Found::Nothing,
            Err(why) => return Found::Refused(why),
        };
        // The bytes were written by this user, in a folder that nobody else can write, by `keep`, and are whole; the
        // file's name binds them to the package and to this runtime.
        machine_code::take(engine, &code)
            .map_or_else(|error| Found::Refused(error.to_string()), Found::Component)
    }

    /// Keeps a package's machine code.
    pub(crate) fn keep(&self, digest: Digest, code: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        let number = NEXT.fetch_add(1, Relaxed);
        let beside = path.with_extension(format!("{}-{number}.{UNFINISHED}", std::process::id()));
        let written = write(&beside, code).and_then(|()| fs::rename(&beside, &path));
        if written.is_err() {
            // Best effort: `prune` takes what is left.
            drop(fs::remove_file(&beside));
        }
        written?;
        self.prune()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let digest = digest.to_string().replace("sha256:", "");
        self.folder.join(format!("{digest}-{:016x}.{SUFFIX}", self.runtime))
    }

    /// Removes the oldest files beyond [`FILES`].
    fn prune(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            let ours = |extension: &OsStr| extension == SUFFIX || extension == UNFINISHED;
            if path.extension().is_some_and(ours) {
                files.push((entry.metadata()?.modified()?, path));
            }
        }
        files.sort();
        let surplus = files.len().saturating_sub(FILES);
        files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// The code in a file, None when there is no file. The error says why the file is not taken.
fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(|error| error.to_string())?;
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let meta = file.metadata().map_err(|error| error.to_string())?;
    if !meta.is_file()
        || meta.uid() != rustix::process::geteuid().as_raw()
        || meta.mode() & FOREIGN != 0
    {
        return Err("the file is not this user's alone".to_string());
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let damaged = || "the file is damaged".to_string();
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
    let (sum, code) = rest.split_at_checked(32).ok_or_else(damaged)?;
    if Sha256::digest(code).as_slice() != sum {
        return Err(damaged());
    }
    Ok(Some(code.to_vec()))
}

fn write(path: &Path, code: &[u8]) -> io::Result<()> {
    let mut file: File =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)
}

//! The state folder: what was deployed by whom, so that a restart serves what served before.
//!
//! # Format
//!
//! `packages/<hex>.wasm` are packages by digest, `packages/<hex>.wasm.sig` their detached signatures, `deployments.json`
//! says which package has which place, and `lock` is held by the gateway that uses the folder.
//!
//! # Operation
//!
//! A package is stored and synced before `deployments.json` names it, and that file is replaced by a rename: whatever is
//! interrupted, it names packages that are there, the old ones or the new ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use engine::Package;
use serde::{Deserialize, Serialize};

use super::lineup::MadeBy;

const STATE: &str = "deployments.json";
const PACKAGES: &str = "packages";
const LOCK: &str = "lock";
/// The form of the state file that this code writes.
const FORMAT: u32 = 1;

/// An open state folder.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    _lock: File,
}

/// What the state file holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Saved {
    pub(crate) format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    pub(crate) deployments: BTreeMap<String, SavedDeployment>,
}

/// One deployment. Digests are `sha256:<hex>`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SavedDeployment {
    pub(crate) made_by: MadeBy,
    /// The package that settings or folder named last. While they name the same one, what was decided since then stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) given: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) canary: Option<SavedCanary>,
    /// Digests by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) challengers: BTreeMap<String, String>,
    /// Champions, the one that serves last.
    pub(crate) history: Vec<SavedVersion>,
    /// Champions that were taken back, the last one last. They are only told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) withdrawn: Vec<SavedVersion>,
    /// The highest version that ever was champion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<String>,
}

/// A canary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedCanary {
    pub(crate) digest: String,
    pub(crate) share: f64,
}

/// A champion of now or before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedVersion {
    pub(crate) digest: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// RFC 3339.
    pub(crate) since: String,
    pub(crate) by: String,
    pub(crate) how: String,
    /// Why it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) withdrawn: Option<String>,
}

/// The state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another gateway has it.
    #[error("use the state folder {path}: another gateway uses it", path = .0.display())]
    Taken(PathBuf),
    /// The system refuses.
    #[error("use the state folder {path}", path = path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The state file is not ours, or of a later version.
    #[error("read {path}: {why}; move it away to start with what the settings name", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl SavedDeployment {
    /// The champion's digest.
    pub(crate) fn champion(&self) -> Option<&str> {
        self.history.last().map(|version| &*version.digest)
    }

    /// The champion before this one. After a restart the last one may not have loaded, and an earlier one serves.
    pub(crate) fn before(&self, champion: &str) -> Option<&SavedVersion> {
        let place = self.history.iter().rposition(|version| version.digest == champion)?;
        place.checked_sub(1).map(|before| &self.history[before])
    }

    /// Every package that may still be wanted.
    fn digests(&self) -> impl Iterator<Item = &str> {
        let history = self.history.iter().map(|version| &*version.digest);
        let canary = self.canary.iter().map(|canary| &*canary.digest);
        history.chain(canary).chain(self.challengers.values().map(|digest| &**digest))
    }
}

impl Store {
    /// Takes a folder for this process alone; it is made when it does not exist.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Saved), StoreError> {
        let fail = |source| StoreError::Io { path: folder.to_owned(), source };
        // Models and who changed them are nobody else's business.
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700).create(folder.join(PACKAGES)).map_err(fail)?;
        let lock = File::create(folder.join(LOCK)).map_err(fail)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::Taken(folder.to_owned()),
            TryLockError::Error(source) => fail(source),
        })?;
        let store = Self { folder: folder.to_owned(), _lock: lock };
        let saved = store.read()?;
        store.sweep(&saved).map_err(fail)?;
        Ok((store, saved))
    }

    fn read(&self) -> Result<Saved, StoreError> {
        let path = self.folder.join(STATE);
        let damaged = |why: String| StoreError::Damaged { path: path.clone(), why };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Saved { format: FORMAT, ..Saved::default() });
            }
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        let saved: Saved =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if saved.format != FORMAT {
            return Err(damaged(format!(
                "it has form {}, and this gateway reads form {FORMAT}",
                saved.format
            )));
        }
        Ok(saved)
    }

    /// Replaces the state. When this returns, it is on disk.
    pub(crate) fn save(&self, saved: &Saved) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(saved)?;
        text.push(b'\n');
        replace(&self.folder, STATE, &text)
    }

    /// Stores a package and its detached signature. When this returns, they are on disk.
    pub(crate) fn put(&self, package: &Package, signature: Option<&[u8]>) -> io::Result<()> {
        let folder = self.folder.join(PACKAGES);
        let name = file_name(&package.digest().to_string());
        if let Some(signature) = signature {
            replace(&folder, &format!("{name}.sig"), signature)?;
        }
        let there = fs::metadata(folder.join(&name));
        if there.is_ok_and(|there| there.len() == package.bytes().len() as u64) {
            return Ok(());
        }
        replace(&folder, &name, package.bytes())
    }

    /// Reads a package back. What it holds is checked against its name.
    pub(crate) fn get(&self, digest: &str) -> io::Result<(Package, Option<Vec<u8>>)> {
        let path = self.folder.join(PACKAGES).join(file_name(digest));
        let package = Package::open(&path).map_err(io::Error::other)?;
        if package.digest().to_string() != digest {
            let found = package.digest();
            return Err(io::Error::other(format!("{} has the digest {found}", path.display())));
        }
        let mut beside = path.into_os_string();
        beside.push(".sig");
        match fs::read(beside) {
            Ok(signature) => Ok((package, Some(signature))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((package, None)),
            Err(error) => Err(error),
        }
    }

    /// Where the audit lines go.
    pub(crate) fn audit(&self) -> PathBuf {
        self.folder.join("audit.jsonl")
    }

    /// Removes the packages that no deployment wants any more.
    pub(crate) fn sweep(&self, saved: &Saved) -> io::Result<()> {
        let wanted: BTreeSet<String> =
            saved.deployments.values().flat_map(SavedDeployment::digests).map(file_name).collect();
        for entry in fs::read_dir(self.folder.join(PACKAGES))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !wanted.contains(name.trim_end_matches(".sig")) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn file_name(digest: &str) -> String {
    format!("{}.wasm", digest.rsplit(':').next().unwrap_or_default())
}

/// Puts a file in place of another one, whole or not at all, and syncs it.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let half = folder.join(format!("{name}.half"));
    let mut file = File::create(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&half, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gateway_at_a_time_uses_a_state_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (store, saved) = Store::open(folder.path()).unwrap();
        assert_eq!(saved, Saved { format: FORMAT, ..Saved::default() });
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join(PACKAGES)), 0o700);
        assert!(matches!(Store::open(folder.path()), Err(StoreError::Taken(_))));
        drop(store);
        Store::open(folder.path()).unwrap();
    }

    #[test]
    fn what_was_saved_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (store, mut saved) = Store::open(folder.path()).unwrap();
        let version = SavedVersion {
            digest: "sha256:ab".into(),
            name: "m".into(),
            version: "1".into(),
            since: "2026-01-01T00:00:00Z".into(),
            by: "somebody".into(),
            how: "deploy".into(),
            withdrawn: None,
        };
        let canary = SavedCanary { digest: "sha256:cd".into(), share: 0.05 };
        let one = SavedDeployment {
            made_by: MadeBy::Admin,
            canary: Some(canary),
            history: vec![version],
            ..SavedDeployment::default()
        };
        saved.deployments.insert("d".into(), one);
        for name in ["ab.wasm", "cd.wasm", "ab.wasm.sig", "ef.wasm", "ab.wasm.half"] {
            fs::write(folder.path().join(PACKAGES).join(name), "x").unwrap();
        }
        store.save(&saved).unwrap();
        drop(store);
        let (_store, again) = Store::open(folder.path()).unwrap();
        assert_eq!(again, saved);
        let mut left: Vec<_> = fs::read_dir(folder.path().join(PACKAGES))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["ab.wasm", "ab.wasm.sig", "cd.wasm"]);
    }

    #[test]
    fn a_state_that_cannot_be_read_is_not_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["{", "{\"format\": 2, \"deployments\": {}}"] {
            fs::write(folder.path().join(STATE), text).unwrap();
            let error = Store::open(folder.path()).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            assert_eq!(fs::read_to_string(folder.path().join(STATE)).unwrap(), text);
        }
    }
}

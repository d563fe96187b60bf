//! A folder of packages that is followed: each `<id>.wasm` in it is the champion of the deployment `<id>`.
//!
//! # Operation
//!
//! The folder is looked at a few times a second; that works on every file system, over every network, and for every way
//! to put a file there. A file is taken when two looks in a row have found it the same, and reading it has not found it
//! changed: who writes slowly is waited for, and who renames is served at once. `<id>.wasm.sig` is its signature.
//!
//! # Failure
//!
//! A file that is no package, or is refused, is told of once and looked at again when it changes. What serves goes on. One
//! that the disk does not take is tried again after [`LATER`]. A file that is gone for [`GONE`] looks takes its deployment with it: for a copy over the old file it is gone for less.

use std::{
    collections::HashMap,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use engine::Package;

use super::{
    Fleet,
    arrive::Arrival,
    change::{ChangeError, Place},
    lineup::{MadeBy, Slot},
    names::check_name,
    operate::chain,
};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Looks for which a file must be gone before its deployment goes.
const GONE: u32 = 8;
/// When what the state folder did not take is tried again.
const LATER: Duration = Duration::from_secs(10);
/// Who the folder is in events.
const FOLDER: &str = "folder";

/// Follows a folder until it is dropped.
#[derive(Debug)]
pub(crate) struct Follower {
    _stop: SyncSender<()>,
}

/// What tells one state of a file from another, as far as its metadata goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    inode: u64,
    size: u64,
    changed: (i64, i64),
    written: (i64, i64),
}

/// A file of the folder, with its signature's.
type Looks = (Look, Option<Look>);

#[derive(Debug, Default)]
struct Seen {
    last: Option<Looks>,
    /// What was taken, or refused.
    done: Option<Looks>,
    /// Not to be tried before.
    later: Option<Instant>,
    gone: u32,
}

/// What became of a file that has come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// It serves, or is refused for good.
    Done,
    /// It changed while it was read, or its deployment is being changed by somebody else.
    AtOnce,
    /// The disk did not take it.
    Later,
}

/// The folder, as far as it has been looked at.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    files: HashMap<String, Seen>,
    trouble: Option<String>,
}

impl Look {
    fn of(meta: &Metadata) -> Self {
        Self {
            inode: meta.ino(),
            size: meta.size(),
            changed: (meta.ctime(), meta.ctime_nsec()),
            written: (meta.mtime(), meta.mtime_nsec()),
        }
    }
}

impl Fleet {
    /// Takes what lies in a folder, and follows it from then on.
    pub(crate) fn follow(&self, folder: &Path) -> io::Result<Follower> {
        fs::create_dir_all(folder)?;
        let mut folder = Folder { path: folder.to_owned(), files: HashMap::new(), trouble: None };
        // Two looks at once: what is still being written waits for the next.
        folder.look(self);
        folder.look(self);
        self.forget_files(&folder);
        // Nothing is ever sent: the sender's end is the order.
        let (stop, stopped) = sync_channel(0);
        let fleet = self.clone();
        thread::Builder::new()
            .name("models-folder".to_owned())
            .spawn(move || folder.run(&fleet, &stopped))?;
        Ok(Follower { _stop: stop })
    }

    /// Deployments whose files went while the gateway was down.
    fn forget_files(&self, folder: &Folder) {
        let edit = |saved: &mut super::store::Saved| {
            saved.deployments.retain(|id, entry| {
                entry.made_by != MadeBy::Folder || folder.files.contains_key(id)
            });
            Ok(())
        };
        if let Err(error) = self.commit(None, edit, || {}) {
            tracing::error!(error = chain(&error), "State not kept");
        }
    }
}

impl Folder {
    fn run(mut self, fleet: &Fleet, stopped: &Receiver<()>) {
        while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            self.look(fleet);
        }
    }

    fn look(&mut self, fleet: &Fleet) {
        let found = match self.list() {
            Ok(found) => found,
            Err(error) => {
                // A folder that cannot be read says nothing about its files.
                let error = error.to_string();
                if self.trouble.as_ref() != Some(&error) {
                    tracing::error!(folder = %self.path.display(), error, "Models folder not read");
                    self.trouble = Some(error);
                }
                return;
            }
        };
        self.trouble = None;
        for (id, looks) in &found {
            let seen = self.files.entry(id.clone()).or_default();
            seen.gone = 0;
            let same = seen.last.replace(*looks) == Some(*looks);
            let waits = seen.later.is_some_and(|later| Instant::now() < later);
            if !same || waits || seen.done == Some(*looks) {
                continue;
            }
            seen.later = None;
            match take(&self.path, id, *looks, fleet) {
                Taken::Done => seen.done = Some(*looks),
                Taken::AtOnce => {}
                Taken::Later => seen.later = Some(Instant::now() + LATER),
            }
        }
        self.files.retain(|id, seen| {
            if found.contains_key(id) {
                return true;
            }
            seen.last = None;
            seen.gone += 1;
            seen.gone < GONE || !remove(id, fleet)
        });
    }

    fn list(&self) -> io::Result<HashMap<String, Looks>> {
        let mut found = HashMap::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // Editors and copying programs write under names that begin with a dot.
            let Some(id) = name.strip_suffix(".wasm").filter(|id| !id.starts_with('.')) else {
                continue;
            };
            if let Ok(looks) = look_at(&path) {
                found.insert(id.to_owned(), looks);
            }
        }
        Ok(found)
    }
}

fn look_at(path: &Path) -> io::Result<Looks> {
    let signature = fs::metadata(beside(path)).ok().map(|meta| Look::of(&meta));
    Ok((Look::of(&fs::metadata(path)?), signature))
}

/// Where a package's detached signature lies.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// Takes a file that has come to rest.
fn take(folder: &Path, id: &str, looks: Looks, fleet: &Fleet) -> Taken {
    let path = folder.join(format!("{id}.wasm"));
    let package = Package::open(&path);
    let signature = looks.1.and_then(|_| fs::read(beside(&path)).ok());
    if look_at(&path).ok() != Some(looks) {
        return Taken::AtOnce;
    }
    let package = match package {
        Ok(package) => package,
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(file = %path.display(), error, "File in the models folder is no package");
            return Taken::Done;
        }
    };
    match deploy(id, &package, signature.as_deref(), fleet) {
        Err(ChangeError::UnderWay(_)) => Taken::AtOnce,
        Err(ChangeError::Store { .. }) => Taken::Later,
        Ok(()) | Err(_) => Taken::Done,
    }
}

fn deploy(
    id: &str,
    package: &Package,
    signature: Option<&[u8]>,
    fleet: &Fleet,
) -> Result<(), ChangeError> {
    let digest = package.digest().to_string();
    let Ok(slot) = fleet.slot(id) else {
        let slot = match check_name("file", id).and_then(|()| fleet.new_slot(id)) {
            Ok(slot) => Arc::new(Slot { made_by: MadeBy::Folder, ..slot }),
            Err(error) => {
                return fleet.told(id, "deploy", FOLDER, Some(digest), || Err(error)).map(drop);
            }
        };
        let begun = fleet.begin(&slot, package, signature, FOLDER);
        if begun.is_err() {
            // What served before the restart is better than nothing.
            fleet.restart(&slot);
        }
        return begun;
    };
    let arrive = || {
        if slot.made_by != MadeBy::Folder {
            let rule = format!("{id:?} is a deployment of the {} already", slot.made_by.word());
            return Err(ChangeError::Invalid { field: "file", rule });
        }
        fleet.arrive(Arrival {
            slot: &slot,
            package,
            signature,
            place: Place::Champion,
            force: false,
            by: FOLDER,
            how: "folder",
            given: true,
        })
    };
    match arrive() {
        // It is tried again at once, and only what comes of it is worth an event.
        Err(error @ ChangeError::UnderWay(_)) => Err(error),
        result => fleet.told(id, "deploy", FOLDER, Some(digest), || result).map(drop),
    }
}

/// Removes the deployment of a file that is gone. False to try again.
fn remove(id: &str, fleet: &Fleet) -> bool {
    let Ok(slot) = fleet.slot(id) else { return true };
    if slot.made_by != MadeBy::Folder {
        return true;
    }
    fleet.told(id, "remove", FOLDER, None, || fleet.forget(&slot)).is_ok()
}

//! One reader a directory: the lock file that the library's own agents look for.
//!
//! A reader leaves `agent_<process>_<random>.lock` in the directory while it reads. The agents of the library leave an
//! empty one, and look only at whether there is one. Ours is held with `flock` too, which ends with the process
//! however it ends and is seen through the walls of containers, where process numbers mean nothing.
//!
//! A lock file that somebody left behind is taken over: ours when nobody holds it, others when their process is gone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

/// What tells our lock files from others.
const OURS: &[u8] = b"outpost\n";

/// The right to read a directory, as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// Holds the `flock`.
    _file: File,
}

/// There is another reader, or it cannot be told.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    /// The directory does not let itself be locked.
    #[error("make a lock file: {0}")]
    Io(#[from] io::Error),
    /// Somebody reads it.
    #[error(
        "another agent reads the directory: {0} is in use; stop that agent, or give this one a directory of its own"
    )]
    Held(String),
    /// Nobody knows whose lock it is.
    #[error("{0} may belong to another agent; remove it when none runs")]
    Unclear(String),
}

impl Lock {
    pub(super) fn take(directory: &Path) -> Result<Self, LockError> {
        let process = std::process::id();
        let name = format!("agent_{process}_{:016x}.lock", uuid::Uuid::new_v4().as_u64_pair().1);
        let path = directory.join(&name);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        // From here on it goes away whatever happens. Ours is there before others are looked at, so that of two that
        // start at once at most one goes on.
        let lock = |file| Self { path: path.clone(), _file: file };
        if let Err(error) =
            file.try_lock().map_err(io::Error::from).and_then(|()| file.write_all(OURS))
        {
            drop(lock(file));
            return Err(error.into());
        }
        let lock = lock(file);
        for other in others(directory, &name)? {
            take_over(directory, &other)?;
        }
        Ok(lock)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(file = %self.path.display(), %error, "Lock file not removed");
        }
    }
}

/// The names of all other lock files.
fn others(directory: &Path, ours: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with("agent") && name.ends_with(".lock") && name != ours {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Removes a lock file that nobody holds any more.
fn take_over(directory: &Path, name: &str) -> Result<(), LockError> {
    let path = directory.join(name);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(LockError::Held(name.to_owned())),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    let mut text = Vec::new();
    io::Read::take(&file, 64).read_to_end(&mut text)?;
    if text != OURS {
        let process = process(name).ok_or_else(|| LockError::Unclear(name.to_owned()))?;
        // A process that has our number was before us.
        if process.as_raw_nonzero().get().unsigned_abs() != std::process::id() && lives(process) {
            return Err(LockError::Held(name.to_owned()));
        }
    }
    tracing::warn!(file = name, "Lock file of an agent that runs no more taken over");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _gone => Ok(()),
    }
}

/// The process number in `agent_<process>.lock` or `agent_<process>_<random>.lock`.
fn process(name: &str) -> Option<Pid> {
    let numbers = name.strip_prefix("agent_")?.strip_suffix(".lock")?;
    let process = numbers.split_once('_').map_or(numbers, |(process, _)| process);
    Pid::from_raw(process.parse().ok().filter(|&process| process > 0)?)
}

/// Whether there is such a process; one that is not ours to signal lives too.
fn lives(process: Pid) -> bool {
    test_kill_process(process) != Err(rustix::io::Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks(directory: &Path) -> usize {
        others(directory, "").unwrap().len()
    }

    #[test]
    fn one_reader_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        assert!(matches!(Lock::take(dir.path()), Err(LockError::Held(_))));
        assert_eq!(locks(dir.path()), 1);
        drop(lock);
        assert_eq!(locks(dir.path()), 0);
        Lock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_lock_that_was_left_behind_is_taken_over_and_one_in_use_is_not() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = child.id();
        child.wait().unwrap();
        let ours = std::process::id();
        let parent = std::os::unix::process::parent_id();
        let table = [
            (format!("agent_{gone}.lock"), "", true),
            (format!("agent_{gone}_ab12.lock"), "", true),
            (format!("agent_{ours}_ab12.lock"), "", true),
            (format!("agent_{parent}_ab12.lock"), "outpost\n", true),
            (format!("agent_{parent}.lock"), "", false),
            (format!("agent_{parent}_ab12.lock"), "", false),
            ("agent.lock".to_owned(), "", false),
            ("agent_x_1.lock".to_owned(), "", false),
            ("agent_-1.lock".to_owned(), "", false),
        ];
        for (name, text, taken) in table {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(&name), text).unwrap();
            let lock = Lock::take(dir.path());
            assert_eq!(lock.is_ok(), taken, "{name}: {lock:?}");
            assert_eq!(dir.path().join(&name).exists(), !taken, "{name}");
            assert_eq!(locks(dir.path()), 1, "{name}");
        }
    }
}

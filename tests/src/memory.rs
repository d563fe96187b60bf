//! A bound on the memory of a process and of what the kernel keeps for it, by a control group of its own.

use crate::parts;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A control group. Dropped, it is removed; its processes are gone by then.
#[derive(Debug)]
pub struct MemoryCap {
    group: PathBuf,
    script: String,
}

impl MemoryCap {
    /// A group whose processes may have this many bytes together, or none when the story has to be skipped.
    pub fn new(bytes: u64) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !parts::root("bounding memory") {
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("outpost-{}-{number}", std::process::id());
        // Version 1 of control groups has a folder a controller, version 2 one for all.
        let top = Path::new("/sys/fs/cgroup");
        let versions =
            [(top.join("memory"), "memory.limit_in_bytes"), (top.to_owned(), "memory.max")];
        for (folder, limit) in versions {
            let group = folder.join(&name);
            if std::fs::create_dir(&group).is_err() {
                continue;
            }
            let procs = group.join("cgroup.procs");
            let script = format!("echo $$ > '{}' && exec \"$@\"", procs.display());
            let cap = Self { group, script };
            if std::fs::write(cap.group.join(limit), bytes.to_string()).is_ok() {
                return Some(cap);
            }
        }
        parts::skip("control groups do not bound memory here");
        None
    }

    /// What goes before a command line that is to run in the group.
    pub fn words(&self) -> [&str; 4] {
        ["sh", "-c", &self.script, "sh"]
    }
}

impl Drop for MemoryCap {
    fn drop(&mut self) {
        drop(std::fs::remove_dir(&self.group));
    }
}

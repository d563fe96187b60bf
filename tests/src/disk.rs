//! A small file system of its own, mounted for one story: it can be filled, lose its power, or fail.
//!
//! Needs root; without it, or where nothing can be mounted, the story is skipped.

use crate::patience::wait_until;
use crate::{binary::text, parts};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// FS_IOC_SHUTDOWN with NOLOGFLUSH: what is not on the disk now, the journal included, never gets there. From Perl,
/// which the project needs anyway, because the call has no safe form here.
const CUT: &str =
    r#"open D, "<", $ARGV[0] or die $!; ioctl(D, 0x8004587d, $how = pack("L", 2)) or die $!"#;

/// A mounted file system. Dropped, it is unmounted and gone.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    image: Option<PathBuf>,
    options: String,
}

impl Disk {
    /// Ext4 on a file. It goes read-only at an error, as usual.
    pub fn ext4(mebibytes: u64) -> Option<Self> {
        Self::ext4_with(mebibytes, "")
    }

    /// Ext4 on a file, with more mount options.
    pub fn ext4_with(mebibytes: u64, options: &str) -> Option<Self> {
        let path = folder()?;
        let image = path.with_extension("img");
        let file = File::create(&image).expect("the target folder takes a file");
        file.set_len(mebibytes << 20).expect("a sparse file has any length");
        succeeded(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        let options = format!("loop,errors=remount-ro{options}");
        Self { path, image: Some(image), options }.mounted()
    }

    /// Memory.
    pub fn tmpfs(mebibytes: u64) -> Option<Self> {
        Self { path: folder()?, image: None, options: format!("size={mebibytes}m") }.mounted()
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Free bytes.
    pub fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.path).expect("a mounted file system");
        stat.f_bavail * stat.f_frsize
    }

    /// Writes a file that leaves this many bytes free, and gives its path.
    pub fn fill(&self, leave: u64) -> PathBuf {
        let path = self.path.join("somebody-elses");
        let bytes = self.free().saturating_sub(leave).max(1).to_string();
        succeeded(Command::new("fallocate").args(["-l", &bytes]).arg(&path));
        path
    }

    /// The power goes: what was not synced is lost. Processes that use the disk get errors until [`Disk::restore`].
    pub fn cut_power(&self) {
        succeeded(Command::new("perl").args(["-e", CUT]).arg(&self.path));
    }

    /// The disk fails: the kernel gives its journal up and writes no more.
    pub fn fail(&self) {
        succeeded(Command::new("mount").args(["-o", "remount,abort"]).arg(&self.path));
    }

    /// Mounts it again, as after a restart of the machine. Nothing may use it.
    pub fn restore(&self) {
        let probe = self.path.join("probe");
        wait_until("a disk mounted anew", || {
            if !self.unmount(&[]) {
                return None;
            }
            succeeded(&mut self.mount());
            // Where somebody else still has it mounted, this was the old mount, with all its troubles.
            std::fs::write(&probe, "").and_then(|()| std::fs::remove_file(&probe)).ok()
        });
    }

    fn mounted(self) -> Option<Self> {
        let output = self.mount().output().expect("mount starts");
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            parts::skip(&format!("mounting a file system ({})", why.trim()));
            return None;
        }
        Some(self)
    }

    fn mount(&self) -> Command {
        let mut mount = Command::new("mount");
        mount.args(["-o", &self.options]);
        match &self.image {
            Some(image) => mount.args(["-t", "ext4"]).arg(image),
            None => mount.args(["-t", "tmpfs", "tmpfs"]),
        };
        mount.arg(&self.path);
        mount
    }

    fn unmount(&self, options: &[&str]) -> bool {
        let output = Command::new("umount").args(options).arg(&self.path).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if !self.unmount(&[]) {
            // A process that still uses it keeps what is left of it to itself.
            self.unmount(&["-l"]);
        }
        drop(std::fs::remove_dir(&self.path));
        drop(self.image.as_ref().map(std::fs::remove_file));
    }
}

fn folder() -> Option<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if !parts::root("mounting a file system") {
        return None;
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = crate::root().join(format!("target/tmp/disk-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).expect("the target folder takes a folder");
    Some(path)
}

/// Runs a command to its end.
///
/// # Panics
///
/// When it fails.
#[track_caller]
pub(crate) fn succeeded(command: &mut Command) -> Output {
    let program = text(Path::new(command.get_program())).to_owned();
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

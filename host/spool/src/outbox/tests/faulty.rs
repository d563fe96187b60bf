//! The real disk, with faults on the files of segments.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};

use crate::outbox::fs::{Disk, Fs, FsFile, Open};
use crate::outbox::segment::HEADER_BYTES;

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    Write,
    /// Half of the bytes are written, then it fails.
    ShortWrite,
    Sync,
    /// A new segment's file, or the space set aside for one.
    Create,
    Rename,
    SyncDir,
    Read,
    /// A second name for a file.
    Link,
    /// Space set aside.
    Reserve,
}

#[derive(Debug)]
pub(super) struct Faulty {
    faults: Arc<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    plan: Mutex<HashMap<Op, (i32, io::ErrorKind, u64)>>,
    free: Mutex<Option<u64>>,
    /// Bytes of every segment that cannot be read.
    unreadable: Mutex<Range<u64>>,
    still: RwLock<()>,
    /// Writes of records past the length that a segment had when it was last synced.
    stretched: AtomicU64,
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn FsFile>,
    /// Its length when it was last synced.
    synced: AtomicU64,
    faults: Arc<Faults>,
}

impl Faulty {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { faults: Arc::default() })
    }

    /// Lets the next `times` of `op` fail.
    pub(super) fn fail(&self, op: Op, error: io::Error, times: u64) {
        let code = error.raw_os_error().unwrap_or(0);
        self.faults.plan.lock().insert(op, (code, error.kind(), times));
    }

    /// Lets nothing fail any more.
    pub(super) fn mend(&self) {
        self.faults.plan.lock().clear();
    }

    /// Lets these bytes of every segment be unreadable.
    pub(super) fn lose(&self, bytes: Range<u64>) {
        *self.faults.unreadable.lock() = bytes;
    }

    /// Says how much space is free.
    pub(super) fn free(&self, bytes: u64) {
        *self.faults.free.lock() = Some(bytes);
    }

    /// How many writes of records depended on more than their own blocks.
    pub(super) fn stretched(&self) -> u64 {
        self.faults.stretched.load(Ordering::Relaxed)
    }

    /// Lets writes stand still until the guard goes.
    pub(super) fn hold(&self) -> RwLockWriteGuard<'_, ()> {
        self.faults.still.write()
    }
}

impl Faults {
    fn check(&self, op: Op) -> io::Result<()> {
        let mut plan = self.plan.lock();
        let Some((code, kind, times)) = plan.get_mut(&op).filter(|fault| fault.2 > 0) else {
            return Ok(());
        };
        *times -= 1;
        Err(if *code == 0 { io::Error::from(*kind) } else { io::Error::from_raw_os_error(*code) })
    }
}

/// Whether it is a segment, or the space set aside for one.
fn is_segment(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("segment-") || name == "spare.segment"
}

impl Fs for Faulty {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        Disk.create_dir(dir)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn FsFile>> {
        if !is_segment(path) {
            return Disk.open(path, how);
        }
        if how == Open::Fresh {
            self.faults.check(Op::Create)?;
        }
        let file = Disk.open(path, how)?;
        let synced = AtomicU64::new(0);
        Ok(Box::new(FaultyFile { file, synced, faults: Arc::clone(&self.faults) }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        Disk.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if is_segment(to) {
            self.faults.check(Op::Rename)?;
        }
        Disk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.faults.check(Op::Link)?;
        Disk.link(from, to)
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.copy(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.faults.check(Op::SyncDir)?;
        Disk.sync_dir(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.faults.free.lock().map_or_else(|| Disk.free_bytes(dir), Ok)
    }
}

impl FsFile for FaultyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let _still = self.faults.still.read();
        self.faults.check(Op::Write)?;
        if let Err(error) = self.faults.check(Op::ShortWrite) {
            self.file.write_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(error);
        }
        let is_record = offset >= HEADER_BYTES as u64 && bytes.iter().any(|byte| *byte != 0);
        let end = offset + bytes.len() as u64;
        let is_past = end > self.synced.load(Ordering::Relaxed);
        self.faults.stretched.fetch_add(u64::from(is_record && is_past), Ordering::Relaxed);
        self.file.write_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.faults.check(Op::Read)?;
        let lost = self.faults.unreadable.lock();
        if offset < lost.end && offset + bytes.len() as u64 > lost.start {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.file.read_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.faults.check(Op::Sync)?;
        self.file.sync()?;
        self.synced.store(self.file.len()?, Ordering::Relaxed);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        self.faults.check(Op::Reserve)?;
        self.file.reserve(bytes)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }
}

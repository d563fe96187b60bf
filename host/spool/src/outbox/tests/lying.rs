//! A file system in memory that keeps the letter of the contract and no more, and the outbox on it.
//!
//! What was not synced may be gone after a crash, or be there in part: any subset of the writes since the last sync, each
//! torn at sectors. A name that was made, moved or removed is safe only when its directory was synced; of those that
//! were not, a crash keeps the first few. A sync that fails forgets what it should have written: it is still read, and
//! never becomes durable, whatever later syncs say.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::outbox::fs::{Fs, FsFile, Open};

const SECTOR: usize = 512;

#[derive(Debug)]
struct Lying {
    world: Mutex<World>,
    /// After a crash nothing that the former life does has any effect.
    dead: AtomicBool,
    /// Syncs say that they are done and do nothing.
    no_syncs: bool,
    /// So many syncs of files will fail.
    failing: Mutex<u64>,
}

#[derive(Debug, Default)]
struct World {
    names: BTreeMap<PathBuf, Arc<Mutex<Contents>>>,
    durable_names: BTreeMap<PathBuf, Arc<Mutex<Contents>>>,
    /// Changes of names since the directory was synced.
    changes: Vec<(PathBuf, Option<Arc<Mutex<Contents>>>)>,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    now: Vec<u8>,
    durable: Vec<u8>,
    writes: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug)]
struct LyingFile {
    fs: Arc<Lying>,
    contents: Arc<Mutex<Contents>>,
}

/// A handle, because a file holds on to its file system.
#[derive(Clone, Debug)]
struct Handle(Arc<Lying>);

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

impl Contents {
    fn put(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
        if bytes.len() < at + what.len() {
            bytes.resize(at + what.len(), 0);
        }
        bytes[at..at + what.len()].copy_from_slice(what);
    }

    /// What the disk holds after a crash.
    fn crashed(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (at, what) in &self.writes {
            match dice.below(4) {
                0 => {}
                1 => Self::put(&mut bytes, *at, what),
                // The length is there, and some of the sectors.
                2 => {
                    Self::put(&mut bytes, *at, &vec![0; what.len()]);
                    for (number, sector) in what.chunks(SECTOR).enumerate() {
                        if dice.below(2) == 0 {
                            Self::put(&mut bytes, at + number * SECTOR, sector);
                        }
                    }
                }
                _ => Self::put(&mut bytes, *at, &what[..dice.below(what.len() + 1)]),
            }
        }
        bytes
    }
}

impl Lying {
    fn mounted(no_syncs: bool) -> Handle {
        let world = Mutex::default();
        Handle(Arc::new(Self {
            world,
            dead: AtomicBool::new(false),
            no_syncs,
            failing: Mutex::new(0),
        }))
    }
}

impl Handle {
    fn alive(&self) -> io::Result<()> {
        if self.0.dead.load(Ordering::Acquire) { Err(libc_eio()) } else { Ok(()) }
    }

    fn rename_to(&self, world: &mut World, path: &Path, to: Option<Arc<Mutex<Contents>>>) {
        match &to {
            Some(contents) => world.names.insert(path.to_owned(), Arc::clone(contents)),
            None => world.names.remove(path),
        };
        world.changes.push((path.to_owned(), to));
    }

    /// The power goes, and comes back.
    fn crash(&self, seed: u64) -> Handle {
        let mut dice = Dice(seed | 1);
        let world = self.0.world.lock();
        self.0.dead.store(true, Ordering::Release);
        let mut names = world.durable_names.clone();
        let kept = dice.below(world.changes.len() + 1);
        for (path, to) in &world.changes[..kept] {
            match to {
                Some(contents) => names.insert(path.clone(), Arc::clone(contents)),
                None => names.remove(path),
            };
        }
        // It works again, too.
        let again = Lying::mounted(self.0.no_syncs);
        let mut after = again.0.world.lock();
        for (path, contents) in names {
            let bytes = contents.lock().crashed(&mut dice);
            let contents = Contents { now: bytes.clone(), durable: bytes, writes: Vec::new() };
            after.names.insert(path, Arc::new(Mutex::new(contents)));
        }
        after.durable_names = after.names.clone();
        drop(after);
        again
    }
}

impl Fs for Handle {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn FsFile>> {
        let mut world = self.0.world.lock();
        self.alive()?;
        let contents = match (world.names.get(path).cloned(), how) {
            (None, Open::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (Some(contents), Open::Existing | Open::OrCreate) => contents,
            // A fresh file in place of another; cutting the old one short would not be seen apart from that.
            (None, Open::OrCreate) | (_, Open::Fresh) => {
                let contents = Arc::<Mutex<Contents>>::default();
                self.rename_to(&mut world, path, Some(Arc::clone(&contents)));
                contents
            }
        };
        Ok(Box::new(LyingFile { fs: Arc::clone(&self.0), contents }))
    }

    fn list(&self, _dir: &Path) -> io::Result<Vec<String>> {
        let world = self.0.world.lock();
        Ok(world
            .names
            .keys()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.0.world.lock();
        self.alive()?;
        let contents = world.names.get(from).cloned().ok_or(io::ErrorKind::NotFound)?;
        self.rename_to(&mut world, to, Some(contents));
        self.rename_to(&mut world, from, None);
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.0.world.lock();
        self.alive()?;
        let contents = world.names.get(from).cloned().ok_or(io::ErrorKind::NotFound)?;
        self.rename_to(&mut world, to, Some(contents));
        Ok(())
    }

    fn copy(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.0.world.lock();
        self.alive()?;
        if !world.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.rename_to(&mut world, path, None);
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut world = self.0.world.lock();
        self.alive()?;
        if !self.0.no_syncs {
            world.durable_names = world.names.clone();
            world.changes.clear();
        }
        Ok(())
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

impl FsFile for LyingFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // Under the lock of names, so that a crash falls between two writes.
        let _world = self.fs.world.lock();
        Handle(Arc::clone(&self.fs)).alive()?;
        let mut contents = self.contents.lock();
        Contents::put(&mut contents.now, offset as usize, bytes);
        contents.writes.push((offset as usize, bytes.to_vec()));
        Ok(())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let contents = self.contents.lock();
        let rest = contents.now.get(offset as usize..).unwrap_or_default();
        let got = rest.len().min(bytes.len());
        bytes[..got].copy_from_slice(&rest[..got]);
        Ok(got)
    }

    fn sync(&self) -> io::Result<()> {
        let _world = self.fs.world.lock();
        Handle(Arc::clone(&self.fs)).alive()?;
        let mut contents = self.contents.lock();
        let mut failing = self.fs.failing.lock();
        if *failing > 0 {
            *failing -= 1;
            contents.writes.clear();
            return Err(libc_eio());
        }
        if !self.fs.no_syncs {
            for (at, what) in std::mem::take(&mut contents.writes) {
                Contents::put(&mut contents.durable, at, &what);
            }
            // A file that was cut short is as short on the disk.
            let len = contents.now.len();
            contents.durable.resize(len, 0);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.contents.lock().now.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _world = self.fs.world.lock();
        Handle(Arc::clone(&self.fs)).alive()?;
        self.contents.lock().now.resize(len as usize, 0);
        Ok(())
    }

    fn reserve(&self, _bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(u8),
    /// Waits until everything is durable, and so acknowledged.
    Settle,
    Read,
    Commit(u8),
    Crash(u64),
    /// So many syncs will fail, and forget.
    Fail(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..30).prop_map(Step::Append),
        3 => Just(Step::Settle),
        2 => Just(Step::Read),
        2 => any::<u8>().prop_map(Step::Commit),
        3 => any::<u64>().prop_map(Step::Crash),
        1 => (1u64..3).prop_map(Step::Fail),
    ]
}

/// Runs the steps and gives the acknowledged records that a crash took.
fn lost(steps: &[Step], no_syncs: bool) -> u64 {
    let dir = Path::new("outbox");
    let mut fs = Lying::mounted(no_syncs);
    let open = |fs: &Handle| Outbox::open_on(Arc::new(fs.clone()), dir, small()).unwrap();
    let mut outbox = open(&fs);
    let mut reader = outbox.reader("a").unwrap();
    let (mut acknowledged, mut committed, mut lost) = (0, 0, 0);
    for step in steps {
        match step {
            Step::Append(count) => {
                for _ in 0..*count {
                    let seq = outbox.status().next_seq;
                    if outbox.append(&payload(seq), Class::Durable).is_err() {
                        break;
                    }
                }
            }
            Step::Settle => {
                let status = || outbox.status();
                until("durable", || status().durable_seq + 1 == status().next_seq);
                acknowledged = status().durable_seq;
            }
            Step::Read => {
                let found = read_all(&mut reader);
                assert!(
                    found.iter().all(|(seq, _, bytes)| bytes.as_deref() == Some(&payload(*seq)))
                );
            }
            Step::Commit(share) => {
                let read = reader.position();
                // Its sync may be one that fails.
                let _noted =
                    reader.commit(committed + (read - committed) * u64::from(*share) / 255);
                committed = reader.done();
            }
            Step::Fail(times) => *fs.0.failing.lock() = *times,
            Step::Crash(seed) => {
                // What is durable by now was acknowledged before the crash; nothing later is.
                acknowledged = acknowledged.max(outbox.status().durable_seq);
                let after = fs.crash(*seed);
                let _cut_off = outbox.close(Duration::ZERO);
                drop((reader, outbox));
                fs = after;
                outbox = open(&fs);
                reader = outbox.reader("a").unwrap();
                let done = reader.done();
                assert!(done <= committed, "{done} of {committed}");
                committed = done;
                let found = read_all(&mut reader);
                let mut next = done + 1;
                for (first, last, bytes) in found {
                    assert_eq!(first, next);
                    match bytes {
                        Some(bytes) => assert_eq!(bytes, payload(first)),
                        None => lost += last.min(acknowledged).saturating_sub(first - 1),
                    }
                    next = last + 1;
                }
                lost += (acknowledged + 1).saturating_sub(next);
                acknowledged = outbox.status().durable_seq;
            }
        }
    }
    lost
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_power_cut_takes_what_was_acknowledged(steps in prop::collection::vec(step(), 1..40)) {
        assert_eq!(lost(&steps, false), 0);
    }
}

/// The model is worth something only if it finds the loss where there is one.
#[test]
fn without_syncs_the_model_sees_the_loss() {
    let steps: Vec<Step> = (0..20)
        .flat_map(|round| [Step::Append(20), Step::Settle, Step::Crash(round * 7919 + 3)])
        .collect();
    assert!(lost(&steps, true) > 0);
    assert_eq!(lost(&steps, false), 0);
}

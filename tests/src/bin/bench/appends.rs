//! Making records durable: the outbox against a key-value store and against the bare device, and opening again.
//!
//! Every contender gets the same incompressible records of 1 KiB in the same batches, from one thread, and a batch counts
//! when it is on the disk. The device is a file that grows by the batch's bytes and one `fdatasync`: nothing that
//! promises durability can be faster.

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use spool::{Class, Outbox, OutboxSettings};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Records that become durable together.
pub(crate) const BATCHES: [usize; 3] = [1, 64, 1024];
/// Records in the outbox that is opened again.
pub(crate) const REOPENED: usize = 1_000_000;
const RECORD_BYTES: usize = 1024;
const TIME: Duration = Duration::from_secs(2);
const REOPENINGS: usize = 5;

/// Who makes them durable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Store {
    Outbox,
    Fjall,
    Device,
}

impl Store {
    /// In the order of the report.
    pub(crate) const ALL: [Self; 3] = [Self::Outbox, Self::Fjall, Self::Device];

    /// As the report says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Outbox => "outbox",
            Self::Fjall => "fjall, `SyncData`",
            Self::Device => "bare file, `fdatasync`",
        }
    }

    /// Durable records a second, in batches of `batch`.
    pub(crate) fn rate(self, batch: usize) -> f64 {
        let home = folder();
        let records = records(batch);
        match self {
            Self::Outbox => {
                let outbox = outbox(home.path());
                let rate = repeat(batch, || append(&outbox, &records));
                outbox.close(Duration::from_secs(60)).expect("the disk works");
                rate
            }
            Self::Fjall => {
                let database = Database::builder(home.path()).open().expect("a database");
                let keys = database
                    .keyspace("records", KeyspaceCreateOptions::default)
                    .expect("a keyspace");
                let mut next = 0u64;
                repeat(batch, || {
                    let mut batch = database.batch().durability(Some(PersistMode::SyncData));
                    for record in &records {
                        batch.insert(&keys, next.to_be_bytes(), record);
                        next += 1;
                    }
                    batch.commit().expect("the disk works");
                })
            }
            Self::Device => {
                let file = File::create(home.path().join("file")).expect("a file");
                let (bytes, mut end) = (records.concat(), 0);
                repeat(batch, || {
                    file.write_all_at(&bytes, end).expect("the disk works");
                    file.sync_data().expect("the disk works");
                    end += bytes.len() as u64;
                })
            }
        }
    }
}

/// The time that opening an outbox with [`REOPENED`] records takes after a kill, the median of a few; nothing of it is
/// in memory if this process may say so to the system.
pub(crate) fn reopening() -> Duration {
    let home = folder();
    let records = records(1024);
    let filled = outbox(home.path());
    for _ in 0..REOPENED.div_ceil(records.len()) {
        append(&filled, &records);
    }
    // No cursor and no mark of a rest: as a kill leaves it, the newest segment has to be read.
    filled.close(Duration::from_secs(60)).expect("the disk works");
    drop(filled);
    let mut times: Vec<Duration> = (0..REOPENINGS)
        .map(|_| {
            std::fs::remove_file(home.path().join("durable.mark")).expect("the mark is there");
            // Only root may; others measure with a warm cache.
            drop(std::fs::write("/proc/sys/vm/drop_caches", "3"));
            let begun = Instant::now();
            let outbox = Outbox::open(home.path(), settings()).expect("it opens");
            let took = begun.elapsed();
            assert!(outbox.status().next_seq > REOPENED as u64);
            drop(outbox);
            took
        })
        .collect();
    times.sort();
    times[REOPENINGS / 2]
}

fn append(outbox: &Outbox, records: &[Vec<u8>]) {
    let mut last = None;
    for record in records {
        last = Some(outbox.append(record, Class::Durable).expect("there is room"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(last.expect("a batch has records").settled()).expect("the disk works");
}

fn outbox(home: &Path) -> Outbox {
    Outbox::open(home, settings()).expect("the folder is ours")
}

fn settings() -> OutboxSettings {
    OutboxSettings { max_bytes: 16 << 30, ..OutboxSettings::default() }
}

/// On the disk that the build is on: a folder for temporary files may be memory.
fn folder() -> TempDir {
    let parent = tests::root().join("target/tmp");
    std::fs::create_dir_all(&parent).expect("the target folder takes a folder");
    tempfile::tempdir_in(parent).expect("a scratch folder")
}

/// Records that do not compress and differ from each other.
fn records(count: usize) -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..count).map(|_| (0..RECORD_BYTES).map(|_| byte()).collect()).collect()
}

/// Records a second.
fn repeat(batch: usize, mut work: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < TIME {
        work();
        done += batch;
    }
    done as f64 / begun.elapsed().as_secs_f64()
}

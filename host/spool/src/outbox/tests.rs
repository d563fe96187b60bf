//! The outbox through its own face, on a disk that works; in the modules, on disks that fail and lie.

mod failing;
mod faulty;
mod losses;
mod lying;
mod model;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::faulty::{Faulty, Op};
use super::*;

/// Makes one setting wrong.
type Change = fn(&mut OutboxSettings);

const SOON: Duration = Duration::from_secs(20);

pub(super) fn small() -> OutboxSettings {
    OutboxSettings {
        record_bytes: 1000,
        segment_bytes: 4096,
        max_bytes: 64 << 10,
        min_free_bytes: 0,
        queue_records: 64,
        queue_bytes: 4048,
        observe_window: Duration::from_millis(1),
        when_full: WhenFull::RejectNew,
        ..OutboxSettings::default()
    }
}

pub(super) fn payload(seq: u64) -> Vec<u8> {
    format!("record {seq} {}", "x".repeat((seq % 90) as usize)).into_bytes()
}

fn append(outbox: &Outbox, count: u64) {
    for _ in 0..count {
        let seq = outbox.status().next_seq;
        let receipt = outbox.append(&payload(seq), Class::Durable).expect("there is room");
        assert_eq!(receipt.seq(), seq);
        settled(receipt).expect("the disk works");
    }
}

fn settled(receipt: Receipt) -> Result<(), Stopped> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime
        .block_on(async { tokio::time::timeout(SOON, receipt.settled()).await.expect("in time") })
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::yield_now();
    }
}

/// Everything that is there for the reader, as (first, last, payload).
pub(super) fn read_all(reader: &mut Reader) -> Vec<(u64, u64, Option<Vec<u8>>)> {
    let mut out = Vec::new();
    loop {
        let batch = reader.next(7, 300, Duration::ZERO).expect("the disk works");
        if batch.is_empty() {
            return out;
        }
        out.extend(batch.iter().map(|entry| match entry {
            Entry::Record { id, payload } => (id.seq, id.seq, Some(payload.to_vec())),
            Entry::Gap { first, last, .. } => (first, last, None),
        }));
    }
}

fn whole(seqs: std::ops::RangeInclusive<u64>) -> Vec<(u64, u64, Option<Vec<u8>>)> {
    seqs.map(|seq| (seq, seq, Some(payload(seq)))).collect()
}

pub(super) fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .collect();
    paths.sort();
    paths
}

/// The bytes of a segment but for the zeros that were written ahead.
fn without_zeros(path: &Path) -> u64 {
    super::segment::torn_bytes(&fs::read(path).unwrap())
}

#[test]
fn records_are_read_in_order_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    let outbox = Outbox::open(&deep, small()).unwrap();
    append(&outbox, 100);
    let mut reader = outbox.reader("kafka").unwrap();
    assert_eq!(read_all(&mut reader), whole(1..=100));
    reader.commit(40).unwrap();
    let store = outbox.store_id();
    drop(reader);
    drop(outbox);

    let outbox = Outbox::open(&deep, small()).unwrap();
    assert_eq!(outbox.store_id(), store);
    append(&outbox, 3);
    let mut reader = outbox.reader("kafka").unwrap();
    assert_eq!(read_all(&mut reader), whole(41..=103));
    reader.rewind();
    assert_eq!(read_all(&mut reader), whole(41..=103));
}

#[test]
fn files_are_private_and_the_directory_is_locked() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outbox");
    let outbox = Outbox::open(&path, small()).unwrap();
    append(&outbox, 1);
    let _reader = outbox.reader("kafka").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    assert!(matches!(Outbox::open(&path, small()), Err(OpenError::Locked { .. })));
    append(&outbox, 1);
    drop(outbox);
}

#[test]
fn a_record_may_have_exactly_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    settled(outbox.append(&[7; 1000], Class::Durable).unwrap()).unwrap();
    let refused = outbox.append(&[7; 1001], Class::Observe).unwrap_err();
    assert_eq!(refused, Refused::TooLarge { bytes: 1001, limit: 1000 });
    assert_eq!(outbox.status().refused.too_large, 1);
    let mut reader = outbox.reader("a").unwrap();
    assert_eq!(read_all(&mut reader), [(1, 1, Some(vec![7; 1000]))]);
}

#[test]
fn the_queue_takes_exactly_its_bounds_while_the_disk_stands_still() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new();
    let outbox = Outbox::open_on(disk.clone(), dir.path(), small()).unwrap();
    let hold = disk.hold();
    let first = outbox.append(b"with the writer", Class::Durable).unwrap();
    until("the writer has the first", || outbox.status().queued_records == 0);
    for _ in 0..64 {
        outbox.append(b"", Class::Observe).unwrap();
    }
    assert_eq!(outbox.append(b"", Class::Observe).unwrap_err(), Refused::QueueFull);
    assert_eq!(outbox.status().refused.queue_full, 1);
    drop(hold);
    settled(first).unwrap();
    until("the queue is empty", || outbox.status().durable_seq == 65);
    append(&outbox, 1);
}

#[test]
fn at_the_cap_new_records_are_refused_until_the_channel_has_read() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    let mut reader = outbox.reader("kafka").unwrap();
    let mut taken = 0;
    while let Ok(receipt) = outbox.append(&[1; 900], Class::Durable) {
        settled(receipt).unwrap();
        taken += 1;
    }
    let status = outbox.status();
    assert_eq!(status.refused.outbox_full, 1);
    assert!(status.at_cap, "{status:?}");
    assert!(status.stored_bytes <= 64 << 10, "{status:?}");
    assert!(status.stored_bytes > (64 << 10) - 1000, "{status:?}");
    let on_disk: u64 = segments(dir.path()).iter().map(|path| without_zeros(path)).sum();
    assert_eq!(status.stored_bytes, on_disk);

    assert_eq!(read_all(&mut reader).len(), taken);
    reader.commit(taken as u64).unwrap();
    assert_eq!(outbox.status().segments, 1);
    assert_eq!(segments(dir.path()).len(), 1);
    assert!(!outbox.status().at_cap);
    append(&outbox, 10);
}

#[test]
fn a_segment_waits_for_the_slowest_channel_even_without_reader() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    drop(outbox.reader("slow").unwrap());
    let mut fast = outbox.reader("fast").unwrap();
    append(&outbox, 200);
    read_all(&mut fast);
    fast.commit(200).unwrap();
    let status = outbox.status();
    assert!(status.segments > 3);
    let waiting: BTreeMap<_, _> =
        status.channels.iter().map(|c| (c.channel.as_str(), c.waiting_records)).collect();
    assert_eq!(waiting, BTreeMap::from([("fast", 0), ("slow", 200)]));
    let slow = status.channels.iter().find(|c| c.channel == "slow").unwrap();
    assert!(slow.waiting_bytes > status.stored_bytes * 9 / 10 && !slow.attached);
    let mut reader = outbox.reader("slow").unwrap();
    assert_eq!(read_all(&mut reader), whole(1..=200));
    assert!(outbox.status().channels[1].oldest.is_some());
    assert!(matches!(outbox.forget("slow"), Err(ReadError::Attached { .. })));
    drop(reader);
    outbox.forget("slow").unwrap();
    assert_eq!(outbox.status().segments, 1);
}

#[test]
fn channel_names_are_checked_and_taken_once() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    for name in ["", "../x", "Kafka", &"x".repeat(33)] {
        assert!(matches!(outbox.reader(name), Err(ReadError::Name { .. })), "{name}");
    }
    let reader = outbox.reader(&"x".repeat(32)).unwrap();
    assert!(matches!(outbox.reader(&"x".repeat(32)), Err(ReadError::Attached { .. })));
    drop(reader);
    outbox.reader(&"x".repeat(32)).unwrap();
}

#[test]
fn settings_that_contradict_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let wrong: [(&str, Change); 6] = [
        ("segment_bytes", |s| s.segment_bytes = 4095),
        ("max_bytes", |s| s.max_bytes = 2 * 4096 - 1),
        ("record_bytes", |s| s.record_bytes = 0),
        ("queue_bytes", |s| s.queue_bytes = 1031),
        ("queue_bytes", |s| s.queue_bytes = 4049),
        ("queue_records", |s| s.queue_records = 0),
    ];
    for (name, change) in wrong {
        let mut settings = small();
        change(&mut settings);
        match Outbox::open(dir.path(), settings) {
            Err(OpenError::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let edge = OutboxSettings { max_bytes: 8192, queue_bytes: 1032, queue_records: 1, ..small() };
    append(&Outbox::open(dir.path(), edge).unwrap(), 3);
}

#[test]
fn closing_makes_everything_durable_and_refuses_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let settings = OutboxSettings { observe_window: Duration::from_secs(600), ..small() };
    let outbox = Outbox::open(dir.path(), settings).unwrap();
    for seq in 1..=20 {
        outbox.append(&payload(seq), Class::Observe).unwrap();
    }
    assert_eq!(outbox.status().durable_seq, 0);
    outbox.close(SOON).unwrap();
    assert_eq!(outbox.append(b"late", Class::Observe).unwrap_err(), Refused::Closed);
    let status = outbox.status();
    assert_eq!((status.durable_seq, status.state, status.syncs), (20, OutboxState::Closed, 1));
    let mut reader = outbox.reader("a").unwrap();
    assert_eq!(read_all(&mut reader), whole(1..=20));
    outbox.close(SOON).unwrap();
}

#[test]
fn a_durable_record_does_not_wait_for_the_window() {
    let dir = tempfile::tempdir().unwrap();
    let settings = OutboxSettings { observe_window: Duration::from_secs(600), ..small() };
    let outbox = Outbox::open(dir.path(), settings).unwrap();
    outbox.append(&payload(1), Class::Observe).unwrap();
    append(&outbox, 1);
    assert_eq!(outbox.status().durable_seq, 2);
}

#[test]
fn readers_wake_when_a_record_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    let mut reader = outbox.reader("a").unwrap();
    let waiting = std::thread::spawn(move || {
        let begun = Instant::now();
        let batch = reader.next(10, 1000, SOON).unwrap();
        (batch.len(), begun.elapsed())
    });
    append(&outbox, 1);
    let (records, took) = waiting.join().unwrap();
    assert_eq!(records, 1);
    assert!(took < SOON);
}

#[test]
fn the_time_of_each_sync_falls_in_one_class() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    append(&outbox, 20);
    let status = outbox.status();
    assert_eq!(status.syncs, 20);
    assert_eq!(status.sync_times.iter().sum::<u64>(), 20);
}

fn libc_eio() -> std::io::Error {
    std::io::Error::from_raw_os_error(5)
}

//! The outbox through its own face, on a disk that works and on one that fails.

mod faulty;
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
    let on_disk: u64 = segments(dir.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
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
fn whatever_fails_the_batch_is_written_again_with_the_same_numbers() {
    for op in [Op::Write, Op::ShortWrite, Op::Sync, Op::Create, Op::Rename, Op::SyncDir] {
        for times in [1, 3] {
            let dir = tempfile::tempdir().unwrap();
            let disk = Faulty::new();
            if op == Op::Create {
                // With space set aside there is nothing to create.
                let unsupported = std::io::Error::from(std::io::ErrorKind::Unsupported);
                disk.fail(Op::Reserve, unsupported, u64::MAX);
            }
            let outbox = Outbox::open_on(disk.clone(), dir.path(), small()).unwrap();
            append(&outbox, 5);
            if matches!(op, Op::Create | Op::Rename | Op::SyncDir) {
                // These happen only with a new segment.
                disk.fail(Op::Write, libc_eio(), 1);
            }
            disk.fail(op, libc_eio(), times);
            let receipt = outbox.append(&payload(6), Class::Durable).unwrap();
            until("degraded", || matches!(outbox.status().state, OutboxState::Degraded { .. }));
            settled(receipt).unwrap();
            assert!(outbox.status().write_errors >= times, "{op:?}");
            append(&outbox, 5);
            assert_eq!(outbox.status().state, OutboxState::Healthy);
            let mut reader = outbox.reader("a").unwrap();
            assert_eq!(read_all(&mut reader), whole(1..=11), "{op:?}");
            drop(reader);
            drop(outbox);
            let outbox = Outbox::open(dir.path(), small()).unwrap();
            outbox.forget("a").unwrap();
            let mut reader = outbox.reader("b").unwrap();
            assert_eq!(read_all(&mut reader), whole(1..=11), "{op:?} after a restart");
            assert_eq!(outbox.status().lost.total(), 0);
        }
    }
}

#[test]
fn a_full_disk_refuses_and_takes_again_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new();
    let outbox = Outbox::open_on(disk.clone(), dir.path(), small()).unwrap();
    append(&outbox, 5);
    let mut reader = outbox.reader("a").unwrap();
    disk.fail(Op::ShortWrite, std::io::Error::from(std::io::ErrorKind::StorageFull), 1);
    let receipt = outbox.append(&payload(6), Class::Durable).unwrap();
    until("full", || outbox.status().state == OutboxState::DiskFull);
    assert_eq!(outbox.append(b"x", Class::Observe).unwrap_err(), Refused::DiskFull);
    assert_eq!(read_all(&mut reader), whole(1..=5));
    reader.commit(5).unwrap();
    settled(receipt).unwrap();
    append(&outbox, 1);
    assert_eq!(read_all(&mut reader), whole(6..=7));
    assert_eq!(outbox.status().refused.disk_full, 1);
}

#[test]
fn the_floor_of_free_space_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new();
    let settings = OutboxSettings { min_free_bytes: 10_000, ..small() };
    // Too little to set space aside, and exactly enough for a head and a record.
    disk.free(10_000 + 48 + 32 + payload(1).len() as u64);
    let outbox = Outbox::open_on(disk.clone(), dir.path(), settings).unwrap();
    append(&outbox, 1);
    disk.free(10_000 + 32 + payload(2).len() as u64 - 1);
    let receipt = outbox.append(&payload(2), Class::Durable).unwrap();
    until("full", || outbox.status().state == OutboxState::DiskFull);
    disk.free(u64::MAX);
    settled(receipt).unwrap();
}

#[test]
fn closing_gives_up_on_a_disk_that_stays_broken() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new();
    let outbox = Outbox::open_on(disk.clone(), dir.path(), small()).unwrap();
    append(&outbox, 2);
    disk.fail(Op::Sync, libc_eio(), u64::MAX);
    let receipt = outbox.append(&payload(3), Class::Durable).unwrap();
    let error = outbox.close(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.records, 1);
    assert_eq!(settled(receipt), Err(Stopped));
}

#[test]
fn dropping_the_oldest_keeps_the_newest_and_says_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let settings = OutboxSettings { when_full: WhenFull::DropOldest, ..small() };
    let outbox = Outbox::open(dir.path(), settings.clone()).unwrap();
    let mut slow = outbox.reader("slow").unwrap();
    append(&outbox, 30);
    read_all(&mut slow);
    slow.commit(10).unwrap();
    append(&outbox, 2000);
    let status = outbox.status();
    assert!(status.stored_bytes <= 64 << 10, "{status:?}");
    assert!(status.stored_bytes > (64 << 10) - 2 * 4096, "{status:?}");
    assert_eq!(status.refused, Refusals::default());
    slow.rewind();
    let found = read_all(&mut slow);
    let (11, last, None) = found[0] else { panic!("{:?}", found[0]) };
    assert_eq!(found[1..], whole(last + 1..=2030));
    // The ten that the channel had are no loss.
    assert_eq!(status.lost, Losses { dropped: last - 10, ..Losses::default() });
    let [Gap { first: 1, last: noted, why: GapReason::Dropped, .. }] = status.gaps[..] else {
        panic!("{:?}", status.gaps)
    };
    assert_eq!(noted, last);
    drop((slow, outbox));

    let outbox = Outbox::open(dir.path(), settings).unwrap();
    assert_eq!(outbox.status().lost, status.lost);
    let mut other = outbox.reader("other").unwrap();
    assert_eq!(read_all(&mut other), whole(last + 1..=2030), "a new channel begins at the oldest");
    let mut slow = outbox.reader("slow").unwrap();
    let batch = slow.next(1, 1, Duration::ZERO).unwrap();
    let gap = Entry::Gap { first: 11, last, why: GapReason::Dropped };
    assert_eq!(batch.get(0), Some(gap));
    assert_eq!(outbox.status().lost, status.lost);
}

#[test]
fn a_drop_that_a_crash_cut_short_is_finished_on_opening() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    append(&outbox, 200);
    drop(outbox);
    let kept = segments(dir.path());
    let base = |at: usize| {
        segment::Header::decode(&fs::read(&kept[at]).unwrap()).expect("a whole head").base
    };
    let (first, second, third) = (base(0), base(1), base(2));
    let mut ledger = gaps::Ledger::open(&Disk, dir.path()).unwrap();
    ledger.note(first, second - 1, GapReason::Dropped, second - first).unwrap();
    // A gap that only begins in a segment does not make it one that was dropped.
    ledger.note(second, second, GapReason::Dropped, 1).unwrap();
    assert!(third > second + 1);
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    assert_eq!(segments(dir.path()), kept[1..]);
    let mut reader = outbox.reader("a").unwrap();
    assert_eq!(read_all(&mut reader)[0].0, second);
}

#[test]
fn a_loss_is_counted_once_whoever_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    append(&outbox, 200);
    drop(outbox);
    fs::remove_file(&segments(dir.path())[1]).unwrap();
    let mut lost = None;
    for name in ["a", "b", "a"] {
        let outbox = Outbox::open(dir.path(), small()).unwrap();
        let mut reader = outbox.reader(name).unwrap();
        let found = read_all(&mut reader);
        let gaps: Vec<_> = found.iter().filter(|entry| entry.2.is_none()).collect();
        let [(first, last, None)] = gaps[..] else { panic!("{gaps:?}") };
        let expected = Losses { missing: last - first + 1, ..Losses::default() };
        assert_eq!(outbox.status().lost, expected);
        assert_eq!(*lost.get_or_insert((*first, *last)), (*first, *last));
    }
}

#[test]
fn an_unreadable_place_is_given_up_after_five_tries_and_is_a_gap() {
    for links in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let disk = Faulty::new();
        // Records of 32 + 900 bytes, and a block of the disk in the middle.
        let settings = OutboxSettings { segment_bytes: 64 << 10, max_bytes: 128 << 10, ..small() };
        let outbox = Outbox::open_on(disk.clone(), dir.path(), settings).unwrap();
        for _ in 0..30 {
            settled(outbox.append(&[7; 900], Class::Durable).unwrap()).unwrap();
        }
        disk.lose(8192..12_288);
        if !links {
            disk.fail(Op::Link, std::io::Error::from_raw_os_error(1), u64::MAX);
        }
        let mut reader = outbox.reader("a").unwrap();
        let mut errors = 0;
        let batch = loop {
            match reader.next(1000, 1 << 20, Duration::ZERO) {
                Ok(batch) => break batch,
                Err(ReadError::Segment { .. }) => errors += 1,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(errors, 5);
        let mut found: Vec<u64> = batch.iter().map(|entry| entry.last_seq()).collect();
        found.extend(read_all(&mut reader).iter().map(|(_, last, _)| *last));
        // (8192 - 48) / 932 = 8.7 and (12288 - 48) / 932 = 13.1: records 9 to 14 are hit.
        let expected: Vec<u64> = (1..=8).chain(14..=30).collect();
        assert_eq!(found, expected);
        let lost = outbox.status().lost;
        assert_eq!(lost, Losses { damaged: 6, ..Losses::default() });
        assert_eq!(outbox.status().quarantined_segments, 1);
        let kept = dir.path().join("segment-0000000001.quarantine");
        assert!(kept.metadata().unwrap().len() >= 30 * 932);
    }
}

#[test]
fn what_cannot_be_read_on_opening_is_damage_and_never_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    append(&outbox, 20);
    drop(outbox);
    let before = segments(dir.path())[0].metadata().unwrap().len();
    let disk = Faulty::new();
    disk.lose(1000..1001);
    let outbox = Outbox::open_on(disk.clone(), dir.path(), small()).unwrap();
    append(&outbox, 1);
    assert_eq!(segments(dir.path())[0].metadata().unwrap().len(), before);
    assert_eq!(outbox.status().quarantined_segments, 1);
}

#[test]
fn after_an_error_the_last_durable_batch_is_written_again_too() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new();
    let outbox = Outbox::open_on(disk.clone(), dir.path(), small()).unwrap();
    append(&outbox, 5);
    let mut reader = outbox.reader("a").unwrap();
    assert_eq!(read_all(&mut reader), whole(1..=5));
    disk.fail(Op::Sync, libc_eio(), 1);
    append(&outbox, 2);
    // The disk had lied about number 5: what it holds of it is gone.
    let old = &segments(dir.path())[0];
    let mut bytes = fs::read(old).unwrap();
    let end = bytes.len();
    bytes[end - 20..].fill(0);
    fs::write(old, bytes).unwrap();
    reader.rewind();
    assert_eq!(read_all(&mut reader), whole(1..=7));
    reader.commit(3).unwrap();
    drop((reader, outbox));
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    let mut reader = outbox.reader("a").unwrap();
    assert_eq!(read_all(&mut reader), whole(4..=7));
    assert_eq!(outbox.status().lost.total(), 0);
    append(&outbox, 1);
}

#[test]
fn what_was_taken_goes_to_the_space_set_aside_when_the_disk_fills_up() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new();
    let settings = OutboxSettings { min_free_bytes: 10_000, ..small() };
    let outbox = Outbox::open_on(disk.clone(), dir.path(), settings).unwrap();
    append(&outbox, 1);
    let spare = dir.path().join("spare.segment");
    until("space is set aside", || spare.exists());
    disk.free(0);
    // The rest of the first segment, and the spare one: about 8 KiB of records at 32 bytes and more.
    let mut taken = 1;
    loop {
        let Ok(receipt) = outbox.append(&payload(taken + 1), Class::Durable) else { break };
        taken += 1;
        let full = || outbox.status().state == OutboxState::DiskFull;
        until("durable or full", || outbox.status().durable_seq == taken || full());
        if full() {
            drop(receipt);
            break;
        }
    }
    assert!(!spare.exists());
    assert!((80..180).contains(&taken), "{taken}");
    assert_eq!(segments(dir.path()).len(), 2);
    disk.free(u64::MAX);
    until("the rest is durable", || outbox.status().durable_seq == taken);
    let mut reader = outbox.reader("a").unwrap();
    assert_eq!(read_all(&mut reader), whole(1..=taken));
}

#[test]
fn a_file_system_that_sets_nothing_aside_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new();
    let unsupported = std::io::Error::from(std::io::ErrorKind::Unsupported);
    disk.fail(Op::Reserve, unsupported, u64::MAX);
    let outbox = Outbox::open_on(disk.clone(), dir.path(), small()).unwrap();
    append(&outbox, 200);
    assert!(!dir.path().join("spare.segment").exists());
    let mut reader = outbox.reader("a").unwrap();
    assert_eq!(read_all(&mut reader), whole(1..=200));
    drop((reader, outbox));
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    append(&outbox, 3);
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

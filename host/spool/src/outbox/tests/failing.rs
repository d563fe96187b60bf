//! A disk that fails or is full: nothing that was taken is lost, and it goes on by itself.

use std::fs;

use super::*;
use crate::outbox::fs::Open;

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
fn records_go_where_zeros_are_on_the_disk_already() {
    let dir = tempfile::tempdir().unwrap();
    let settings = OutboxSettings { max_bytes: 1 << 20, ..small() };
    for (run, from) in [("first", 1), ("reopened", 401)] {
        let disk = Faulty::new();
        let outbox = Outbox::open_on(disk.clone(), dir.path(), settings.clone()).unwrap();
        append(&outbox, 200);
        let large = outbox.append(&[1; 900], Class::Durable).unwrap();
        settled(large).unwrap();
        append(&outbox, 199);
        assert_eq!(outbox.status().durable_seq, from + 399);
        assert_eq!(disk.stretched(), 0, "{run}");
    }
    // Where no space can be set aside nothing is known of what is ahead.
    let disk = Faulty::new();
    disk.fail(Op::Reserve, std::io::Error::from(std::io::ErrorKind::Unsupported), u64::MAX);
    let outbox = Outbox::open_on(disk.clone(), dir.path(), settings.clone()).unwrap();
    append(&outbox, 5);
    assert!(disk.stretched() > 0);
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
fn what_a_former_run_set_aside_is_used_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    drop(Outbox::open(dir.path(), small()).unwrap());
    // As a kill leaves it.
    let spare = Disk.open(&dir.path().join("spare.segment"), Open::Fresh).unwrap();
    spare.reserve(4096).unwrap();
    let disk = Faulty::new();
    disk.free(0);
    let settings = OutboxSettings { min_free_bytes: 10_000, ..small() };
    let outbox = Outbox::open_on(disk.clone(), dir.path(), settings).unwrap();
    append(&outbox, 3);
    assert_eq!(outbox.status().state, OutboxState::Healthy);
}

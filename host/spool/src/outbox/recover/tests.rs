//! What opening makes of every kind of damage.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::outbox::segment::{self, FRAME_BYTES, HEADER_BYTES};
use crate::outbox::tests::{payload, read_all, segments, small};
use crate::outbox::{Class, OpenError, Outbox, OutboxSettings};

const SOON: Duration = Duration::from_secs(20);

/// Numbers that are read, and ranges that are lost.
type Found = (Vec<u64>, Vec<(u64, u64)>);

/// An outbox with one batch for each number of records in `batches`, closed.
fn filled(dir: &Path, batches: &[usize]) {
    let settings = OutboxSettings { observe_window: Duration::from_secs(600), ..small() };
    let mut next = 1;
    for &batch in batches {
        let outbox = Outbox::open(dir, settings.clone()).unwrap();
        for _ in 0..batch {
            outbox.append(&payload(next), Class::Observe).unwrap();
            next += 1;
        }
        outbox.close(SOON).unwrap();
    }
}

fn reopened(dir: &Path) -> Found {
    let outbox = Outbox::open(dir, small()).unwrap();
    let mut reader = outbox.reader("a").unwrap();
    let (records, gaps): (Vec<_>, Vec<_>) =
        read_all(&mut reader).into_iter().partition(|(_, _, payload)| payload.is_some());
    for (seq, _, found) in &records {
        assert_eq!(found.as_deref(), Some(&payload(*seq)[..]));
    }
    let lost: u64 = gaps.iter().map(|(first, last, _)| last - first + 1).sum();
    assert_eq!(outbox.status().lost.total(), lost);
    let found = (
        records.iter().map(|(seq, _, _)| *seq).collect(),
        gaps.iter().map(|(first, last, _)| (*first, *last)).collect(),
    );
    drop(reader);
    outbox.forget("a").unwrap();
    found
}

/// Where record `seq` lies in the only segment.
fn place(bytes: &[u8], seq: u64) -> std::ops::Range<usize> {
    let mut at = HEADER_BYTES;
    for before in 1..seq {
        at += FRAME_BYTES + payload(before).len();
    }
    assert_eq!(bytes[at + 8], seq as u8);
    at..at + FRAME_BYTES + payload(seq).len()
}

/// Changes the bytes of the newest segment.
fn damage(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let newest = segments(dir).pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    change(&mut bytes);
    fs::write(newest, bytes).unwrap();
}

fn forget_mark(dir: &Path) {
    fs::remove_file(dir.join("durable.mark")).unwrap();
}

fn quarantined(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().ends_with(".quarantine")).count()
}

#[test]
fn garbage_and_zeros_behind_the_end_are_cut_off() {
    for tail in [vec![0; 65_536], (0..700u32).map(|n| ((n * 7919) >> 3) as u8).collect(), vec![1]] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), &[3, 4]);
        let before = fs::read(&segments(dir.path())[0]).unwrap();
        damage(dir.path(), |bytes| bytes.extend(&tail));
        assert_eq!(reopened(dir.path()), ((1..=7).collect(), vec![]));
        assert_eq!(fs::read(&segments(dir.path())[0]).unwrap(), before);
        assert_eq!(quarantined(dir.path()), 0);
    }
}

#[test]
fn a_torn_last_batch_goes_from_the_tear_on_and_its_numbers_are_used_again() {
    let batch: usize = (4..=7).map(|seq| FRAME_BYTES + payload(seq).len()).sum();
    for cut in 1..=batch {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), &[3, 4]);
        forget_mark(dir.path());
        damage(dir.path(), |bytes| bytes.truncate(bytes.len() - cut));
        let (records, gaps) = reopened(dir.path());
        assert!(gaps.is_empty() && records.len() >= 3 && records.len() < 7, "{records:?}");
        assert_eq!(reopened(dir.path()).0, records);
        let outbox = Outbox::open(dir.path(), small()).unwrap();
        assert_eq!(outbox.append(b"x", Class::Observe).unwrap().seq(), records.len() as u64 + 1);
    }
}

#[test]
fn a_hole_in_the_last_batch_is_a_tear() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), &[3, 4]);
    forget_mark(dir.path());
    damage(dir.path(), |bytes| {
        let hole = place(bytes, 5);
        bytes[hole].fill(0);
    });
    assert_eq!(reopened(dir.path()), ((1..=4).collect(), vec![]));
}

#[test]
fn a_hole_in_an_earlier_batch_is_damage_and_the_rest_is_delivered() {
    for bit in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), &[3, 4]);
        let store = Outbox::open(dir.path(), small()).unwrap().store_id();
        forget_mark(dir.path());
        damage(dir.path(), |bytes| {
            let at = place(bytes, 2).start + 5 * bit;
            bytes[at] ^= 1 << bit;
        });
        assert_eq!(reopened(dir.path()), (vec![1, 3, 4, 5, 6, 7], vec![(2, 2)]));
        assert_eq!(quarantined(dir.path()), 1);
        let outbox = Outbox::open(dir.path(), small()).unwrap();
        assert_ne!(outbox.store_id(), store);
        assert_eq!(outbox.append(&payload(8), Class::Observe).unwrap().seq(), 8);
        outbox.close(SOON).unwrap();
        drop(outbox);
        assert_eq!(reopened(dir.path()), (vec![1, 3, 4, 5, 6, 7, 8], vec![(2, 2)]));
    }
}

#[test]
fn a_lost_end_that_the_mark_knows_of_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), &[3, 4]);
    let store = Outbox::open(dir.path(), small()).unwrap().store_id();
    damage(dir.path(), |bytes| {
        let end = place(bytes, 6).start;
        bytes.truncate(end);
    });
    assert_eq!(reopened(dir.path()), ((1..=5).collect(), vec![(6, 7)]));
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    assert_ne!(outbox.store_id(), store);
    assert_eq!(outbox.append(b"x", Class::Observe).unwrap().seq(), 8);
}

#[test]
fn damage_in_a_sealed_segment_costs_what_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), &[20, 20, 20, 20]);
    let all = segments(dir.path());
    assert!(all.len() >= 2);
    let mut bytes = fs::read(&all[0]).unwrap();
    let hole = place(&bytes, 5);
    bytes[hole.start..hole.start + 20].fill(0xee);
    fs::write(&all[0], bytes).unwrap();
    let (records, gaps) = reopened(dir.path());
    assert_eq!(gaps, [(5, 5)]);
    assert_eq!(records, (1..=80).filter(|seq| *seq != 5).collect::<Vec<_>>());
    assert_eq!(quarantined(dir.path()), 1);
}

#[test]
fn a_segment_that_is_gone_or_headless_is_a_gap() {
    for headless in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path(), &[20; 8]);
        let all = segments(dir.path());
        assert!(all.len() >= 3);
        let base = |at: usize| segment::Header::decode(&fs::read(&all[at]).unwrap()).unwrap().base;
        let lost = (base(1), base(2) - 1);
        if headless {
            let mut bytes = fs::read(&all[1]).unwrap();
            bytes[20] ^= 1;
            fs::write(&all[1], bytes).unwrap();
        } else {
            fs::remove_file(&all[1]).unwrap();
        }
        let (records, gaps) = reopened(dir.path());
        assert_eq!(gaps, [lost]);
        assert_eq!(records.len() as u64, 160 - (lost.1 - lost.0 + 1));
        assert_eq!(quarantined(dir.path()), usize::from(headless));
    }
}

#[test]
fn a_damaged_cursor_means_reading_again_from_the_oldest() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), &[5]);
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    let mut reader = outbox.reader("a").unwrap();
    read_all(&mut reader);
    reader.commit(4).unwrap();
    drop((reader, outbox));
    fs::write(dir.path().join("a.cursor"), [0xff; 4096]).unwrap();
    assert_eq!(reopened(dir.path()), ((1..=5).collect(), vec![]));
}

#[test]
fn a_cursor_from_the_future_keeps_numbers_from_being_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), &[5]);
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    let store = outbox.store_id();
    let mut reader = outbox.reader("a").unwrap();
    read_all(&mut reader);
    reader.commit(5).unwrap();
    drop((reader, outbox));
    for path in segments(dir.path()) {
        fs::remove_file(path).unwrap();
    }
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    assert_ne!(outbox.store_id(), store);
    assert_eq!(outbox.append(b"x", Class::Observe).unwrap().seq(), 6);
}

#[test]
fn unknown_files_are_left_alone_and_newer_formats_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), &[5]);
    for name in ["notes.txt", "segment-x.log", "segment-1.log", "segment-0000000009.tmp"] {
        fs::write(dir.path().join(name), "mine").unwrap();
    }
    assert_eq!(reopened(dir.path()), ((1..=5).collect(), vec![]));
    assert_eq!(fs::read(dir.path().join("notes.txt")).unwrap(), b"mine");
    damage(dir.path(), |_| ());
    let path = dir.path().join("segment-0000000001.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    fs::write(&path, bytes).unwrap();
    match Outbox::open(dir.path(), small()) {
        Err(OpenError::TooNew { file, format: 2 }) => assert_eq!(file, path),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_place_that_is_no_directory_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    match Outbox::open(&path, small()) {
        Err(OpenError::Io { file, .. }) => assert!(file.starts_with(&path)),
        other => panic!("{other:?}"),
    }
}

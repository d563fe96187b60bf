//! An outbox that is whole, moving, or damaged, seen from outside.

use std::path::Path;

use super::*;
use crate::outbox::tests::small;
use crate::outbox::{Class, Outbox};

/// Records 1 to `count` over several segments, and a channel that has done with `done`.
fn outbox(dir: &Path, count: u64, done: u64) -> Outbox {
    let outbox = Outbox::open(dir, small()).unwrap();
    for seq in 1..=count {
        outbox.append(&crate::outbox::tests::payload(seq), Class::Observe).unwrap();
        while outbox.status().durable_seq < seq {
            std::thread::yield_now();
        }
    }
    let mut reader = outbox.reader("kafka").unwrap();
    while reader.done() < done {
        let last = reader.next(1, 1, Duration::ZERO).unwrap().get(0).unwrap().last_seq();
        reader.commit(last).unwrap();
    }
    outbox
}

fn seqs(dir: &Path) -> Vec<u64> {
    let mut seqs = Vec::new();
    let take = |record: ArchivedRecord<'_>| {
        assert_eq!(record.payload, crate::outbox::tests::payload(record.id.seq));
        seqs.push(record.id.seq);
        Ok::<_, ArchiveError>(())
    };
    Archive::open(dir).unwrap().records(1..=u64::MAX, take).unwrap();
    seqs
}

fn check(dir: &Path) -> Report {
    Archive::open(dir).unwrap().check(|_, _| {}).unwrap()
}

/// Changes the bytes of a file.
fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_running_outbox_tells_what_waits_for_whom() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path(), 200, 150);
    let before: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    let live = outbox.status();
    let status = Archive::open(dir.path()).unwrap().status().unwrap();
    assert_eq!(status.store_id, Some(live.store_id));
    assert_eq!((status.last_seq, status.segments), (200, live.segments));
    assert!(status.bytes >= live.stored_bytes, "there may be zeros in front of the records");
    let [kafka] = &status.channels[..] else { panic!("{status:?}") };
    assert_eq!((kafka.channel.as_str(), kafka.done_seq), ("kafka", Some(150)));
    assert_eq!(kafka.waiting_records, 50);
    assert!(kafka.waiting_bytes > 50 * 32 && kafka.waiting_bytes < status.bytes, "{kafka:?}");
    assert!(kafka.oldest.unwrap().elapsed().unwrap() < Duration::from_secs(60));
    assert!(check(dir.path()).is_sound());
    let after: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(before, after, "looking makes and removes nothing");
    drop(outbox);
    assert_eq!(Archive::open(dir.path()).unwrap().status().unwrap().bytes, live.stored_bytes);
}

#[test]
fn looking_while_it_moves_finds_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path(), 1, 0);
    let mut reader = outbox.reader("late").unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for seq in 2..=3000 {
                while outbox.append(&crate::outbox::tests::payload(seq), Class::Observe).is_err() {
                    outbox.forget("kafka").unwrap();
                    let batch = reader.next(256, 1 << 20, Duration::from_millis(10)).unwrap();
                    if let Some(last) = batch.iter().last() {
                        reader.commit(last.last_seq()).unwrap();
                    }
                }
            }
        });
        while !writing.is_finished() {
            let report = check(dir.path());
            assert!(report.is_sound(), "{report:?}");
            let status = Archive::open(dir.path()).unwrap().status().unwrap();
            assert_eq!(status.lost, Losses::default());
        }
    });
}

#[test]
fn every_record_is_given_out_and_of_a_range_only_that() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path(), 200, 0);
    assert_eq!(seqs(dir.path()), (1..=200).collect::<Vec<_>>());
    drop(outbox);
    let archive = Archive::open(dir.path()).unwrap();
    let mut found = Vec::new();
    let take = |record: ArchivedRecord<'_>| {
        found.push(record.id.seq);
        Ok::<_, ArchiveError>(())
    };
    archive.records(42..=142, take).unwrap();
    assert_eq!(found, (42..=142).collect::<Vec<_>>());
    assert_eq!(archive.waiting("kafka").unwrap(), 1..=u64::MAX);
    let error = archive.waiting("kafak").unwrap_err().to_string();
    assert!(error.contains("\"kafak\"") && error.contains("kafka"), "{error}");
}

#[test]
fn a_flipped_bit_costs_its_record_and_is_found() {
    let dir = tempfile::tempdir().unwrap();
    drop(outbox(dir.path(), 200, 0));
    let sound = check(dir.path());
    assert_eq!((sound.records, sound.is_sound()), (200, true), "{sound:?}");
    change(&dir.path().join(segment_name(2)), |bytes| bytes[HEADER_BYTES + 33] ^= 1);
    let report = check(dir.path());
    assert_eq!(report.records, 199);
    let [finding] = &report.findings[..] else { panic!("{report:?}") };
    assert_eq!(finding.file, segment_name(2));
    assert!(finding.what.contains("at byte 48: damaged"), "{finding:?}");
    assert_eq!(seqs(dir.path()).len(), 199);
}

#[test]
fn what_is_missing_is_found_unless_the_ledger_has_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(outbox(dir.path(), 200, 0));
    std::fs::remove_file(dir.path().join(segment_name(2))).unwrap();
    let report = check(dir.path());
    let [finding] = &report.findings[..] else { panic!("{report:?}") };
    assert!(finding.what.contains("are missing behind it"), "{finding:?}");
    // A reader that passes the place notes the loss.
    let outbox = Outbox::open(dir.path(), small()).unwrap();
    let mut reader = outbox.reader("kafka").unwrap();
    while !reader.next(256, 1 << 20, Duration::ZERO).unwrap().is_empty() {}
    assert!(check(dir.path()).is_sound());
    let status = Archive::open(dir.path()).unwrap().status().unwrap();
    assert!(status.lost.missing > 0, "{status:?}");
    assert_eq!(status.gaps.len(), 1);
}

#[test]
fn a_torn_end_is_no_damage_unless_it_was_durable() {
    let dir = tempfile::tempdir().unwrap();
    drop(outbox(dir.path(), 200, 0));
    let newest = Archive::open(dir.path()).unwrap().volumes.last().unwrap().path.clone();
    // The outbox was closed, and its mark knows of all 200.
    let whole = std::fs::read(&newest).unwrap();
    change(&newest, |bytes| bytes.truncate(bytes.len() - 3));
    let report = check(dir.path());
    assert_eq!(report.findings.len(), 1, "{report:?}");
    // A mark that knows of nothing: it may have been torn when it was written.
    change(&dir.path().join(MARK_FILE), |bytes| bytes.fill(0));
    let report = check(dir.path());
    assert!(report.is_sound() && report.torn_bytes > 0, "{report:?}");
    std::fs::write(&newest, &whole).unwrap();
    // Zeros are what the writer writes ahead.
    for (byte, torn) in [(0, 0), (7, 5000)] {
        change(&newest, |bytes| bytes.extend([byte; 5000]));
        let report = check(dir.path());
        assert_eq!((report.records, report.torn_bytes, report.is_sound()), (200, torn, true));
        std::fs::write(&newest, &whole).unwrap();
    }
}

#[test]
fn damaged_slots_and_heads_are_found() {
    let dir = tempfile::tempdir().unwrap();
    drop(outbox(dir.path(), 200, 10));
    for file in ["kafka.cursor", MARK_FILE, gaps::FILE] {
        change(&dir.path().join(file), |bytes| bytes[..1024].fill(0xa5));
    }
    let head = Archive::open(dir.path()).unwrap().volumes.last().unwrap().path.clone();
    change(&head, |bytes| bytes[20] ^= 1);
    std::fs::write(dir.path().join("rejected-kafka.jsonl"), "nonsense\n").unwrap();
    let report = check(dir.path());
    let files: Vec<&str> = report.findings.iter().map(|finding| &*finding.file).collect();
    let head = head.file_name().unwrap().to_str().unwrap();
    let expected = [head, "kafka.cursor", MARK_FILE, gaps::FILE, "rejected-kafka.jsonl"];
    assert_eq!(files, expected, "{report:?}");
}

#[test]
fn what_is_no_outbox_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("missing")] {
        assert!(matches!(Archive::open(path), Err(ArchiveError::NoOutbox { .. })));
    }
    drop(outbox(dir.path(), 1, 0));
    change(&dir.path().join(segment_name(1)), |bytes| bytes[8] = 2);
    match Archive::open(dir.path()) {
        Err(ArchiveError::TooNew { format, .. }) => assert_eq!(format, 2),
        other => panic!("{other:?}"),
    }
}

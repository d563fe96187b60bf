//! Records that are gone: dropped, unreadable or missing, and each loss counted once.

use std::fs;

use super::*;

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

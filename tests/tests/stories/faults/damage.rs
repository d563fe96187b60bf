//! 15, 17, 18, 19, 20: something happened to the outbox's files while nobody looked. What is whole is delivered; what is
//! not is counted; nothing is cut off silently.
//!
//! The damage of each single byte is the outbox's own test; here the binary meets one of each kind.

use super::NOWHERE;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::{Gateway, Ledger, Load, Serve};

const CLIENTS: usize = 4;
/// Several segments of many records.
const SEGMENTS: &str = "[outbox]
record_bytes_max = 8192
queue_bytes_max = 30000
segment_bytes = 32768
";
const LOST: &str = "spool_records_lost_total";

/// The segments of an outbox, oldest first.
pub(super) fn segments(outbox: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(outbox).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        paths.filter(|it| it.extension().is_some_and(|it| it == "log")).collect();
    segments.sort();
    segments
}

/// An outbox with a backlog, left by a kill.
fn backlog(folder: &Path) -> (PathBuf, Vec<String>) {
    let outbox = folder.join("outbox");
    let gateway =
        Serve::ridge(&outbox).settings(SEGMENTS).durable().to_kafka(NOWHERE, "mlops").start();
    let load = Load::start(gateway.port(), CLIENTS, "backlog");
    load.wait_for(2000);
    let answered = load.end();
    gateway.wait_for("spool_queued_records", |records| records == 0.0);
    gateway.kill();
    assert!(segments(&outbox).len() >= 4);
    (outbox, answered)
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

fn drained(outbox: &Path, spool: &Path) -> Gateway {
    let gateway = Serve::ridge(outbox).settings(SEGMENTS).durable().to_files(spool).start();
    gateway
        .wait_for("spool_channel_waiting_records{channel=\"filesystem\"", |records| records == 0.0);
    gateway
}

/// Something that happens to a copy of a backlog, and how many records it may cost.
struct Case {
    number: u8,
    name: &'static str,
    damage: fn(&Path),
    lost: std::ops::RangeInclusive<usize>,
    /// Whether the damaged segment is kept to be looked at.
    kept: bool,
}

#[test]
fn damage_costs_what_is_damaged_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, answered) = backlog(folder.path());
    let cases = [
        case(15, "700 bytes of garbage behind the end", garbage, 0..=0),
        case(15, "64 KiB of zeros behind the end", zeros, 0..=0),
        Case { kept: true, ..case(17, "one bit of an old segment flipped", flip, 1..=1) },
        Case { kept: true, ..case(18, "4 KiB of an old segment lost", lost_block, 2..=40) },
        case(20, "a segment deleted by hand", remove, 10..=500),
        case(20, "somebody else's files in the folder", strangers, 0..=0),
    ];
    for (at, case) in cases.into_iter().enumerate() {
        let mut ledger = Ledger::new(case.number, case.name);
        ledger.acknowledge(answered.iter().cloned());
        let outbox = folder.path().join(format!("damaged-{at}"));
        let spool = folder.path().join(format!("spool-{at}"));
        copy(&whole, &outbox);
        (case.damage)(&outbox);
        let gateway = drained(&outbox, &spool);
        let counted = gateway.metric(LOST) as usize;
        assert!(case.lost.contains(&counted), "{}: {counted} counted as lost", case.name);
        ledger.expect_lost(counted);
        let kept = std::fs::read_dir(&outbox).unwrap().any(|entry| {
            entry.unwrap().path().extension().is_some_and(|kind| kind == "quarantine")
        });
        assert_eq!(kept, case.kept, "{}: the damaged segment", case.name);
        // New records go on behind the damage.
        let load = Load::start(gateway.port(), CLIENTS, "after");
        load.wait_for(50);
        ledger.acknowledge(load.end());
        ledger.close_on_files(&spool);
    }
}

fn case(
    number: u8,
    name: &'static str,
    damage: fn(&Path),
    lost: std::ops::RangeInclusive<usize>,
) -> Case {
    Case { number, name, damage, lost, kept: false }
}

fn append(outbox: &Path, bytes: &[u8]) {
    let newest = segments(outbox).pop().unwrap();
    let end = newest.metadata().unwrap().len();
    change(&newest, end, bytes);
}

fn change(path: &Path, at: u64, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

fn garbage(outbox: &Path) {
    let bytes: Vec<u8> = (0..700u32).map(|n| ((n * 7919) >> 3) as u8).collect();
    append(outbox, &bytes);
}

fn zeros(outbox: &Path) {
    append(outbox, &[0; 64 << 10]);
}

fn flip(outbox: &Path) {
    let second = &segments(outbox)[1];
    let byte = std::fs::read(second).unwrap()[10_000];
    change(second, 10_000, &[byte ^ 4]);
}

fn lost_block(outbox: &Path) {
    change(&segments(outbox)[1], 8 << 10, &[0; 4 << 10]);
}

fn remove(outbox: &Path) {
    std::fs::remove_file(&segments(outbox)[1]).unwrap();
}

fn strangers(outbox: &Path) {
    for name in ["notes.txt", "segment-x.log.old", "core"] {
        std::fs::write(outbox.join(name), "mine").unwrap();
    }
}

#[test]
fn a_format_from_the_future_is_refused_by_name() {
    let mut ledger = Ledger::new(20, "a segment of a newer format");
    let folder = tempfile::tempdir().unwrap();
    let (outbox, answered) = backlog(folder.path());
    let spool = folder.path().join("spool");
    ledger.acknowledge(answered);
    let first = segments(&outbox).remove(0);
    change(&first, FORMAT_AT, &[2]);
    let refused = Serve::ridge(&outbox).settings(SEGMENTS).to_files(&spool).refused();
    refused.failed(69, &["format 2", first.to_str().unwrap()]);
    // Refusing has changed nothing: the version that knows the format finds everything.
    change(&first, FORMAT_AT, &[1]);
    drained(&outbox, &spool);
    ledger.close_on_files(&spool);
}

/// Where a segment has its format.
const FORMAT_AT: u64 = 8;

/// What happens to a cursor, of which there is an older copy.
type Harm = fn(&Path, &Path);

/// The cursor only saves work: whatever becomes of it, records may come twice but none is missing.
#[test]
fn a_cursor_that_is_damaged_gone_or_old_costs_copies_only() {
    let cases: [(&'static str, Harm); 3] = [
        ("cursor overwritten", |cursor, _| std::fs::write(cursor, [0xff; 4096]).unwrap()),
        ("cursor deleted", |cursor, _| std::fs::remove_file(cursor).unwrap()),
        ("cursor rolled back", |cursor, old| copy(old, cursor)),
    ];
    for (name, damage) in cases {
        let mut ledger = Ledger::new(19, name);
        let folder = tempfile::tempdir().unwrap();
        let (outbox, spool) = (folder.path().join("outbox"), folder.path().join("spool"));
        let (cursor, old) = (outbox.join("filesystem.cursor"), folder.path().join("old"));
        for part in ["first", "second"] {
            let gateway = Serve::ridge(&outbox).to_files(&spool).start();
            let load = Load::start(gateway.port(), CLIENTS, part);
            load.wait_for(200);
            ledger.acknowledge(load.end());
            gateway.terminate();
            assert_eq!(gateway.ended(), Some(0));
            if part == "first" {
                copy(&cursor, &old);
            }
        }
        damage(&cursor, &old);
        let gateway = drained(&outbox, &spool);
        assert_eq!(gateway.metric(LOST), 0.0);
        let counts = ledger.close_on_files(&spool);
        assert!(counts.duplicated >= 200, "{name} went unnoticed: {counts:?}");
    }
}

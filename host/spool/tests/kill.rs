//! Nothing that was acknowledged is lost when the process is killed, again and again.
//!
//! The child is this test binary itself, told by its arguments to run the one test that appends for ever.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use spool::{Class, Entry, Outbox, OutboxSettings};

const ROUNDS: u64 = 12;
/// Names the outbox's directory to the child.
const DIRECTORY: &str = "OUTBOX_KILL_TEST_DIRECTORY";

fn settings() -> OutboxSettings {
    let queue_bytes = 60 << 10;
    OutboxSettings {
        record_bytes: 4096,
        segment_bytes: 64 << 10,
        queue_bytes,
        min_free_bytes: 0,
        ..OutboxSettings::default()
    }
}

/// The bytes of record `seq`: both sides know them.
fn payload(seq: u64) -> Vec<u8> {
    let mut state = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..seq % 900)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// The child: appends batches for ever and says which number is durable. Without the parent it has nothing to do.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return };
    let outbox = Outbox::open(&dir, settings()).expect("the parent waits for the lock");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut seq = outbox.status().next_seq;
    loop {
        let mut last = None;
        for _ in 0..1 + seq % 40 {
            last = Some(outbox.append(&payload(seq), Class::Durable).expect("there is room"));
            seq += 1;
        }
        runtime.block_on(last.expect("at least one").settled()).expect("the disk works");
        println!("durable {}", seq - 1);
    }
}

/// Reads everything, checks every byte, and returns the last number.
fn check(dir: &Path) -> u64 {
    let outbox = Outbox::open(dir, settings()).expect("it opens after a kill");
    let mut reader = outbox.reader("check").expect("it is free");
    let mut expected = 1;
    loop {
        let batch = reader.next(1000, 1 << 20, Duration::ZERO).expect("it is readable");
        if batch.is_empty() {
            return expected - 1;
        }
        for entry in batch.iter() {
            let Entry::Record { id, payload: found } = entry else { panic!("{entry:?}") };
            assert_eq!(id.seq, expected);
            assert_eq!(found, payload(expected), "record {expected}");
            expected += 1;
        }
    }
}

#[test]
fn killed_again_and_again_it_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "child", "--nocapture"])
            .env(DIRECTORY, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        // The kill falls at another place of the child's work in every round.
        let mut left = 1 + (round * 37) % 101;
        for line in lines {
            let line = line.expect("text");
            let Some(seq) = line.strip_prefix("durable ") else { continue };
            acknowledged = seq.parse().expect("a number");
            left = left.saturating_sub(1);
            if left == 0 {
                child.kill().expect("it runs");
            }
        }
        child.wait().expect("it ends");
        let found = check(dir.path());
        assert!(found >= acknowledged, "round {round}: {found} of {acknowledged}");
    }
    assert!(acknowledged > 1000, "the child did too little: {acknowledged}");
}

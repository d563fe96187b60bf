//! The channel's thread, with a sink that answers as it is told.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use record::wire::Limits;
use record::{Column, ModelDigest, Outcome, Payload, PredictionRecord, Record, Role, Rows, Values};

use super::*;
use crate::outbox::{Class, Outbox, OutboxSettings};

const SOON: Duration = Duration::from_secs(30);

/// A record of `rows` rows that tells its name.
pub(super) fn record(name: &str, rows: usize) -> Vec<u8> {
    let record = Record {
        deployment_id: "d1".into(),
        model_id: "m1".into(),
        timestamp_us: 1_795_563_012_052_900,
        payload: Payload::Prediction(PredictionRecord {
            request_id: name.into(),
            outcome: Outcome::Ok,
            status: 200,
            execution_us: 1000,
            predictions: rows as u32,
            part: 0,
            rows: Some(Rows {
                columns: vec![Column {
                    name: "x".into(),
                    values: Values::Numbers(vec![1.5; rows].into()),
                }],
                predictions: vec![2.5; rows].into(),
                association_ids: (0..rows).map(|row| format!("{name}-{row}").into()).collect(),
            }),
        }),
        model_digest: Some(ModelDigest([0x5a; 32])),
        role: Role::Champion,
        gateway: None,
    };
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

pub(super) fn outbox(dir: &Path) -> Outbox {
    let settings = OutboxSettings {
        min_free_bytes: 0,
        observe_window: Duration::from_millis(1),
        ..OutboxSettings::default()
    };
    Outbox::open(dir.join("outbox"), settings).unwrap()
}

/// Appends records and waits until a channel can see them.
pub(super) fn append(outbox: &Outbox, names: impl IntoIterator<Item = u64>) {
    for name in names {
        outbox.append(&record(&name.to_string(), 1), Class::Observe).unwrap();
    }
    let last = outbox.status().next_seq - 1;
    until("the records are durable", || outbox.status().durable_seq >= last);
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::yield_now();
    }
}

pub(super) fn rejected(dir: &Path, channel: &str) -> Vec<String> {
    let mut seqs = Vec::new();
    rejected::each(&dir.join("outbox"), channel, |letter| {
        seqs.push(letter.id.rsplit_once('/').unwrap().1.to_owned());
        Ok(())
    })
    .unwrap();
    seqs
}

/// Decides on a record, by its number and how often it was sent together with others or alone.
type Judge = Box<dyn FnMut(u64, bool) -> Answer + Send>;

struct Fake {
    judge: Judge,
    sent: Arc<Mutex<Vec<u64>>>,
    held: VecDeque<u64>,
}

impl Sink for Fake {
    fn limits(&self) -> Limits {
        Limits { rows: NonZeroUsize::MIN, bytes: 1 << 20 }
    }

    fn ready(&mut self) -> Result<(), Retry> {
        Ok(())
    }

    fn send(&mut self, parcel: &Parcel<'_>) {
        assert_eq!(parcel.deployment_id, "d1");
        self.sent.lock().push(parcel.id.seq);
        self.held.push_back(parcel.id.seq);
    }

    fn answers(&mut self, _wait: Duration, out: &mut Vec<(u64, Answer)>) {
        let alone = self.held.len() == 1;
        // In the wrong order, as a broker may.
        while let Some(seq) = self.held.pop_back() {
            out.push((seq, (self.judge)(seq, alone)));
        }
    }

    fn forget(&mut self) {
        self.held.clear();
    }
}

fn start(outbox: &Outbox, judge: Judge) -> (Channel, Arc<Mutex<Vec<u64>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let fake = Fake { judge, sent: Arc::clone(&sent), held: VecDeque::new() };
    (Channel::start(outbox, "fake", Box::new(fake)).unwrap(), sent)
}

fn retry(paused: bool) -> Answer {
    Answer::Retry(Retry { after: Duration::ZERO, why: "not now".to_owned(), paused })
}

#[test]
fn records_are_sent_in_order_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=2500);
    let (channel, sent) = start(&outbox, Box::new(|_, _| Answer::Delivered));
    append(&outbox, 2501..=2600);
    until("all delivered", || channel.status().waiting_records == 0 && sent.lock().len() == 2600);
    assert_eq!(*sent.lock(), (1..=2600).collect::<Vec<_>>());
    let status = channel.status();
    assert_eq!((status.delivered_records, status.sent_messages, status.retries), (2600, 5200, 0));
    assert_eq!(channel.stop(SOON), Drained { waiting_records: 0 });
}

#[test]
fn a_retry_sends_again_what_was_not_delivered_and_only_that() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=20);
    outbox.close(SOON).unwrap();
    let mut failures = 3;
    let judge = move |seq, _| {
        if seq == 7 && failures > 0 {
            failures -= 1;
            return retry(true);
        }
        Answer::Delivered
    };
    let (channel, sent) = start(&outbox, Box::new(judge));
    until("all delivered", || channel.status().waiting_records == 0);
    let mut expected: Vec<u64> = (1..=20).collect();
    expected.extend([7, 7, 7]);
    assert_eq!(*sent.lock(), expected);
    let status = channel.status();
    assert_eq!((status.delivered_records, status.retries), (20, 3));
    assert_eq!(status.last_error.as_deref(), Some("not now"));
    assert_eq!(status.paused, None);
}

#[test]
fn a_rejected_record_is_found_kept_and_passed() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=10);
    outbox.close(SOON).unwrap();
    // The broker rejects every batch with number 4 in it, that is, all of it.
    let judge = |seq, alone: bool| {
        if seq == 4 || !alone {
            Answer::Rejected { why: "too large".to_owned() }
        } else {
            Answer::Delivered
        }
    };
    let (channel, _) = start(&outbox, Box::new(judge));
    until("all settled", || channel.status().waiting_records == 0);
    let status = channel.status();
    assert_eq!((status.delivered_records, status.rejected_records), (9, 1));
    assert_eq!(status.dead_letters.records, 1);
    assert_eq!(rejected(dir.path(), "fake"), ["4"]);
}

#[test]
fn what_is_no_record_is_kept_and_passed() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=1);
    outbox.append(b"\x01nonsense", Class::Observe).unwrap();
    append(&outbox, 3..=3);
    let (channel, sent) = start(&outbox, Box::new(|_, _| Answer::Delivered));
    until("all settled", || {
        outbox.status().durable_seq == 3 && channel.status().waiting_records == 0
    });
    assert_eq!(*sent.lock(), [1, 3]);
    assert_eq!(rejected(dir.path(), "fake"), ["2"]);
}

#[test]
fn a_record_that_cannot_be_kept_is_not_passed() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    let place = dir.path().join("outbox/rejected-fake.jsonl");
    std::fs::create_dir(&place).unwrap();
    outbox.append(b"nonsense", Class::Observe).unwrap();
    let (channel, _) = start(&outbox, Box::new(|_, _| Answer::Delivered));
    until("it fails", || channel.status().last_error.is_some());
    assert_eq!(channel.status().waiting_records, 1);
    std::fs::remove_dir(&place).unwrap();
    until("it is kept", || channel.status().waiting_records == 0);
    assert_eq!(rejected(dir.path(), "fake"), ["1"]);
}

#[test]
fn a_pause_is_said_and_ends_in_time_when_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=5);
    outbox.close(SOON).unwrap();
    let long = Duration::from_secs(3600);
    let pause = Retry { after: long, why: "no such topic".to_owned(), paused: true };
    let (channel, _) = start(&outbox, Box::new(move |_, _| Answer::Retry(pause.clone())));
    until("paused", || channel.status().paused.as_deref() == Some("no such topic"));
    let begun = Instant::now();
    assert_eq!(channel.stop(Duration::from_millis(100)), Drained { waiting_records: 5 });
    assert!(begun.elapsed() < SOON);
    let (channel, sent) = start(&outbox, Box::new(|_, _| Answer::Delivered));
    assert_eq!(channel.stop(SOON), Drained { waiting_records: 0 });
    assert_eq!(*sent.lock(), [1, 2, 3, 4, 5]);
}

#[test]
fn one_channel_of_a_kind_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    let settings = ChannelSettings::Filesystem(FilesystemSettings::new(dir.path().join("a")));
    let _channel = Channel::spawn(&outbox, settings.clone()).unwrap();
    assert!(matches!(Channel::spawn(&outbox, settings), Err(ChannelError::Reader(_))));
}

//! Figures of the record and the outbox: `cargo run --release -p spool --example measure [directory]`.

use std::borrow::Cow;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use record::wire::{self, Limits, RecordId};
use record::{Column, ModelDigest, Outcome, Payload, PredictionRecord, Record, Role, Rows, Values};
use spool::{Class, Outbox, OutboxSettings, Receipt};

const NAMES: [&str; 10] = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];

fn record() -> Record<'static> {
    let column = |(at, name): (usize, &&'static str)| Column {
        name: Cow::Borrowed(*name),
        values: Values::Numbers(vec![at as f64 * 10.1].into()),
    };
    Record {
        deployment_id: "65f0aa0000000000000000d1".into(),
        model_id: "65f0aa0000000000000000a1".into(),
        timestamp_us: 1_795_563_012_052_900,
        payload: Payload::Prediction(PredictionRecord {
            request_id: "0123456789abcdef-000001".into(),
            outcome: Outcome::Ok,
            status: 200,
            execution_us: 57,
            predictions: 1,
            part: 0,
            rows: Some(Rows {
                columns: NAMES.iter().enumerate().map(column).collect(),
                predictions: Cow::Borrowed(&[152.133]),
                association_ids: vec!["0123456789abcdef-000001".into()],
            }),
        }),
        model_digest: Some(ModelDigest([0x5a; 32])),
        role: Role::Champion,
        gateway: None,
    }
}

fn each<T>(name: &str, count: u32, mut work: impl FnMut() -> T) {
    let begun = Instant::now();
    for _ in 0..count {
        black_box(work());
    }
    println!("{name}: {:.0} ns", begun.elapsed().as_nanos() as f64 / f64::from(count));
}

fn main() {
    let dir = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let dir = dir.join(format!("outbox-measure-{}", std::process::id()));
    let record = record();
    let mut bytes = Vec::new();
    each("encode a 10-feature row", 1_000_000, || {
        bytes.clear();
        record.encode(&mut bytes);
    });
    println!("compact form: {} bytes", bytes.len());
    each("decode it", 1_000_000, || Record::decode(&bytes).expect("just encoded"));
    let id = RecordId { store: uuid::Uuid::from_u128(1), seq: 1 };
    let limits = Limits { rows: NonZeroUsize::MIN, bytes: 1_000_000 };
    each("render it", 200_000, || wire::messages(&record, id, limits));
    let messages = wire::messages(&record, id, limits);
    println!("wire form: {} bytes", messages.iter().map(|m| m.body.len()).sum::<usize>());

    let settings = OutboxSettings { max_bytes: 8 << 30, ..OutboxSettings::default() };
    let outbox = Outbox::open(&dir, settings).expect("the directory is ours");
    observe(&outbox, &bytes, 1);
    observe(&outbox, &bytes, 2);
    for waiting in [1, 64, 1024] {
        durable(&outbox, &bytes, waiting);
    }
    let mut reader = outbox.reader("measure").expect("it is free");
    let begun = Instant::now();
    let mut read = 0;
    loop {
        let batch = reader.next(1024, 1 << 20, Duration::ZERO).expect("readable");
        if batch.is_empty() {
            break;
        }
        read += batch.len();
    }
    println!("read back: {:.0} records/s", read as f64 / begun.elapsed().as_secs_f64());
    drop((reader, outbox));
    std::fs::remove_dir_all(dir).expect("it is ours");
}

/// Bursts that fit the queue, so that it is the append that is measured and not the disk.
fn observe(outbox: &Outbox, bytes: &[u8], threads: usize) {
    let (burst, rounds) = (4000, 50);
    let before = outbox.status();
    let mut spent = Duration::ZERO;
    let begun = Instant::now();
    for _ in 0..rounds {
        let times: Vec<Duration> = std::thread::scope(|scope| {
            let work = || {
                let begun = Instant::now();
                for _ in 0..burst {
                    black_box(outbox.append(bytes, Class::Observe).expect("there is room"));
                }
                begun.elapsed()
            };
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            running.into_iter().map(|thread| thread.join().expect("it ends")).collect()
        });
        spent += times.iter().sum::<Duration>();
        while outbox.status().durable_seq + 1 < outbox.status().next_seq {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let count = (burst * rounds * threads) as f64;
    let after = outbox.status();
    println!(
        "append, observe, {threads} thread(s): {:.0} ns each; {:.0} records/s durable, {} syncs",
        spent.as_nanos() as f64 / count,
        count / begun.elapsed().as_secs_f64(),
        after.syncs - before.syncs,
    );
}

fn durable(outbox: &Outbox, bytes: &[u8], waiting: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        let receipts: Vec<Receipt> = (0..waiting)
            .map(|_| outbox.append(bytes, Class::Durable).expect("there is room"))
            .collect();
        for receipt in receipts {
            runtime.block_on(receipt.settled()).expect("the disk works");
            count += 1;
        }
    }
    println!(
        "durable, {waiting} waiting: {:.0} records/s",
        f64::from(count) / begun.elapsed().as_secs_f64()
    );
}

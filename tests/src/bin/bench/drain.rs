//! Draining an outbox to a real Kafka, against a plain loop that hands the same messages to the same client with the
//! same settings.
//!
//! The loop has the messages in memory, rendered; the channel reads records from the disk, checks, decodes and renders
//! them, and moves its cursor.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use record::wire::{self, Limits, RecordId};
use record::{Column, ModelDigest, Outcome, Payload, PredictionRecord, Record, Role, Rows, Values};
use spool::channel::KafkaSettings;
use spool::{Channel, ChannelSettings, Class, Outbox, OutboxSettings};
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};
use tests::Kafka;

/// Records in one drain, each of one row: two messages.
pub(crate) const RECORDS: usize = 60_000;
const NAMES: [&str; 10] = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];

/// Messages a second of both, in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) channel: f64,
    pub(crate) plain: f64,
}

/// One round.
pub(crate) fn measure(kafka: &Kafka, round: usize) -> Sample {
    let topic = |who: &str| {
        let name = format!("{who}-{round}");
        kafka.create_topic(&name);
        name
    };
    let records = records();
    let limits = Limits { rows: NonZeroUsize::new(97).expect("97"), bytes: 999_488 };
    let store = uuid();
    let messages: Vec<Vec<u8>> = records
        .iter()
        .zip(1..)
        .flat_map(|(record, seq)| wire::messages(record, RecordId { store, seq }, limits))
        .map(|message| message.body)
        .collect();
    let plain = plain(kafka, &topic("plain"), &messages);
    let channel = channel(kafka, &topic("channel"), &records, messages.len());
    Sample { channel, plain }
}

fn channel(kafka: &Kafka, topic: &str, records: &[Record<'_>], messages: usize) -> f64 {
    let home = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a scratch folder");
    let outbox = Outbox::open(home.path(), OutboxSettings::default()).expect("the folder is ours");
    let mut bytes = Vec::new();
    for record in records {
        bytes.clear();
        record.encode(&mut bytes);
        tests::wait_until("room in the queue", || outbox.append(&bytes, Class::Observe).ok());
    }
    tests::wait_until("records on disk", || {
        let status = outbox.status();
        (status.durable_seq == records.len() as u64).then_some(())
    });
    let settings = KafkaSettings::new(kafka.brokers(), topic);
    let begun = Instant::now();
    let channel = Channel::spawn(&outbox, ChannelSettings::Kafka(settings)).expect("a channel");
    tests::wait_until("an outbox that is drained", || {
        (channel.status().waiting_records == 0).then_some(())
    });
    let took = begun.elapsed();
    assert_eq!(channel.status().sent_messages, messages as u64, "something was sent twice");
    messages as f64 / took.as_secs_f64()
}

/// Counts what was delivered.
#[derive(Default)]
struct Counted(std::sync::atomic::AtomicUsize);

impl rdkafka::ClientContext for Counted {}

impl ProducerContext for Counted {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        assert!(result.is_ok(), "{result:?}");
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

pub(crate) fn plain(kafka: &Kafka, topic: &str, messages: &[Vec<u8>]) -> f64 {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers());
    for (key, value) in [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("compression.type", "zstd"),
        ("linger.ms", "20"),
        ("batch.size", "262144"),
        ("batch.num.messages", "1000"),
        ("queue.buffering.max.messages", "2000"),
        ("queue.buffering.max.kbytes", "8192"),
    ] {
        config.set(key, value);
    }
    let begun = Instant::now();
    let producer: BaseProducer<Counted> =
        config.create_with_context(Counted::default()).expect("a producer");
    for body in messages {
        let mut record = BaseRecord::to(topic).key("bench").payload(body);
        while let Err((error, refused)) = producer.send(record) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull));
            producer.poll(Duration::from_millis(20));
            record = refused;
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(tests::PATIENCE).expect("the broker takes everything");
    let took = begun.elapsed();
    assert_eq!(producer.context().0.load(std::sync::atomic::Ordering::Relaxed), messages.len());
    messages.len() as f64 / took.as_secs_f64()
}

fn records() -> Vec<Record<'static>> {
    (0..RECORDS)
        .map(|number| {
            let column = |(at, name): (usize, &&'static str)| Column {
                name: Cow::Borrowed(*name),
                values: Values::Numbers(vec![(at + number % 977) as f64 * 10.1].into()),
            };
            let request_id = format!("{number:016x}-000001");
            Record {
                deployment_id: "bench".into(),
                model_id: "65f0aa0000000000000000a1".into(),
                timestamp_us: 1_795_563_012_052_900 + number as i64,
                payload: Payload::Prediction(PredictionRecord {
                    request_id: request_id.clone().into(),
                    outcome: Outcome::Ok,
                    status: 200,
                    execution_us: 57,
                    predictions: 1,
                    part: 0,
                    rows: Some(Rows {
                        columns: NAMES.iter().enumerate().map(column).collect(),
                        predictions: vec![152.133 + (number % 1009) as f64].into(),
                        association_ids: vec![request_id.into()],
                    }),
                }),
                model_digest: Some(ModelDigest([0x5a; 32])),
                role: Role::Champion,
                gateway: Some("bench".into()),
            }
        })
        .collect()
}

fn uuid() -> uuid::Uuid {
    uuid::Uuid::from_u128(1)
}

//! The reading side: what an agent takes from the channels, whoever wrote it.

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use record::wire::read::{Envelope, Payload};
use spool::channel::{SaslMechanism, SaslSettings, Secret, SecurityProtocol, TlsSettings};
use spool::source::{
    FilesystemSource, FilesystemSourceSettings, Form, KafkaSource, KafkaSourceSettings,
    RabbitMqSource, RabbitMqSourceSettings, Received, Source, Token,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};
use tests::python::{self, Reported};
use tests::{
    Kafka, PASSWORD, PATIENCE, README_ROW, RabbitMq, Serve, USER, spool_files, wait_until,
};

const MOMENT: Duration = Duration::from_millis(200);
const DEPLOYMENT: &str = "65f0aa0000000000000000d1";

/// Reads until there are so many messages.
fn read(source: &mut dyn Source, count: usize) -> Vec<Received> {
    let end = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    while all.len() < count {
        assert!(Instant::now() < end, "{} of {count} messages came", all.len());
        match source.receive(count - all.len(), MOMENT) {
            Ok(received) => all.extend(received),
            Err(error) => assert!(!error.needs_operator, "{error}"),
        }
    }
    all
}

fn tokens(messages: &[Received]) -> Vec<Token> {
    messages.iter().map(|message| message.token).collect()
}

fn envelope(message: &Received) -> Envelope {
    let read = match message.form {
        Form::Json => Envelope::read(&message.body),
        Form::Binary => Envelope::read_binary(&message.body),
    };
    read.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&message.body)))
}

/// Reads as many messages as were reported, and checks each against one of the reports.
fn check(source: &mut dyn Source, reported: &[Reported]) {
    let messages = read(source, reported.len());
    let mut left = reported.to_vec();
    for message in &messages {
        let envelope = envelope(message);
        let deployment = envelope.deployment_id();
        let expected = (envelope.header.data_type.name() != "PING_MSG").then_some(DEPLOYMENT);
        assert_eq!(deployment, expected);
        assert_eq!(envelope.header.language.as_deref(), Some("python"));
        let payload = serde_json::to_value(&envelope.payload).unwrap();
        let name = envelope.header.data_type.name();
        let found =
            left.iter().position(|it| it.data_type == name && python::has(&payload, &it.fields));
        let found =
            found.unwrap_or_else(|| panic!("nobody reported {payload:#}; left are {left:#?}"));
        left.remove(found);
        check_timestamps(&envelope.payload);
    }
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(source.receive(1, MOMENT).unwrap(), [], "more than was reported");
    source.acknowledge(&tokens(&messages)).unwrap();
}

/// What the library itself puts in is understood too.
fn check_timestamps(payload: &Payload) {
    use record::wire::Moment;
    let timestamp = match payload {
        Payload::DeploymentStats(it) => &it.timestamp,
        Payload::PredictionsData(it) => &it.timestamp,
        Payload::PredictionStats(it) => &it.timestamp,
        Payload::Ping(it) => &it.timestamp,
        Payload::Event(it) => {
            let moment = it.timestamp.as_ref().unwrap().moment();
            assert!(matches!(moment, Moment::Local(_)), "{it:?}");
            return;
        }
        Payload::ActualsData(_) | Payload::CustomMetric(_) => return,
    };
    assert!(matches!(timestamp.as_ref().unwrap().moment(), Moment::Instant(_)), "{payload:?}");
    if let Payload::PredictionStats(stats) = payload {
        let ages = &stats.aggregates.numeric["age"];
        let buckets = &ages.histogram.as_ref().unwrap().bucket_list;
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<i64>(), ages.count);
    }
}

fn files(folder: &Path) -> FilesystemSource {
    FilesystemSource::open(FilesystemSourceSettings::new(folder)).unwrap()
}

fn topic(kafka: &Kafka, topic: &str) -> KafkaSource {
    let settings = KafkaSourceSettings::new(kafka.brokers(), topic);
    KafkaSource::open(KafkaSourceSettings { session_timeout_ms: 6000, ..settings }).unwrap()
}

#[test]
fn all_that_the_public_library_reports_is_read_from_its_files() {
    for format in ["JSON", "BYTE_ARRAY"] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_str().unwrap();
        let format = [("MLOPS_SPOOLER_DATA_FORMAT", format)];
        let Some(reported) = python::write(&["filesystem", place], &format) else { return };
        check(&mut files(folder.path()), &reported);
    }
}

#[test]
fn all_that_the_public_library_reports_is_read_from_kafka() {
    let Some(kafka) = Kafka::shared() else { return };
    for format in ["JSON", "BYTE_ARRAY"] {
        let name = format!("library-{}", format.to_lowercase().replace('_', "-"));
        kafka.create_topic_of(&name, 3);
        let format = [("MLOPS_SPOOLER_DATA_FORMAT", format)];
        let arguments = ["kafka", &kafka.brokers(), &name];
        let Some(reported) = python::write(&arguments, &format) else { return };
        check(&mut topic(kafka, &name), &reported);
    }
}

#[test]
fn all_that_the_public_library_reports_is_read_from_rabbitmq() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    // The library refuses to write any other form to a queue.
    let arguments = ["rabbitmq", &rabbitmq.url(), "library"];
    let Some(reported) = python::write(&arguments, &[]) else { return };
    let settings = RabbitMqSourceSettings::new(rabbitmq.url(), "library");
    check(&mut RabbitMqSource::new(settings).unwrap(), &reported);
}

#[test]
fn small_files_of_the_public_library_are_read_in_turn_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let small =
        [("MLOPS_FILESYSTEM_MAX_FILE_SIZE", "5000"), ("MLOPS_FILESYSTEM_MAX_NUM_FILES", "50")];
    let Some(reported) = python::write(&["filesystem", place], &small) else { return };
    assert!(spool_files(folder.path()).len() > 1);
    check(&mut files(folder.path()), &reported);
    assert_eq!(spool_files(folder.path()).len(), 1);
}

#[test]
fn the_public_librarys_reader_goes_on_where_ours_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let Some(reported) = python::write(&["filesystem", place], &[]) else { return };
    let mut ours = files(folder.path());
    let first = read(&mut ours, 5);
    ours.acknowledge(&tokens(&first)).unwrap();
    drop(ours);
    let rest = python::read(&["filesystem", place], reported.len() - 5).unwrap();
    assert_eq!(rest.len(), reported.len() - 5);
    for (theirs, reported) in rest.iter().zip(&reported[5..]) {
        assert_eq!(theirs["dataType"], reported.data_type);
        assert!(python::has(&theirs["payload"], &reported.fields), "{theirs:#}");
    }
}

/// Association ids of the rows in these messages.
fn ids(messages: &[Received]) -> BTreeSet<String> {
    let ids = |message: &Received| match envelope(message).payload {
        Payload::PredictionsData(data) => data.association_ids.unwrap_or_default(),
        _other => Vec::new(),
    };
    messages.iter().flat_map(ids).flatten().collect()
}

#[test]
fn what_a_gateway_writes_is_read_while_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let mut source = files(&spool);
    let serve = Serve::ridge(&folder.path().join("outbox")).to_files(&spool);
    let gateway = serve.env("MLOPS_FILESYSTEM_MAX_FILE_SIZE", "4096").start();
    let mut found = BTreeSet::new();
    for visit in 0..40 {
        let form = format!("{README_ROW}&associationId=visit-{visit}");
        assert_eq!(gateway.predict(&form).status, 200);
        let messages = source.receive(100, Duration::ZERO).unwrap();
        source.acknowledge(&tokens(&messages)).unwrap();
        found.extend(ids(&messages));
    }
    let end = Instant::now() + PATIENCE;
    while found.len() < 40 {
        assert!(Instant::now() < end, "{} of 40 came", found.len());
        let messages = source.receive(100, MOMENT).unwrap();
        source.acknowledge(&tokens(&messages)).unwrap();
        found.extend(ids(&messages));
    }
    assert_eq!(spool_files(&spool).len(), 1, "all but the last file are cleared away");
}

/// Writes numbered messages, spread over the partitions.
fn produce(kafka: &Kafka, topic: &str, partitions: i32, numbers: std::ops::Range<i32>) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers())
        .set("log_level", "0")
        .create()
        .unwrap();
    for number in numbers {
        let text = number.to_string();
        let record = BaseRecord::<(), str>::to(topic).partition(number % partitions).payload(&text);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

fn number(message: &Received) -> i32 {
    std::str::from_utf8(&message.body).unwrap().parse().unwrap()
}

#[test]
fn readers_that_come_and_go_and_a_broker_that_dies_lose_nothing() {
    let Some(mut kafka) = Kafka::reserved() else { return };
    kafka.start();
    kafka.create_topic_of("turns", 4);
    produce(&kafka, "turns", 4, 0..400);
    let mut readers = [topic(&kafka, "turns"), topic(&kafka, "turns")];
    let mut settled = BTreeSet::new();
    let mut repeats = 0;
    let mut open: [BTreeMap<i32, Token>; 2] = Default::default();
    let end = Instant::now() + PATIENCE;
    // Each acknowledges only messages with an even number.
    while open.iter().any(BTreeMap::is_empty) || settled.len() < 200 {
        assert!(Instant::now() < end, "{} settled, {open:?}", settled.len());
        for (reader, open) in readers.iter_mut().zip(&mut open) {
            let Ok(messages) = reader.receive(50, MOMENT) else { continue };
            let (even, odd): (Vec<_>, Vec<_>) = messages.iter().partition(|it| number(it) % 2 == 0);
            open.extend(odd.iter().map(|message| (number(message), message.token)));
            let even_tokens: Vec<Token> = even.iter().map(|message| message.token).collect();
            if reader.acknowledge(&even_tokens).is_ok() {
                for message in even {
                    repeats += usize::from(!settled.insert(number(message)));
                }
            }
        }
    }
    let [first, mut second] = readers;
    drop(first);
    second.rewind().unwrap();
    kafka.kill();
    let _trouble = second.receive(1, MOMENT);
    kafka.start();
    produce(&kafka, "turns", 4, 400..500);
    let end = Instant::now() + PATIENCE;
    while settled.len() < 500 {
        assert!(Instant::now() < end, "{} settled", settled.len());
        let Ok(messages) = second.receive(50, MOMENT) else { continue };
        if second.acknowledge(&tokens(&messages)).is_ok() {
            for message in &messages {
                repeats += usize::from(!settled.insert(number(message)));
            }
        }
    }
    assert_eq!(settled, (0..500).collect());
    drop(second);
    // Everything is noted: the next reader gets only what is new.
    let mut third = topic(&kafka, "turns");
    produce(&kafka, "turns", 4, 500..501);
    assert_eq!(number(&read(&mut third, 1)[0]), 500);
    println!("500 messages, each settled; {repeats} came more than once");
}

#[test]
fn a_reader_logs_in_and_a_wrong_password_is_an_operators_matter() {
    const CANARY: &str = "k4n4ry";
    let Some(mut kafka) = Kafka::secured() else { return };
    kafka.start();
    kafka.create_topic("secured");
    produce(&kafka, "secured", 1, 0..3);
    let settings = |password: &str| KafkaSourceSettings {
        security_protocol: SecurityProtocol::SaslSsl,
        tls: TlsSettings {
            ca_location: Some(kafka.doors().ca.display().to_string()),
            ..TlsSettings::default()
        },
        sasl: Some(SaslSettings {
            mechanism: SaslMechanism::ScramSha512,
            username: Some(USER.to_owned()),
            password: Some(Secret::new(password)),
            password_file: None,
            token_file: None,
        }),
        ..KafkaSourceSettings::new(format!("127.0.0.1:{}", kafka.doors().secured), "secured")
    };
    let mut source = KafkaSource::open(settings(PASSWORD)).unwrap();
    let numbers: Vec<i32> = read(&mut source, 3).iter().map(number).collect();
    assert_eq!(numbers, [0, 1, 2]);
    drop(source);
    let mut source = KafkaSource::open(settings(CANARY)).unwrap();
    let error = wait_until("an error for an operator", || {
        source.receive(1, MOMENT).err().filter(|error| error.needs_operator)
    });
    assert!(!format!("{error} {error:?} {source:?}").contains(CANARY), "{error}");
}

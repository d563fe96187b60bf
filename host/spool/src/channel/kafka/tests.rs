//! The Kafka channel against librdkafka's own mock cluster, which fails on demand.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Error};

use super::*;
use crate::channel::forward::{WINDOW_BYTES, WINDOW_MESSAGES};
use crate::channel::tests::{append, outbox, rejected, until};
use crate::channel::{Channel, ChannelSettings, Drained, NamedChannel, Secret};
use crate::outbox::Outbox;

/// Makes one setting wrong.
type Change = fn(&mut KafkaSettings);

const SOON: Duration = Duration::from_secs(30);

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("mlops", 3, 1).unwrap();
    cluster
}

fn settings(cluster: &Cluster) -> KafkaSettings {
    KafkaSettings {
        linger_ms: 5,
        delivery_timeout_ms: 3000,
        reconnect_max_ms: 1000,
        retry_ms: 50,
        retry_operator_ms: 200,
        ..KafkaSettings::new(cluster.bootstrap_servers(), "mlops")
    }
}

fn spawn(outbox: &Outbox, settings: KafkaSettings) -> Channel {
    Channel::spawn(outbox, ChannelSettings::Kafka(settings)).unwrap()
}

fn settle(outbox: &Outbox, channel: &Channel) {
    until("all is settled", || {
        let status = outbox.status();
        status.durable_seq + 1 == status.next_seq && channel.status().waiting_records == 0
    });
}

/// The record numbers in the topic, from the headers, in order; each must have its two messages.
fn stored(cluster: &Cluster, messages: usize) -> BTreeSet<u64> {
    let found = self::messages(cluster, "mlops", messages, |message| {
        assert_eq!(message.key(), Some(&b"d1"[..]));
        let header = |name: &str| {
            let headers = message.headers().unwrap();
            let value = headers.iter().find(|header| header.key == name).unwrap().value.unwrap();
            std::str::from_utf8(value).unwrap().to_owned()
        };
        let crc = format!("{:08x}", crc32c::crc32c(message.payload().unwrap()));
        assert_eq!(header("crc32c"), crc);
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("schema-version"), "2");
        header("id").rsplit_once('/').unwrap().1.parse().unwrap()
    });
    found.into_iter().collect()
}

/// What the first messages in a topic give.
fn messages<T>(
    cluster: &Cluster,
    topic: &str,
    count: usize,
    give: impl Fn(&BorrowedMessage<'_>) -> T,
) -> Vec<T> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", topic)
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let mut found = Vec::new();
    until("all is read", || {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            found.push(give(&message.unwrap()));
        }
        found.len() == count
    });
    found
}

#[test]
fn records_arrive_with_key_and_headers() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, outbox) = (cluster(), outbox(dir.path()));
    append(&outbox, 1..=300);
    let channel = spawn(&outbox, settings(&cluster));
    settle(&outbox, &channel);
    assert_eq!(stored(&cluster, 600), (1..=300).collect());
    let status = channel.status();
    assert_eq!((status.delivered_records, status.sent_messages, status.retries), (300, 600, 0));
    assert_eq!(channel.stop(SOON), Drained { waiting_records: 0 });
}

#[test]
fn records_wait_while_the_broker_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, outbox) = (cluster(), outbox(dir.path()));
    let channel = spawn(&outbox, settings(&cluster));
    append(&outbox, 1..=1);
    settle(&outbox, &channel);
    cluster.broker_down(1).unwrap();
    append(&outbox, 2..=50);
    until("it is noticed", || channel.status().last_error.is_some());
    assert_eq!(channel.status().waiting_records, 49);
    cluster.broker_up(1).unwrap();
    settle(&outbox, &channel);
    assert_eq!(channel.status().delivered_records, 50);
}

#[test]
fn too_few_replicas_are_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, outbox) = (cluster(), outbox(dir.path()));
    let error = Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    cluster.request_errors(RDKafkaApiKey::Produce, &[error; 2]);
    append(&outbox, 1..=20);
    let channel = spawn(&outbox, settings(&cluster));
    settle(&outbox, &channel);
    assert_eq!(channel.status().rejected_records, 0);
    assert_eq!(stored(&cluster, 40), (1..=20).collect());
}

#[test]
fn a_batch_that_is_too_large_costs_only_the_record_that_is() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, outbox) = (cluster(), outbox(dir.path()));
    append(&outbox, 1..=10);
    let error = Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    // The batch of all, then the first record alone.
    cluster.request_errors(RDKafkaApiKey::Produce, &[error; 2]);
    until("durable", || outbox.status().durable_seq == 10);
    let channel = spawn(&outbox, KafkaSettings { linger_ms: 100, ..settings(&cluster) });
    settle(&outbox, &channel);
    assert_eq!(rejected(dir.path(), "kafka"), ["1"]);
    assert_eq!(stored(&cluster, 18), (2..=10).collect());
}

#[test]
fn a_missing_topic_pauses_until_somebody_makes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, outbox) = (cluster(), outbox(dir.path()));
    append(&outbox, 1..=5);
    cluster.topic_error("mlops", Error::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let channel = spawn(&outbox, settings(&cluster));
    until("paused", || channel.status().paused.is_some());
    assert!(channel.status().paused.unwrap().contains("mlops"));
    assert_eq!(channel.status().sent_messages, 0);
    cluster.topic_error("mlops", Error::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    settle(&outbox, &channel);
    assert_eq!(channel.status().paused, None);
    assert_eq!(stored(&cluster, 10), (1..=5).collect());
}

#[test]
#[expect(unsafe_code, reason = "librdkafka's own way to make a fatal error has no safe form")]
fn after_a_fatal_error_the_producer_is_built_anew() {
    let cluster = cluster();
    let mut kafka = Kafka::new(settings(&cluster)).unwrap();
    kafka.ready().unwrap();
    let client = kafka.client.as_ref().unwrap().client();
    let reason = c"as the test wants";
    let error = Error::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    // SAFETY: the client lives until the end of this block, and the text is terminated.
    unsafe {
        rdkafka::bindings::rd_kafka_test_fatal_error(client.native_ptr(), error, reason.as_ptr());
    }
    let message = Message {
        id: uuid::Uuid::nil(),
        data_type: record::wire::DataType::DeploymentStats,
        body: b"{}".to_vec(),
    };
    let id = RecordId { store: uuid::Uuid::nil(), seq: 1 };
    let send = |kafka: &mut Kafka| {
        kafka.send(&Parcel { id, deployment_id: "d1", messages: std::slice::from_ref(&message) });
        let mut answers = Vec::new();
        until("an answer", || {
            kafka.answers(Duration::from_millis(20), &mut answers);
            !answers.is_empty()
        });
        answers
    };
    assert!(matches!(send(&mut kafka)[..], [(1, Answer::Retry(_))]));
    kafka.forget();
    kafka.ready().unwrap();
    assert_eq!(send(&mut kafka), [(1, Answer::Delivered)]);
}

#[test]
fn nobody_there_is_no_reason_not_to_start_or_stop() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = outbox(dir.path());
    append(&outbox, 1..=5);
    let nobody = KafkaSettings { retry_ms: 10, ..KafkaSettings::new("127.0.0.1:9", "mlops") };
    let channel = spawn(&outbox, nobody);
    until("it is noticed", || channel.status().last_error.is_some());
    until("durable", || outbox.status().durable_seq == 5);
    assert_eq!(channel.stop(Duration::from_millis(100)), Drained { waiting_records: 5 });
}

#[test]
fn errors_are_sorted() {
    let settings = KafkaSettings::new("b:1", "mlops");
    let paused = |code| matches!(sort(&settings, code), Answer::Retry(Retry { paused: true, .. }));
    let soon = |code| matches!(sort(&settings, code), Answer::Retry(Retry { paused: false, .. }));
    for code in [
        Code::UnknownTopicOrPartition,
        Code::TopicAuthorizationFailed,
        Code::SaslAuthenticationFailed,
        Code::SSL,
    ] {
        assert!(paused(code), "{code:?}");
    }
    for code in
        [Code::MessageTimedOut, Code::PurgeQueue, Code::AllBrokersDown, Code::Fatal, Code::Unknown]
    {
        assert!(soon(code), "{code:?}");
    }
    assert!(matches!(sort(&settings, Code::MessageSizeTooLarge), Answer::Rejected { .. }));
}

#[test]
fn wrong_settings_are_named_without_secrets() {
    let wrong: [(&str, Change); 7] = [
        ("bootstrap_servers", |s| s.bootstrap_servers.clear()),
        ("topic", |s| s.topic = " ".to_owned()),
        ("message_bytes", |s| s.message_bytes = 1023),
        ("buffer_kb", |s| s.buffer_kb = 5119),
        ("delivery_timeout_ms", |s| s.delivery_timeout_ms = s.linger_ms),
        ("sasl", |s| s.security_protocol = SecurityProtocol::SaslSsl),
        ("rows_per_message", |s| s.rows_per_message = 0),
    ];
    for (name, change) in wrong {
        let mut settings = KafkaSettings::new("b:1", "mlops");
        change(&mut settings);
        match Kafka::new(settings).map(drop) {
            Err(ChannelError::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let mut settings = KafkaSettings::new("b:1", "mlops");
    settings.security_protocol = SecurityProtocol::SaslSsl;
    settings.tls.key_password = Some(Secret::new("canary"));
    settings.tls.key_location = Some("/missing/key.pem".to_owned());
    settings.sasl = Some(log_in(SaslMechanism::Plain));
    let error = Kafka::new(settings).map(drop).unwrap_err();
    assert!(matches!(error, ChannelError::Kafka { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
}

/// A log-in with all that its mechanism needs.
fn log_in(mechanism: SaslMechanism) -> SaslSettings {
    let by_token = mechanism == SaslMechanism::OauthBearer;
    SaslSettings {
        mechanism,
        username: (!by_token).then(|| "u".to_owned()),
        password: (!by_token).then(|| Secret::new("canary")),
        password_file: None,
        token_file: by_token.then(|| "/token".into()),
    }
}

#[test]
fn a_log_in_has_what_its_mechanism_needs_and_no_more() {
    type Change = fn(&mut SaslSettings);
    let settings = |mechanism: SaslMechanism, change: Change| {
        let mut settings = KafkaSettings::new("b:1", "mlops");
        settings.security_protocol = SecurityProtocol::SaslSsl;
        let mut sasl = log_in(mechanism);
        change(&mut sasl);
        settings.sasl = Some(sasl);
        settings
    };
    for (_, mechanism) in SaslMechanism::ALL {
        assert!(settings(mechanism, |_| {}).check().is_ok(), "{mechanism:?}");
    }
    let wrong: [(SaslMechanism, &str, Change); 6] = [
        (SaslMechanism::ScramSha256, "sasl.username", |sasl| sasl.username = None),
        (SaslMechanism::ScramSha512, "sasl.password", |sasl| sasl.password = None),
        (SaslMechanism::Plain, "sasl.password", |sasl| sasl.password_file = Some("/p".into())),
        (SaslMechanism::Plain, "sasl.token_file", |sasl| sasl.token_file = Some("/t".into())),
        (SaslMechanism::OauthBearer, "sasl.token_file", |sasl| sasl.token_file = None),
        (SaslMechanism::OauthBearer, "sasl.username", |sasl| sasl.username = Some("u".into())),
    ];
    for (mechanism, name, change) in wrong {
        match settings(mechanism, change).check() {
            Err(ChannelError::Setting { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_password_comes_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    oauth::tests::write(&file, "a canary\n");
    let mut settings = KafkaSettings::new("b:1", "mlops");
    settings.security_protocol = SecurityProtocol::SaslSsl;
    let sasl =
        SaslSettings { password: None, password_file: Some(file), ..log_in(SaslMechanism::Plain) };
    settings.sasl = Some(sasl);
    let config = settings.client_config().unwrap();
    assert_eq!(config.get("sasl.password"), Some("a canary"));
    assert!(!format!("{config:?} {settings:?}").contains("canary"));
    std::fs::remove_dir_all(dir).unwrap();
    match settings.client_config() {
        Err(ChannelError::Secret { setting, .. }) => assert_eq!(setting, "sasl.password_file"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_missing_token_pauses_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, outbox) = (cluster(), outbox(dir.path()));
    append(&outbox, 1..=1);
    let mut settings = settings(&cluster);
    settings.security_protocol = SecurityProtocol::SaslPlaintext;
    let token_file = Some(dir.path().join("no-token"));
    settings.sasl = Some(SaslSettings { token_file, ..log_in(SaslMechanism::OauthBearer) });
    let channel = spawn(&outbox, settings);
    until("paused", || channel.status().paused.is_some());
    let why = channel.status().paused.unwrap();
    assert!(why.contains("sasl.token_file") && why.contains("no-token"), "{why}");
}

#[test]
fn the_key_is_the_deployment_or_the_store_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, outbox) = (cluster(), outbox(dir.path()));
    append(&outbox, 1..=3);
    let store = outbox.store_id().to_string();
    for (name, key, expected) in [
        ("by-store", MessageKey::Store, Some(&*store)),
        ("by-nothing", MessageKey::None, None),
        ("by-deployment", MessageKey::Deployment, Some("d1")),
    ] {
        cluster.create_topic(name, 3, 1).unwrap();
        let settings = KafkaSettings { key, topic: name.to_owned(), ..settings(&cluster) };
        let named = NamedChannel::new(Some(name.to_owned()), ChannelSettings::Kafka(settings));
        let channel = Channel::spawn(&outbox, named.unwrap()).unwrap();
        settle(&outbox, &channel);
        let keys = messages(&cluster, name, 6, |message| message.key().map(<[u8]>::to_vec));
        assert!(keys.iter().all(|key| key.as_deref() == expected.map(str::as_bytes)), "{keys:?}");
    }
}

#[test]
fn every_compression_is_understood() {
    for compression in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (cluster, outbox) = (cluster(), outbox(dir.path()));
        append(&outbox, 1..=20);
        let channel = spawn(&outbox, KafkaSettings { compression, ..settings(&cluster) });
        settle(&outbox, &channel);
        assert_eq!(stored(&cluster, 40), (1..=20).collect(), "{compression:?}");
    }
}

#[test]
fn the_client_takes_the_whole_window_and_never_refuses() {
    let config = KafkaSettings::new("localhost:9092", "mlops").client_config().unwrap();
    let number = |key: &str| config.get(key).unwrap().parse::<usize>().unwrap();
    assert!(number("queue.buffering.max.messages") > WINDOW_MESSAGES);
    let record = crate::OutboxSettings::default().record_bytes;
    assert!(number("queue.buffering.max.kbytes") << 10 >= WINDOW_BYTES + record);
}

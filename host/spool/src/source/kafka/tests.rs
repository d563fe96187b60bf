//! The Kafka reader against librdkafka's own mock cluster: positions, turns, trouble.

use std::collections::BTreeMap;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Error};

use super::*;
use crate::channel::tests::until;

const SOON: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(300);

type Cluster = MockCluster<'static, DefaultProducerContext>;
/// Makes one setting wrong.
type Change = fn(&mut KafkaSourceSettings);

fn cluster(partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("mlops", partitions, 1).unwrap();
    cluster
}

fn settings(cluster: &Cluster) -> KafkaSourceSettings {
    KafkaSourceSettings {
        session_timeout_ms: 6000,
        reconnect_max_ms: 500,
        retry_ms: 10,
        ..KafkaSourceSettings::new(cluster.bootstrap_servers(), "mlops")
    }
}

/// Writes messages with these texts to a partition.
fn write(cluster: &Cluster, partition: i32, texts: impl IntoIterator<Item = u32>) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("linger.ms", "1")
        .create()
        .unwrap();
    for text in texts {
        let text = text.to_string();
        let record = BaseRecord::<(), str>::to("mlops").partition(partition).payload(&text);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(SOON).unwrap();
}

fn text(message: &Received) -> u32 {
    std::str::from_utf8(&message.body).unwrap().parse().unwrap()
}

/// Reads until there are so many.
fn read(source: &mut KafkaSource, count: usize) -> Vec<Received> {
    let end = Instant::now() + SOON;
    let mut all = Vec::new();
    while all.len() < count {
        assert!(Instant::now() < end, "only {} of {count} came", all.len());
        match source.receive(count - all.len(), Duration::from_secs(1)) {
            Ok(received) => all.extend(received),
            // Comes and goes while the broker does.
            Err(error) => assert!(!error.needs_operator, "{error}"),
        }
    }
    all
}

fn texts(messages: &[Received]) -> Vec<u32> {
    messages.iter().map(text).collect()
}

fn tokens(messages: &[Received]) -> Vec<Token> {
    messages.iter().map(|message| message.token).collect()
}

#[test]
fn what_was_not_acknowledged_comes_again_in_the_next_run() {
    let cluster = cluster(1);
    write(&cluster, 0, 0..10);
    let mut source = KafkaSource::open(settings(&cluster)).unwrap();
    let all = read(&mut source, 10);
    assert_eq!(texts(&all), (0..10).collect::<Vec<_>>());
    assert!(all.iter().all(|message| message.form == Form::Json));
    // Out of turn: 5 is open, so 6 to 9 do not count yet.
    source.acknowledge(&tokens(&all[6..])).unwrap();
    source.acknowledge(&tokens(&all[..5])).unwrap();
    drop(source);
    let mut source = KafkaSource::open(settings(&cluster)).unwrap();
    let again = read(&mut source, 5);
    assert_eq!(texts(&again), [5, 6, 7, 8, 9]);
    source.acknowledge(&tokens(&again)).unwrap();
    drop(source);
    let mut source = KafkaSource::open(settings(&cluster)).unwrap();
    write(&cluster, 0, [10]);
    assert_eq!(texts(&read(&mut source, 1)), [10]);
}

#[test]
fn a_rewind_gives_back_what_is_open_and_only_that() {
    let cluster = cluster(2);
    write(&cluster, 0, 0..4);
    write(&cluster, 1, 10..14);
    let mut source = KafkaSource::open(settings(&cluster)).unwrap();
    let by_text: BTreeMap<u32, Token> =
        read(&mut source, 8).iter().map(|message| (text(message), message.token)).collect();
    source.acknowledge(&[by_text[&0], by_text[&2], by_text[&11]]).unwrap();
    source.rewind().unwrap();
    // Tokens from before say nothing now.
    source.acknowledge(&[by_text[&1], by_text[&10]]).unwrap();
    let again = read(&mut source, 5);
    let mut found = texts(&again);
    found.sort_unstable();
    assert_eq!(found, [1, 3, 10, 12, 13]);
    source.acknowledge(&tokens(&again)).unwrap();
    assert_eq!(source.receive(1, MOMENT).unwrap(), []);
    drop(source);
    let mut source = KafkaSource::open(settings(&cluster)).unwrap();
    write(&cluster, 1, [14]);
    assert_eq!(texts(&read(&mut source, 1)), [14]);
}

#[test]
fn partitions_that_go_to_another_member_take_their_tokens_with_them() {
    let cluster = cluster(2);
    write(&cluster, 0, 0..3);
    write(&cluster, 1, 10..13);
    let mut first = KafkaSource::open(settings(&cluster)).unwrap();
    let before = read(&mut first, 6);
    first.acknowledge(&tokens(&before[..1])).unwrap();
    let mut second = KafkaSource::open(settings(&cluster)).unwrap();
    // Both read until each has its partition; all that was not acknowledged comes again, to one or the other.
    let mut seen: BTreeMap<u32, (usize, Token)> = BTreeMap::new();
    let end = Instant::now() + SOON;
    let wanted: Vec<u32> = texts(&before[1..]);
    let both = |seen: &BTreeMap<u32, (usize, Token)>| {
        wanted.iter().all(|text| seen.contains_key(text))
            && [0, 1].iter().all(|who| seen.values().any(|(by, _)| by == who))
    };
    while !both(&seen) {
        assert!(Instant::now() < end, "{seen:?}");
        for (who, source) in [&mut first, &mut second].into_iter().enumerate() {
            for message in source.receive(10, MOMENT).unwrap_or_default() {
                seen.insert(text(&message), (who, message.token));
            }
        }
    }
    // The old tokens are void: acknowledging them takes nothing away from anybody.
    first.acknowledge(&tokens(&before)).unwrap();
    let done = |who: usize| -> Vec<Token> {
        seen.values().filter(|(by, _)| *by == who).map(|(_, token)| *token).collect()
    };
    first.acknowledge(&done(0)).unwrap();
    second.acknowledge(&done(1)).unwrap();
    drop((first, second));
    write(&cluster, 0, [3]);
    write(&cluster, 1, [13]);
    let mut third = KafkaSource::open(settings(&cluster)).unwrap();
    // A partition may have been dealt out once more behind our back; then some of it comes again, and nothing is missing.
    let mut left = Vec::new();
    until("both new messages", || {
        left.extend(texts(&third.receive(10, MOMENT).unwrap_or_default()));
        left.contains(&3) && left.contains(&13)
    });
}

#[test]
fn a_broker_that_comes_back_is_read_on() {
    let cluster = cluster(1);
    write(&cluster, 0, 0..2);
    let mut source = KafkaSource::open(settings(&cluster)).unwrap();
    let first = read(&mut source, 2);
    source.acknowledge(&tokens(&first)).unwrap();
    cluster.broker_down(1).unwrap();
    let _trouble = source.receive(1, MOMENT);
    cluster.broker_up(1).unwrap();
    write(&cluster, 0, 2..4);
    assert_eq!(texts(&read(&mut source, 2)), [2, 3]);
}

#[test]
fn a_commit_that_fails_is_an_error_and_made_up_for() {
    let cluster = cluster(1);
    write(&cluster, 0, 0..2);
    let mut source = KafkaSource::open(settings(&cluster)).unwrap();
    let all = read(&mut source, 2);
    let error = Error::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    cluster.request_errors(RDKafkaApiKey::OffsetCommit, &[error]);
    let error = source.acknowledge(&tokens(&all)).unwrap_err();
    assert!(error.needs_operator, "{error}");
    assert_eq!(error.action, "acknowledge to");
    // The next acknowledgement, of nothing more, commits what is owed.
    source.acknowledge(&[]).unwrap();
    drop(source);
    let mut source = KafkaSource::open(settings(&cluster)).unwrap();
    write(&cluster, 0, [2]);
    assert_eq!(texts(&read(&mut source, 1)), [2]);
}

#[test]
fn a_missing_topic_is_for_an_operator() {
    let cluster = cluster(1);
    cluster.topic_error("mlops", Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).unwrap();
    let mut source = KafkaSource::open(settings(&cluster)).unwrap();
    let error = source.receive(1, SOON).unwrap_err();
    assert!(error.needs_operator && error.to_string().contains("\"mlops\""), "{error}");
    assert_eq!(error.retry_after, Duration::from_secs(60));
}

#[test]
fn latest_means_from_now_on() {
    let cluster = cluster(1);
    write(&cluster, 0, 0..5);
    let latest =
        KafkaSourceSettings { auto_offset_reset: OffsetReset::Latest, ..settings(&cluster) };
    let mut source = KafkaSource::open(latest).unwrap();
    let end = Instant::now() + SOON;
    let mut number = 5;
    // The reader is there from some moment on; from then on nothing is missing.
    let first = loop {
        assert!(Instant::now() < end, "nothing came");
        write(&cluster, 0, [number]);
        number += 1;
        if let Some(first) = source.receive(1, MOMENT).unwrap().first() {
            break text(first);
        }
    };
    assert!(first >= 5, "{first}");
}

#[test]
fn wrong_settings_are_named_without_secrets() {
    let wrong: [(&str, Change); 7] = [
        ("bootstrap_servers", |s| s.bootstrap_servers.clear()),
        ("topic", |s| s.topic = " ".to_owned()),
        ("group_id", |s| s.group_id.clear()),
        ("reconnect_max_ms", |s| s.reconnect_max_ms = 499),
        ("buffer_kb", |s| s.buffer_kb = 0),
        ("max_poll_interval_ms", |s| s.max_poll_interval_ms = s.session_timeout_ms - 1),
        ("sasl", |s| s.security_protocol = crate::channel::SecurityProtocol::SaslSsl),
    ];
    for (name, change) in wrong {
        let mut settings = KafkaSourceSettings::new("b:1", "mlops");
        change(&mut settings);
        let error = KafkaSource::open(settings).map(drop).unwrap_err();
        assert!(error.needs_operator && error.reason.starts_with(name), "{error}");
    }
    let settings = KafkaSourceSettings {
        security_protocol: crate::channel::SecurityProtocol::SaslSsl,
        sasl: Some(crate::channel::SaslSettings {
            mechanism: crate::channel::SaslMechanism::Plain,
            username: Some("u".to_owned()),
            password: Some(crate::channel::Secret::new("canary")),
            password_file: Some("/nowhere".into()),
            token_file: None,
        }),
        ..KafkaSourceSettings::new("b:1", "mlops")
    };
    assert!(!format!("{settings:?}").contains("canary"), "{settings:?}");
    let error = KafkaSource::open(settings).map(drop).unwrap_err();
    assert!(error.reason.starts_with("sasl.password"), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
}

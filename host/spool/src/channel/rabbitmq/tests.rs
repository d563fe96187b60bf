//! The sink without a broker: what is made of its words, and of its silence. The broker itself is in the stories.

use std::collections::BTreeMap;
use std::net::TcpListener;

use lapin::ErrorKind;
use lapin::message::{BasicReturnMessage, Delivery};
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPSoftError};

use super::*;
use crate::channel::tests::{append, outbox, until};
use crate::channel::{Channel, ChannelSettings, Drained, Secret, SettingsError};
use crate::rabbitmq::TlsVersion;

/// Makes one setting wrong.
type Change = fn(&mut RabbitMqSettings);

fn settings() -> RabbitMqSettings {
    RabbitMqSettings::new("amqp://u:canary@broker:1", "mlops")
}

/// A sink that waits for messages of these records.
fn waiting(messages: &[(u64, usize)]) -> RabbitMq {
    let mut sink = RabbitMq::new(settings()).unwrap();
    for &(seq, messages) in messages {
        sink.open.insert(seq, Open { messages, answer: Answer::Delivered });
        let flight = || Flight { seq, confirm: Box::pin(std::future::pending()) };
        sink.flights.extend(std::iter::repeat_with(flight).take(messages));
    }
    sink
}

fn answers(sink: &mut RabbitMq) -> Vec<(u64, Answer)> {
    let mut out = Vec::new();
    sink.answers(Duration::ZERO, &mut out);
    out.sort_by_key(|(seq, _)| *seq);
    out
}

fn is_soon(answer: &Answer) -> bool {
    matches!(answer, Answer::Retry(Retry { paused: false, .. }))
}

fn refusal(error: AMQPSoftError, text: &str) -> Outcome {
    let error = AMQPError::new(AMQPErrorKind::Soft(error), text.into());
    Err(ErrorKind::ProtocolError(error).into())
}

fn no_route() -> Confirmation {
    let delivery = Delivery::mock(0, "".into(), "mlops".into(), false, b"rows".to_vec());
    let reply_text = "NO_ROUTE".into();
    Confirmation::Ack(Some(BasicReturnMessage { delivery, reply_code: 312, reply_text }))
}

#[test]
fn a_record_is_delivered_when_all_its_messages_are() {
    let mut sink = waiting(&[(1, 2), (2, 1)]);
    sink.outcomes = vec![(1, Ok(Confirmation::Ack(None)))];
    assert_eq!(answers(&mut sink), []);
    sink.outcomes = vec![(2, Ok(Confirmation::Ack(None))), (1, Ok(Confirmation::Ack(None)))];
    assert_eq!(answers(&mut sink), [(1, Answer::Delivered), (2, Answer::Delivered)]);
}

#[test]
fn one_message_that_was_not_stored_brings_the_record_back() {
    let mut sink = waiting(&[(1, 2)]);
    sink.outcomes = vec![(1, Ok(Confirmation::Nack(None))), (1, Ok(Confirmation::Ack(None)))];
    assert!(matches!(&answers(&mut sink)[..], [(1, answer)] if is_soon(answer)));
}

#[test]
fn after_a_return_no_confirm_is_believed() {
    let mut sink = waiting(&[(1, 1), (2, 1), (3, 1)]);
    // The client may hand the message of record 2 to the confirm of record 1.
    sink.outcomes = vec![(1, Ok(no_route())), (2, Ok(Confirmation::Ack(None)))];
    let answers = answers(&mut sink);
    assert_eq!(answers.len(), 3);
    for (_, answer) in &answers {
        assert!(is_soon(answer), "{answer:?}");
        let Answer::Retry(retry) = answer else { unreachable!() };
        assert_eq!(retry.why, "queue \"mlops\": NO_ROUTE");
    }
    assert!(sink.flights.is_empty());
}

#[test]
fn a_message_too_large_for_the_broker_is_rejected() {
    let mut sink = waiting(&[(1, 1), (2, 1)]);
    let text = "PRECONDITION_FAILED - message size 9 is larger than configured max size 5";
    sink.outcomes = vec![
        (1, refusal(AMQPSoftError::PRECONDITIONFAILED, text)),
        (2, refusal(AMQPSoftError::PRECONDITIONFAILED, "something else")),
    ];
    let answers = answers(&mut sink);
    assert_eq!(answers[0], (1, Answer::Rejected { why: text.to_owned() }));
    assert!(is_soon(&answers[1].1), "{answers:?}");
}

#[test]
fn silence_for_too_long_brings_everything_back() {
    let mut sink = waiting(&[(1, 1), (2, 2)]);
    let limit = Duration::from_millis(sink.settings.confirm_timeout_ms);
    sink.heard = Instant::now() - limit + Duration::from_secs(5);
    assert_eq!(answers(&mut sink), []);
    sink.heard = Instant::now() - limit;
    let answers = answers(&mut sink);
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|(_, answer)| is_soon(answer)), "{answers:?}");
}

#[test]
fn what_was_forgotten_is_not_answered() {
    let mut sink = waiting(&[(1, 1)]);
    sink.outcomes = vec![(1, Ok(Confirmation::Ack(None)))];
    sink.forget();
    assert_eq!(answers(&mut sink), []);
}

#[test]
fn nobody_there_and_nobody_answering_are_no_reason_not_to_start_or_stop() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for url in ["amqp://127.0.0.1:9".to_owned(), format!("amqp://u:canary@127.0.0.1:{port}")] {
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(dir.path());
        append(&outbox, 1..=5);
        let settings = RabbitMqSettings {
            connection_timeout_ms: 100,
            retry_ms: 10,
            ..RabbitMqSettings::new(url, "mlops")
        };
        let channel = Channel::spawn(&outbox, ChannelSettings::RabbitMq(settings)).unwrap();
        until("it is noticed", || channel.status().last_error.is_some());
        until("durable", || outbox.status().durable_seq == 5);
        let status = channel.status();
        assert_eq!((status.channel.as_str(), status.paused), ("rabbitmq", None));
        assert!(!status.last_error.unwrap().contains("canary"));
        let begun = Instant::now();
        let drained = channel.stop(Duration::from_millis(100));
        assert_eq!(drained, Drained { waiting_records: 5 });
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn wrong_settings_are_named_without_secrets() {
    let some = || Some("f.pem".to_owned());
    let wrong: [(&str, Change); 13] = [
        ("url", |s| s.url = Some(Secret::new("http://u:canary@broker"))),
        ("url or url_file", |s| s.url = None),
        ("url or url_file", |s| s.url_file = Some("file".into())),
        ("queue", |s| s.queue = " ".to_owned()),
        ("rows_per_message", |s| s.rows_per_message = 0),
        ("message_bytes", |s| s.message_bytes = 1023),
        ("message_bytes", |s| s.message_bytes = (128 << 20) + 1),
        ("confirm_timeout_ms", |s| s.confirm_timeout_ms = 0),
        ("heartbeat_s", |s| s.heartbeat_s = 0),
        ("connection_timeout_ms", |s| s.connection_timeout_ms = 0),
        ("tls.ca_location", |s| s.tls.ca_location = Some("ca.pem".to_owned())),
        ("tls.certificate_location", |s| s.tls.certificate_location = Some("c.pem".to_owned())),
        ("tls.certificate_location", |s| {
            s.tls.ca_location = Some("ca.pem".to_owned());
            s.tls.key_location = Some("k.pem".to_owned());
        }),
    ];
    for (name, change) in wrong {
        let mut settings = settings();
        change(&mut settings);
        assert!(!format!("{settings:?}").contains("canary"));
        let error = RabbitMq::new(settings).map(drop).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains(name) && !said.contains("canary"), "{name}: {said}");
    }
    let right: [Change; 3] = [
        |s| s.message_bytes = 128 << 20,
        |s| s.message_bytes = 1024,
        |s| s.url = Some(Secret::new("amqps://broker")),
    ];
    for change in right {
        let mut settings = settings();
        change(&mut settings);
        settings.check().unwrap();
    }
    // As with the public library, three files make TLS of any address.
    let mut settings = settings();
    settings.tls = RabbitMqTlsSettings {
        ca_location: some(),
        certificate_location: some(),
        key_location: some(),
        version: TlsVersion::V12,
    };
    settings.check().unwrap();
}

#[test]
fn the_address_may_lie_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("url");
    let write = |text: &str, mode| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut settings = settings();
    (settings.url, settings.url_file) = (None, Some(path.clone()));
    settings.check().unwrap();
    write("amqp://u:canary@broker/\n", 0o600);
    assert_eq!(settings.peer().unwrap().uri.vhost, "/");
    for (text, mode, says) in
        [("amqp://u:canary@broker", 0o644, "url_file"), ("broker:canary", 0o600, "url must be")]
    {
        write(text, mode);
        let error = settings.peer().map(drop).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains(says) && !said.contains("canary"), "{said}");
    }
    settings.tls.ca_location = Some("ca.pem".to_owned());
    settings.check().unwrap();
    write("amqp://u:canary@broker", 0o600);
    let error = settings.peer().map(drop).unwrap_err();
    assert!(error.to_string().contains("tls.ca_location"), "{error}");
}

fn read(variables: &[(&str, &str)]) -> Result<RabbitMqSettings, SettingsError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut variables: BTreeMap<_, _> = variables.iter().map(owned).collect();
    variables.insert("MLOPS_SPOOLER_TYPE".to_owned(), "RABBITMQ".to_owned());
    match ChannelSettings::from_env_map(&variables)? {
        Some(ChannelSettings::RabbitMq(settings)) => Ok(settings),
        other => panic!("{other:?}"),
    }
}

const BASE: [(&str, &str); 2] =
    [("MLOPS_RABBITMQ_QUEUE_URL", "amqp://u:canary@broker/"), ("MLOPS_RABBITMQ_QUEUE_NAME", "q")];

#[test]
fn the_librarys_names_are_read_new_and_old() {
    let defaults = RabbitMqSettings::new("amqp://u:canary@broker/", "q");
    assert_eq!(read(&BASE), Ok(defaults.clone()));
    let old = [("MLOPS_RABBITMQ_URL", "amqp://u:canary@broker/"), BASE[1]];
    assert_eq!(read(&old), Ok(defaults.clone()));
    let file = [("MLOPS_RABBITMQ_QUEUE_URL_FILE", "/run/url"), BASE[1]];
    let by_file = RabbitMqSettings {
        url: None,
        url_file: Some("/run/url".into()),
        ..RabbitMqSettings::new("", "q")
    };
    assert_eq!(read(&file), Ok(by_file));
    let all = [
        ("MLOPS_FEATURE_DATA_ROWS_IN_ONE_MESSAGE", "7"),
        ("MLOPS_RABBITMQ_SSL_CA_CERTIFICATE_PATH", "/ca.pem"),
        ("MLOPS_RABBITMQ_SSL_CERTIFICATE_PATH", " /c.pem"),
        ("MLOPS_RABBITMQ_SSL_KEYFILE_PATH", "/k.pem"),
        ("MLOPS_RABBITMQ_SSL_TLS_VERSION", "TLSv1.3"),
        ("MLOPS_SOMETHING_ELSE", "x"),
    ];
    let tls = RabbitMqTlsSettings {
        ca_location: Some("/ca.pem".to_owned()),
        certificate_location: Some("/c.pem".to_owned()),
        key_location: Some("/k.pem".to_owned()),
        version: TlsVersion::V13,
    };
    let expected = RabbitMqSettings { rows_per_message: 7, tls, ..defaults };
    assert_eq!(read(&[&BASE[..], &all].concat()), Ok(expected));
}

#[test]
fn every_error_names_its_variable_and_no_value() {
    let with = |more| read(&[&BASE[..], &[more]].concat()).map(drop);
    let cases = [
        (read(&BASE[..1]).map(drop), "MLOPS_RABBITMQ_QUEUE_NAME is missing"),
        (read(&BASE[1..]).map(drop), "MLOPS_RABBITMQ_QUEUE_URL is missing"),
        (with(("MLOPS_RABBITMQ_QUEUENAME", "canary")), "MLOPS_RABBITMQ_QUEUENAME"),
        (with(("MLOPS_RABBITMQ_SSL_TLS_VERSION", "TLSv1")), "MLOPS_RABBITMQ_SSL_TLS_VERSION"),
        (with(("MLOPS_FEATURE_DATA_ROWS_IN_ONE_MESSAGE", "-1")), "ROWS_IN_ONE_MESSAGE"),
    ];
    for (result, name) in cases {
        let error = result.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains(name) && !said.contains("canary"), "{said}");
    }
}

#[test]
fn tables_and_types_lead_here() {
    let table = r#"{"type":"rabbitmq","url":"amqp://b","queue":"q","tls":{"version":"TLSv1.3"}}"#;
    let Ok(ChannelSettings::RabbitMq(settings)) = serde_json::from_str(table) else { panic!() };
    assert_eq!(settings.tls.version, TlsVersion::V13);
    assert_eq!(ChannelSettings::RabbitMq(settings).kind(), "rabbitmq");
    for wrong in [
        r#"{"type":"rabbitmq","uri":"amqp://b"}"#,
        r#"{"type":"rabbitmq","tls":{"ca":"x"}}"#,
        r#"{"type":"rabbitmq","tls":{"version":"TLSv1.1"}}"#,
    ] {
        assert!(serde_json::from_str::<ChannelSettings>(wrong).is_err(), "{wrong}");
    }
    for kind in ["RABBITMQ", "rabbit_mq"] {
        let mut variables: BTreeMap<String, String> =
            BASE.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        variables.insert("MLOPS_SPOOLER_TYPE".into(), kind.into());
        let read = ChannelSettings::from_env_map(&variables).unwrap();
        assert!(matches!(read, Some(ChannelSettings::RabbitMq(_))), "{kind}");
    }
}

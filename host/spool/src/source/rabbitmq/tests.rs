//! The source without a broker; the broker itself is in the stories.

use std::net::TcpListener;

use super::*;

/// Makes one setting wrong.
type Change = fn(&mut RabbitMqSourceSettings);

fn settings() -> RabbitMqSourceSettings {
    RabbitMqSourceSettings::new("amqp://u:canary@broker:1", "mlops")
}

#[test]
fn the_agents_names_are_known() {
    let table = r#"{
        "queueUrl": "amqps://u:canary@broker:1", "queueName": "mlops", "caCertificatePath": "/ca.pem",
        "certificatePath": "/c.pem", "keyfilePath": "/k.pem", "tlsVersion": "TLSv1.2"
    }"#;
    let read: RabbitMqSourceSettings = serde_json::from_str(table).unwrap();
    let expected = RabbitMqSourceSettings {
        ca_location: Some("/ca.pem".to_owned()),
        certificate_location: Some("/c.pem".to_owned()),
        key_location: Some("/k.pem".to_owned()),
        ..RabbitMqSourceSettings::new("amqps://u:canary@broker:1", "mlops")
    };
    assert_eq!(read, expected);
    let error = serde_json::from_str::<RabbitMqSourceSettings>(r#"{"queueUri": "canary"}"#);
    assert!(error.unwrap_err().to_string().contains("queueUri"));
}

#[test]
fn wrong_settings_are_named_without_secrets() {
    let wrong: [(&str, Change); 7] = [
        ("url", |s| s.url = crate::channel::Secret::new("broker:canary")),
        ("queue", |s| s.queue.clear()),
        ("prefetch", |s| s.prefetch = 0),
        ("heartbeat_s", |s| s.heartbeat_s = 0),
        ("connection_timeout_ms", |s| s.connection_timeout_ms = 0),
        ("ca_location", |s| s.ca_location = Some("ca.pem".to_owned())),
        ("certificate_location", |s| s.key_location = Some("k.pem".to_owned())),
    ];
    for (name, change) in wrong {
        let mut settings = settings();
        change(&mut settings);
        let error = RabbitMqSource::new(settings).map(drop).unwrap_err();
        assert!(error.needs_operator);
        let said = format!("{error} {error:?}");
        assert!(said.contains(name) && !said.contains("canary"), "{name}: {said}");
    }
}

#[test]
fn nobody_there_may_be_there_later_and_nothing_is_out() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("amqp://u:canary@127.0.0.1:{port}");
    let mut source = RabbitMqSource::new(RabbitMqSourceSettings::new(url, "mlops")).unwrap();
    let error = source.receive(10, Duration::ZERO).unwrap_err();
    assert!(!error.needs_operator);
    assert_eq!(error.retry_after, Duration::from_secs(1));
    assert!(!format!("{error} {error:?} {source:?}").contains("canary"));
    // Tokens of a connection that is gone have no meaning any more.
    source.acknowledge(&[Token(0), Token(7)]).unwrap();
    source.rewind().unwrap();
}

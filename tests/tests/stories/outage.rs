//! A broker that is not there, has no topic, freezes, dies: predictions go on and no record is lost.

use std::collections::BTreeSet;
use tests::{Gateway, Kafka, Message, README_ROW, Serve, wait_until};

const TOPIC: &str = "outage";

/// Asks for some predictions, each with an association id that begins with `name`.
fn ask(gateway: &Gateway, name: &str, expected: &mut BTreeSet<String>) {
    for number in 0..10 {
        let id = format!("{name}-{number}");
        let answer = gateway.predict(&format!("{README_ROW}&associationId={id}"));
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        expected.insert(id);
    }
}

fn associations(messages: &[Message]) -> BTreeSet<String> {
    messages.iter().flat_map(|message| message.envelope.associations()).collect()
}

#[test]
fn predictions_outlive_every_state_of_the_broker() {
    let Some(mut kafka) = Kafka::reserved() else { return };
    let mut expected = BTreeSet::new();
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let serve = || Serve::ridge(&outbox).durable().to_kafka(&kafka.brokers(), TOPIC);

    let gateway = serve().start();
    ask(&gateway, "down-from-boot", &mut expected);
    gateway.kill();
    let gateway = serve().start();
    ask(&gateway, "killed-with-records-waiting", &mut expected);

    kafka.start();
    wait_until("a log line about the missing topic", || {
        gateway.log().contains(TOPIC).then_some(())
    });
    ask(&gateway, "no-topic", &mut expected);

    kafka.create_topic(TOPIC);
    kafka.records(TOPIC, |messages| associations(messages) == expected);

    kafka.freeze();
    ask(&gateway, "frozen", &mut expected);
    kafka.thaw();
    kafka.records(TOPIC, |messages| associations(messages) == expected);

    kafka.kill();
    ask(&gateway, "broker-killed", &mut expected);
    kafka.start();
    let messages = kafka.records(TOPIC, |messages| associations(messages) == expected);
    same_id_same_bytes(&messages);
}

/// A record may come twice, but then it is the same record.
fn same_id_same_bytes(messages: &[Message]) {
    for message in messages {
        let twin = messages.iter().find(|it| it.envelope.id == message.envelope.id).unwrap();
        assert_eq!(twin.envelope, message.envelope);
        let named = message.envelope.associations();
        let ids: BTreeSet<_> = messages
            .iter()
            .filter(|it| !named.is_empty() && it.envelope.associations() == named)
            .map(|it| &it.envelope.id)
            .collect();
        assert!(ids.len() <= 1, "{named:?} was recorded under {ids:?}");
    }
}

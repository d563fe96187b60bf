//! 26, 27, 28: the broker is there and says no.

use super::hasty;
use std::path::Path;
use tests::{Gateway, Kafka, Ledger, Load, PASSWORD, README_ROW, Serve, USER};

const CLIENTS: usize = 2;
const PAUSED: &str = "spool_channel_paused";
const REJECTED: &str = "spool_channel_rejected_records_total";

#[test]
fn a_missing_topic_pauses_the_channel_until_somebody_makes_it() {
    let Some(kafka) = Kafka::shared() else { return };
    let mut ledger = Ledger::new(26, "topic missing, then made");
    let folder = tempfile::tempdir().unwrap();
    let settings = hasty(&kafka.brokers(), "made-later");
    let serve = Serve::ridge(&folder.path().join("outbox")).durable().settings(&settings);
    let gateway = serve.start();
    let load = Load::start(gateway.port(), CLIENTS, "topic");
    gateway.wait_for(PAUSED, |paused| paused == 1.0);
    assert!(gateway.log().contains("made-later"), "{}", gateway.log());
    load.wait_for_more(50);
    assert_eq!(gateway.metric("spool_channel_sent_messages_total"), 0.0);
    kafka.create_topic("made-later");
    gateway.wait_for(PAUSED, |paused| paused == 0.0);
    load.wait_for_more(50);
    ledger.acknowledge(load.end());
    ledger.close_on_topic(kafka, "made-later");
}

/// An id of quotation marks: each is four bytes in a message.
fn long_id() -> String {
    "%22".repeat(128)
}

fn ask(gateway: &Gateway, id: &str) {
    let answer = gateway.predict(&format!("{README_ROW}&associationId={id}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// What Kafka adds to a value, key and headers among it, and to a batch.
const OVERHEAD: (usize, usize) = (130, 61);

/// Limits between the short id and the long one: of one message, and of a batch, in which a record's stats are too.
fn limits(kafka: &Kafka, folder: &Path) -> (usize, usize) {
    kafka.create_topic("sizes");
    let gateway = Serve::ridge(&folder.join("sizes")).to_kafka(&kafka.brokers(), "sizes").start();
    ask(&gateway, "short-0");
    ask(&gateway, &long_id());
    let messages = kafka.records("sizes", |messages| messages.len() >= 4);
    let bytes: Vec<usize> = messages.iter().map(|message| message.bytes).collect();
    let [stats, short, _, long] = bytes[..] else { panic!("{bytes:?}") };
    assert!(long >= short + 400, "{bytes:?}");
    let message = short.midpoint(long) + OVERHEAD.0;
    (message, message + stats + OVERHEAD.0 + OVERHEAD.1)
}

#[test]
fn a_message_that_is_too_large_is_set_aside_and_its_neighbours_go_on() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (message, batch) = limits(kafka, folder.path());
    kafka.create_topic("too-large-here");
    kafka.create_topic_with("too-large-there", &[("max.message.bytes", &batch.to_string())]);
    for (topic, name, setting) in [
        (
            "too-large-here",
            "message too large for us",
            format!("message_bytes = {}", message.max(1024)),
        ),
        (
            "too-large-there",
            "message too large for the broker",
            "compression = \"none\"".to_owned(),
        ),
    ] {
        let mut ledger = Ledger::new(27, name);
        let outbox = folder.path().join(topic);
        let settings = hasty(&kafka.brokers(), topic) + &setting;
        let gateway = Serve::ridge(&outbox).durable().settings(&settings).start();
        for part in ["before", "after"] {
            let load = Load::start(gateway.port(), CLIENTS, part);
            load.wait_for(30);
            if part == "before" {
                ask(&gateway, &long_id());
            }
            ledger.acknowledge(load.end());
        }
        gateway.wait_for("spool_channel_waiting_records", |records| records == 0.0);
        assert_eq!(gateway.metric(REJECTED), 1.0);
        let aside = std::fs::read_to_string(outbox.join("rejected-kafka.jsonl")).unwrap();
        let letters = aside.lines().filter(|line| line.contains("\"id\":"));
        assert_eq!(letters.count(), 1, "{aside}");
        ledger.set_aside(1);
        ledger.close_on_topic(kafka, topic);
    }
}

#[test]
fn a_wrong_password_pauses_the_channel_and_is_never_shown() {
    let Some(kafka) = Kafka::shared() else { return };
    let mut ledger = Ledger::new(28, "wrong password, then the right one");
    kafka.create_topic("login");
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let wrong = "a-canary-that-must-not-sing";
    let serve = |password: &str| {
        let login = format!(
            "security_protocol = \"sasl_plaintext\"\n[spooler.sasl]\nmechanism = \"PLAIN\"\n\
             username = \"{USER}\"\npassword = \"{password}\"\n"
        );
        let settings = hasty(&kafka.login_brokers(), "login") + &login;
        Serve::ridge(&outbox).durable().settings(&settings).start()
    };
    let gateway = serve(wrong);
    let load = Load::start(gateway.port(), CLIENTS, "wrong");
    gateway.wait_for("spool_channel_retries_total", |retries| retries >= 3.0);
    load.wait_for_more(20);
    ledger.acknowledge(load.end());
    // Not while it is just trying again.
    gateway.wait_for(PAUSED, |paused| paused == 1.0);
    let said = gateway.log() + &gateway.get("/metrics").body + &gateway.get("/readyz").body;
    assert!(!said.contains(wrong), "{said}");
    assert!(said.to_lowercase().contains("auth"), "{said}");
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    let gateway = serve(PASSWORD);
    let load = Load::start(gateway.port(), CLIENTS, "right");
    load.wait_for(20);
    ledger.acknowledge(load.end());
    ledger.close_on_topic(kafka, "login");
}

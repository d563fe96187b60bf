//! A queue of a real broker, read by us: what the public library wrote, and what comes again.

use spool::source::{RabbitMqSource, RabbitMqSourceSettings, Received, Source, Token};
use std::time::Duration;
use tests::{PATIENCE, RabbitMq, python, wait_until};

const SOON: Duration = Duration::from_millis(200);

fn source(rabbitmq: &RabbitMq, queue: &str) -> RabbitMqSource {
    RabbitMqSource::new(RabbitMqSourceSettings::new(rabbitmq.url(), queue)).unwrap()
}

/// Bodies that a library could have written, by number.
fn bodies(numbers: std::ops::Range<usize>) -> Vec<String> {
    let body = |number| {
        format!(
            r#"{{"header":{{"id":"{number}","deploymentId":"d","dataType":"DEPLOYMENT_STATS","dataFormat":"json","version":2,"language":"python","libVersion":"1","reserved":""}},"data":"{{}}"}}"#
        )
    };
    numbers.map(body).collect()
}

fn texts(received: &[Received]) -> Vec<String> {
    received.iter().map(|it| String::from_utf8(it.body.clone()).unwrap()).collect()
}

fn tokens(received: &[Received]) -> Vec<Token> {
    received.iter().map(|it| it.token).collect()
}

/// Receives exactly this many, in as many calls as it takes.
fn receive(source: &mut RabbitMqSource, count: usize) -> Vec<Received> {
    let mut all = Vec::new();
    wait_until("messages from the queue", || {
        all.extend(source.receive(count - all.len(), SOON).unwrap());
        (all.len() == count).then_some(())
    });
    all
}

fn depth(rabbitmq: &RabbitMq, queue: &str, expected: u32) {
    wait_until("messages back in the queue, or none", || {
        (rabbitmq.depth(queue) == Some(expected)).then_some(())
    });
}

#[test]
fn what_the_public_library_wrote_is_received_in_order_and_once() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    let arguments = ["rabbitmq", &rabbitmq.url(), "from-python"];
    let Some(reported) = python::write(&arguments, &[]) else { return };
    let kinds: Vec<String> = reported.into_iter().map(|it| it.data_type).collect();
    let mut source = source(rabbitmq, "from-python");
    let received = receive(&mut source, kinds.len());
    let kind = |it: &Received| {
        let json: serde_json::Value = serde_json::from_slice(&it.body).unwrap();
        json["header"]["dataType"].as_str().unwrap().to_owned()
    };
    assert_eq!(received.iter().map(kind).collect::<Vec<_>>(), kinds);
    assert_eq!(tokens(&received), (0..kinds.len() as u64).map(Token).collect::<Vec<_>>());
    source.acknowledge(&tokens(&received)).unwrap();
    drop(source);
    depth(rabbitmq, "from-python", 0);
}

#[test]
fn what_was_not_acknowledged_comes_again_in_order_with_new_tokens() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    rabbitmq.declare("again");
    rabbitmq.publish("again", &bodies(0..6));
    let mut source = source(rabbitmq, "again");
    // Four are handed out; the other two lie ready in the client, and are not to overtake them.
    let first = receive(&mut source, 4);
    assert_eq!(texts(&first), bodies(0..4));
    source.acknowledge(&[first[1].token]).unwrap();
    source.rewind().unwrap();
    // Their old tokens have no meaning any more.
    source.acknowledge(&tokens(&first)).unwrap();
    let second = receive(&mut source, 5);
    let expected = [&bodies(0..1)[..], &bodies(2..6)].concat();
    assert_eq!(texts(&second), expected);
    assert!(second.iter().all(|it| it.token > first[3].token), "{second:?}");
    source.acknowledge(&[second[4].token, second[0].token]).unwrap();
    drop(source);
    // In any order, and the rest is for the next run.
    depth(rabbitmq, "again", 3);
    let mut source = self::source(rabbitmq, "again");
    assert_eq!(texts(&receive(&mut source, 3)), bodies(2..5));
}

#[test]
fn no_more_are_out_than_the_prefetch() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    rabbitmq.declare("few-at-a-time");
    rabbitmq.publish("few-at-a-time", &bodies(0..5));
    let settings = RabbitMqSourceSettings {
        prefetch: 3,
        ..RabbitMqSourceSettings::new(rabbitmq.url(), "few-at-a-time")
    };
    let mut source = RabbitMqSource::new(settings).unwrap();
    let out = receive(&mut source, 3);
    assert_eq!(source.receive(10, SOON).unwrap(), []);
    source.acknowledge(&[out[1].token]).unwrap();
    assert_eq!(texts(&receive(&mut source, 1)), bodies(3..4));
    assert_eq!(source.receive(10, SOON).unwrap(), []);
}

#[test]
fn one_call_gives_out_a_bounded_number_of_bytes() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    rabbitmq.declare("large");
    let large = "x".repeat(9 << 20);
    rabbitmq.publish("large", &[large.clone(), large.clone(), large.clone(), large]);
    let mut source = source(rabbitmq, "large");
    receive(&mut source, 1);
    // The others are on their way. 16 MiB are passed with the second of them.
    depth(rabbitmq, "large", 0);
    let mut calls = Vec::new();
    wait_until("all three", || {
        calls.push(source.receive(10, SOON).unwrap().len());
        (calls.iter().sum::<usize>() == 3).then_some(())
    });
    assert!(calls.iter().all(|count| *count <= 2), "{calls:?}");
}

#[test]
fn a_lost_connection_voids_the_tokens_and_brings_the_messages_back() {
    let Some(mut rabbitmq) = RabbitMq::reserved() else { return };
    rabbitmq.start();
    rabbitmq.declare("lost");
    rabbitmq.publish("lost", &bodies(0..3));
    let mut source = source(&rabbitmq, "lost");
    let before = receive(&mut source, 3);
    source.acknowledge(&[before[0].token]).unwrap();
    rabbitmq.kill();
    let error = wait_until("a lost connection", || source.receive(3, SOON).err());
    assert!(!error.needs_operator, "{error}");
    source.acknowledge(&tokens(&before)).unwrap();
    rabbitmq.start();
    // A broker that is killed may forget an acknowledgement, but no message that it has confirmed.
    let mut after = Vec::new();
    wait_until("the messages that were not acknowledged", || {
        after.extend(source.receive(3, SOON).unwrap_or_default());
        // In which order it puts them back, and how often while it starts, is its own affair.
        let texts = texts(&after);
        bodies(1..3).iter().all(|body| texts.contains(body)).then_some(())
    });
    source.acknowledge(&tokens(&after)).unwrap();
    // A queue that goes away under a reader is made anew.
    rabbitmq.delete("lost");
    wait_until("a reader without its queue", || source.receive(1, SOON).err());
    assert_eq!(source.receive(1, SOON).unwrap(), []);
    rabbitmq.publish("lost", &bodies(7..8));
    assert_eq!(texts(&receive(&mut source, 1)), bodies(7..8));
    // A frozen one costs the limit and no more.
    rabbitmq.freeze();
    let out = source.receive(1, SOON).unwrap_or_default();
    let begun = std::time::Instant::now();
    let error = source.rewind().unwrap_err();
    assert!(out.is_empty() && begun.elapsed() < PATIENCE / 4, "{error}");
    rabbitmq.thaw();
    assert_eq!(texts(&receive_again(&mut source, 1)), bodies(7..8));
}

/// As [`receive`], from a broker that may not be there yet.
fn receive_again(source: &mut RabbitMqSource, count: usize) -> Vec<Received> {
    let mut all = Vec::new();
    wait_until("messages from the queue", || {
        all.extend(source.receive(count - all.len(), SOON).unwrap_or_default());
        (all.len() == count).then_some(())
    });
    all
}

#[test]
fn a_source_speaks_tls_with_the_agents_names() {
    let Some(rabbitmq) = RabbitMq::shared() else { return };
    rabbitmq.declare("read-by-tls");
    rabbitmq.publish("read-by-tls", &bodies(0..1));
    let (ca, client) = (rabbitmq.tls().ca.clone(), rabbitmq.tls().client.clone());
    let settings = serde_json::json!({
        "queueUrl": rabbitmq.tls_url(),
        "queueName": "read-by-tls",
        "caCertificatePath": ca,
        "certificatePath": client.certificate,
        "keyfilePath": client.key,
        "tlsVersion": "TLSv1.2",
    });
    let mut source = RabbitMqSource::new(serde_json::from_value(settings).unwrap()).unwrap();
    assert_eq!(texts(&receive(&mut source, 1)), bodies(0..1));
}

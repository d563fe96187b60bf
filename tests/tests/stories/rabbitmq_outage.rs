//! A RabbitMQ that is not there, dies, freezes, loses its queue, has no memory left: predictions go on, and every
//! acknowledged one is delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tests::{Gateway, Load, Queued, README_ROW, RabbitMq, wait_until};

use super::rabbitmq::serve;

const QUEUE: &str = "outage";
/// Longest body that the broker of this story takes.
const BODY_BYTES: usize = 20_000;

/// What was promised and what came.
#[derive(Default)]
struct Books {
    acknowledged: BTreeSet<String>,
    received: Vec<Queued>,
}

impl Books {
    /// Waits until everything acknowledged so far was delivered.
    fn settle(&mut self, rabbitmq: &RabbitMq, chapter: &str) {
        let missing = |new: &[Queued]| {
            let found = self.received.iter().chain(new).flat_map(|it| it.envelope.associations());
            let found: BTreeSet<String> = found.collect();
            self.acknowledged.difference(&found).count()
        };
        let new = rabbitmq.drain(QUEUE, |new| missing(new) == 0);
        self.received.extend(new);
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for association in self.received.iter().flat_map(|it| it.envelope.associations()) {
            *times.entry(association).or_default() += 1;
        }
        let twice = times.values().filter(|times| **times > 1).count();
        println!(
            "{chapter}: {} acknowledged, {} delivered, {twice} of them more than once",
            self.acknowledged.len(),
            times.len()
        );
        self.same_id_same_bytes();
        self.first_copies_in_order();
    }

    /// The numbers of each client come in the order in which it asked, copies aside.
    fn first_copies_in_order(&self) {
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for association in self.received.iter().flat_map(|it| it.envelope.associations()) {
            let (client, number) = association.rsplit_once('-').unwrap();
            let (client, number) = (client.to_owned(), number.parse().unwrap());
            if seen.insert(association) {
                let before = last.insert(client.clone(), number);
                assert!(before < Some(number), "{client}: {number} came after {before:?}");
            }
        }
    }

    /// A record may come twice, but then it is the same record.
    fn same_id_same_bytes(&self) {
        let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
        let mut ids: BTreeMap<String, &str> = BTreeMap::new();
        for message in &self.received {
            let id = message.envelope.id.as_str();
            assert_eq!(*bodies.entry(id).or_insert(&message.body), message.body);
            for association in message.envelope.associations() {
                assert_eq!(*ids.entry(association).or_insert(id), id);
            }
        }
    }

    fn ask(&mut self, gateway: &Gateway, name: &str) {
        for number in 0..10 {
            let id = format!("{name}-{number}");
            let answer = gateway.predict(&format!("{README_ROW}&associationId={id}"));
            assert_eq!(answer.status, 200, "{name}: {}", answer.body);
            self.acknowledged.insert(id);
        }
    }
}

/// Waits until the gateway has said this since `mark` bytes of its log.
fn says(gateway: &Gateway, mark: usize, words: &str) {
    wait_until(words, || gateway.log()[mark..].contains(words).then_some(()));
}

#[test]
fn every_acknowledged_prediction_outlives_every_state_of_the_broker() {
    let Some(rabbitmq) = RabbitMq::reserved() else { return };
    let mut rabbitmq = rabbitmq.with_setting(&format!("max_message_size = {BODY_BYTES}"));
    let mut books = Books::default();
    let folder = tempfile::tempdir().unwrap();
    let url = rabbitmq.url();
    let start = || {
        let more = "confirm_timeout_ms = 1000\nconnection_timeout_ms = 1000";
        serve(folder.path(), &url, QUEUE, more).start()
    };

    let gateway = start();
    books.ask(&gateway, "down-from-boot");
    gateway.kill();
    let gateway = start();
    books.ask(&gateway, "killed-with-records-waiting");
    rabbitmq.start();
    books.settle(&rabbitmq, "down from boot");

    let load = Load::start(gateway.port(), 1, "broker-killed");
    load.wait_for(300);
    rabbitmq.kill();
    load.wait_for(600);
    rabbitmq.start();
    load.wait_for(900);
    books.acknowledged.extend(load.end());
    books.settle(&rabbitmq, "killed and restarted under load");

    let mark = gateway.log().len();
    rabbitmq.freeze();
    books.ask(&gateway, "frozen");
    says(&gateway, mark, "no answer for 1000 ms");
    rabbitmq.thaw();
    books.settle(&rabbitmq, "frozen");

    let mark = gateway.log().len();
    rabbitmq.delete(QUEUE);
    books.ask(&gateway, "queue-deleted");
    says(&gateway, mark, "NO_ROUTE");
    books.settle(&rabbitmq, "queue deleted");

    let mark = gateway.log().len();
    rabbitmq.control(&["set_vm_memory_high_watermark", "0.00001"]);
    books.ask(&gateway, "no-memory");
    says(&gateway, mark, "its memory or disk is short");
    rabbitmq.control(&["set_vm_memory_high_watermark", "0.8"]);
    books.settle(&rabbitmq, "no memory");

    // Only the message that is too large for this broker is set aside.
    let ids: String = (0..400).map(|row| format!("{},too-large-{row}\n", ROW)).collect();
    let csv = format!("{HEADER},associationId\n{ids}");
    let csv_type = [("Content-Type", "text/csv")];
    let answer = gateway.client().send("POST", "/predict", &csv_type, &csv).unwrap();
    assert_eq!(answer.predictions().len(), 400);
    books.ask(&gateway, "after-too-large");
    books.settle(&rabbitmq, "too large");
    let rejected = folder.path().join("outbox/rejected-rabbitmq.jsonl");
    let rejected = std::fs::read_to_string(rejected).unwrap();
    let letters = rejected.lines().filter(|line| line.contains("\"id\":"));
    assert_eq!(letters.count(), 1, "{rejected}");
    assert!(rejected.contains("message size"), "{rejected}");
    // What the client library prints of returned messages holds people's data.
    assert!(!gateway.log().contains("queue-deleted-"), "{}", gateway.log());

    rabbitmq.freeze();
    books.ask(&gateway, "told-to-stop");
    let begun = Instant::now();
    gateway.terminate();
    assert_eq!(gateway.ended(), Some(0));
    // The grace is 10 seconds.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    rabbitmq.thaw();
    let _gateway = start();
    books.settle(&rabbitmq, "told to stop while the broker was frozen");
}

const HEADER: &str = "age,sex,bmi,bp,s1,s2,s3,s4,s5,s6";
const ROW: &str = "30,1,23,100,157,70,40,4,3,88";

//! The book of a fault: what was acknowledged, what arrived, and the line that says so.
//!
//! Acknowledged is an association id whose request was answered with 200. When a scenario is over, its [`Ledger`] is
//! closed against the records that the other side has, which checks
//!
//! * each acknowledged id is there (I1), unless the scenario damaged the outbox: then the outbox counted what is
//!   missing, neither more nor less;
//! * the ids of each client come in the order in which it asked (I2); copies are allowed;
//! * the same record id means the same bytes, and one request has one record id (I3).
//!
//! Each closed ledger prints one line past the test runner and writes `target/faults.txt` anew: the lines of this
//! process by number, and for the other numbers where they are proved.

use crate::kafka::{Kafka, Message};
use crate::load::Answers;
use crate::patience::wait_until;
use crate::records::{Envelope, spooled};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

/// The first and the last number of the failure scenarios.
pub const NUMBERS: std::ops::RangeInclusive<u8> = 1..=32;

/// Scenarios that are proved by other tests, or by other tests too: number, what it is, file, test.
pub const ELSEWHERE: &[(u8, &str, &str, &str)] = &[
    (
        1,
        "kill -9 of the outbox alone",
        "host/spool/tests/kill.rs",
        "killed_again_and_again_it_loses_nothing_acknowledged",
    ),
    (
        13,
        "short write",
        "host/spool/src/outbox/tests/failing.rs",
        "whatever_fails_the_batch_is_written_again_with_the_same_numbers",
    ),
    (
        15,
        "torn tail, cut at every byte",
        "host/spool/src/outbox/recover/tests.rs",
        "a_torn_last_batch_goes_from_the_tear_on_and_its_numbers_are_used_again",
    ),
    (
        16,
        "hole inside the last batch",
        "host/spool/src/outbox/recover/tests.rs",
        "a_hole_in_the_last_batch_is_a_tear",
    ),
    (23, "RabbitMQ down at start, killed under load", RABBITMQ, STATES),
    (24, "RabbitMQ frozen, also while told to stop", RABBITMQ, STATES),
    (26, "RabbitMQ queue deleted under way", RABBITMQ, STATES),
    (27, "message too large for RabbitMQ", RABBITMQ, STATES),
    (
        28,
        "RabbitMQ log-in, virtual host",
        "tests/tests/stories/rabbitmq.rs",
        "a_wrong_password_and_a_missing_virtual_host_are_said_without_the_password",
    ),
    (
        28,
        "Kafka TLS, SASL",
        "tests/tests/stories/kafka_security.rs",
        "records_enter_by_every_door_and_a_wrong_key_is_an_operators_matter",
    ),
    (
        25,
        "too few replicas",
        "host/spool/src/channel/kafka/tests.rs",
        "too_few_replicas_are_waited_for",
    ),
    (
        29,
        "fatal producer error",
        "host/spool/src/channel/kafka/tests.rs",
        "after_a_fatal_error_the_producer_is_built_anew",
    ),
    (
        32,
        "server that fails and comes back",
        "tests/tests/stories/direct.rs",
        "records_reach_a_server_that_fails_and_comes_back",
    ),
    (
        32,
        "HTTP 429 and 503 with Retry-After",
        "host/spool/src/channel/direct/tests.rs",
        "a_server_that_asks_to_wait_is_left_alone_so_long",
    ),
    (
        32,
        "HTTP 400",
        "host/spool/src/channel/direct/tests.rs",
        "one_record_that_is_refused_does_not_cost_its_neighbours",
    ),
    (
        32,
        "HTTP answer lost",
        "host/spool/src/channel/direct/tests.rs",
        "an_answer_that_is_lost_brings_the_same_call_again",
    ),
    (
        32,
        "HTTP server silent or away",
        "host/spool/src/channel/direct/tests.rs",
        "a_server_that_is_silent_or_away_does_not_keep_the_channel_from_stopping",
    ),
];

const RABBITMQ: &str = "tests/tests/stories/rabbitmq_outage.rs";
const STATES: &str = "every_acknowledged_prediction_outlives_every_state_of_the_broker";

static LINES: Mutex<BTreeMap<(u8, String), String>> = Mutex::new(BTreeMap::new());

/// One scenario's book.
#[derive(Debug)]
pub struct Ledger {
    number: u8,
    name: &'static str,
    acknowledged: HashSet<String>,
    refused: usize,
    rejected: usize,
    lost: Lost,
}

/// What a closed ledger says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Ids that were answered with 200.
    pub acknowledged: usize,
    /// Different ids that arrived; more than were acknowledged when answers got lost.
    pub delivered: usize,
    /// Copies beyond the first.
    pub duplicated: usize,
    /// Acknowledged ids that did not arrive.
    pub lost: usize,
    /// Requests, or records, that were refused and said so.
    pub refused: usize,
}

/// What a scenario may lose.
#[derive(Clone, Copy, Debug)]
enum Lost {
    /// This many: what the outbox counted.
    Exactly(usize),
    /// At least one: the scenario is a control that breaks the promise.
    Some,
}

impl Ledger {
    /// Opens the book of the scenario with this number.
    pub fn new(number: u8, name: &'static str) -> Self {
        let (refused, rejected, lost) = (0, 0, Lost::Exactly(0));
        Self { number, name, acknowledged: HashSet::new(), refused, rejected, lost }
    }

    /// Enters ids that were answered with 200.
    pub fn acknowledge(&mut self, ids: impl IntoIterator<Item = String>) {
        self.acknowledged.extend(ids);
    }

    /// Enters what a load was answered, 200 and other.
    pub fn enter(&mut self, answers: Answers) {
        self.refuse(answers.refused);
        self.acknowledge(answers.acknowledged);
    }

    /// Enters refusals.
    pub fn refuse(&mut self, count: usize) {
        self.refused += count;
    }

    /// How many ids were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Says that the outbox has counted `count` records as lost to damage.
    pub fn expect_lost(&mut self, count: usize) {
        self.lost = Lost::Exactly(count);
    }

    /// Says that the channel has set this many records aside, which the other side will never take. They are not entered
    /// as acknowledged.
    pub fn set_aside(&mut self, count: usize) {
        self.rejected = count;
    }

    /// Says that this scenario breaks the promise on purpose: without a loss it fails.
    pub fn must_lose(&mut self) {
        self.lost = Lost::Some;
    }

    /// Waits until everything acknowledged, but what may be lost, is in the spool files of a folder, and closes.
    ///
    /// # Panics
    ///
    /// When an invariant does not hold.
    #[track_caller]
    pub fn close_on_files(self, folder: &Path) -> Counts {
        let Lost::Exactly(lost) = self.lost else { return self.close(&spooled(folder)) };
        let records = wait_until("every acknowledged request in the files", || {
            let records = spooled(folder);
            (self.missing(&records) <= lost).then_some(records)
        });
        self.close(&records)
    }

    /// Waits until everything acknowledged is in a topic, and closes. Here the order is that of all records, by the
    /// number in the header, and without a gap.
    ///
    /// # Panics
    ///
    /// When an invariant does not hold.
    #[track_caller]
    pub fn close_on_topic(self, kafka: &Kafka, topic: &str) -> Counts {
        let Lost::Exactly(lost) = self.lost else { panic!("no control runs on a broker") };
        let mut left = self.acknowledged.clone();
        let mut seen = 0;
        let messages = kafka.records(topic, |messages| {
            for message in &messages[seen..] {
                for id in message.envelope.associations() {
                    left.remove(&id);
                }
            }
            seen = messages.len();
            left.len() <= lost
        });
        // Of a record that was set aside some messages may have been taken.
        let missing = missing_numbers(&messages);
        assert!((lost..=lost + self.rejected).contains(&missing), "{missing} numbers are missing");
        let records: Vec<Envelope> = messages.into_iter().map(|message| message.envelope).collect();
        self.close(&records)
    }

    /// Closes against these records.
    ///
    /// # Panics
    ///
    /// When an invariant does not hold.
    #[track_caller]
    pub fn close(self, records: &[Envelope]) -> Counts {
        let mut copies: HashMap<String, usize> = HashMap::new();
        let mut ids: HashMap<String, &str> = HashMap::new();
        let mut last: HashMap<String, u64> = HashMap::new();
        let mut bodies: HashMap<&str, &Envelope> = HashMap::new();
        for record in records {
            let twin = bodies.entry(&record.id).or_insert(record);
            assert_eq!(*twin, record, "one id, two contents");
            for id in record.associations() {
                let known = ids.entry(id.clone()).or_insert(&record.id);
                assert_eq!(*known, record.id, "{id} was recorded under two ids");
                let seen = copies.entry(id.clone()).or_default();
                *seen += 1;
                if let (1, Some((client, number))) = (*seen, place(&id)) {
                    let before = last.insert(client.to_owned(), number);
                    assert!(before < Some(number), "{id} came after {before:?} of that client");
                }
            }
        }
        let counts = Counts {
            acknowledged: self.acknowledged.len(),
            delivered: copies.len(),
            duplicated: copies.values().sum::<usize>() - copies.len(),
            lost: self.missing(records),
            refused: self.refused,
        };
        self.say(&counts);
        match self.lost {
            Lost::Exactly(lost) => assert_eq!(counts.lost, lost, "{counts:?}"),
            Lost::Some => assert!(counts.lost > 0, "a control that loses nothing: {counts:?}"),
        }
        counts
    }

    fn missing(&self, records: &[Envelope]) -> usize {
        let found: HashSet<String> = records.iter().flat_map(Envelope::associations).collect();
        self.acknowledged.iter().filter(|id| !found.contains(*id)).count()
    }

    fn say(&self, counts: &Counts) {
        let Counts { acknowledged, delivered, duplicated, lost, refused } = counts;
        // What the outbox has counted and said is no silent loss.
        let counted = match self.lost {
            Lost::Exactly(counted) => counted.min(*lost),
            Lost::Some => 0,
        };
        let lost = lost - counted;
        let line = format!(
            "fault {:>2}  {:<52} acknowledged {acknowledged:>6}  delivered {delivered:>6}  \
             duplicated {duplicated:>5}  lost {lost:>4}  in counted gaps {counted:>4}  refused {refused:>5}",
            self.number, self.name
        );
        // Past the test runner, which hides what a passing test prints.
        std::io::stderr()
            .write_all(format!("{line}\n").as_bytes())
            .expect("standard error takes a line");
        let test = std::thread::current().name().unwrap_or("a story").to_owned();
        let mut lines = LINES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.insert((self.number, self.name.to_owned()), format!("{line}  by {test}"));
        let elsewhere = ELSEWHERE.iter().map(|(number, name, file, test)| {
            (
                (*number, (*name).to_owned()),
                format!("fault {number:>2}  {name:<52} by {file}: {test}"),
            )
        });
        let mut all: BTreeMap<(u8, String), String> = elsewhere.collect();
        all.extend(lines.clone());
        let table: String = all.into_values().map(|line| line + "\n").collect();
        std::fs::write(crate::root().join("target/faults.txt"), table)
            .expect("the target folder takes a file");
    }
}

/// The client and the number in an id that [`crate::Load`] made.
fn place(id: &str) -> Option<(&str, u64)> {
    let (client, number) = id.rsplit_once('-')?;
    Some((client, number.parse().ok()?))
}

/// How many numbers of records are missing between the first and the last of each store. First copies come in the
/// order of their numbers.
#[track_caller]
fn missing_numbers(messages: &[Message]) -> usize {
    let mut numbers: HashMap<&str, BTreeSet<u64>> = HashMap::new();
    for message in messages {
        let (_, id) = message.headers.iter().find(|(name, _)| name == "id").expect("an id header");
        let (store, number) = id.split_once('/').expect("store/number");
        let number: u64 = number.parse().expect("a number");
        let seen = numbers.entry(store).or_default();
        let newest = seen.last().copied().unwrap_or(0);
        assert!(seen.contains(&number) || number > newest, "{number} came after {newest}");
        seen.insert(number);
    }
    let missing = |seen: &BTreeSet<u64>| {
        let span = seen.last().zip(seen.first()).map_or(0, |(last, first)| last - first + 1);
        span as usize - seen.len()
    };
    numbers.values().map(missing).sum()
}

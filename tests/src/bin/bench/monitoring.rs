//! Monitoring: records that wait in a real Kafka, through our agent, into our server's statistics; and what the server
//! stores and reads as it fills.
//!
//! Broker, agent and server share this machine's cores, as they do on a small site. The clock starts when the server has the
//! first record, because joining a consumer group is the broker's time, not ours.

use crate::drain;
use record::wire::{self, Limits, RecordId};
use record::{Column, Outcome, Payload, PredictionRecord, Record, Role, Rows, Values};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::{AgentChannel, Kafka, Mlops, Monitor, Outpost, Postgres};

const GOAL_SINGLE: f64 = 50_000.0;
const GOAL_ROWS: f64 = 200_000.0;
/// Rounds; odd, so that the median is a measured one.
const ROUNDS: usize = 3;
/// Rows of a record, as many as a message to Kafka has.
const ROWS: usize = 97;
/// Records in a round, by their rows.
const SINGLES: usize = 200_000;
const MANY: usize = 20_000;
const PARTITIONS: i32 = 4;
/// Rows up to which the stores are filled.
const SQLITE_ROWS: &str = "10000000";
const POSTGRES_ROWS: &str = "1000000";
const NAMES: [&str; 10] = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];
const DEPLOYMENT: &str = "bench";

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Records a second.
    singles: Vec<f64>,
    /// Rows a second.
    rows: Vec<f64>,
    /// What the stores said of themselves.
    sqlite: String,
    postgres: String,
}

pub(crate) fn measure() -> Figures {
    let (singles, rows) = through();
    let sqlite = filling(SQLITE_ROWS, None);
    let postgres = Postgres::shared().expect("PostgreSQL is set up (`make bench` does it)");
    let postgres = filling(POSTGRES_ROWS, Some(&postgres.database("bench")));
    Figures { singles, rows, sqlite, postgres }
}

/// A part of these, by its name.
pub(crate) fn through() -> (Vec<f64>, Vec<f64>) {
    let mut kafka = Kafka::reserved().expect("Apache Kafka is set up (`make bench` does it)");
    kafka.start();
    let (mut singles, mut many) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let rate = round_of(&kafka, &format!("single-{round}"), SINGLES, 1);
        println!("round {round}/{ROUNDS}: {rate:.0} records of one row/s");
        singles.push(rate);
        let rate = round_of(&kafka, &format!("many-{round}"), MANY, ROWS) * ROWS as f64;
        println!("round {round}/{ROUNDS}: {rate:.0} rows/s in records of {ROWS}");
        many.push(rate);
    }
    (singles, many)
}

/// Records a second, from the topic to the statistics.
fn round_of(kafka: &Kafka, topic: &str, records: usize, rows: usize) -> f64 {
    kafka.create_topic_of(topic, PARTITIONS);
    drain::plain(kafka, topic, &messages(records, rows));
    let folder = tempfile::tempdir_in(tests::root().join("target/tmp")).expect("a folder");
    let server = Mlops::start();
    let package = server.upload(Outpost::ridge());
    server.deploy(&package, DEPLOYMENT);
    // As many entries in a call as our server takes.
    let more = "maxGroupsForMLOpsAPIEndpoint: 10000";
    let channels = [AgentChannel::Kafka(kafka.brokers(), topic)];
    let file = Monitor::configure(folder.path(), &server.url(), &channels, more);
    let agent = Monitor::known_by(server.token(), &file, &[]);
    let counted = || {
        let health = server.health(DEPLOYMENT);
        let count = |at| health.pointer(at).and_then(serde_json::Value::as_u64).unwrap_or(0);
        (count("/totals/requests"), count("/usage/rows"))
    };
    let first = tests::wait_until("the first record", || Some(counted()).filter(|it| it.1 > 0));
    let begun = Instant::now();
    let all = (records as u64, (records * rows) as u64);
    tests::wait_until("all records", || Some(counted()).filter(|found| *found == all));
    let took = begun.elapsed().max(Duration::from_millis(1));
    drop(agent);
    (all.1 - first.1) as f64 / rows as f64 / took.as_secs_f64()
}

/// The messages of records of so many rows each, two for each record.
fn messages(records: usize, rows: usize) -> Vec<Vec<u8>> {
    let limits = Limits { rows: NonZeroUsize::new(ROWS).expect("97"), bytes: 999_488 };
    let store = uuid::Uuid::new_v4();
    let now = i64::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("it is after 1970")
            .as_micros(),
    )
    .expect("it is before 292277");
    let column = |number: usize, at: usize| Column {
        name: Cow::Borrowed(NAMES[at]),
        values: Values::Numbers(
            (0..rows).map(|row| ((number + row) * (at + 7) % 977) as f64 * 0.1).collect(),
        ),
    };
    (0..records)
        .flat_map(|number| {
            let record = Record {
                deployment_id: DEPLOYMENT.into(),
                model_id: "bench".into(),
                timestamp_us: now - number as i64,
                payload: Payload::Prediction(PredictionRecord {
                    request_id: "bench".into(),
                    outcome: Outcome::Ok,
                    status: 200,
                    execution_us: 57 + (number % 1000) as u64,
                    predictions: rows as u32,
                    part: 0,
                    rows: Some(Rows {
                        columns: (0..NAMES.len()).map(|at| column(number, at)).collect(),
                        predictions: (0..rows).map(|row| (number + row) as f64 % 300.0).collect(),
                        association_ids: (0..rows)
                            .map(|row| Cow::Owned(format!("{number}-{row}")))
                            .collect(),
                    }),
                }),
                model_digest: None,
                role: Role::Champion,
                gateway: Some("bench".into()),
            };
            wire::messages(&record, RecordId { store, seq: number as u64 }, limits)
        })
        .map(|message| message.body)
        .collect()
}

/// What `host/mlops/examples/ingest.rs` says while it fills a store.
fn filling(rows: &str, address: Option<&str>) -> String {
    let mut program = std::env::current_exe().expect("a process knows its program");
    program.set_file_name("examples/ingest");
    let output = Command::new(program).arg(rows).args(address).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    println!("{text}");
    text
}

impl Figures {
    /// Adds the tables to the report.
    pub(crate) fn report(&self, text: &mut String) -> std::fmt::Result {
        through_report(text, &self.singles, &self.rows)?;
        writeln!(
            text,
            "\n### The MLOps server as it fills\n\nCalls of 10,000 rows with 10 features, hours of a month, counted, binned, kept for \
             their actuals and committed; then what a report needs is read, once from the database and once from memory. One process \
             makes the calls and takes them.\n\nSQLite:\n"
        )?;
        for line in self.sqlite.lines() {
            writeln!(text, "    {}", line.trim_end())?;
        }
        writeln!(text, "\nPostgreSQL on this machine, without fsync:\n")?;
        for line in self.postgres.lines() {
            writeln!(text, "    {}", line.trim_end())?;
        }
        writeln!(
            text,
            "\nGoals: at 10 million rows at least 0.5 of what an empty store takes; a deployment's whole health, drift and \
             accuracy in less than 20 ms."
        )
    }
}

/// The table of the way through.
pub(crate) fn through_report(text: &mut String, singles: &[f64], rows: &[f64]) -> std::fmt::Result {
    writeln!(
        text,
        "\n### From Kafka to stored statistics\n\nRecords that wait in a topic of {PARTITIONS} partitions, through `outpost agent` into \
         `outpost mlops` on SQLite; each record is two messages, one about the request and one with its rows of {} features. Broker, \
         agent and server share the cores. Medians of {ROUNDS} rounds.\n",
        NAMES.len()
    )?;
    writeln!(text, "| | measured | goal |\n|---|---:|---:|")?;
    writeln!(text, "| records of one row/s | {:.0} | {GOAL_SINGLE:.0} |", median(singles))?;
    writeln!(text, "| rows/s in records of {ROWS} | {:.0} | {GOAL_ROWS:.0} |", median(rows))
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

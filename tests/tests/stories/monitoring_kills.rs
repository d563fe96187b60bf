//! Gateway, broker, agent and server are processes of their own; one of them is killed at a time, again and again, while
//! predictions go on. In the end the server's numbers are those of what was answered: nothing lost, nothing twice.
//!
//! What there is to be counted is witnessed by a second channel of the gateway, into files that nobody else reads. They may
//! hold a message twice, with the same id.

use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use tests::{
    AgentChannel, Gateway, Kafka, Load, Mlops, Monitor, Outpost, RabbitMq, Serve, spooled, wait_until,
};

const DEPLOYMENT: &str = "diabetes";
const TOPIC: &str = "killed";
const DEFAULT_ROUNDS: usize = 12;
const CLIENTS: usize = 2;
/// Outcomes in one request.
const BATCH: usize = 1000;

/// The broker of a run.
trait Broker {
    fn spooler(&self) -> String;
    fn channel(&self) -> AgentChannel<'static>;
    fn kill_and_start(&mut self);
}

impl Broker for Kafka {
    fn spooler(&self) -> String {
        format!(
            "[[spooler]]\ntype = \"kafka\"\nbootstrap_servers = {:?}\ntopic = {TOPIC:?}\n",
            self.brokers()
        )
    }

    fn channel(&self) -> AgentChannel<'static> {
        AgentChannel::Kafka(self.brokers(), TOPIC)
    }

    fn kill_and_start(&mut self) {
        self.kill();
        self.start();
    }
}

impl Broker for RabbitMq {
    fn spooler(&self) -> String {
        format!("[[spooler]]\ntype = \"rabbitmq\"\nurl = {:?}\nqueue = {TOPIC:?}\n", self.url())
    }

    fn channel(&self) -> AgentChannel<'static> {
        AgentChannel::RabbitMq(self.url(), TOPIC)
    }

    fn kill_and_start(&mut self) {
        self.kill();
        self.start();
    }
}

/// `ROUNDS=50` (or `make soak`) makes more of it.
fn rounds() -> usize {
    std::env::var("ROUNDS").map_or(DEFAULT_ROUNDS, |rounds| rounds.parse().unwrap())
}

#[test]
fn killed_one_after_the_other_with_kafka_they_lose_nothing_and_count_nothing_twice() {
    let Some(mut kafka) = Kafka::reserved() else { return };
    kafka.start();
    kafka.create_topic_of(TOPIC, 2);
    killed(&mut kafka);
}

#[test]
fn killed_one_after_the_other_with_rabbitmq_they_lose_nothing_and_count_nothing_twice() {
    let Some(mut rabbitmq) = RabbitMq::reserved() else { return };
    rabbitmq.start();
    killed(&mut rabbitmq);
}

fn gateway(folder: &Path, broker: &impl Broker) -> Gateway {
    let spoolers = format!(
        "{}[[spooler]]\ntype = \"filesystem\"\ndirectory = {:?}\n",
        broker.spooler(),
        folder.join("witness")
    );
    let deployment = format!("[deployment]\nid = {DEPLOYMENT:?}\n");
    let settings = format!("{deployment}{spoolers}");
    Serve::ridge(&folder.join("outbox")).settings(&settings).durable().start()
}

fn killed(broker: &mut impl Broker) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut server = Mlops::start();
    let package = server.upload(Outpost::ridge());
    server.deploy(&package, DEPLOYMENT);
    let file = Monitor::configure(folder, &server.url(), &[broker.channel()], "");
    let start = |server: &Mlops| Monitor::known_by(server.token(), &file, &[]);
    let mut agent = start(&server);
    let mut app = gateway(folder, broker);
    let mut acknowledged = Vec::new();
    for round in 0..rounds() {
        let load = Load::start(app.port(), CLIENTS, &format!("round-{round}"));
        // A kill at another point of everybody's work each round.
        load.wait_for(1 + round * 37 % 400);
        match round % 4 {
            0 => {
                agent.kill();
                agent = start(&server);
            }
            1 => server = server.killed_and_started(),
            2 => broker.kill_and_start(),
            _ => {
                app.kill();
                acknowledged.extend(load.finish().acknowledged);
                app = gateway(folder, broker);
                continue;
            }
        }
        acknowledged.extend(load.finish().acknowledged);
    }
    // Each prediction's outcome differs from it by something of its own, so that no sum fits by chance.
    for batch in acknowledged.chunks(BATCH) {
        let actuals = batch.iter().map(|id| json!({"associationId": id, "actualValue": outcome(id)}));
        let body = Value::Array(actuals.collect()).to_string();
        let kind = [("Content-Type", "application/json")];
        let answer = app.client().send("POST", "/actuals", &kind, &body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    app.wait_for("spool_channel_waiting_records", |records| records == 0.0);
    let witnessed = Witnessed::of(&folder.join("witness"));
    assert!(acknowledged.iter().all(|id| witnessed.rows.contains_key(id)));
    let errors = acknowledged.iter().map(|id| (witnessed.rows[id] - outcome(id)).powi(2));
    let rmse = (errors.sum::<f64>() / acknowledged.len() as f64).sqrt();
    let count = |value: &Value, at: &str| value.pointer(at).and_then(Value::as_u64).unwrap_or(0);
    wait_until("numbers that reach what was answered", || {
        let (health, accuracy) = (server.health(DEPLOYMENT), server.accuracy(DEPLOYMENT));
        let all = count(&health, "/totals/requests") >= witnessed.requests
            && count(&health, "/usage/rows") >= witnessed.rows.len() as u64
            && count(&accuracy, "/rows") >= acknowledged.len() as u64;
        all.then_some(())
    });
    // What it has, it tells before it ends.
    assert!(agent.stop().success());
    let (health, accuracy) = (server.health(DEPLOYMENT), server.accuracy(DEPLOYMENT));
    assert_eq!(count(&health, "/totals/requests"), witnessed.requests);
    assert_eq!(count(&health, "/usage/rows"), witnessed.rows.len() as u64);
    assert_eq!(count(&accuracy, "/rows"), acknowledged.len() as u64);
    let found = accuracy.pointer("/metrics/RMSE/value").and_then(Value::as_f64).unwrap();
    assert!((found / rmse - 1.0).abs() < 1e-9, "{found}, not {rmse}");
}

/// What came of a prediction in the end: anything that depends on its id alone.
fn outcome(id: &str) -> f64 {
    id.bytes().fold(7.0, |value, byte| (value * 31.0 + f64::from(byte)) % 300.0)
}

/// What the gateway's second channel saw.
struct Witnessed {
    requests: u64,
    /// Predictions by association id.
    rows: BTreeMap<String, f64>,
}

impl Witnessed {
    fn of(folder: &Path) -> Self {
        let mut seen = HashSet::new();
        let mut witnessed = Self { requests: 0, rows: BTreeMap::new() };
        for envelope in spooled(folder) {
            if !seen.insert(envelope.id.clone()) {
                continue;
            }
            if envelope.is("DEPLOYMENT_STATS") {
                witnessed.requests += 1;
            }
            let predictions = envelope.data["predictions"].as_array();
            let predictions = predictions.into_iter().flatten().filter_map(Value::as_f64);
            witnessed.rows.extend(envelope.associations().into_iter().zip(predictions));
        }
        witnessed
    }
}

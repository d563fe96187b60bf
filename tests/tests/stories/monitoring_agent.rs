//! Our monitoring agent: what the public library writes reaches the server, whatever happens on the way.

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::{
    AgentChannel, Call, Kafka, Monitor, Outpost, RabbitMq, Server,
    python::{self, Reported},
    wait_until,
};

const DEPLOYMENT: &str = "65f0aa0000000000000000d1";

/// A message as the library writes it.
fn message(id: &str, deployment: &str) -> String {
    let header = json!({"id": id, "deploymentId": deployment, "dataType": "DEPLOYMENT_STATS", "dataFormat": "json",
        "dataLen": null, "version": 2, "language": "python", "libVersion": "11.2.62", "reserved": ""});
    let data = json!({"timestamp": "2026-11-24 23:29:16.242+0000", "modelId": "m", "numPredictions": 1, "executionTime": 1.5});
    json!({"header": header, "data": data.to_string()}).to_string()
}

fn produce(kafka: &Kafka, topic: &str, messages: impl Iterator<Item = String>) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", kafka.brokers()).create().unwrap();
    for message in messages {
        let record: BaseRecord<'_, (), String> = BaseRecord::to(topic).payload(&message);
        producer.send(record).unwrap();
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(60)).unwrap();
}

fn entries(calls: &[Call], what: &str) -> Vec<Value> {
    let calls = calls.iter().filter(|call| call.path.contains(what));
    let list = |call: &Call| match &call.body["data"] {
        Value::Array(list) => list.clone(),
        _other => vec![call.body.clone()],
    };
    calls.flat_map(list).collect()
}

/// How often each record was taken, by its id, and that a repeat tells the same.
fn seen(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut all: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    for entry in entries(calls, "predictionRequests") {
        let id = entry["recordId"].as_str().unwrap().to_owned();
        let (count, first) = all.entry(id).or_insert_with(|| (0, entry.clone()));
        *count += 1;
        assert_eq!(*first, entry);
    }
    all.into_iter().map(|(id, (count, _))| (id, count)).collect()
}

/// Everything that was reported, `times` times.
fn is_told(calls: &[Call], reported: &[Reported], times: usize) -> bool {
    let of = |kind: &str| reported.iter().filter(|it| it.data_type == kind).collect::<Vec<_>>();
    let flat = |kind: &str, what: &str| {
        let found = entries(calls, what);
        let wanted = of(kind);
        found.len() == wanted.len() * times
            && wanted.iter().all(|it| {
                let mut fields = it.fields.clone();
                let map = fields.as_object_mut().unwrap();
                map.remove("customMetricId");
                map.retain(|_, value| !value.is_object() || kind == "EVENT");
                found.iter().filter(|entry| python::has(entry, &fields)).count() >= times
            })
    };
    let rows = of("PREDICTIONS_DATA").len();
    let ids = |it: &&Reported| it.fields["actualsList"].as_array().unwrap().len();
    let actuals: usize = of("ACTUALS_DATA").iter().map(ids).sum();
    flat("DEPLOYMENT_STATS", "predictionRequests")
        && flat("EVENT", "remoteEvents")
        && flat("CUSTOM_METRIC", "customMetrics")
        && entries(calls, "predictionInputs").len() == rows * times
        && entries(calls, "predictionStats").len() == of("PREDICTION_STATS").len() * times
        && entries(calls, "/actuals/").len() == actuals * times
}

#[test]
fn what_the_public_library_reports_through_three_channels_reaches_the_server() {
    let (Some(kafka), Some(rabbitmq)) = (Kafka::shared(), RabbitMq::shared()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    // All of it is there before an agent of this group ever came.
    kafka.create_topic_of("monitored", 3);
    let arguments = ["kafka", &kafka.brokers(), "monitored"];
    let Some(reported) = python::write(&arguments, &[]) else { return };
    python::write(&["rabbitmq", &rabbitmq.url(), "monitored"], &[]).unwrap();
    python::write(&["filesystem", spool.to_str().unwrap()], &[]).unwrap();
    let server = Server::start();
    let channels = [
        AgentChannel::Files(&spool),
        AgentChannel::Kafka(kafka.brokers(), "monitored"),
        AgentChannel::RabbitMq(rabbitmq.url(), "monitored"),
    ];
    let file = Monitor::configure(folder.path(), &server.url(), &channels, "");
    let agent = Monitor::start(&file, &[]);
    wait_until("all that was reported", || is_told(&server.calls(), &reported, 3).then_some(()));
    // What was acknowledged does not come again.
    wait_until("an empty queue", || (rabbitmq.depth("monitored") == Some(0)).then_some(()));
    assert_eq!(agent.stop().code(), Some(0));
    let told = server.calls().len();
    let agent = Monitor::start(&file, &["--run-once"]);
    assert_eq!(agent.wait().code(), Some(0));
    assert_eq!(server.calls().len(), told);
    let header = |call: &Call| call.headers.iter().any(|(_, value)| value == "Bearer canary-token");
    assert!(server.calls().iter().all(header));
    let said = std::fs::read_to_string(file.with_extension("said")).unwrap();
    assert!(!said.contains("canary"), "{said}");
    assert!(
        !server
            .calls()
            .iter()
            .any(|call| !call.path.contains(DEPLOYMENT) && call.path != "remoteEvents/")
    );
}

#[test]
fn killed_at_any_moment_the_agent_loses_no_record_and_repeats_have_equal_ids() {
    const ROUNDS: usize = 12;
    const EACH: usize = 400;
    let (Some(kafka), Some(rabbitmq)) = (Kafka::shared(), RabbitMq::shared()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    kafka.create_topic_of("killed", 2);
    rabbitmq.declare("killed");
    // Every fifth call fails in one way or another.
    let server = Server::answering(|number, _| match number % 20 {
        3 => "503 Busy\r\nRetry-After: 0",
        8 => "500 Broken",
        13 => "429 Slow\r\nRetry-After: 0",
        18 => "409 Conflict",
        _other => "202 Accepted",
    });
    let channels = [
        AgentChannel::Files(&spool),
        AgentChannel::Kafka(kafka.brokers(), "killed"),
        AgentChannel::RabbitMq(rabbitmq.url(), "killed"),
    ];
    let more = "agentMaxAggregatedRecords: 20";
    let file = Monitor::configure(folder.path(), &server.url(), &channels, more);
    for round in 0..ROUNDS {
        let messages = |kind: &str| {
            let name = |number: usize| {
                message(&format!("{kind}-{round:02}-{number:03}"), &format!("d{}", number % 3))
            };
            (0..EACH).map(name).collect::<Vec<_>>()
        };
        produce(kafka, "killed", messages("kafka").into_iter());
        rabbitmq.publish("killed", &messages("rabbitmq"));
        append(&spool.join("fs_spool.1"), &messages("files"));
        let agent = Monitor::start(&file, &[]);
        // Killed when so many calls more were taken, which is another moment each time; the first rounds before any.
        let calls = server.calls().len() + round * 3;
        let began = Instant::now();
        wait_until("some calls", || {
            (server.calls().len() >= calls || began.elapsed() > Duration::from_secs(10))
                .then_some(())
        });
        agent.kill();
    }
    let agent = Monitor::start(&file, &[]);
    wait_until("every record", || (seen(&server.calls()).len() == 3 * ROUNDS * EACH).then_some(()));
    wait_until("an empty queue", || (rabbitmq.depth("killed") == Some(0)).then_some(()));
    assert_eq!(agent.stop().code(), Some(0));
    let seen = seen(&server.calls());
    for kind in ["kafka", "rabbitmq", "files"] {
        for round in 0..ROUNDS {
            for number in 0..EACH {
                assert!(seen.contains_key(&format!("{kind}-{round:02}-{number:03}")));
            }
        }
    }
}

fn append(file: &Path, lines: &[String]) {
    use std::io::Write as _;
    let mut file = std::fs::File::options().append(true).create(true).open(file).unwrap();
    file.write_all(format!("{}\n", lines.join("\n")).as_bytes()).unwrap();
}

#[test]
fn told_to_stop_while_the_server_says_429_the_agent_stops() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    append(&spool.join("fs_spool.1"), &[message("one", "slow"), message("two", "fast")]);
    let server = Server::answering(|_, path| {
        if path.contains("slow") { "429 Slow\r\nRetry-After: 3600" } else { "202 Accepted" }
    });
    let file = Monitor::configure(folder.path(), &server.url(), &[AgentChannel::Files(&spool)], "");
    let agent = Monitor::start(&file, &[]);
    wait_until("the other deployment", || (server.calls().len() == 1).then_some(()));
    wait_until("a word about it", || agent.said().contains("429").then_some(()));
    assert_eq!(agent.stop().code(), Some(0));
    // A single run says that something is left.
    let file = Monitor::configure(
        folder.path(),
        &server.url(),
        &[AgentChannel::Files(&spool)],
        "shutdownMs: 500",
    );
    assert_eq!(Monitor::start(&file, &["--run-once"]).wait().code(), Some(75));
}

#[test]
fn wrong_settings_are_named_and_secrets_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str, more: &[&str]| {
        let file = folder.path().join("agent.yaml");
        std::fs::write(&file, text).unwrap();
        Outpost::run(&[&["agent", "--config", file.to_str().unwrap()], more].concat())
    };
    let typo = run("mlopsUrl: \"http://h\"\napiTokn: canary\n", &[]);
    assert_eq!(typo.code, Some(64), "{}", typo.err);
    assert!(typo.err.contains("\"apiTokn\"; did you mean \"apiToken\"?"), "{}", typo.err);
    let missing = run("mlopsUrl: \"http://h\"\n", &[]);
    assert_eq!(missing.code, Some(64));
    assert!(
        missing.err.contains("apiToken") && missing.err.contains("MLOPS_API_TOKEN"),
        "{}",
        missing.err
    );
    let channel = "channelConfigs: [{type: RABBITMQ_SPOOL, details: {queueUrl: \"amqp://u:canary@h\", queueName: q}}]";
    let good = format!("mlopsUrl: \"http://h\"\napiToken: canary\n{channel}\n");
    let printed = run(&good, &["--print-config"]);
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    assert!(printed.out.contains("agentPendingRecordsTimeoutMs: 5000"), "{}", printed.out);
    for said in [&typo.err, &missing.err, &printed.out, &printed.err] {
        assert!(!said.contains("canary"), "{said}");
    }
    // What is printed is a file.
    assert_eq!(run(&printed.out, &["--print-config"]).code, Some(0));
}

//! The public monitoring agent reads our records and tells a server of them as it does of the public library's own.
//!
//! The same predictions and outcomes go four ways: from the gateway to files, to Kafka and to RabbitMQ, and from the public library to
//! files. The agent reads all four and posts; what it posts is equal but for what must differ, times and the order of
//! arrival.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::{
    Agent, AgentChannel, Call, Kafka, README_ROW, RabbitMq, Serve, Server, fields, parts, root,
    wait_until,
};

const MODEL: &str = "65f0aa0000000000000000a1";
/// The deployments, one for each way.
const LIBRARY: &str = "65f0aa0000000000000000d1";
const FILES: &str = "65f0aa0000000000000000d2";
const KAFKA: &str = "65f0aa0000000000000000d3";
const RABBITMQ: &str = "65f0aa0000000000000000d4";

/// A request, and what the gateway made of it.
struct Request {
    rows: Vec<Value>,
    ids: Vec<String>,
    predictions: Vec<f64>,
    actuals: Vec<f64>,
}

/// When the outcomes became known.
const WHEN: &str = "2024-05-06T07:08:09.123Z";

/// Requests of one row and of many; each row is a little different.
fn requests() -> Vec<Request> {
    let row = |number: usize| {
        let fields = fields(README_ROW).into_iter().map(|(name, value)| {
            let value: f64 = value.parse().unwrap();
            let value = if name == "age" { value + number as f64 } else { value + 0.25 };
            (name.to_owned(), json!(value))
        });
        Value::Object(fields.collect())
    };
    let request = |numbers: std::ops::Range<usize>| Request {
        ids: numbers.clone().map(|number| format!("visit-{number}")).collect(),
        actuals: numbers.clone().map(|number| 150.5 + number as f64).collect(),
        rows: numbers.map(row).collect(),
        predictions: Vec::new(),
    };
    vec![request(0..1), request(1..2), request(2..14)]
}

/// Asks a gateway for all requests; their records go where `serve` says.
fn ask(serve: Serve, deployment: &str, requests: &mut [Request]) {
    let config = format!("[deployment]\nid = \"{deployment}\"\nmodel_id = \"{MODEL}\"");
    let gateway = serve.settings(&config).durable().start();
    for request in requests {
        let rows = request.rows.iter().zip(&request.ids).map(|(row, id)| {
            let mut row = row.clone();
            row["associationId"] = json!(id);
            row
        });
        let body = Value::Array(rows.collect()).to_string();
        let headers = [("Content-Type", "application/json")];
        let answer = gateway.client().send("POST", "/predict", &headers, &body).unwrap();
        request.predictions = answer.predictions();
        let actuals = request.ids.iter().zip(&request.actuals).map(|(id, actual)| {
            json!({"associationId": id, "actualValue": actual, "timestamp": WHEN, "wasActedOn": true})
        });
        let body = Value::Array(actuals.collect()).to_string();
        let answer = gateway.client().send("POST", "/actuals", &headers, &body).unwrap();
        assert_eq!(answer.json()["accepted"], request.ids.len(), "{answer:?}");
    }
    gateway.wait_for("spool_channel_waiting_records", |records| records == 0.0);
}

/// Lets the library report the same.
fn report(python: &Path, spool: &Path, requests: &[Request]) {
    let requests = requests.iter().map(|request| {
        json!({
            "rows": request.rows,
            "ids": request.ids,
            "predictions": request.predictions,
            "actuals": request.actuals,
        })
    });
    let requests = Value::Array(requests.collect()).to_string();
    let mut library = Command::new(python);
    library
        .arg(root().join("tests/python/report.py"))
        .args([LIBRARY, MODEL, "filesystem"])
        .arg(spool);
    let mut library = library.stdin(Stdio::piped()).spawn().unwrap();
    library.stdin.take().unwrap().write_all(requests.as_bytes()).unwrap();
    assert!(library.wait().unwrap().success());
}

/// What a server was told of a deployment, without what must differ: rows and actuals by association id, stats as a
/// sorted list.
#[derive(Debug, Default, PartialEq)]
struct Told {
    rows: BTreeMap<String, Value>,
    stats: Vec<String>,
    actuals: BTreeMap<String, Value>,
}

fn told(calls: &[Call], deployment: &str) -> Told {
    let mut told = Told::default();
    for call in calls {
        let Some(what) = call.path.strip_prefix(&format!("deployments/{deployment}/")) else {
            continue;
        };
        let mut head = call.body.clone();
        let data = head.as_object_mut().unwrap().remove("data").unwrap();
        for item in data.as_array().unwrap() {
            let mut item = item.as_object().unwrap().clone();
            if what == "actuals/fromJSON/" {
                let id = item["associationId"].as_str().unwrap().to_owned();
                told.actuals.insert(id, Value::Object(item));
                continue;
            }
            assert!(item.remove("timestamp").unwrap().is_string());
            match what {
                "predictionRequests/fromJSON/" => {
                    assert!(item.remove("executionTime").unwrap().as_f64().unwrap() > 0.0);
                    told.stats.push(Value::Object(item).to_string());
                }
                "predictionInputs/fromJSON/" => rows(item, &head, &mut told.rows),
                other => panic!("nobody reported {other}"),
            }
        }
    }
    told.stats.sort();
    told
}

/// Takes a group of rows apart, because where groups begin is a matter of time.
fn rows(mut group: Map<String, Value>, head: &Value, out: &mut BTreeMap<String, Value>) {
    let list = |value: Value| value.as_array().unwrap().clone();
    let ids = list(group.remove("associationIds").unwrap());
    let predictions = list(group.remove("predictions").unwrap());
    let features = list(group.remove("features").unwrap());
    for (at, id) in ids.iter().enumerate() {
        let features: Map<String, Value> = features
            .iter()
            .map(|it| (it["name"].as_str().unwrap().to_owned(), it["values"][at].clone()))
            .collect();
        let row = json!({"prediction": predictions[at], "features": features, "rest": group, "head": head});
        let twice = out.insert(id.as_str().unwrap().to_owned(), row);
        assert!(twice.is_none(), "{id} was posted twice");
    }
}

#[test]
fn the_public_agent_tells_of_our_records_as_of_the_librarys_own() {
    let (Some(kafka), Some(rabbitmq), Some(python)) =
        (Kafka::shared(), RabbitMq::shared(), parts::python())
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| folder.path().join(name));
    std::fs::create_dir(&theirs).unwrap();
    kafka.create_topic("to-the-agent");
    let mut requests = requests();
    let serve = |outbox: &str| Serve::ridge(&folder.path().join(outbox));
    ask(serve("files").to_files(&ours), FILES, &mut requests);
    ask(serve("kafka").to_kafka(&kafka.brokers(), "to-the-agent"), KAFKA, &mut requests);
    let queue = serve("rabbitmq").to_rabbitmq(&rabbitmq.url(), "to-the-agent");
    ask(queue, RABBITMQ, &mut requests);
    report(&python, &theirs, &requests);

    let server = Server::start();
    let channels = [
        AgentChannel::Files(&theirs),
        AgentChannel::Files(&ours),
        AgentChannel::Kafka(kafka.brokers(), "to-the-agent"),
        AgentChannel::RabbitMq(rabbitmq.url(), "to-the-agent"),
    ];
    let Some(_agent) = Agent::start(&server, &channels) else { return };
    let rows: usize = requests.iter().map(|request| request.rows.len()).sum();
    let [library, files, topic, queue] = wait_until("what the agent has to tell", || {
        let calls = server.calls();
        let all = [LIBRARY, FILES, KAFKA, RABBITMQ].map(|deployment| told(&calls, deployment));
        let whole = |told: &Told| {
            let known = told.rows.len() == rows && told.actuals.len() == rows;
            known && told.stats.len() == requests.len()
        };
        all.iter().all(whole).then_some(all)
    });
    assert_eq!(library.rows["visit-0"]["prediction"], requests[0].predictions[0]);
    assert_eq!(library.actuals["visit-0"]["actualValue"], 150.5);
    assert_eq!(files, library);
    assert_eq!(topic, library);
    assert_eq!(queue, library);
}

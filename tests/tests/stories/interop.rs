//! Every way that a prediction can go, with other people's parts in any place: who writes, over what, who reads, and our
//! server at the end. Each cell has a deployment of its own; when it is good, the server's numbers are those of the requests.
//! `docs/INTEROP.md` has the table of what was found here.

use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::{
    Agent, AgentChannel, Kafka, Mlops, Monitor, Outpost, README_ROW, RabbitMq, Serve, document,
    fields, parts, root, wait_until,
};

/// Rows of each request.
const REQUESTS: [usize; 3] = [1, 1, 12];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Writer {
    Library,
    Gateway,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Files,
    Kafka,
    RabbitMq,
    /// Straight to the server.
    Direct,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reader {
    Ours,
    Public,
    Nobody,
}

/// One way through all of it.
#[derive(Clone, Copy, Debug)]
struct Cell {
    writer: Writer,
    way: Way,
    reader: Reader,
}

impl Cell {
    fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for writer in [Writer::Library, Writer::Gateway] {
            for way in [Way::Files, Way::Kafka, Way::RabbitMq] {
                cells.extend([Reader::Ours, Reader::Public].map(|reader| Self {
                    writer,
                    way,
                    reader,
                }));
            }
            cells.push(Self { writer, way: Way::Direct, reader: Reader::Nobody });
        }
        cells
    }

    /// Its deployment, topic, queue and folder.
    fn name(self) -> String {
        format!("{:?}-{:?}-{:?}", self.writer, self.way, self.reader).to_ascii_lowercase()
    }
}

/// A request, and what came of it.
struct Request {
    rows: Vec<Value>,
    ids: Vec<String>,
    predictions: Vec<f64>,
    actuals: Vec<f64>,
}

/// Requests of one row and of many; each row is a little different.
fn requests() -> Vec<Request> {
    let row = |number: usize| {
        let fields = fields(README_ROW).into_iter().map(|(name, value)| {
            let value: f64 = value.parse().unwrap();
            let value = if name == "age" { value + number as f64 } else { value + 0.25 };
            (name.to_owned(), json!(value))
        });
        Value::Object(fields.collect::<Map<_, _>>())
    };
    let mut first = 0;
    let request = |&rows: &usize| {
        let numbers = first..first + rows;
        first += rows;
        Request {
            ids: numbers.clone().map(|number| format!("visit-{number}")).collect(),
            actuals: numbers.clone().map(|number| 40.0 + 3.5 * number as f64).collect(),
            rows: numbers.map(row).collect(),
            predictions: Vec::new(),
        }
    };
    REQUESTS.iter().map(request).collect()
}

/// The places of one run.
struct Places<'a> {
    folder: &'a Path,
    kafka: &'a Kafka,
    rabbitmq: &'a RabbitMq,
    server: &'a Mlops,
}

impl Places<'_> {
    fn spool(&self, cell: Cell) -> PathBuf {
        self.folder.join(cell.name())
    }

    /// A gateway answers the requests, takes their outcomes, and ends when its spooler has both.
    fn gateway(&self, cell: Cell, requests: &mut [Request]) {
        let name = cell.name();
        let outbox = self.folder.join(format!("outbox-{name}"));
        let serve = Serve::ridge(&outbox).settings(&format!("[deployment]\nid = {name:?}"));
        let serve = match cell.way {
            Way::Files => serve.to_files(&self.spool(cell)),
            Way::Kafka => serve.to_kafka(&self.kafka.brokers(), &name),
            Way::RabbitMq => serve.to_rabbitmq(&self.rabbitmq.url(), &name),
            Way::Direct => serve.settings(&format!(
                "[spooler]\ntype = \"direct\"\nendpoint = {:?}\ntoken = {:?}",
                self.server.url(),
                self.server.token()
            )),
        };
        let gateway = serve.durable().start();
        let json_type = [("Content-Type", "application/json")];
        for request in requests.iter_mut() {
            let rows = request.rows.iter().zip(&request.ids).map(|(row, id)| {
                let mut row = row.clone();
                row["associationId"] = json!(id);
                row
            });
            let body = Value::Array(rows.collect()).to_string();
            let answer = gateway.client().send("POST", "/predict", &json_type, &body).unwrap();
            request.predictions = answer.predictions();
        }
        for request in requests {
            let actuals = request.ids.iter().zip(&request.actuals);
            let actuals =
                actuals.map(|(id, actual)| json!({"associationId": id, "actualValue": actual}));
            let body = Value::Array(actuals.collect()).to_string();
            let answer = gateway.client().send("POST", "/actuals", &json_type, &body).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        gateway.wait_for("spool_channel_waiting_records", |records| records == 0.0);
    }

    /// The library reports the same.
    fn library(&self, cell: Cell, python: &Path, requests: &[Request]) {
        let name = cell.name();
        let (kafka, rabbitmq) = (self.kafka.brokers(), self.rabbitmq.url());
        let (folder, server) = (self.spool(cell), self.server.url());
        let arguments: Vec<&str> = match cell.way {
            Way::Files => {
                std::fs::create_dir(&folder).unwrap();
                vec!["filesystem", folder.to_str().unwrap()]
            }
            Way::Kafka => vec!["kafka", &kafka, &name],
            Way::RabbitMq => vec!["rabbitmq", &rabbitmq, &name],
            Way::Direct => vec!["api", &server, self.server.token()],
        };
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
            .args([&*name, "a-model"])
            .args(arguments);
        let mut library = library.stdin(Stdio::piped()).spawn().unwrap();
        library.stdin.take().unwrap().write_all(requests.as_bytes()).unwrap();
        assert!(library.wait().unwrap().success(), "{name}");
    }
}

/// What the server has of a deployment.
#[derive(Debug, Default, PartialEq)]
struct Found {
    requests: u64,
    predictions: u64,
    rows: u64,
    joined: u64,
    rmse: Option<f64>,
}

impl Found {
    fn of(server: &Mlops, deployment: &str) -> Self {
        let (health, accuracy) = (server.health(deployment), server.accuracy(deployment));
        let count = |value: &Value, at: &str| {
            value.pointer(at).and_then(Value::as_u64).unwrap_or_else(|| panic!("{at} in {value}"))
        };
        Self {
            requests: count(&health, "/totals/requests"),
            predictions: count(&health, "/totals/predictions"),
            rows: count(&health, "/usage/rows"),
            joined: count(&accuracy, "/rows"),
            rmse: accuracy.pointer("/metrics/RMSE/value").and_then(Value::as_f64),
        }
    }
}

#[test]
fn every_writer_goes_every_way_through_every_reader_to_our_server() {
    let (Some(kafka), Some(rabbitmq), Some(python)) =
        (Kafka::shared(), RabbitMq::shared(), parts::python())
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Mlops::start();
    let places = Places { folder: folder.path(), kafka, rabbitmq, server: &server };
    let package = server.upload(Outpost::ridge());
    let cells = Cell::all();
    let mut requests = requests();
    for cell in &cells {
        server.deploy(&package, &cell.name());
        if cell.way == Way::Kafka {
            kafka.create_topic(&cell.name());
        }
    }
    // The gateway first: it says what the predictions are.
    for &cell in cells.iter().filter(|cell| cell.writer == Writer::Gateway) {
        places.gateway(cell, &mut requests);
    }
    for &cell in cells.iter().filter(|cell| cell.writer == Writer::Library) {
        places.library(cell, &python, &requests);
    }

    let spools: Vec<PathBuf> = cells.iter().map(|cell| places.spool(*cell)).collect();
    let names: Vec<String> = cells.iter().map(|cell| cell.name()).collect();
    let channels = |reader| {
        let of = cells.iter().enumerate().filter(move |(_, cell)| cell.reader == reader);
        of.map(|(at, cell)| match cell.way {
            Way::Files => AgentChannel::Files(&spools[at]),
            Way::Kafka => AgentChannel::Kafka(kafka.brokers(), &names[at]),
            Way::RabbitMq => AgentChannel::RabbitMq(rabbitmq.url(), &names[at]),
            Way::Direct => unreachable!("nobody reads it"),
        })
        .collect::<Vec<_>>()
    };
    let file = Monitor::configure(folder.path(), &server.url(), &channels(Reader::Ours), "");
    let _ours = Monitor::known_by(server.token(), &file, &[]);
    let Some(_public) = Agent::on(&server.url(), server.token(), &channels(Reader::Public)) else {
        return;
    };

    let rows: usize = REQUESTS.iter().sum();
    let errors = requests.iter().flat_map(|request| {
        request.predictions.iter().zip(&request.actuals).map(|(one, other)| (one - other).powi(2))
    });
    let rmse = (errors.sum::<f64>() / rows as f64).sqrt();
    let rows = rows as u64;
    for cell in &cells {
        let found = wait_until(&format!("the numbers of {}", cell.name()), || {
            let found = Found::of(&server, &cell.name());
            // Health is read before accuracy, so that rows may be missing in one and joined in the other.
            let all = found.joined >= rows && found.rows >= rows;
            (all && found.requests >= REQUESTS.len() as u64).then_some(found)
        });
        let near = found.rmse.is_some_and(|found| (found / rmse - 1.0).abs() < 1e-9);
        assert!(near, "{}: {found:?}, not {rmse}", cell.name());
        let expected = Found {
            requests: REQUESTS.len() as u64,
            predictions: rows,
            rows,
            joined: rows,
            rmse: found.rmse,
        };
        assert_eq!(found, expected, "{}", cell.name());
    }
    document("INTEROP.md", "the table is made by the test", &table(&server, &cells));
}

/// The table of the document.
fn table(server: &Mlops, cells: &[Cell]) -> String {
    let mut table = "| writer | spooler | reader | requests, rows, actuals | package and gateway known |\n|---|---|---|---|---|\n".to_owned();
    for cell in cells {
        let writer = match cell.writer {
            Writer::Library => "public Python library",
            Writer::Gateway => "our gateway",
        };
        let way = match cell.way {
            Way::Files => "files",
            Way::Kafka => "Apache Kafka",
            Way::RabbitMq => "RabbitMQ",
            Way::Direct => "none: straight to the server",
        };
        let reader = match cell.reader {
            Reader::Ours => "our agent",
            Reader::Public => "public Java agent",
            Reader::Nobody => "-",
        };
        let known = server
            .groups(&cell.name())
            .iter()
            .any(|group| group["modelDigest"].is_string() && group["gateway"].is_string());
        let known = if known { "yes" } else { "no" };
        table += &format!("| {writer} | {way} | {reader} | all, equal | {known} |\n");
    }
    table
}

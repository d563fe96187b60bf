//! Records straight to a server, and on standard output, through the real binary.

use record::wire::read::{Envelope, Payload};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use tests::{Gateway, README_ROW, Serve, wait_until};

const TOKEN: &str = "canary-token-3f";

/// Calls by idempotency key: each once, however often it was made.
type Taken = Arc<Mutex<BTreeMap<String, Value>>>;

/// A server that answers the calls in turn with these statuses, then takes everything. A call whose status begins with
/// `+` is taken all the same.
fn server(statuses: &'static [&'static str]) -> (String, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/api/v2/", listener.local_addr().unwrap());
    let taken = Taken::default();
    let to = Arc::clone(&taken);
    let statuses = Arc::new(Mutex::new(statuses.iter()));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (to, statuses) = (Arc::clone(&to), Arc::clone(&statuses));
            let next = move || *statuses.lock().unwrap().next().unwrap_or(&"+202 Accepted");
            std::thread::spawn(move || answer(&stream.unwrap(), &to, next));
        }
    });
    (endpoint, taken)
}

fn answer(stream: &TcpStream, taken: &Taken, next: impl Fn() -> &'static str) {
    let mut reader = BufReader::new(stream);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = head.to_lowercase();
        let header = |name: &str| {
            let line = lower.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
        };
        assert!(head.starts_with("POST /api/v2/deployments/ward%207/prediction"), "{head}");
        assert_eq!(header("authorization"), format!("bearer {TOKEN}"));
        let mut body = vec![0; header("content-length").parse().unwrap()];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let status = next();
        if status.starts_with('+') {
            let body = serde_json::from_slice(&body).unwrap();
            taken.lock().unwrap().insert(header("idempotency-key"), body);
        }
        let status = status.trim_start_matches('+');
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Association ids that were taken, in order of name, each as often as it was.
fn ids(taken: &Taken) -> Vec<String> {
    let taken = taken.lock().unwrap();
    let entries = taken.values().flat_map(|body| body["data"].as_array().unwrap());
    let ids = entries.filter_map(|entry| entry["associationIds"].as_array()).flatten();
    let mut ids: Vec<String> = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn predict(gateway: &Gateway, visits: std::ops::Range<usize>) -> Vec<String> {
    let visit = |visit: usize| {
        let id = format!("visit-{visit:03}");
        assert_eq!(gateway.predict(&format!("{README_ROW}&associationId={id}")).status, 200);
        id
    };
    visits.map(visit).collect()
}

#[test]
fn records_reach_a_server_that_fails_and_comes_back() {
    let (endpoint, taken) = server(&[
        "503 Busy\r\nRetry-After: 1",
        "+500 Late",
        "401 Who",
        "+502 Gone",
        "429 Slow\r\nRetry-After: 0",
    ]);
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let settings = format!(
        "[[spooler]]\ntype = \"direct\"\nendpoint = \"{endpoint}\"\ntoken = \"{TOKEN}\"\nretry_operator_ms = 100\n\
         retry_ms = 50\nretry_max_ms = 200"
    );
    let serve =
        || Serve::ridge(&outbox).durable().with(&["--deployment-id", "ward 7"]).settings(&settings);
    let gateway = serve().start();
    let mut expected = predict(&gateway, 0..30);
    // Without ceremony, in the midst of it.
    drop(gateway);
    let gateway = serve().start();
    expected.extend(predict(&gateway, 30..60));
    wait_until("all records", || (ids(&taken).len() >= 60).then_some(()));
    let mut found = ids(&taken);
    found.dedup();
    assert_eq!(found, expected);
    assert!(!gateway.log().contains(TOKEN), "{}", gateway.log());
    assert!(!gateway.get("/metrics").body.contains(TOKEN));
}

#[test]
fn the_public_librarys_environment_names_work() {
    let (endpoint, taken) = server(&[]);
    let folder = tempfile::tempdir().unwrap();
    let gateway = Serve::ridge(&folder.path().join("outbox"))
        .env("MLOPS_DEPLOYMENT_ID", "ward 7")
        .env("MLOPS_SPOOLER_TYPE", "API")
        .env("DATAROBOT_ENDPOINT", &endpoint)
        .env("DATAROBOT_API_TOKEN", TOKEN)
        .start();
    let expected = predict(&gateway, 0..5);
    wait_until("all records", || (ids(&taken).len() >= 5).then_some(()));
    assert_eq!(ids(&taken), expected);
    assert!(!gateway.log().contains(TOKEN), "{}", gateway.log());
}

#[test]
fn standard_output_is_records_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::ridge(&folder.path().join("outbox"));
    let gateway = serve.with(&["--deployment-id", "ward", "--spooler", "stdout"]).start();
    let expected = predict(&gateway, 0..5);
    // The harness puts both outputs into one file; what is data begins as an envelope does.
    let lines = |gateway: &Gateway| -> Vec<String> {
        let log = gateway.log();
        log.lines().filter(|line| line.starts_with("{\"header\":")).map(str::to_owned).collect()
    };
    wait_until("all records", || (lines(&gateway).len() >= 10).then_some(()));
    let mut found = Vec::new();
    for line in lines(&gateway) {
        let envelope = Envelope::read(line.as_bytes()).unwrap();
        assert_eq!(envelope.deployment_id(), Some("ward"));
        if let Payload::PredictionsData(data) = envelope.payload {
            found.extend(data.association_ids.unwrap().into_iter().flatten());
        }
    }
    assert_eq!(found, expected);
}

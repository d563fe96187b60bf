//! `/metrics`: it can be read, and its numbers are those of what came.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;

/// The metrics, by name with labels. Everything in the text must be one, or a comment of one.
async fn metrics(server: &Server) -> BTreeMap<String, f64> {
    let answer = call(server, "GET /metrics HTTP/1.1\r\nHost: a", "").await;
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let mut described = Vec::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# TYPE ") {
            described.push(about.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let is_described = described.iter().any(|about| name.starts_with(about));
            assert!(name.starts_with("outpost_mlops_") && is_described, "{line}");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(found.insert(name.to_owned(), value).is_none(), "{name} is there twice");
        }
    }
    found
}

async fn post(server: &Server, path: &str, body: &Value) -> String {
    let bearer = token(server, Role::Admin);
    let head = format!(
        "POST /api/v2/{path}/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json"
    );
    call(server, &head, &body.to_string()).await
}

/// A server with a deployment `d` of an external model.
async fn deployed(folder: &std::path::Path) -> Server {
    let server = Server::start(settings(folder)).await.unwrap();
    let model = json!({"name": "m", "modelId": "m", "target": {"type": "Regression", "name": "t"}});
    post(&server, "modelPackages/fromJSON", &model).await;
    let package = server.registry().packages(false)[0].id.clone();
    let deployment = json!({"id": "d", "label": "d", "modelPackageId": package});
    let made = post(&server, "deployments/fromModelPackage", &deployment).await;
    assert!(made.starts_with("HTTP/1.1 202"), "{made}");
    server
}

#[tokio::test]
async fn numbers_are_those_of_what_came() {
    let folder = tempfile::tempdir().unwrap();
    let server = deployed(folder.path()).await;
    let before = metrics(&server).await;
    let rows = |id: &str, keys: [&str; 2]| {
        json!({"recordId": id, "modelId": "m", "predictions": [1.0, 2.0], "associationIds": keys,
            "features": [{"name": "a", "values": [1, 2]}]})
    };
    let wrong = json!({"recordId": "c", "modelId": "m", "predictions": "two"});
    let calls = [
        (
            "predictionRequests",
            json!({"data": [{"recordId": "1"}, {"recordId": "2"}, {"recordId": "1"}]}),
        ),
        (
            "predictionInputs",
            json!({"data": [rows("a", ["k", "l"]), rows("b", ["m", "n"]), wrong]}),
        ),
        (
            "actuals",
            json!({"data": [{"associationId": "k", "actualValue": 1.0}, {"associationId": "n", "actualValue": 2.0}]}),
        ),
        ("actuals", json!({"data": [{"associationId": "k", "actualValue": 3.0}]})),
        ("actuals", json!({"no data": 1})),
    ];
    let mut bytes = BTreeMap::<&str, usize>::new();
    for (path, body) in &calls {
        post(&server, &format!("deployments/d/{path}/fromJSON"), body).await;
        *bytes.entry(path).or_default() += body.to_string().len();
    }
    for event in [json!({"recordId": "e"}), json!({"recordId": "e"}), json!([])] {
        post(&server, "remoteEvents", &event).await;
    }
    let after = metrics(&server).await;
    let rise = |name: &str| {
        let of = |all: &BTreeMap<String, f64>| {
            *all.get(name).unwrap_or_else(|| panic!("{name} is not in {all:#?}"))
        };
        of(&after) - of(&before)
    };
    let entries = |call: &str| {
        ["accepted", "duplicate", "refused"].map(|result| {
            rise(&format!("outpost_mlops_entries_total{{call=\"{call}\",result=\"{result}\"}}"))
        })
    };
    assert_eq!(entries("predictionRequests"), [2.0, 1.0, 0.0]);
    assert_eq!(entries("predictionInputs"), [2.0, 0.0, 1.0]);
    // A body that cannot be used counts as one.
    assert_eq!(entries("actuals"), [3.0, 0.0, 1.0]);
    assert_eq!(entries("remoteEvents"), [1.0, 1.0, 1.0]);
    for (call, bytes) in bytes {
        let name = format!("outpost_mlops_body_bytes_total{{call=\"{call}\"}}");
        assert_eq!(rise(&name), bytes as f64, "{call}");
    }
    for (name, expected) in [
        ("outpost_mlops_rows_total", 4.0),
        // The second outcome of a prediction is not another one.
        ("outpost_mlops_joined_total", 2.0),
        ("outpost_mlops_waiting_predictions", 2.0),
        // The records and predictions, and the outcomes by their keys.
        ("outpost_mlops_open_items", 4.0 + 4.0 + 2.0),
        ("outpost_mlops_cached_rollups{cache=\"writer\"}", 1.0),
        ("outpost_mlops_requests_total{class=\"2xx\"}", 4.0 + 2.0 + 1.0),
        ("outpost_mlops_requests_total{class=\"4xx\"}", 2.0),
        ("outpost_mlops_requests_total{class=\"5xx\"}", 0.0),
        ("outpost_mlops_commit_seconds_count", 5.0),
        ("outpost_mlops_commits_failed_total", 0.0),
        ("outpost_mlops_waiting_calls", 0.0),
        ("outpost_mlops_folds", 0.0),
    ] {
        assert_eq!(rise(name), expected, "{name}");
    }
    assert!(rise("outpost_mlops_commit_seconds_sum") > 0.0);
    for (name, expected) in [
        ("outpost_mlops_deployments", 1.0),
        ("outpost_mlops_packages", 1.0),
        ("outpost_mlops_database_info{kind=\"SQLite\"}", 1.0),
        (concat!("outpost_mlops_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(after.get(name), Some(&expected), "{name}");
    }
    let bearer = token(&server, Role::Read);
    let report = format!(
        "GET /api/v2/deployments/d/health/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {bearer}"
    );
    call(&server, &report, "").await;
    let looked = metrics(&server).await;
    assert_eq!(looked.get("outpost_mlops_cached_rollups{cache=\"reports\"}"), Some(&1.0));
    server.stop(GRACE).await;
}

#[tokio::test]
async fn what_waits_for_its_outcome_is_known_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let server = deployed(folder.path()).await;
    let rows = json!({"data": [{"recordId": "a", "modelId": "m", "predictions": [1.0, 2.0, 3.0],
        "associationIds": ["k", "l", "m"], "features": [{"name": "a", "values": [1, 2, 3]}]}]});
    post(&server, "deployments/d/predictionInputs/fromJSON", &rows).await;
    let outcome = json!({"data": [{"associationId": "k", "actualValue": 1.0}]});
    post(&server, "deployments/d/actuals/fromJSON", &outcome).await;
    server.stop(GRACE).await;
    let server = Server::start(settings(folder.path())).await.unwrap();
    let found = metrics(&server).await;
    assert_eq!(found.get("outpost_mlops_waiting_predictions"), Some(&2.0));
    assert_eq!(found.get("outpost_mlops_rows_total"), Some(&0.0), "counters begin anew");
    server.stop(GRACE).await;
}

#[tokio::test]
async fn the_handbook_has_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = deployed(folder.path()).await;
    let family = |name: &String| {
        let name = name.split('{').next().unwrap_or_default();
        let name = name.strip_prefix("outpost_mlops_").unwrap_or(name);
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let found: BTreeSet<String> = metrics(&server).await.keys().map(family).collect();
    let handbook = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/MLOPS.md");
    let text = fs::read_to_string(handbook).unwrap();
    let table = text.split("| metric | what |\n|---|---|\n").nth(1).unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    // Every other piece between ticks, of the first column.
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    let told: BTreeSet<String> = names.map(|name| family(&name.to_owned())).collect();
    assert_eq!(told, found);
    server.stop(GRACE).await;
}

#[tokio::test]
async fn calls_beyond_the_limit_are_told_to_come_again_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut none = settings(folder.path());
    none.ingest.calls = 0;
    let server = Server::start(Settings { auto_register: true, ..none }).await.unwrap();
    let body = json!({"data": [{"recordId": "1"}]});
    let answer = post(&server, "deployments/d/predictionRequests/fromJSON", &body).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let found = metrics(&server).await;
    assert_eq!(found.get("outpost_mlops_turned_away_total{reason=\"busy\"}"), Some(&1.0));
    assert_eq!(found.get("outpost_mlops_requests_total{class=\"5xx\"}"), Some(&1.0));
    let taken = "outpost_mlops_entries_total{call=\"predictionRequests\",result=\"accepted\"}";
    assert_eq!(found.get(taken), Some(&0.0));
    server.stop(GRACE).await;
}

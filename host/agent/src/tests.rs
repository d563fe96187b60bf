//! The agent against a server that answers as it is told, and spool files that are written as the library writes them.

mod faults;
mod flow;
mod server;

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::config::{ChannelConfig, Config};
use crate::{Agent, Summary};
use server::Server;

/// How long anything may take before a test gives it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A place with a spool folder and a state folder.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("spool")).unwrap();
        Self(dir)
    }

    fn spool(&self) -> std::path::PathBuf {
        self.0.path().join("spool")
    }

    fn state(&self) -> std::path::PathBuf {
        self.0.path().join("state")
    }

    /// Settings that wait for little.
    fn config(&self, server: &Server) -> Config {
        Config {
            mlops_url: server.url(),
            api_token: Some(spool::channel::Secret::new("canary-token")),
            channels: vec![ChannelConfig::of_directory(&self.spool())],
            state_directory: self.state(),
            pending_records_timeout_ms: 20,
            retry_ms: 10,
            retry_max_ms: 50,
            retry_operator_ms: 50,
            http_timeout_ms: 5000,
            ..Config::default()
        }
    }

    fn agent(&self, server: &Server) -> Agent {
        Agent::start(self.config(server)).unwrap()
    }

    /// Appends whole lines in one write.
    fn write(&self, lines: &[String]) {
        append(
            &self.spool().join("fs_spool.1"),
            &lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
        );
    }

    fn rejected(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.state().join("rejected.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How far the folder is acknowledged.
    fn offset(&self) -> u64 {
        let text =
            std::fs::read_to_string(self.spool().join("spool_meta.consumer")).unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        value["offset"].as_u64().unwrap_or(0)
    }

    fn length(&self) -> u64 {
        std::fs::metadata(self.spool().join("fs_spool.1")).map_or(0, |data| data.len())
    }

    fn is_acknowledged(&self) -> bool {
        self.offset() == self.length()
    }
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn message(id: &str, deployment: &str, data_type: &str, data: &Value) -> String {
    let header = json!({"id": id, "deploymentId": deployment, "dataType": data_type, "dataFormat": "json",
        "dataLen": null, "version": 2, "language": "python", "libVersion": "11.2.62", "reserved": ""});
    json!({"header": header, "data": data.to_string()}).to_string()
}

fn stats(id: &str, deployment: &str) -> String {
    message(
        id,
        deployment,
        "DEPLOYMENT_STATS",
        &json!({"timestamp": "t", "modelId": "m", "numPredictions": 1, "executionTime": 1.5}),
    )
}

fn rows(id: &str, deployment: &str, values: &[f64]) -> String {
    message(
        id,
        deployment,
        "PREDICTIONS_DATA",
        &json!({"modelId": "m", "features": {"x": values}, "predictions": values}),
    )
}

fn stop(agent: Agent) -> Summary {
    agent.stop(Duration::from_secs(10), false)
}

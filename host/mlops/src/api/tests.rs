//! Calls of a whole server, on both databases.

mod batches;
mod files;
mod jobs;
mod lists;
mod statistics;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::Server;
use crate::settings::Settings;
use crate::testing::{Database, on_both};
use crate::tokens::Role;

/// A server and its databases.
struct World {
    _database: Database,
    _folder: tempfile::TempDir,
    server: Server,
    token: String,
}

impl World {
    async fn new(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            listen: "127.0.0.1:0".into(),
            data: folder.path().join("data"),
            database: Some(database.address().to_owned()),
            ..Settings::default()
        };
        let server = Server::start(settings).await.unwrap();
        let text = std::fs::read_to_string(server.tokens().path()).unwrap();
        let line = text.lines().find(|line| line.starts_with(Role::Admin.name())).unwrap();
        let token = line.split('"').nth(1).unwrap().to_owned();
        Self { _database: database, _folder: folder, server, token }
    }

    /// Makes a call below `/api/v2/`, or one at a whole address, and gives status and answer.
    async fn call(&self, method: &str, path: &str, body: &str, kind: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let path = match path.strip_prefix("http://outpost.example") {
            Some(path) => path.to_owned(),
            None => format!("/api/v2/{path}"),
        };
        let (token, length) = (&self.token, body.len());
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: outpost.example\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, "", "application/json").await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, &body.to_string(), "application/json").await
    }

    /// Makes something, and gives its id.
    async fn made(&self, path: &str, body: Value) -> String {
        let (status, answer) = self.post(path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// A deployment `d` of an external regression with the model id `m`.
    async fn deployment(&self) {
        let target = json!({"type": "Regression", "name": "t"});
        let package = json!({"name": "p", "modelId": "m", "target": target});
        let package = self.made("modelPackages/fromJSON/", package).await;
        let deployment = json!({"id": "d", "label": "d", "modelPackageId": package});
        self.made("deployments/fromModelPackage/", deployment).await;
    }

    /// The field of a refusal.
    async fn refused(&self, path: &str, body: Value) -> String {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, 422, "{path}: {answer}");
        answer["message"].as_str().unwrap().to_owned()
    }
}

/// A time so many hours ago, as records have it.
fn ago(hours: i64) -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string()
}

on_both!(nothing_is_found_in_the_words_that_clients_look_for, async |world: World| {
    world.deployment().await;
    for (path, words) in [
        ("deployments/d/serviceStats/?modelId=other", "Model other not found for deployment d"),
        ("deployments/d/targetDrift/?modelId=other", "Model other not found for deployment d"),
        ("deployments/d/monitoringBatches/other/", "Monitoring batch not found"),
        ("deployments/d/predictionsOverBatch/?batchId=other", "Monitoring batch not found"),
        ("deployments/d/customMetrics/other/summary/", "Custom metric not found"),
        ("deployments/other/serviceStats/", "there is no deployment \"other\""),
        ("deployments/other/customMetrics/m/summary/", "there is no deployment \"other\""),
        ("batchJobs/other/", "there is no monitoring job \"other\""),
        ("datasets/other/", "there is no dataset \"other\""),
    ] {
        let (status, answer) = world.get(path).await;
        assert_eq!((status, answer["message"].as_str().unwrap()), (404, words), "{path}");
    }
    world.server.stop(Duration::from_secs(60)).await;
});

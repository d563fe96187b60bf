//! The MLOps server as a process, and what it says.

use crate::binary::text;
use crate::client::Client;
use crate::daemon::Daemon;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// An MLOps server with a folder of its own.
#[derive(Debug)]
pub struct Mlops {
    daemon: Daemon,
    token: String,
    folder: Arc<TempDir>,
}

impl Mlops {
    /// Starts it on an empty folder.
    pub fn start() -> Self {
        Self::on(Arc::new(tempfile::tempdir().expect("a temporary folder")), "127.0.0.1:0")
    }

    fn on(folder: Arc<TempDir>, listen: &str) -> Self {
        let data = folder.path().join("data");
        let arguments = ["mlops", "--listen", listen, "--data", text(&data)];
        let daemon = Daemon::start("MLOps server", &arguments, &[]);
        let tokens = std::fs::read_to_string(data.join("tokens.toml")).expect("it makes tokens");
        Self { daemon, token: token(&tokens, "admin"), folder }
    }

    /// SIGKILL, and a new one in its place: the same folder and the same port.
    pub fn killed_and_started(self) -> Self {
        let Self { daemon, folder, .. } = self;
        let listen = format!("127.0.0.1:{}", daemon.port());
        daemon.kill();
        Self::on(folder, &listen)
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        self.daemon.url()
    }

    /// A token that may do everything.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The process.
    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// Makes a call with JSON, without what every path begins with, and gives status and answer.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.try_call(method, path, "application/json", text.as_bytes()).expect("an answer")
    }

    /// Makes a call with any body, and gives status and answer; null when that is no JSON.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, Value) {
        self.try_call(method, path, kind, body).expect("an answer")
    }

    fn try_call(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Option<(u16, Value)> {
        let mut client = Client::connect(self.daemon.port()).ok()?;
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", &*bearer), ("Content-Type", kind)];
        let answer = client.send_bytes(method, &format!("/api/v2/{path}"), &headers, body).ok()?;
        let value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        Some((answer.status, value))
    }

    /// Puts a package into the registry and gives its id there.
    #[track_caller]
    pub fn upload(&self, package: &Path) -> String {
        let bytes = std::fs::read(package).expect("a package");
        let (status, answer) = self
            .try_call("POST", "modelPackages/fromFile/", "application/wasm", &bytes)
            .expect("an answer");
        assert!((200..300).contains(&status), "{status} {answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Describes an external model, gives it its training data (CSV), and gives the package's id.
    #[track_caller]
    pub fn external(&self, description: &Value, training: &str) -> String {
        let (status, answer) = self.call("POST", "modelPackages/fromJSON/", description);
        assert!((200..300).contains(&status), "{status} {answer}");
        let id = answer["id"].as_str().expect("an id").to_owned();
        let (status, answer) = self
            .try_call(
                "POST",
                &format!("modelPackages/{id}/trainingData/"),
                "text/csv",
                training.as_bytes(),
            )
            .expect("an answer");
        assert!((200..300).contains(&status), "{status} {answer}");
        id
    }

    /// Makes a deployment with this id of a package.
    #[track_caller]
    pub fn deploy(&self, package: &str, id: &str) {
        let body = json!({"id": id, "label": id, "modelPackageId": package});
        let (status, answer) = self.call("POST", "deployments/fromModelPackage/", &body);
        assert!((200..300).contains(&status), "{status} {answer}");
    }

    /// A deployment's service health.
    #[track_caller]
    pub fn health(&self, deployment: &str) -> Value {
        self.report(deployment, "health")
    }

    /// A deployment's accuracy.
    #[track_caller]
    pub fn accuracy(&self, deployment: &str) -> Value {
        self.report(deployment, "accuracy")
    }

    /// A deployment's drift.
    #[track_caller]
    pub fn drift(&self, deployment: &str) -> Value {
        self.report(deployment, "drift")
    }

    #[track_caller]
    fn report(&self, deployment: &str, what: &str) -> Value {
        let (status, answer) =
            self.call("GET", &format!("deployments/{deployment}/{what}/"), &Value::Null);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The models, parts and gateways that a deployment has numbers of.
    #[track_caller]
    pub fn groups(&self, deployment: &str) -> Vec<Value> {
        self.health(deployment)["groups"].as_array().cloned().unwrap_or_default()
    }
}

/// The token of this role.
fn token(tokens: &str, role: &str) -> String {
    let line = tokens.lines().find(|line| line.trim_start().starts_with(role)).expect("a token");
    line.split('"').nth(1).expect("a quoted token").to_owned()
}

//! A small language for the stories: a server on a free port, raw requests, and replies that are checked for
//! what must hold of every one.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use models::schema::{Feature, Kind, Missing, Unknown};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{
    fault::Fault,
    fleet::{Fleet, Operations, Place},
    gateway::Gateway,
    recorder::{Keep, Ticket},
    scoring::Score,
    server::DrainReport,
    settings::{DeploymentSettings, FleetSettings, GatewaySettings},
};

type Rule = dyn Fn(u32, &[f64]) -> Result<Vec<f64>, Fault> + Send + Sync;

/// A model that does what its rule says.
pub(super) struct Model {
    features: Vec<Feature>,
    instances: usize,
    digest: String,
    rule: Box<Rule>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Model")
    }
}

pub(super) fn features() -> Vec<Feature> {
    let levels = ["red", "green", "1", "true"].map(str::to_owned).to_vec();
    [("a", Kind::Numeric), ("b", Kind::Numeric), ("c", Kind::Categorical(levels))]
        .map(|(name, kind)| Feature {
            name: name.to_owned(),
            kind,
            missing: Missing::Keep,
            unknown: Unknown::Other,
        })
        .to_vec()
}

impl Model {
    /// a + 2 b + 10 c; what is missing counts as 0.
    pub(super) fn sums() -> Self {
        Self::new(|_, numbers| {
            let value = |number: f64| if number.is_nan() { 0.0 } else { number };
            Ok(numbers
                .chunks(3)
                .map(|row| value(row[0]) + 2.0 * value(row[1]) + 10.0 * value(row[2]))
                .collect())
        })
    }

    pub(super) fn new(
        rule: impl Fn(u32, &[f64]) -> Result<Vec<f64>, Fault> + Send + Sync + 'static,
    ) -> Self {
        let digest = "sha256:00".to_owned();
        Self { features: features(), instances: 4, digest, rule: Box::new(rule) }
    }

    /// Another package.
    pub(super) fn digest(mut self, digest: &str) -> Self {
        self.digest = digest.to_owned();
        self
    }

    /// With other features.
    pub(super) fn features(mut self, features: Vec<Feature>) -> Self {
        self.features = features;
        self
    }

    pub(super) fn instances(mut self, instances: usize) -> Self {
        self.instances = instances;
        self
    }
}

impl Score for Model {
    fn features(&self) -> &[Feature] {
        &self.features
    }
    fn target(&self) -> &str {
        "Y"
    }
    fn name(&self) -> &str {
        "model"
    }
    fn version(&self) -> &str {
        "1"
    }
    fn is_quick(&self) -> bool {
        true
    }
    fn rest(&self) {}
    fn digest(&self) -> String {
        self.digest.clone()
    }
    fn instances(&self) -> usize {
        self.instances
    }
    fn score(&self, rows: u32, numbers: &[f64]) -> Result<Vec<f64>, Fault> {
        (self.rule)(rows, numbers)
    }
}

/// An outbox in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub(super) records: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(super) full: Arc<AtomicBool>,
    /// Durable records are never on disk.
    pub(super) stuck: Arc<AtomicBool>,
    pub(super) max_record_bytes: usize,
}

impl Keep for Memory {
    fn max_record_bytes(&self) -> usize {
        if self.max_record_bytes == 0 { 1 << 20 } else { self.max_record_bytes }
    }
    fn observe(&self, record: &[u8]) -> bool {
        if self.full.load(Ordering::SeqCst) {
            return false;
        }
        self.records.lock().push(record.to_vec());
        true
    }
    fn durable(&self, record: &[u8]) -> Option<Ticket> {
        if !self.observe(record) {
            return None;
        }
        let ticket: Ticket = if self.stuck.load(Ordering::SeqCst) {
            Box::pin(std::future::pending())
        } else {
            Box::pin(std::future::ready(true))
        };
        Some(ticket)
    }
    fn trouble(&self) -> Option<String> {
        self.full.load(Ordering::SeqCst).then(|| "the disk is full".to_owned())
    }
    fn status(&self) -> Option<spool::OutboxStatus> {
        None
    }
}

/// A gateway on a free port.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) outbox: Memory,
    pub(super) fleet: Fleet,
    stop: oneshot::Sender<()>,
    task: JoinHandle<DrainReport>,
}

/// What a gateway is started with.
pub(super) struct Plan {
    pub(super) model: Model,
    pub(super) settings: GatewaySettings,
    pub(super) deployment: DeploymentSettings,
    pub(super) outbox: Memory,
    pub(super) fleet: FleetSettings,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            model: Model::sums(),
            settings: GatewaySettings::default(),
            deployment: DeploymentSettings::default(),
            outbox: Memory::default(),
            fleet: FleetSettings::default(),
        }
    }
}

impl Plan {
    pub(super) fn with(model: Model) -> Self {
        Self { model, ..Self::default() }
    }

    pub(super) fn settings(change: impl FnOnce(&mut GatewaySettings)) -> Self {
        let mut plan = Self::default();
        change(&mut plan.settings);
        plan
    }

    pub(super) async fn start(self) -> Server {
        let outbox = self.outbox.clone();
        let operations = Operations::bare(self.fleet);
        let gateway =
            Gateway::assemble(operations, None, Some(Box::new(self.outbox)), self.settings)
                .unwrap();
        let fleet = gateway.fleet();
        fleet.admit("d1", Some("m1"), self.model, self.deployment, Place::Champion).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(gateway.serve(vec![listener], async {
            stopped.await.unwrap();
        }));
        Server { address, outbox, fleet, stop, task }
    }
}

impl Server {
    /// Starts with everything at its default.
    pub(super) async fn plain() -> Self {
        Plan::default().start().await
    }

    pub(super) async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), buffer: Vec::new() }
    }

    /// One request on a connection of its own.
    pub(super) async fn send(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect().await;
        client.write(request).await;
        client.reply().await
    }

    pub(super) async fn get(&self, target: &str) -> Reply {
        self.send(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n")).await
    }

    pub(super) async fn post(&self, content_type: &str, body: impl AsRef<[u8]>) -> Reply {
        self.send(post("/predict", content_type, body.as_ref())).await
    }

    pub(super) async fn metric(&self, line: &str) -> Option<f64> {
        let text = self.get("/metrics").await.body;
        text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ')?.parse().ok())
    }

    pub(super) fn stop(self) -> JoinHandle<DrainReport> {
        self.stop.send(()).unwrap();
        self.task
    }
}

/// A request with a body.
pub(super) fn post(target: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: x\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const JSON: &str = "application/json";
pub(super) const CSV: &str = "text/csv";

/// One connection.
pub(super) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer.
    pub(super) async fn reply(&mut self) -> Reply {
        let read = within(async {
            loop {
                if let Some(reply) = Reply::parse(&mut self.buffer) {
                    return reply;
                }
                let more = self.stream.read_buf(&mut self.buffer).await.unwrap();
                assert!(more > 0, "closed after {:?}", String::from_utf8_lossy(&self.buffer));
            }
        });
        let reply = read.await;
        reply.check();
        reply
    }

    /// Waits until the server closes, and gives what came before.
    pub(super) async fn rest(&mut self) -> String {
        within(async {
            while !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(0) | Err(_)) {}
        })
        .await;
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

/// Fails a test that hangs.
pub(super) fn within<T>(future: impl Future<Output = T>) -> Pin<Box<impl Future<Output = T>>> {
    Box::pin(async {
        tokio::time::timeout(Duration::from_secs(20), future)
            .await
            .expect("this should have happened by now")
    })
}

/// Waits until something is so.
pub(super) async fn until<F: Future<Output = bool>>(mut so: impl FnMut() -> F) {
    within(async {
        while !so().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Reply {
    fn parse(buffer: &mut Vec<u8>) -> Option<Self> {
        let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length =
            headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
        let rest = &buffer[end + 4..];
        if rest.len() < length {
            return None;
        }
        let body = String::from_utf8(rest[..length].to_vec()).unwrap();
        buffer.drain(..end + 4 + length);
        Some(Self { status, headers, body })
    }

    /// What must hold of every answer with a body.
    fn check(&self) {
        assert!(self.header("date").is_some(), "{self:?}");
        // `/readyz` says no in its own form.
        if self.status >= 400 && !self.body.contains("\"ready\"") {
            assert_eq!(self.header("content-type"), Some("application/problem+json"));
            let problem = self.json();
            assert_eq!(problem["status"], self.status);
            assert!(problem["type"].as_str().unwrap().starts_with("urn:outpost:problem:"));
            assert_eq!(problem["requestId"].as_str(), self.header("x-request-id"));
        }
        if self.status == 503 && self.header("content-type") == Some("application/problem+json") {
            assert_eq!(self.header("retry-after"), Some("1"));
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The predictions, row by row.
    pub(super) fn predictions(&self) -> Vec<f64> {
        assert_eq!(self.status, 200, "{self:?}");
        let body = self.json();
        let rows = body["predictions"].as_array().unwrap();
        rows.iter().map(|row| row["prediction"].as_f64().unwrap()).collect()
    }

    /// The problem's slug.
    pub(super) fn problem(&self) -> String {
        let body = self.json();
        body["type"].as_str().unwrap().trim_start_matches("urn:outpost:problem:").to_owned()
    }

    pub(super) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

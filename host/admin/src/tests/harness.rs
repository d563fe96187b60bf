//! A room on a socket or a port of its own, a client of raw bytes, and a fleet that writes down what it is told.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use gateway::fleet::{Change, ChangeError, DeploymentReport, Event, FleetReport, Push};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{AdminSettings, Hooks, Listen, Listener, Operate, Scope, Token, Tokens, serve};

/// How long a test waits for anything; only spent by one that fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A real package.
pub(super) const PACKAGE: &[u8] =
    include_bytes!("../../../engine/tests/released/contract-0.1.0-ridge.wasm");

/// One token for each scope, under the scope's name.
pub(super) const TOKENS: [(Scope, &str); 3] = [
    (Scope::Read, "read-0123456789abcdef0123456789"),
    (Scope::Deploy, "deploy-0123456789abcdef0123456789"),
    (Scope::Admin, "admin-0123456789abcdef0123456789"),
];

/// Writes down what it is told.
#[derive(Default)]
pub(super) struct Double {
    said: Mutex<Vec<String>>,
    /// What the next change is refused with.
    pub(super) refuses: Mutex<Option<ChangeError>>,
    /// Where the next package waits until the test goes on.
    pub(super) gate: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Double {
    fn say(&self, line: String) {
        self.said.lock().push(line);
    }

    fn change(&self, line: String) -> Result<Change, ChangeError> {
        self.say(line);
        match self.refuses.lock().take() {
            Some(error) => Err(error),
            None => Ok(Change {
                deployment: "d".into(),
                action: "deploy",
                from: None,
                to: Some("sha256:00".into()),
                warnings: vec![],
            }),
        }
    }

    /// All that it was told so far, and forgets it.
    pub(super) fn said(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.lock())
    }
}

impl Operate for Double {
    fn report(&self) -> FleetReport {
        FleetReport {
            version: "1",
            uptime_seconds: 1.0,
            ready: true,
            draining: false,
            reasons: vec![],
            warnings: vec![],
            default_deployment: None,
            deployments: vec![],
            outbox: None,
            channels: vec![],
            events: vec![],
        }
    }

    fn deployment(&self, _: &str) -> Option<DeploymentReport> {
        None
    }

    fn events(&self, deployment: Option<&str>) -> Vec<Event> {
        self.say(format!("events {deployment:?}"));
        vec![]
    }

    fn push(&self, push: Push) -> Result<Change, ChangeError> {
        let gate = self.gate.lock().take();
        if let Some(gate) = gate {
            self.say("push waits".into());
            gate.recv_timeout(PATIENCE).unwrap();
        }
        let Push { deployment, package, signature, place, force, by } = push;
        let bytes = package.bytes().len();
        self.change(format!("push {deployment} {place:?} {bytes} {signature:?} {force} by {by}"))
    }

    fn promote(
        &self,
        deployment: &str,
        challenger: Option<&str>,
        force: bool,
        by: &str,
    ) -> Result<Change, ChangeError> {
        self.change(format!("promote {deployment} {challenger:?} {force} by {by}"))
    }

    fn rollback(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        self.change(format!("rollback {deployment} by {by}"))
    }

    fn set_canary_share(
        &self,
        deployment: &str,
        share: f64,
        by: &str,
    ) -> Result<Change, ChangeError> {
        self.change(format!("share {deployment} {share} by {by}"))
    }

    fn abort_canary(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        self.change(format!("abort {deployment} by {by}"))
    }

    fn remove_challenger(
        &self,
        deployment: &str,
        name: &str,
        by: &str,
    ) -> Result<Change, ChangeError> {
        self.change(format!("unchallenge {deployment} {name} by {by}"))
    }

    fn remove(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        self.change(format!("remove {deployment} by {by}"))
    }

    fn set_default(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        self.change(format!("default {deployment} by {by}"))
    }

    fn drain(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError> {
        self.change(format!("drain {deployment:?} by {by}")).map(drop)
    }

    fn resume(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError> {
        self.change(format!("resume {deployment:?} by {by}")).map(drop)
    }

    fn note(&self, event: Event) {
        let Event { action, by, done, message, .. } = event;
        self.say(format!("note {action} {done} {message:?} by {by}"));
    }
}

/// A room that serves until it is dropped.
pub(super) struct TestRoom {
    pub(super) fleet: Arc<Double>,
    address: Listen,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

pub(super) fn tokens() -> Tokens {
    let token = |(scope, text): (Scope, &str)| Token::new(scope.as_str(), scope, text).unwrap();
    Tokens::new(TOKENS.map(token).to_vec()).unwrap()
}

impl TestRoom {
    /// On a socket, without tokens.
    pub(super) fn on_socket() -> Self {
        Self::on_socket_with(|_| {})
    }

    /// On a socket, with other settings.
    pub(super) fn on_socket_with(change: impl FnOnce(&mut AdminSettings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listen = Listen::Unix(dir.path().join("outpost.sock"));
        Self::start(dir, AdminSettings::new(listen, Tokens::default()), change)
    }

    /// On a port, with a token for each scope.
    pub(super) fn on_port() -> Self {
        let settings = AdminSettings::new("127.0.0.1:0".parse().unwrap(), tokens());
        Self::start(tempfile::tempdir().unwrap(), settings, |_| {})
    }

    fn start(
        dir: tempfile::TempDir,
        mut settings: AdminSettings,
        change: impl FnOnce(&mut AdminSettings),
    ) -> Self {
        change(&mut settings);
        let fleet = Arc::new(Double::default());
        let hooks = Hooks {
            set_log: Box::new(|filter| match filter {
                "wrong" => Err("not a level".into()),
                _ => Ok(()),
            }),
        };
        let (stop, stopped) = oneshot::channel();
        let (bound, address) = mpsc::sync_channel(1);
        let served = Arc::clone(&fleet);
        let ended = Arc::clone(&fleet);
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(
                async {
                    let listener = Listener::bind(&settings).await.unwrap();
                    bound.send(listener.address()).unwrap();
                    serve(listener, settings, served, hooks, async {
                        // Told, or the test is over: both are an end.
                        drop(stopped.await);
                    })
                    .await;
                    ended.say("ended".into());
                },
            );
        });
        let address = address.recv().unwrap();
        Self { fleet, address, stop: Some(stop), thread: Some(thread), _dir: dir }
    }

    pub(super) fn socket(&self) -> PathBuf {
        match &self.address {
            Listen::Unix(path) => path.clone(),
            Listen::Loopback(_) => panic!("it listens on a port"),
        }
    }

    pub(super) fn connect(&self) -> Client {
        let (stream, reader): (Box<dyn Write>, Box<dyn Read>) = match &self.address {
            Listen::Unix(path) => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                (Box::new(stream.try_clone().unwrap()), Box::new(stream))
            }
            Listen::Loopback(address) => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                (Box::new(stream.try_clone().unwrap()), Box::new(stream))
            }
        };
        Client { writer: stream, reader: BufReader::new(reader) }
    }

    /// One request on a connection of its own; `head` is more lines of its head.
    pub(super) fn send(&self, request: &str, head: &[&str], body: &[u8]) -> Reply {
        self.connect().send(request, head, body)
    }

    /// The same with a JSON body.
    pub(super) fn send_json(&self, request: &str, body: &str) -> Reply {
        self.send(request, &["Content-Type: application/json"], body.as_bytes())
    }

    /// Tells it to stop; it goes on until it has finished.
    pub(super) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ended = stop.send(());
        }
    }

    pub(super) fn join(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for TestRoom {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One connection.
pub(super) struct Client {
    writer: Box<dyn Write>,
    reader: BufReader<Box<dyn Read>>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Client {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)
    }

    /// Sends one request, with the usual host unless `head` names one, and reads its answer.
    pub(super) fn send(&mut self, request: &str, head: &[&str], body: &[u8]) -> Reply {
        let mut text = format!("{request} HTTP/1.1\r\n");
        if !head.iter().any(|line| line.starts_with("Host:")) {
            text.push_str("Host: localhost\r\n");
        }
        for line in head {
            text.push_str(&format!("{line}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        self.write(text.as_bytes()).unwrap();
        // A server that has refused may close before all is written; its answer is there nonetheless.
        drop(self.write(body));
        self.read().unwrap()
    }

    /// One line, whatever it is part of.
    pub(super) fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line
    }

    pub(super) fn read(&mut self) -> io::Result<Reply> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
        self.reader.read_exact(&mut body)?;
        Ok(Reply { status, head, body: String::from_utf8(body).unwrap() })
    }
}

impl Reply {
    /// The status and the stable word of a problem.
    #[track_caller]
    pub(super) fn problem(&self) -> (u16, String) {
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let json: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(json["status"], self.status);
        assert!(
            self.head.contains(&format!("x-request-id: {}", json["requestId"].as_str().unwrap()))
        );
        let kind = json["type"].as_str().unwrap();
        (self.status, kind.strip_prefix("urn:outpost:problem:").unwrap().to_owned())
    }

    #[track_caller]
    pub(super) fn is(&self, status: u16, word: &str) {
        assert_eq!(self.problem(), (status, word.to_owned()), "{}", self.body);
    }

    /// The `detail` of a problem.
    pub(super) fn detail(&self) -> String {
        let json: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        json["detail"].as_str().unwrap().to_owned()
    }
}

/// Asks until it is so.
pub(super) fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

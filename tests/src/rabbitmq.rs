//! One RabbitMQ node on free ports of this machine, in a scratch folder, on a [`Leash`]: a script, the Erlang machine, its
//! helpers and the port mapper.

use crate::certificates::{Authority, Identity};
use crate::kafka::free_ports;
use crate::leash::Leash;
use crate::parts;
use crate::patience::{self, PATIENCE, wait_until};
use crate::records::Envelope;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const ASK_TIMEOUT: Duration = Duration::from_secs(5);
const PERSISTENT: u8 = 2;

// The port mapper first, in the same session, or the broker would start one that outlives it. $0 is the folder of
// RabbitMQ's own scripts.
const START: &str = r#"epmd & exec "$0/rabbitmq-server""#;

/// A broker, running or not.
#[derive(Debug)]
pub struct RabbitMq {
    scripts: PathBuf,
    home: PathBuf,
    name: String,
    ports: Ports,
    tls: Option<Tls>,
    running: Option<Leash>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    plain: u16,
    secured: u16,
    distribution: u16,
    mapper: u16,
}

/// What clients of a broker with TLS need.
#[derive(Debug)]
pub struct Tls {
    /// Whom to trust.
    pub ca: PathBuf,
    /// A certificate that the broker trusts.
    pub client: Identity,
}

/// A message with what RabbitMQ keeps beside its body.
#[derive(Clone, Debug)]
pub struct Queued {
    /// The property `message_id`.
    pub message_id: Option<String>,
    /// The property `content_type`.
    pub content_type: Option<String>,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Whether it survives a restart of the broker.
    pub persistent: bool,
    /// The body.
    pub body: String,
    /// The body, parsed.
    pub envelope: Envelope,
}

impl RabbitMq {
    /// The broker that the stories share, or none when they have to be skipped. Each story has its own queue. It speaks
    /// TLS too, and takes a client's certificate without asking for one.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<RabbitMq>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            let mut rabbitmq = Self::secured(false)?;
            rabbitmq.start();
            Some(rabbitmq)
        });
        shared.as_ref()
    }

    /// A broker that has an address but does not run yet, or none when the story has to be skipped.
    pub fn reserved() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let scripts = parts::rabbitmq()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rabbitmq-{}-{number}", std::process::id());
        let home = crate::root().join("target/tmp").join(&name);
        std::fs::create_dir_all(&home).expect("the target folder takes a folder");
        let [plain, secured, distribution, mapper] = free_ports();
        let ports = Ports { plain, secured, distribution, mapper };
        let rabbitmq = Self { scripts, home, name, ports, tls: None, running: None };
        Some(rabbitmq.with_setting("log.console.level = info"))
    }

    /// A broker with a second port for TLS; it may ask its clients for certificates.
    pub fn secured(asks_clients: bool) -> Option<Self> {
        let mut rabbitmq = Self::reserved()?;
        let authority = Authority::new(&rabbitmq.home.join("tls"));
        let server = authority.issue("broker");
        let settings = format!(
            "listeners.ssl.local = 127.0.0.1:{}
ssl_options.cacertfile = {}
ssl_options.certfile = {}
ssl_options.keyfile = {}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = {asks_clients}",
            rabbitmq.ports.secured,
            authority.certificate().display(),
            server.certificate.display(),
            server.key.display(),
        );
        rabbitmq.tls =
            Some(Tls { ca: authority.certificate(), client: authority.issue("gateway") });
        Some(rabbitmq.with_setting(&settings))
    }

    /// A line more of the broker's settings, before it starts.
    pub fn with_setting(self, line: &str) -> Self {
        let path = self.home.join("rabbitmq.conf");
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let file = file.as_mut().expect("the folder takes a file");
        writeln!(file, "{line}").expect("the file takes a line");
        self
    }

    /// Where clients connect: as `guest`, to the virtual host `/`.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.ports.plain)
    }

    /// The same by TLS.
    pub fn tls_url(&self) -> String {
        format!("amqps://guest:guest@127.0.0.1:{}", self.ports.secured)
    }

    /// # Panics
    ///
    /// When the broker has no TLS.
    pub fn tls(&self) -> &Tls {
        self.tls.as_ref().expect("the story asked for a broker with TLS")
    }

    /// Its port without TLS.
    pub fn port(&self) -> u16 {
        self.ports.plain
    }

    /// Starts the broker and waits until it answers.
    pub fn start(&mut self) {
        let words =
            [OsStr::new("sh"), OsStr::new("-c"), OsStr::new(START), self.scripts.as_os_str()];
        let environment = self.environment();
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value));
        self.running = Some(Leash::start(&self.home, words, environment));
        wait_until("a RabbitMQ that answers", || self.ask(async |_| Ok(())).ok());
    }

    /// SIGKILL. What clients were told is stored stays stored.
    pub fn kill(&mut self) {
        if let Some(leash) = self.running.take() {
            leash.kill();
            let Ports { plain, distribution, mapper, .. } = self.ports;
            wait_until("free ports", || {
                let busy = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
                (![plain, distribution, mapper].into_iter().any(busy)).then_some(())
            });
        }
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.leash().freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.leash().thaw();
    }

    fn leash(&self) -> &Leash {
        self.running.as_ref().expect("the story started the broker")
    }

    /// Runs a command of `rabbitmqctl`.
    ///
    /// # Panics
    ///
    /// When it fails.
    #[track_caller]
    pub fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(self.scripts.join("rabbitmqctl"));
        command.args(arguments).envs(self.environment()).stdin(Stdio::null());
        let output = command.output().expect("a script starts");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {err}");
    }

    /// Makes a queue as the public library does.
    pub fn declare(&self, queue: &str) {
        self.declare_with(queue, FieldTable::default());
    }

    /// Makes a durable queue with arguments.
    ///
    /// # Panics
    ///
    /// When the broker refuses.
    pub fn declare_with(&self, queue: &str, arguments: FieldTable) {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let made = self.ask(async |channel| {
            channel.queue_declare(queue.into(), options, arguments).await.map(drop)
        });
        made.expect("a queue");
    }

    /// Deletes a queue with everything in it.
    ///
    /// # Panics
    ///
    /// When the broker refuses.
    pub fn delete(&self, queue: &str) {
        let deleted = self.ask(async |channel| {
            channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.map(drop)
        });
        deleted.expect("a queue less");
    }

    /// Messages that wait in a queue, or none when there is no such queue.
    pub fn depth(&self, queue: &str) -> Option<u32> {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = self.ask(async |channel| {
            channel.queue_declare(queue.into(), look, FieldTable::default()).await
        });
        found.ok().map(|queue| queue.message_count())
    }

    /// Puts bodies into a queue, as the public library does.
    ///
    /// # Panics
    ///
    /// When the broker refuses.
    pub fn publish(&self, queue: &str, bodies: &[String]) {
        let published = self.ask(async |channel| {
            channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await?;
            for body in bodies {
                let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
                let options = BasicPublishOptions::default();
                let sent = channel
                    .basic_publish("".into(), queue.into(), options, body.as_bytes(), properties)
                    .await?;
                assert!(sent.await?.is_ack());
            }
            Ok(())
        });
        published.expect("messages in a queue");
    }

    /// Takes messages out of a queue until what was taken is enough.
    ///
    /// # Panics
    ///
    /// When it never is.
    pub fn drain(&self, queue: &str, enough: impl Fn(&[Queued]) -> bool) -> Vec<Queued> {
        self.drain_at(&self.url(), queue, enough)
    }

    /// The same at another address of this broker.
    ///
    /// # Panics
    ///
    /// When it never is enough.
    pub fn drain_at(
        &self,
        url: &str,
        queue: &str,
        enough: impl Fn(&[Queued]) -> bool,
    ) -> Vec<Queued> {
        let mut messages = Vec::new();
        let mut last = std::time::Instant::now();
        while !enough(&messages) {
            assert!(
                last.elapsed() < PATIENCE,
                "waited in vain for records; {} came, the last is {:#?}",
                messages.len(),
                messages.last()
            );
            // What comes and goes while a broker does is no answer, but what was taken is.
            drop(ask(url, async |channel| {
                let take = BasicGetOptions { no_ack: true };
                while let Some(got) = channel.basic_get(queue.into(), take).await? {
                    messages.push(Queued::new(&got.delivery));
                    last = std::time::Instant::now();
                }
                Ok(())
            }));
            patience::pause();
        }
        messages
    }

    fn ask<T>(&self, work: impl AsyncFnOnce(&Channel) -> lapin::Result<T>) -> lapin::Result<T> {
        ask(&self.url(), work)
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let at = |name: &str| self.home.join(name).display().to_string();
        vec![
            // Erlang's cookie lies here.
            ("HOME", self.home.display().to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("ERL_EPMD_PORT", self.ports.mapper.to_string()),
            ("RABBITMQ_NODENAME", format!("{}@localhost", self.name)),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODE_PORT", self.ports.plain.to_string()),
            ("RABBITMQ_DIST_PORT", self.ports.distribution.to_string()),
            ("RABBITMQ_MNESIA_BASE", at("data")),
            ("RABBITMQ_LOG_BASE", at("log")),
            ("RABBITMQ_LOGS", "-".to_owned()),
            ("RABBITMQ_PID_FILE", at("pid")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins")),
            ("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf")),
            ("RABBITMQ_CONF_ENV_FILE", at("no-environment")),
            // Nobody outside sees it, and it does not spin while it waits.
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
                    .to_owned(),
            ),
        ]
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        // Before its folder, in which it would go on writing.
        drop(self.running.take());
        drop(std::fs::remove_dir_all(&self.home));
    }
}

impl Queued {
    fn new(delivery: &lapin::message::Delivery) -> Self {
        let properties = &delivery.properties;
        let body = String::from_utf8(delivery.data.clone()).expect("bodies are UTF-8");
        let text = |value: &AMQPValue| match value {
            AMQPValue::LongString(text) => text.to_string(),
            other => format!("{other:?}"),
        };
        let headers = properties.headers().iter().flat_map(|table| table.inner());
        Self {
            message_id: properties.message_id().as_ref().map(ToString::to_string),
            content_type: properties.content_type().as_ref().map(ToString::to_string),
            headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
            persistent: *properties.delivery_mode() == Some(PERSISTENT),
            envelope: Envelope::parse(&body),
            body,
        }
    }
}

/// Asks a broker something on a connection of its own.
fn ask<T>(url: &str, work: impl AsyncFnOnce(&Channel) -> lapin::Result<T>) -> lapin::Result<T> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime");
    let asked = runtime.block_on(async {
        let connect = Connection::connect(url, ConnectionProperties::default());
        let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
        let connection = tokio::time::timeout(ASK_TIMEOUT, connect).await.map_err(late)??;
        let channel = connection.create_channel().await?;
        let answer = work(&channel).await?;
        connection.close(200, "OK".into()).await?;
        Ok(answer)
    });
    runtime.shutdown_background();
    asked
}

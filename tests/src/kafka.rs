//! One Apache Kafka node (KRaft) on free ports of this machine, in a scratch folder, on a [`Leash`].

mod doors;

pub use self::doors::Doors;

use crate::leash::Leash;
use crate::network::Cable;
use crate::parts;
use crate::patience::{PATIENCE, wait_until};
use crate::records::Envelope;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::metadata::MetadataPartition;
use rdkafka::{Offset, TopicPartitionList, error::KafkaError, types::RDKafkaErrorCode};
use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Who may log in.
pub const USER: &str = "outpost";
/// With what.
pub const PASSWORD: &str = "the-right-password";

const ASK_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
// 22 characters of base64url: any id will do for a cluster of one.
const CLUSTER_ID: &str = "b3V0cG9zdC1zdG9yaWVzLQ";

/// A broker, running or not.
#[derive(Debug)]
pub struct Kafka {
    libs: PathBuf,
    home: PathBuf,
    place: Place,
    doors: Option<Doors>,
    running: Option<Leash>,
}

/// Where a broker lives.
#[derive(Debug)]
struct Place {
    host: String,
    port: u16,
    /// For clients that log in.
    login_port: u16,
    controller: u16,
    /// What goes before its command line.
    words: Vec<String>,
}

/// A record with what Kafka keeps beside its value.
#[derive(Clone, Debug)]
pub struct Message {
    /// The key.
    pub key: Option<String>,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The value.
    pub envelope: Envelope,
    /// Bytes of the value.
    pub bytes: usize,
}

impl Kafka {
    /// The broker that the stories share, or none when they have to be skipped. Each story has its own topic.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Kafka>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            let mut kafka = Self::reserved()?;
            kafka.start();
            Some(kafka)
        });
        shared.as_ref()
    }

    /// A broker that has an address but does not run yet, or none when the story has to be skipped.
    pub fn reserved() -> Option<Self> {
        Self::reserved_at("127.0.0.1", &[], false)
    }

    /// The same with [`Doors`].
    pub fn secured() -> Option<Self> {
        Self::reserved_at("127.0.0.1", &[], true)
    }

    /// A broker at the far end of a cable.
    pub fn behind(cable: &Cable) -> Option<Self> {
        Self::reserved_at(cable.far(), &cable.words(), false)
    }

    fn reserved_at(host: &str, words: &[&str], secured: bool) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let libs = parts::kafka()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = crate::root().join(format!("target/tmp/kafka-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&home).expect("the target folder takes a folder");
        let [port, login_port, controller] = free_ports();
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let place = Place { host: host.to_owned(), port, login_port, controller, words };
        let doors = secured.then(|| Doors::new(&home.join("tls")));
        std::fs::write(home.join("server.properties"), place.settings(&home, doors.as_ref()))
            .expect("the folder takes a file");
        let kafka = Self { libs, home, place, doors, running: None };
        let users = if secured { Doors::users().to_vec() } else { Vec::new() };
        let mut arguments = vec!["format", "-t", CLUSTER_ID];
        arguments.extend(users.iter().map(String::as_str).chain(["-c"]));
        let format = kafka.java("kafka.tools.StorageTool", &arguments);
        let output = Command::new("java").args(format).output().expect("java starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(kafka)
    }

    /// Where clients connect.
    pub fn brokers(&self) -> String {
        format!("{}:{}", self.place.host, self.place.port)
    }

    /// Where clients connect that log in, as [`USER`] with [`PASSWORD`] by the mechanism `PLAIN`.
    pub fn login_brokers(&self) -> String {
        format!("{}:{}", self.place.host, self.place.login_port)
    }

    /// # Panics
    ///
    /// When the broker has none.
    pub fn doors(&self) -> &Doors {
        self.doors.as_ref().expect("the story asked for a secured broker")
    }

    /// Starts the broker and waits until it answers.
    pub fn start(&mut self) {
        self.launch();
        self.wait();
    }

    /// Starts the broker.
    pub fn launch(&mut self) {
        let words = self.place.words.iter().map(OsString::from);
        let words = words.chain([OsString::from("java")]).chain(self.java("kafka.Kafka", &[]));
        self.running = Some(Leash::start(&self.home, words, []));
    }

    /// Waits until the broker answers.
    pub fn wait(&self) {
        wait_until("a broker that answers", || {
            self.consumer()
                .fetch_metadata(None, ASK_TIMEOUT)
                .ok()
                .filter(|data| !data.brokers().is_empty())
        });
    }

    /// SIGKILL. What clients were told is written stays written.
    pub fn kill(&mut self) {
        if let Some(leash) = self.running.take() {
            leash.kill();
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

    /// Makes a topic with one partition.
    pub fn create_topic(&self, name: &str) {
        self.make_topic(name, 1, &[]);
    }

    /// Makes a topic with one partition and these settings.
    pub fn create_topic_with(&self, name: &str, settings: &[(&str, &str)]) {
        self.make_topic(name, 1, settings);
    }

    /// Makes a topic with several partitions.
    pub fn create_topic_of(&self, name: &str, partitions: i32) {
        self.make_topic(name, partitions, &[]);
    }

    fn make_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().expect("an admin client");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        topic.config.extend_from_slice(settings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        wait_until("a topic", || {
            let options = AdminOptions::new().operation_timeout(Some(ASK_TIMEOUT));
            let made = runtime.block_on(admin.create_topics([&topic], &options)).ok()?;
            match made.into_iter().next()? {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Some(()),
                Err(_) => None,
            }
        });
        // The broker's controller has it; those who ask the broker learn of it a moment later.
        wait_until("a topic that everybody sees", || {
            let metadata = admin.inner().fetch_metadata(Some(name), ASK_TIMEOUT).ok()?;
            let topic = metadata.topics().first().filter(|topic| topic.error().is_none())?;
            let led = |it: &MetadataPartition| it.error().is_none() && it.leader() >= 0;
            (topic.partitions().len() == partitions as usize && topic.partitions().iter().all(led))
                .then_some(())
        });
    }

    /// Reads a topic from its beginning until what was read is enough.
    ///
    /// # Panics
    ///
    /// When it never is.
    pub fn records(&self, topic: &str, mut enough: impl FnMut(&[Message]) -> bool) -> Vec<Message> {
        let consumer = self.consumer();
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
        consumer.assign(&from).expect("an assignment");
        let mut messages = Vec::new();
        let start = std::time::Instant::now();
        while !enough(&messages) {
            assert!(
                start.elapsed() < PATIENCE,
                "waited in vain for records; {} came, the last is {:#?}",
                messages.len(),
                messages.last()
            );
            match consumer.poll(POLL_TIMEOUT) {
                Some(Ok(message)) => messages.push(Message::new(&message)),
                // What comes and goes while a broker does is no answer.
                Some(Err(KafkaError::MessageConsumption(_))) | None => {}
                Some(Err(error)) => panic!("{error}"),
            }
        }
        messages
    }

    fn consumer(&self) -> BaseConsumer {
        let mut config = self.client();
        config.set("group.id", "stories").set("enable.auto.commit", "false");
        config.create().expect("a consumer")
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // The client complains of each lost connection; the stories cause them on purpose.
        config.set("bootstrap.servers", self.brokers()).set("log_level", "0");
        config
    }

    /// Arguments of a Java that runs this class with these arguments and the broker's settings.
    fn java(&self, class: &str, arguments: &[&str]) -> Vec<OsString> {
        let classes = format!("{}/*", self.libs.display());
        // The short-lived broker of a story is up sooner without the slow compiler.
        let java = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", &classes, class];
        let settings = self.home.join("server.properties").into_os_string();
        java.iter().chain(arguments).map(OsString::from).chain([settings]).collect()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // Before its folder, in which it would go on writing.
        drop(self.running.take());
        drop(std::fs::remove_dir_all(&self.home));
    }
}

impl Message {
    fn new(message: &BorrowedMessage<'_>) -> Self {
        let text =
            |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("keys and values are UTF-8");
        let headers = message.headers().into_iter().flat_map(rdkafka::message::Headers::iter);
        Self {
            key: message.key().map(text),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.map(text).unwrap_or_default()))
                .collect(),
            envelope: Envelope::parse(&text(message.payload().expect("a record has a value"))),
            bytes: message.payload_len(),
        }
    }
}

/// Ports that nobody listens on, as far as one can know.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("a bound socket has an address").port())
}

impl Place {
    /// The smallest settings with which one node is a whole cluster. A killed broker may come back only when its
    /// session is over, so sessions are short.
    fn settings(&self, home: &Path, doors: Option<&Doors>) -> String {
        let Self { host, port, login_port, controller, .. } = self;
        let listeners = doors.map(|doors| doors.listeners(host)).unwrap_or_default();
        let protocols = doors.map(|_| Doors::protocols()).unwrap_or_default();
        let more = doors.map(Doors::settings).unwrap_or_default();
        format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://{host}:{port},LOGIN://{host}:{login_port},CONTROLLER://127.0.0.1:{controller}{listeners}
advertised.listeners=PLAINTEXT://{host}:{port},LOGIN://{host}:{login_port}{listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
listener.name.login.sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config=\\
    org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=2000
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
{more}",
            home.join("data").display()
        )
    }
}

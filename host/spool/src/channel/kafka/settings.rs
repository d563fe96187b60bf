//! The settings of the Kafka channel, and how they become the client's.
//!
//! The client's own defaults do not suit an edge device that is often offline; what is set instead has a name here.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::security::{SaslSettings, Security, SecurityProtocol, TlsSettings};
use crate::channel::ChannelError;

/// Most rows of a message by default, as the public library has it.
pub(super) const ROWS_PER_MESSAGE: usize = 97;
/// Most bytes of a message by default; not more than the broker and the topic allow.
pub(super) const MESSAGE_BYTES: usize = 1_000_000;
/// How long the client tries to deliver by default; the outbox tries on, so short only means that faults show.
pub(super) const DELIVERY_TIMEOUT_MS: u64 = 120_000;
/// How long a broker may take to answer by default.
pub(super) const SOCKET_TIMEOUT_MS: u64 = 30_000;
/// How long a broker may take to store a message on all replicas by default.
pub(super) const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// How long messages gather for a batch by default.
pub(super) const LINGER_MS: u64 = 20;
/// Age at which the client asks for the topic's whereabouts again by default.
pub(super) const METADATA_MAX_AGE_MS: u64 = 900_000;
/// Longest wait between attempts to reach a broker by default. A try costs one packet, and a broker that is back should
/// not be left waiting.
pub(super) const RECONNECT_MAX_MS: u64 = 10_000;
/// Most kilobytes in the client's queue by default; twice what is in flight.
pub(super) const BUFFER_KB: usize = 8192;
/// Wait before a failed delivery is tried again by default.
pub(super) const RETRY_MS: u64 = 1000;
/// Wait before a fault is looked at again that only an operator can mend, by default.
pub(super) const RETRY_OPERATOR_MS: u64 = 60_000;

/// Bytes that a record adds to its body in Kafka's own form: key, headers, framing.
const RECORD_OVERHEAD: usize = 512;
/// The client's queue must take the whole window and one record more.
const MIN_BUFFER_KB: usize = 5120;
/// The first wait between attempts to reach a broker, `reconnect.backoff.ms` below.
const RECONNECT_MIN_MS: u64 = 500;
/// Properties that are not a matter of taste.
const FIXED: [(&str, &str); 12] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("queue.buffering.max.messages", "2000"),
    ("batch.size", "262144"),
    ("batch.num.messages", "1000"),
    ("retry.backoff.ms", "500"),
    ("retry.backoff.max.ms", "10000"),
    ("reconnect.backoff.ms", "500"),
    ("socket.connection.setup.timeout.ms", "15000"),
    ("connections.max.idle.ms", "540000"),
    ("topic.metadata.propagation.max.ms", "30000"),
    ("allow.auto.create.topics", "false"),
];

/// How records reach Kafka.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaSettings {
    /// Brokers to begin with, `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// The topic. It must exist.
    pub topic: String,
    /// What the key of a message is.
    pub key: MessageKey,
    /// What this client calls itself.
    pub client_id: String,
    /// Most rows of a message.
    pub rows_per_message: usize,
    /// Most bytes of a message.
    pub message_bytes: usize,
    /// How batches are compressed.
    pub compression: Compression,
    /// How long the client tries to deliver a message.
    pub delivery_timeout_ms: u64,
    /// How long a broker may take to answer.
    pub socket_timeout_ms: u64,
    /// How long a broker may take to store a message on all replicas.
    pub request_timeout_ms: u64,
    /// How long messages gather for a batch.
    pub linger_ms: u64,
    /// Age at which the client asks for the topic's whereabouts again.
    pub metadata_max_age_ms: u64,
    /// Longest wait between attempts to reach a broker.
    pub reconnect_max_ms: u64,
    /// Whether an idle connection is kept from being forgotten by what lies between.
    pub socket_keepalive: bool,
    /// Most kilobytes in the client's queue.
    pub buffer_kb: usize,
    /// How the connection is protected.
    pub security_protocol: SecurityProtocol,
    /// For `ssl` and `sasl_ssl`.
    pub tls: TlsSettings,
    /// For `sasl_plaintext` and `sasl_ssl`.
    pub sasl: Option<SaslSettings>,
    /// Wait before a failed delivery is tried again.
    pub retry_ms: u64,
    /// Wait before a fault is looked at again that only an operator can mend.
    pub retry_operator_ms: u64,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    None,
    /// Deflate.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    #[default]
    Zstd,
}

/// What the key of a message is. Messages with one key stay in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKey {
    /// The deployment's id: a deployment's records are in order, and one reader of a group has them all.
    #[default]
    Deployment,
    /// The outbox's id: all records of a gateway are in order.
    Store,
    /// No key, as the public library has it: records are spread evenly, in no order.
    None,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            bootstrap_servers: String::new(),
            topic: String::new(),
            key: MessageKey::default(),
            client_id: "outpost".to_owned(),
            rows_per_message: ROWS_PER_MESSAGE,
            message_bytes: MESSAGE_BYTES,
            compression: Compression::default(),
            delivery_timeout_ms: DELIVERY_TIMEOUT_MS,
            socket_timeout_ms: SOCKET_TIMEOUT_MS,
            request_timeout_ms: REQUEST_TIMEOUT_MS,
            linger_ms: LINGER_MS,
            metadata_max_age_ms: METADATA_MAX_AGE_MS,
            reconnect_max_ms: RECONNECT_MAX_MS,
            socket_keepalive: true,
            buffer_kb: BUFFER_KB,
            security_protocol: SecurityProtocol::default(),
            tls: TlsSettings::default(),
            sasl: None,
            retry_ms: RETRY_MS,
            retry_operator_ms: RETRY_OPERATOR_MS,
        }
    }
}

impl KafkaSettings {
    /// The defaults, for brokers and a topic.
    pub fn new(bootstrap_servers: impl Into<String>, topic: impl Into<String>) -> Self {
        Self { bootstrap_servers: bootstrap_servers.into(), topic: topic.into(), ..Self::default() }
    }

    /// Most bytes of a message's body: what Kafka adds must fit beside it.
    pub(super) fn body_bytes(&self) -> usize {
        self.message_bytes.saturating_sub(RECORD_OVERHEAD)
    }

    pub(in crate::channel) fn check(&self) -> Result<(), ChannelError> {
        let text = |value: &str| !value.trim().is_empty() && !value.contains('\0');
        let rules = [
            (
                "bootstrap_servers",
                "host:port, or several with commas",
                text(&self.bootstrap_servers),
            ),
            ("topic", "the name of a topic", text(&self.topic)),
            ("reconnect_max_ms", "at least 500", self.reconnect_max_ms >= RECONNECT_MIN_MS),
            ("message_bytes", "at least 1024", self.message_bytes >= 1024),
            ("buffer_kb", "at least 5120", self.buffer_kb >= MIN_BUFFER_KB),
            (
                "delivery_timeout_ms",
                "more than linger_ms",
                self.delivery_timeout_ms > self.linger_ms,
            ),
            ("rows_per_message", "at least 1", self.rows_per_message > 0),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((setting, must_be, _)) => Err(ChannelError::Setting { setting, must_be }),
            None => self.security().check(),
        }
    }

    /// How the connection is protected and who we are.
    pub(super) fn security(&self) -> Security<'_> {
        let Self { security_protocol, tls, sasl, .. } = self;
        Security { protocol: *security_protocol, tls, sasl: sasl.as_ref() }
    }

    /// The client's settings.
    ///
    /// # Errors
    ///
    /// When one of ours is missing or contradicts another, or a secret's file cannot be used.
    pub(super) fn client_config(&self) -> Result<ClientConfig, ChannelError> {
        self.check()?;
        let mut config = ClientConfig::new();
        for (key, value) in FIXED {
            config.set(key, value);
        }
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", &self.client_id)
            .set("message.max.bytes", self.message_bytes.to_string())
            .set("compression.type", self.compression.name())
            .set("message.timeout.ms", self.delivery_timeout_ms.to_string())
            .set("socket.timeout.ms", self.socket_timeout_ms.to_string())
            .set("request.timeout.ms", self.request_timeout_ms.to_string())
            .set("linger.ms", self.linger_ms.to_string())
            .set("metadata.max.age.ms", self.metadata_max_age_ms.to_string())
            .set("reconnect.backoff.max.ms", self.reconnect_max_ms.to_string())
            .set("socket.keepalive.enable", self.socket_keepalive.to_string())
            .set("queue.buffering.max.kbytes", self.buffer_kb.to_string());
        self.security().set(&mut config)?;
        config.set_log_level(RDKafkaLogLevel::Info);
        Ok(config)
    }
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl MessageKey {
    /// Every choice, by its word.
    pub(super) const ALL: [(&'static str, Self); 3] =
        [("deployment", Self::Deployment), ("store", Self::Store), ("none", Self::None)];
}

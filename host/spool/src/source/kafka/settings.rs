//! The settings of a Kafka reader, and how they become the client's.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::super::SourceError;
use super::NAME;
use crate::channel::kafka::Security;
use crate::channel::{ChannelError, SaslSettings, SecurityProtocol, TlsSettings};

/// The group by default: the one of the library's Java agent, so that we go on where it stopped.
const GROUP: &str = "tracking-agent";
/// How long a member may be silent before its partitions go to others, by default.
const SESSION_TIMEOUT_MS: u64 = 45_000;
/// How long messages may be worked on before the member counts as stuck, by default.
const MAX_POLL_INTERVAL_MS: u64 = 300_000;
/// How long a broker may take to answer, by default.
const SOCKET_TIMEOUT_MS: u64 = 30_000;
/// Age at which the client asks for the topic's whereabouts again, by default.
const METADATA_MAX_AGE_MS: u64 = 900_000;
/// Longest wait between attempts to reach a broker, by default.
const RECONNECT_MAX_MS: u64 = 10_000;
/// Most kilobytes of a partition that are fetched ahead, by default.
const BUFFER_KB: usize = 8192;
/// Wait before a failed read is tried again, by default.
const RETRY_MS: u64 = 1000;
/// Wait before a fault is looked at again that only an operator can mend, by default.
const RETRY_OPERATOR_MS: u64 = 60_000;
/// The first wait between attempts to reach a broker, `reconnect.backoff.ms` below.
const RECONNECT_MIN_MS: u64 = 500;
/// Properties that are not a matter of taste: only what was acknowledged is committed, and a typo makes no topic.
/// What is fetched ahead is bounded by its bytes, `buffer_kb`; a partition whose buffer was full is asked again soon, because the
/// client's own second in between would be most of the time of a reader that catches up.
const FIXED: [(&str, &str); 8] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("allow.auto.create.topics", "false"),
    ("enable.partition.eof", "false"),
    ("reconnect.backoff.ms", "500"),
    ("queued.min.messages", "100000"),
    ("fetch.queue.backoff.ms", "10"),
    ("check.crcs", "true"),
];

/// How records are read from Kafka.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaSourceSettings {
    /// Brokers to begin with, `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// The topic. It must exist.
    pub topic: String,
    /// The consumer group: its members share the partitions, and its position is kept by the broker.
    pub group_id: String,
    /// What this client calls itself.
    pub client_id: String,
    /// Where a group begins that has no position.
    pub auto_offset_reset: OffsetReset,
    /// Whether messages of transactions that are open or were given up are read.
    pub isolation: Isolation,
    /// How long a member may be silent before its partitions go to others. Also how long an acknowledgement may take
    /// while nobody keeps the group.
    pub session_timeout_ms: u64,
    /// How long messages may be worked on before the member counts as stuck.
    pub max_poll_interval_ms: u64,
    /// How long a broker may take to answer.
    pub socket_timeout_ms: u64,
    /// Age at which the client asks for the topic's whereabouts again.
    pub metadata_max_age_ms: u64,
    /// Longest wait between attempts to reach a broker.
    pub reconnect_max_ms: u64,
    /// Whether an idle connection is kept from being forgotten by what lies between.
    pub socket_keepalive: bool,
    /// Most kilobytes of a partition that are fetched ahead.
    pub buffer_kb: usize,
    /// How the connection is protected.
    pub security_protocol: SecurityProtocol,
    /// For `ssl` and `sasl_ssl`.
    pub tls: TlsSettings,
    /// For `sasl_plaintext` and `sasl_ssl`.
    pub sasl: Option<SaslSettings>,
    /// Wait before a failed read is tried again.
    pub retry_ms: u64,
    /// Wait before a fault is looked at again that only an operator can mend.
    pub retry_operator_ms: u64,
}

/// Where a group begins that has no position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetReset {
    /// With the oldest message that is there: nothing is lost.
    #[default]
    Earliest,
    /// With what comes from now on.
    Latest,
}

/// Whether messages of transactions that are open or were given up are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// They are not.
    #[default]
    ReadCommitted,
    /// They are.
    ReadUncommitted,
}

impl Default for KafkaSourceSettings {
    fn default() -> Self {
        Self {
            bootstrap_servers: String::new(),
            topic: String::new(),
            group_id: GROUP.to_owned(),
            client_id: "outpost".to_owned(),
            auto_offset_reset: OffsetReset::default(),
            isolation: Isolation::default(),
            session_timeout_ms: SESSION_TIMEOUT_MS,
            max_poll_interval_ms: MAX_POLL_INTERVAL_MS,
            socket_timeout_ms: SOCKET_TIMEOUT_MS,
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

impl KafkaSourceSettings {
    /// The defaults, for a topic.
    pub fn new(bootstrap_servers: impl Into<String>, topic: impl Into<String>) -> Self {
        let (bootstrap_servers, topic) = (bootstrap_servers.into(), topic.into());
        Self { bootstrap_servers, topic, ..Self::default() }
    }

    fn check(&self) -> Result<(), SourceError> {
        let text = |value: &str| !value.trim().is_empty() && !value.contains('\0');
        let rules = [
            (
                "bootstrap_servers",
                "host:port, or several with commas",
                text(&self.bootstrap_servers),
            ),
            ("topic", "the name of a topic", text(&self.topic)),
            ("group_id", "the name of a consumer group", text(&self.group_id)),
            ("reconnect_max_ms", "at least 500", self.reconnect_max_ms >= RECONNECT_MIN_MS),
            ("buffer_kb", "at least 1", self.buffer_kb >= 1),
            (
                "max_poll_interval_ms",
                "at least session_timeout_ms",
                self.max_poll_interval_ms >= self.session_timeout_ms,
            ),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((setting, must_be, _)) => Err(SourceError::setting(NAME, setting, must_be)),
            None => self.security().check().map_err(|error| refused(&error)),
        }
    }

    /// How the connection is protected and who we are.
    pub(super) fn security(&self) -> Security<'_> {
        let Self { security_protocol, tls, sasl, .. } = self;
        Security { protocol: *security_protocol, tls, sasl: sasl.as_ref() }
    }

    /// The client's settings.
    pub(super) fn client_config(&self) -> Result<ClientConfig, SourceError> {
        self.check()?;
        let mut config = ClientConfig::new();
        for (key, value) in FIXED {
            config.set(key, value);
        }
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("group.id", &self.group_id)
            .set("client.id", &self.client_id)
            .set("auto.offset.reset", self.auto_offset_reset.name())
            .set("isolation.level", self.isolation.name())
            .set("session.timeout.ms", self.session_timeout_ms.to_string())
            .set("max.poll.interval.ms", self.max_poll_interval_ms.to_string())
            .set("socket.timeout.ms", self.socket_timeout_ms.to_string())
            .set("metadata.max.age.ms", self.metadata_max_age_ms.to_string())
            .set("reconnect.backoff.max.ms", self.reconnect_max_ms.to_string())
            .set("socket.keepalive.enable", self.socket_keepalive.to_string())
            .set("queued.max.messages.kbytes", self.buffer_kb.to_string());
        self.security().set(&mut config).map_err(|error| refused(&error))?;
        config.set_log_level(RDKafkaLogLevel::Info);
        Ok(config)
    }
}

/// What is wrong with the settings that the writing side has too.
fn refused(error: &ChannelError) -> SourceError {
    match error {
        ChannelError::Setting { setting, must_be } => SourceError::setting(NAME, setting, must_be),
        ChannelError::Secret { setting, source } => {
            let why = std::error::Error::source(source).map(|why| format!(": {why}"));
            let why = format!("a file that holds a secret; {source}{}", why.unwrap_or_default());
            SourceError::setting(NAME, setting, &why)
        }
        other => SourceError::setting(NAME, "security", &format!("one that works; {other}")),
    }
}

impl OffsetReset {
    fn name(self) -> &'static str {
        match self {
            Self::Earliest => "earliest",
            Self::Latest => "latest",
        }
    }
}

impl Isolation {
    fn name(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read_committed",
            Self::ReadUncommitted => "read_uncommitted",
        }
    }
}

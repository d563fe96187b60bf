//! The settings of the RabbitMQ channel.

use std::path::PathBuf;
use std::time::Duration;

use lapin::uri::AMQPUri;

use crate::channel::{ChannelError, Secret};
use crate::rabbitmq::{
    ADDRESS, CONNECTION_TIMEOUT_MS, Files, HEARTBEAT_S, PAIR, Peer, QUEUE, RETRY_MS,
    RETRY_OPERATOR_MS, SECURED, TlsVersion, address, is_queue,
};

/// Most rows of a message by default, as the public library has it.
pub(super) const ROWS_PER_MESSAGE: usize = 5120;
/// Most bytes of a message by default, as the public library has it. A record of the outbox is far smaller.
pub(super) const MESSAGE_BYTES: usize = 50 << 20;
/// Most bytes of a message that a broker takes unless it is told otherwise.
pub(super) const MESSAGE_BYTES_MAX: usize = 128 << 20;
/// Fewest bytes of a message that make sense.
const MESSAGE_BYTES_MIN: usize = 1024;
/// How long the broker may be silent while messages wait for its confirm, by default.
pub(super) const CONFIRM_TIMEOUT_MS: u64 = 30_000;

/// How records reach RabbitMQ.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RabbitMqSettings {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://` for TLS. Without a user it is `guest`; without a virtual
    /// host, with a slash at the end or not, it is `/`.
    pub url: Option<Secret>,
    /// File with the address, instead of `url`.
    pub url_file: Option<PathBuf>,
    /// The queue. It is made when it is missing: durable, without arguments.
    pub queue: String,
    /// Most rows of a message.
    pub rows_per_message: usize,
    /// Most bytes of a message.
    pub message_bytes: usize,
    /// How long the broker may be silent while messages wait for its confirm.
    pub confirm_timeout_ms: u64,
    /// Seconds after which a silent broker is asked for a sign; after twice that it is gone.
    pub heartbeat_s: u16,
    /// How long a connection, or the broker's answer on it, may take.
    pub connection_timeout_ms: u64,
    /// Wait before a failed delivery is tried again.
    pub retry_ms: u64,
    /// Wait before a fault is looked at again that only an operator can mend.
    pub retry_operator_ms: u64,
    /// For `amqps`.
    pub tls: RabbitMqTlsSettings,
}

/// Whom to trust, and who we are. The broker's certificate is always checked. All three files make TLS of an `amqp` URL
/// too, as they do with the public library.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RabbitMqTlsSettings {
    /// File with the certificates to trust, in PEM; without it the system's.
    pub ca_location: Option<String>,
    /// File with our certificate, in PEM; needs the other two.
    pub certificate_location: Option<String>,
    /// File with our key, in PEM and not encrypted; needs the other two.
    pub key_location: Option<String>,
    /// The oldest protocol to speak, `TLSv1.2` or `TLSv1.3`.
    pub version: TlsVersion,
}

impl Default for RabbitMqSettings {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            queue: String::new(),
            rows_per_message: ROWS_PER_MESSAGE,
            message_bytes: MESSAGE_BYTES,
            confirm_timeout_ms: CONFIRM_TIMEOUT_MS,
            heartbeat_s: HEARTBEAT_S,
            connection_timeout_ms: CONNECTION_TIMEOUT_MS,
            retry_ms: RETRY_MS,
            retry_operator_ms: RETRY_OPERATOR_MS,
            tls: RabbitMqTlsSettings::default(),
        }
    }
}

impl RabbitMqSettings {
    /// The defaults, for an address and a queue.
    pub fn new(url: impl Into<String>, queue: impl Into<String>) -> Self {
        Self { url: Some(Secret::new(url)), queue: queue.into(), ..Self::default() }
    }

    /// Names the first setting that cannot be, or contradicts another. Opens no file.
    pub(in crate::channel) fn check(&self) -> Result<(), ChannelError> {
        if self.url.is_some() == self.url_file.is_some() {
            return Err(wrong("url or url_file", "given, one of them"));
        }
        let uri = self.url.as_ref().map(parse).transpose()?;
        let tls = self.files();
        let sizes = MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX;
        let rules = [
            ("queue", QUEUE, is_queue(&self.queue)),
            ("rows_per_message", "at least 1", self.rows_per_message > 0),
            ("message_bytes", "1024 to 134217728", sizes.contains(&self.message_bytes)),
            ("confirm_timeout_ms", "at least 1", self.confirm_timeout_ms > 0),
            ("heartbeat_s", "at least 1", self.heartbeat_s > 0),
            ("connection_timeout_ms", "at least 1", self.connection_timeout_ms > 0),
            ("tls.certificate_location and tls.key_location", PAIR, tls.go_together()),
            ("tls.ca_location", SECURED, uri.is_none_or(|uri| tls.suit(&uri))),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((setting, must_be, _)) => Err(wrong(setting, must_be)),
            None => Ok(()),
        }
    }

    /// The broker, when all settings go together.
    pub(super) fn peer(&self) -> Result<Peer, ChannelError> {
        self.check()?;
        let url = Secret::given(self.url.as_ref(), self.url_file.as_deref());
        let url = url.map_err(|source| ChannelError::Secret { setting: "url_file", source })?;
        let uri = parse(&url.ok_or(wrong("url", ADDRESS))?)?;
        let tls = self.files();
        if !tls.suit(&uri) {
            return Err(wrong("tls.ca_location", SECURED));
        }
        Ok(Peer {
            uri,
            tls,
            heartbeat_s: self.heartbeat_s,
            patience: Duration::from_millis(self.connection_timeout_ms),
        })
    }

    fn files(&self) -> Files {
        Files {
            ca: self.tls.ca_location.clone(),
            certificate: self.tls.certificate_location.clone(),
            key: self.tls.key_location.clone(),
            version: self.tls.version,
        }
    }
}

fn parse(url: &Secret) -> Result<AMQPUri, ChannelError> {
    address(url.reveal()).ok_or(wrong("url", ADDRESS))
}

fn wrong(setting: &'static str, must_be: &'static str) -> ChannelError {
    ChannelError::Setting { setting, must_be }
}

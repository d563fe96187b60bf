//! The settings of the RabbitMQ source. The other names are those of the public agent's configuration.

use std::time::Duration;

use crate::channel::Secret;
use crate::rabbitmq::{
    ADDRESS, CONNECTION_TIMEOUT_MS, Files, HEARTBEAT_S, PAIR, Peer, QUEUE, RETRY_MS,
    RETRY_OPERATOR_MS, SECURED, TlsVersion, address, is_queue,
};
use crate::source::SourceError;

/// Most messages that the broker pushes ahead, by default.
pub(super) const PREFETCH: u16 = 100;

/// Where messages come from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RabbitMqSourceSettings {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://` for TLS. Without a user it is `guest`; without a virtual
    /// host, with a slash at the end or not, it is `/`.
    #[serde(alias = "queueUrl")]
    pub url: Secret,
    /// The queue. It is made when it is missing: durable, without arguments.
    #[serde(alias = "queueName")]
    pub queue: String,
    /// Most messages that the broker pushes ahead. It is also the most that can be out and not acknowledged.
    pub prefetch: u16,
    /// Seconds after which a silent broker is asked for a sign; after twice that it is gone.
    pub heartbeat_s: u16,
    /// How long a connection, or the broker's answer on it, may take.
    pub connection_timeout_ms: u64,
    /// Wait before the next try.
    pub retry_ms: u64,
    /// Wait before a fault is looked at again that only an operator can mend.
    pub retry_operator_ms: u64,
    /// For `amqps`, and for `amqp` when the next two are given: file with the certificates to trust, in PEM; without it the system's.
    #[serde(alias = "caCertificatePath")]
    pub ca_location: Option<String>,
    /// File with our certificate, in PEM; needs the other two.
    #[serde(alias = "certificatePath")]
    pub certificate_location: Option<String>,
    /// File with our key, in PEM and not encrypted; needs the other two.
    #[serde(alias = "keyfilePath")]
    pub key_location: Option<String>,
    /// The oldest protocol to speak, `TLSv1.2` or `TLSv1.3`.
    #[serde(alias = "tlsVersion")]
    pub tls_version: TlsVersion,
}

impl Default for RabbitMqSourceSettings {
    fn default() -> Self {
        Self {
            url: Secret::new(""),
            queue: String::new(),
            prefetch: PREFETCH,
            heartbeat_s: HEARTBEAT_S,
            connection_timeout_ms: CONNECTION_TIMEOUT_MS,
            retry_ms: RETRY_MS,
            retry_operator_ms: RETRY_OPERATOR_MS,
            ca_location: None,
            certificate_location: None,
            key_location: None,
            tls_version: TlsVersion::default(),
        }
    }
}

impl RabbitMqSourceSettings {
    /// The defaults, for an address and a queue.
    pub fn new(url: impl Into<String>, queue: impl Into<String>) -> Self {
        Self { url: Secret::new(url), queue: queue.into(), ..Self::default() }
    }

    /// The broker, when all settings go together.
    pub(super) fn peer(&self) -> Result<Peer, SourceError> {
        let uri = address(self.url.reveal()).ok_or_else(|| wrong("url", ADDRESS))?;
        let tls = Files {
            ca: self.ca_location.clone(),
            certificate: self.certificate_location.clone(),
            key: self.key_location.clone(),
            version: self.tls_version,
        };
        let rules = [
            ("queue", QUEUE, is_queue(&self.queue)),
            ("prefetch", "at least 1", self.prefetch > 0),
            ("heartbeat_s", "at least 1", self.heartbeat_s > 0),
            ("connection_timeout_ms", "at least 1", self.connection_timeout_ms > 0),
            ("certificate_location and key_location", PAIR, tls.go_together()),
            ("ca_location", SECURED, tls.suit(&uri)),
        ];
        if let Some((setting, must_be, _)) = rules.into_iter().find(|(_, _, holds)| !holds) {
            return Err(wrong(setting, must_be));
        }
        Ok(Peer {
            uri,
            tls,
            heartbeat_s: self.heartbeat_s,
            patience: Duration::from_millis(self.connection_timeout_ms),
        })
    }
}

fn wrong(setting: &str, must_be: &str) -> SourceError {
    SourceError::setting("rabbitmq", setting, must_be)
}

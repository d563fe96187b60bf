//! Apache Kafka, through librdkafka.
//!
//! The client's own queue is memory, so nothing rests there: at most a window of the outbox is with it, and whatever
//! it could not deliver comes back from the outbox. One idempotent producer with `acks=all` keeps the order within a
//! deployment, because the key is the deployment id. There is no transaction: it would not reach past the broker.
//!
//! The thread of the channel serves the client's events itself. A record's messages are answered together.
//!
//! | what the client says | then |
//! |---|---|
//! | timed out, purged, connection trouble | retry soon |
//! | no such topic, not permitted, wrong credentials, no token | pause; nobody creates a topic by a typo |
//! | message or batch too large | rejected; the channel finds out which one it was |
//! | fatal | the producer is built anew, retry soon |
//! | anything else | retry soon; never given up |

mod oauth;
mod security;
mod settings;
mod variables;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{
    BaseProducer, BaseRecord, NoCustomPartitioner, Producer, ProducerContext, PurgeConfig,
};
use record::wire::{Limits, Message, RecordId};

pub(crate) use self::oauth::TokenFile;
pub(crate) use self::security::Security;
pub use self::security::{SaslMechanism, SaslSettings, SecurityProtocol, TlsSettings};
pub use self::settings::{Compression, KafkaSettings, MessageKey};
pub(super) use self::variables::{VARIABLES, read};
use super::{Answer, ChannelError, Parcel, Retry, SCHEMA_VERSION, Sink, worse};

/// How long one look for the topic may take; it also bounds how late a stop is noticed.
const METADATA_TIMEOUT: Duration = Duration::from_secs(3);
/// How long purged messages may take to come back before the producer is given up.
const PURGE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the client is listened to after it found no broker. It has much to say then, and a poll without time takes
/// one thing only; the reason comes late in the row.
const WORDS_TIME: Duration = Duration::from_millis(100);
/// How long a message may wait for room in the client's queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the client may take to ask for its first token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(1);

type Client = BaseProducer<Context>;

/// The sink.
pub(super) struct Kafka {
    settings: KafkaSettings,
    rows: NonZeroUsize,
    config: ClientConfig,
    client: Option<Client>,
    said: Arc<Said>,
    /// Messages without a report, and the worst answer so far, by record.
    open: HashMap<u64, Open>,
    answers: Vec<(u64, Answer)>,
}

/// What became of one message of a record.
struct Report {
    seq: u64,
    result: Result<(), Code>,
}

struct Open {
    messages: usize,
    answer: Answer,
}

/// What the client said since it was asked last.
#[derive(Default)]
struct Said {
    reports: Mutex<Vec<Report>>,
    /// Why no broker lets us in, while that is so. The client tells it here, and to whoever waits only that time is up.
    refused: Mutex<Option<String>>,
    /// Whether it has asked for a token.
    asked: AtomicBool,
}

/// Takes the client's reports and what it has to say.
struct Context {
    said: Arc<Said>,
    tokens: Option<TokenFile>,
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(
        &self,
        _config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.said.asked.store(true, Ordering::Relaxed);
        Ok(TokenFile::token_of(self.tokens.as_ref())?)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka client has trouble");
        match error.rdkafka_error_code() {
            Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL) => {
                // Times and counts that follow would make the same trouble look new each time.
                let reason = reason.split(" (after ").next().unwrap_or(reason);
                *self.said.refused.lock() = Some(reason.to_owned());
            }
            Some(Code::BrokerTransportFailure | Code::Resolve) => *self.said.refused.lock() = None,
            _ => {}
        }
    }
}

impl ProducerContext for Context {
    /// The number of the record.
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, seq: Box<u64>) {
        let result = match result {
            Ok(_stored) => Ok(()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(Code::Unknown)),
        };
        self.said.reports.lock().push(Report { seq: *seq, result });
    }
}

impl Kafka {
    pub(super) fn new(settings: KafkaSettings) -> Result<Self, ChannelError> {
        let config = settings.client_config()?;
        let rows = NonZeroUsize::new(settings.rows_per_message).unwrap_or(NonZeroUsize::MIN);
        let mut kafka = Self {
            settings,
            rows,
            config,
            client: None,
            said: Arc::default(),
            open: HashMap::new(),
            answers: Vec::new(),
        };
        let client = kafka.connect();
        kafka.client = Some(client.map_err(|error| ChannelError::Kafka { reason: plain(&error) })?);
        Ok(kafka)
    }

    fn connect(&self) -> Result<Client, KafkaError> {
        use rdkafka::config::FromClientConfigAndContext as _;
        let tokens = self.settings.security().tokens();
        let context = Context { said: Arc::clone(&self.said), tokens };
        BaseProducer::<Context, NoCustomPartitioner>::from_config_and_context(&self.config, context)
    }

    /// Hands one message to the client, which copies it.
    fn produce(&self, client: &Client, parcel: &Parcel<'_>, message: &Message) -> Result<(), Code> {
        let until = Instant::now() + QUEUE_TIMEOUT;
        let mut record = BaseRecord::with_opaque_to(&self.settings.topic, Box::new(parcel.id.seq))
            .payload(&message.body)
            .headers(headers(parcel.id, &message.body));
        let store;
        record.key = match self.settings.key {
            MessageKey::Deployment => Some(parcel.deployment_id),
            MessageKey::Store => {
                store = parcel.id.store.to_string();
                Some(&*store)
            }
            MessageKey::None => None,
        };
        loop {
            let (error, refused) = match client.send(record) {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
            if code != Code::QueueFull || Instant::now() >= until {
                return Err(code);
            }
            client.poll(Duration::from_millis(20));
            record = refused;
        }
    }

    /// Serves the client's events; a client that logs in with a token gets its first one before it is asked for more.
    fn await_token(&self, client: &Client) {
        let until = Instant::now() + TOKEN_TIMEOUT;
        client.poll(Duration::ZERO);
        let waits = self.settings.security().tokens().is_some();
        while waits && !self.said.asked.load(Ordering::Relaxed) && Instant::now() < until {
            client.poll(Duration::from_millis(10));
        }
    }

    /// Turns reports into answers: a record is answered once all its messages are.
    fn take_reports(&mut self) {
        let reports = std::mem::take(&mut *self.said.reports.lock());
        for Report { seq, result } in reports {
            // Reports of records that were forgotten find nothing here.
            let Some(open) = self.open.get_mut(&seq) else { continue };
            open.messages -= 1;
            if let Err(code) = result {
                open.answer = worse(open.answer.clone(), sort(&self.settings, code));
            }
            if open.messages == 0
                && let Some(open) = self.open.remove(&seq)
            {
                self.answers.push((seq, open.answer));
            }
        }
    }
}

impl Sink for Kafka {
    fn limits(&self) -> Limits {
        Limits { rows: self.rows, bytes: self.settings.body_bytes() }
    }

    /// A producer without a fatal error, and a topic that exists.
    fn ready(&mut self) -> Result<(), Retry> {
        if self.client.as_ref().is_some_and(|client| client.client().fatal_error().is_some()) {
            tracing::warn!("Kafka client built anew after a fatal error");
            self.client = None;
        }
        let client = match self.client.take() {
            Some(client) => client,
            None => self.connect().map_err(|error| soon(&self.settings, plain(&error)))?,
        };
        let topic = &self.settings.topic;
        self.await_token(&client);
        let looked = client.client().fetch_metadata(Some(topic), METADATA_TIMEOUT);
        client.poll(if looked.is_ok() { Duration::ZERO } else { WORDS_TIME });
        self.client = Some(client);
        let metadata = looked.map_err(|error| {
            if let Some(why) = self.said.refused.lock().clone() {
                return operator(&self.settings, why);
            }
            match error.rdkafka_error_code() {
                Some(code) => retry(&self.settings, code),
                None => soon(&self.settings, plain(&error)),
            }
        })?;
        *self.said.refused.lock() = None;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found.map(|found| found.error()) {
            Some(Some(error)) => Err(retry(&self.settings, Code::from(error))),
            Some(None) => Ok(()),
            None => Err(retry(&self.settings, Code::UnknownTopicOrPartition)),
        }
    }

    fn send(&mut self, parcel: &Parcel<'_>) {
        let seq = parcel.id.seq;
        let Some(client) = &self.client else {
            let retry = soon(&self.settings, "there is no producer".to_owned());
            return self.answers.push((seq, Answer::Retry(retry)));
        };
        let mut open = Open { messages: 0, answer: Answer::Delivered };
        for message in parcel.messages {
            match self.produce(client, parcel, message) {
                Ok(()) => open.messages += 1,
                Err(code) => {
                    open.answer = sort(&self.settings, code);
                    break;
                }
            }
        }
        if open.messages == 0 {
            self.answers.push((seq, open.answer));
        } else {
            self.open.insert(seq, open);
        }
    }

    fn answers(&mut self, wait: Duration, out: &mut Vec<(u64, Answer)>) {
        if let Some(client) = &self.client {
            let wait = if self.answers.is_empty() { wait } else { Duration::ZERO };
            client.poll(wait);
            // More may be there already; they cost no wait.
            client.poll(Duration::ZERO);
        }
        self.take_reports();
        out.append(&mut self.answers);
    }

    fn forget(&mut self) {
        self.open.clear();
        self.answers.clear();
        if let Some(client) = &self.client
            && client.in_flight_count() > 0
        {
            client.purge(PurgeConfig::default().queue().inflight());
            if client.flush(PURGE_TIMEOUT).is_err() {
                tracing::warn!("Kafka client did not give its messages back and is built anew");
                self.client = None;
            }
        }
        // A late report must not be taken for one of the next attempt.
        self.said.reports.lock().clear();
    }
}

/// The answer to an error.
fn sort(settings: &KafkaSettings, code: Code) -> Answer {
    match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
            Answer::Rejected { why: describe(settings, code) }
        }
        code => Answer::Retry(retry(settings, code)),
    }
}

fn retry(settings: &KafkaSettings, code: Code) -> Retry {
    let why = describe(settings, code);
    if needs_operator(code) { operator(settings, why) } else { soon(settings, why) }
}

/// Whether only an operator can mend what the client says. Writers and readers sort alike.
pub(crate) fn needs_operator(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::InvalidTopic
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::SSL
    )
}

fn operator(settings: &KafkaSettings, why: String) -> Retry {
    Retry { after: Duration::from_millis(settings.retry_operator_ms), why, paused: true }
}

fn soon(settings: &KafkaSettings, why: String) -> Retry {
    Retry { after: Duration::from_millis(settings.retry_ms), why, paused: false }
}

fn describe(settings: &KafkaSettings, code: Code) -> String {
    format!("topic {:?}: {code}", settings.topic)
}

/// What the client has to say goes to our log; its warnings are about things that it mends itself.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => tracing::warn!(facility, message, "Kafka client"),
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
            tracing::info!(facility, message, "Kafka client");
        }
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(facility, message, "Kafka client");
        }
    }
}

/// An error without the values of settings, which may be secrets.
pub(crate) fn plain(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, reason, key, _value) => format!("{key}: {reason}"),
        other => other.to_string(),
    }
}

fn headers(id: RecordId, body: &[u8]) -> OwnedHeaders {
    let name = format!("{}/{}", id.store, id.seq);
    let crc = format!("{:08x}", crc32c::crc32c(body));
    let header = |key, value| Header { key, value: Some(value) };
    OwnedHeaders::new_with_capacity(4)
        .insert(header("id", name.as_str()))
        .insert(header("content-type", "application/json"))
        .insert(header("schema-version", SCHEMA_VERSION))
        .insert(header("crc32c", crc.as_str()))
}

#[cfg(test)]
mod tests;

//! Channels: what carries records from the outbox to the other side.
//!
//! # Operation
//!
//! Each channel is one thread with a reader of its own ([`forward`]) and a sink ([`kafka`], [`rabbitmq`],
//! [`filesystem`], [`direct`], [`stdout`]). It decodes a record, renders it with [`record::wire`], hands it to the sink,
//! and moves its cursor to the last record
//! before which everything is settled. The sinks have the same face and know three answers:
//!
//! | answer | then |
//! |---|---|
//! | delivered | the record is settled |
//! | retry, after a while | everything unsettled is read again from the cursor and sent again, with the same ids |
//! | rejected, with the reason | sent once more alone, because a broker answers for a whole batch; rejected alone, the record is kept in `rejected-<channel>.jsonl`, counted, and settled |
//!
//! # Failure
//!
//! There is no last retry. A fault that only an operator can mend (no such topic, no permission, no room for files)
//! pauses the channel, which says so in its status and looks again from time to time. The outbox holds what waits;
//! without any channel it fills up to its cap and then refuses.

mod direct;
mod filesystem;
mod forward;
pub(crate) mod kafka;
mod rabbitmq;
pub(crate) mod rejected;
mod secret;
mod settings;
mod status;
mod stdout;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use record::wire::{Limits, Message, RecordId};

pub use self::direct::DirectSettings;
pub use self::filesystem::FilesystemSettings;
pub use self::kafka::{
    Compression, KafkaSettings, MessageKey, SaslMechanism, SaslSettings, SecurityProtocol,
    TlsSettings,
};
pub use self::rabbitmq::{RabbitMqSettings, RabbitMqTlsSettings};
pub use self::rejected::{DeadLetter, DeadLetterCount};
pub use self::secret::{Secret, SecretError};
pub use self::settings::{ChannelSettings, NamedChannel, SettingsError};
pub use self::status::ChannelStatus;
pub use self::stdout::StdoutSettings;
pub use crate::rabbitmq::TlsVersion;

use self::status::State;
use crate::outbox::{Outbox, ReadError, Watch};

/// The version of the envelope, for the headers that brokers keep beside it.
const SCHEMA_VERSION: &str = "2";

/// A channel was not started.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The outbox gave no reader.
    #[error("start the channel")]
    Reader(#[from] ReadError),
    /// A setting contradicts another.
    #[error("start the channel: {setting} must be {must_be}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What it must be.
        must_be: &'static str,
    },
    /// Two channels have one name, and so one cursor.
    #[error("start the channels: two have the name {name:?}; give each a `name` of its own")]
    SameName {
        /// The name.
        name: String,
    },
    /// A secret's file cannot be used.
    #[error("start the channel: use {setting}")]
    Secret {
        /// The setting.
        setting: &'static str,
        /// Why not.
        #[source]
        source: SecretError,
    },
    /// The Kafka client refuses its settings.
    #[error("start the Kafka client: {reason}")]
    Kafka {
        /// Which setting, and why; without values.
        reason: String,
    },
    /// The file with the certificates to trust cannot be used.
    #[error("start the channel: use ca_location: {reason}")]
    Certificates {
        /// Why not.
        reason: String,
    },
    /// There is no standard output.
    #[error("start the channel: open standard output")]
    Stdout(#[source] std::io::Error),
    /// The operating system gave no thread.
    #[error("start the channel's thread")]
    Thread(#[source] std::io::Error),
}

/// A running channel. Dropping it stops it at once; what it has not settled stays in the outbox.
#[derive(Debug)]
pub struct Channel {
    state: Arc<State>,
    watch: Watch,
    thread: Option<JoinHandle<()>>,
}

/// What a channel left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Durable records that stay in the outbox for the next run.
    pub waiting_records: u64,
}

/// One record for a sink.
struct Parcel<'a> {
    id: RecordId,
    deployment_id: &'a str,
    messages: &'a [Message],
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Delivered,
    Retry(Retry),
    Rejected { why: String },
}

/// What is to be done again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Retry {
    after: Duration,
    why: String,
    /// Somebody else must do something first; the status says so.
    paused: bool,
}

/// The other side. All calls come from the channel's thread.
trait Sink: Send {
    /// How large a message may be.
    fn limits(&self) -> Limits;
    /// Makes sure that the other side can be reached. Called before the first record and after every retry.
    fn ready(&mut self) -> Result<(), Retry>;
    /// Takes a record. Its one answer comes from [`Sink::answers`].
    fn send(&mut self, parcel: &Parcel<'_>);
    /// Adds the answers that are there, by record number, and waits `wait` at most for the first.
    fn answers(&mut self, wait: Duration, out: &mut Vec<(u64, Answer)>);
    /// Forgets all records without an answer; none is given for them any more.
    fn forget(&mut self);
}

/// Of two answers to messages of one record, the one that decides: rejected, then a pause, then a retry.
fn worse(one: Answer, other: Answer) -> Answer {
    let weight = |answer: &Answer| match answer {
        Answer::Delivered => 0,
        Answer::Retry(Retry { paused: false, .. }) => 1,
        Answer::Retry(_) => 2,
        Answer::Rejected { .. } => 3,
    };
    if weight(&other) > weight(&one) { other } else { one }
}

impl Channel {
    /// Starts a channel on the outbox.
    ///
    /// # Errors
    ///
    /// When a setting is wrong or the outbox has a channel of this name already. A broker that cannot be reached is no
    /// error: the records wait.
    pub fn spawn(outbox: &Outbox, channel: impl Into<NamedChannel>) -> Result<Self, ChannelError> {
        let channel = channel.into();
        let name = channel.name().to_owned();
        let sink: Box<dyn Sink> = match channel.settings {
            ChannelSettings::Kafka(settings) => Box::new(kafka::Kafka::new(settings)?),
            ChannelSettings::Filesystem(settings) => {
                Box::new(filesystem::Filesystem::new(settings)?)
            }
            ChannelSettings::Stdout(settings) => Box::new(stdout::Stdout::new(settings)?),
            ChannelSettings::Direct(settings) => Box::new(direct::Direct::new(settings)?),
            ChannelSettings::RabbitMq(settings) => Box::new(rabbitmq::RabbitMq::new(settings)?),
        };
        Self::start(outbox, &name, sink)
    }

    fn start(outbox: &Outbox, name: &str, sink: Box<dyn Sink>) -> Result<Self, ChannelError> {
        let reader = outbox.reader(name)?;
        let watch = reader.watch();
        let state = Arc::new(State::new(name));
        let rejected =
            rejected::DeadLetters::new(outbox.dir(), &state.name, outbox.dead_letter_bytes());
        let forwarder = forward::Forwarder::new(reader, sink, Arc::clone(&state), rejected);
        let thread = std::thread::Builder::new()
            .name(format!("channel-{name}"))
            .spawn(move || forwarder.run())
            .map_err(ChannelError::Thread)?;
        Ok(Self { state, watch, thread: Some(thread) })
    }

    /// A picture of the channel. Cheap enough for every scrape.
    pub fn status(&self) -> ChannelStatus {
        self.state.picture(self.watch.waiting_records())
    }

    /// Sends what is durable, for `grace` at most, and stops. Close the outbox first, so that there is an end to it.
    pub fn stop(mut self, grace: Duration) -> Drained {
        self.halt(Instant::now() + grace);
        Drained { waiting_records: self.watch.waiting_records() }
    }

    /// Stops several channels within one `grace`; the answers are in their order.
    pub fn stop_all(mut channels: Vec<Self>, grace: Duration) -> Vec<Drained> {
        let end = Instant::now() + grace;
        channels.iter().for_each(|channel| channel.begin_stop(end));
        channels.iter_mut().for_each(|channel| channel.halt(end));
        let left = channels.iter().map(|channel| channel.watch.waiting_records());
        left.map(|waiting_records| Drained { waiting_records }).collect()
    }

    fn begin_stop(&self, end: Instant) {
        self.state.stop_at(end);
        self.watch.wake_readers();
    }

    fn halt(&mut self, end: Instant) {
        self.begin_stop(end);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(channel = self.state.name, "Channel panicked");
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.halt(Instant::now());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

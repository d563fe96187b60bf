//! The reading side of the channels: what a monitoring agent takes messages from.
//!
//! Every source has the same face. A message is received, its bytes are somebody's to use, and it is acknowledged when
//! that somebody is done with it. What was received and not acknowledged comes again: after [`Source::rewind`], after
//! an error, in the next run. So each message comes at least once, and its header's id tells a repeat.

mod filesystem;
mod kafka;
mod ledger;
mod rabbitmq;

use std::time::Duration;

pub use self::filesystem::{FilesystemSource, FilesystemSourceSettings};
pub use self::kafka::{Isolation, KafkaSource, KafkaSourceSettings, OffsetReset};
pub use self::rabbitmq::{RabbitMqSource, RabbitMqSourceSettings};

/// Most bytes that one call gives out, once it has given out a message.
const RECEIVE_BYTES: usize = 16 << 20;

/// A message that a source gave out, until it is acknowledged. Counted from 0 by each source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The JSON envelope.
    Json,
    /// The binary form that spool files may have.
    Binary,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its name for [`Source::acknowledge`].
    pub token: Token,
    /// How `body` is written.
    pub form: Form,
    /// The bytes, as the other side left them; nothing about them was checked.
    pub body: Vec<u8>,
}

/// The other side did not give or take something.
#[derive(Debug, thiserror::Error)]
#[error("{action} {source_name}: {reason}")]
pub struct SourceError {
    /// What was tried, as in `read from`.
    pub action: &'static str,
    /// The source: `kafka`, `rabbitmq` or `filesystem`.
    pub source_name: &'static str,
    /// Why not, without secrets.
    pub reason: String,
    /// How long to wait before the next try.
    pub retry_after: Duration,
    /// Only an operator can mend it.
    pub needs_operator: bool,
}

impl SourceError {
    /// A setting that cannot be.
    fn setting(source_name: &'static str, setting: &str, must_be: &str) -> Self {
        Self {
            action: "start to read from",
            source_name,
            reason: format!("{setting} must be {must_be}"),
            retry_after: Duration::ZERO,
            needs_operator: true,
        }
    }
}

/// One channel, read.
pub trait Source: Send {
    /// `kafka`, `rabbitmq` or `filesystem`.
    fn name(&self) -> &'static str;
    /// Up to `messages` messages, oldest first. Waits `wait` at most for the first, and may give none.
    ///
    /// # Errors
    ///
    /// When the other side cannot be reached or read. It may be asked again, and gives again what was not acknowledged.
    fn receive(&mut self, messages: usize, wait: Duration) -> Result<Vec<Received>, SourceError>;
    /// Says that these messages are done with, in any order. A source whose position is one number moves it to the last
    /// message before which all are done with.
    ///
    /// # Errors
    ///
    /// When the other side did not note it: the messages may come again.
    fn acknowledge(&mut self, tokens: &[Token]) -> Result<(), SourceError>;
    /// Gives back everything that was received and not acknowledged: it comes again, with new tokens.
    ///
    /// # Errors
    ///
    /// When the other side cannot be reached; the messages come again all the same, later.
    fn rewind(&mut self) -> Result<(), SourceError>;
}

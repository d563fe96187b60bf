//! The spool: what leaves the gateway leaves through here.
//!
//! * [`Outbox`] is the crash-safe queue on the local disk. A record lives here first and longest; nothing else is the
//!   place where a record is kept.
//! * A [`Channel`] is a reader with a cursor. It takes what the outbox holds durably, renders it in the wire form
//!   and sends it to Kafka, RabbitMQ or spool files, and moves its cursor when the other side has it.
//!
//! The promise: at least once, in order for each outbox and channel, duplicates recognisable by the record's id,
//! every loss counted and said. This is the only room that knows a broker's client library.

pub mod channel;
mod outbox;
mod rabbitmq;
pub mod repair;
pub mod rest;
pub mod source;

pub use channel::{
    Channel, ChannelError, ChannelSettings, ChannelStatus, DeadLetter, DeadLetterCount, Drained,
    NamedChannel, SettingsError,
};
pub use outbox::{
    Archive, ArchiveError, ArchiveStatus, ArchivedRecord, Backlog, Batch, Class, CloseError,
    CursorStatus, Entry, Finding, Gap, GapReason, Losses, OpenError, Outbox, OutboxSettings,
    OutboxState, OutboxStatus, ReadError, Reader, Receipt, Refusals, Refused, Report,
    SYNC_TIME_BOUNDS, Stopped, WhenFull,
};

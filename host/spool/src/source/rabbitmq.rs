//! A RabbitMQ queue, read.
//!
//! # Operation
//!
//! The broker pushes up to `prefetch` messages ahead; each is acknowledged by itself, in any order. Acknowledging ends
//! with a question to the broker on the same channel, and the broker answers in turn, so that an `Ok` means that it
//! noted every one.
//!
//! # Failure
//!
//! A connection that breaks takes its tokens with it: the broker gives their messages out again, so acknowledging them
//! afterwards is no error and has no effect. A queue that is deleted ends the connection too, and is declared again by
//! the next [`Source::receive`].

mod settings;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{DeliveryTag, FieldTable, ShortString};
use lapin::{Consumer, Error, ErrorKind};

pub use self::settings::RabbitMqSourceSettings;
use super::{Form, RECEIVE_BYTES, Received, Source, SourceError, Token};
use crate::rabbitmq::{Kind, Link, Peer, Trouble};

/// The tag that stands for every message that is out.
const ALL: DeliveryTag = 0;

/// The source.
pub struct RabbitMqSource {
    settings: RabbitMqSourceSettings,
    peer: Peer,
    queue: ShortString,
    reading: Option<Reading>,
    /// The broker's name for what is out, by ours; of this connection only.
    out: BTreeMap<Token, DeliveryTag>,
    next: u64,
}

struct Reading {
    link: Link,
    consumer: Consumer,
}

impl RabbitMqSource {
    /// Checks the settings. The connection is made when it is needed.
    ///
    /// # Errors
    ///
    /// Names the setting that cannot be.
    pub fn new(settings: RabbitMqSourceSettings) -> Result<Self, SourceError> {
        let peer = settings.peer()?;
        let queue = settings.queue.as_str().into();
        Ok(Self { settings, peer, queue, reading: None, out: BTreeMap::new(), next: 0 })
    }

    /// Takes the open connection out, or opens one.
    fn take_reading(&mut self) -> Result<Reading, Trouble> {
        if let Some(reading) = self.reading.take().filter(|reading| reading.link.is_open()) {
            return Ok(reading);
        }
        self.out.clear();
        let link = self.peer.open()?;
        link.declare(&self.queue)?;
        link.ask(link.channel().basic_qos(self.settings.prefetch, BasicQosOptions::default()))?;
        let consumer = self.consume(&link)?;
        Ok(Reading { link, consumer })
    }

    fn consume(&self, link: &Link) -> Result<Consumer, Trouble> {
        // The broker chooses the consumer's name.
        let tag = ShortString::default();
        let options = BasicConsumeOptions::default();
        let asked =
            link.channel().basic_consume(self.queue.clone(), tag, options, FieldTable::default());
        link.ask(asked).map_err(|trouble| trouble.at(&format!("queue {:?}", self.queue.as_str())))
    }

    fn received(&mut self, delivery: Delivery) -> Received {
        let token = Token(self.next);
        self.next += 1;
        self.out.insert(token, delivery.delivery_tag);
        Received { token, form: Form::Json, body: delivery.data }
    }

    fn read(&mut self, messages: usize, wait: Duration) -> Result<Vec<Received>, Trouble> {
        let mut reading = self.take_reading()?;
        let mut found = Vec::new();
        if messages > 0 {
            let consumer = &mut reading.consumer;
            let first = std::future::poll_fn(|task| Pin::new(&mut *consumer).poll_next(task));
            let mut bytes = 0;
            let mut next = reading.link.wait(wait, first);
            while let Some(item) = next {
                let delivery = item.unwrap_or_else(|| Err(cancelled())).map_err(|error| {
                    self.out.clear();
                    Trouble::of(&error)
                })?;
                bytes += delivery.data.len();
                found.push(self.received(delivery));
                let more = found.len() < messages && bytes < RECEIVE_BYTES;
                next = if more { ready(&mut reading.consumer) } else { None };
            }
        }
        self.reading = Some(reading);
        Ok(found)
    }

    fn done(&mut self, tokens: &[Token]) -> Result<(), Trouble> {
        let tags: Vec<_> = tokens.iter().filter_map(|token| self.out.remove(token)).collect();
        let Some(reading) = self.reading.take().filter(|reading| reading.link.is_open()) else {
            self.out.clear();
            return Ok(());
        };
        if !tags.is_empty() {
            let channel = reading.link.channel();
            for tag in tags {
                reading.link.ask(channel.basic_ack(tag, BasicAckOptions::default()))?;
            }
            reading.link.declare(&self.queue)?;
        }
        self.reading = Some(reading);
        Ok(())
    }

    fn give_back(&mut self) -> Result<(), Trouble> {
        self.out.clear();
        let Some(Reading { link, consumer }) = self.reading.take() else { return Ok(()) };
        if !link.is_open() {
            return Ok(());
        }
        // First no more messages, then all of them back, those too that lie ready here: so the order is kept.
        link.ask(link.channel().basic_cancel(consumer.tag(), BasicCancelOptions::default()))?;
        drop(consumer);
        let options = BasicNackOptions { multiple: true, requeue: true };
        link.ask(link.channel().basic_nack(ALL, options))?;
        let consumer = self.consume(&link)?;
        self.reading = Some(Reading { link, consumer });
        Ok(())
    }

    fn error(&self, action: &'static str, trouble: Trouble) -> SourceError {
        let needs_operator = trouble.kind == Kind::Operator;
        let (soon, later) = (self.settings.retry_ms, self.settings.retry_operator_ms);
        SourceError {
            action,
            source_name: "rabbitmq",
            reason: trouble.why,
            retry_after: Duration::from_millis(if needs_operator { later } else { soon }),
            needs_operator,
        }
    }
}

impl Source for RabbitMqSource {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    /// Besides `wait`, a new connection takes up to `connection_timeout_ms`.
    fn receive(&mut self, messages: usize, wait: Duration) -> Result<Vec<Received>, SourceError> {
        self.read(messages, wait).map_err(|trouble| self.error("read from", trouble))
    }

    fn acknowledge(&mut self, tokens: &[Token]) -> Result<(), SourceError> {
        self.done(tokens).map_err(|trouble| {
            self.out.clear();
            self.error("acknowledge to", trouble)
        })
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.give_back().map_err(|trouble| self.error("give back to", trouble))
    }
}

impl Drop for RabbitMqSource {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.link.leave();
        }
    }
}

impl std::fmt::Debug for RabbitMqSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitMqSource").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What the consumer holds already.
fn ready(consumer: &mut Consumer) -> Option<Option<lapin::Result<Delivery>>> {
    match Pin::new(consumer).poll_next(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(item) => Some(item),
        Poll::Pending => None,
    }
}

/// The broker ends a consumer whose queue is deleted.
fn cancelled() -> Error {
    ErrorKind::IOError(std::sync::Arc::new(std::io::Error::other("the queue was deleted"))).into()
}

#[cfg(test)]
mod tests;

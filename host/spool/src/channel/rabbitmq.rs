//! RabbitMQ, through lapin.
//!
//! A message goes to the default exchange with the queue's name as routing key, durable, and is delivered when the
//! broker confirms it. The queue is declared as the public library declares it, so either may come first. Nothing
//! rests in the client: what is not confirmed comes back from the outbox.
//!
//! | what the broker says | then |
//! |---|---|
//! | confirmed | delivered |
//! | returned, because the queue is gone | everything unanswered is sent again, after the queue is declared anew |
//! | refused to store it | retry soon |
//! | nothing for `confirm_timeout_ms`, or the connection breaks | everything unanswered is unknown: retry soon |
//! | no memory or disk left | pause, look again later |
//! | wrong log-in or virtual host, a queue of another kind, bad certificate | pause |
//! | message larger than the broker's own limit | rejected; the channel finds out which one it was |
//!
//! A returned message comes before the confirm of its number, but the client hands it to whichever confirm comes next,
//! and one confirm may stand for many numbers. So a return is taken as a word about the queue, not about a record.

mod settings;
mod variables;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation};
use record::wire::{Limits, Message, RecordId};

pub use self::settings::{RabbitMqSettings, RabbitMqTlsSettings};
pub(super) use self::variables::{VARIABLES, read};
use super::{Answer, ChannelError, Parcel, Retry, SCHEMA_VERSION, Sink, worse};
use crate::rabbitmq::{Kind, Link, Peer, Trouble};

/// The protocol's number for a message that survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// The sink.
pub(super) struct RabbitMq {
    settings: RabbitMqSettings,
    rows: NonZeroUsize,
    peer: Peer,
    queue: ShortString,
    link: Option<Link>,
    /// Messages without an outcome.
    flights: Vec<Flight>,
    outcomes: Vec<(u64, Outcome)>,
    /// Messages without an outcome, and the worst answer so far, by record.
    open: HashMap<u64, Open>,
    answers: Vec<(u64, Answer)>,
    /// When the broker last confirmed something, or got the first message after a rest.
    heard: Instant,
}

type Outcome = lapin::Result<Confirmation>;

/// A message on its way.
struct Flight {
    seq: u64,
    confirm: Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

struct Open {
    messages: usize,
    answer: Answer,
}

impl RabbitMq {
    pub(super) fn new(settings: RabbitMqSettings) -> Result<Self, ChannelError> {
        let peer = settings.peer()?;
        let rows = NonZeroUsize::new(settings.rows_per_message);
        let rows = rows
            .ok_or(ChannelError::Setting { setting: "rows_per_message", must_be: "at least 1" })?;
        let queue = settings.queue.as_str().into();
        Ok(Self {
            settings,
            rows,
            peer,
            queue,
            link: None,
            flights: Vec::new(),
            outcomes: Vec::new(),
            open: HashMap::new(),
            answers: Vec::new(),
            heard: Instant::now(),
        })
    }

    fn open_link(&self) -> Result<Link, Trouble> {
        let link = self.peer.open()?;
        link.ask(link.channel().confirm_select(ConfirmSelectOptions::default()))?;
        Ok(link)
    }

    /// Collects outcomes, and waits `wait` at most for the first.
    fn listen(&mut self, wait: Duration) {
        let Some(link) = &self.link else { return };
        if self.flights.is_empty() {
            return;
        }
        let wait = if self.outcomes.is_empty() { wait } else { Duration::ZERO };
        let (flights, outcomes) = (&mut self.flights, &mut self.outcomes);
        let first = std::future::poll_fn(|task| {
            let before = outcomes.len();
            look(flights, task, outcomes);
            if outcomes.len() == before {
                return Poll::Pending;
            }
            // A return that belongs to what was seen is there by now, but maybe with a confirm that was passed already.
            look(flights, task, outcomes);
            Poll::Ready(())
        });
        if link.wait(wait, first).is_some() {
            self.heard = Instant::now();
        }
    }

    /// Turns outcomes into answers: a record is answered once all its messages are.
    fn judge(&mut self) {
        if let Some(why) = self.outcomes.iter().find_map(|(_, outcome)| returned(outcome)) {
            self.outcomes.clear();
            return self.give_up(&self.soon(why));
        }
        for (seq, outcome) in std::mem::take(&mut self.outcomes) {
            let answer = self.sort(outcome);
            let Some(open) = self.open.get_mut(&seq) else { continue };
            open.messages -= 1;
            open.answer = worse(std::mem::replace(&mut open.answer, Answer::Delivered), answer);
            if open.messages == 0
                && let Some(open) = self.open.remove(&seq)
            {
                self.answers.push((seq, open.answer));
            }
        }
    }

    /// Gives up waiting when the broker has been silent for too long.
    fn watch(&mut self) {
        let limit = Duration::from_millis(self.settings.confirm_timeout_ms);
        if self.flights.is_empty() || self.heard.elapsed() < limit {
            return;
        }
        let retry = if self.link.as_ref().is_some_and(Link::is_blocked) {
            let why = "the broker takes no messages: its memory or disk is short".to_owned();
            self.retry(&Trouble::operator(why))
        } else {
            self.retry(&Trouble::silent(limit))
        };
        self.give_up(&retry);
    }

    /// Answers everything that has no answer yet, and leaves the connection: nothing more is known of it.
    fn give_up(&mut self, retry: &Retry) {
        let open = self.open.drain();
        self.answers.extend(open.map(|(seq, _)| (seq, Answer::Retry(retry.clone()))));
        self.flights.clear();
        self.link = None;
    }

    fn sort(&self, outcome: Outcome) -> Answer {
        match outcome {
            Ok(Confirmation::Ack(None)) => Answer::Delivered,
            Ok(_refused) => {
                Answer::Retry(self.soon(format!("queue {:?}: not stored", self.settings.queue)))
            }
            Err(error) => {
                let trouble = Trouble::of(&error);
                match trouble.kind {
                    Kind::TooLarge => Answer::Rejected { why: trouble.why },
                    Kind::Passing | Kind::Operator | Kind::Refused => {
                        Answer::Retry(self.retry(&trouble))
                    }
                }
            }
        }
    }

    fn retry(&self, trouble: &Trouble) -> Retry {
        if trouble.kind == Kind::Operator {
            let after = Duration::from_millis(self.settings.retry_operator_ms);
            return Retry { after, why: trouble.why.clone(), paused: true };
        }
        self.soon(trouble.why.clone())
    }

    fn soon(&self, why: String) -> Retry {
        Retry { after: Duration::from_millis(self.settings.retry_ms), why, paused: false }
    }
}

impl Sink for RabbitMq {
    fn limits(&self) -> Limits {
        Limits { rows: self.rows, bytes: self.settings.message_bytes }
    }

    /// A connection, and the queue as it should be.
    fn ready(&mut self) -> Result<(), Retry> {
        let link = match self.link.take().filter(Link::is_open) {
            Some(link) => link,
            None => self.open_link().map_err(|trouble| self.retry(&trouble))?,
        };
        link.declare(&self.queue).map_err(|trouble| self.retry(&trouble))?;
        self.link = Some(link);
        Ok(())
    }

    fn send(&mut self, parcel: &Parcel<'_>) {
        let seq = parcel.id.seq;
        let Some(link) = &self.link else {
            let retry = self.soon("there is no connection".to_owned());
            return self.answers.push((seq, Answer::Retry(retry)));
        };
        if self.flights.is_empty() {
            self.heard = Instant::now();
        }
        for message in parcel.messages {
            let mut flight =
                Flight { seq, confirm: publish(link, &self.queue, parcel.id, message) };
            // The first look hands the message to the client, in its place; it does not wait for the socket.
            match flight.confirm.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => self.outcomes.push((seq, outcome)),
                Poll::Pending => self.flights.push(flight),
            }
        }
        let messages = parcel.messages.len();
        self.open.insert(seq, Open { messages, answer: Answer::Delivered });
    }

    fn answers(&mut self, wait: Duration, out: &mut Vec<(u64, Answer)>) {
        self.listen(wait);
        self.judge();
        self.watch();
        out.append(&mut self.answers);
    }

    fn forget(&mut self) {
        self.open.clear();
        self.answers.clear();
        self.outcomes.clear();
        if !self.flights.is_empty() {
            // A late confirm must not be taken for one of the next attempt.
            self.flights.clear();
            self.link = None;
        }
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.leave();
        }
    }
}

/// Takes the outcomes that are there.
fn look(flights: &mut Vec<Flight>, task: &mut Context<'_>, outcomes: &mut Vec<(u64, Outcome)>) {
    flights.retain_mut(|flight| match flight.confirm.as_mut().poll(task) {
        Poll::Ready(outcome) => {
            outcomes.push((flight.seq, outcome));
            false
        }
        Poll::Pending => true,
    });
}

/// Why a message was returned, if this outcome brings one.
fn returned(outcome: &Outcome) -> Option<String> {
    let (Ok(Confirmation::Ack(message)) | Ok(Confirmation::Nack(message))) = outcome else {
        return None;
    };
    let message = message.as_ref()?;
    Some(format!("queue {:?}: {}", message.routing_key.as_str(), message.reply_text))
}

fn publish(
    link: &Link,
    queue: &ShortString,
    id: RecordId,
    message: &Message,
) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
    let (channel, queue) = (link.channel().clone(), queue.clone());
    let (properties, body) = (properties(id, message), message.body.clone());
    Box::pin(async move {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let default_exchange = ShortString::default();
        channel.basic_publish(default_exchange, queue, options, &body, properties).await?.await
    })
}

/// What a message carries beside its body; readers of the body alone miss nothing.
fn properties(id: RecordId, message: &Message) -> BasicProperties {
    let crc = format!("{:08x}", crc32c::crc32c(&message.body));
    let mut headers = FieldTable::default();
    headers.insert("schema-version".into(), AMQPValue::LongString(SCHEMA_VERSION.into()));
    headers.insert("crc32c".into(), AMQPValue::LongString(crc.into()));
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(format!("{}/{}", id.store, id.seq).into())
        .with_app_id("outpost".into())
        .with_headers(headers)
}

#[cfg(test)]
mod tests;

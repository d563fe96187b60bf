//! A reader: one thread a channel, from messages to items of lanes, and back from what is done with to acknowledgements.
//!
//! A message that cannot be used becomes a dead letter with its reason and is acknowledged; it stops nothing. A channel
//! that cannot be read is tried again for as long as the agent runs, and holds up no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use record::wire::rest::{Carried, CarryLimits, Kind, carry, carry_binary};
use serde_json::json;
use spool::source::{Form, Received, Source, SourceError, Token};
use xxhash_rust::xxh3::xxh3_128;

use crate::config::{ChannelConfig, ChannelKind, Config};
use crate::desk::Desk;
use crate::diary::Diary;
use crate::lane::LaneKey;
use crate::letters::{Letter, Letters};
use crate::message::{Done, Item, Message, Origin};
use crate::post::entries_of;
use crate::repeats::Seen;
use crate::stats::{self, Stats};

/// How long a channel is listened to before acknowledgements have their turn.
const LISTEN: Duration = Duration::from_millis(100);
/// How often what is done with is acknowledged.
const ACKNOWLEDGE: Duration = Duration::from_millis(250);
/// So many are acknowledged before their time.
const ACKNOWLEDGE_AT: usize = 10_000;
/// How often somebody who waits looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);
/// So long a topic must have given nothing for a single run to be over: the group needs some seconds to come together.
const QUIET_TOPIC: Duration = Duration::from_secs(12);
/// So long another channel must.
const QUIET: Duration = Duration::from_secs(1);

/// A reader, and what it has in common with others.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) channel: ChannelConfig,
    pub(crate) limits: CarryLimits,
    pub(crate) config: Config,
    pub(crate) desk: Arc<Desk>,
    pub(crate) letters: Arc<Letters>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) diary: Arc<Diary>,
    pub(crate) signals: Arc<Signals>,
}

/// What a reader is told and tells.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Read no more; go on acknowledging.
    pub(crate) stop: AtomicBool,
    /// Acknowledge what is done with and leave.
    pub(crate) leave: AtomicBool,
    /// Nothing came for long.
    pub(crate) quiet: AtomicBool,
}

/// The items of a lane.
type Sorted = Vec<(Arc<LaneKey>, Vec<Item>)>;

impl Reader {
    /// Reads until it is told to leave.
    pub(crate) fn run(&self) {
        let done = Done::default();
        let Some(mut source) = self.open() else { return };
        let mut healthy = None;
        let mut acknowledged = Instant::now();
        let mut heard = Instant::now();
        loop {
            let leave = self.signals.leave.load(Ordering::Acquire);
            let many = done.lock().len();
            if many >= ACKNOWLEDGE_AT || acknowledged.elapsed() >= ACKNOWLEDGE || leave {
                self.acknowledge(source.as_mut(), &done);
                acknowledged = Instant::now();
            }
            if leave {
                return;
            }
            if self.is_stopped() {
                std::thread::sleep(LOOK);
                continue;
            }
            match source.receive(self.config.max_records_task, LISTEN) {
                Ok(received) => {
                    // A topic whose broker does not answer says so in time; until then no news are good news.
                    self.note_health(&mut healthy, None);
                    if received.is_empty() {
                        self.note_quiet(heard);
                    } else {
                        heard = Instant::now();
                        self.signals.quiet.store(false, Ordering::Release);
                        self.take(received, &done);
                    }
                }
                Err(error) => {
                    self.note_health(&mut healthy, Some(&error));
                    self.pause(error.retry_after);
                }
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.signals.stop.load(Ordering::Acquire)
    }

    /// Opens the channel, as often as it takes. None when it is stopped before.
    fn open(&self) -> Option<Box<dyn Source>> {
        let mut healthy = None;
        loop {
            match self.channel.open() {
                Ok(source) => return Some(source),
                Err(error) => {
                    self.note_health(&mut healthy, Some(&error));
                    self.pause(error.retry_after.max(Duration::from_secs(1)));
                }
            }
            if self.is_stopped() || self.signals.leave.load(Ordering::Acquire) {
                return None;
            }
        }
    }

    fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while Instant::now() < until && !self.is_stopped() {
            std::thread::sleep(LOOK);
        }
    }

    fn note_quiet(&self, heard: Instant) {
        let topic = matches!(self.channel.kind, ChannelKind::Kafka(_));
        let long = heard.elapsed() >= if topic { QUIET_TOPIC } else { QUIET };
        self.signals.quiet.store(long, Ordering::Release);
        self.stats.channel(&self.channel.name, |channel| channel.empty = true);
    }

    /// Notes whether the channel can be read, and tells the server when that changed.
    fn note_health(&self, healthy: &mut Option<bool>, error: Option<&SourceError>) {
        let now = error.is_none();
        if *healthy == Some(now) {
            return;
        }
        *healthy = Some(now);
        let name = &self.channel.name;
        let trouble = error.map(ToString::to_string);
        match &trouble {
            None => self.diary.info(format!("Channel {name} is read")),
            Some(why) => {
                self.diary.error(format!("Channel {name} has trouble, tried again: {why}"))
            }
        }
        let why = trouble.clone();
        self.stats.channel(name, |channel| channel.trouble = why);
        let Some(environment) = &self.config.prediction_environment_id else { return };
        if self.config.dry_run {
            return;
        }
        let colour = if now { "Green" } else { "Red" };
        let message = match &trouble {
            None => format!("Channel {name} is read"),
            Some(why) => format!("Channel {name} has trouble: {why}"),
        };
        let event = json!({
            "timestamp": jiff::Timestamp::now().to_string(),
            "message": message,
            "predictionEnvironmentId": environment,
            "eventType": format!("spoolerChannel{colour}"),
            "spoolerChannelData": {"name": name, "type": self.channel.event_type()},
        });
        let item =
            Item { json: event.to_string().into_bytes(), rows: 1, entries: 1, origin: Origin::Own };
        let key = LaneKey { deployment: String::new(), kind: Kind::Event };
        // An event of ours is not worth stopping a channel for.
        self.desk.push(&Arc::new(key), vec![item], || true);
    }

    fn acknowledge(&self, source: &mut dyn Source, done: &Done) {
        let tokens = std::mem::take(&mut *done.lock());
        if tokens.is_empty() {
            return;
        }
        match source.acknowledge(&tokens) {
            Ok(()) => self.stats.channel(&self.channel.name, |channel| {
                channel.acknowledged += tokens.len() as u64;
            }),
            // They come again, and are known.
            Err(error) => self.diary.warn(format!("Channel {}: {error}", self.channel.name)),
        }
    }

    /// Sorts messages into lanes. Those that are not in when the agent stops stay unacknowledged.
    fn take(&self, received: Vec<Received>, done: &Done) {
        let mut sorted: Sorted = Vec::new();
        let mut seen = stats::Channel::default();
        for message in received {
            let key = (message.form == Form::Json).then(|| xxh3_128(&message.body));
            let read = match message.form {
                Form::Json => carry(&message.body, &self.limits),
                Form::Binary => carry_binary(&message.body, &self.limits),
            };
            match read {
                Ok(carried) => self.sort(carried, message.token, key, done, &mut sorted, &mut seen),
                Err(error) => {
                    seen.invalid += 1;
                    self.reject(&message, &chain(&error), done);
                }
            }
        }
        self.stats.channel(&self.channel.name, |channel| {
            for (name, count) in seen.types {
                *channel.types.entry(name).or_default() += count;
            }
            channel.invalid += seen.invalid;
            channel.repeats += seen.repeats;
            channel.features_left_out += seen.features_left_out;
            channel.empty = false;
        });
        if self.config.dry_run {
            return;
        }
        for (key, items) in sorted {
            if !self.desk.push(&key, items, || self.is_stopped()) {
                return;
            }
        }
    }

    fn sort(
        &self,
        carried: Carried,
        token: Token,
        key: Option<u128>,
        done: &Done,
        sorted: &mut Sorted,
        seen: &mut stats::Channel,
    ) {
        *seen.types.entry(stats::name(&carried.kind)).or_default() += 1;
        seen.features_left_out += carried.features_left_out as u64;
        if carried.pieces.is_empty() {
            return done.lock().push(token);
        }
        let pieces = carried.pieces.len();
        let message = match key.filter(|_| carried.record_id.is_some()) {
            None => Message::new(token, done, pieces, None),
            Some(key) => match self.desk.repeats.begin(key, token, done, pieces) {
                Ok(message) => message,
                Err(before) => {
                    seen.repeats += 1;
                    if before == Seen::Done {
                        done.lock().push(token);
                    }
                    return;
                }
            },
        };
        let lane =
            LaneKey { deployment: carried.deployment_id.unwrap_or_default(), kind: carried.kind };
        let place = sorted.iter().position(|(known, _)| **known == lane).unwrap_or_else(|| {
            sorted.push((Arc::new(lane), Vec::new()));
            sorted.len() - 1
        });
        let (lane, items) = &mut sorted[place];
        items.extend(carried.pieces.into_iter().map(|piece| Item {
            entries: entries_of(&lane.kind, piece.rows),
            rows: piece.rows,
            json: piece.json,
            origin: Origin::Channel(Arc::clone(&message)),
        }));
    }

    /// Keeps what cannot be used. While it cannot be kept, nothing behind it is read.
    fn reject(&self, message: &Received, why: &str, done: &Done) {
        let name = &self.channel.name;
        if self.config.dry_run {
            return self.diary.warn(format!("Channel {name}: {why}"));
        }
        loop {
            let letter = Letter::Message { channel: name, bytes: &message.body };
            match self.letters.keep(&[(letter, why.to_owned())]) {
                Ok(()) => {
                    self.diary.warn(format!("Channel {name}: a dead letter: {why}"));
                    return done.lock().push(message.token);
                }
                Err(error) => self.diary.error(format!("Channel {name} waits: {error}")),
            }
            self.pause(Duration::from_secs(1));
            if self.is_stopped() {
                return;
            }
        }
    }
}

/// An error with everything behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

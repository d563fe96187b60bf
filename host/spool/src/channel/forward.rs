//! The thread between the outbox and a sink.
//!
//! Records in flight form a window in the order of their numbers. Answers may come in any order; the cursor goes to
//! the last record before which all are settled. A retry lets the answers that are on their way come in, then goes
//! back to the cursor; records behind it that were delivered meanwhile are not sent again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use record::Record;
use record::wire::{self, RecordId};

use super::rejected::DeadLetters;
use super::status::State;
use super::{Answer, Parcel, Retry, Sink};
use crate::outbox::{Batch, Entry, ReadError, Reader};

/// Most messages in flight: enough that the client always has a full batch while another is on its way. This and the
/// next are below what the Kafka client may queue, so that it never refuses.
pub(super) const WINDOW_MESSAGES: usize = 1800;
/// Most bytes in flight.
pub(super) const WINDOW_BYTES: usize = 4 << 20;
/// Records and bytes read from the outbox at a time.
const READ: (usize, usize) = (256, 256 << 10);
/// How long an idle channel waits for new records before it looks after its sink.
const IDLE: Duration = Duration::from_millis(500);
/// How long a busy channel waits for answers before it looks for new records.
const BUSY: Duration = Duration::from_millis(20);
/// How long answers that are on their way are waited for before everything is sent again.
const SETTLE: Duration = Duration::from_secs(5);
/// Wait after the outbox itself could not be read or its files not be written.
const RETRY_DISK: Duration = Duration::from_secs(1);

pub(super) struct Forwarder {
    reader: Reader,
    sink: Box<dyn Sink>,
    state: Arc<State>,
    rejected: DeadLetters,
    batch: Batch,
    /// The next entry of `batch`.
    entry: usize,
    window: VecDeque<Flight>,
    /// Messages and bytes of the window.
    load: (usize, usize),
    /// Records behind the cursor that were delivered before a retry.
    ahead: BTreeSet<u64>,
    /// Up to this record each is sent alone, to find the one that was rejected.
    alone_until: u64,
    /// The record that was rejected when it was sent alone.
    verdict: Option<(u64, String)>,
    answers: Vec<(u64, Answer)>,
    ready: bool,
    /// The last attempt failed and nothing was delivered since.
    troubled: bool,
}

/// A record in the window.
struct Flight {
    seq: u64,
    messages: usize,
    bytes: usize,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// With the sink.
    Waiting,
    /// Delivered, rejected or lost: not to be sent again.
    Settled,
    /// Answered, and to be sent again.
    Returned,
}

enum Turn {
    Busy,
    /// The outbox has nothing more and everything is settled.
    Drained,
}

impl Forwarder {
    pub(super) fn new(
        reader: Reader,
        sink: Box<dyn Sink>,
        state: Arc<State>,
        mut rejected: DeadLetters,
    ) -> Self {
        state.dead_letters(rejected.count());
        Self {
            reader,
            sink,
            state,
            rejected,
            batch: Batch::default(),
            entry: 0,
            window: VecDeque::new(),
            load: (0, 0),
            ahead: BTreeSet::new(),
            alone_until: 0,
            verdict: None,
            answers: Vec::new(),
            ready: false,
            troubled: false,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            let stop = self.state.stop();
            if stop.is_some_and(|end| Instant::now() >= end) {
                break;
            }
            let turn = self.turn(stop.is_some());
            self.state.in_flight.store(self.window.len() as u64, Ordering::Relaxed);
            match turn {
                Ok(Turn::Busy) => {}
                Ok(Turn::Drained) if stop.is_some() => break,
                Ok(Turn::Drained) => {}
                Err(retry) => self.retry(retry),
            }
        }
        self.sink.forget();
    }

    /// Sends what there is room for, and settles what was answered.
    fn turn(&mut self, stopping: bool) -> Result<Turn, Retry> {
        if !self.ready {
            self.sink.ready()?;
            self.ready = true;
            if !self.troubled {
                self.state.going();
            }
        }
        let more = self.feed(stopping)?;
        let wait = if self.is_waiting() { BUSY } else { Duration::ZERO };
        self.sink.answers(wait, &mut self.answers);
        self.take_answers()?;
        self.settle()?;
        let drained = !more && self.window.is_empty();
        Ok(if drained { Turn::Drained } else { Turn::Busy })
    }

    /// Fills the window. False when the outbox has nothing more.
    fn feed(&mut self, stopping: bool) -> Result<bool, Retry> {
        while self.has_room() {
            if self.entry == self.batch.len() {
                let idle = self.window.is_empty() && !stopping;
                let wait = if idle { IDLE } else { Duration::ZERO };
                self.batch = self.reader.next(READ.0, READ.1, wait).map_err(disk)?;
                self.entry = 0;
                if self.batch.is_empty() {
                    return Ok(false);
                }
            }
            self.forward()?;
            self.entry += 1;
        }
        Ok(true)
    }

    fn has_room(&self) -> bool {
        let Some(newest) = self.window.back() else { return true };
        let (messages, bytes) = self.load;
        newest.seq > self.alone_until && messages < WINDOW_MESSAGES && bytes < WINDOW_BYTES
    }

    fn is_waiting(&self) -> bool {
        self.window.iter().any(|flight| flight.fate == Fate::Waiting)
    }

    fn push(&mut self, seq: u64, messages: usize, bytes: usize) {
        let fate = if messages == 0 { Fate::Settled } else { Fate::Waiting };
        self.window.push_back(Flight { seq, messages, bytes, fate });
        self.load = (self.load.0 + messages, self.load.1 + bytes);
    }

    /// Takes the next entry of the batch into the window.
    fn forward(&mut self) -> Result<(), Retry> {
        let Some(entry) = self.batch.get(self.entry) else { return Ok(()) };
        let last_seq = entry.last_seq();
        if self.ahead.remove(&last_seq) {
            self.push(last_seq, 0, 0);
            return Ok(());
        }
        let (id, payload) = match entry {
            Entry::Gap { first, last, .. } => {
                self.state.lost.fetch_add(last - first + 1, Ordering::Relaxed);
                self.push(last, 0, 0);
                return Ok(());
            }
            Entry::Record { id, payload } => (id, payload),
        };
        let verdict = self.verdict.take_if(|(seq, _)| *seq == id.seq).map(|(_, why)| why);
        let record = match (verdict, Record::decode(payload)) {
            (None, Ok(record)) => record,
            (Some(why), _) => return self.reject(id, payload.to_vec(), &why),
            (None, Err(error)) => return self.reject(id, payload.to_vec(), &error.to_string()),
        };
        let messages = wire::messages(&record, id, self.sink.limits());
        if !messages.is_empty() {
            let deployment_id = &record.deployment_id;
            self.sink.send(&Parcel { id, deployment_id, messages: &messages });
            self.state.sent_messages.fetch_add(messages.len() as u64, Ordering::Relaxed);
        }
        let bytes = messages.iter().map(|message| message.body.len()).sum();
        self.push(id.seq, messages.len(), bytes);
        Ok(())
    }

    /// Keeps a record that will never be delivered, and settles it.
    fn reject(&mut self, id: RecordId, payload: Vec<u8>, why: &str) -> Result<(), Retry> {
        if let Err(error) = self.rejected.keep(id, &payload, why) {
            self.verdict = Some((id.seq, why.to_owned()));
            let why = format!("keep a rejected record: {error}");
            return Err(Retry { after: RETRY_DISK, why, paused: false });
        }
        tracing::error!(channel = self.state.name, seq = id.seq, why, "Record rejected");
        self.state.rejected.fetch_add(1, Ordering::Relaxed);
        self.state.dead_letters(self.rejected.count());
        self.push(id.seq, 0, 0);
        Ok(())
    }

    /// Notes what became of records. An error tells that the rest must be sent again.
    fn take_answers(&mut self) -> Result<(), Retry> {
        let mut retry = None;
        let mut delivered = false;
        for (seq, answer) in std::mem::take(&mut self.answers) {
            let Ok(at) = self.window.binary_search_by_key(&seq, |flight| flight.seq) else {
                continue;
            };
            match answer {
                Answer::Delivered => {
                    delivered = true;
                    self.window[at].fate = Fate::Settled;
                    self.state.delivered.fetch_add(1, Ordering::Relaxed);
                    if std::mem::take(&mut self.troubled) {
                        self.state.going();
                    }
                }
                Answer::Retry(why) => {
                    self.window[at].fate = Fate::Returned;
                    retry = retry.or(Some(why));
                }
                Answer::Rejected { why } => {
                    self.window[at].fate = Fate::Returned;
                    retry = Some(Retry { after: Duration::ZERO, why: why.clone(), paused: false });
                    if self.window.len() == 1 {
                        self.verdict = Some((seq, why));
                    } else if let Some(newest) = self.window.back() {
                        self.alone_until = self.alone_until.max(newest.seq);
                    }
                }
            }
        }
        if delivered {
            self.state.succeeded();
        }
        retry.map_or(Ok(()), Err)
    }

    /// Moves the cursor over what is settled.
    fn settle(&mut self) -> Result<(), Retry> {
        let mut done = None;
        while let Some(flight) = self.window.pop_front_if(|flight| flight.fate == Fate::Settled) {
            self.load = (self.load.0 - flight.messages, self.load.1 - flight.bytes);
            done = Some(flight.seq);
        }
        done.map_or(Ok(()), |seq| self.reader.commit(seq).map_err(disk))
    }

    /// Goes back to the cursor, after a while.
    fn retry(&mut self, retry: Retry) {
        self.state.retries.fetch_add(1, Ordering::Relaxed);
        self.state.failed(&retry.why, retry.paused);
        self.troubled = self.ready;
        let until = Instant::now() + SETTLE;
        while self.is_waiting() && Instant::now() < self.state.stop().unwrap_or(until).min(until) {
            self.sink.answers(BUSY, &mut self.answers);
            if let Err(again) = self.take_answers() {
                tracing::debug!(channel = self.state.name, why = again.why, "Record comes back");
            }
        }
        self.sink.forget();
        if let Err(error) = self.settle() {
            self.state.failed(&error.why, false);
        }
        let settled = self.window.iter().filter(|flight| flight.fate == Fate::Settled);
        self.ahead.extend(settled.map(|flight| flight.seq));
        self.window.clear();
        self.load = (0, 0);
        self.batch = Batch::default();
        self.entry = 0;
        self.reader.rewind();
        self.ready = false;
        let until = Instant::now() + retry.after;
        while self.state.stop().is_none() && Instant::now() < until {
            self.state.sleep(IDLE.min(until.saturating_duration_since(Instant::now())));
            // The sink may have something to log; answers to forgotten records are not expected.
            self.sink.answers(Duration::ZERO, &mut self.answers);
            self.answers.clear();
        }
    }
}

fn disk(error: ReadError) -> Retry {
    let mut why = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        why = format!("{why}: {source}");
    }
    Retry { after: RETRY_DISK, why, paused: false }
}

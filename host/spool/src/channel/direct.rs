//! Straight to the MLOps server, by its REST API and without an agent between.
//!
//! Many records go in one call, because the server counts calls: all that wait for one deployment, of one kind, within
//! the limits that the server has ([`batch`]). A thread of its own makes the calls, one at a time and in order
//! ([`post`]), so that the channel can be stopped while the server is silent.
//!
//! The server may have taken a call whose answer we never saw. So each call carries an `Idempotency-Key` made of the
//! ids of its messages, and a call that may have arrived is made again as the same call, with the same key, before its
//! messages go into any other. Only over a restart of the process, or while a rejected record is being looked for, may
//! they be put together in another way; then the server may see them twice.
//!
//! | the answer | then |
//! |---|---|
//! | 2xx | delivered |
//! | 429, 503 | everything waits as long as `Retry-After` says, within `retry_after_max_ms` |
//! | 408, 409, 425, any other 5xx, no answer | retry; the wait doubles up to `retry_max_ms`, less a random part |
//! | 413 | smaller calls from now on; a single row that is too large is rejected |
//! | 400, 422 | rejected; the channel finds out which record it was |
//! | 401, 403, 404, a redirect, any other | pause: token, permission, deployment or endpoint are for an operator |

mod batch;
mod post;
mod settings;
mod variables;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use record::wire::{Limits, read::Envelope};
use uuid::Uuid;

use self::batch::{Batch, Caps, Item, Queue};
use self::post::{Call, Client, Outcome, Reply};
pub use self::settings::DirectSettings;
pub(super) use self::variables::{VARIABLES, read};
use super::worker::Worker;
use super::{Answer, ChannelError, Parcel, Retry, Sink};

/// The smallest call that a server is asked to take. One that refuses even that refuses everything.
const MIN_CALL_BYTES: usize = 1024;
/// How much larger rows may be in the server's shape than on the wire, where each feature's name stands alone.
const GROWTH: usize = 2;

/// The sink.
pub(super) struct Direct {
    settings: DirectSettings,
    client: Client,
    worker: Worker<Call, Reply>,
    /// Most bytes of a call: what the settings say, or what the server was found to take.
    call_bytes: usize,
    queue: Queue,
    /// The call that the thread is making.
    calling: Option<Batch>,
    /// Counts calls, so that the answer to one that was forgotten is not taken for another's.
    calls: u64,
    /// Messages of calls that may have arrived.
    unsure: Vec<Vec<Uuid>>,
    /// Messages that arrived, of records that are not wholly delivered. They are not sent again with their record.
    arrived: BTreeMap<u64, Vec<Uuid>>,
    /// Messages without an answer, by record.
    open: HashMap<u64, usize>,
    answers: Vec<(u64, Answer)>,
    /// Failures since the last success.
    failures: u32,
}

impl Direct {
    pub(super) fn new(settings: DirectSettings) -> Result<Self, ChannelError> {
        settings.check()?;
        let client = Client::new(&settings)?;
        let caller = client.clone();
        let worker = Worker::spawn("direct", move |call| caller.make(&call));
        Ok(Self {
            call_bytes: settings.message_bytes,
            settings,
            client,
            worker: worker.map_err(ChannelError::Thread)?,
            queue: Queue::default(),
            calling: None,
            calls: 0,
            unsure: Vec::new(),
            arrived: BTreeMap::new(),
            open: HashMap::new(),
            answers: Vec::new(),
            failures: 0,
        })
    }

    /// Makes the next call, if none is being made.
    fn call(&mut self) {
        if self.worker.is_busy() {
            return;
        }
        let caps = Caps { bytes: self.call_bytes, ..self.settings.caps() };
        let Some(batch) = self.queue.take(&mut self.unsure, &caps) else { return };
        self.calls += 1;
        let call = Call {
            number: self.calls,
            url: self.client.url(&batch),
            key: batch.key(),
            body: batch.body(),
        };
        match self.worker.give(call) {
            Ok(()) => self.calling = Some(batch),
            Err(_call) => {
                let why = "the thread that calls the server is gone".to_owned();
                let retry = Retry { after: self.back_off(), why, paused: true };
                self.hold(&retry);
            }
        }
    }

    /// Takes the answer to the call that is being made.
    fn hear(&mut self, reply: Reply) {
        // A call that was forgotten has no batch any more, and the next one another number.
        let Some(batch) = self.calling.take_if(|_| reply.number == self.calls) else { return };
        let about = |why: &str| format!("{}: {why}", batch.describe());
        match reply.outcome {
            Outcome::Taken { .. } => {
                self.failures = 0;
                let taken: HashSet<Uuid> = batch.ids().collect();
                self.unsure.retain(|ids| !ids.iter().any(|id| taken.contains(id)));
                for (seq, id) in batch.seqs().zip(batch.ids()) {
                    self.arrive(seq, id);
                }
            }
            Outcome::Wait { after, why } => {
                self.unsure.push(batch.ids().collect());
                let after = after.unwrap_or_default().min(self.settings.retry_after_max());
                let after = after.max(self.back_off());
                self.hold(&Retry { after, why: about(&why), paused: false });
            }
            Outcome::Unknown { why } => {
                self.unsure.push(batch.ids().collect());
                let retry = Retry { after: self.back_off(), why: about(&why), paused: false };
                self.hold(&retry);
            }
            Outcome::Operator { why } => {
                let after = Duration::from_millis(self.settings.retry_operator_ms);
                self.hold(&Retry { after, why: about(&why), paused: true });
            }
            Outcome::TooLarge { why } if batch.can_shrink() && self.call_bytes > MIN_CALL_BYTES => {
                let bytes = batch.body_bytes().min(self.call_bytes) / 2;
                self.call_bytes = bytes.max(MIN_CALL_BYTES);
                tracing::warn!(bytes = self.call_bytes, "Server takes only smaller calls");
                self.hold(&Retry { after: Duration::ZERO, why: about(&why), paused: false });
            }
            Outcome::TooLarge { why } | Outcome::Refused { why } => {
                let why = about(&why);
                for seq in batch.seqs() {
                    if self.open.remove(&seq).is_some() {
                        self.answers.push((seq, Answer::Rejected { why: why.clone() }));
                    }
                }
                // The rest of a record that was rejected is not sent any more.
                self.queue.retain(|item| self.open.contains_key(&item.seq));
            }
        }
    }

    /// A message of this record has arrived.
    fn arrive(&mut self, seq: u64, id: Uuid) {
        let Some(messages) = self.open.get_mut(&seq) else { return };
        *messages -= 1;
        if *messages == 0 {
            self.open.remove(&seq);
            self.arrived.remove(&seq);
            self.answers.push((seq, Answer::Delivered));
        } else {
            self.arrived.entry(seq).or_default().push(id);
        }
    }

    /// Everything that has no answer yet is to be sent again.
    fn hold(&mut self, retry: &Retry) {
        self.queue.clear();
        let open = self.open.drain().map(|(seq, _)| (seq, Answer::Retry(retry.clone())));
        self.answers.extend(open);
    }

    /// The wait after a failure, longer each time. A part of it is random, so that gateways that lost one server do
    /// not come back to it all at once.
    fn back_off(&mut self) -> Duration {
        let doubled = self.settings.retry_ms.saturating_mul(1 << self.failures.min(20));
        let longest = doubled.min(self.settings.retry_max_ms);
        self.failures = self.failures.saturating_add(1);
        let random = Uuid::new_v4().as_u64_pair().0 % (longest / 2 + 1);
        Duration::from_millis(longest - random)
    }
}

impl Sink for Direct {
    fn limits(&self) -> Limits {
        let rows = NonZeroUsize::new(self.settings.rows_per_message).unwrap_or(NonZeroUsize::MIN);
        Limits { rows, bytes: self.call_bytes / GROWTH }
    }

    /// There is nothing to ask for: the first call tells. A token in a file may have been renewed.
    fn ready(&mut self) -> Result<(), Retry> {
        self.client.renew_token().map_err(|why| Retry {
            after: Duration::from_millis(self.settings.retry_operator_ms),
            why,
            paused: true,
        })
    }

    fn send(&mut self, parcel: &Parcel<'_>) {
        let seq = parcel.id.seq;
        if self.open.is_empty() {
            // Records come in order: whatever is before this one will not be asked for any more.
            self.arrived = self.arrived.split_off(&seq);
        }
        let arrived = self.arrived.get(&seq).map(Vec::as_slice).unwrap_or_default();
        let mut items = Vec::with_capacity(parcel.messages.len());
        for message in parcel.messages.iter().filter(|message| !arrived.contains(&message.id)) {
            let envelope = Envelope::read(&message.body);
            let item = envelope
                .map(|envelope| Item::new(seq, message.id, parcel.deployment_id, &envelope));
            match item {
                Ok(Some(item)) => items.push(item),
                // There is nothing else that a record becomes.
                Ok(None) => {}
                Err(error) => {
                    let why = error.to_string();
                    return self.answers.push((seq, Answer::Rejected { why }));
                }
            }
        }
        if items.is_empty() {
            return self.answers.push((seq, Answer::Delivered));
        }
        self.open.insert(seq, items.len());
        self.queue.extend(items);
    }

    fn answers(&mut self, wait: Duration, out: &mut Vec<(u64, Answer)>) {
        self.call();
        let wait = if self.answers.is_empty() { wait } else { Duration::ZERO };
        if let Some(reply) = self.worker.take(wait) {
            self.hear(reply);
            // The next one goes out while the channel looks at these answers.
            self.call();
        }
        out.append(&mut self.answers);
    }

    fn forget(&mut self) {
        if let Some(batch) = self.calling.take() {
            // It may arrive yet.
            self.unsure.push(batch.ids().collect());
        }
        self.queue.clear();
        self.open.clear();
        self.answers.clear();
    }
}

#[cfg(test)]
mod tests;

//! What a channel tells of itself, and how it is told to stop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::rejected::DeadLetterCount;

/// A picture of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelStatus {
    /// The channel's name.
    pub channel: String,
    /// Messages handed to the other side, resent ones too.
    pub sent_messages: u64,
    /// Records that the other side has.
    pub delivered_records: u64,
    /// Times that sending began again from the cursor.
    pub retries: u64,
    /// Records that the other side will never take, in this run.
    pub rejected_records: u64,
    /// What lies in `rejected-<channel>.jsonl`, former runs included.
    pub dead_letters: DeadLetterCount,
    /// Records that were damaged in the outbox.
    pub lost_records: u64,
    /// Records sent and not answered yet.
    pub in_flight_records: u64,
    /// Durable records that wait, those in flight included.
    pub waiting_records: u64,
    /// What went wrong last; kept after it was mended.
    pub last_error: Option<String>,
    /// Why nothing is sent, while only an operator can mend it.
    pub paused: Option<String>,
    /// How long ago the other side took something; since the start when it never did.
    pub since_success: Duration,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) sent_messages: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) in_flight: AtomicU64,
    started: Instant,
    trouble: Mutex<Trouble>,
    stop: Mutex<Option<Instant>>,
    stop_changed: Condvar,
}

#[derive(Debug, Default)]
struct Trouble {
    success: Option<Instant>,
    dead_letters: DeadLetterCount,
    last_error: Option<String>,
    paused: bool,
}

impl State {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sent_messages: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            started: Instant::now(),
            trouble: Mutex::default(),
            stop: Mutex::new(None),
            stop_changed: Condvar::new(),
        }
    }

    pub(super) fn picture(&self, waiting_records: u64) -> ChannelStatus {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let trouble = self.trouble.lock();
        ChannelStatus {
            channel: self.name.clone(),
            sent_messages: load(&self.sent_messages),
            delivered_records: load(&self.delivered),
            retries: load(&self.retries),
            rejected_records: load(&self.rejected),
            dead_letters: trouble.dead_letters,
            lost_records: load(&self.lost),
            in_flight_records: load(&self.in_flight),
            waiting_records,
            last_error: trouble.last_error.clone(),
            paused: trouble.last_error.clone().filter(|_| trouble.paused),
            since_success: trouble.success.unwrap_or(self.started).elapsed(),
        }
    }

    /// Notes that the other side took something just now.
    pub(super) fn succeeded(&self) {
        self.trouble.lock().success = Some(Instant::now());
    }

    /// Notes what the store of dead letters holds.
    pub(super) fn dead_letters(&self, count: DeadLetterCount) {
        self.trouble.lock().dead_letters = count;
    }

    /// Notes an error, and says it when it is a new one.
    pub(super) fn failed(&self, why: &str, paused: bool) {
        let mut trouble = self.trouble.lock();
        if trouble.last_error.as_deref() != Some(why) || trouble.paused != paused {
            if paused {
                tracing::error!(channel = self.name, why, "Channel paused");
            } else {
                tracing::warn!(channel = self.name, why, "Sending failed, will try again");
            }
            trouble.last_error = Some(why.to_owned());
        }
        trouble.paused = paused;
    }

    /// Notes that the other side takes records.
    pub(super) fn going(&self) {
        let mut trouble = self.trouble.lock();
        if trouble.paused {
            tracing::info!(channel = self.name, "Channel goes on");
            trouble.paused = false;
        }
    }

    pub(super) fn stop_at(&self, end: Instant) {
        *self.stop.lock() = Some(end);
        self.stop_changed.notify_all();
    }

    /// When the channel must have stopped, if it was told to.
    pub(super) fn stop(&self) -> Option<Instant> {
        *self.stop.lock()
    }

    /// Sleeps until `time` has passed or the channel is told to stop.
    pub(super) fn sleep(&self, time: Duration) {
        let mut stop = self.stop.lock();
        if stop.is_none() {
            self.stop_changed.wait_for(&mut stop, time);
        }
    }
}

//! What a commit stores, gathered while calls are added.

use std::collections::BTreeMap;

use super::Taken;
use super::folding::Step;
use super::memory::Cell;
use crate::ingest::answer::Accepted;
use crate::ingest::work::Skew;

/// What a commit stores.
#[derive(Debug, Default)]
pub(super) struct Writes {
    pub(super) rollups: Vec<(Cell, Vec<u8>)>,
    /// Items to remember.
    pub(super) block: Vec<u8>,
    pub(super) block_id: i64,
    pub(super) taken_us: i64,
    /// New groups: number, deployment, key.
    pub(super) groups: Vec<(u32, String, String)>,
    pub(super) refusals: BTreeMap<[String; 4], Refusals>,
    pub(super) skews: BTreeMap<[String; 2], Skews>,
    pub(super) batches: BTreeMap<[String; 2], Batch>,
    /// Deployments whose rows of the hour are counted.
    pub(super) limits: BTreeMap<String, (u32, u64)>,
    /// Deployment, metric, model, time, value.
    pub(super) metrics: Vec<(String, String, String, i64, f64)>,
    pub(super) fold: Option<Step>,
    /// Rows that are counted.
    pub(super) rows: u64,
    /// Predictions that have met their first outcome.
    pub(super) joined: u64,
}

/// Entries that were not taken for one reason.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    pub(super) entries: i64,
    pub(super) last_record: String,
    pub(super) last_us: i64,
}

/// Entries with a wrong time.
#[derive(Debug, Default)]
pub(super) struct Skews {
    pub(super) entries: i64,
    pub(super) unreadable: i64,
    pub(super) ahead_us: i64,
    pub(super) behind_us: i64,
    pub(super) last_us: i64,
}

/// What a batch came to.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) requests: i64,
    pub(super) predictions: i64,
    pub(super) user_errors: i64,
    pub(super) system_errors: i64,
    pub(super) rows: i64,
    pub(super) prediction_sum: f64,
    pub(super) prediction_count: i64,
    pub(super) first_us: i64,
    pub(super) last_us: i64,
}

impl Skews {
    pub(super) fn note(&mut self, skew: Skew, received_us: i64) {
        self.entries += 1;
        self.last_us = self.last_us.max(received_us);
        match skew {
            Skew::Unreadable => self.unreadable += 1,
            Skew::By(us) if us > 0 => self.ahead_us = self.ahead_us.max(us),
            Skew::By(us) => self.behind_us = self.behind_us.max(us.saturating_neg()),
        }
    }
}

impl Batch {
    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.predictions = self.predictions.saturating_add(other.predictions);
        self.user_errors += other.user_errors;
        self.system_errors += other.system_errors;
        self.rows = self.rows.saturating_add(other.rows);
        self.prediction_sum += other.prediction_sum;
        self.prediction_count = self.prediction_count.saturating_add(other.prediction_count);
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
    }
}

/// Counts what was refused, by reason: places and numbers are no reasons of their own.
pub(super) fn note_refusals(taken: &Taken, answer: &Accepted, writes: &mut Writes) {
    for refused in &answer.refused {
        let kind = taken.work.call.name().to_owned();
        let field = without_numbers(&refused.field);
        let key = [taken.deployment.clone(), kind, field, without_numbers(&refused.reason)];
        let noted = writes.refusals.entry(key).or_default();
        noted.entries += 1;
        noted.last_us = taken.work.received_us;
        if let Some(id) = &refused.record_id {
            noted.last_record = storable(id);
        }
    }
}

/// A text with every number as `#`.
fn without_numbers(text: &str) -> String {
    let text = storable(text);
    let mut short = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '0'..='9' if short.ends_with('#') => {}
            '0'..='9' => short.push('#'),
            other => short.push(other),
        }
    }
    short
}

/// A text that every database takes: PostgreSQL has none with a zero in it.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

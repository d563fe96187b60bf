//! The posters: each makes one call after another, of whatever lane has its turn.
//!
//! | the answer | then |
//! |---|---|
//! | 2xx | done with; what our own server names as refused becomes a dead letter |
//! | 429, 503 | the lane waits as long as `Retry-After` says, within `retryAfterMaxMs`, and a random part more |
//! | 408, 409, 425, any other 5xx, no answer | again, as the same call; the wait doubles up to `retryMaxMs`, less a random part |
//! | 413 | smaller calls from now on; a single entry that is too large becomes a dead letter |
//! | 400, 422 | halved until the entry is alone that the server does not take; it becomes a dead letter |
//! | 401, 403, 404, a redirect, any other | the lane waits for an operator, loudly; the token's file is read again |

use std::sync::Arc;
use std::time::Duration;

use record::wire::rest::Kind;
use serde_json::value::RawValue;
use spool::rest::{Outcome, RestClient};

use crate::config::Config;
use crate::desk::{Desk, Settled, Turn};
use crate::diary::Diary;
use crate::lane::{Batch, Health, LaneKey};
use crate::letters::{Letter, Letters};
use crate::message::Item;
use crate::stats::Stats;

/// The first wait when only an operator can mend something: a deployment may be about to be made.
const OPERATOR_FIRST: Duration = Duration::from_secs(2);

/// What posters have in common.
#[derive(Debug)]
pub(crate) struct Poster {
    pub(crate) config: Config,
    pub(crate) desk: Arc<Desk>,
    pub(crate) client: Arc<RestClient>,
    pub(crate) letters: Arc<Letters>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) diary: Arc<Diary>,
}

/// What our own server says besides yes.
#[derive(Debug, Default, serde::Deserialize)]
struct Answer {
    #[serde(default)]
    refused: Vec<Refused>,
}

#[derive(Debug, serde::Deserialize)]
struct Refused {
    index: usize,
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

impl Poster {
    /// Makes calls until the desk is closed.
    pub(crate) fn run(&self) {
        while let Some(turn) = self.desk.next() {
            let failing = turn.is_failing();
            let Turn { key, batch, .. } = turn;
            let body = batch.body(&key);
            let path = key.path();
            let outcome = self.client.post(&self.client.url(&path), Batch::key(&body), &body);
            self.stats.called(&path.join("/"));
            let settled = self.sort(&key, batch, body.len(), outcome);
            self.desk.settle(&key, failing, settled);
        }
    }

    fn sort(&self, key: &LaneKey, batch: Batch, bytes: usize, outcome: Outcome) -> Settled {
        match outcome {
            Outcome::Taken { reply } => self.taken(key, batch, &reply),
            Outcome::Wait { after, why } => {
                let asked =
                    after.map(|after| after.min(self.millis(self.config.retry_after_max_ms)));
                let wait =
                    asked.map(|asked| asked + random(asked / 10 + Duration::from_millis(100)));
                self.hold(key, batch, wait.unwrap_or_else(|| self.back_off(key)), why, false)
            }
            Outcome::Unknown { why } => {
                let wait = self.back_off(key);
                self.hold(key, batch, wait, why, false)
            }
            Outcome::Operator { why } => self.operator(key, batch, why),
            Outcome::TooLarge { why } => match self.split(key, batch, &why) {
                Ok(settled) => Settled { too_large: Some(bytes), ..settled },
                Err(settled) => settled,
            },
            Outcome::Refused { why } => {
                self.split(key, batch, &why).unwrap_or_else(|settled| settled)
            }
        }
    }

    fn taken(&self, key: &LaneKey, batch: Batch, reply: &[u8]) -> Settled {
        let answer: Answer = serde_json::from_slice(reply).unwrap_or_default();
        let mut refused = Vec::new();
        for one in answer.refused {
            let why = [one.field, one.reason].into_iter().flatten().collect::<Vec<_>>().join(": ");
            if let Some(entry) = entry(&batch.items, one.index) {
                refused.push((entry, format!("the server refused it: {why}")));
            }
        }
        if let Err(why) = self.bury(key, &refused) {
            // The server knows the rest by their ids, and will say again what it refuses.
            return self.operator(key, batch, why);
        }
        self.stats.reported(key, batch.items.len(), refused.len());
        Settled { done: batch.items, ..Settled::default() }
    }

    /// In two, or as a dead letter when it is one (`Err`).
    fn split(&self, key: &LaneKey, batch: Batch, why: &str) -> Result<Settled, Settled> {
        match batch.halves() {
            Ok((one, other)) => Ok(Settled { again: vec![one, other], ..Settled::default() }),
            Err(batch) => {
                let entry = batch.items.first().map(|item| item.json.clone()).unwrap_or_default();
                if let Err(why) = self.bury(key, &[(entry, why.to_owned())]) {
                    return Err(self.operator(key, batch, why));
                }
                self.stats.reported(key, 0, batch.items.len());
                Err(Settled { done: batch.items, ..Settled::default() })
            }
        }
    }

    fn bury(&self, key: &LaneKey, entries: &[(Vec<u8>, String)]) -> Result<(), String> {
        if entries.is_empty() {
            return Ok(());
        }
        let call = key.path().join("/");
        let letters: Vec<(Letter<'_>, String)> = entries
            .iter()
            .map(|(entry, why)| (Letter::Entry { call: &call, entry }, why.clone()))
            .collect();
        self.letters.keep(&letters)?;
        let (records, why) = (entries.len(), &entries[0].1);
        self.diary.error(format!("{records} records of {call} are dead letters: {why}"));
        Ok(())
    }

    fn operator(&self, key: &LaneKey, batch: Batch, why: String) -> Settled {
        if let Err(error) = self.client.renew_token() {
            self.diary.error(format!("The token cannot be read again: {error}"));
        }
        let most = self.millis(self.config.retry_operator_ms);
        let doubled = OPERATOR_FIRST.saturating_mul(1 << self.desk.failures(key).min(16));
        let wait = doubled.min(most).max(Duration::from_millis(1));
        let wait = wait - random(wait / 4);
        let alone = why.starts_with("404") || why.starts_with("403");
        self.tell(key, &why, true);
        let health = Health::Operator { why };
        Settled { again: vec![batch], wait: Some((wait, health)), alone, ..Settled::default() }
    }

    fn hold(
        &self,
        key: &LaneKey,
        batch: Batch,
        wait: Duration,
        why: String,
        alone: bool,
    ) -> Settled {
        self.tell(key, &why, false);
        let health = Health::Waiting { why };
        Settled { again: vec![batch], wait: Some((wait, health)), alone, ..Settled::default() }
    }

    /// Says what is wrong, once at its beginning.
    fn tell(&self, key: &LaneKey, why: &str, operator: bool) {
        if self.desk.failures(key) > 0 {
            return;
        }
        let text = format!("{}: not taken, tried again: {why}", key.path().join("/"));
        if operator { self.diary.error(text) } else { self.diary.warn(text) }
    }

    fn back_off(&self, key: &LaneKey) -> Duration {
        let first = self.millis(self.config.retry_ms);
        let doubled = first.saturating_mul(1 << self.desk.failures(key).min(16));
        let wait = doubled.min(self.millis(self.config.retry_max_ms));
        wait - random(wait / 2)
    }

    fn millis(&self, millis: u64) -> Duration {
        Duration::from_millis(millis)
    }
}

fn random(most: Duration) -> Duration {
    most.mul_f64(rand::random::<f64>())
}

/// The entry at a place of a call.
fn entry(items: &[Item], index: usize) -> Option<Vec<u8>> {
    let mut before = 0;
    for item in items {
        if index < before + item.entries {
            if item.entries == 1 {
                return Some(item.json.clone());
            }
            let entry = entries(&item.json)?.into_iter().nth(index - before)?;
            return Some(entry.get().as_bytes().to_vec());
        }
        before += item.entries;
    }
    None
}

/// The entries of an item that has several.
fn entries(json: &[u8]) -> Option<Vec<Box<RawValue>>> {
    serde_json::from_slice(&[b"[", json, b"]"].concat()).ok()
}

impl Item {
    /// Two items of one with several entries.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        if self.entries < 2 {
            return None;
        }
        let list = entries(&self.json)?;
        let (one, other) = list.split_at(list.len() / 2);
        let join = |entries: &[Box<RawValue>]| Self {
            json: entries
                .iter()
                .map(|entry| entry.get())
                .collect::<Vec<_>>()
                .join(",")
                .into_bytes(),
            rows: entries.len(),
            entries: entries.len(),
            origin: self.origin.clone(),
        };
        // There is one more to be done with.
        self.origin.more();
        Some((join(one), join(other)))
    }
}

/// How many entries a piece has.
pub(crate) fn entries_of(kind: &Kind, rows: usize) -> usize {
    if *kind == Kind::Actuals { rows } else { 1 }
}

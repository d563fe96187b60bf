//! From a finished request to its record in the outbox.
//!
//! Every request for a prediction leaves a record: scored, refused or failed. The answer does not wait for it, unless
//! the deployment's class is `durable`. A record that the outbox does not take is counted, and changes no
//! status. Requests with many rows leave several records, each small enough for the outbox.

use std::{borrow::Cow, fmt, future::Future, ops::Range, pin::Pin};

use record::{Column, Outcome, Payload, PredictionRecord, Record, Role, Rows, Values};
use spool::{Class, OutboxState};

use crate::{batch::Batch, deployment::Serving, privacy::VALUE_BYTES};

/// Room for the record of one row.
const FIRST_BYTES: usize = 512;

/// Where records go.
pub(crate) trait Keep: fmt::Debug + Send + Sync {
    /// The largest record that it takes.
    fn max_record_bytes(&self) -> usize;
    /// Takes a record and says nothing more about it; false when it is refused.
    fn observe(&self, record: &[u8]) -> bool;
    /// Takes a record and gives a ticket; none when it is refused.
    fn durable(&self, record: &[u8]) -> Option<Ticket>;
    /// Why it takes no records, if it does not.
    fn trouble(&self) -> Option<String>;
    /// Its counters; none for the outboxes of tests.
    fn status(&self) -> Option<spool::OutboxStatus>;
}

/// Completes when a record is on disk, true; false when it never will be.
pub(crate) type Ticket = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A finished request.
#[derive(Debug)]
pub(crate) struct Finished<'a> {
    pub(crate) timestamp_us: i64,
    pub(crate) execution_us: u64,
    pub(crate) request_id: &'a str,
    pub(crate) outcome: Outcome,
    pub(crate) status: u16,
    pub(crate) role: Role,
    pub(crate) gateway: Option<&'a str>,
    pub(crate) scored: Option<Scored<'a>>,
}

/// The rows of a request that was scored.
#[derive(Debug)]
pub(crate) struct Scored<'a> {
    pub(crate) batch: &'a Batch<'a>,
    pub(crate) predictions: &'a [f64],
    pub(crate) association_ids: &'a [Cow<'a, str>],
}

/// Hands the encoded record, in as many parts as `max_bytes` asks for, to `take`.
pub(crate) fn encode(
    serving: &Serving,
    finished: &Finished<'_>,
    max_bytes: usize,
    mut take: impl FnMut(&[u8]),
) {
    let mut out = Vec::with_capacity(FIRST_BYTES);
    let Some(scored) = &finished.scored else {
        one(serving, finished, 0, None, &mut out);
        return take(&out);
    };
    let mut start = 0;
    let mut part = 0;
    while start < scored.predictions.len() {
        let end = start + fitting(serving, finished, scored, start, max_bytes);
        out.clear();
        one(serving, finished, part, Some(rows(serving, scored, start..end)), &mut out);
        take(&out);
        start = end;
        part += 1;
    }
}

fn one(
    serving: &Serving,
    finished: &Finished<'_>,
    part: u32,
    rows: Option<Rows<'_>>,
    out: &mut Vec<u8>,
) {
    let predictions = finished.scored.as_ref().map_or(0, |scored| scored.batch.rows);
    let record = Record {
        deployment_id: Cow::Borrowed(&serving.id),
        model_id: Cow::Borrowed(&serving.model_id),
        timestamp_us: finished.timestamp_us,
        payload: Payload::Prediction(PredictionRecord {
            request_id: Cow::Borrowed(finished.request_id),
            outcome: finished.outcome,
            status: finished.status,
            execution_us: finished.execution_us,
            predictions,
            part,
            rows,
        }),
        model_digest: serving.model_digest,
        role: finished.role,
        gateway: finished.gateway.map(Cow::Borrowed),
    };
    record.encode(out);
}

fn rows<'a>(serving: &'a Serving, scored: &Scored<'a>, range: Range<usize>) -> Rows<'a> {
    let Serving { schema, privacy, .. } = serving;
    let width = schema.inputs().len();
    let columns = schema.inputs().iter().enumerate().filter_map(|(place, input)| {
        let numbers = range.clone().map(|row| scored.batch.numbers[row * width + place]);
        let values = match &input.category {
            None if !privacy.keeps(place) => privacy.numbers(place, numbers)?,
            // One row is the usual case, and needs no copy.
            None if range.len() == 1 => Values::Numbers(Cow::Borrowed(
                &scored.batch.numbers[range.start * width + place..][..1],
            )),
            None => Values::Numbers(numbers.collect()),
            Some(category) => {
                let texts = range
                    .clone()
                    .map(|row| &scored.batch.texts[row * schema.categories() + category.place])
                    .map(Option::as_deref);
                if privacy.keeps(place) {
                    Values::Texts(texts.map(|text| text.map(Cow::Borrowed)).collect())
                } else {
                    privacy.levels(place, texts)?
                }
            }
        };
        Some(Column { name: Cow::Borrowed(&*input.name), values })
    });
    Rows {
        columns: columns.collect(),
        predictions: Cow::Borrowed(&scored.predictions[range.clone()]),
        association_ids: scored.association_ids[range]
            .iter()
            .map(|id| privacy.association_id(id))
            .collect(),
    }
}

/// How many rows from `start` on fit into one record, at least one.
fn fitting(
    serving: &Serving,
    finished: &Finished<'_>,
    scored: &Scored<'_>,
    start: usize,
    max_bytes: usize,
) -> usize {
    /// A number, or the length of a text: postcard writes either in at most this.
    const NUMBER: usize = 10;
    let schema = &serving.schema;
    let names: usize = schema.inputs().iter().map(|input| input.name.len() + 2 * NUMBER).sum();
    let head = 20 * NUMBER
        + serving.id.len()
        + serving.model_id.len()
        + finished.request_id.len()
        + finished.gateway.map_or(0, str::len);
    let mut left = max_bytes.saturating_sub(names + head);
    let categories = schema.categories();
    // What takes the place of a private value may be longer than the value.
    let private = VALUE_BYTES * serving.privacy.changed_values();
    let mut count = 0;
    for row in start..scored.predictions.len() {
        let texts = &scored.batch.texts[row * categories..(row + 1) * categories];
        let bytes = NUMBER * (schema.inputs().len() + 2)
            + private
            + scored.association_ids[row].len()
            + texts.iter().flatten().map(|text| text.len()).sum::<usize>();
        if count > 0 && bytes > left {
            break;
        }
        left = left.saturating_sub(bytes);
        count += 1;
    }
    count
}

/// The outbox on disk.
#[derive(Debug)]
pub(crate) struct Disk(pub(crate) spool::Outbox);

impl Keep for Disk {
    fn max_record_bytes(&self) -> usize {
        self.0.record_bytes()
    }

    fn observe(&self, record: &[u8]) -> bool {
        self.0.append(record, Class::Observe).is_ok()
    }

    fn durable(&self, record: &[u8]) -> Option<Ticket> {
        let receipt = self.0.append(record, Class::Durable).ok()?;
        Some(Box::pin(async move { receipt.settled().await.is_ok() }))
    }

    fn trouble(&self) -> Option<String> {
        let status = self.0.status();
        match status.state {
            OutboxState::Healthy if status.at_cap => Some("it is full up to its cap".to_owned()),
            OutboxState::Healthy => None,
            OutboxState::Degraded { error } => Some(format!("the disk fails: {error}")),
            OutboxState::DiskFull => Some("the disk is full".to_owned()),
            OutboxState::Closed => Some("it is closed".to_owned()),
        }
    }

    fn status(&self) -> Option<spool::OutboxStatus> {
        Some(self.0.status())
    }
}

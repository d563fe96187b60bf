//! The wire form: the JSON envelope of the public `datarobot-mlops` library, as its readers accept it.
//!
//! This file writes it; [`read`](mod@read) reads what anybody may have written, [`binary`] knows the second form that spool
//! files may have, and [`rest`] is the shape that the MLOps server takes.
//!
//! A message is one JSON object `{"header": {…}, "data": "…"}`, where `data` is itself JSON *in a string*. A record
//! becomes
//!
//! 1. for a request for predictions, one `DEPLOYMENT_STATS` message, unless it is a later part of a request that was cut in parts, so that no
//!    request is counted twice;
//! 2. one `PREDICTIONS_DATA` message for each piece of its rows. The channel says how large a piece may be, in rows
//!    and in bytes; a piece that is over the bytes is halved, down to a single row, which is given out whatever
//!    its size. All pieces carry the request's timestamp; readers join nothing else;
//! 3. for a request with actuals, one `ACTUALS_DATA` message for each piece of them, cut in the same way. An actual
//!    without a time of its own has the record's, so that of two for one prediction the later one is known.
//!
//! Readers reject `NaN`, so a missing value is `null`, and so is a prediction that is not finite. A row is never
//! left out for it.
//!
//! The header names the package that gave the numbers, the part it plays, and the gateway, in three keys of our own:
//! `modelDigest` (`sha256:<hex>`), `role` (`canary` or `challenger`; without it the champion) and `gateway`. They are in the header because
//! readers let unknown keys of the header pass, and drop those of a payload. They are left out where nothing is known.
//!
//! Sent twice with the same limits, a record gives the same bytes: the header's id is a version 5 UUID in the
//! namespace of the store, made of the sequence number (64 bits) and of which rows the message holds: the first one
//! and how many (32 bits each, all big-endian), and for actuals one byte more, the number of `ACTUALS_DATA`. Naming the rows, not the piece's place, keeps a reader that drops
//! repeats from losing rows when the limits have changed between two tries.

mod actuals;
pub mod binary;
mod data_type;
pub mod read;
pub mod rest;
mod timestamp;

use std::num::NonZeroUsize;
use std::ops::Range;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use uuid::Uuid;

use self::actuals::ActualsData;
pub use self::data_type::DataType;
pub use self::timestamp::{Moment, Timestamp};
use crate::{
    Actual, ActualsRecord, Column, ModelDigest, Outcome, Payload, PredictionRecord, Record, Role,
    Rows, Values,
};

/// What the envelope calls the program that wrote it.
const LANGUAGE: &str = "rust";
/// The version of the envelope.
const ENVELOPE_VERSION: u8 = 2;

/// What sets the ids of messages with actuals apart: the number of their kind, see [`DataType::number`].
const ACTUALS_NUMBER: u8 = 9;

/// The name of a record that never changes: which store gave it which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordId {
    /// The outbox that holds the record.
    pub store: Uuid,
    /// The record's number there.
    pub seq: u64,
}

/// How large one message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most rows in a message.
    pub rows: NonZeroUsize,
    /// Most bytes in a message; one that holds a single row may be larger.
    pub bytes: usize,
}

/// One message, ready for a queue or, with a newline, for a spool file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The header's id.
    pub id: Uuid,
    /// What the message tells.
    pub data_type: DataType,
    /// The envelope: UTF-8 JSON without a line break.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    header: Header<'a>,
    data: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    id: Uuid,
    deployment_id: &'a str,
    data_type: DataType,
    data_format: &'static str,
    data_len: Option<u64>,
    version: u8,
    language: &'static str,
    lib_version: &'static str,
    reserved: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_digest: Option<ModelDigest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentStats<'a> {
    timestamp: &'a str,
    model_id: &'a str,
    num_predictions: u32,
    execution_time: f64,
    user_error: bool,
    system_error: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PredictionsData<'a> {
    timestamp: &'a str,
    model_id: &'a str,
    features: Features<'a>,
    predictions: &'a [f64],
    association_ids: &'a [std::borrow::Cow<'a, str>],
}

/// The columns of a piece as one JSON object, in the order of the record.
struct Features<'a> {
    columns: &'a [Column<'a>],
    rows: Range<usize>,
}

/// What all messages of one record share.
struct Renderer<'a> {
    record: &'a Record<'a>,
    id: RecordId,
    limits: Limits,
    timestamp: String,
    out: Vec<Message>,
}

/// The messages of a record, in the order in which they are to be sent. The lists of its rows must be equally long,
/// as they are in every record that [`Record::decode`] gives.
pub fn messages(record: &Record<'_>, id: RecordId, limits: Limits) -> Vec<Message> {
    let timestamp = timestamp(record.timestamp_us);
    let mut renderer = Renderer { record, id, limits, timestamp, out: Vec::new() };
    match &record.payload {
        Payload::Prediction(prediction) => {
            if prediction.part == 0 {
                renderer.stats(prediction);
            }
            if let Some(rows) = &prediction.rows {
                renderer
                    .pieces(rows.predictions.len(), |renderer, range| renderer.rows(rows, range));
            }
        }
        Payload::Actuals(ActualsRecord { actuals, .. }) => {
            renderer.pieces(actuals.len(), |renderer, range| renderer.actuals(actuals, range));
        }
    }
    renderer.out
}

/// `2026-11-24 23:29:16.242+0000`, in UTC. A clock beyond the calendar shows its last day, rather than nothing.
fn timestamp(us: i64) -> String {
    let end = if us < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    let time = jiff::Timestamp::from_microsecond(us).unwrap_or(end);
    time.strftime("%Y-%m-%d %H:%M:%S%.3f%z").to_string()
}

impl Renderer<'_> {
    fn stats(&mut self, prediction: &PredictionRecord<'_>) {
        let body = self.envelope(
            DataType::DeploymentStats,
            0..0,
            &DeploymentStats {
                timestamp: &self.timestamp,
                model_id: &self.record.model_id,
                num_predictions: prediction.predictions,
                execution_time: prediction.execution_us as f64 / 1000.0,
                user_error: prediction.outcome == Outcome::UserError,
                system_error: prediction.outcome == Outcome::SystemError,
            },
        );
        self.out.push(body);
    }

    /// Adds all `rows` in pieces as large as the limits allow.
    fn pieces(&mut self, rows: usize, render: impl Fn(&Self, Range<usize>) -> Message) {
        let mut first = 0;
        while first < rows {
            let mut count = self.limits.rows.get().min(rows - first);
            loop {
                let message = render(self, first..first + count);
                if message.body.len() <= self.limits.bytes || count == 1 {
                    self.out.push(message);
                    break;
                }
                count = count.div_ceil(2);
                // The next piece starts with what fitted, so that wide rows are not rendered over and over.
                self.limits.rows = NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
            }
            first += count;
        }
    }

    fn rows(&self, rows: &Rows<'_>, range: Range<usize>) -> Message {
        let data = PredictionsData {
            timestamp: &self.timestamp,
            model_id: &self.record.model_id,
            features: Features { columns: &rows.columns, rows: range.clone() },
            predictions: &rows.predictions[range.clone()],
            association_ids: &rows.association_ids[range.clone()],
        };
        self.envelope(DataType::PredictionsData, range, &data)
    }

    fn actuals(&self, actuals: &[Actual<'_>], range: Range<usize>) -> Message {
        let data =
            ActualsData::new(&actuals[range.clone()], &self.timestamp, &self.record.model_id);
        self.envelope(DataType::ActualsData, range, &data)
    }

    fn envelope(&self, data_type: DataType, rows: Range<usize>, data: &impl Serialize) -> Message {
        let id = message_id(self.id, data_type, rows);
        let data = serde_json::to_string(data).expect("texts and numbers are always JSON");
        let envelope = Envelope {
            header: Header {
                id,
                deployment_id: &self.record.deployment_id,
                data_type,
                data_format: "json",
                data_len: None,
                version: ENVELOPE_VERSION,
                language: LANGUAGE,
                lib_version: env!("CARGO_PKG_VERSION"),
                reserved: "",
                model_digest: self.record.model_digest,
                role: Some(self.record.role).filter(|role| *role != Role::Champion),
                gateway: self.record.gateway.as_deref(),
            },
            data: &data,
        };
        let mut body = Vec::with_capacity(data.len() * 5 / 4 + 256);
        serde_json::to_writer(&mut body, &envelope).expect("texts and numbers are always JSON");
        Message { id, data_type, body }
    }
}

/// The id of the message with these rows or actuals of a record; no rows for the message about the request.
fn message_id(id: RecordId, data_type: DataType, rows: Range<usize>) -> Uuid {
    let mut name = [0; 17];
    name[..8].copy_from_slice(&id.seq.to_be_bytes());
    name[8..12].copy_from_slice(&(rows.start as u32).to_be_bytes());
    name[12..16].copy_from_slice(&(rows.len() as u32).to_be_bytes());
    name[16] = ACTUALS_NUMBER;
    let length = if data_type == DataType::ActualsData { 17 } else { 16 };
    Uuid::new_v5(&id.store, &name[..length])
}

impl Serialize for Features<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for column in self.columns {
            match &column.values {
                Values::Numbers(values) => {
                    map.serialize_entry(&column.name, &values[self.rows.clone()])?;
                }
                Values::Texts(values) => {
                    map.serialize_entry(&column.name, &values[self.rows.clone()])?;
                }
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;

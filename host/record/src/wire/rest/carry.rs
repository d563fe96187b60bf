//! From a message to what goes into calls: whose it is, of what kind, and the entries, ready to be sent.
//!
//! Rows are handed on as they came: what the tolerant reader takes for a number in a text leaves as a number, and
//! nothing else changes. A message with more rows than an entry may have is cut; each piece has an id of its own
//! ([`Origin`]), which depends on the message and on the limit only, so that a message that is carried again is cut alike.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::Value;

use super::{Flags, Origin, PredictionInput, PredictionRequest, PredictionStat, entries, fast};
use crate::wire::read::{
    Actual, ActualsData, CustomMetric, Envelope, Event, Payload, PredictionsData, ReadError,
};

/// What the library's agent has for `samplesGroupSizeForMLOpsAPIEndpoint`.
const ROWS_PER_ENTRY: usize = 100;
/// The most outcomes of a call, as the library's clients have it.
const ACTUALS_PER_PIECE: usize = 10_000;
/// What the library's agent has for `maxFeaturesToMonitor`.
const FEATURES: usize = 300;

/// How much of a message goes into one entry, and what stands in for what it does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarryLimits {
    /// Most rows of an entry.
    pub rows_per_entry: usize,
    /// Most outcomes of a piece.
    pub actuals_per_piece: usize,
    /// Most features; those behind them are left out.
    pub features: usize,
    /// The deployment of messages that name none and need one.
    pub deployment_id: Option<String>,
    /// The model of messages that name none.
    pub model_id: Option<String>,
}

impl Default for CarryLimits {
    fn default() -> Self {
        Self {
            rows_per_entry: ROWS_PER_ENTRY,
            actuals_per_piece: ACTUALS_PER_PIECE,
            features: FEATURES,
            deployment_id: None,
            model_id: None,
        }
    }
}

/// What a message becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The message's own id.
    pub record_id: Option<String>,
    /// The deployment that it belongs to.
    pub deployment_id: Option<String>,
    /// What calls it can go into.
    pub kind: Kind,
    /// What it tells, in order; a sign of life has none.
    pub pieces: Vec<Piece>,
    /// Features that were left out.
    pub features_left_out: usize,
}

/// What calls a message can go into.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `predictionRequests/fromJSON/`.
    Requests,
    /// `predictionInputs/fromJSON/`, with others that agree in what they count for.
    Inputs(Flags),
    /// `predictionStats/fromJSON/`.
    Stats,
    /// `actuals/fromJSON/`.
    Actuals,
    /// `customMetrics/<id>/fromJSON/`, each in a call of its own.
    CustomMetric(String),
    /// `remoteEvents/`, each in a call of its own.
    Event,
    /// A sign of life, for whoever reads the channel.
    Ping,
}

/// A part of a call's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How many rows, or outcomes, it has; an entry about a request counts as one.
    pub rows: usize,
    /// One entry, or several separated by commas; for the kinds that travel alone the whole body.
    pub json: Vec<u8>,
}

/// Reads a message in JSON.
///
/// # Errors
///
/// When it cannot be used; the error names the field.
pub fn carry(bytes: &[u8], limits: &CarryLimits) -> Result<Carried, ReadError> {
    if let Some(carried) = fast::carry(bytes, limits) {
        return Ok(carried);
    }
    match (Envelope::read(bytes), &limits.deployment_id) {
        (Ok(envelope), _) => Ok(carry_envelope(envelope, limits)),
        (Err(ReadError::Missing { field }), Some(deployment)) if field == "header.deploymentId" => {
            let named = with_deployment(bytes, deployment);
            Envelope::read(&named).map(|envelope| carry_envelope(envelope, limits))
        }
        (Err(error), _) => Err(error),
    }
}

/// Reads a message in the binary form.
///
/// # Errors
///
/// When it is damaged or cannot be used.
pub fn carry_binary(bytes: &[u8], limits: &CarryLimits) -> Result<Carried, ReadError> {
    Ok(carry_envelope(Envelope::read_binary(bytes)?, limits))
}

/// The message with a deployment in its header. One that cannot be changed comes back as it is, and is refused again.
fn with_deployment(bytes: &[u8], deployment: &str) -> Vec<u8> {
    let Ok(mut message) = serde_json::from_slice::<Value>(bytes) else { return bytes.to_vec() };
    if let Some(header) = message.get_mut("header").and_then(Value::as_object_mut) {
        header.insert("deploymentId".to_owned(), deployment.into());
    }
    message.to_string().into_bytes()
}

fn carry_envelope(mut envelope: Envelope, limits: &CarryLimits) -> Carried {
    let mut features_left_out = 0;
    if let Some(model) = &limits.model_id {
        model_of(&mut envelope.payload).map(|field| field.get_or_insert_with(|| model.clone()));
    }
    let deployment_id = envelope.deployment_id().map(str::to_owned);
    let Envelope { header, payload } = envelope;
    let origin = Origin::from(&header);
    let (kind, pieces) = match payload {
        Payload::DeploymentStats(stats) => {
            (Kind::Requests, vec![one(&PredictionRequest(&stats, origin.clone()))])
        }
        Payload::PredictionsData(mut data) => {
            if let Some(features) = &mut data.features {
                features_left_out = features.len().saturating_sub(limits.features);
                features.truncate(limits.features);
            }
            let kind = Kind::Inputs(PredictionInput(&data, Origin::default()).flags());
            (kind, rows(data, &origin, limits.rows_per_entry.max(1)))
        }
        Payload::PredictionStats(stats) => {
            (Kind::Stats, vec![one(&PredictionStat(&stats, origin.clone()))])
        }
        Payload::ActualsData(data) => {
            (Kind::Actuals, outcomes(&data, &origin, limits.actuals_per_piece.max(1)))
        }
        Payload::CustomMetric(metric) => {
            let body = one(&MetricBody(&metric, &origin));
            (Kind::CustomMetric(metric.custom_metric_id), vec![body])
        }
        Payload::Event(event) => (Kind::Event, vec![one(&EventBody(&event, &origin))]),
        Payload::Ping(_) => (Kind::Ping, Vec::new()),
    };
    Carried { record_id: header.id, deployment_id, kind, pieces, features_left_out }
}

fn model_of(payload: &mut Payload) -> Option<&mut Option<String>> {
    match payload {
        Payload::DeploymentStats(stats) => Some(&mut stats.model_id),
        Payload::PredictionsData(data) => Some(&mut data.model_id),
        Payload::PredictionStats(stats) => Some(&mut stats.model_id),
        _other => None,
    }
}

fn one(entry: &impl Serialize) -> Piece {
    Piece { rows: 1, json: json(entry) }
}

fn json(entry: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(entry).expect("what was read from JSON is JSON")
}

/// The pieces of a table, in order.
fn rows(mut data: PredictionsData, origin: &Origin<'_>, most: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let all = data.rows();
    // From the end, so that what is left does not have to move.
    for place in (0..all.div_ceil(most).max(1)).rev() {
        let part = if place == 0 {
            std::mem::take(&mut data)
        } else {
            split_off(&mut data, place * most, all)
        };
        let rows = part.rows();
        pieces.push(Piece { rows, json: json(&PredictionInput(&part, origin.piece(place))) });
    }
    pieces.reverse();
    pieces
}

/// Takes the rows from `at` on off. A list that is not a row's own stays whole in every piece.
fn split_off(data: &mut PredictionsData, at: usize, all: usize) -> PredictionsData {
    fn cut<T: Clone>(list: &mut Option<Vec<T>>, at: usize, whole: bool) -> Option<Vec<T>> {
        list.as_mut().map(|list| if whole { list.clone() } else { list.split_off(at) })
    }
    let rows = data.rows();
    let features = data.features.as_mut().map(|features| {
        let cut = |feature: &mut crate::wire::read::Feature| crate::wire::read::Feature {
            name: feature.name.clone(),
            values: feature.values.split_off(at),
        };
        features.iter_mut().map(cut).collect()
    });
    let own = |len: Option<usize>| len.is_some_and(|len| len != rows);
    let whole = [
        own(data.forecast_distance.as_ref().map(Vec::len)),
        own(data.row_index.as_ref().map(Vec::len)),
        own(data.partition.as_ref().map(Vec::len)),
        own(data.series_id.as_ref().map(Vec::len)),
    ];
    debug_assert!(at < rows && rows <= all);
    PredictionsData {
        timestamp: data.timestamp.clone(),
        model_id: data.model_id.clone(),
        batch_id: data.batch_id.clone(),
        features,
        predictions: cut(&mut data.predictions, at, false),
        association_ids: cut(&mut data.association_ids, at, false),
        class_names: data.class_names.clone(),
        skip_drift_tracking: data.skip_drift_tracking,
        skip_accuracy_tracking: data.skip_accuracy_tracking,
        request_parameters: data.request_parameters.clone(),
        forecast_distance: cut(&mut data.forecast_distance, at, whole[0]),
        row_index: cut(&mut data.row_index, at, whole[1]),
        partition: cut(&mut data.partition, at, whole[2]),
        series_id: cut(&mut data.series_id, at, whole[3]),
        extra: data.extra.clone(),
    }
}

/// All pieces of one message share its id: an outcome is known by that and its association id.
fn outcomes(data: &ActualsData, origin: &Origin<'_>, most: usize) -> Vec<Piece> {
    let piece = |actuals: &[Actual]| {
        let mut text = Vec::new();
        for (place, actual) in actuals.iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            text.extend(json(&ActualEntry(actual, origin)));
        }
        Piece { rows: actuals.len(), json: text }
    };
    data.actuals_list.chunks(most).map(piece).collect()
}

/// An entry of an `actuals/fromJSON/` call.
#[derive(Clone, Copy, Debug)]
pub struct ActualEntry<'a>(pub &'a Actual, pub &'a Origin<'a>);

impl Serialize for ActualEntry<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(actual, origin) = self;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("associationId", &actual.association_id)?;
        map.serialize_entry("actualValue", &actual.actual_value)?;
        entries!(map, "wasActedOn": actual.was_acted_on, "timestamp": actual.timestamp);
        origin.serialize_into(&mut map)?;
        map.end()
    }
}

struct MetricBody<'a>(&'a CustomMetric, &'a Origin<'a>);

impl Serialize for MetricBody<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(metric, origin) = self;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("modelId", &metric.model_id)?;
        map.serialize_entry("buckets", &metric.buckets)?;
        origin.serialize_into(&mut map)?;
        map.end()
    }
}

struct EventBody<'a>(&'a Event, &'a Origin<'a>);

impl Serialize for EventBody<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(event, origin) = self;
        let mut map = to.serialize_map(None)?;
        entries!(map,
            "timestamp": event.timestamp,
            "eventType": event.event_type,
            "message": event.message,
            "orgId": event.org_id,
            "deploymentId": event.deployment_id,
            "data": event.data,
        );
        origin.serialize_into(&mut map)?;
        map.end()
    }
}

#[cfg(test)]
mod tests;

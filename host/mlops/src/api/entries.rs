//! What clients report, for the document: bodies are read by a reader of their own, which is fast and takes more ways of
//! writing a thing than there are here (a number in a text, a list of one for one). A test holds these types against it.

#![expect(dead_code, reason = "only their schemas are used")]

use std::convert::Infallible;
use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use schemars::JsonSchema;

/// The bytes of a body in which there should be this.
#[derive(Debug)]
pub(super) struct Raw<T>(pub(super) Result<Bytes, BytesRejection>, PhantomData<T>);

impl<T, S: Send + Sync> FromRequest<S> for Raw<T> {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Bytes::from_request(request, state).await, PhantomData))
    }
}

/// Entries of a call.
#[derive(JsonSchema)]
pub(super) struct Entries<T> {
    /// The entries; good ones are taken when others are refused.
    data: Vec<T>,
}

/// Where an entry comes from, which other servers ignore.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct Origin {
    /// The message's own id: a record counts once, however often it is sent.
    record_id: Option<String>,
    /// The package that gave the numbers, `sha256:<hex>`.
    model_digest: Option<String>,
    /// The part that it plays in its deployment, `canary` or `challenger`; the champion's is not said.
    role: Option<String>,
    /// The gateway that answered.
    gateway: Option<String>,
}

/// A request for predictions, and how it went.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct RequestEntry {
    /// When, as RFC 3339; a time without an offset is in UTC.
    timestamp: Option<String>,
    /// The model that answered.
    model_id: Option<String>,
    /// The batch that it belongs to.
    batch_id: Option<String>,
    /// How many predictions it got.
    num_predictions: Option<u64>,
    /// How long it took, milliseconds.
    execution_time: Option<f64>,
    /// It failed, and the caller is to blame.
    user_error: Option<bool>,
    /// It failed, and the model or what runs it is to blame.
    system_error: Option<bool>,
    #[schemars(flatten)]
    origin: Origin,
}

/// Rows with their predictions.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct Inputs {
    /// The entries; good ones are taken when others are refused.
    data: Vec<InputEntry>,
    /// The rows do not count for drift: they came before, in sums.
    skip_drift_tracking: Option<bool>,
    /// The rows do not count for accuracy.
    skip_accuracy_tracking: Option<bool>,
}

/// Rows of one request.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct InputEntry {
    /// When, as RFC 3339; a time without an offset is in UTC.
    timestamp: Option<String>,
    /// The model that answered.
    model_id: Option<String>,
    /// The batch that they belong to.
    batch_id: Option<String>,
    /// The columns, as long as each other.
    features: Option<Vec<Column>>,
    /// What the model said, one a row.
    predictions: Option<Predictions>,
    /// The keys by which outcomes join, one a row.
    association_ids: Option<Vec<Option<String>>>,
    /// The classes, in the order of the probabilities.
    class_names: Option<Vec<String>>,
    #[schemars(flatten)]
    origin: Origin,
}

/// A column.
#[derive(JsonSchema)]
pub(super) struct Column {
    /// Its name.
    name: String,
    /// Its values, one a row.
    values: Vec<Scalar>,
}

/// A value of a column; null where it is missing.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Scalar {
    Number(f64),
    Text(String),
    Boolean(bool),
    Missing(()),
}

/// What a model said.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Predictions {
    /// Numbers, of a regression.
    Numbers(Vec<Option<f64>>),
    /// Probabilities for the classes, in their order.
    Probabilities(Vec<Vec<f64>>),
    /// Texts.
    Texts(Vec<String>),
}

/// Rows that were summed up where they were made.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct StatsEntry {
    /// When, as RFC 3339; a time without an offset is in UTC.
    timestamp: Option<String>,
    /// The model that answered.
    model_id: Option<String>,
    /// All records that are in the sum: it is taken when none of them was.
    record_ids: Option<Vec<String>>,
    /// The columns.
    features: Option<Vec<SummedColumn>>,
    /// The predictions: one sum for a regression, one for each class otherwise.
    predictions: Option<SummedPredictions>,
    /// The classes, in the order of the predictions.
    class_names: Option<Vec<String>>,
    #[schemars(flatten)]
    origin: Origin,
}

/// A column, summed up. What it came to stands beside its name, or in `stats`.
#[derive(JsonSchema)]
pub(super) struct SummedColumn {
    /// Its name.
    name: String,
    /// What its values came to.
    stats: Option<Sum>,
    #[schemars(flatten)]
    sum: Sum,
}

/// Predictions, summed up.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum SummedPredictions {
    /// Of a regression.
    Numbers(Sum),
    /// One sum for each class.
    Classes(Vec<Sum>),
}

/// What the values of a column came to.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct Sum {
    /// Values that are there.
    count: Option<u64>,
    /// Values that are not.
    missing_count: Option<u64>,
    /// The levels of a categorical column.
    categories: Option<Levels>,
    /// What numbers came to.
    numeric_stats: Option<NumericSum>,
}

/// What numbers came to.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct NumericSum {
    /// How many there are.
    count: Option<u64>,
    /// Their sum.
    sum: Option<f64>,
    /// The smallest; not used here.
    min: Option<f64>,
    /// The largest; not used here.
    max: Option<f64>,
    /// The sum of their squares; not used here.
    sum_of_squares: Option<f64>,
    /// Where they are.
    histogram: Option<Centroids>,
    /// Rows in which this class won.
    decision_count: Option<u64>,
}

/// Numbers, each with how many are about it.
#[derive(JsonSchema)]
pub(super) struct Centroids {
    /// The numbers.
    centroids: Vec<f64>,
    /// How many are about each.
    counts: Vec<u64>,
}

/// Levels, each with how often it was there.
#[derive(JsonSchema)]
pub(super) struct Levels {
    /// The levels.
    values: Vec<String>,
    /// How often each was there.
    counts: Vec<u64>,
}

/// An outcome.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct ActualEntry {
    /// The key by which it joins predictions.
    association_id: String,
    /// What happened: a number, or a class.
    actual_value: Actual,
    /// Somebody acted on the prediction; not used here.
    was_acted_on: Option<bool>,
    /// When it became known, as RFC 3339; a later one takes the place of an earlier one.
    timestamp: Option<String>,
    #[schemars(flatten)]
    origin: Origin,
}

/// What happened.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Actual {
    Number(f64),
    Text(String),
    Boolean(bool),
}

/// Values of a metric.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct MetricValues {
    /// The model that they are of; not said where they are the deployment's own.
    model_id: Option<String>,
    /// The values.
    buckets: Vec<MetricValue>,
    #[schemars(flatten)]
    origin: Origin,
}

/// A value of a metric.
#[derive(JsonSchema)]
pub(super) struct MetricValue {
    /// When, as RFC 3339; now where it is not said.
    timestamp: Option<String>,
    /// The value.
    value: f64,
}

/// Something that happened. What else is in it is kept as it came.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct EventEntry {
    /// Its id: an event is stored once.
    record_id: Option<String>,
    /// The deployment; an event without one is of the whole.
    deployment_id: Option<String>,
    /// When, as RFC 3339; now where it is not said.
    timestamp: Option<String>,
    /// What kind of thing.
    event_type: Option<String>,
    #[schemars(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

#[cfg(test)]
mod tests;

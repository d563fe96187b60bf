//! Monitoring batches: predictions that belong together, such as those of one night's run. A batch is made here or by
//! the first record that names it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::here::Here;
use super::service::trained;
use super::shape::{Body, List, Page, Queried, page};
use super::stretch::Query;
use super::{App, Fault};
use crate::registry::Definition;
use crate::report::{Moment, Predicted};
use crate::store::BatchCounts;

/// The kind of its definitions.
pub(super) const BATCH: &str = "batch";
/// The words that clients look for.
const NOT_FOUND: &str = "Monitoring batch not found";

/// What a client says of one.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewBatch {
    /// What people call it.
    batch_name: String,
    /// In their words.
    #[serde(default)]
    description: Option<String>,
    /// Where its predictions come from.
    #[serde(default)]
    external_context_url: Option<String>,
    /// What else was said, as it came.
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// A batch as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Batch {
    /// Its id, which records have as `batchId`.
    id: String,
    /// What people call it; its id where nobody made it.
    batch_name: String,
    /// In their words.
    description: Option<String>,
    /// Where its predictions come from.
    external_context_url: Option<String>,
    /// When it was made, or its first record happened.
    created_at: Moment,
    /// When its first record happened.
    earliest_prediction_timestamp: Option<Moment>,
    /// When its last one did.
    latest_prediction_timestamp: Option<Moment>,
    /// What came in it.
    #[serde(flatten)]
    numbers: Numbers,
}

/// What came in a batch.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Numbers {
    /// Predictions that requests got.
    total_predictions: i64,
    /// Requests.
    total_requests: i64,
    /// Requests that failed and the caller was to blame, as a part of all.
    user_error_rate: f64,
    /// Requests that failed and the model or what runs it was to blame, as a part of all.
    server_error_rate: f64,
    /// Rows with their predictions.
    row_count: i64,
    /// The mean of the predictions: of the number, or of the positive class's probability (the last one's of several).
    mean_predicted_value: Option<f64>,
}

impl Numbers {
    fn of(counts: &BatchCounts) -> Self {
        let rate = |part: i64| part as f64 / counts.requests.max(1) as f64;
        let mean = counts.prediction_sum / counts.prediction_count as f64;
        Self {
            total_predictions: counts.predictions,
            total_requests: counts.requests,
            user_error_rate: rate(counts.user_errors),
            server_error_rate: rate(counts.system_errors),
            row_count: counts.rows,
            mean_predicted_value: Some(mean).filter(|mean| mean.is_finite()),
        }
    }
}

impl Batch {
    fn of(definition: Option<&Definition>, counts: Option<&BatchCounts>) -> Self {
        let said = |key: &str| Some(definition?.body.get(key)?.as_str()?.to_owned());
        let id = definition.map(|it| &it.id).or_else(|| counts.map(|it| &it.batch_id));
        let id = id.cloned().unwrap_or_default();
        let first = counts.map(|counts| Moment(counts.first_us));
        Self {
            batch_name: said("batchName").unwrap_or_else(|| id.clone()),
            id,
            description: said("description"),
            external_context_url: said("externalContextUrl"),
            created_at: definition
                .map(|definition| Moment(definition.created_us))
                .or(first)
                .unwrap_or(Moment(0)),
            earliest_prediction_timestamp: first,
            latest_prediction_timestamp: counts.map(|counts| Moment(counts.last_us)),
            numbers: counts.map(Numbers::of).unwrap_or_default(),
        }
    }
}

/// All batches of a deployment: those that were made, the oldest first, then those that only records name.
async fn all(app: &App, deployment: &str) -> Result<Vec<Batch>, Fault> {
    app.registry.deployment(deployment)?;
    let made = app.registry.definitions(deployment, BATCH).await?;
    let counts = app.registry.store().batches(deployment).await?;
    let mut counts: BTreeMap<&str, &BatchCounts> =
        counts.iter().map(|counts| (&*counts.batch_id, counts)).collect();
    let made = made.iter().map(|batch| Batch::of(Some(batch), counts.remove(&*batch.id)));
    let mut all: Vec<Batch> = made.collect();
    all.extend(counts.into_values().map(|counts| Batch::of(None, Some(counts))));
    Ok(all)
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<NewBatch>,
) -> Result<(StatusCode, Json<Batch>), Fault> {
    let batch = body?.0;
    if batch.batch_name.trim().is_empty() {
        return Err(Fault::field("batchName", "must not be empty"));
    }
    let definition = app.registry.define(&id, BATCH, json!(batch)).await?;
    Ok((StatusCode::CREATED, Json(Batch::of(Some(&definition), None))))
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<List<Batch>>, Fault> {
    let part = part?.0;
    let mut all = all(&app, &id).await?;
    all.retain(|batch| part.finds(&batch.id, &[&batch.batch_name]));
    Ok(Json(page(&app, &here, &part, all.into_iter())?))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path((id, batch)): Path<(String, String)>,
) -> Result<Json<Batch>, Fault> {
    let found = all(&app, &id).await?.into_iter().find(|other| other.id == batch);
    Ok(Json(found.ok_or_else(|| Fault::missing(NOT_FOUND))?))
}

/// Which batches.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Wanted {
    /// This one alone.
    batch_id: Option<String>,
}

/// The predictions of batches.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct PredictionsOverBatch {
    /// What training had, for each model where that is known.
    baselines: Vec<Predicted>,
    /// What the batches had.
    buckets: Vec<PredictedBatch>,
}

/// The predictions of a batch.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PredictedBatch {
    /// The batch.
    batch: BatchName,
    /// Rows with their predictions.
    row_count: i64,
    /// The mean of the predictions: of the number, or of the positive class's probability (the last one's of several).
    mean_predicted_value: Option<f64>,
}

/// Which batch.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BatchName {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// When it was made, or its first record happened.
    created_at: Moment,
    /// When its last record happened.
    last_prediction_timestamp: Option<Moment>,
}

/// The predictions of one batch, or of all.
pub(super) async fn predictions(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    wanted: Queried<Wanted>,
) -> Result<Json<PredictionsOverBatch>, Fault> {
    let wanted = wanted?.0.batch_id;
    let mut all = all(&app, &id).await?;
    all.retain(|batch| wanted.as_ref().is_none_or(|wanted| *wanted == batch.id));
    if wanted.is_some() && all.is_empty() {
        return Err(Fault::missing(NOT_FOUND));
    }
    let bucket = |batch: Batch| PredictedBatch {
        batch: BatchName {
            id: batch.id,
            name: batch.batch_name,
            created_at: batch.created_at,
            last_prediction_timestamp: batch.latest_prediction_timestamp,
        },
        row_count: batch.numbers.row_count,
        mean_predicted_value: batch.numbers.mean_predicted_value,
    };
    let buckets = all.into_iter().map(bucket).collect();
    let known = app.registry.deployment(&id)?;
    let baselines = trained(&known, &Query::default()).iter().map(Predicted::of).collect();
    Ok(Json(PredictionsOverBatch { baselines, buckets }))
}

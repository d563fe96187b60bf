//! Files that clients upload: training data that packages name, rows for jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::file::file;
use super::here::Here;
use super::jobs::Done;
use super::shape::{Body, List, Page, Queried, page};
use super::{App, Fault, jobs};
use crate::registry::{Dataset, new_id};
use crate::report::Moment;
use crate::store::StoredEvent;

/// The type of the event that a deployment has scored a file.
const SCORED: &str = "scoringDataset";

/// A file as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Dataset")]
pub(super) struct Shown {
    /// Its id.
    dataset_id: String,
    /// Its name where it was.
    name: String,
    /// How long it is, bytes.
    dataset_size: i64,
    /// When it came.
    creation_date: Moment,
    /// It can be used as soon as it is here.
    processing_state: &'static str,
}

impl From<Dataset> for Shown {
    fn from(dataset: Dataset) -> Self {
        Self {
            dataset_id: dataset.id,
            name: dataset.name,
            dataset_size: dataset.bytes,
            creation_date: Moment(dataset.created_us),
            processing_state: "COMPLETED",
        }
    }
}

/// A file that was kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "KeptDataset")]
pub(super) struct Kept {
    /// Its id.
    catalog_id: String,
    /// The same: a file has one version.
    catalog_version_id: String,
}

/// Keeps a file, for a package or a job that names it.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Done<Kept>, Fault> {
    let (name, bytes) = file(request).await?;
    let id = app.registry.add_dataset(&name, &bytes).await?;
    Ok(jobs::done(
        format!("datasets/{id}"),
        Kept { catalog_id: id.clone(), catalog_version_id: id },
    ))
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<List<Shown>>, Fault> {
    let part = part?.0;
    let mut all = app.registry.datasets().await?;
    all.retain(|dataset| part.finds(&dataset.id, &[&dataset.name]));
    Ok(Json(page(&app, &here, &part, all.into_iter().map(Shown::from))?))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Fault> {
    Ok(Json(app.registry.dataset(&id).await?.into()))
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    app.registry.remove_dataset(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ScoredDataset")]
pub(super) struct Scored {
    /// The file, uploaded before.
    dataset_id: String,
}

/// What was taken note of.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "NotedDataset")]
pub(super) struct Noted {
    /// In words.
    message: String,
    /// Rows of it that are counted: none.
    accepted: u64,
}

/// Takes note that a deployment has scored a file. Its rows are not counted: who calls this reports them with their
/// predictions as well, and each row counts once.
pub(super) async fn scored(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<Scored>,
) -> Result<(StatusCode, Json<Noted>), Fault> {
    app.registry.deployment(&id)?;
    let dataset = app.registry.dataset(&body?.0.dataset_id).await?;
    let body = json!({"datasetId": dataset.id, "name": dataset.name});
    let event = StoredEvent {
        id: new_id(),
        deployment_id: id,
        at_us: jiff::Timestamp::now().as_microsecond(),
        kind: SCORED.to_owned(),
        body: body.to_string(),
    };
    app.registry.store().add_event(&event).await?;
    let message = format!(
        "dataset {:?} is noted, and its rows are not counted: report them with their predictions, \
         or by a monitoring job",
        dataset.name
    );
    Ok((StatusCode::ACCEPTED, Json(Noted { message, accepted: 0 })))
}

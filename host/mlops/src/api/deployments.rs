//! Deployments.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::here::Here;
use super::shape::{Body, Page, Queried, moment, page};
use super::{App, Fault, jobs, packages};
use crate::registry::{Known, NewDeployment, Reason, SettingsPatch};

/// Events in one answer.
const EVENTS: i64 = 1000;

/// A deployment as it is shown.
fn shown(known: &Known) -> Value {
    let deployment = &known.deployment;
    let package = known.packages.first();
    json!({
        "id": deployment.id,
        "label": deployment.label,
        "description": deployment.description,
        "status": "active",
        "modelPackage": package.map(|it| packages::shown(it)),
        "model": package.map(|it| json!({
            "id": it.model_id,
            "digest": it.digest,
            "targetName": it.target.name,
            "targetType": it.target.kind,
            "type": it.model_description.model_name,
        })),
        "predictionEnvironment": deployment.prediction_environment_id.as_ref().map(|id| json!({"id": id})),
        "settings": deployment.settings,
        "createdAt": moment(deployment.created_us),
    })
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<Value>, Fault> {
    let part = part?.0;
    let mut all = app.registry.deployments();
    all.retain(|known| part.finds(&known.deployment.id, &[&known.deployment.label]));
    page(&app, &here, &part, all.iter().map(|known| shown(known)))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    Ok(Json(shown(&*app.registry.deployment(&id)?)))
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    body: Body<NewDeployment>,
) -> Result<Response, Fault> {
    let known = app.registry.deploy(body?.0).await?;
    Ok(jobs::done(&format!("deployments/{}", known.deployment.id), shown(&known)))
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    app.registry.undeploy(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replace {
    model_package_id: String,
    reason: Reason,
}

pub(super) async fn replace(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<Replace>,
) -> Result<Response, Fault> {
    let Replace { model_package_id, reason } = body?.0;
    app.registry.replace(&id, &model_package_id, reason).await?;
    Ok(jobs::done(&format!("deployments/{id}"), json!({"message": "ok"})))
}

pub(super) async fn settings(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    Ok(Json(json!(app.registry.deployment(&id)?.deployment.settings)))
}

pub(super) async fn change_settings(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<SettingsPatch>,
) -> Result<Response, Fault> {
    let settings = app.registry.change_settings(&id, body?.0).await?;
    Ok(jobs::done(&format!("deployments/{id}/settings"), json!(settings)))
}

/// Which package served when, the newest first.
pub(super) async fn history(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<Value>, Fault> {
    app.registry.deployment(&id)?;
    let history = app.registry.replacements(&id).await?;
    let shown = history.iter().rev().map(|replacement| {
        json!({
            "modelPackageId": replacement.package_id,
            "digest": replacement.digest,
            "reason": replacement.reason,
            "at": moment(replacement.at_us),
        })
    });
    page(&app, &here, &part?.0, shown)
}

/// What happened, the newest first.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<Value>, Fault> {
    app.registry.deployment(&id)?;
    let events = app.registry.store().events(&id, EVENTS).await?;
    let shown = events.iter().map(|event| {
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        json!({"id": event.id, "at": moment(event.at_us), "eventType": event.kind, "event": body})
    });
    page(&app, &here, &part?.0, shown)
}

/// What was not taken, and whose clocks are wrong.
pub(super) async fn refusals(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.registry.deployment(&id)?;
    let refusals = app.registry.store().refusals(&id).await?;
    let clocks = app.registry.store().skew(&id).await?;
    Ok(Json(json!({"refusals": refusals, "clocks": clocks})))
}

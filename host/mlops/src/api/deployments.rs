//! Deployments.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::here::Here;
use super::jobs::{Done, Said};
use super::shape::{Body, List, Page, Queried, page};
use super::{App, Fault, jobs, packages};
use crate::registry::{Known, NewDeployment, Package, Reason, Settings, SettingsPatch, TargetType};
use crate::report::Moment;
use crate::store::{ClockSkew, Refusal};

/// Events in one answer.
const EVENTS: i64 = 1000;

/// A deployment as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Deployment")]
pub(super) struct Shown {
    /// Its id; records name it.
    id: String,
    /// What people call it.
    label: String,
    /// In people's words.
    description: String,
    /// It is there.
    status: &'static str,
    /// The package that serves.
    model_package: Option<packages::Shown>,
    /// Its model.
    model: Option<Model>,
    /// Where it runs; null where nobody said.
    prediction_environment: Option<InEnvironment>,
    /// By which rules it is watched.
    settings: Settings,
    /// When it was made.
    created_at: Moment,
}

/// A deployment's model.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Model {
    /// By which its records name it.
    id: String,
    /// Its package's digest; null for an external model.
    digest: Option<String>,
    /// What it predicts.
    target_name: String,
    /// What kind of thing that is.
    target_type: TargetType,
    /// Its name where it was made.
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Where a deployment runs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct InEnvironment {
    /// The prediction environment.
    id: String,
}

impl Shown {
    fn of(known: &Known) -> Self {
        let deployment = &known.deployment;
        let package = known.packages.first();
        let model = |package: &Arc<Package>| Model {
            id: package.model_id.clone(),
            digest: package.digest.clone(),
            target_name: package.target.name.clone(),
            target_type: package.target.kind,
            kind: package.model_description.model_name.clone(),
        };
        let environment = deployment.prediction_environment_id.clone();
        Self {
            id: deployment.id.clone(),
            label: deployment.label.clone(),
            description: deployment.description.clone(),
            status: "active",
            model_package: package.map(|package| packages::Shown::of(package)),
            model: package.map(model),
            prediction_environment: environment.map(|id| InEnvironment { id }),
            settings: deployment.settings.clone(),
            created_at: Moment(deployment.created_us),
        }
    }
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<List<Shown>>, Fault> {
    let part = part?.0;
    let mut all = app.registry.deployments();
    all.retain(|known| part.finds(&known.deployment.id, &[&known.deployment.label]));
    Ok(Json(page(&app, &here, &part, all.iter().map(|known| Shown::of(known)))?))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Fault> {
    Ok(Json(Shown::of(&*app.registry.deployment(&id)?)))
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    body: Body<NewDeployment>,
) -> Result<Done<Shown>, Fault> {
    let known = app.registry.deploy(body?.0).await?;
    Ok(jobs::done(format!("deployments/{}", known.deployment.id), Shown::of(&known)))
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    app.registry.undeploy(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Replacement")]
pub(super) struct Replace {
    /// The package that is to serve.
    model_package_id: String,
    /// Why.
    reason: Reason,
}

pub(super) async fn replace(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<Replace>,
) -> Result<Done<Said>, Fault> {
    let Replace { model_package_id, reason } = body?.0;
    app.registry.replace(&id, &model_package_id, reason).await?;
    Ok(jobs::done(format!("deployments/{id}"), jobs::OK))
}

pub(super) async fn settings(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Settings>, Fault> {
    Ok(Json(app.registry.deployment(&id)?.deployment.settings.clone()))
}

pub(super) async fn change_settings(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<SettingsPatch>,
) -> Result<Done<Settings>, Fault> {
    let settings = app.registry.change_settings(&id, body?.0).await?;
    Ok(jobs::done(format!("deployments/{id}/settings"), settings))
}

/// A package took its place in a deployment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ModelHistoryEntry")]
pub(super) struct Entry {
    /// The package.
    model_package_id: String,
    /// Its digest; null for an external model.
    digest: Option<String>,
    /// Why; null for the first package.
    reason: Option<Reason>,
    /// When.
    at: Moment,
}

/// Which package served when, the newest first.
pub(super) async fn history(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<List<Entry>>, Fault> {
    app.registry.deployment(&id)?;
    let history = app.registry.replacements(&id).await?;
    let shown = history.into_iter().rev().map(|replacement| Entry {
        model_package_id: replacement.package_id,
        digest: replacement.digest,
        reason: replacement.reason,
        at: Moment(replacement.at_us),
    });
    Ok(Json(page(&app, &here, &part?.0, shown)?))
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    /// Its id.
    id: String,
    /// When.
    at: Moment,
    /// What kind of thing; empty where that was not said.
    event_type: String,
    /// All of it, as it came.
    event: Value,
}

/// What happened, the newest first.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<List<Event>>, Fault> {
    app.registry.deployment(&id)?;
    let events = app.registry.store().events(&id, EVENTS).await?;
    let shown = events.into_iter().map(|event| Event {
        id: event.id,
        at: Moment(event.at_us),
        event_type: event.kind,
        event: serde_json::from_str(&event.body).unwrap_or_default(),
    });
    Ok(Json(page(&app, &here, &part?.0, shown)?))
}

/// What was not taken, and whose clocks are wrong.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Refusals {
    /// What was not taken, by reason, the most frequent first.
    refusals: Vec<Refusal>,
    /// Clocks that are wrong, by gateway.
    clocks: Vec<ClockSkew>,
}

pub(super) async fn refusals(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Refusals>, Fault> {
    app.registry.deployment(&id)?;
    let refusals = app.registry.store().refusals(&id).await?;
    let clocks = app.registry.store().skew(&id).await?;
    Ok(Json(Refusals { refusals, clocks }))
}

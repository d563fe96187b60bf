//! Prediction environments.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::here::Here;
use super::jobs::{Done, Said};
use super::shape::{Body, List, Page, Queried, page};
use super::{App, Fault, jobs};
use crate::registry::{Environment, NewEnvironment, RegistryError};
use crate::report::Moment;

/// Where deployments run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PredictionEnvironment")]
pub(super) struct Shown {
    /// Its id.
    id: String,
    /// What it is.
    #[serde(flatten)]
    given: NewEnvironment,
    /// When it was made.
    created_at: Moment,
    /// What its agents were last asked to do.
    restarts: Vec<Restarting>,
}

/// An agent is to start again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restarting {
    /// `monitoring` or `management`.
    agent: String,
    /// Even if it works.
    force: bool,
    /// When it was asked.
    at: Moment,
}

impl From<Environment> for Shown {
    fn from(environment: Environment) -> Self {
        let Environment { id, given, created_us, restarts } = environment;
        let restarts = restarts.into_iter().map(|asked| Restarting {
            agent: asked.agent,
            force: asked.force,
            at: Moment(asked.at_us),
        });
        Self { id, given, created_at: Moment(created_us), restarts: restarts.collect() }
    }
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<List<Shown>>, Fault> {
    let part = part?.0;
    let mut all = app.registry.environments().await?;
    all.retain(|environment| part.finds(&environment.id, &[&environment.given.name]));
    Ok(Json(page(&app, &here, &part, all.into_iter().map(Shown::from))?))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Fault> {
    Ok(Json(app.registry.environment(&id).await?.into()))
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    body: Body<NewEnvironment>,
) -> Result<(StatusCode, Json<Shown>), Fault> {
    let environment = app.registry.add_environment(body?.0).await?;
    Ok((StatusCode::CREATED, Json(environment.into())))
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    match app.registry.remove_environment(&id).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        // What clients of the service expect of one that is in use.
        Err(RegistryError::Conflict(message)) => {
            Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, message))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "RestartOfAgents")]
pub(super) struct Restart {
    /// Even if they work.
    force_restart: bool,
}

pub(super) async fn restart_monitoring(
    state: State<Arc<App>>,
    path: Path<String>,
    body: Body<Restart>,
) -> Result<Done<Said>, Fault> {
    restart(state, path, body, "monitoring").await
}

pub(super) async fn restart_management(
    state: State<Arc<App>>,
    path: Path<String>,
    body: Body<Restart>,
) -> Result<Done<Said>, Fault> {
    restart(state, path, body, "management").await
}

async fn restart(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<Restart>,
    agent: &str,
) -> Result<Done<Said>, Fault> {
    app.registry.ask_for_restart(&id, agent, body?.0.force_restart).await?;
    Ok(jobs::done(format!("predictionEnvironments/{id}"), jobs::OK))
}

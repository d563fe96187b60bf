//! The calls that records come by.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::entries::{
    ActualEntry, Entries, EventEntry, Inputs, MetricValues, Raw, RequestEntry, StatsEntry,
};
use super::jobs::Done;
use super::{App, Fault, jobs};
use crate::ingest::{Accepted, DeploymentPlan, EventTaken};
use crate::registry::{
    Description, ExternalPackage, NewDeployment, RegistryError, TargetDescription, TargetType,
};
use crate::store::StoredEvent;

/// Most bytes of an event.
const EVENT_BYTES: usize = 1 << 20;
/// What is predicted by a model that nobody described.
const UNKNOWN_TARGET: &str = "prediction";

type Answer = Result<(StatusCode, Json<Accepted>), Fault>;

macro_rules! calls {
    ($($name:ident($sent:ty) => $take:ident),+ $(,)?) => {
        $(pub(super) async fn $name(
            State(app): State<Arc<App>>,
            Path(id): Path<String>,
            body: Raw<$sent>,
        ) -> Answer {
            let plan = plan(&app, &id).await?;
            Ok((StatusCode::ACCEPTED, Json(app.ingest.$take(&plan, body.0?).await?)))
        })+
    };
}
calls!(
    requests(Entries<RequestEntry>) => prediction_requests,
    inputs(Inputs) => prediction_inputs,
    stats(Entries<StatsEntry>) => prediction_stats,
);

pub(super) async fn actuals(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Raw<Entries<ActualEntry>>,
) -> Result<Done<Accepted>, Fault> {
    let plan = plan(&app, &id).await?;
    let accepted = app.ingest.actuals(&plan, body.0?).await?;
    Ok(jobs::done(format!("deployments/{id}"), accepted))
}

pub(super) async fn custom_metrics(
    State(app): State<Arc<App>>,
    Path((id, metric)): Path<(String, String)>,
    body: Raw<MetricValues>,
) -> Answer {
    let plan = plan(&app, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(app.ingest.custom_metrics(&plan, &metric, body.0?).await?)))
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "AcceptedEvent")]
pub(super) struct Noted {
    /// `ok`.
    message: &'static str,
    /// 1 when it was taken.
    accepted: u8,
    /// 1 when it had been taken before.
    duplicates: u8,
}

/// An event. One that names no deployment is of the whole.
pub(super) async fn event(
    State(app): State<Arc<App>>,
    body: Raw<EventEntry>,
) -> Result<(StatusCode, Json<Noted>), Fault> {
    let body = body.0?;
    let taken = take_event(&app, &body).await;
    let counted = match &taken {
        Ok(true) => Some(EventTaken::New),
        Ok(false) => Some(EventTaken::Before),
        // It will come again.
        Err(fault) if fault.is_ours() => None,
        Err(_) => Some(EventTaken::Refused),
    };
    app.ingest.counts().event(body.len(), counted);
    let is_new = taken?;
    let (accepted, duplicates) = (u8::from(is_new), u8::from(!is_new));
    Ok((StatusCode::ACCEPTED, Json(Noted { message: "ok", accepted, duplicates })))
}

/// Stores an event; false when it was stored before.
async fn take_event(app: &App, body: &[u8]) -> Result<bool, Fault> {
    if body.len() > EVENT_BYTES {
        let message = format!("an event has at most {EVENT_BYTES} bytes");
        return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    let event: Value = serde_json::from_slice(body).map_err(|error| {
        Fault::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"))
    })?;
    if !event.is_object() {
        return Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "an event is one object"));
    }
    let text = |key: &str| event[key].as_str().map(str::to_owned);
    let stored = StoredEvent {
        id: text("recordId").unwrap_or_else(|| Uuid::new_v4().to_string()),
        deployment_id: text("deploymentId").unwrap_or_default(),
        at_us: text("timestamp").and_then(|time| when(&time)).unwrap_or_else(now_us),
        kind: text("eventType").unwrap_or_default(),
        body: event.to_string(),
    };
    Ok(app.registry.store().add_event(&stored).await?)
}

fn when(text: &str) -> Option<i64> {
    match record::wire::Timestamp::new(text).moment() {
        record::wire::Moment::Instant(time) => Some(time.as_microsecond()),
        // A wall clock without a place is taken for one in UTC.
        record::wire::Moment::Local(time) => {
            Some(jiff::tz::Offset::UTC.to_timestamp(time).ok()?.as_microsecond())
        }
        record::wire::Moment::Unknown => None,
    }
}

fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// The plan of a deployment. One that nobody made is made where the settings say so.
async fn plan(app: &App, id: &str) -> Result<Arc<DeploymentPlan>, Fault> {
    match app.registry.deployment(id) {
        Ok(known) => Ok(Arc::clone(&known.plan)),
        Err(RegistryError::Missing { .. }) if app.limits.auto_register => {
            let target = TargetDescription {
                name: UNKNOWN_TARGET.to_owned(),
                kind: TargetType::Regression,
                class_names: None,
                prediction_threshold: None,
            };
            let package = app
                .registry
                .add_external(ExternalPackage {
                    name: id.to_owned(),
                    version: None,
                    model_id: None,
                    target,
                    model_description: Description::default(),
                    datasets: Default::default(),
                })
                .await?;
            let made = NewDeployment {
                id: Some(id.to_owned()),
                label: id.to_owned(),
                model_package_id: package.id.clone(),
                ..NewDeployment::default()
            };
            let made = app.registry.deploy(made).await;
            match made {
                Ok(known) => Ok(Arc::clone(&known.plan)),
                // Another call was faster.
                Err(RegistryError::Conflict(_)) => {
                    Ok(Arc::clone(&app.registry.deployment(id)?.plan))
                }
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

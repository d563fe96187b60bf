//! Statistics in the shapes that clients of the service know.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use models::manifest::Distribution;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::here::Here;
use super::reports::drift_report;
use super::shape::{List, Page, Queried, page};
use super::stretch::{Query, Rollups, parts, read};
use super::{App, Fault};
use crate::registry::{Known, Package};
use crate::report::{
    FeatureDrift, Part, PredictionsOverTime, PredictionsVsActuals, ServiceStats, TargetDrift,
    Trained, Window,
};

/// The quantile of execution times when nobody says which.
const MEDIAN: f64 = 0.5;

/// What else clients ask of service health.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Health {
    /// Which quantile of execution times to tell, 0 to 1; the median when it is not said.
    execution_time_quantile: Option<f64>,
    /// From which time on a request is slow, milliseconds; it must be the one of the deployment's settings.
    slow_requests_threshold: Option<f64>,
}

pub(super) async fn service_stats(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Queried<Query>,
    health: Queried<Health>,
) -> Result<Json<ServiceStats>, Fault> {
    let (query, health) = (query?.0, health?.0);
    let (known, rollups) = answers(&app, &id, &query).await?;
    let quantile = health.execution_time_quantile.unwrap_or(MEDIAN);
    if !(0.0..=1.0).contains(&quantile) {
        return Err(Fault::field("executionTimeQuantile", "must be from 0 to 1"));
    }
    let settings = &known.deployment.settings;
    // Requests are counted as slow when they come.
    if health.slow_requests_threshold.is_some_and(|ms| ms != settings.slow_requests_ms) {
        let ms = settings.slow_requests_ms;
        let reason = format!(
            "must be {ms}, by which slow requests of this deployment are counted: change slowRequestsMs in its settings"
        );
        return Err(Fault::field("slowRequestsThreshold", reason));
    }
    let window = query.window()?;
    Ok(Json(ServiceStats::of(&parts(&rollups), window, query.model_id, quantile)))
}

pub(super) async fn predictions_over_time(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Queried<Query>,
) -> Result<Json<PredictionsOverTime>, Fault> {
    let query = query?.0;
    let (known, rollups) = answers(&app, &id, &query).await?;
    let (parts, trained) = (parts(&rollups), trained(&known, &query));
    Ok(Json(PredictionsOverTime::of(&parts, query.window()?, query.buckets()?, &trained)))
}

pub(super) async fn predictions_vs_actuals_over_time(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Queried<Query>,
) -> Result<Json<PredictionsVsActuals>, Fault> {
    let query = query?.0;
    let (known, rollups) = answers(&app, &id, &query).await?;
    let (parts, trained) = (parts(&rollups), trained(&known, &query));
    Ok(Json(PredictionsVsActuals::of(&parts, query.window()?, query.buckets()?, &trained)))
}

/// Without a word on which model is meant: the present one.
pub(super) async fn target_drift(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Queried<Query>,
) -> Result<Json<TargetDrift>, Fault> {
    let query = query?.0;
    let (known, rollups) = answers(&app, &id, &query).await?;
    let report = drift_report(&app, &id, &query).await?;
    let package = known.packages.first();
    let model = query.model_id.or_else(|| package.map(|package| package.model_id.clone()));
    let of_model =
        |part: &&Part<'_>| model.as_ref().is_none_or(|model| *model == part.group.model_id);
    let rows = parts(&rollups).iter().filter(of_model).map(|part| part.rollup.rows).sum();
    let target = package.map_or("", |package| &package.target.name);
    Ok(Json(TargetDrift::of(&report, rows, model, target)))
}

/// How far the features have drifted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FeatureDriftReport")]
pub(super) struct Features {
    /// The stretch of time.
    period: Window,
    /// How distances were measured, by the service's name.
    metric: &'static str,
    /// The model.
    model_id: Option<String>,
    /// The features.
    #[serde(flatten)]
    features: List<FeatureDrift>,
}

pub(super) async fn feature_drift(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
    query: Queried<Query>,
    part: Queried<Page>,
) -> Result<Json<Features>, Fault> {
    let (query, part) = (query?.0, part?.0);
    let known = app.registry.deployment(&id)?;
    let report = drift_report(&app, &id, &query).await?;
    let mut all = FeatureDrift::all(&report);
    all.retain(|feature| part.finds(&feature.name, &[&feature.name]));
    let features = page(&app, &here, &part, all.into_iter())?;
    let present = known.packages.first().map(|package| package.model_id.clone());
    let (period, metric) = (report.window, report.metric.service_name());
    Ok(Json(Features { period, metric, model_id: query.model_id.or(present), features }))
}

/// The rollups that a query asks for; without a word on which, all whose answers somebody got. A model that never was the
/// deployment's is refused in the words that clients look for.
async fn answers(app: &App, id: &str, query: &Query) -> Result<(Arc<Known>, Rollups), Fault> {
    query.check()?;
    let known = app.registry.deployment(id)?;
    let mut rollups = read(app, id, query, &[query.window()?]).await?;
    if let Some(model) = &query.model_id
        && rollups.is_empty()
        && !known.packages.iter().any(|package| package.model_id == *model)
    {
        return Err(Fault::missing(format!("Model {model} not found for deployment {id}")));
    }
    if query.is_open() {
        rollups.retain(|(group, ..)| group.is_answer());
    }
    Ok((known, rollups))
}

/// What the models of a deployment were trained on.
pub(super) fn trained(known: &Known, query: &Query) -> Vec<Trained> {
    let wanted = |model: &String| query.model_id.as_ref().is_none_or(|wanted| wanted == model);
    let mean = |distribution: &Distribution| match distribution {
        Distribution::Numeric { mean, .. } => Some(*mean),
        Distribution::Categorical { .. } => None,
    };
    let trained = |package: &Arc<Package>| {
        let baseline = package.baseline.as_ref()?;
        Some(Trained {
            model_id: package.model_id.clone(),
            rows: baseline.rows,
            mean_prediction: mean(&baseline.predictions),
            mean_target: mean(&baseline.target),
        })
    };
    let packages = known.packages.iter().filter(|package| wanted(&package.model_id));
    packages.filter_map(trained).collect()
}

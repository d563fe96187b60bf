//! Service health, drift and accuracy.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::shape::Queried;
use super::stretch::{Query, parts, read};
use super::{App, Fault};
use crate::report::{AccuracyReport, DriftReport, HealthReport, Part, Window};

pub(super) async fn health(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Queried<Query>,
) -> Result<Json<HealthReport>, Fault> {
    let query = query?.0;
    query.check()?;
    let known = app.registry.deployment(&id)?;
    let (window, bucket) = (query.window()?, query.bucket()?);
    let rollups = read(&app, &id, &query, &[window]).await?;
    let settings = known.deployment.settings.health_settings();
    Ok(Json(HealthReport::of(&parts(&rollups), window, bucket, &settings)))
}

pub(super) async fn drift(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Queried<Query>,
) -> Result<Json<DriftReport>, Fault> {
    Ok(Json(drift_report(&app, &id, &query?.0).await?))
}

/// Without a word on which models are meant: the present package, where it answers.
pub(super) async fn drift_report(app: &App, id: &str, query: &Query) -> Result<DriftReport, Fault> {
    query.check()?;
    let known = app.registry.deployment(id)?;
    let (window, reference, bucket) = (query.window()?, query.reference()?, query.bucket()?);
    let mut settings = known.deployment.settings.drift_settings();
    settings.distance = query.distance()?.unwrap_or(settings.distance);
    let windows: Vec<Window> = [Some(window), reference].into_iter().flatten().collect();
    let rollups = read(app, id, query, &windows).await?;
    let open = query.is_open();
    let counts = |part: &Part<'_>| !open || part.group.role.is_none();
    let parts: Vec<_> = parts(&rollups).into_iter().filter(counts).collect();
    // A package that is asked for by its digest, or by its id, is compared with its own training data.
    let package = known.packages.iter().find(|package| {
        query.model_digest.as_ref().is_some_and(|digest| Some(digest) == package.digest.as_ref())
            || query.model_id.as_ref() == Some(&package.model_id)
    });
    let other = package.and_then(|package| app.registry.baseline(&known, package));
    let baseline = if package.is_some() { other.as_ref() } else { known.baseline.as_ref() };
    Ok(DriftReport::of(&parts, window, reference, bucket, baseline, &settings))
}

/// Without a word on which models are meant: all that answered as champion.
pub(super) async fn accuracy(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Queried<Query>,
) -> Result<Json<AccuracyReport>, Fault> {
    let query = query?.0;
    query.check()?;
    let known = app.registry.deployment(&id)?;
    let (window, bucket) = (query.window()?, query.bucket()?);
    let rollups = read(&app, &id, &query, &[window]).await?;
    let open = query.is_open();
    let counts = |part: &Part<'_>| !open || part.group.role.is_none();
    let (target, baseline) = (&known.plan.target, known.baseline.as_ref());
    let parts = parts(&rollups);
    Ok(Json(AccuracyReport::of(&parts, counts, window, bucket, target, baseline)))
}

//! Service health, drift and accuracy.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::shape::Queried;
use super::{App, Fault};
use crate::numbers::Distance;
use crate::report::{AccuracyReport, BucketSize, DriftReport, HealthReport, Moment, Part, Window};
use crate::rollup::{GroupKey, Rollup};

/// How far back a report goes when nobody says: seven days.
const WINDOW_US: i64 = 7 * 24 * 3_600 * 1_000_000;
/// The longest window.
const WINDOW_MAX_US: i64 = 400 * 24 * 3_600 * 1_000_000;
/// What the part is called that answers.
const CHAMPION: &str = "champion";
const ROLES: [&str; 3] = [CHAMPION, "canary", "challenger"];

/// What a report is about.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Query {
    start: Option<String>,
    end: Option<String>,
    bucket: Option<String>,
    role: Option<String>,
    model_id: Option<String>,
    model_digest: Option<String>,
    gateway: Option<String>,
    metric: Option<String>,
    reference_start: Option<String>,
    reference_end: Option<String>,
}

type Rollups = Vec<(Arc<GroupKey>, i64, Arc<Rollup>)>;

impl Query {
    fn window(&self) -> Result<Window, Fault> {
        let now = jiff::Timestamp::now().as_microsecond();
        let end = self.end.as_deref().map_or(Ok(now), |text| time("end", text))?;
        let start = match self.start.as_deref() {
            Some(text) => time("start", text)?,
            None => end.saturating_sub(WINDOW_US),
        };
        window("start", start, end)
    }

    fn reference(&self) -> Result<Option<Window>, Fault> {
        match (&self.reference_start, &self.reference_end) {
            (None, None) => Ok(None),
            (Some(start), Some(end)) => {
                let (start, end) = (time("referenceStart", start)?, time("referenceEnd", end)?);
                window("referenceStart", start, end).map(Some)
            }
            (None, _) => Err(Fault::field("referenceStart", "is missing beside referenceEnd")),
            (_, None) => Err(Fault::field("referenceEnd", "is missing beside referenceStart")),
        }
    }

    fn bucket(&self) -> Result<BucketSize, Fault> {
        match &self.bucket {
            None => Ok(BucketSize::default()),
            Some(name) => BucketSize::from_name(name)
                .ok_or_else(|| Fault::field("bucket", "must be hour or day")),
        }
    }

    fn distance(&self) -> Result<Option<Distance>, Fault> {
        let Some(name) = &self.metric else { return Ok(None) };
        let read = serde_json::from_value(serde_json::Value::String(name.clone()));
        read.map(Some).map_err(|_| {
            Fault::field(
                "metric",
                "must be psi, kullbackLeibler, jensenShannon, hellinger or histogramIntersection",
            )
        })
    }

    fn check(&self) -> Result<(), Fault> {
        match &self.role {
            Some(role) if !ROLES.contains(&role.as_str()) => {
                Err(Fault::field("role", "must be champion, canary or challenger"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a group is asked for.
    fn wants(&self, group: &GroupKey) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        is(&self.role, Some(group.role.as_deref().unwrap_or(CHAMPION)))
            && is(&self.model_id, Some(&group.model_id))
            && is(&self.model_digest, group.digest.as_deref())
            && is(&self.gateway, group.gateway.as_deref())
    }

    /// Whether nothing says which models are meant.
    fn is_open(&self) -> bool {
        self.role.is_none() && self.model_id.is_none() && self.model_digest.is_none()
    }
}

fn window(field: &'static str, start: i64, end: i64) -> Result<Window, Fault> {
    if start >= end {
        return Err(Fault::field(field, "must be before the end"));
    }
    if end - start > WINDOW_MAX_US {
        return Err(Fault::field(field, "must be at most 400 days before the end"));
    }
    Ok(Window { start: Moment(start), end: Moment(end) })
}

fn time(field: &'static str, text: &str) -> Result<i64, Fault> {
    // A plus in a query is a space.
    let text = text.replace(' ', "+");
    let moment = text
        .parse::<jiff::Timestamp>()
        .or_else(|_| format!("{text}Z").parse())
        .or_else(|_| format!("{text}T00:00:00Z").parse());
    let moment = moment.map_err(|_| {
        Fault::field(field, "must be a time such as 2026-11-24T08:00:00Z, or a day")
    })?;
    Ok(moment.as_microsecond())
}

async fn read(app: &App, id: &str, query: &Query, windows: &[Window]) -> Result<Rollups, Fault> {
    let mut all = Rollups::new();
    for window in windows {
        let read = app.registry.store().rollups(id, window.start.0, window.end.0).await?;
        // Windows may overlap.
        let known = |group: &GroupKey, hour: i64| {
            all.iter().any(|(other, at, _)| *at == hour && **other == *group)
        };
        let new: Vec<_> = read
            .into_iter()
            .filter(|(group, hour, _)| {
                query.wants(group) && (windows.len() == 1 || !known(group, *hour))
            })
            .collect();
        all.extend(new);
    }
    Ok(all)
}

fn parts(rollups: &Rollups) -> Vec<Part<'_>> {
    rollups
        .iter()
        .map(|(group, hour_us, rollup)| Part { group, hour_us: *hour_us, rollup })
        .collect()
}

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

/// Without a word on which models are meant: the present package, where it answers.
pub(super) async fn drift(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Queried<Query>,
) -> Result<Json<DriftReport>, Fault> {
    let query = query?.0;
    query.check()?;
    let known = app.registry.deployment(&id)?;
    let (window, reference, bucket) = (query.window()?, query.reference()?, query.bucket()?);
    let mut settings = known.deployment.settings.drift_settings();
    settings.distance = query.distance()?.unwrap_or(settings.distance);
    let windows: Vec<Window> = [Some(window), reference].into_iter().flatten().collect();
    let rollups = read(&app, &id, &query, &windows).await?;
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
    Ok(Json(DriftReport::of(&parts, window, reference, bucket, baseline, &settings)))
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

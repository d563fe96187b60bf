//! Metrics that somebody else measures, such as what a wrong prediction has cost. One is made here or by the first value
//! that names it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::here::Here;
use super::shape::{Body, List, Page, Queried, page};
use super::stretch::Query;
use super::{App, Fault};
use crate::registry::{Definition, RegistryError};
use crate::report::{Moment, Window};

/// The kind of its definitions.
const METRIC: &str = "metric";
/// The words that clients look for.
const NOT_FOUND: &str = "Custom metric not found";

/// What a client says of one.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewCustomMetric")]
pub(super) struct NewMetric {
    /// What people call it.
    name: String,
    /// In what it is measured.
    #[serde(default = "value")]
    units: String,
    /// What its values come to.
    #[serde(default, rename = "type")]
    kind: Kind,
    /// Which values are better.
    #[serde(default)]
    directionality: Directionality,
    /// What it was before, as a number or as a list of `{value}`.
    #[serde(default, deserialize_with = "baseline")]
    #[schemars(schema_with = "baselines")]
    baseline_values: Vec<BaselineValue>,
    /// Values are of a model each.
    #[serde(default = "yes")]
    is_model_specific: bool,
    /// In their words.
    #[serde(default)]
    description: Option<String>,
    /// What else was said, as it came.
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// What values come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomMetricType")]
pub(super) enum Kind {
    /// Their mean.
    #[default]
    Average,
    /// Their sum.
    Sum,
    /// The newest.
    Gauge,
}

/// Which values are better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Directionality {
    /// Larger ones.
    #[default]
    HigherIsBetter,
    /// Smaller ones.
    LowerIsBetter,
}

/// What a metric was before.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub(super) struct BaselineValue {
    /// It was this.
    value: f64,
}

fn value() -> String {
    "value".to_owned()
}

fn yes() -> bool {
    true
}

/// What a metric was before, as clients say it.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a number or a list of {\"value\": number}")]
enum Baselines {
    Number(f64),
    List(Vec<BaselineValue>),
    Nothing(()),
}

/// Answered, it always is a list.
fn baselines(generator: &mut SchemaGenerator) -> Schema {
    if generator.contract().is_serialize() {
        generator.subschema_for::<Vec<BaselineValue>>()
    } else {
        generator.subschema_for::<Baselines>()
    }
}

fn baseline<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<BaselineValue>, D::Error> {
    Ok(match Baselines::deserialize(from)? {
        Baselines::Number(value) => vec![BaselineValue { value }],
        Baselines::List(values) => values,
        Baselines::Nothing(()) => Vec::new(),
    })
}

impl NewMetric {
    /// Of one that only values name.
    fn unmade(id: &str) -> Self {
        Self {
            name: id.to_owned(),
            units: value(),
            kind: Kind::Average,
            directionality: Directionality::HigherIsBetter,
            baseline_values: Vec::new(),
            is_model_specific: true,
            description: None,
            more: Map::new(),
        }
    }
}

/// A metric as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomMetric")]
pub(super) struct Metric {
    /// Its id, which values name.
    id: String,
    /// When it was made; null where only values name it.
    created_at: Option<Moment>,
    /// How long the pieces are in which values are counted.
    time_step: &'static str,
    /// What was said of it.
    #[serde(flatten)]
    said: NewMetric,
}

impl Metric {
    fn of(definition: &Definition) -> Result<Self, Fault> {
        let said = serde_json::from_value(definition.body.clone())
            .map_err(|error| Fault::inside(&error))?;
        let created_at = Some(Moment(definition.created_us));
        Ok(Self { id: definition.id.clone(), created_at, time_step: "hour", said })
    }

    fn unmade(id: &str) -> Self {
        let said = NewMetric::unmade(id);
        Self { id: id.to_owned(), created_at: None, time_step: "hour", said }
    }
}

/// All metrics of a deployment: those that were made, the oldest first, then those that only values name.
async fn all(app: &App, deployment: &str) -> Result<Vec<Metric>, Fault> {
    app.registry.deployment(deployment)?;
    let made = app.registry.definitions(deployment, METRIC).await?;
    let mut all = made.iter().map(Metric::of).collect::<Result<Vec<_>, _>>()?;
    for id in app.registry.store().metric_ids(deployment).await? {
        if !made.iter().any(|definition| definition.id == id) {
            all.push(Metric::unmade(&id));
        }
    }
    Ok(all)
}

async fn find(app: &App, deployment: &str, id: &str) -> Result<Metric, Fault> {
    match app.registry.definition(deployment, METRIC, id).await {
        Ok(definition) => Metric::of(&definition),
        Err(RegistryError::Missing { what: METRIC, .. }) => {
            let named = app.registry.store().metric_ids(deployment).await?;
            let named = named.iter().any(|other| other == id);
            named.then(|| Metric::unmade(id)).ok_or_else(|| Fault::missing(NOT_FOUND))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<NewMetric>,
) -> Result<(StatusCode, Json<Metric>), Fault> {
    let metric = body?.0;
    for (field, text) in [("name", &metric.name), ("units", &metric.units)] {
        if text.trim().is_empty() {
            return Err(Fault::field(field, "must not be empty"));
        }
    }
    let definition = app.registry.define(&id, METRIC, json!(metric)).await?;
    Ok((StatusCode::CREATED, Json(Metric::of(&definition)?)))
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<List<Metric>>, Fault> {
    let part = part?.0;
    let mut all = all(&app, &id).await?;
    all.retain(|metric| part.finds(&metric.id, &[&metric.said.name]));
    Ok(Json(page(&app, &here, &part, all.into_iter())?))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path((id, metric)): Path<(String, String)>,
) -> Result<Json<Metric>, Fault> {
    Ok(Json(find(&app, &id, &metric).await?))
}

/// What the values of a stretch of time come to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomMetricSummary")]
pub(super) struct Summary {
    /// The stretch of time.
    period: Window,
    /// What the metric came to.
    metric: Summed,
}

/// A metric, and what its values came to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomMetricSummed")]
struct Summed {
    #[serde(flatten)]
    metric: Metric,
    /// What they come to, by the metric's type; null without values.
    value: Option<f64>,
    /// How many there are.
    sample_count: i64,
    /// What it was before.
    baseline_value: Option<f64>,
    /// How much larger it is than before, in percent.
    percent_change: Option<f64>,
}

pub(super) async fn summary(
    State(app): State<Arc<App>>,
    Path((id, metric)): Path<(String, String)>,
    query: Queried<Query>,
) -> Result<Json<Summary>, Fault> {
    let query = query?.0;
    let metric = find(&app, &id, &metric).await?;
    let period = query.window()?;
    // A value that is the deployment's own is not of a model.
    let model = query.model_id.as_deref().filter(|_| metric.said.is_model_specific);
    let store = app.registry.store();
    let (start, end) = (period.start.0, period.end.0);
    let sums = store.metric_summary(&id, &metric.id, model, start, end).await?;
    let value = match metric.said.kind {
        Kind::Average if sums.count > 0 => Some(sums.sum / sums.count as f64),
        Kind::Average => None,
        Kind::Sum if sums.count > 0 => Some(sums.sum),
        Kind::Sum => None,
        Kind::Gauge => sums.last,
    };
    let before = metric.said.baseline_values.first().map(|before| before.value);
    let change = |(value, before): (f64, f64)| {
        (before != 0.0).then(|| (value - before) / before.abs() * 100.0)
    };
    let percent_change = value.zip(before).and_then(change);
    let sample_count = sums.count;
    let metric = Summed { metric, value, sample_count, baseline_value: before, percent_change };
    Ok(Json(Summary { period, metric }))
}

/// What the values come to, bucket by bucket.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomMetricOverTime")]
pub(super) struct OverTime {
    /// The stretch of time.
    summary: Window,
    /// The metric.
    metric: Metric,
    /// What there was, the oldest first; none of a time without values.
    buckets: Vec<Bucket>,
}

/// What the values of a piece of the stretch come to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomMetricBucket")]
struct Bucket {
    /// The piece.
    period: Window,
    /// What they come to, by the metric's type.
    value: Option<f64>,
    /// How many there are.
    sample_size: usize,
}

pub(super) async fn values_over_time(
    State(app): State<Arc<App>>,
    Path((id, metric)): Path<(String, String)>,
    query: Queried<Query>,
) -> Result<Json<OverTime>, Fault> {
    let query = query?.0;
    let metric = find(&app, &id, &metric).await?;
    let (window, size) = (query.window()?, query.buckets()?);
    let store = app.registry.store();
    let mut values = store.metric_values(&id, &metric.id, window.start.0, window.end.0).await?;
    if let Some(model) = query.model_id.as_ref().filter(|_| metric.said.is_model_specific) {
        values.retain(|value| value.model_id == *model);
    }
    let start = |at_us: i64| size.start(at_us);
    let bucket = |values: &[crate::store::MetricValue]| {
        let sum: f64 = values.iter().map(|value| value.value).sum();
        let came_to = match metric.said.kind {
            Kind::Average => Some(sum / values.len() as f64),
            Kind::Sum => Some(sum),
            Kind::Gauge => values.last().map(|value| value.value),
        };
        let first = values.first().map_or(0, |value| start(value.at_us));
        Bucket { period: size.period(first, window), value: came_to, sample_size: values.len() }
    };
    let buckets =
        values.chunk_by(|one, next| start(one.at_us) == start(next.at_us)).map(bucket).collect();
    Ok(Json(OverTime { summary: window, metric, buckets }))
}

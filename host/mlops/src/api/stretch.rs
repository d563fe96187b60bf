//! What a report is about: a stretch of time, and which models, parts and gateways.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{App, Fault};
use crate::numbers::Distance;
use crate::report::{BucketSize, Moment, Part, Window};
use crate::rollup::{GroupKey, Rollup};

/// How far back a report goes when nobody says: seven days.
const WINDOW_US: i64 = 7 * 24 * 3_600 * 1_000_000;
/// The longest window.
const WINDOW_MAX_US: i64 = 400 * 24 * 3_600 * 1_000_000;
/// What the part is called that answers.
const CHAMPION: &str = "champion";
const ROLES: [&str; 3] = [CHAMPION, "canary", "challenger"];

/// What a report is about.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Query {
    /// From when on, as a time or a day; seven days before the end when it is not said.
    start: Option<String>,
    /// Up to when; now when it is not said.
    end: Option<String>,
    /// How long the pieces are into which it is cut.
    #[schemars(extend("enum" = ["hour", "day", "week", "month"]))]
    bucket: Option<String>,
    /// The service's word for `bucket`, as a duration of ISO 8601.
    #[schemars(extend("enum" = ["PT1H", "P1D", "P7D", "P1M"]))]
    bucket_size: Option<String>,
    /// Only what answered in this part.
    #[schemars(extend("enum" = ROLES))]
    pub(super) role: Option<String>,
    /// Only this model.
    pub(super) model_id: Option<String>,
    /// Only this package.
    pub(super) model_digest: Option<String>,
    /// Only what came by this gateway.
    gateway: Option<String>,
    /// How distances are measured, where there are any; as the deployment's settings say when it is not said.
    #[schemars(with = "Option<Distance>")]
    metric: Option<String>,
    /// From when on rows are those that the others are compared with, instead of the training data.
    reference_start: Option<String>,
    /// Up to when they are.
    reference_end: Option<String>,
}

pub(super) type Rollups = Vec<(Arc<GroupKey>, i64, Arc<Rollup>)>;

impl Query {
    pub(super) fn window(&self) -> Result<Window, Fault> {
        let now = jiff::Timestamp::now().as_microsecond();
        let end = self.end.as_deref().map_or(Ok(now), |text| time("end", text))?;
        let start = match self.start.as_deref() {
            Some(text) => time("start", text)?,
            None => end.saturating_sub(WINDOW_US),
        };
        window("start", start, end)
    }

    pub(super) fn reference(&self) -> Result<Option<Window>, Fault> {
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

    /// As [`Self::bucket`], where the service's default is a day.
    pub(super) fn buckets(&self) -> Result<BucketSize, Fault> {
        match (&self.bucket, &self.bucket_size) {
            (None, None) => Ok(BucketSize::Day),
            _said => self.bucket(),
        }
    }

    pub(super) fn bucket(&self) -> Result<BucketSize, Fault> {
        match (&self.bucket, self.bucket_size.as_deref()) {
            (None, None) => Ok(BucketSize::default()),
            (Some(name), _) => BucketSize::from_name(name)
                .ok_or_else(|| Fault::field("bucket", "must be hour, day, week or month")),
            (None, Some(name)) => BucketSize::from_service_name(name)
                .ok_or_else(|| Fault::field("bucketSize", "must be PT1H, P1D, P7D or P1M")),
        }
    }

    pub(super) fn distance(&self) -> Result<Option<Distance>, Fault> {
        let Some(name) = &self.metric else { return Ok(None) };
        let read = serde_json::from_value(serde_json::Value::String(name.clone()));
        read.map(Some).map_err(|_| {
            Fault::field(
                "metric",
                "must be psi, kullbackLeibler, jensenShannon, hellinger or histogramIntersection",
            )
        })
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        match &self.role {
            Some(role) if !ROLES.contains(&role.as_str()) => {
                Err(Fault::field("role", "must be champion, canary or challenger"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a group is asked for.
    pub(super) fn wants(&self, group: &GroupKey) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        is(&self.role, Some(group.role.as_deref().unwrap_or(CHAMPION)))
            && is(&self.model_id, Some(&group.model_id))
            && is(&self.model_digest, group.digest.as_deref())
            && is(&self.gateway, group.gateway.as_deref())
    }

    /// Whether nothing says which models are meant.
    pub(super) fn is_open(&self) -> bool {
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

pub(super) async fn read(
    app: &App,
    id: &str,
    query: &Query,
    windows: &[Window],
) -> Result<Rollups, Fault> {
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

pub(super) fn parts(rollups: &Rollups) -> Vec<Part<'_>> {
    rollups
        .iter()
        .map(|(group, hour_us, rollup)| Part { group, hour_us: *hour_us, rollup })
        .collect()
}

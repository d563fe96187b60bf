//! By which rules a deployment is watched, and how they change: an object of JSON over the one that is there.

use std::collections::BTreeMap;

use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::RegistryError;
use crate::ingest::{AHEAD_US, BEHIND_US, SLOW_MS};
use crate::numbers::Distance;
use crate::report::{DriftSettings, HealthSettings};

/// By which rules a deployment is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "DeploymentSettings")]
pub struct Settings {
    /// Whether predictions count for drift.
    pub target_drift: Switch,
    /// Whether features count for drift.
    pub feature_drift: Switch,
    /// How drift is judged.
    pub drift: DriftRules,
    /// How service health is judged.
    pub health: HealthRules,
    /// How much the model depends on each feature, 0 to 1; fully where nothing is said.
    pub feature_importance: BTreeMap<String, f64>,
    /// The key by which outcomes join.
    pub association_id: AssociationId,
    /// The probability from which on the positive class is predicted.
    pub prediction_threshold: Option<f64>,
    /// Rows that are counted in an hour.
    pub rate_limit_rows_an_hour: Option<u64>,
    /// A request that takes longer is slow, milliseconds.
    pub slow_requests_ms: f64,
    /// How far the devices' clocks may be off before it is flagged.
    pub clock: ClockRules,
    /// What else clients set, as it came.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Switch {
    /// Whether it is on.
    pub enabled: bool,
}

impl Default for Switch {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// How drift is judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftRules {
    /// How distances are measured.
    pub metric: Distance,
    /// The distance above which a column has drifted.
    pub threshold: f64,
    /// Rows that a verdict needs.
    pub minimum_rows: u64,
}

impl Default for DriftRules {
    fn default() -> Self {
        let DriftSettings { distance, threshold, rows_min } = DriftSettings::default();
        Self { metric: distance, threshold, minimum_rows: rows_min }
    }
}

/// How service health is judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthRules {
    /// From this share of failed requests on it is yellow.
    pub errors_yellow: f64,
    /// From this share on it is red.
    pub errors_red: f64,
    /// Requests that a verdict needs.
    pub minimum_requests: u64,
}

impl Default for HealthRules {
    fn default() -> Self {
        let HealthSettings { errors_yellow, errors_red, requests_min } = HealthSettings::default();
        Self { errors_yellow, errors_red, minimum_requests: requests_min }
    }
}

/// The key by which outcomes join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AssociationId {
    /// The columns that hold it, where it is made of columns.
    pub column_names: Vec<String>,
    /// Rows must have one.
    pub required_in_prediction_requests: bool,
}

/// How far the devices' clocks may be off before it is flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClockRules {
    /// Seconds ahead.
    pub ahead_seconds: i64,
    /// Seconds behind.
    pub behind_seconds: i64,
}

impl Default for ClockRules {
    fn default() -> Self {
        Self { ahead_seconds: AHEAD_US / 1_000_000, behind_seconds: BEHIND_US / 1_000_000 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target_drift: Switch::default(),
            feature_drift: Switch::default(),
            drift: DriftRules::default(),
            health: HealthRules::default(),
            feature_importance: BTreeMap::new(),
            association_id: AssociationId::default(),
            prediction_threshold: None,
            rate_limit_rows_an_hour: None,
            slow_requests_ms: SLOW_MS,
            clock: ClockRules::default(),
            more: serde_json::Map::new(),
        }
    }
}

impl Settings {
    /// As drift reports take them.
    pub fn drift_settings(&self) -> DriftSettings {
        let DriftRules { metric, threshold, minimum_rows } = self.drift;
        DriftSettings { distance: metric, threshold, rows_min: minimum_rows }
    }

    /// As health reports take them.
    pub fn health_settings(&self) -> HealthSettings {
        let HealthRules { errors_yellow, errors_red, minimum_requests } = self.health;
        HealthSettings { errors_yellow, errors_red, requests_min: minimum_requests }
    }

    /// These settings with a change.
    pub(super) fn changed(&self, patch: SettingsPatch) -> Result<Self, RegistryError> {
        let mut all = serde_json::to_value(self).expect("settings have texts as keys");
        merge(&mut all, serde_json::Value::Object(patch.0));
        let settings = read(all)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), RegistryError> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let rules = [
            (
                "drift.threshold",
                "must be a number above 0",
                self.drift.threshold > 0.0 && self.drift.threshold.is_finite(),
            ),
            ("health.errorsYellow", "must be from 0 to 1", share(self.health.errors_yellow)),
            ("health.errorsRed", "must be from 0 to 1", share(self.health.errors_red)),
            (
                "health.errorsRed",
                "must be at least errorsYellow",
                self.health.errors_red >= self.health.errors_yellow,
            ),
            (
                "featureImportance",
                "must be from 0 to 1 for each feature",
                self.feature_importance.values().all(|value| share(*value)),
            ),
            (
                "predictionThreshold",
                "must be from 0 to 1",
                self.prediction_threshold.is_none_or(share),
            ),
            ("slowRequestsMs", "must be a number above 0", self.slow_requests_ms > 0.0),
            ("clock.aheadSeconds", "must be at least 1", self.clock.ahead_seconds >= 1),
            ("clock.behindSeconds", "must be at least 1", self.clock.behind_seconds >= 1),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((field, reason, _)) => Err(RegistryError::invalid(field, reason)),
            None => Ok(()),
        }
    }
}

/// A change of settings: an object whose keys replace those that are there, objects key by key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transform = without_defaults)]
pub struct SettingsPatch(
    /// Keys of [`Settings`].
    #[schemars(with = "Settings")]
    pub serde_json::Map<String, serde_json::Value>,
);

/// What a change does not say stays as it is.
fn without_defaults(schema: &mut Schema) {
    schema.remove("default");
    transform_subschemas(&mut without_defaults, schema);
}

/// Settings from JSON.
fn read(all: serde_json::Value) -> Result<Settings, RegistryError> {
    serde_json::from_value(all.clone()).map_err(|error| {
        let (field, reason) = culprit(&all).unwrap_or(("settings".to_owned(), error));
        RegistryError::invalid(field, format!("cannot be used: {reason}"))
    })
}

/// The first field that settings cannot be read with, with the way to it. Serde does not name it; but every field has a
/// default, so that each can be tried alone.
fn culprit(all: &serde_json::Value) -> Option<(String, serde_json::Error)> {
    all.as_object()?.iter().find_map(|(key, value)| {
        let alone = |value: &serde_json::Value| {
            let one = serde_json::json!({ key: value });
            serde_json::from_value::<Settings>(one).err()
        };
        let error = alone(value)?;
        let deeper = value.as_object().and_then(|inner| {
            inner.iter().find_map(|(name, value)| {
                let error = alone(&serde_json::json!({ name: value }))?;
                Some((format!("{key}.{name}"), error))
            })
        });
        Some(deeper.unwrap_or((key.clone(), error)))
    })
}

/// Puts the keys of one object over those of another.
fn merge(into: &mut serde_json::Value, from: serde_json::Value) {
    match (into, from) {
        (serde_json::Value::Object(into), serde_json::Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

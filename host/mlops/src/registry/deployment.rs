//! Deployments: which package serves under which id, since when, and by which rules it is watched.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rows::{now_us, text};
use super::{Known, Registry, RegistryError, new_id};
use crate::ingest::{AHEAD_US, BEHIND_US, SLOW_MS};
use crate::numbers::Distance;
use crate::report::{DriftSettings, HealthSettings};

/// Most characters of a deployment's id, as gateways have it.
pub const DEPLOYMENT_ID_CHARS: usize = 128;

/// A named slot that a package serves in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Its id; records name it.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// In people's words.
    pub description: String,
    /// The package that serves.
    pub package_id: String,
    /// Where it runs.
    pub prediction_environment_id: Option<String>,
    /// By which rules it is watched.
    pub settings: Settings,
    /// When it was made, microseconds since 1970.
    pub created_us: i64,
}

/// What a client says of one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewDeployment {
    /// Its id; one is made when it is not said.
    pub id: Option<String>,
    /// What people call it.
    pub label: String,
    /// In people's words.
    #[serde(default)]
    pub description: Option<String>,
    /// The package that serves.
    pub model_package_id: String,
    /// Where it runs.
    #[serde(default)]
    pub prediction_environment_id: Option<String>,
}

/// By which rules a deployment is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AssociationId {
    /// The columns that hold it, where it is made of columns.
    pub column_names: Vec<String>,
    /// Rows must have one.
    pub required_in_prediction_requests: bool,
}

/// How far the devices' clocks may be off before it is flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct SettingsPatch(pub serde_json::Map<String, serde_json::Value>);

/// Why a package took another's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// It predicts better.
    Accuracy,
    /// The rows have changed.
    DataDrift,
    /// The one before failed.
    Errors,
    /// It was time.
    ScheduledRefresh,
    /// It is faster.
    ScoringSpeed,
    /// Anything else.
    Other,
}

/// A package took its place in a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// The package.
    pub package_id: String,
    /// Its digest.
    pub digest: Option<String>,
    /// Why; none for the first package.
    pub reason: Option<Reason>,
    /// When, microseconds since 1970.
    pub at_us: i64,
}

fn check_id(id: &str) -> Result<(), RegistryError> {
    let fits = !id.is_empty()
        && id.chars().count() <= DEPLOYMENT_ID_CHARS
        && !id.contains('/')
        && !id.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(RegistryError::invalid(
        "id",
        format!("must be 1 to {DEPLOYMENT_ID_CHARS} characters without `/`"),
    ))
}

impl Registry {
    /// Makes a deployment of a package.
    ///
    /// # Errors
    ///
    /// When a field is wrong, when there is no such package, or when the id is taken.
    pub async fn deploy(&self, given: NewDeployment) -> Result<Arc<Known>, RegistryError> {
        let _changing = self.0.changing.lock().await;
        let package = self.package(&given.model_package_id)?;
        let id = given.id.unwrap_or_else(new_id);
        check_id(&id)?;
        if self.deployment(&id).is_ok() {
            return Err(RegistryError::Conflict(format!("there is a deployment {id:?} already")));
        }
        if let Some(environment) = &given.prediction_environment_id
            && !self.has_environment(environment).await?
        {
            return Err(RegistryError::missing("prediction environment", environment));
        }
        let now = now_us();
        let label = Some(given.label).filter(|label| !label.trim().is_empty());
        let deployment = Deployment {
            label: label.unwrap_or_else(|| id.clone()),
            id,
            description: given.description.unwrap_or_default(),
            package_id: package.id.clone(),
            prediction_environment_id: given.prediction_environment_id,
            settings: Settings::default(),
            created_us: now,
        };
        let first = Replacement {
            package_id: package.id.clone(),
            digest: package.digest.clone(),
            reason: None,
            at_us: now,
        };
        let mut transaction = self.store().pool().begin().await?;
        sqlx::query("INSERT INTO deployments (id, created_us, body) VALUES ($1, $2, $3)")
            .bind(&deployment.id)
            .bind(now)
            .bind(text(&deployment))
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO replacements (deployment_id, number, body) VALUES ($1, 0, $2)")
            .bind(&deployment.id)
            .bind(text(&first))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let id = deployment.id.clone();
        self.keep(deployment).await?;
        self.deployment(&id)
    }

    /// Lets another package take the place of the one that serves.
    ///
    /// # Errors
    ///
    /// When there is no such deployment or package, or when it predicts something else.
    pub async fn replace(
        &self,
        id: &str,
        package_id: &str,
        reason: Reason,
    ) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        let known = self.deployment(id)?;
        let package = self.package(package_id)?;
        if let Some(present) = known.packages.first()
            && (present.target.kind != package.target.kind
                || present.target.name != package.target.name
                || present.target.class_names != package.target.class_names)
        {
            return Err(RegistryError::Conflict(format!(
                "model package {package_id:?} predicts {}, not {} as deployment {id:?} does",
                package.target, present.target
            )));
        }
        let mut deployment = known.deployment.clone();
        package.id.clone_into(&mut deployment.package_id);
        let number = self.replacements(id).await?.len() as i64;
        let replacement = Replacement {
            package_id: package.id.clone(),
            digest: package.digest.clone(),
            reason: Some(reason),
            at_us: now_us(),
        };
        let mut transaction = self.store().pool().begin().await?;
        sqlx::query("UPDATE deployments SET body = $2 WHERE id = $1")
            .bind(id)
            .bind(text(&deployment))
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO replacements (deployment_id, number, body) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(number)
            .bind(text(&replacement))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(self.keep(deployment).await?)
    }

    /// Changes the settings of a deployment.
    ///
    /// # Errors
    ///
    /// When there is no such deployment, or a value cannot be.
    pub async fn change_settings(
        &self,
        id: &str,
        patch: SettingsPatch,
    ) -> Result<Settings, RegistryError> {
        let _changing = self.0.changing.lock().await;
        let mut deployment = self.deployment(id)?.deployment.clone();
        let mut all =
            serde_json::to_value(&deployment.settings).expect("settings have texts as keys");
        merge(&mut all, serde_json::Value::Object(patch.0));
        let settings: Settings = read(all)?;
        settings.check()?;
        deployment.settings = settings.clone();
        sqlx::query("UPDATE deployments SET body = $2 WHERE id = $1")
            .bind(id)
            .bind(text(&deployment))
            .execute(self.store().pool())
            .await?;
        self.keep(deployment).await?;
        Ok(settings)
    }

    /// Removes a deployment. What was counted of it goes with the retention.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn undeploy(&self, id: &str) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        self.deployment(id)?;
        let mut transaction = self.store().pool().begin().await?;
        for table in [
            "deployments WHERE id",
            "replacements WHERE deployment_id",
            "definitions WHERE deployment_id",
        ] {
            sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table} = $1")))
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        self.0.kept.write().deployments.remove(id);
        Ok(())
    }
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

//! Prediction environments: where deployments run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;

use super::rows::{body, now_us, text};
use super::{Registry, RegistryError, new_id};
use crate::store::StoreError;

/// Where deployments run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Its id.
    pub id: String,
    /// What it is.
    #[serde(flatten)]
    pub given: NewEnvironment,
    /// When it was made, microseconds since 1970.
    pub created_us: i64,
    /// What its agents were last asked to do.
    #[serde(default)]
    pub restarts: Vec<RestartRequest>,
}

/// What a client says of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewEnvironment {
    /// Its name.
    pub name: String,
    /// What runs there: `outpost`, `other`, ...
    pub platform: String,
    /// In people's words.
    #[serde(default)]
    pub description: Option<String>,
    /// What can run there.
    #[serde(default)]
    pub supported_model_formats: Vec<String>,
    /// What else was said, as it came.
    #[serde(flatten)]
    pub more: serde_json::Map<String, Value>,
}

/// An agent is to start again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestartRequest {
    /// `monitoring` or `management`.
    pub agent: String,
    /// Even if it works.
    pub force: bool,
    /// When it was asked, microseconds since 1970.
    pub at_us: i64,
}

impl Registry {
    /// Makes an environment.
    ///
    /// # Errors
    ///
    /// When it has no name.
    pub async fn add_environment(
        &self,
        given: NewEnvironment,
    ) -> Result<Environment, RegistryError> {
        if given.name.trim().is_empty() {
            return Err(RegistryError::invalid("name", "must not be empty"));
        }
        let environment =
            Environment { id: new_id(), given, created_us: now_us(), restarts: Vec::new() };
        sqlx::query(
            "INSERT INTO prediction_environments (id, created_us, body) VALUES ($1, $2, $3)",
        )
        .bind(&environment.id)
        .bind(environment.created_us)
        .bind(text(&environment))
        .execute(self.store().pool())
        .await?;
        Ok(environment)
    }

    /// All environments, the oldest first.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        let read = "SELECT body FROM prediction_environments ORDER BY created_us, id";
        let rows = sqlx::query(read).fetch_all(self.store().pool()).await?;
        rows.iter().map(|row| body(row, 0, "a prediction environment")).collect()
    }

    /// An environment.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn environment(&self, id: &str) -> Result<Environment, RegistryError> {
        let read = "SELECT body FROM prediction_environments WHERE id = $1";
        let row = sqlx::query(read).bind(id).fetch_optional(self.store().pool()).await?;
        let row = row.ok_or_else(|| RegistryError::missing("prediction environment", id))?;
        Ok(body(&row, 0, "a prediction environment")?)
    }

    /// Notes that an agent is to start again.
    ///
    /// # Errors
    ///
    /// When there is no such environment.
    pub async fn ask_for_restart(
        &self,
        id: &str,
        agent: &str,
        force: bool,
    ) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        let mut environment = self.environment(id).await?;
        environment.restarts.retain(|restart| restart.agent != agent);
        let agent = agent.to_owned();
        environment.restarts.push(RestartRequest { agent, force, at_us: now_us() });
        sqlx::query("UPDATE prediction_environments SET body = $2 WHERE id = $1")
            .bind(id)
            .bind(text(&environment))
            .execute(self.store().pool())
            .await?;
        Ok(())
    }

    /// Removes an environment in which nothing runs.
    ///
    /// # Errors
    ///
    /// When there is none, or a deployment runs in it.
    pub async fn remove_environment(&self, id: &str) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        let user = self
            .deployments()
            .into_iter()
            .find(|known| known.deployment.prediction_environment_id.as_deref() == Some(id));
        if let Some(user) = user {
            return Err(RegistryError::Conflict(format!(
                "prediction environment {id:?} is in use by deployment {:?}",
                user.deployment.id
            )));
        }
        let removed = sqlx::query("DELETE FROM prediction_environments WHERE id = $1")
            .bind(id)
            .execute(self.store().pool())
            .await?;
        if removed.rows_affected() == 0 {
            return Err(RegistryError::missing("prediction environment", id));
        }
        Ok(())
    }

    /// Whether there is such an environment.
    pub(super) async fn has_environment(&self, id: &str) -> Result<bool, StoreError> {
        let read = "SELECT COUNT(*) FROM prediction_environments WHERE id = $1";
        let row = sqlx::query(read).bind(id).fetch_one(self.store().pool()).await?;
        Ok(row.try_get::<i64, _>(0)? > 0)
    }
}

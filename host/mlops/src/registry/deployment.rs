//! Deployments: which package serves under which id, since when, and by which rules it is watched.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rows::{now_us, text};
use super::settings::{Settings, SettingsPatch};
use super::{Known, Package, Registry, RegistryError, new_id};

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
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
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

/// Why a package took another's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(rename = "ReplacementReason")]
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
    /// When a field is wrong, when there is no such package or it is archived, or when the id is taken.
    pub async fn deploy(&self, given: NewDeployment) -> Result<Arc<Known>, RegistryError> {
        let _changing = self.0.changing.lock().await;
        let package = self.offered(&given.model_package_id)?;
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
    /// When there is no such deployment or package, or when the package is archived or predicts something else.
    pub async fn replace(
        &self,
        id: &str,
        package_id: &str,
        reason: Reason,
    ) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        let known = self.deployment(id)?;
        let package = self.offered(package_id)?;
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

    /// A package that deployments may take.
    fn offered(&self, id: &str) -> Result<Arc<Package>, RegistryError> {
        let package = self.package(id)?;
        if package.is_archived {
            return Err(RegistryError::Conflict(format!("model package {id:?} is archived")));
        }
        Ok(package)
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
        let settings = deployment.settings.changed(patch)?;
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

//! External models: scored elsewhere, only described and monitored here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::rows::{now_us, text};
use super::{
    Description, Origin, Package, Registry, RegistryError, TargetDescription, TargetType, new_id,
};

/// An external model, as a client describes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalPackage {
    /// Its name.
    pub name: String,
    /// Its version, `1` when it has none.
    pub version: Option<String>,
    /// By which its records name the model; the package's id when it is not said.
    pub model_id: Option<String>,
    /// What it predicts.
    pub target: TargetDescription,
    /// What people say about it.
    #[serde(default)]
    pub model_description: Description,
    /// Its training data, uploaded before.
    #[serde(default)]
    pub datasets: Datasets,
}

/// Files of an external model.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Datasets {
    /// The id of the training data.
    pub training_data_catalog_id: Option<String>,
    /// The id of rows that the model had not learned from, with a column `prediction`.
    pub holdout_data_catalog_id: Option<String>,
}

impl Package {
    fn external(given: ExternalPackage) -> Result<Self, RegistryError> {
        let name = given.name.trim();
        if name.is_empty() {
            return Err(RegistryError::invalid("name", "must not be empty"));
        }
        check_target(&given.target)?;
        let id = new_id();
        Ok(Self {
            name: name.to_owned(),
            version: given.version.unwrap_or_else(|| "1".to_owned()),
            model_id: given.model_id.unwrap_or_else(|| id.clone()),
            id,
            origin: Origin::External,
            target: given.target,
            model_description: given.model_description,
            digest: None,
            bytes: None,
            training_data_sha256: None,
            training_rows: None,
            build_environment: BTreeMap::new(),
            features: Vec::new(),
            baseline: None,
            metrics: BTreeMap::new(),
            plan: 0,
            is_archived: false,
            created_us: now_us(),
        })
    }
}

fn check_target(target: &TargetDescription) -> Result<(), RegistryError> {
    if target.name.trim().is_empty() {
        return Err(RegistryError::invalid("target.name", "must not be empty"));
    }
    let names = target.class_names.as_deref().unwrap_or_default();
    let classes = names.len();
    let are_different = names.iter().collect::<BTreeSet<_>>().len() == classes;
    let fits = match target.kind {
        TargetType::Regression | TargetType::TextGeneration => classes == 0,
        TargetType::Binary => classes == 2,
        TargetType::Multiclass => classes >= 2,
    };
    if !fits || !are_different {
        return Err(RegistryError::invalid(
            "target.classNames",
            "must have two different names for Binary, two or more for Multiclass, and none otherwise",
        ));
    }
    match target.prediction_threshold {
        Some(threshold) if !(0.0..=1.0).contains(&threshold) => {
            Err(RegistryError::invalid("target.predictionThreshold", "must be from 0 to 1"))
        }
        _ => Ok(()),
    }
}

impl Registry {
    /// Takes the description of an external model, with its training data when that was uploaded.
    ///
    /// # Errors
    ///
    /// When a field is wrong, or the training data cannot be used.
    pub async fn add_external(
        &self,
        given: ExternalPackage,
    ) -> Result<Arc<Package>, RegistryError> {
        let Datasets { training_data_catalog_id, holdout_data_catalog_id } = given.datasets.clone();
        let mut package = Package::external(given)?;
        let holdout = match &holdout_data_catalog_id {
            Some(id) => Some(self.dataset_bytes(id).await?),
            None => None,
        };
        match (training_data_catalog_id, &holdout) {
            (Some(id), _) => {
                package.train_on(&self.dataset_bytes(&id).await?, holdout.as_deref())?;
            }
            (None, Some(_)) => {
                return Err(RegistryError::invalid(
                    "datasets.trainingDataCatalogId",
                    "must be there when holdout data is",
                ));
            }
            (None, None) => {}
        }
        let _changing = self.0.changing.lock().await;
        package.plan = self.next_plan();
        sqlx::query("INSERT INTO packages (id, created_us, body) VALUES ($1, $2, $3)")
            .bind(&package.id)
            .bind(package.created_us)
            .bind(text(&package))
            .execute(self.store().pool())
            .await?;
        Ok(self.remember(package))
    }

    /// Gives an external package its training data. Rows that came before cannot be compared with it.
    ///
    /// # Errors
    ///
    /// When there is no such package, when it is not external, or when the data cannot be used.
    pub async fn train_external(
        &self,
        id: &str,
        bytes: &[u8],
    ) -> Result<Arc<Package>, RegistryError> {
        let _changing = self.0.changing.lock().await;
        let mut package = Package::clone(&*self.package(id)?);
        if package.origin != Origin::External {
            return Err(RegistryError::Conflict(format!(
                "model package {id:?} has its training data in its file"
            )));
        }
        package.train_on(bytes, None)?;
        package.plan = self.next_plan();
        self.change(package).await
    }
}

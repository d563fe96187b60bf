//! Model packages: native ones with their file, custom ones likewise, external ones of which only the description is
//! here.

use std::collections::BTreeMap;
use std::sync::Arc;

use models::manifest::{Baseline, MANIFEST_SECTION, Manifest};
use models::schema::Feature;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasmparser::{Encoding, Parser, Payload};

use super::rows::{now_us, text};
use super::{Registry, RegistryError, new_id};

/// What custom packages say of their origin.
const CUSTOM_SOURCE: &str = "custom";

/// Where a model comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// Trained or imported by Outpost.
    Native,
    /// Written by hand as a component.
    Custom,
    /// Scored elsewhere, only monitored here.
    External,
}

/// What kind of thing is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TargetType {
    /// A number.
    Regression,
    /// One of two classes.
    Binary,
    /// One of several classes.
    Multiclass,
    /// A text.
    TextGeneration,
}

/// What is predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetDescription {
    /// The column.
    pub name: String,
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub kind: TargetType,
    /// The classes, in the order of the probabilities; of two the positive one first, as the service has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_names: Option<Vec<String>>,
    /// The probability from which on the positive class is predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_threshold: Option<f64>,
}

impl std::fmt::Display for TargetDescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} ({:?}", self.name, self.kind)?;
        match &self.class_names {
            Some(classes) => write!(f, " of {classes:?})"),
            None => write!(f, ")"),
        }
    }
}

/// What people say about a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "ModelDescription")]
pub struct Description {
    /// In their words.
    pub description: Option<String>,
    /// The model's name where it was made.
    pub model_name: Option<String>,
    /// Where it lies.
    pub location: Option<String>,
    /// With what it was built.
    pub build_environment_type: Option<String>,
}

/// A model package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// Its id.
    pub id: String,
    /// Its name; versions of one model share it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// By which its records name the model.
    pub model_id: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What it predicts.
    pub target: TargetDescription,
    /// What people say about it.
    pub model_description: Description,
    /// The SHA-256 of its file, `sha256:<hex>`; none for an external model.
    pub digest: Option<String>,
    /// The length of its file.
    pub bytes: Option<u64>,
    /// The training data's SHA-256, in hex, and where the model comes from.
    pub training_data_sha256: Option<String>,
    /// Rows of training data.
    pub training_rows: Option<u64>,
    /// With what it was made: tools and their versions.
    pub build_environment: BTreeMap<String, String>,
    /// Its features, where they are known.
    pub features: Vec<Feature>,
    /// The training data as histograms.
    pub baseline: Option<Baseline>,
    /// Metrics of training, by name.
    pub metrics: BTreeMap<String, f64>,
    /// The number of the bins that the baseline makes; another baseline has another.
    pub plan: u32,
    /// It is not offered any more.
    pub is_archived: bool,
    /// When it came, microseconds since 1970.
    pub created_us: i64,
}

/// A file that is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackageFault {
    /// It is no component.
    #[error("it is no WebAssembly component")]
    NotAComponent,
    /// It has no manifest.
    #[error("it has no manifest; `outpost seal` gives it one")]
    NoManifest,
    /// Its manifest cannot be read.
    #[error("its manifest cannot be used: {0}")]
    Manifest(String),
}

impl Package {
    /// What a file says about itself.
    fn of_file(bytes: &[u8]) -> Result<Self, PackageFault> {
        let manifest = manifest(bytes)?;
        let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let custom = manifest.provenance.source == CUSTOM_SOURCE;
        Ok(Self {
            id: new_id(),
            name: manifest.name,
            version: manifest.version,
            // As a gateway calls a package that nobody gave another name.
            model_id: hex[..24].to_owned(),
            origin: if custom { Origin::Custom } else { Origin::Native },
            target: TargetDescription {
                name: manifest.target,
                kind: TargetType::Regression,
                class_names: None,
                prediction_threshold: None,
            },
            model_description: Description {
                model_name: Some(manifest.provenance.algorithm),
                ..Description::default()
            },
            digest: Some(format!("sha256:{hex}")),
            bytes: Some(bytes.len() as u64),
            training_data_sha256: Some(manifest.provenance.data_sha256)
                .filter(|sha256| !sha256.is_empty()),
            training_rows: Some(manifest.provenance.data_rows).filter(|rows| *rows > 0),
            build_environment: manifest.provenance.tools,
            features: manifest.features,
            baseline: Some(manifest.baseline).filter(|baseline| baseline.rows > 0),
            metrics: manifest.metrics,
            plan: 0,
            is_archived: false,
            created_us: now_us(),
        })
    }
}

/// The manifest of a component. Sections of what is nested in it do not count.
fn manifest(bytes: &[u8]) -> Result<Manifest, PackageFault> {
    let mut depth = 0_u32;
    let mut found = None;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|_| PackageFault::NotAComponent)? {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding != Encoding::Component {
                    return Err(PackageFault::NotAComponent);
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section)
                if depth == 1
                    && section.name() == MANIFEST_SECTION
                    && found.replace(section.data()).is_some() =>
            {
                return Err(PackageFault::Manifest("there are two of them".to_owned()));
            }
            _ => {}
        }
    }
    let json = found.ok_or(PackageFault::NoManifest)?;
    Manifest::from_json(json).map_err(|error| PackageFault::Manifest(error.to_string()))
}

impl Registry {
    /// Takes a package's file. One that is here already, with the same bytes, is given back as it is; the second value
    /// says whether it is new.
    ///
    /// # Errors
    ///
    /// When it is no package.
    pub async fn upload(&self, bytes: &[u8]) -> Result<(Arc<Package>, bool), RegistryError> {
        let mut package = Package::of_file(bytes)?;
        let _changing = self.0.changing.lock().await;
        let same = |other: &&Arc<Package>| other.digest == package.digest;
        if let Some(known) = self.0.kept.read().packages.values().find(same) {
            return Ok((Arc::clone(known), false));
        }
        package.plan = self.next_plan();
        let mut transaction = self.store().pool().begin().await?;
        sqlx::query(
            "INSERT INTO artefacts (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(&package.digest)
        .bind(bytes)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("INSERT INTO packages (id, created_us, body) VALUES ($1, $2, $3)")
            .bind(&package.id)
            .bind(package.created_us)
            .bind(text(&package))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok((self.remember(package), true))
    }

    /// Takes a package out of what is offered: no deployment takes it any more, and those that have it go on.
    ///
    /// # Errors
    ///
    /// When there is none, or it was archived before.
    pub async fn archive(&self, id: &str) -> Result<(), RegistryError> {
        let _changing = self.0.changing.lock().await;
        let mut package = Package::clone(&*self.package(id)?);
        if package.is_archived {
            return Err(RegistryError::gone("model package", id));
        }
        package.is_archived = true;
        self.change(package).await.map(drop)
    }

    /// Stores a changed package, and reads its deployments anew. The caller holds the lock.
    pub(super) async fn change(&self, package: Package) -> Result<Arc<Package>, RegistryError> {
        sqlx::query("UPDATE packages SET body = $2 WHERE id = $1")
            .bind(&package.id)
            .bind(text(&package))
            .execute(self.store().pool())
            .await?;
        let package = self.remember(package);
        for known in self.deployments() {
            if known.packages.iter().any(|it| it.id == package.id) {
                self.keep(known.deployment.clone()).await?;
            }
        }
        Ok(package)
    }

    pub(super) fn remember(&self, package: Package) -> Arc<Package> {
        let package = Arc::new(package);
        self.0.kept.write().packages.insert(package.id.clone(), Arc::clone(&package));
        package
    }

    /// A number that no plan has had. The caller holds the lock.
    pub(super) fn next_plan(&self) -> u32 {
        let kept = self.0.kept.read();
        kept.packages.values().map(|package| package.plan).max().unwrap_or(0).saturating_add(1)
    }
}

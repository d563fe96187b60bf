//! Model packages: in, out, and what they say about themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use models::schema::{Feature, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::file;
use super::here::Here;
use super::shape::{Body, List, Page, Queried, page};
use super::{App, Fault};
use crate::registry::{Description, ExternalPackage, Origin, Package, Reason, TargetDescription};
use crate::report::Moment;

/// A package as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ModelPackage")]
pub(super) struct Shown {
    /// Its id.
    id: String,
    /// Its name; versions of one model share it.
    name: String,
    /// Its version.
    version: String,
    /// By which its records name the model.
    model_id: String,
    /// Where it comes from.
    origin: Origin,
    /// What it predicts.
    target: ShownTarget,
    /// What people say about it.
    model_description: Description,
    /// The SHA-256 of its file, `sha256:<hex>`; null for an external model.
    digest: Option<String>,
    /// The length of its file.
    bytes: Option<u64>,
    /// The path of its file; null for an external model.
    artifact: Option<String>,
    /// What it was trained on.
    training_data: TrainingData,
    /// With what it was made: tools and their versions.
    build_environment: BTreeMap<String, String>,
    /// How many features it has, where they are known.
    feature_count: usize,
    /// Whether there is training data to compare rows with.
    has_baseline: bool,
    /// Metrics of training, by name.
    metrics: BTreeMap<String, f64>,
    /// It is not offered any more.
    is_archived: bool,
    /// When it came.
    created_at: Moment,
}

/// What a package predicts, as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Target")]
struct ShownTarget {
    #[serde(flatten)]
    said: TargetDescription,
    /// How many classes there are; null when none are named.
    class_count: Option<usize>,
}

/// What a model was trained on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct TrainingData {
    /// The data's SHA-256, in hex.
    sha256: Option<String>,
    /// Its rows.
    rows: Option<u64>,
}

impl TrainingData {
    fn of(package: &Package) -> Self {
        Self { sha256: package.training_data_sha256.clone(), rows: package.training_rows }
    }
}

impl Shown {
    pub(super) fn of(package: &Package) -> Self {
        let class_count = package.target.class_names.as_ref().map(Vec::len);
        let path = |_: &String| format!("/api/v2/modelPackages/{}/artifact/", package.id);
        Self {
            id: package.id.clone(),
            name: package.name.clone(),
            version: package.version.clone(),
            model_id: package.model_id.clone(),
            origin: package.origin,
            target: ShownTarget { said: package.target.clone(), class_count },
            model_description: package.model_description.clone(),
            digest: package.digest.clone(),
            bytes: package.bytes,
            artifact: package.digest.as_ref().map(path),
            training_data: TrainingData::of(package),
            build_environment: package.build_environment.clone(),
            feature_count: package.features.len(),
            has_baseline: package.baseline.is_some(),
            metrics: package.metrics.clone(),
            is_archived: package.is_archived,
            created_at: Moment(package.created_us),
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Filter {
    /// Only packages of this name.
    name: Option<String>,
    /// Archived ones too.
    archived: bool,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    here: Here,
    filter: Queried<Filter>,
    part: Queried<Page>,
) -> Result<Json<List<Shown>>, Fault> {
    let (filter, part) = (filter?.0, part?.0);
    let wanted = |package: &Arc<Package>| {
        filter.name.as_ref().is_none_or(|it| *it == package.name)
            && part.finds(&package.id, &[&package.name])
    };
    let all: Vec<_> = app.registry.packages(filter.archived).into_iter().filter(wanted).collect();
    Ok(Json(page(&app, &here, &part, all.iter().map(|package| Shown::of(package)))?))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Fault> {
    Ok(Json(Shown::of(&*app.registry.package(&id)?)))
}

/// A feature as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Feature")]
pub(super) struct ShownFeature {
    /// Its name.
    name: String,
    /// What its values are.
    feature_type: FeatureType,
    /// The values that it may have, where it is categorical.
    #[serde(skip_serializing_if = "Option::is_none")]
    levels: Option<Vec<String>>,
}

/// What a feature's values are.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
enum FeatureType {
    /// Numbers.
    Numeric,
    /// Levels.
    Categorical,
}

impl ShownFeature {
    fn of(feature: &Feature) -> Self {
        let (feature_type, levels) = match &feature.kind {
            Kind::Numeric => (FeatureType::Numeric, None),
            Kind::Categorical(levels) => (FeatureType::Categorical, Some(levels.clone())),
        };
        Self { name: feature.name.clone(), feature_type, levels }
    }
}

pub(super) async fn features(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<List<ShownFeature>>, Fault> {
    let package = app.registry.package(&id)?;
    Ok(Json(page(&app, &here, &part?.0, package.features.iter().map(ShownFeature::of))?))
}

/// Where a package comes from, and whose place it took.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lineage {
    /// The package.
    id: String,
    /// Its digest; null for an external model.
    digest: Option<String>,
    /// What it was trained on.
    training_data: TrainingData,
    /// With what it was made: tools and their versions.
    build_environment: BTreeMap<String, String>,
    /// All packages of its name, itself too, the oldest first.
    versions: Vec<PackageVersion>,
    /// Where it serves or served.
    deployments: Vec<Served>,
}

/// A package of some name.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct PackageVersion {
    /// Its id.
    id: String,
    /// Its version.
    version: String,
    /// Its digest; null for an external model.
    digest: Option<String>,
}

/// A package serves in a deployment, or did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Served {
    /// The deployment.
    deployment_id: String,
    /// Whose place it took; null for the first package.
    replaced: Option<String>,
    /// Why; null for the first package.
    reason: Option<Reason>,
    /// Since when.
    at: Moment,
    /// Which package took its place; null where none did.
    replaced_by: Option<String>,
}

pub(super) async fn lineage(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Lineage>, Fault> {
    let package = app.registry.package(&id)?;
    let version = |other: &Arc<Package>| PackageVersion {
        id: other.id.clone(),
        version: other.version.clone(),
        digest: other.digest.clone(),
    };
    let versions = app
        .registry
        .packages(true)
        .iter()
        .filter(|other| other.name == package.name)
        .map(version)
        .collect();
    let mut deployments = Vec::new();
    for known in app.registry.deployments() {
        let id = &known.deployment.id;
        let history = app.registry.replacements(id).await?;
        for (at, replacement) in history.iter().enumerate() {
            if replacement.package_id == package.id {
                let other = |at: usize| history.get(at).map(|it| it.package_id.clone());
                deployments.push(Served {
                    deployment_id: id.clone(),
                    replaced: at.checked_sub(1).and_then(other),
                    reason: replacement.reason,
                    at: Moment(replacement.at_us),
                    replaced_by: other(at + 1),
                });
            }
        }
    }
    Ok(Json(Lineage {
        id: package.id.clone(),
        digest: package.digest.clone(),
        training_data: TrainingData::of(&package),
        build_environment: package.build_environment.clone(),
        versions,
        deployments,
    }))
}

pub(super) async fn external(
    State(app): State<Arc<App>>,
    body: Body<ExternalPackage>,
) -> Result<(StatusCode, Json<Shown>), Fault> {
    let package = app.registry.add_external(body?.0).await?;
    Ok((StatusCode::CREATED, Json(Shown::of(&package))))
}

pub(super) async fn archive(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    app.registry.archive(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a package's file. One that is here already is told again.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Json<Shown>), Fault> {
    let (_, bytes) = file(request).await?;
    let (package, is_new) = app.registry.upload(&bytes).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Shown::of(&package))))
}

/// Takes the training data of an external package.
pub(super) async fn train(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Shown>, Fault> {
    let (_, bytes) = file(request).await?;
    Ok(Json(Shown::of(&*app.registry.train_external(&id, &bytes).await?)))
}

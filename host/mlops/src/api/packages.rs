//! Model packages: in, out, and what they say about themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use models::schema::{Feature, Kind};
use serde::Deserialize;
use serde_json::{Value, json};

use super::file::file;
use super::here::Here;
use super::shape::{Body, Page, Queried, moment, page};
use super::{App, Fault};
use crate::registry::{ExternalPackage, Package};

/// A package as it is shown.
pub(super) fn shown(package: &Package) -> Value {
    let mut target = json!(package.target);
    target["classCount"] = json!(package.target.class_names.as_ref().map(Vec::len));
    json!({
        "id": package.id,
        "name": package.name,
        "version": package.version,
        "modelId": package.model_id,
        "origin": package.origin,
        "target": target,
        "modelDescription": package.model_description,
        "digest": package.digest,
        "bytes": package.bytes,
        "artifact": package.digest.as_ref().map(|_| format!("/api/v2/modelPackages/{}/artifact/", package.id)),
        "trainingData": {"sha256": package.training_data_sha256, "rows": package.training_rows},
        "buildEnvironment": package.build_environment,
        "featureCount": package.features.len(),
        "hasBaseline": package.baseline.is_some(),
        "metrics": package.metrics,
        "isArchived": package.is_archived,
        "createdAt": moment(package.created_us),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Filter {
    name: Option<String>,
    archived: bool,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    here: Here,
    filter: Queried<Filter>,
    part: Queried<Page>,
) -> Result<Json<Value>, Fault> {
    let (filter, part) = (filter?.0, part?.0);
    let wanted = |package: &Arc<Package>| {
        filter.name.as_ref().is_none_or(|it| *it == package.name)
            && part.finds(&package.id, &[&package.name])
    };
    let all: Vec<_> = app.registry.packages(filter.archived).into_iter().filter(wanted).collect();
    page(&app, &here, &part, all.iter().map(|package| shown(package)))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    Ok(Json(shown(&*app.registry.package(&id)?)))
}

pub(super) async fn features(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    here: Here,
    part: Queried<Page>,
) -> Result<Json<Value>, Fault> {
    let package = app.registry.package(&id)?;
    let feature = |feature: &Feature| match &feature.kind {
        Kind::Numeric => json!({"name": feature.name, "featureType": "Numeric"}),
        Kind::Categorical(levels) => {
            json!({"name": feature.name, "featureType": "Categorical", "levels": levels})
        }
    };
    page(&app, &here, &part?.0, package.features.iter().map(feature))
}

/// Where a package comes from, and whose place it took.
pub(super) async fn lineage(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    let package = app.registry.package(&id)?;
    let versions: Vec<Value> = app
        .registry
        .packages(true)
        .iter()
        .filter(|other| other.name == package.name)
        .map(|other| json!({"id": other.id, "version": other.version, "digest": other.digest}))
        .collect();
    let mut deployments = Vec::new();
    for known in app.registry.deployments() {
        let id = &known.deployment.id;
        let history = app.registry.replacements(id).await?;
        for (at, replacement) in history.iter().enumerate() {
            if replacement.package_id == package.id {
                let before = at.checked_sub(1).map(|at| &history[at].package_id);
                deployments.push(json!({
                    "deploymentId": id,
                    "replaced": before,
                    "reason": replacement.reason,
                    "at": moment(replacement.at_us),
                    "replacedBy": history.get(at + 1).map(|it| &it.package_id),
                }));
            }
        }
    }
    Ok(Json(json!({
        "id": package.id,
        "digest": package.digest,
        "trainingData": {"sha256": package.training_data_sha256, "rows": package.training_rows},
        "buildEnvironment": package.build_environment,
        "versions": versions,
        "deployments": deployments,
    })))
}

pub(super) async fn external(
    State(app): State<Arc<App>>,
    body: Body<ExternalPackage>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let package = app.registry.add_external(body?.0).await?;
    Ok((StatusCode::CREATED, Json(shown(&package))))
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
) -> Result<(StatusCode, Json<Value>), Fault> {
    let (_, bytes) = file(request).await?;
    let (package, is_new) = app.registry.upload(&bytes).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(shown(&package))))
}

/// Takes the training data of an external package.
pub(super) async fn train(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, Fault> {
    let (_, bytes) = file(request).await?;
    Ok(Json(shown(&*app.registry.train_external(&id, &bytes).await?)))
}

//! Model packages: in, out, and what they say about themselves.

use std::sync::Arc;

use axum::body::Body as Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest as _, Multipart, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use models::schema::{Feature, Kind};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shape::{Body, Page, Queried, moment, page};
use super::{App, Fault, jobs};
use crate::registry::{ExternalPackage, Package};

/// The name of the part of a form that has the file.
const FILE: &str = "file";

/// Routes that take whole files.
pub(super) fn uploads() -> Router<Arc<App>> {
    let mut router = Router::new();
    for end in ["", "/"] {
        router = router
            .route(&format!("/api/v2/modelPackages/fromFile{end}"), post(upload))
            .route(&format!("/api/v2/modelPackages/{{id}}/trainingData{end}"), post(train))
            .route(&format!("/api/v2/datasets/fromFile{end}"), post(dataset));
    }
    router
}

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
    offset: usize,
    limit: Option<usize>,
    name: Option<String>,
    archived: bool,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    filter: Queried<Filter>,
) -> Result<Json<Value>, Fault> {
    let filter = filter?.0;
    let named = |package: &Arc<Package>| filter.name.as_ref().is_none_or(|it| *it == package.name);
    let all: Vec<_> = app.registry.packages(filter.archived).into_iter().filter(named).collect();
    let part = Page { offset: filter.offset, limit: filter.limit };
    page(&app, "modelPackages", part, all.iter().map(|package| shown(package)))
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
    part: Queried<Page>,
) -> Result<Json<Value>, Fault> {
    let package = app.registry.package(&id)?;
    let feature = |feature: &Feature| match &feature.kind {
        Kind::Numeric => json!({"name": feature.name, "featureType": "Numeric"}),
        Kind::Categorical(levels) => {
            json!({"name": feature.name, "featureType": "Categorical", "levels": levels})
        }
    };
    page(
        &app,
        &format!("modelPackages/{id}/features"),
        part?.0,
        package.features.iter().map(feature),
    )
}

/// The package's file.
pub(super) async fn artefact(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let package = app.registry.package(&id)?;
    let Some(digest) = &package.digest else {
        let message = format!("model package {id:?} is external: there is no file of it here");
        return Err(Fault::new(StatusCode::NOT_FOUND, message));
    };
    let bytes = app.registry.artefact(digest).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/wasm".to_owned()),
        (header::ETAG, format!("\"{digest}\"")),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.wasm\"")),
    ];
    Ok((headers, Bytes::from(bytes)).into_response())
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
async fn upload(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let (_, bytes) = file(request).await?;
    let (package, is_new) = app.registry.upload(&bytes).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(shown(&package))))
}

/// Takes the training data of an external package.
async fn train(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, Fault> {
    let (_, bytes) = file(request).await?;
    Ok(Json(shown(&*app.registry.train_external(&id, &bytes).await?)))
}

/// Keeps a file, for a package that names it.
async fn dataset(State(app): State<Arc<App>>, request: Request) -> Result<Response, Fault> {
    let (name, bytes) = file(request).await?;
    let id = app.registry.add_dataset(&name, &bytes).await?;
    Ok(jobs::done(&format!("datasets/{id}"), json!({"catalogId": id, "catalogVersionId": id})))
}

/// The file of a request: its body, or the part of a form.
async fn file(request: Request) -> Result<(String, axum::body::Bytes), Fault> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_form = kind
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/form-data"));
    if !is_form {
        let bytes: Result<_, BytesRejection> = axum::body::Bytes::from_request(request, &()).await;
        let bytes = bytes?;
        if bytes.is_empty() {
            return Err(Fault::field(
                FILE,
                "is missing: the body, or a part of a form, is the file",
            ));
        }
        return Ok((FILE.to_owned(), bytes));
    }
    let unreadable = |status, text: String| Fault::new(status, text);
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| unreadable(error.status(), error.body_text()))?;
    while let Some(part) =
        form.next_field().await.map_err(|error| unreadable(error.status(), error.body_text()))?
    {
        if part.name() == Some(FILE) {
            let name = part.file_name().unwrap_or(FILE).to_owned();
            let bytes = part.bytes().await;
            return Ok((
                name,
                bytes.map_err(|error| unreadable(error.status(), error.body_text()))?,
            ));
        }
    }
    Err(Fault::field(FILE, "is missing: a part of the form must have this name"))
}

//! Packages' files, out of the registry: of a package, or of the package that a deployment has. Nothing in them names this
//! server.
//!
//! Clients of the service ask for a build first and wait for it; here it is done when they ask.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::jobs::{Done, Said};
use super::{App, Fault, jobs};
use crate::registry::Package;

/// A package's file, in an answer.
#[derive(Debug)]
pub(super) struct WholeFile(Response);

impl IntoResponse for WholeFile {
    fn into_response(self) -> Response {
        self.0
    }
}

/// The package's file.
pub(super) async fn of_package(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<WholeFile, Fault> {
    answer(&app, &*app.registry.package(&id)?).await
}

/// The file of the package that a deployment has.
pub(super) async fn of_deployment(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<WholeFile, Fault> {
    answer(&app, &*package_of(&app, &id)?).await
}

/// Where the package's file is.
pub(super) async fn build_of_package(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Done<Said>, Fault> {
    build(&*app.registry.package(&id)?)
}

/// Where the file of the package is that a deployment has.
pub(super) async fn build_of_deployment(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Done<Said>, Fault> {
    build(&*package_of(&app, &id)?)
}

fn package_of(app: &App, deployment: &str) -> Result<Arc<Package>, Fault> {
    let known = app.registry.deployment(deployment)?;
    let package = known.packages.first().cloned();
    package.ok_or_else(|| Fault::missing(format!("deployment {deployment:?} has no package")))
}

fn build(package: &Package) -> Result<Done<Said>, Fault> {
    digest(package)?;
    let at = format!("modelPackages/{}/modelPackageFile", package.id);
    Ok(jobs::done(at, jobs::OK))
}

async fn answer(app: &App, package: &Package) -> Result<WholeFile, Fault> {
    let digest = digest(package)?;
    let bytes = app.registry.artefact(digest).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/wasm".to_owned()),
        (header::ETAG, format!("\"{digest}\"")),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.wasm\"", package.id)),
    ];
    Ok(WholeFile((headers, Body::from(bytes)).into_response()))
}

/// Not 404: clients would say that there is no such package.
fn digest(package: &Package) -> Result<&str, Fault> {
    let id = &package.id;
    package.digest.as_deref().ok_or_else(|| {
        let message = format!("model package {id:?} is external: there is no file of it here");
        Fault::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    })
}

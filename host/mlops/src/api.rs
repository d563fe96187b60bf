//! HTTP: the calls of the service that we stand in for, and our own, under `/api/v2/`.
//!
//! Paths end in a slash, and are taken without one too. Answers are JSON; nothing in them holds an address of this server but
//! as a path, so that they are true whatever name it is called by; only a `Location` gets the name of the request's own `Host`. A fault names the field and is told as
//! `{"message": ..}`; what went wrong inside is logged and not told.

mod deployments;
mod environments;
mod fault;
mod ingest;
mod jobs;
mod openapi;
mod packages;
mod reports;
mod shape;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::routing::{MethodRouter, get, patch, post};

pub use self::fault::Fault;
use crate::ingest::Ingest;
use crate::registry::Registry;

/// What the routes share.
#[derive(Clone, Debug)]
pub struct App {
    /// Packages, deployments, environments.
    pub registry: Registry,
    /// The way of records into the statistics.
    pub ingest: Ingest,
    /// What a client may send, and what happens to deployments that nobody made.
    pub limits: Limits,
}

/// What a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a call.
    pub body_bytes: usize,
    /// Bytes of a package, or of a file of training data.
    pub package_bytes: usize,
    /// Entries of a list in one answer, at most.
    pub page: usize,
    /// A deployment that is first heard of in a record is made, of an external model.
    pub auto_register: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 64 << 20, package_bytes: 512 << 20, page: 1000, auto_register: false }
    }
}

/// What somebody must be allowed to do for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// To look.
    Read,
    /// To report records.
    Report,
    /// To change the registry.
    Admin,
}

type Routes = Vec<(Needs, &'static str, MethodRouter<Arc<App>>)>;

/// All routes, by what they need; `guard` puts the guard of a need around some of them.
pub fn router(app: App, guard: impl Fn(Needs, Router<Arc<App>>) -> Router<Arc<App>>) -> Router {
    let body_bytes = app.limits.body_bytes;
    let app = Arc::new(app);
    let mut all = Router::new();
    for need in [Needs::Read, Needs::Report, Needs::Admin] {
        let mut router = Router::new();
        for (_, path, method) in routes().into_iter().filter(|(needs, ..)| *needs == need) {
            // With its slash and without.
            router = router
                .route(&format!("/api/v2/{path}/"), method.clone())
                .route(&format!("/api/v2/{path}"), method);
        }
        all = all.merge(guard(need, router));
    }
    let package_bytes = app.limits.package_bytes;
    let uploads = packages::uploads().layer(DefaultBodyLimit::max(package_bytes));
    all.layer(DefaultBodyLimit::max(body_bytes))
        .merge(guard(Needs::Admin, uploads))
        .route("/openapi.json", get(openapi::serve))
        .fallback(unknown)
        .with_state(app)
}

fn routes() -> Routes {
    use Needs::{Admin, Read, Report};
    vec![
        (Read, "version", get(jobs::version)),
        (Read, "status/{job}", get(jobs::status)),
        // ingest
        (Report, "deployments/{id}/predictionRequests/fromJSON", post(ingest::requests)),
        (Report, "deployments/{id}/predictionInputs/fromJSON", post(ingest::inputs)),
        (Report, "deployments/{id}/predictionStats/fromJSON", post(ingest::stats)),
        (Report, "deployments/{id}/actuals/fromJSON", post(ingest::actuals)),
        (Report, "deployments/{id}/customMetrics/{metric}/fromJSON", post(ingest::custom_metrics)),
        (Report, "remoteEvents", post(ingest::event)),
        // packages
        (Read, "modelPackages", get(packages::list)),
        (Read, "modelPackages/{id}", get(packages::one)),
        (Read, "modelPackages/{id}/features", get(packages::features)),
        (Read, "modelPackages/{id}/artifact", get(packages::artefact)),
        (Read, "modelPackages/{id}/lineage", get(packages::lineage)),
        (Admin, "modelPackages/fromJSON", post(packages::external)),
        (Admin, "modelPackages/{id}/archive", post(packages::archive)),
        // deployments
        (Read, "deployments", get(deployments::list)),
        (Read, "deployments/{id}", get(deployments::one)),
        (Read, "deployments/{id}/settings", get(deployments::settings)),
        (Read, "deployments/{id}/modelHistory", get(deployments::history)),
        (Read, "deployments/{id}/events", get(deployments::events)),
        (Read, "deployments/{id}/refusals", get(deployments::refusals)),
        (Admin, "deployments/fromModelPackage", post(deployments::create)),
        (Admin, "deployments/{id}", axum::routing::delete(deployments::delete)),
        (Admin, "deployments/{id}/model", patch(deployments::replace)),
        (Admin, "deployments/{id}/settings", patch(deployments::change_settings)),
        // statistics
        (Read, "deployments/{id}/health", get(reports::health)),
        (Read, "deployments/{id}/drift", get(reports::drift)),
        (Read, "deployments/{id}/accuracy", get(reports::accuracy)),
        // environments
        (Read, "predictionEnvironments", get(environments::list)),
        (Read, "predictionEnvironments/{id}", get(environments::one)),
        (Admin, "predictionEnvironments", post(environments::create)),
        (Admin, "predictionEnvironments/{id}", axum::routing::delete(environments::delete)),
        (
            Admin,
            "mlops/predictionEnvironments/{id}/monitoringAgents",
            post(environments::restart_monitoring),
        ),
        (
            Admin,
            "mlops/predictionEnvironments/{id}/managementAgents",
            post(environments::restart_management),
        ),
    ]
}

async fn unknown(uri: Uri) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

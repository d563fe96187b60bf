//! HTTP: the calls of the service that we stand in for, and our own, under `/api/v2/`.
//!
//! Paths end in a slash, and are taken without one too. Answers are JSON; nothing in them holds an address of this server but
//! as a path, so that they are true whatever name it is called by; only a `Location` and the next part of a list get the
//! name of the request's own `Host`. A fault names the field and is told as
//! `{"message": ..}`; what went wrong inside is logged and not told.

mod artefacts;
mod batch_jobs;
mod batches;
mod custom_metrics;
mod datasets;
mod deployments;
mod describe;
mod entries;
mod environments;
mod fault;
mod file;
mod here;
mod ingest;
mod jobs;
mod open;
mod openapi;
mod packages;
mod reports;
mod served;
mod service;
mod shape;
mod stretch;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};

pub use self::fault::Fault;
pub(crate) use self::here::origin;
use self::served::{Served, delete, get, patch, post, put};
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
        Self { body_bytes: 64 << 20, package_bytes: 512 << 20, page: 10_000, auto_register: false }
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

type Routes = Vec<(Needs, &'static str, Served)>;

/// All routes, by what they need; `guard` puts the guard of a need around some of them.
pub fn router(app: App, guard: impl Fn(Needs, Router<Arc<App>>) -> Router<Arc<App>>) -> Router {
    let body_bytes = app.limits.body_bytes;
    let app = Arc::new(app);
    let mut all = Router::new();
    for (routes, bytes) in [(routes(), body_bytes), (uploads(), app.limits.package_bytes)] {
        for need in [Needs::Read, Needs::Report, Needs::Admin] {
            let mut router = Router::new();
            for (_, path, served) in routes.iter().filter(|(needs, ..)| *needs == need) {
                // With its slash and without.
                router = router
                    .route(&format!("/api/v2/{path}/"), served.route.clone())
                    .route(&format!("/api/v2/{path}"), served.route.clone());
            }
            if router.has_routes() {
                all = all.merge(guard(need, router.layer(DefaultBodyLimit::max(bytes))));
            }
        }
    }
    all.route("/openapi.json", axum::routing::get(openapi::serve))
        .route("/healthz", axum::routing::get(open::healthy))
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
        (Read, "modelPackages/{id}/artifact", get(artefacts::of_package)),
        (Read, "modelPackages/{id}/lineage", get(packages::lineage)),
        (Read, "modelPackages/{id}/modelPackageFile", get(artefacts::of_package)),
        (Read, "modelPackages/{id}/modelPackageFileBuilds", post(artefacts::build_of_package)),
        (Read, "modelPackages/{id}/scoringCode", get(artefacts::of_package)),
        (Read, "modelPackages/{id}/scoringCodeBuilds", post(artefacts::build_of_package)),
        (Read, "deployments/{id}/modelPackageFile", get(artefacts::of_deployment)),
        (Read, "deployments/{id}/modelPackageFileBuilds", post(artefacts::build_of_deployment)),
        (Read, "deployments/{id}/scoringCode", get(artefacts::of_deployment)),
        (Read, "deployments/{id}/scoringCodeBuilds", post(artefacts::build_of_deployment)),
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
        (Admin, "deployments/{id}", delete(deployments::delete)),
        (Admin, "deployments/{id}/model", patch(deployments::replace)),
        (Admin, "deployments/{id}/settings", patch(deployments::change_settings)),
        // statistics
        (Read, "deployments/{id}/health", get(reports::health)),
        (Read, "deployments/{id}/drift", get(reports::drift)),
        (Read, "deployments/{id}/accuracy", get(reports::accuracy)),
        (Read, "deployments/{id}/serviceStats", get(service::service_stats)),
        (Read, "deployments/{id}/predictionsOverTime", get(service::predictions_over_time)),
        (
            Read,
            "deployments/{id}/predictionsVsActualsOverTime",
            get(service::predictions_vs_actuals_over_time),
        ),
        (Read, "deployments/{id}/targetDrift", get(service::target_drift)),
        (Read, "deployments/{id}/featureDrift", get(service::feature_drift)),
        // batches
        (Read, "deployments/{id}/monitoringBatches", get(batches::list)),
        (Read, "deployments/{id}/monitoringBatches/{batch}", get(batches::one)),
        (Read, "deployments/{id}/predictionsOverBatch", get(batches::predictions)),
        (Report, "deployments/{id}/monitoringBatches", post(batches::create)),
        // custom metrics
        (Read, "deployments/{id}/customMetrics", get(custom_metrics::list)),
        (Read, "deployments/{id}/customMetrics/{metric}", get(custom_metrics::one)),
        (Read, "deployments/{id}/customMetrics/{metric}/summary", get(custom_metrics::summary)),
        (
            Read,
            "deployments/{id}/customMetrics/{metric}/valuesOverTime",
            get(custom_metrics::values_over_time),
        ),
        (Admin, "deployments/{id}/customMetrics", post(custom_metrics::create)),
        // files and jobs
        (Read, "datasets", get(datasets::list)),
        (Read, "datasets/{id}", get(datasets::one)),
        (Admin, "datasets/{id}", delete(datasets::delete)),
        (Report, "deployments/{id}/predictionInputs/fromDataset", post(datasets::scored)),
        (Read, "batchJobs", get(batch_jobs::list)),
        (Read, "batchJobs/{id}", get(batch_jobs::one)),
        (Report, "batchMonitoring", post(batch_jobs::create)),
        (Report, "batchJobs/{id}", delete(batch_jobs::abort)),
        // environments
        (Read, "predictionEnvironments", get(environments::list)),
        (Read, "predictionEnvironments/{id}", get(environments::one)),
        (Admin, "predictionEnvironments", post(environments::create)),
        (Admin, "predictionEnvironments/{id}", delete(environments::delete)),
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

/// Routes that take whole files.
fn uploads() -> Routes {
    use Needs::{Admin, Report};
    vec![
        (Admin, "modelPackages/fromFile", post(packages::upload)),
        (Admin, "modelPackages/{id}/trainingData", post(packages::train)),
        (Admin, "datasets/fromFile", post(datasets::upload)),
        (Report, "batchJobs/{id}/csvUpload", put(batch_jobs::upload)),
    ]
}

async fn unknown(uri: Uri) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

#[cfg(test)]
mod tests;

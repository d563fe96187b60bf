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
        (Read, "version", get(jobs::version).told(200, "The version of the calls")),
        (Read, "status/{job}", get(jobs::status).told(303, "Where a job led")),
        // ingest
        (
            Report,
            "deployments/{id}/predictionRequests/fromJSON",
            post(ingest::requests).told(202, "Report requests"),
        ),
        (
            Report,
            "deployments/{id}/predictionInputs/fromJSON",
            post(ingest::inputs).told(202, "Report rows"),
        ),
        (
            Report,
            "deployments/{id}/predictionStats/fromJSON",
            post(ingest::stats).told(202, "Report sums of rows"),
        ),
        (
            Report,
            "deployments/{id}/actuals/fromJSON",
            post(ingest::actuals).told(202, "Report outcomes"),
        ),
        (
            Report,
            "deployments/{id}/customMetrics/{metric}/fromJSON",
            post(ingest::custom_metrics).told(202, "Report values of a metric"),
        ),
        (Report, "remoteEvents", post(ingest::event).told(202, "Report an event")),
        // packages
        (Read, "modelPackages", get(packages::list).told(200, "Packages")),
        (Read, "modelPackages/{id}", get(packages::one).told(200, "A package")),
        (
            Read,
            "modelPackages/{id}/features",
            get(packages::features).told(200, "The features of a package"),
        ),
        (
            Read,
            "modelPackages/{id}/artifact",
            get(artefacts::of_package).told(200, "The file of a package"),
        ),
        (
            Read,
            "modelPackages/{id}/lineage",
            get(packages::lineage).told(200, "Where a package comes from"),
        ),
        (
            Read,
            "modelPackages/{id}/modelPackageFile",
            get(artefacts::of_package).told(200, "The file of a package"),
        ),
        (
            Read,
            "modelPackages/{id}/modelPackageFileBuilds",
            post(artefacts::build_of_package).told(202, "Ask for the file of a package"),
        ),
        (
            Read,
            "modelPackages/{id}/scoringCode",
            get(artefacts::of_package).told(200, "The file of a package"),
        ),
        (
            Read,
            "modelPackages/{id}/scoringCodeBuilds",
            post(artefacts::build_of_package).told(202, "Ask for the file of a package"),
        ),
        (
            Read,
            "deployments/{id}/modelPackageFile",
            get(artefacts::of_deployment).told(200, "The file of a deployment's package"),
        ),
        (
            Read,
            "deployments/{id}/modelPackageFileBuilds",
            post(artefacts::build_of_deployment)
                .told(202, "Ask for the file of a deployment's package"),
        ),
        (
            Read,
            "deployments/{id}/scoringCode",
            get(artefacts::of_deployment).told(200, "The file of a deployment's package"),
        ),
        (
            Read,
            "deployments/{id}/scoringCodeBuilds",
            post(artefacts::build_of_deployment)
                .told(202, "Ask for the file of a deployment's package"),
        ),
        (
            Admin,
            "modelPackages/fromJSON",
            post(packages::external).told(201, "Describe an external model"),
        ),
        (
            Admin,
            "modelPackages/{id}/archive",
            post(packages::archive).told(204, "Take a package out of the list"),
        ),
        // deployments
        (Read, "deployments", get(deployments::list).told(200, "Deployments")),
        (Read, "deployments/{id}", get(deployments::one).told(200, "A deployment")),
        (
            Read,
            "deployments/{id}/settings",
            get(deployments::settings).told(200, "Settings of a deployment"),
        ),
        (
            Read,
            "deployments/{id}/modelHistory",
            get(deployments::history).told(200, "Which package served when"),
        ),
        (Read, "deployments/{id}/events", get(deployments::events).told(200, "What happened")),
        (
            Read,
            "deployments/{id}/refusals",
            get(deployments::refusals).told(200, "What was not taken"),
        ),
        (
            Admin,
            "deployments/fromModelPackage",
            post(deployments::create).told(202, "Make a deployment"),
        ),
        (Admin, "deployments/{id}", delete(deployments::delete).told(204, "Remove a deployment")),
        (
            Admin,
            "deployments/{id}/model",
            patch(deployments::replace).told(202, "Replace the package"),
        ),
        (
            Admin,
            "deployments/{id}/settings",
            patch(deployments::change_settings).told(202, "Change settings"),
        ),
        // statistics
        (Read, "deployments/{id}/health", get(reports::health).told(200, "Service health")),
        (Read, "deployments/{id}/drift", get(reports::drift).told(200, "Drift")),
        (Read, "deployments/{id}/accuracy", get(reports::accuracy).told(200, "Accuracy")),
        (
            Read,
            "deployments/{id}/serviceStats",
            get(service::service_stats).told(200, "Service health, as the service has it"),
        ),
        (
            Read,
            "deployments/{id}/predictionsOverTime",
            get(service::predictions_over_time).told(200, "Predictions, as the service has them"),
        ),
        (
            Read,
            "deployments/{id}/predictionsVsActualsOverTime",
            get(service::predictions_vs_actuals_over_time).told(200, "Predictions beside outcomes"),
        ),
        (
            Read,
            "deployments/{id}/targetDrift",
            get(service::target_drift).told(200, "Drift of the predictions, as the service has it"),
        ),
        (
            Read,
            "deployments/{id}/featureDrift",
            get(service::feature_drift).told(200, "Drift of the features, as the service has it"),
        ),
        // batches
        (Read, "deployments/{id}/monitoringBatches", get(batches::list).told(200, "Batches")),
        (
            Read,
            "deployments/{id}/monitoringBatches/{batch}",
            get(batches::one).told(200, "A batch"),
        ),
        (
            Read,
            "deployments/{id}/predictionsOverBatch",
            get(batches::predictions).told(200, "Predictions of batches"),
        ),
        (
            Report,
            "deployments/{id}/monitoringBatches",
            post(batches::create).told(201, "Make a batch"),
        ),
        // custom metrics
        (
            Read,
            "deployments/{id}/customMetrics",
            get(custom_metrics::list).told(200, "Metrics that somebody else measures"),
        ),
        (
            Read,
            "deployments/{id}/customMetrics/{metric}",
            get(custom_metrics::one).told(200, "A metric"),
        ),
        (
            Read,
            "deployments/{id}/customMetrics/{metric}/summary",
            get(custom_metrics::summary).told(200, "What its values come to"),
        ),
        (
            Read,
            "deployments/{id}/customMetrics/{metric}/valuesOverTime",
            get(custom_metrics::values_over_time).told(200, "Its values"),
        ),
        (
            Admin,
            "deployments/{id}/customMetrics",
            post(custom_metrics::create).told(201, "Make a metric"),
        ),
        // files and jobs
        (Read, "datasets", get(datasets::list).told(200, "Files")),
        (Read, "datasets/{id}", get(datasets::one).told(200, "A file")),
        (Admin, "datasets/{id}", delete(datasets::delete).told(204, "Delete a file")),
        (
            Report,
            "deployments/{id}/predictionInputs/fromDataset",
            post(datasets::scored).told(202, "Note that a file was scored"),
        ),
        (Read, "batchJobs", get(batch_jobs::list).told(200, "Monitoring jobs")),
        (Read, "batchJobs/{id}", get(batch_jobs::one).told(200, "A monitoring job")),
        (Report, "batchMonitoring", post(batch_jobs::create).told(202, "Make a monitoring job")),
        (Report, "batchJobs/{id}", delete(batch_jobs::abort).told(202, "End a monitoring job")),
        // environments
        (
            Read,
            "predictionEnvironments",
            get(environments::list).told(200, "Prediction environments"),
        ),
        (
            Read,
            "predictionEnvironments/{id}",
            get(environments::one).told(200, "A prediction environment"),
        ),
        (
            Admin,
            "predictionEnvironments",
            post(environments::create).told(201, "Make a prediction environment"),
        ),
        (
            Admin,
            "predictionEnvironments/{id}",
            delete(environments::delete).told(204, "Remove one without deployments"),
        ),
        (
            Admin,
            "mlops/predictionEnvironments/{id}/monitoringAgents",
            post(environments::restart_monitoring)
                .told(202, "Ask for a restart of monitoring agents"),
        ),
        (
            Admin,
            "mlops/predictionEnvironments/{id}/managementAgents",
            post(environments::restart_management)
                .told(202, "Ask for a restart of management agents"),
        ),
    ]
}

/// Routes that take whole files.
fn uploads() -> Routes {
    use Needs::{Admin, Report};
    vec![
        (Admin, "modelPackages/fromFile", post(packages::upload).told(201, "Upload a package")),
        (
            Admin,
            "modelPackages/{id}/trainingData",
            post(packages::train).told(200, "Upload training data"),
        ),
        (Admin, "datasets/fromFile", post(datasets::upload).told(202, "Upload a file")),
        (
            Report,
            "batchJobs/{id}/csvUpload",
            put(batch_jobs::upload).told(202, "Upload a monitoring job's file"),
        ),
    ]
}

async fn unknown(uri: Uri) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

#[cfg(test)]
mod tests;

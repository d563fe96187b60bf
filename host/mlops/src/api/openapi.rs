//! The OpenAPI document: made of a table of the calls, which a test holds against what is served.

use std::sync::LazyLock;

use axum::Json;
use serde_json::{Map, Value, json};

use super::Needs::{self, Admin, Read, Report};
use super::describe::{Schemas, Sent, Told};
use super::fault::Explained;
use super::file::FILE;
use super::{routes, uploads};

/// What a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// Which part of a list.
    Page,
    /// What a report is about.
    Stretch,
    /// An object.
    Object,
    /// A list of entries in `data`.
    Entries,
    /// The body, or a part of a form.
    File,
}
use Takes::{Entries, File, Nothing, Object, Page, Stretch};

/// Method, path below `/api/v2/`, who may, what it takes, what it answers when done, what it is for.
type Call = (&'static str, &'static str, Needs, Takes, u16, &'static str);

const CALLS: [Call; 68] = [
    ("get", "version", Read, Nothing, 200, "The version of the calls"),
    ("get", "status/{job}", Read, Nothing, 303, "Where a job led"),
    (
        "post",
        "deployments/{id}/predictionRequests/fromJSON",
        Report,
        Entries,
        202,
        "Report requests",
    ),
    ("post", "deployments/{id}/predictionInputs/fromJSON", Report, Entries, 202, "Report rows"),
    (
        "post",
        "deployments/{id}/predictionStats/fromJSON",
        Report,
        Entries,
        202,
        "Report sums of rows",
    ),
    ("post", "deployments/{id}/actuals/fromJSON", Report, Entries, 202, "Report outcomes"),
    (
        "post",
        "deployments/{id}/customMetrics/{metric}/fromJSON",
        Report,
        Object,
        202,
        "Report values of a metric",
    ),
    ("post", "remoteEvents", Report, Object, 202, "Report an event"),
    ("get", "modelPackages", Read, Page, 200, "Packages"),
    ("get", "modelPackages/{id}", Read, Nothing, 200, "A package"),
    ("get", "modelPackages/{id}/features", Read, Page, 200, "The features of a package"),
    ("get", "modelPackages/{id}/artifact", Read, Nothing, 200, "The file of a package"),
    ("get", "modelPackages/{id}/lineage", Read, Nothing, 200, "Where a package comes from"),
    ("post", "modelPackages/fromJSON", Admin, Object, 201, "Describe an external model"),
    ("post", "modelPackages/fromFile", Admin, File, 201, "Upload a package"),
    ("post", "modelPackages/{id}/trainingData", Admin, File, 200, "Upload training data"),
    ("post", "modelPackages/{id}/archive", Admin, Nothing, 204, "Take a package out of the list"),
    ("post", "datasets/fromFile", Admin, File, 202, "Upload a file"),
    ("get", "deployments", Read, Page, 200, "Deployments"),
    ("get", "deployments/{id}", Read, Nothing, 200, "A deployment"),
    ("delete", "deployments/{id}", Admin, Nothing, 204, "Remove a deployment"),
    ("post", "deployments/fromModelPackage", Admin, Object, 202, "Make a deployment"),
    ("patch", "deployments/{id}/model", Admin, Object, 202, "Replace the package"),
    ("get", "deployments/{id}/modelHistory", Read, Page, 200, "Which package served when"),
    ("get", "deployments/{id}/settings", Read, Nothing, 200, "Settings of a deployment"),
    ("patch", "deployments/{id}/settings", Admin, Object, 202, "Change settings"),
    ("get", "deployments/{id}/events", Read, Page, 200, "What happened"),
    ("get", "deployments/{id}/refusals", Read, Nothing, 200, "What was not taken"),
    ("get", "deployments/{id}/health", Read, Stretch, 200, "Service health"),
    ("get", "deployments/{id}/drift", Read, Stretch, 200, "Drift"),
    ("get", "deployments/{id}/accuracy", Read, Stretch, 200, "Accuracy"),
    (
        "get",
        "deployments/{id}/serviceStats",
        Read,
        Stretch,
        200,
        "Service health, as the service has it",
    ),
    (
        "get",
        "deployments/{id}/predictionsOverTime",
        Read,
        Stretch,
        200,
        "Predictions, as the service has them",
    ),
    (
        "get",
        "deployments/{id}/predictionsVsActualsOverTime",
        Read,
        Stretch,
        200,
        "Predictions beside outcomes",
    ),
    (
        "get",
        "deployments/{id}/targetDrift",
        Read,
        Stretch,
        200,
        "Drift of the predictions, as the service has it",
    ),
    (
        "get",
        "deployments/{id}/featureDrift",
        Read,
        Stretch,
        200,
        "Drift of the features, as the service has it",
    ),
    ("get", "deployments/{id}/monitoringBatches", Read, Page, 200, "Batches"),
    ("get", "deployments/{id}/monitoringBatches/{batch}", Read, Nothing, 200, "A batch"),
    ("get", "deployments/{id}/predictionsOverBatch", Read, Nothing, 200, "Predictions of batches"),
    ("post", "deployments/{id}/monitoringBatches", Report, Object, 201, "Make a batch"),
    (
        "get",
        "deployments/{id}/customMetrics",
        Read,
        Page,
        200,
        "Metrics that somebody else measures",
    ),
    ("get", "deployments/{id}/customMetrics/{metric}", Read, Nothing, 200, "A metric"),
    (
        "get",
        "deployments/{id}/customMetrics/{metric}/summary",
        Read,
        Stretch,
        200,
        "What its values come to",
    ),
    (
        "get",
        "deployments/{id}/customMetrics/{metric}/valuesOverTime",
        Read,
        Stretch,
        200,
        "Its values",
    ),
    ("post", "deployments/{id}/customMetrics", Admin, Object, 201, "Make a metric"),
    ("get", "datasets", Read, Page, 200, "Files"),
    ("get", "datasets/{id}", Read, Nothing, 200, "A file"),
    ("delete", "datasets/{id}", Admin, Nothing, 204, "Delete a file"),
    (
        "post",
        "deployments/{id}/predictionInputs/fromDataset",
        Report,
        Object,
        202,
        "Note that a file was scored",
    ),
    ("get", "batchJobs", Read, Page, 200, "Monitoring jobs"),
    ("get", "batchJobs/{id}", Read, Nothing, 200, "A monitoring job"),
    ("post", "batchMonitoring", Report, Object, 202, "Make a monitoring job"),
    ("put", "batchJobs/{id}/csvUpload", Report, File, 202, "Upload a monitoring job's file"),
    ("delete", "batchJobs/{id}", Report, Nothing, 202, "End a monitoring job"),
    ("get", "modelPackages/{id}/modelPackageFile", Read, Nothing, 200, "The file of a package"),
    ("get", "modelPackages/{id}/scoringCode", Read, Nothing, 200, "The file of a package"),
    (
        "post",
        "modelPackages/{id}/modelPackageFileBuilds",
        Read,
        Nothing,
        202,
        "Ask for the file of a package",
    ),
    (
        "post",
        "modelPackages/{id}/scoringCodeBuilds",
        Read,
        Nothing,
        202,
        "Ask for the file of a package",
    ),
    (
        "get",
        "deployments/{id}/modelPackageFile",
        Read,
        Nothing,
        200,
        "The file of a deployment's package",
    ),
    (
        "get",
        "deployments/{id}/scoringCode",
        Read,
        Nothing,
        200,
        "The file of a deployment's package",
    ),
    (
        "post",
        "deployments/{id}/modelPackageFileBuilds",
        Read,
        Nothing,
        202,
        "Ask for the file of a deployment's package",
    ),
    (
        "post",
        "deployments/{id}/scoringCodeBuilds",
        Read,
        Nothing,
        202,
        "Ask for the file of a deployment's package",
    ),
    ("get", "predictionEnvironments", Read, Page, 200, "Prediction environments"),
    ("get", "predictionEnvironments/{id}", Read, Nothing, 200, "A prediction environment"),
    ("post", "predictionEnvironments", Admin, Object, 201, "Make a prediction environment"),
    (
        "delete",
        "predictionEnvironments/{id}",
        Admin,
        Nothing,
        204,
        "Remove one without deployments",
    ),
    (
        "post",
        "mlops/predictionEnvironments/{id}/monitoringAgents",
        Admin,
        Object,
        202,
        "Ask for a restart of monitoring agents",
    ),
    (
        "post",
        "mlops/predictionEnvironments/{id}/managementAgents",
        Admin,
        Object,
        202,
        "Ask for a restart of management agents",
    ),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// What a call is answered too when it is done: what was there already is told again.
const ALSO: [(&str, &str, u16, &str); 1] =
    [("post", "modelPackages/fromFile", 200, "It is here already")];

/// Answers it; everybody may read it.
pub(super) async fn serve() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let fault = schemas.answered::<Explained>();
    let mut paths = super::open::told(&mut schemas);
    for (_, path, served) in routes().into_iter().chain(uploads()) {
        let told = (served.tell)(&mut schemas);
        if let Some(call) = CALLS.iter().find(|call| call.0 == served.method && call.1 == path) {
            let path = paths.entry(format!("/api/v2/{path}/")).or_insert_with(|| json!({}));
            path[served.method] = operation(call, told, &fault);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Outpost MLOps server", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas.named(),
        },
        "security": [{"token": []}],
    })
}

fn operation(
    &(method, path, needs, _, status, summary): &Call,
    told: Told,
    fault: &Value,
) -> Value {
    let text = json!({"type": "string"});
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": text}))
        .collect();
    parameters.extend(told.query);
    let mut done = json!({"description": "Done"});
    if let Some(content) = told.answer {
        done["content"] = content;
    }
    let mut responses = Map::new();
    for (_, _, status, why) in ALSO.iter().filter(|also| (also.0, also.1) == (method, path)) {
        let mut also = done.clone();
        also["description"] = json!(why);
        responses.insert(status.to_string(), also);
    }
    responses.insert(status.to_string(), done);
    let mut refused = vec![
        ("401", "No token, or one that is not known"),
        ("403", "The token's role is not enough"),
        ("404", "There is none"),
        ("422", "A field cannot be"),
        ("503", "Come again"),
    ];
    if told.body.is_some() {
        refused.extend([
            ("400", "The body cannot be read"),
            ("408", "The body did not come in time"),
            ("413", "The body is too large"),
            ("415", "The body is said to be something else"),
        ]);
    }
    if method != "get" {
        refused.extend([("409", "Something stands in the way"), ("410", "It is gone")]);
    }
    for (status, why) in refused {
        let response =
            json!({"description": why, "content": {"application/json": {"schema": fault}}});
        responses.insert(status.to_owned(), response);
    }
    let mut operation = json!({
        "operationId": format!("{method} {path}"),
        "summary": summary,
        "x-outpost-role": format!("{needs:?}").to_lowercase(),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = told.body {
        operation["requestBody"] = json!({"required": true, "content": content(body)});
    }
    operation
}

/// What is sent with a call.
fn content(sent: Sent) -> Value {
    match sent {
        Sent::Json(schema) => json!({"application/json": {"schema": schema}}),
        Sent::File => {
            let part = json!({"type": "string", "description": "The file.", "contentMediaType": "application/octet-stream"});
            let form = json!({"type": "object", "required": [FILE], "properties": {FILE: part}});
            json!({"application/octet-stream": {}, "multipart/form-data": {"schema": form}})
        }
    }
}

#[cfg(test)]
mod tests;

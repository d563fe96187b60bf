//! The OpenAPI document: made of a table of the calls, which a test holds against what is served.

use axum::Json;
use serde_json::{Map, Value, json};

use super::Needs::{self, Admin, Read, Report};

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
    ("get", "modelPackages/{id}/features", Read, Nothing, 200, "The features of a package"),
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

/// Answers it; everybody may read it.
pub(super) async fn serve() -> Json<Value> {
    Json(document())
}

fn document() -> Value {
    let mut paths = Map::new();
    for call in &CALLS {
        let path = paths.entry(format!("/api/v2/{}/", call.1)).or_insert_with(|| json!({}));
        path[call.0] = operation(call);
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Outpost MLOps server", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
        },
        "security": [{"token": []}],
    })
}

fn operation(&(method, path, needs, takes, status, summary): &Call) -> Value {
    let text = json!({"type": "string"});
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": text}))
        .collect();
    let names: &[&str] = match takes {
        Page => &["offset", "limit"],
        Stretch => &[
            "start",
            "end",
            "bucket",
            "role",
            "modelId",
            "modelDigest",
            "gateway",
            "metric",
            "referenceStart",
            "referenceEnd",
        ],
        Nothing | Object | Entries | File => &[],
    };
    let query = |name: &&str| json!({"name": name, "in": "query", "schema": text});
    parameters.extend(names.iter().map(query));
    let fault = |why: &str| {
        let schema = json!({"$ref": "#/components/schemas/Fault"});
        json!({"description": why, "content": {"application/json": {"schema": schema}}})
    };
    let schema = match takes {
        Entries => "Accepted",
        Page => "List",
        _ => "Object",
    };
    let done = if matches!(status, 204 | 303) {
        json!({"description": "Done"})
    } else if ["artifact", "modelPackageFile", "scoringCode"].iter().any(|end| path.ends_with(end))
    {
        json!({"description": "Done", "content": {"application/wasm": {}}})
    } else {
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        json!({"description": "Done", "content": {"application/json": {"schema": schema}}})
    };
    let mut operation = json!({
        "operationId": format!("{method} {path}"),
        "summary": summary,
        "x-outpost-role": format!("{needs:?}").to_lowercase(),
        "parameters": parameters,
        "responses": {
            status.to_string(): done,
            "401": fault("No token, or one that is not known"),
            "403": fault("The token's role is not enough"),
            "404": fault("There is none"),
            "422": fault("A field cannot be"),
            "503": fault("Come again"),
        },
    });
    let content = match takes {
        Nothing | Page | Stretch => return operation,
        Object => json!({"application/json": {"schema": {"type": "object"}}}),
        Entries => {
            json!({"application/json": {"schema": {"$ref": "#/components/schemas/Entries"}}})
        }
        File => json!({"application/octet-stream": {}, "multipart/form-data": {}}),
    };
    operation["requestBody"] = json!({"required": true, "content": content});
    operation
}

fn schemas() -> Value {
    let (text, count) = (json!({"type": "string"}), json!({"type": "integer", "minimum": 0}));
    let refused = json!({
        "type": "object",
        "required": ["index", "field", "reason"],
        "properties": {"index": count, "recordId": text, "field": text, "reason": text,
            "seenRecordIds": {"type": "array", "items": text}},
    });
    let link = json!({"type": ["string", "null"]});
    json!({
        "Object": {"type": "object"},
        "Entries": {"type": "object", "required": ["data"],
            "properties": {"data": {"type": "array", "items": {"type": "object"}}}},
        "Accepted": {"type": "object", "required": ["message", "accepted", "duplicates", "refused"],
            "properties": {"message": text, "accepted": count, "duplicates": count,
                "refused": {"type": "array", "items": refused}}},
        "List": {"type": "object", "required": ["data", "count", "totalCount", "next", "previous"],
            "properties": {"data": {"type": "array"}, "count": count, "totalCount": count,
                "next": link, "previous": link}},
        "Fault": {"type": "object", "required": ["message"],
            "properties": {"message": text, "errors": {"type": "object"}}},
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::server::Server;
    use crate::settings::Settings;

    async fn call(server: &Server, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let text = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn every_call_that_is_served_is_told_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let settings = Settings { listen: "127.0.0.1:0".into(), data, ..Settings::default() };
        let server = Server::start(settings).await.unwrap();
        let told: BTreeSet<_> = CALLS.iter().map(|call| call.1).collect();
        let mut routes = super::super::routes();
        routes.extend(super::super::uploads());
        let served: BTreeSet<_> = routes.iter().map(|route| route.1).collect();
        assert_eq!(told, served);
        for path in told {
            // A method that nothing takes is told which ones are, whoever asks.
            let real = path.replace(['{', '}'], "");
            let answer = call(&server, "TRACE", &format!("/api/v2/{real}/")).await;
            let allow = answer.lines().find_map(|line| line.strip_prefix("allow: "));
            let allow = allow.unwrap_or_else(|| panic!("nothing is at {path}: {answer}"));
            let allowed: BTreeSet<_> =
                allow.split(',').filter(|it| *it != "HEAD").map(str::to_lowercase).collect();
            let methods: BTreeSet<_> =
                CALLS.iter().filter(|call| call.1 == path).map(|call| call.0.to_owned()).collect();
            assert_eq!(allowed, methods, "{path}");
        }
        for (needs, path, _) in routes {
            assert!(CALLS.iter().any(|call| call.1 == path && call.2 == needs), "{path}");
        }
        let answer = call(&server, "GET", "/openapi.json").await;
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), document());
        server.stop(std::time::Duration::from_secs(60)).await;
    }
}

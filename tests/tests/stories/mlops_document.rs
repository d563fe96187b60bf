//! The server's document of its calls, beside what a server with something in it takes and answers: every call that the
//! document has is made.

use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use tests::python::{self, Exchange};
use tests::{Client, Mlops, Outpost};

/// A server, and everything that was said to it.
struct Said {
    server: Mlops,
    exchanges: RefCell<Vec<Exchange>>,
}

impl Said {
    /// Makes a call: `{}` in the path stands for the next of these values.
    #[track_caller]
    fn call(&self, call: &str, values: &[&str], sent: Value) -> Value {
        let sent = Some(sent).filter(|sent| !sent.is_null());
        let body = sent.as_ref().map(Value::to_string).unwrap_or_default();
        self.say(call, values, sent, "application/json", body.as_bytes())
    }

    #[track_caller]
    fn get(&self, path: &str, values: &[&str]) -> Value {
        self.call(&format!("get {path}"), values, Value::Null)
    }

    #[track_caller]
    fn file(&self, call: &str, values: &[&str], kind: &str, body: &[u8]) -> Value {
        self.say(call, values, None, kind, body)
    }

    #[track_caller]
    fn say(
        &self,
        call: &str,
        values: &[&str],
        sent: Option<Value>,
        kind: &str,
        body: &[u8],
    ) -> Value {
        let (method, path) = call.split_once(' ').unwrap();
        let method = ["delete", "get", "patch", "post", "put"].into_iter().find(|it| *it == method);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut values = values.iter();
        let real = path.split('/').map(|part| match part.starts_with('{') {
            true => values.next().unwrap(),
            false => part,
        });
        let real = real.collect::<Vec<_>>().join("/");
        let real = if query.is_empty() { format!("{real}/") } else { format!("{real}/?{query}") };
        let method = method.unwrap();
        let (status, answer) = self.server.send(&method.to_uppercase(), &real, kind, body);
        let path = format!("/api/v2/{path}/");
        let exchange = Exchange { method, path, status, answer: answer.clone(), sent };
        self.exchanges.borrow_mut().push(exchange);
        answer
    }

    /// A call for everybody.
    fn open(&self, path: &str) -> String {
        let mut client = Client::connect(self.server.daemon().port()).unwrap();
        let answer = client.send("GET", path, &[], "").unwrap();
        let value = serde_json::from_str(&answer.body).unwrap_or_default();
        let (method, status) = ("get", answer.status);
        let path = path.to_owned();
        let exchange = Exchange { method, path, status, answer: value, sent: None };
        self.exchanges.borrow_mut().push(exchange);
        answer.body
    }
}

#[track_caller]
fn id(answer: &Value) -> String {
    let id = answer.get("id").or_else(|| answer.get("catalogId"));
    id.and_then(Value::as_str).unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}

#[test]
fn every_call_is_as_the_document_says() {
    let said = Said { server: Mlops::start(), exchanges: RefCell::default() };
    let (numbers, classes, batch) = registry(&said);
    records(&said, &numbers, &classes, &batch);
    what_is_refused(&said, &numbers);
    statistics(&said, &numbers, &classes, &batch);
    files_and_jobs(&said, &numbers);
    ends(&said, &numbers, &classes);
    said.open("/healthz");
    said.open("/metrics");
    let text = said.open("/openapi.json");
    let document: Value = serde_json::from_str(&text).unwrap();
    let exchanges = said.exchanges.into_inner();
    // Nothing was left out, and everything was done at least once.
    let done = exchanges.iter().filter(|it| it.status < 400);
    let done: BTreeSet<_> = done.map(|it| (&*it.path, it.method)).collect();
    let paths = document["paths"].as_object().unwrap();
    let calls = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(|method| (path.as_str(), method.as_str()))
    });
    let missing: Vec<_> = calls.filter(|call| !done.contains(call)).collect();
    assert!(missing.is_empty(), "{missing:#?} of {exchanges:#?}");
    python::check_exchanges(&text, &exchanges);
}

/// Packages, environments and deployments: one of numbers whose package was replaced, one of classes, and a batch.
fn registry(said: &Said) -> (String, String, String) {
    let nothing = Value::Null;
    said.get("version", &[]);
    let environment = json!({"name": "edge", "platform": "outpost", "supportedModelFormats": ["wasm"], "site": 7});
    let environment = id(&said.call("post predictionEnvironments", &[], environment));
    said.get("predictionEnvironments", &[]);
    said.get("predictionEnvironments/{id}", &[&environment]);
    for agents in ["monitoringAgents", "managementAgents"] {
        let call = format!("post mlops/predictionEnvironments/{{id}}/{agents}");
        said.call(&call, &[&environment], json!({"forceRestart": true}));
    }
    said.get("predictionEnvironments/{id}", &[&environment]);

    let bytes = std::fs::read(Outpost::ridge()).unwrap();
    let upload = "post modelPackages/fromFile";
    let package = id(&said.file(upload, &[], "application/wasm", &bytes));
    // The same again, as a form.
    let head = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let form = [head.as_bytes(), &bytes, b"\r\n--x--\r\n"].concat();
    let again = said.file(upload, &[], "multipart/form-data; boundary=x", &form);
    assert_eq!(id(&again), package);
    let model = json!({"name": "classes", "version": "2", "modelId": "c",
        "target": {"type": "Binary", "name": "taken", "classNames": ["no", "yes"], "predictionThreshold": 0.4},
        "modelDescription": {"description": "d", "modelName": "n", "location": "l"}});
    let external = id(&said.call("post modelPackages/fromJSON", &[], model));
    let training = "a,c,taken\n1,x,no\n2,y,yes\n3,,no\n4,x,yes\n";
    said.file(
        "post modelPackages/{id}/trainingData",
        &[&external],
        "text/csv",
        training.as_bytes(),
    );
    let deployment = json!({"id": "numbers", "label": "numbers", "description": "of the demo",
        "modelPackageId": package, "predictionEnvironmentId": environment});
    said.call("post deployments/fromModelPackage", &[], deployment);
    let deployment = json!({"label": "classes", "modelPackageId": external});
    let classes = id(&said.call("post deployments/fromModelPackage", &[], deployment));
    let numbers = "numbers".to_owned();
    let target = said.get("modelPackages/{id}", &[&package])["target"].clone();
    let name = target["name"].as_str().unwrap();
    let other = json!({"name": "other", "target": {"type": "Regression", "name": name}});
    let other = id(&said.call("post modelPackages/fromJSON", &[], other));
    for (package, reason) in [(&other, "DATA_DRIFT"), (&package, "ERRORS")] {
        let replace = json!({"modelPackageId": package, "reason": reason});
        said.call("patch deployments/{id}/model", &[&numbers], replace);
    }
    said.call("post modelPackages/{id}/archive", &[&other], nothing);
    let settings = json!({"drift": {"metric": "hellinger", "minimumRows": 2}, "associationId": {"columnNames": ["key"]},
        "rateLimitRowsAnHour": 100, "featureImportance": {"age": 0.25}, "health": {"minimumRequests": 1}, "own": [1]});
    said.call("patch deployments/{id}/settings", &[&numbers], settings);
    said.call("patch deployments/{id}/settings", &[&classes], json!({"predictionThreshold": 0.3}));
    for path in [
        "modelPackages?archived=true",
        "modelPackages?name=other&limit=1",
        "deployments",
        "deployments?limit=1",
    ] {
        said.get(path, &[]);
    }
    for package in [&package, &external, &other] {
        for what in ["", "/features", "/lineage"] {
            said.get(&format!("modelPackages/{{id}}{what}"), &[package]);
        }
    }
    said.get("modelPackages/{id}/artifact", &[&package]);
    for (what, build) in
        [("modelPackageFile", "modelPackageFileBuilds"), ("scoringCode", "scoringCodeBuilds")]
    {
        for (of, id) in [("modelPackages", &package), ("deployments", &numbers)] {
            said.call(&format!("post {of}/{{id}}/{build}"), &[id], Value::Null);
            said.get(&format!("{of}/{{id}}/{what}"), &[id]);
        }
    }
    for deployment in [&numbers, &classes] {
        for what in ["", "/settings", "/modelHistory"] {
            said.get(&format!("deployments/{{id}}{what}"), &[deployment]);
        }
    }
    said.get("status/{job}", &["deployments%2Fnumbers"]);
    let batch = json!({"batchName": "of the night", "description": "d", "externalContextUrl": "u", "more": 1});
    let batch = id(&said.call("post deployments/{id}/monitoringBatches", &[&numbers], batch));
    (numbers, classes, batch)
}

/// Requests, rows, sums, outcomes, values and events, some of them wrong.
fn records(said: &Said, numbers: &str, classes: &str, batch: &str) {
    let known = said.get("deployments/{id}", &[numbers]);
    let (model, digest) = (&known["model"]["id"], &known["model"]["digest"]);
    let report = |deployment: &str, what: &str, data: Value| {
        let call = format!("post deployments/{{id}}/{what}/fromJSON");
        said.call(&call, &[deployment], json!({ "data": data }))
    };
    let requests = json!([
        {"recordId": "1", "modelId": model, "modelDigest": digest, "gateway": "g", "numPredictions": 2, "executionTime": 3.5},
        {"recordId": "2", "modelId": model, "numPredictions": 1, "executionTime": 9000, "userError": true},
        {"recordId": "3", "modelId": "challenger", "role": "challenger", "numPredictions": 1, "timestamp": "2001-01-01T00:00:00Z"},
        {"recordId": "1", "modelId": model},
    ]);
    report(numbers, "predictionRequests", requests);
    let rows = |record: &str, keys: Value| {
        json!({"recordId": record, "modelId": model, "modelDigest": digest, "gateway": "g", "batchId": batch,
            "features": [{"name": "age", "values": [0.05, 0.5]}, {"name": "sex", "values": ["f", null]}],
            "predictions": [150.0, 90.5], "associationIds": keys})
    };
    let unnamed =
        json!({"recordId": "c", "modelId": model, "batchId": "unmade", "predictions": [1.0]});
    let all = json!([rows("a", json!(["k", "l"])), rows("b", json!(["m", "n"])), unnamed]);
    report(numbers, "predictionInputs", all);
    let sum = json!([{"recordIds": ["s", "t"], "modelId": model, "modelDigest": digest,
        "features": [{"name": "age", "stats": {"numericStats": {"count": 2, "min": 0.0, "max": 0.5, "sum": 0.5, "sumOfSquares": 0.25,
            "histogram": {"centroids": [0.0, 0.5], "counts": [1, 1]}}, "missingCount": 0}}],
        "predictions": {"numericStats": {"count": 2, "min": 100.0, "max": 200.0, "sum": 300.0, "sumOfSquares": 50000.0,
            "histogram": {"centroids": [100.0, 200.0], "counts": [1, 1]}}, "missingCount": 0}}]);
    report(numbers, "predictionStats", sum);
    let outcomes = json!([{"associationId": "k", "actualValue": 151.0}, {"associationId": "n", "actualValue": 75.0}]);
    report(numbers, "actuals", outcomes);
    let rows = json!([{"recordId": "a", "modelId": "c", "classNames": ["no", "yes"],
        "features": [{"name": "a", "values": [1, 9]}, {"name": "c", "values": ["x", "new"]}],
        "predictions": [[0.75, 0.25], [0.1, 0.9]], "associationIds": ["k", "l"]}]);
    report(classes, "predictionInputs", rows);
    let outcomes = json!([{"associationId": "k", "actualValue": "no"}, {"associationId": "l", "actualValue": "yes"}]);
    report(classes, "actuals", outcomes);
    for event in [
        json!({"recordId": "e", "deploymentId": numbers, "eventType": "t", "message": "m"}),
        json!({}),
    ] {
        said.call("post remoteEvents", &[], event);
    }
    let metric = json!({"name": "cost", "units": "EUR", "type": "sum", "directionality": "lowerIsBetter", "baselineValues": 5, "own": 1});
    let metric = id(&said.call("post deployments/{id}/customMetrics", &[numbers], metric));
    let list = json!({"name": "mean", "baselineValues": [{"value": 2}], "isModelSpecific": false, "description": "d"});
    said.call("post deployments/{id}/customMetrics", &[numbers], list);
    let values =
        json!({"modelId": model, "buckets": [{"timestamp": "2026-01-01T00:00:00Z", "value": 4.0}]});
    for metric in [&*metric, "unmade"] {
        let call = "post deployments/{id}/customMetrics/{metric}/fromJSON";
        said.call(call, &[numbers, metric], values.clone());
        for what in
            ["", "/summary", "/valuesOverTime?start=2026-01-01&end=2026-01-03&bucketSize=P1D"]
        {
            let path = format!("deployments/{{id}}/customMetrics/{{metric}}{what}");
            said.get(&path, &[numbers, metric]);
        }
    }
}

/// Everything that is told of what came; also of a deployment of another kind, and of a time without anything.
fn statistics(said: &Said, numbers: &str, classes: &str, batch: &str) {
    for deployment in [numbers, classes] {
        for report in [
            "health",
            "drift",
            "accuracy",
            "serviceStats",
            "predictionsOverTime",
            "predictionsVsActualsOverTime",
            "targetDrift",
            "featureDrift",
            "predictionsOverBatch",
            "monitoringBatches",
            "customMetrics",
            "events",
            "refusals",
        ] {
            said.get(&format!("deployments/{{id}}/{report}"), &[deployment]);
            said.get(
                &format!("deployments/{{id}}/{report}?start=2001-01-01&end=2001-01-02&bucket=day"),
                &[deployment],
            );
        }
        said.get(
            "deployments/{id}/health?role=challenger&start=2000-12-31&end=2001-01-02",
            &[deployment],
        );
    }
    let health = said.get("deployments/{id}/health", &[numbers]);
    assert_eq!(health["totals"]["requests"], 2, "{health}");
    let drift = said.get("deployments/{id}/drift", &[numbers]);
    assert!(drift["features"].as_array().is_some_and(|all| !all.is_empty()), "{drift}");
    let accuracy = said.get("deployments/{id}/accuracy", &[numbers]);
    assert_eq!(accuracy["rows"], 2, "{accuracy}");
    let refusals = said.get("deployments/{id}/refusals", &[numbers]);
    for what in ["refusals", "clocks"] {
        assert!(refusals[what].as_array().is_some_and(|all| !all.is_empty()), "{refusals}");
    }
    let query = "?metric=psi&referenceStart=2026-01-01&referenceEnd=2026-01-02";
    said.get(&format!("deployments/{{id}}/drift{query}"), &[numbers]);
    said.get("deployments/{id}/serviceStats?executionTimeQuantile=0.9", &[numbers]);
    said.get("deployments/{id}/monitoringBatches/{batch}", &[numbers, batch]);
    said.get("deployments/{id}/monitoringBatches/{batch}", &[numbers, "unmade"]);
    said.get(&format!("deployments/{{id}}/predictionsOverBatch?batchId={batch}"), &[numbers]);
}

fn files_and_jobs(said: &Said, numbers: &str) {
    let rows = "age,key,p,happened\n0.05,x,150,140\n0.1,y,many,100\n";
    let file = id(&said.file("post datasets/fromFile", &[], "text/csv", rows.as_bytes()));
    said.get("datasets", &[]);
    said.get("datasets/{id}", &[&file]);
    let scored = json!({ "datasetId": file });
    said.call("post deployments/{id}/predictionInputs/fromDataset", &[numbers], scored);
    let job = |intake: Value| {
        json!({"deploymentId": numbers, "intakeSettings": intake, "monitoringBatchPrefix": "job", "own": true,
            "csvSettings": {"delimiter": ","},
            "monitoringColumns": {"predictionsColumns": "p", "associationIdColumn": "key", "actualsValueColumn": "happened"}})
    };
    let of_file = json!({"type": "dataset", "datasetId": file});
    said.call("post batchMonitoring", &[], job(of_file));
    let local = job(json!({"type": "localFile"}));
    let first = id(&said.call("post batchMonitoring", &[], local.clone()));
    said.file("put batchJobs/{id}/csvUpload", &[&first], "text/csv", rows.as_bytes());
    let second = id(&said.call("post batchMonitoring", &[], local));
    said.call("delete batchJobs/{id}", &[&second], Value::Null);
    said.get("batchJobs", &[]);
    said.get("batchJobs/{id}", &[&first]);
    said.call("delete datasets/{id}", &[&file], Value::Null);
}

fn what_is_refused(said: &Said, numbers: &str) {
    said.get("deployments/{id}", &["nothing"]);
    said.get("deployments/{id}/health?bucket=year", &[numbers]);
    said.get("deployments?limit=50000", &[]);
    let body = b"no JSON";
    let call = "post deployments/{id}/predictionInputs/fromJSON";
    said.file(call, &[numbers], "application/json", body);
    let wrong = json!({"data": [{"recordId": "w", "predictions": {"none": 1}}, 5]}).to_string();
    said.file(call, &[numbers], "application/json", wrong.as_bytes());
    said.file("post modelPackages/fromJSON", &[], "application/json", body);
    said.file("post modelPackages/fromFile", &[], "application/wasm", body);
}

fn ends(said: &Said, numbers: &str, classes: &str) {
    let environment = said.get("predictionEnvironments", &[])["data"][0]["id"].clone();
    let environment = environment.as_str().unwrap();
    let nothing = Value::Null;
    said.call("delete predictionEnvironments/{id}", &[environment], nothing.clone());
    for deployment in [numbers, classes] {
        said.call("delete deployments/{id}", &[deployment], nothing.clone());
    }
    said.call("delete predictionEnvironments/{id}", &[environment], nothing);
}

//! The public connected client does everything that it can, against our server. What it prints is held against what was
//! reported; `docs/INTEROP.md` says so.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Command;
use tests::{Mlops, Outpost, document, parts, root};

/// What the client says when there is nothing of that name.
const NOT_FOUND: i64 = 4;
/// What it says when the server refuses.
const REFUSED: i64 = 3;

/// What its commands are about.
const SUBJECTS: [&str; 11] = [
    "perf",
    "predictions",
    "actuals",
    "model",
    "dataset",
    "deployment",
    "prediction-environment",
    "service-stats",
    "batch",
    "custom_metric",
    "monitoring-job",
];

/// The steps of the client: exit code and answer, by name.
struct Steps(HashMap<String, (Value, Value)>);

impl Steps {
    #[track_caller]
    fn code(&self, step: &str) -> &Value {
        &self.0.get(step).unwrap_or_else(|| panic!("no step {step:?}")).0
    }

    /// The answer of a step that went well.
    #[track_caller]
    fn answer(&self, step: &str) -> &Value {
        let (code, answer) = self.0.get(step).unwrap_or_else(|| panic!("no step {step:?}"));
        assert_eq!(code, 0, "{step}: {answer}");
        answer
    }

    #[track_caller]
    fn has(&self, step: &str, at: &str, expected: impl Into<Value>) {
        let answer = self.answer(step);
        assert_eq!(answer.pointer(at), Some(&expected.into()), "{step} {at}: {answer}");
    }

    /// The commands by their subject.
    fn table(&self) -> String {
        let mut subjects = BTreeMap::<&str, BTreeSet<&str>>::new();
        for step in self.0.keys() {
            // A step that is no command is a method.
            let mut words = step.split(' ');
            if let (Some(subject), Some(action)) = (words.next(), words.next())
                && SUBJECTS.contains(&subject)
            {
                subjects.entry(subject).or_default().insert(action);
            }
        }
        let mut table = "| `mlops-cli` | commands |\n|---|---|\n".to_owned();
        for (subject, actions) in subjects {
            let actions: Vec<&str> = actions.into_iter().collect();
            table += &format!("| {subject} | {} |\n", actions.join(", "));
        }
        table
    }

    fn ids(&self, step: &str) -> Vec<&str> {
        let list = self.answer(step).as_array().unwrap();
        list.iter()
            .filter_map(|it| it.get("id").or_else(|| it.get("datasetId"))?.as_str())
            .collect()
    }
}

#[test]
fn the_connected_clients_whole_command_set_is_answered() {
    let Some(python) = parts::python() else { return };
    let server = Mlops::start();
    let package = server.upload(Outpost::ridge());
    let folder = tempfile::tempdir().unwrap();
    let client = Command::new(python)
        .arg(root().join("tests/python/connected_client.py"))
        .args([&*server.url(), server.token()])
        .arg(folder.path())
        .arg(&package)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&client.stderr);
    assert!(client.status.success(), "{errors}");
    let line = |line: &str| {
        let step: Value = serde_json::from_str(line).ok()?;
        let name = step.get("step")?.as_str()?.to_owned();
        Some((name, (step["code"].clone(), step["answer"].clone())))
    };
    let said = String::from_utf8(client.stdout).unwrap();
    let steps = Steps(said.lines().filter_map(line).collect());

    registry(&steps);
    numbers(&steps);
    metrics_and_jobs(&steps);
    let file = std::fs::read(folder.path().join(format!("{package}.wasm"))).unwrap();
    assert!(file == std::fs::read(Outpost::ridge()).unwrap(), "the package comes back as it was");
    for (step, code) in [
        ("prediction-environment delete used", REFUSED),
        ("monitoring-job upload again", 6),
        ("deployment get gone", NOT_FOUND),
        ("prediction-environment get gone", NOT_FOUND),
        ("model delete gone", NOT_FOUND),
        ("dataset delete gone", NOT_FOUND),
        ("batch get none", NOT_FOUND),
        ("custom_metric get none", NOT_FOUND),
        ("service-stats get none", NOT_FOUND),
        ("monitoring-job get none", NOT_FOUND),
    ] {
        assert_eq!(steps.code(step), code, "{step}: {errors}");
    }
    assert_eq!(steps.code("get_dataset none"), "DRNotFoundException");
    let external = steps.code("model download external").as_str().unwrap();
    assert!(external.contains("is external: there is no file of it here"), "{external}");
    // Nothing else went wrong.
    let known = 12;
    let wrong = steps.0.iter().filter(|(_, (code, _))| code != 0);
    let wrong: Vec<_> = wrong.map(|(step, (code, _))| (step, code)).collect();
    assert_eq!(wrong.len(), known, "{wrong:?} {errors}");
    document("INTEROP.md", "commands of the connected client", &steps.table());
}

fn registry(steps: &Steps) {
    let environment = steps.answer("prediction-environment create")["id"].as_str().unwrap();
    steps.has("prediction-environment get", "/name", "edge");
    assert_eq!(steps.ids("prediction-environment list"), [environment]);
    let training = steps.answer("dataset upload")["id"].as_str().unwrap();
    steps.has("dataset get", "/name", "training.csv");
    let holdout = steps.answer("dataset upload holdout")["id"].as_str().unwrap();
    assert_eq!(steps.ids("dataset list"), [training, holdout]);
    // The mean of 0.5, 0.5, 0.5 and 0.5.
    steps.has("model get", "/metrics/holdout_mae", 0.5);
    steps.has("model get", "/trainingData/rows", 4);
    steps.has("model get", "/target/name", "target");
    let features = json!([{"name": "a", "feature_type": "numeric", "format": null},
        {"name": "c", "feature_type": "category", "format": null}]);
    assert_eq!(steps.answer("model features"), &features);
    let (model, other) = ("model create", "model create other");
    let [model, other] = [model, other].map(|step| steps.answer(step)["id"].as_str().unwrap());
    let listed = steps.ids("model list");
    assert!(listed.len() == 3 && listed.contains(&model), "{listed:?}");
    // Page by page, by the addresses that the server gives.
    assert_eq!(steps.ids("model list limit"), listed);
    assert_eq!(steps.ids("model list search"), [other]);
    let deployment = steps.answer("model deploy")["id"].as_str().unwrap();
    steps.has("deployment get", "/label", "by the client");
    steps.has("deployment get", "/predictionEnvironment/id", environment);
    assert_eq!(steps.ids("deployment list"), [deployment]);
    assert_eq!(steps.answer("get_model_id"), &steps.answer("model get")["modelId"]);
    assert_eq!(steps.answer("get_deployment_type"), "Regression");
    steps.has("get_deployment_settings", "/batchMonitoring/enabled", true);
    steps.has("get_deployment_settings", "/targetDrift/enabled", true);
}

/// Four rows: predictions 1.5, 2.5, 3.5 and 5.5, outcomes 2, 2, 4 and 5; training had the same predictions.
fn numbers(steps: &Steps) {
    steps.has("predictions count", "/predictionsCount", 4);
    steps.has("actuals count", "/actuals", 4);
    steps.has("predictions get", "/buckets/0/rowCount", 4);
    steps.has("predictions get", "/buckets/0/meanPredictedValue", 3.25);
    steps.has("predictions get", "/baselines/0/meanPredictedValue", 3.25);
    for step in ["service-stats get", "service-stats get all"] {
        steps.has(step, "/metrics/totalPredictions", 4);
        steps.has(step, "/metrics/totalRequests", 1);
        steps.has(step, "/metrics/userErrorRate", 0.0);
    }
    let batch = &steps.answer("batch create")["id"];
    steps.has("batch list", "/0/id", batch.clone());
    steps.has("batch get stats", "/batchName", "of the night");
    steps.has("batch get stats", "/totalPredictions", 4);
    steps.has("batch get drift", "/buckets/0/batch/id", batch.clone());
    steps.has("batch get drift", "/buckets/0/meanPredictedValue", 3.25);
    // The rows that were uploaded later are counted once, though their file was noted as well.
    steps.has("get_target_drift", "/sampleSize", 8);
    steps.has("get_target_drift", "/baselineSampleSize", 4);
    steps.has("get_predictions_and_actuals_stats", "/summary/rowCountTotal", 8);
    steps.has("get_predictions_and_actuals_stats", "/summary/rowCountWithActual", 4);
    steps.has("get_predictions_and_actuals_stats", "/buckets/0/meanActualValue", 3.25);
    steps.has("service-stats get perf", "/metrics/totalRequests", 2);
    // Single rows and a sum of as many others.
    steps.has("spooled stats", "/metrics/totalPredictions", 3);
    steps.has("spooled outcomes", "/summary/rowCountTotal", 8);
    steps.has("spooled outcomes", "/summary/rowCountWithActual", 1);
    steps.has("spooled outcomes", "/buckets/0/meanActualValue", 2.0);
    steps.has("spooled metrics", "/0/id", "spooled");
}

fn metrics_and_jobs(steps: &Steps) {
    let metric = &steps.answer("custom_metric create")["id"];
    steps.has("custom_metric list", "/0/id", metric.clone());
    steps.has("custom_metric list", "/0/units", "EUR");
    steps.has("custom_metric get", "/metric/value", 10.0);
    steps.has("custom_metric get", "/metric/sampleCount", 2);
    steps.has("custom_metric get", "/metric/percentChange", 100.0);
    steps.has("monitoring-job get new", "/status", "INITIALIZING");
    steps.has("monitoring-job get", "/status", "COMPLETED");
    steps.has("monitoring-job get", "/scoredRows", 4);
    steps.has("monitoring-job get", "/failedRows", 0);
    steps.has("outcomes after the job", "/summary/rowCountTotal", 12);
    steps.has("outcomes after the job", "/summary/rowCountWithActual", 8);
    steps.has("monitoring-job get cancelled", "/status", "ABORTED");
}

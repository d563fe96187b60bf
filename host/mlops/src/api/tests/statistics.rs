//! Statistics in the service's shapes.

use super::*;

on_both!(what_cannot_be_asked_of_statistics_names_its_field, async |world: World| {
    world.deployment().await;
    for (query, field) in [
        ("serviceStats/?slowRequestsThreshold=100", "slowRequestsThreshold"),
        ("serviceStats/?executionTimeQuantile=1.5", "executionTimeQuantile"),
        ("serviceStats/?start=2026-01-02&end=2026-01-01", "start"),
        ("predictionsOverTime/?bucketSize=P1Y", "bucketSize"),
        ("predictionsOverTime/?bucket=year", "bucket"),
        ("targetDrift/?metric=chi", "metric"),
    ] {
        let (status, answer) = world.get(&format!("deployments/d/{query}")).await;
        assert_eq!(status, 422, "{query}: {answer}");
        assert!(answer["errors"][field].is_string(), "{query}: {answer}");
    }
    let (status, _) = world.get("deployments/d/serviceStats/?slowRequestsThreshold=2000").await;
    assert_eq!(status, 200);
});

on_both!(challengers_are_told_apart_unless_they_are_asked_for, async |world: World| {
    world.deployment().await;
    let row = |model: &str, role: Value, prediction: f64| json!({"timestamp": ago(1), "modelId": model, "role": role, "predictions": [prediction]});
    let rows = json!({"data": [
        row("m", Value::Null, 1.0), row("m", json!("canary"), 3.0), row("c", json!("challenger"), 9.0)]});
    world.post("deployments/d/predictionInputs/fromJSON/", rows).await;
    let mean = async |query: &str| {
        let path = format!("deployments/d/predictionsOverTime/{query}");
        let (_, answer) = world.get(&path).await;
        assert_eq!(answer["buckets"].as_array().unwrap().len(), 1, "{answer}");
        answer["buckets"][0]["meanPredictedValue"].as_f64().unwrap()
    };
    assert_eq!(mean("").await, 2.0);
    assert_eq!(mean("?role=challenger").await, 9.0);
    assert_eq!(mean("?modelId=c").await, 9.0);
    let request = |model: &str, role: Value| json!({"timestamp": ago(1), "modelId": model, "role": role, "numPredictions": 1});
    let requests = json!({"data": [
        request("m", Value::Null), request("m", json!("canary")), request("c", json!("challenger"))]});
    world.post("deployments/d/predictionRequests/fromJSON/", requests).await;
    for (query, requests) in [("", 2), ("?role=challenger", 1), ("?modelId=c", 1)] {
        let (_, stats) = world.get(&format!("deployments/d/serviceStats/{query}")).await;
        assert_eq!(stats["metrics"]["totalRequests"], requests, "{query}");
    }
    let (_, drift) = world.get("deployments/d/targetDrift/?metric=kl_divergence").await;
    assert_eq!((&drift["metric"], &drift["sampleSize"]), (&json!("kl_divergence"), &json!(2)));
    assert_eq!((&drift["driftScore"], &drift["targetName"]), (&Value::Null, &json!("t")));
});

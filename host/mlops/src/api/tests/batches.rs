//! Batches and custom metrics.

use super::*;

on_both!(a_batch_has_what_came_in_it, async |world: World| {
    world.deployment().await;
    let given = json!({"batchName": "of the night", "description": "d"});
    let batch = world.made("deployments/d/monitoringBatches/", given).await;
    for empty in [json!({"batchName": " "}), json!({})] {
        let (status, answer) = world.post("deployments/d/monitoringBatches/", empty).await;
        assert!(
            status == 422 && answer["message"].as_str().unwrap().contains("batchName"),
            "{answer}"
        );
    }
    let rows = |batch: &str, predictions: Value| json!({"data": [{"timestamp": ago(1), "modelId": "m", "batchId": batch, "predictions": predictions}]});
    let inputs = "deployments/d/predictionInputs/fromJSON/";
    world.post(inputs, rows(&batch, json!([1.0, 4.0]))).await;
    world.post(inputs, rows("unmade", json!([8.0]))).await;
    let request = json!({"timestamp": ago(1), "modelId": "m", "batchId": batch, "numPredictions": 2, "systemError": true});
    let requests = "deployments/d/predictionRequests/fromJSON/";
    world.post(requests, json!({"data": [request, request]})).await;
    let (_, one) = world.get(&format!("deployments/d/monitoringBatches/{batch}/")).await;
    assert_eq!((&one["batchName"], &one["description"]), (&json!("of the night"), &json!("d")));
    assert_eq!((&one["totalRequests"], &one["totalPredictions"]), (&json!(2), &json!(4)));
    assert_eq!((&one["rowCount"], &one["meanPredictedValue"]), (&json!(2), &json!(2.5)));
    assert_eq!((&one["serverErrorRate"], &one["userErrorRate"]), (&json!(1.0), &json!(0.0)));
    let (_, list) = world.get("deployments/d/monitoringBatches/").await;
    let names: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|it| &it["batchName"]).collect();
    assert_eq!(names, ["of the night", "unmade"]);
    let (_, over) = world.get("deployments/d/predictionsOverBatch/?batchId=unmade").await;
    assert_eq!(over["buckets"].as_array().unwrap().len(), 1);
    assert_eq!(over["buckets"][0]["meanPredictedValue"], 8.0);
    let (_, over) = world.get("deployments/d/predictionsOverBatch/").await;
    assert_eq!(over["buckets"].as_array().unwrap().len(), 2);
});

on_both!(a_metric_comes_to_what_its_type_says, async |world: World| {
    world.deployment().await;
    let value = |model: &str, value: f64, hours: i64| json!({"modelId": model, "buckets": [{"timestamp": ago(hours), "value": value}]});
    for (kind, all, of_one) in [("average", 4.0, 2.5), ("sum", 12.0, 5.0), ("gauge", 7.0, 3.0)] {
        let given = json!({"name": kind, "type": kind, "baselineValues": [{"value": 5.0}]});
        let id = world.made("deployments/d/customMetrics/", given).await;
        for (model, number, hours) in [("m", 2.0, 40), ("m", 3.0, 30), ("n", 7.0, 1)] {
            let path = format!("deployments/d/customMetrics/{id}/fromJSON/");
            assert_eq!(world.post(&path, value(model, number, hours)).await.0, 202);
        }
        let path = format!("deployments/d/customMetrics/{id}/summary/");
        let (_, summary) = world.get(&path).await;
        assert_eq!(
            (&summary["metric"]["value"], &summary["metric"]["sampleCount"]),
            (&json!(all), &json!(3))
        );
        assert_eq!(summary["metric"]["percentChange"], json!((all - 5.0) / 5.0 * 100.0));
        let (_, summary) = world.get(&format!("{path}?modelId=m")).await;
        assert_eq!(summary["metric"]["value"], of_one, "{kind}");
        let (_, summary) = world.get(&format!("{path}?end={}", ago(35))).await;
        assert_eq!(summary["metric"]["value"], 2.0, "{kind}");
        let (_, none) = world.get(&format!("{path}?start={}&end={}", ago(100), ago(90))).await;
        assert_eq!(
            (&none["metric"]["value"], &none["metric"]["sampleCount"]),
            (&Value::Null, &json!(0))
        );
        let path = format!("deployments/d/customMetrics/{id}/valuesOverTime/?bucketSize=PT1H");
        let (_, over) = world.get(&path).await;
        let values: Vec<_> =
            over["buckets"].as_array().unwrap().iter().map(|it| &it["value"]).collect();
        assert_eq!(values, [2.0, 3.0, 7.0], "{kind}");
    }
});

on_both!(a_metric_that_cannot_be_names_its_field, async |world: World| {
    world.deployment().await;
    for (given, words) in [
        (json!({"name": ""}), "`name` must not be empty"),
        (json!({"units": "x"}), "name"),
        (json!({"name": "n", "units": " "}), "`units` must not be empty"),
        (json!({"name": "n", "type": "categorical"}), "categorical"),
        (json!({"name": "n", "directionality": "up"}), "up"),
        (json!({"name": "n", "baselineValues": "high"}), "must be a number or a list"),
    ] {
        let message = world.refused("deployments/d/customMetrics/", given.clone()).await;
        assert!(message.contains(words), "{given}: {message}");
    }
    let (_, list) = world.get("deployments/d/customMetrics/").await;
    assert_eq!(list["totalCount"], 0);
});

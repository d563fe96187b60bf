//! The service's shapes by hand.

use super::*;
use crate::numbers::Distance;

fn request(minute: i64, predictions: u64, ms: f64) -> Value {
    json!({"timestamp": at(minute), "modelId": "m", "modelDigest": CHAMPION,
        "numPredictions": predictions, "executionTime": ms, "userError": minute == 1})
}

fn rows(minute: i64, id: &str, predictions: &[f64], role: Option<&str>) -> Value {
    let ids: Vec<String> = (0..predictions.len()).map(|at| format!("{id}{at}")).collect();
    json!({"timestamp": at(minute), "modelId": "m", "modelDigest": CHAMPION, "role": role,
        "predictions": predictions, "associationIds": ids})
}

fn trained() -> [Trained; 1] {
    let (model_id, mean) = ("m".to_owned(), Some(4.5));
    [Trained { model_id, rows: 100, mean_prediction: mean, mean_target: Some(5.0) }]
}

#[tokio::test]
async fn nothing_is_zero_and_what_nobody_measures_is_null() {
    let window = hours(0, 1);
    let stats = serde_json::to_value(ServiceStats::of(&[], window, None, 0.5)).unwrap();
    let metrics = json!({"totalPredictions": 0, "totalRequests": 0, "slowRequests": 0,
        "executionTime": null, "responseTime": null, "userErrorRate": 0.0, "serverErrorRate": 0.0,
        "medianLoad": 0.0, "peakLoad": 0.0});
    assert_eq!((&stats["metrics"], &stats["modelId"]), (&metrics, &Value::Null));
    assert_eq!(stats["period"], json!(window));
}

#[tokio::test]
async fn the_quantile_is_the_one_that_was_asked_for() {
    let mut world = World::new().await;
    let requests = (0..4).map(|at| request(at, 2, 100.0 * (at + 1) as f64)).collect();
    world.requests(requests).await;
    let stats =
        |quantile| ServiceStats::of(&world.parts(), hours(0, 1), Some("m".to_owned()), quantile);
    let near = |found: Option<f64>, ms: f64| (found.unwrap() / ms - 1.0).abs() < 0.01;
    assert!(near(stats(0.0).metrics.execution_time, 100.0));
    assert!(near(stats(1.0).metrics.execution_time, 400.0));
    let metrics = stats(0.5).metrics;
    assert_eq!((metrics.total_requests, metrics.total_predictions), (4, 8));
    assert_eq!((metrics.user_error_rate, metrics.server_error_rate), (0.25, 0.0));
    assert_eq!((metrics.median_load, metrics.peak_load), (1.0, 1.0));
}

#[tokio::test]
async fn buckets_have_the_means_of_their_rows_and_end_with_the_window() {
    let mut world = World::new().await;
    world
        .inputs(json!([
            rows(0, "a", &[1.0, 2.0], None),
            rows(61, "b", &[6.0], None),
            rows(25 * 60, "c", &[8.0], None),
        ]))
        .await;
    world.actuals(&[("a0", 3.0), ("a1", 4.0), ("b0", 8.0), ("nobody", 1.0)]).await;
    let window = Window { end: Moment(hours(0, 26).end.0 - 1), ..hours(0, 26) };
    let trained = trained();
    let days = PredictionsOverTime::of(&world.parts(), window, BucketSize::Day, &trained);
    assert_eq!(days.baselines[0].mean_predicted_value, Some(4.5));
    assert_eq!((days.baselines[0].row_count, days.baselines[0].period), (100, None));
    let means: Vec<_> =
        days.buckets.iter().map(|it| (it.row_count, it.mean_predicted_value)).collect();
    assert_eq!(means, [(3, Some(3.0)), (1, Some(8.0))]);
    assert_eq!(days.buckets[0].period, Some(hours(0, 24)));
    assert_eq!(days.buckets[1].period.unwrap().end, window.end);

    let hourly = PredictionsVsActuals::of(&world.parts(), window, BucketSize::Hour, &trained);
    let summary = Counted { row_count_total: 4, row_count_with_actual: 3 };
    assert_eq!(hourly.summary, summary);
    let means: Vec<_> = hourly
        .buckets
        .iter()
        .map(|it| (it.rows.row_count_with_actual, it.mean_actual_value))
        .collect();
    assert_eq!(means, [(2, Some(3.5)), (1, Some(8.0)), (0, None)]);
    assert_eq!(hourly.baselines[0].mean_actual_value, Some(5.0));
}

#[tokio::test]
async fn rows_that_came_once_as_a_sum_and_once_for_their_outcomes_are_counted_once() {
    let mut world = World::new().await;
    let sums = json!({"data": [{"timestamp": at(0), "modelId": "m", "modelDigest": CHAMPION,
        "features": [], "predictions": {"numericStats": {"count": 2, "min": 1.0, "max": 3.0,
            "sum": 4.0, "sumOfSquares": 10.0, "histogram": {"centroids": [1.0, 3.0], "counts": [1, 1]}},
            "missingCount": 0}}]});
    let sums = Bytes::from(sums.to_string());
    assert_eq!(world.ingest.prediction_stats(&world.plan, sums).await.unwrap().refused, []);
    let single = json!({"skipDriftTracking": true, "data": [rows(0, "a", &[1.0, 3.0], None)]});
    let single = Bytes::from(single.to_string());
    assert_eq!(world.ingest.prediction_inputs(&world.plan, single).await.unwrap().refused, []);
    world.actuals(&[("a0", 3.0)]).await;
    let compared = PredictionsVsActuals::of(&world.parts(), hours(0, 1), BucketSize::Day, &[]);
    let summary = Counted { row_count_total: 2, row_count_with_actual: 1 };
    assert_eq!(compared.summary, summary);
    assert_eq!(compared.buckets[0].mean_predicted_value, Some(2.0));
}

#[tokio::test]
async fn drift_has_the_rows_whether_there_is_training_data_or_not() {
    let mut world = World::new().await;
    world.inputs(json!([rows(0, "a", &[1.0, 2.0], None)])).await;
    let baseline = baseline();
    let settings = DriftSettings { rows_min: 1, ..DriftSettings::default() };
    for baseline in [Some(&baseline), None] {
        let window = hours(0, 1);
        let report =
            DriftReport::of(&world.parts(), window, None, BucketSize::Day, baseline, &settings);
        let drift = TargetDrift::of(&report, 2, Some("m".to_owned()), "y");
        assert_eq!((drift.sample_size, drift.metric), (2, "psi"));
        assert_eq!(drift.drift_score.is_some(), baseline.is_some());
        assert_eq!(drift.baseline_sample_size, baseline.map(|_| 100));
        let features = FeatureDrift::all(&report);
        assert_eq!(features.len(), if baseline.is_some() { 2 } else { 0 });
    }
}

#[test]
fn the_services_names_of_distances_are_understood() {
    for (name, distance) in [
        ("psi", Distance::Psi),
        ("kl_divergence", Distance::KullbackLeibler),
        ("js_divergence", Distance::JensenShannon),
        ("hellinger", Distance::Hellinger),
        ("dissimilarity", Distance::HistogramIntersection),
    ] {
        assert_eq!(distance.service_name(), name);
        assert_eq!(serde_json::from_value::<Distance>(json!(name)).unwrap(), distance);
    }
}

//! Accuracy by hand.

use super::*;

/// Rows of the champion: association ids and predictions.
fn rows(minute: i64, rows: &[(&str, f64)]) -> Value {
    json!({"timestamp": at(minute), "modelId": "m", "modelDigest": CHAMPION,
        "predictions": rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "associationIds": rows.iter().map(|row| row.0).collect::<Vec<_>>()})
}

fn report(world: &World, window: Window, size: BucketSize) -> AccuracyReport {
    let parts: Vec<_> = world.parts().into_iter().filter(|part| window.has(part.hour_us)).collect();
    let champion = |part: &Part<'_>| part.group.role.is_none();
    AccuracyReport::of(&parts, champion, window, size, &Target::Regression, Some(&baseline()))
}

#[tokio::test]
async fn outcomes_count_in_the_hour_of_the_prediction() {
    let mut world = World::new().await;
    world
        .inputs(json!([rows(0, &[("1", 1.0), ("2", 2.0)]), rows(60, &[("3", 3.0), ("4", 4.0)])]))
        .await;
    let before = report(&world, hours(0, 24), BucketSize::Hour);
    assert_eq!((before.rows, before.known), (0, Some(0.0)));
    assert_eq!(before.metrics["RMSE"].value, None);
    assert!(before.metrics["RMSE"].reason.is_some());
    world.actuals(&[("1", 4.0), ("2", 6.0), ("3", 3.0)]).await;
    let after = report(&world, hours(0, 24), BucketSize::Hour);
    assert_eq!((after.rows, after.known), (3, Some(0.75)));
    // Errors of 3, 4 and 0.
    let rmse = &after.metrics["RMSE"];
    assert!(near(rmse.value, (25.0_f64 / 3.0).sqrt()), "{rmse:?}");
    assert!(near(after.metrics["MAE"].value, 7.0 / 3.0));
    assert_eq!(rmse.baseline_value, Some(2.0));
    assert!(near(rmse.percent_change, ((25.0_f64 / 3.0).sqrt() - 2.0) / 2.0 * 100.0));
    // There is no part of nothing.
    let mae = &after.metrics["MAE"];
    assert_eq!((mae.baseline_value, mae.percent_change), (Some(0.0), None));
    assert_eq!(after.metrics["R Squared"].baseline_value, None);
    let cut: Vec<_> = after.buckets.iter().map(|it| (it.rows, it.metrics["MAE"])).collect();
    assert_eq!(cut, [(2, Some(3.5)), (1, Some(0.0))]);
    let days = report(&world, hours(0, 24), BucketSize::Day);
    assert_eq!(days.buckets.len(), 1);
    assert!(near(days.buckets[0].metrics["MAE"], 7.0 / 3.0));
    assert_eq!(report(&world, hours(1, 2), BucketSize::Hour).metrics["MAE"].value, Some(0.0));
    // A later actual takes the place of the earlier.
    world.actuals(&[("1", 1.0)]).await;
    let changed = report(&world, hours(0, 1), BucketSize::Hour);
    assert_eq!((changed.rows, changed.metrics["MAE"].value), (2, Some(2.0)));
}

#[tokio::test]
async fn champion_canary_and_challengers_are_compared_by_the_same_outcomes() {
    let mut world = World::new().await;
    let part = |role: &str, digest: &str, prediction: f64| {
        let mut entry = rows(0, &[("1", prediction)]);
        entry["role"] = json!(role);
        entry["modelDigest"] = json!(digest);
        entry["modelId"] = json!(if digest == CHAMPION { "m" } else { "n" });
        entry
    };
    world
        .inputs(json!([
            part("champion", CHAMPION, 1.0),
            part("canary", CHALLENGER, 2.0),
            part("challenger", CHALLENGER, 3.0),
        ]))
        .await;
    world.actuals(&[("1", 4.0)]).await;
    let report = report(&world, hours(0, 1), BucketSize::Hour);
    assert_eq!((report.rows, report.metrics["MAE"].value), (1, Some(3.0)));
    let groups: Vec<_> = report
        .groups
        .iter()
        .map(|it| (&*it.role, &*it.model_id, it.model_digest.as_deref(), it.metrics["MAE"]))
        .collect();
    assert_eq!(
        groups,
        [
            ("champion", "m", Some(CHAMPION), Some(3.0)),
            ("canary", "n", Some(CHALLENGER), Some(2.0)),
            ("challenger", "n", Some(CHALLENGER), Some(1.0)),
        ]
    );
}

#[tokio::test]
async fn rows_without_an_id_are_not_waited_for() {
    let mut world = World::new().await;
    let entry = json!({"timestamp": at(0), "modelId": "m", "modelDigest": CHAMPION,
        "predictions": [1.0, 2.0, 3.0], "associationIds": ["1", null, ""]});
    world.inputs(json!([entry])).await;
    world.actuals(&[("1", 1.0)]).await;
    let all = report(&world, hours(0, 1), BucketSize::Hour);
    assert_eq!((all.rows, all.known), (1, Some(1.0)));
    let none = report(&world, hours(5, 6), BucketSize::Hour);
    assert_eq!((none.rows, none.known, none.metrics.len()), (0, None, 0));
}

//! Service health by hand.

use super::*;

/// A request of the champion.
fn request(minute: i64, predictions: u64, ms: f64) -> Value {
    json!({"timestamp": at(minute), "modelId": "m", "modelDigest": CHAMPION, "gateway": "g",
        "numPredictions": predictions, "executionTime": ms, "userError": false, "systemError": false})
}

fn with(mut entry: Value, key: &str, value: Value) -> Value {
    entry[key] = value;
    entry
}

fn report(world: &World, window: Window, size: BucketSize) -> HealthReport {
    let parts: Vec<_> = world.parts().into_iter().filter(|part| window.has(part.hour_us)).collect();
    HealthReport::of(&parts, window, size, &HealthSettings::default())
}

/// A status of requests of which some failed.
async fn status(requests: usize, user: usize, system: usize) -> Status {
    let mut world = World::new().await;
    let entry = |at| {
        let entry = with(request(0, 1, 1.0), "userError", json!(at < user));
        with(entry, "systemError", json!((user..user + system).contains(&at)))
    };
    world.requests((0..requests).map(entry).collect()).await;
    report(&world, hours(0, 1), BucketSize::Hour).status
}

#[tokio::test]
async fn a_verdict_needs_requests_and_changes_at_its_edges() {
    assert_eq!(status(19, 19, 0).await, Status::NotEnoughData);
    assert_eq!(status(20, 0, 0).await, Status::Green);
    // One in a hundred is yellow, five are red, whoever was to blame.
    assert_eq!(status(101, 1, 0).await, Status::Green);
    assert_eq!(status(100, 1, 0).await, Status::Yellow);
    assert_eq!(status(100, 0, 1).await, Status::Yellow);
    assert_eq!(status(101, 2, 3).await, Status::Yellow);
    assert_eq!(status(100, 2, 3).await, Status::Red);
}

#[tokio::test]
async fn counts_times_and_load_are_those_of_the_requests() {
    let mut world = World::new().await;
    // Two in the first minute, one in the second, one in the next hour, one on the next day.
    world
        .requests(json!([
            request(0, 10, 100.0),
            with(request(0, 5, 200.0), "gateway", json!("h")),
            with(request(1, 0, 300.0), "userError", json!(true)),
            with(request(61, 1, 2000.0), "systemError", json!(true)),
            request(24 * 60, 2, 2000.5),
        ]))
        .await;
    let all = report(&world, hours(0, 48), BucketSize::Hour);
    let totals = &all.totals;
    assert_eq!((totals.requests, totals.predictions, totals.slow_requests), (5, 18, 1));
    assert_eq!((totals.user_errors, totals.system_errors), (1, 1));
    assert_eq!((totals.user_error_rate, totals.system_error_rate), (Some(0.2), Some(0.2)));
    let within = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() <= b * 0.01);
    assert!(within(totals.execution_time.median, 300.0), "{:?}", totals.execution_time);
    assert!(within(totals.execution_time.p99, 2000.0), "{:?}", totals.execution_time);
    // Minutes: 2, 1, 1, 1.
    let load = totals.load;
    assert_eq!((load.median, load.peak, load.busy_minutes), (Some(1.0), Some(2), 4));
    let begins = |report: &HealthReport| -> Vec<(i64, u64)> {
        let bucket = |it: &HealthBucket| ((it.start.0 - midnight()) / HOUR_US, it.totals.requests);
        report.buckets.iter().map(bucket).collect()
    };
    // An hour without requests is left out.
    assert_eq!(begins(&all), [(0, 3), (1, 1), (24, 1)]);
    let days = report(&world, hours(0, 48), BucketSize::Day);
    assert_eq!(begins(&days), [(0, 4), (24, 1)]);
    // The minutes of a day's hours are not laid over each other.
    assert_eq!(days.buckets[0].totals.load.busy_minutes, 3);
    assert_eq!(begins(&report(&world, hours(1, 24), BucketSize::Hour)), [(1, 1)]);
}

#[tokio::test]
async fn challengers_stand_apart_and_gateways_beside_each_other() {
    let mut world = World::new().await;
    let challenger = with(
        with(request(0, 7, 9000.0), "role", json!("challenger")),
        "modelDigest",
        json!(CHALLENGER),
    );
    world
        .requests(json!([
            request(0, 1, 1.0),
            with(request(0, 2, 1.0), "gateway", json!("h")),
            with(
                with(request(0, 4, 1.0), "role", json!("canary")),
                "modelDigest",
                json!(CHALLENGER)
            ),
            with(with(challenger, "modelId", json!("n")), "userError", json!(true)),
        ]))
        .await;
    let report = report(&world, hours(0, 1), BucketSize::Hour);
    // Nobody got a challenger's answers, nor its errors.
    assert_eq!((report.totals.requests, report.totals.predictions), (3, 7));
    assert_eq!((report.totals.user_errors, report.totals.slow_requests), (0, 0));
    assert_eq!(report.buckets[0].totals.requests, 3);
    let groups: Vec<_> = report
        .groups
        .iter()
        .map(|it| (&*it.role, it.gateway.as_deref(), it.totals.predictions))
        .collect();
    assert_eq!(
        groups,
        [
            ("champion", Some("g"), 1),
            ("champion", Some("h"), 2),
            ("canary", Some("g"), 4),
            ("challenger", Some("g"), 7),
        ]
    );
    let last = report.groups.last().unwrap();
    assert_eq!((&*last.model_id, last.model_digest.as_deref()), ("n", Some(CHALLENGER)));
    assert_eq!(last.totals.user_error_rate, Some(1.0));
}

#[tokio::test]
async fn rows_clocks_and_what_is_missing_are_told() {
    let mut world = World::new().await;
    let mut plan = (*world.plan).clone();
    plan.rows_an_hour = Some(3);
    world.plan = Arc::new(plan);
    world
        .inputs(json!([
            {"timestamp": at(1), "modelId": "m", "predictions": [1.0, 2.0],
                "associationIds": ["a", null]},
            {"timestamp": at(2), "modelId": "m", "predictions": [1.0, 2.0]},
        ]))
        .await;
    let report = report(&world, hours(0, 1), BucketSize::Hour);
    let usage = &report.usage;
    assert_eq!((usage.rows, usage.without_association_id, usage.rate_limited), (4, 2, 1));
    let clock = &report.clock;
    assert_eq!(clock.first, Some(Moment(midnight() + 60_000_000)));
    assert_eq!(clock.last, Some(Moment(midnight() + 120_000_000)));
    assert!(clock.received.is_some());
    // No request was reported: nothing is known of times.
    assert_eq!(report.status, Status::NotEnoughData);
    assert_eq!((report.totals.user_error_rate, report.totals.execution_time.median), (None, None));
    let empty = self::report(&world, hours(5, 6), BucketSize::Hour);
    assert_eq!((empty.status, empty.totals.requests), (Status::NotEnoughData, 0));
    assert!(empty.buckets.is_empty() && empty.groups.is_empty());
    let text = serde_json::to_value(&empty).unwrap();
    assert_eq!(text["executionTime"], Value::Null);
    assert_eq!(text["totals"]["executionTime"]["p99"], Value::Null);
    assert_eq!(text["status"], "notEnoughData");
}

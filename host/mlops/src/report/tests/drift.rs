//! Drift by hand.

use super::*;
use crate::numbers::Distance;

/// Rows of the champion: ages, sexes and predictions.
fn rows(minute: i64, rows: &[(Value, Value, f64)]) -> Value {
    let column = |of: fn(&(Value, Value, f64)) -> Value| rows.iter().map(of).collect::<Vec<_>>();
    json!({"timestamp": at(minute), "modelId": "m", "modelDigest": CHAMPION,
        "features": [
            {"name": "age", "values": column(|row| row.0.clone())},
            {"name": "sex", "values": column(|row| row.1.clone())},
            {"name": "unheard of", "values": column(|row| row.1.clone())},
        ],
        "predictions": column(|row| json!(row.2))})
}

/// As many rows as said, spread as in training.
fn like_training(count: usize) -> Vec<(Value, Value, f64)> {
    let row = |at: usize| {
        let step = (at % 10) as f64;
        let sex = if (at / 10).is_multiple_of(2) { "f" } else { "m" };
        (json!(step * 10.0 + 5.0), json!(sex), step + 0.5)
    };
    (0..count).map(row).collect()
}

fn report(
    world: &World,
    window: Window,
    reference: Option<Window>,
    size: BucketSize,
) -> DriftReport {
    let settings = DriftSettings::default();
    DriftReport::of(&world.parts(), window, reference, size, Some(&baseline()), &settings)
}

fn feature<'a>(report: &'a DriftReport, name: &str) -> &'a ColumnDrift {
    report.features.iter().find(|column| column.name == name).unwrap()
}

#[tokio::test]
async fn rows_like_trainings_are_green_and_too_few_are_no_verdict() {
    let mut world = World::new().await;
    world.inputs(json!([rows(0, &like_training(99))])).await;
    let few = report(&world, hours(0, 1), None, BucketSize::Hour);
    assert_eq!((few.status, few.rows, few.baseline_rows), (Status::NotEnoughData, 99, 100));
    assert!(feature(&few, "age").drift.is_some(), "the distance is told all the same");
    world.inputs(json!([rows(0, &like_training(100)[99..])])).await;
    let enough = report(&world, hours(0, 1), None, BucketSize::Hour);
    assert_eq!((enough.status, enough.rows), (Status::Green, 100));
    for column in enough.features.iter().chain(&enough.target) {
        assert_eq!((column.status, column.drift), (Status::Green, Some(0.0)), "{}", column.name);
    }
    let names: Vec<_> = enough.features.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["age", "sex"]);
}

#[tokio::test]
async fn an_unimportant_column_makes_it_yellow_an_important_one_red() {
    let mut world = World::new().await;
    let mut drifted = like_training(100);
    for row in &mut drifted[..40] {
        row.1 = json!("m");
    }
    world.inputs(json!([rows(0, &drifted)])).await;
    let yellow = report(&world, hours(0, 1), None, BucketSize::Hour);
    let sex = feature(&yellow, "sex");
    // 30 of 100 instead of 50 are `f`, 70 instead of 50 are `m`.
    let counts: Vec<_> = sex.bins.iter().map(|bin| (bin.count, bin.baseline_count)).collect();
    assert_eq!(counts, [(30, 50), (70, 50), (0, 0), (0, 0), (0, 0)]);
    let psi = (0.3 - 0.5) * (0.3_f64 / 0.5).ln() + (0.7 - 0.5) * (0.7_f64 / 0.5).ln();
    assert!(near(sex.drift, psi), "{:?} {psi}", sex.drift);
    assert_eq!((sex.status, yellow.status), (Status::Yellow, Status::Yellow));
    assert_eq!(yellow.target.as_ref().unwrap().status, Status::Green);

    let verdict = |threshold: f64, importance: f64| {
        let mut baseline = baseline();
        baseline.features[1].importance = importance;
        let settings = DriftSettings { threshold, ..DriftSettings::default() };
        let parts = world.parts();
        let window = hours(0, 1);
        DriftReport::of(&parts, window, None, BucketSize::Hour, Some(&baseline), &settings).status
    };
    assert_eq!(verdict(THRESHOLD, IMPORTANT), Status::Red);
    // A distance that only reaches the threshold is none to speak of.
    let distance = sex.drift.unwrap();
    assert_eq!(verdict(distance, 1.0), Status::Green);
    assert_eq!(verdict(distance - 1e-12, 1.0), Status::Red);
}

#[tokio::test]
async fn every_place_that_training_did_not_have_is_seen() {
    let mut world = World::new().await;
    let strange: Vec<_> = [
        (json!(-1), json!("f"), -1.0),
        (json!(101), json!("x"), 11.0),
        (json!(null), json!("new"), 5.0),
        (json!(100), json!(null), 10.0),
    ]
    .into();
    world.inputs(json!([rows(0, &strange)])).await;
    let report = report(&world, hours(0, 1), None, BucketSize::Hour);
    let count = |column: &ColumnDrift| column.bins.iter().map(|bin| bin.count).collect::<Vec<_>>();
    assert_eq!(count(feature(&report, "age")), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    assert_eq!(count(feature(&report, "sex")), [1, 0, 1, 1, 1]);
    assert_eq!(feature(&report, "sex").missing, Some(0.25));
    let target = report.target.as_ref().unwrap();
    assert_eq!(count(target), [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0]);
    assert_eq!(report.buckets[0].mean_prediction, Some(6.25));
    let bins = serde_json::to_value(&feature(&report, "sex").bins).unwrap();
    assert_eq!(bins[0]["kind"], "level");
    assert_eq!(bins[0]["level"], "f");
    assert_eq!((&bins[2]["kind"], &bins[2]["share"]), (&json!("other"), &json!(0.25)));
}

#[tokio::test]
async fn two_windows_are_compared_in_the_bins_of_training() {
    let mut world = World::new().await;
    let old: Vec<_> = (0..100).map(|_| (json!(5), json!("f"), 0.5)).collect();
    world.inputs(json!([rows(0, &old), rows(60, &old), rows(120, &like_training(100))])).await;
    let alike = report(&world, hours(1, 2), Some(hours(0, 1)), BucketSize::Hour);
    assert_eq!((alike.status, alike.rows, alike.baseline_rows), (Status::Green, 100, 100));
    assert_eq!(feature(&alike, "age").drift, Some(0.0));
    assert_eq!(report(&world, hours(1, 2), None, BucketSize::Hour).status, Status::Red);
    let apart = report(&world, hours(2, 3), Some(hours(0, 2)), BucketSize::Hour);
    assert_eq!((apart.status, apart.baseline_rows), (Status::Red, 200));
    assert_eq!(feature(&apart, "age").bins[1].baseline_count, 200);
    // A window of nothing, or of little, is nothing to compare with.
    let none = report(&world, hours(2, 3), Some(hours(5, 6)), BucketSize::Hour);
    assert_eq!(none.status, Status::NotEnoughData);
    world.inputs(json!([rows(600, &old[..99])])).await;
    let little = report(&world, hours(2, 3), Some(hours(10, 11)), BucketSize::Hour);
    assert_eq!((little.status, little.baseline_rows), (Status::NotEnoughData, 99));
}

#[tokio::test]
async fn buckets_are_cut_by_the_hour_or_day() {
    let mut world = World::new().await;
    let day = 24 * 60;
    let all = like_training(100);
    let old: Vec<_> = (0..100).map(|_| (json!(5), json!("f"), 0.5)).collect();
    world.inputs(json!([rows(0, &all[..50]), rows(90, &all[50..]), rows(day, &old)])).await;
    let cut = |size| {
        let report = report(&world, hours(0, 48), None, size);
        let bucket = |it: &DriftBucket| ((it.start.0 - midnight()) / HOUR_US, it.rows, it.status);
        report.buckets.iter().map(bucket).collect::<Vec<_>>()
    };
    let (few, green, red) = (Status::NotEnoughData, Status::Green, Status::Red);
    assert_eq!(cut(BucketSize::Hour), [(0, 50, few), (1, 50, few), (24, 100, red)]);
    assert_eq!(cut(BucketSize::Day), [(0, 100, green), (24, 100, red)]);
}

#[tokio::test]
async fn rows_with_other_bins_stand_apart() {
    let mut world = World::new().await;
    let mut challenger = rows(0, &like_training(100));
    challenger["modelId"] = json!("n");
    challenger["modelDigest"] = json!(CHALLENGER);
    challenger["role"] = json!("challenger");
    world.inputs(json!([challenger])).await;
    let empty = report(&world, hours(0, 1), None, BucketSize::Hour);
    assert_eq!((empty.status, empty.rows), (Status::NotEnoughData, 0));
    world.inputs(json!([rows(0, &like_training(100))])).await;
    assert_eq!(report(&world, hours(0, 1), None, BucketSize::Hour).rows, 100);
    let settings = DriftSettings::default();
    let parts = world.parts();
    let none = DriftReport::of(&parts, hours(0, 1), None, BucketSize::Hour, None, &settings);
    assert_eq!(none.status, Status::NoBaseline);
    // Health takes all of them together, whatever their bins.
    let health = HealthReport::of(
        &parts,
        hours(0, 1),
        BucketSize::Hour,
        &HealthSettings { requests_min: 0, ..HealthSettings::default() },
    );
    assert_eq!((health.usage.rows, health.groups.len()), (100, 2));
}

#[tokio::test]
async fn every_distance_is_named() {
    let mut world = World::new().await;
    world.inputs(json!([rows(0, &like_training(100))])).await;
    for (distance, name) in [
        (Distance::Psi, "psi"),
        (Distance::KullbackLeibler, "kullbackLeibler"),
        (Distance::JensenShannon, "jensenShannon"),
        (Distance::Hellinger, "hellinger"),
        (Distance::HistogramIntersection, "histogramIntersection"),
    ] {
        let settings = DriftSettings { distance, ..DriftSettings::default() };
        let (parts, window) = (world.parts(), hours(0, 1));
        let baseline = baseline();
        let report =
            DriftReport::of(&parts, window, None, BucketSize::Hour, Some(&baseline), &settings);
        assert_eq!(report.status, Status::Green, "{name}");
        assert_eq!(serde_json::to_value(&report).unwrap()["metric"], name);
    }
}

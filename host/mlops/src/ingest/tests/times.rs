//! Hours are the device's; a clock that is wrong is flagged, and never a reason to drop.

use super::*;

fn stamped(time: &str) -> String {
    format!(
        "{{\"gateway\":\"g\",\"modelId\":\"m\",\"numPredictions\":1,\"executionTime\":3,\"timestamp\":{time}}}"
    )
}

fn micros(offset: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(offset);
    format!("\"{at}\"")
}

on_both!(a_late_record_counts_in_its_hour, async |mut world: World| {
    world.inputs(&[row("a", "1", 4.0, 5)]).await;
    world.inputs(&[row("b", "2", 4.0, 0), row("c", "3", 4.0, 5), row("d", "4", 4.0, -30)]).await;
    world.restart().await;
    world.inputs(&[row("e", "5", 4.0, 0)]).await;
    let rows: Vec<u64> = world.rollups().await.iter().map(|(_, _, rollup)| rollup.rows).collect();
    assert_eq!(rows, [1, 2, 2]);
    let from: jiff::Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let hours = |to: i64| (from.as_microsecond(), from.as_microsecond() + to);
    let (from, to) = hours(crate::rollup::HOUR_US);
    assert_eq!(world.store.rollups("d", from, to).await.unwrap().len(), 1);
    assert_eq!(world.store.rollups("d", from, to - 1).await.unwrap().len(), 1);
    assert_eq!(world.store.rollups("d", from - 1, from).await.unwrap().len(), 0);
});

on_both!(a_wrong_clock_is_flagged, async |world: World| {
    let day = 24 * 3_600;
    for (time, flagged) in [
        (micros(-60), false),
        (micros(4 * 60), false),
        (micros(6 * 60), true),
        (micros(-day + 60), false),
        (micros(-day - 60), true),
        ("\"yesterday\"".to_owned(), true),
        ("null".to_owned(), true),
        ("[]".to_owned(), true),
    ] {
        let before = world.store.skew("d").await.unwrap().first().map_or(0, |skew| skew.entries);
        assert_eq!(taken(&world.requests(&[stamped(&time)]).await), (1, 0, 0));
        let after = world.store.skew("d").await.unwrap().first().map_or(0, |skew| skew.entries);
        assert_eq!(after - before, i64::from(flagged), "{time}");
    }
    let skew = world.store.skew("d").await.unwrap().remove(0);
    assert_eq!((skew.gateway.as_deref(), skew.entries, skew.unreadable), (Some("g"), 5, 3));
    let minutes = |us: i64| us / 60_000_000;
    assert_eq!((minutes(skew.ahead_us), minutes(skew.behind_us)), (5, 24 * 60 + 1));
    let total = world.total().await;
    assert_eq!((total.health.requests, total.skewed), (8, 5));
});

on_both!(a_time_out_of_this_world_counts_when_it_was_received, async |world: World| {
    let now = jiff::Timestamp::now().as_microsecond();
    let entries =
        ["\"1999-12-31T23:59:59Z\"", "\"2060-01-01T00:00:00Z\"", "0", "1e300"].map(stamped);
    assert_eq!(taken(&world.requests(&entries).await), (4, 0, 0));
    for (_, hour, rollup) in world.rollups().await {
        assert!(hour + 2 * crate::rollup::HOUR_US > now, "an hour of now");
        assert_eq!(rollup.skewed, rollup.health.requests);
    }
    // The edges are of this world.
    let edge = stamped("\"2000-01-01T00:00:00Z\"");
    world.requests(&[edge]).await;
    assert_eq!(world.rollups().await[0].1, 946_684_800_000_000);
});

on_both!(batches_are_counted, async |world: World| {
    let batch = |text: String| text.replacen('{', "{\"batchId\":\"b\",", 1);
    world
        .inputs(&[
            batch(row("a", "1", 1.0, 0)),
            batch(row("b", "2", 1.0, 3)),
            row("c", "3", 1.0, 0),
        ])
        .await;
    world.requests(&[batch(stamped(&format!("\"{}\"", at(1))))]).await;
    let batches = world.store.batches("d").await.unwrap();
    assert_eq!(batches.len(), 1);
    let batch = &batches[0];
    assert_eq!((batch.rows, batch.requests, batch.predictions), (2, 1, 1));
    assert_eq!((batch.prediction_sum, batch.prediction_count), (2.0, 2));
    assert_eq!((batch.user_errors, batch.system_errors), (0, 0));
    assert_eq!(batch.last_us - batch.first_us, 3 * crate::rollup::HOUR_US);
});

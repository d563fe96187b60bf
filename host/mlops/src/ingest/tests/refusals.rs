//! What is not taken is counted and can be seen.

use super::*;

on_both!(refused_entries_leave_their_neighbours, async |world: World| {
    let bad = |at: usize| {
        format!("{{\"recordId\":\"bad-{at}\",\"predictions\":[1,2],\"associationIds\":[\"a\"]}}")
    };
    let text = "{\"recordId\":\"text\",\"predictions\":[\"a lot\"]}".to_owned();
    let answer = world.inputs(&[row("a", "1", 1.0, 0), bad(1), text, bad(2), "7".to_owned()]).await;
    assert_eq!(taken(&answer), (1, 0, 4));
    let refused: Vec<(usize, &str)> =
        answer.refused.iter().map(|one| (one.index, &*one.field)).collect();
    assert_eq!(
        refused,
        [(1, "associationIds"), (2, "predictions[0]"), (3, "associationIds"), (4, "data[]")]
    );
    assert_eq!(
        serde_json::to_string(&answer.refused[1]).unwrap(),
        "{\"index\":2,\"recordId\":\"text\",\"field\":\"predictions[0]\",\"reason\":\"must be a number\"}"
    );
    let not_json =
        world.ingest.actuals(&world.plan, Bytes::from_static(b"{\"data\":")).await.unwrap_err();
    assert!(matches!(not_json, IngestError::NotJson(_)));
    let no_list = world.ingest.actuals(&world.plan, Bytes::from_static(b"{}")).await.unwrap_err();
    assert!(matches!(no_list, IngestError::Body { field, .. } if field == "data"));
    let noted = world.store.refusals("d").await.unwrap();
    let noted: Vec<(&str, &str, i64, Option<&str>)> = noted
        .iter()
        .map(|one| (&*one.kind, &*one.field, one.entries, one.last_record.as_deref()))
        .collect();
    assert_eq!(
        noted,
        [
            ("predictionInputs", "associationIds", 2, Some("bad-2")),
            ("actuals", "data", 1, None),
            ("actuals", "the body", 1, None),
            ("predictionInputs", "data[]", 1, None),
            ("predictionInputs", "predictions[#]", 1, Some("text")),
        ]
    );
});

on_both!(rows_beyond_the_limit_are_counted_as_such, async |mut world: World| {
    world.change(|plan| plan.rows_an_hour = Some(5));
    let entry = |record: &str, rows: usize| {
        let ids: Vec<String> = (0..rows).map(|at| format!("\"{record}-{at}\"")).collect();
        let values = vec!["1"; rows].join(",");
        format!(
            "{{\"recordId\":\"{record}\",\"modelId\":\"m\",\"predictions\":[{values}],\"associationIds\":[{}]}}",
            ids.join(",")
        )
    };
    world.inputs(&[entry("a", 4)]).await;
    world.restart().await;
    world.inputs(&[entry("b", 3)]).await;
    world.inputs(&[entry("b", 3), entry("c", 2)]).await;
    let actuals: Vec<String> =
        ["a-0", "b-0", "b-1", "c-0"].iter().map(|id| actual("z", id, 1.0, "")).collect();
    world.actuals(&actuals).await;
    let total = world.total().await;
    // The hour may end in between, and then more rows are counted; never fewer.
    let limited = total.usage.rate_limited;
    assert_eq!((total.usage.rows, total.rows), (9, 9 - limited));
    assert!(limited == 4 || limited < 4 && total.accuracy.rows() > 2, "{total:?}");
    assert_eq!(total.prediction_count, total.rows);
});

on_both!(metrics_and_events_are_kept, async |world: World| {
    let body = Bytes::from_static(b"{\"modelId\":null,\"recordId\":\"r\",\"buckets\":[{\"timestamp\":\"2026-11-24 23:33:04.524+0000\",\"value\":3.25},{\"value\":\"4\"}]}");
    for accepted in [1, 0] {
        let answer = world.ingest.custom_metrics(&world.plan, "c", body.clone()).await.unwrap();
        assert_eq!(answer.accepted, accepted);
    }
    let summary = world.store.metric_summary("d", "c", None, 0, i64::MAX).await.unwrap();
    assert_eq!(
        (summary.count, summary.sum, summary.min, summary.max),
        (2, 7.25, Some(3.25), Some(4.0))
    );
    assert_eq!(summary.last, Some(4.0));
    let of = world.store.metric_summary("d", "c", Some("a model"), 0, i64::MAX).await.unwrap();
    assert_eq!((of.count, of.last), (0, None));
    assert_eq!(world.store.metric_ids("d").await.unwrap(), ["c"]);
    let values = world.store.metric_values("d", "c", 0, i64::MAX).await.unwrap();
    assert_eq!(values[0].at_us, 1_795_563_184_524_000);
    assert_eq!(
        world.store.metric_summary("d", "other", None, 0, i64::MAX).await.unwrap().max,
        None
    );
    let event = crate::store::StoredEvent {
        id: "1".to_owned(),
        deployment_id: "d".to_owned(),
        at_us: 7,
        kind: "prediction_request.failed".to_owned(),
        body: "{}".to_owned(),
    };
    assert!(world.store.add_event(&event).await.unwrap());
    assert!(!world.store.add_event(&event).await.unwrap());
    assert_eq!(world.store.events("d", 10).await.unwrap(), [event]);
});

#[tokio::test]
async fn more_calls_than_wait_are_told_to_try_again() {
    let settings = Settings { calls: 0, ..Settings::default() };
    let world = World::with(Database::sqlite(), settings).await;
    let answer = world.ingest.actuals(&world.plan, data(&[])).await;
    assert!(matches!(answer, Err(IngestError::Busy)));
}

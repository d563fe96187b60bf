//! A record with an id is taken once, wherever its first copy is by now.

use super::*;

on_both!(a_repeat_is_known, async |mut world: World| {
    let a = row("a", "1", 5.0, 0);
    assert_eq!(
        taken(&world.inputs(&[a.clone(), row("b", "2", 5.0, 0), a.clone()]).await),
        (2, 1, 0)
    );
    assert_eq!(taken(&world.inputs(std::slice::from_ref(&a)).await), (0, 1, 0));
    // The same id in a call of another kind is another record.
    let request = "{\"recordId\":\"a\",\"numPredictions\":3,\"executionTime\":2.5}".to_owned();
    assert_eq!(taken(&world.requests(&[request.clone(), request.clone()]).await), (1, 1, 0));
    world.restart().await;
    assert_eq!(taken(&world.inputs(std::slice::from_ref(&a)).await), (0, 1, 0));
    world.fold().await;
    assert_eq!(taken(&world.inputs(std::slice::from_ref(&a)).await), (0, 1, 0));
    world.restart().await;
    assert_eq!(taken(&world.inputs(&[a]).await), (0, 1, 0));
    assert_eq!(taken(&world.requests(&[request]).await), (0, 1, 0));
    let total = world.total().await;
    assert_eq!((total.rows, total.usage.rows, total.health.predictions), (2, 2, 3));
    assert_eq!(total.features[0].0.iter().sum::<u64>(), 2);
    assert_eq!((total.predicted.unwrap().0[6], total.features[1].0[0]), (2, 2));
});

on_both!(without_an_id_nothing_is_a_repeat, async |world: World| {
    let row = "{\"modelId\":\"m\",\"predictions\":[1,2,null]}".to_owned();
    assert_eq!(taken(&world.inputs(&[row.clone(), row]).await), (2, 0, 0));
    let total = world.total().await;
    assert_eq!((total.rows, total.usage.without_association_id), (6, 6));
    assert_eq!((total.prediction_sum.value(), total.prediction_count), (6.0, 4));
});

fn summed(records: &[&str], sum: f64) -> String {
    let ids: Vec<String> = records.iter().map(|id| format!("\"{id}\"")).collect();
    format!(
        "{{\"timestamp\":\"{}\",\"modelId\":\"m\",\"recordIds\":[{}],\
         \"features\":[{{\"name\":\"age\",\"stats\":{{\"numericStats\":{{\"count\":3,\
         \"histogram\":{{\"centroids\":[15,-1],\"counts\":[2,1]}}}},\"missingCount\":1}}}},\
         {{\"name\":\"sex\",\"stats\":{{\"count\":4,\"missingCount\":0,\"categories\":{{\"values\":[\"f\",\"new\",\"x\"],\"counts\":[1,1,1]}}}}}}],\
         \"predictions\":{{\"count\":4,\"sum\":{sum},\"histogram\":{{\"centroids\":[9.5],\"counts\":[4]}}}}}}",
        at(0),
        ids.join(",")
    )
}

on_both!(a_sum_is_taken_when_none_of_it_was, async |world: World| {
    assert_eq!(taken(&world.stats(&[summed(&["a", "b"], 38.0)]).await), (1, 0, 0));
    world.fold().await;
    assert_eq!(taken(&world.stats(&[summed(&["b", "a"], 38.0)]).await), (0, 1, 0));
    let answer = world.stats(&[summed(&["c", "b"], 38.0), summed(&["c"], 2.0)]).await;
    assert_eq!(taken(&answer), (1, 0, 1));
    assert_eq!(
        (answer.refused[0].index, &*answer.refused[0].seen_record_ids),
        (0, &["b".to_owned()][..])
    );
    let total = world.total().await;
    assert_eq!((total.rows, total.rows_summed, total.prediction_sum.value()), (8, 8, 40.0));
    assert_eq!(total.features[0].0, [2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    // Two levels are listed; then come the others, those that are new, and what is missing.
    assert_eq!(total.features[1].0, [2, 0, 4, 2, 0]);
    assert_eq!(total.predicted.unwrap().0[10], 8);
});

on_both!(rows_that_were_summed_up_only_wait_for_their_actuals, async |world: World| {
    let body = format!("{{\"skipDriftTracking\":true,\"data\":[{}]}}", row("a", "1", 4.0, 0));
    let answer = world.ingest.prediction_inputs(&world.plan, Bytes::from(body)).await.unwrap();
    assert_eq!(taken(&answer), (1, 0, 0));
    let body = format!("{{\"skipAccuracyTracking\":true,\"data\":[{}]}}", row("b", "2", 4.0, 0));
    world.ingest.prediction_inputs(&world.plan, Bytes::from(body)).await.unwrap();
    world.actuals(&[actual("c", "1", 5.0, ""), actual("c", "2", 5.0, "")]).await;
    let total = world.total().await;
    assert_eq!((total.rows, total.rows_untracked, total.usage.rows), (1, 1, 2));
    assert_eq!((total.features[0].0.iter().sum::<u64>(), total.accuracy.rows()), (1, 1));
});

#[tokio::test]
async fn a_second_server_is_kept_off() {
    for database in [Some(Database::sqlite()), Database::postgres()].into_iter().flatten() {
        let world = World::new(database).await;
        let second = Store::open(world.database.address()).await.unwrap();
        let refused = Ingest::start(second.clone(), world.settings).await.unwrap_err();
        assert!(matches!(refused, StartError::Taken), "{refused:?}");
        world.ingest.close().await;
        let after = Ingest::start(second, world.settings).await.unwrap();
        after.close().await;
        let late = world.ingest.actuals(&world.plan, data(&[])).await;
        assert!(matches!(late, Err(IngestError::Closed)));
    }
}

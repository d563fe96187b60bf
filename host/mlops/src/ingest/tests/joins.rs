//! Actuals meet their predictions, whichever comes first and wherever it is by now.

use super::*;

/// The rows that met their actual and their mean absolute error, by hour of the day's.
async fn errors(world: &World) -> Vec<(u64, f64)> {
    world
        .rollups()
        .await
        .into_iter()
        .filter(|(_, _, rollup)| rollup.rows > 0)
        .map(|(_, _, rollup)| error(&rollup))
        .collect()
}

fn error(rollup: &Rollup) -> (u64, f64) {
    (rollup.accuracy.rows(), super::model::mean_absolute_error(rollup).unwrap_or(f64::NAN))
}

on_both!(an_actual_meets_its_prediction_from_either_side, async |mut world: World| {
    world.inputs(&[row("a", "1", 4.0, 0)]).await;
    world.actuals(&[actual("b", "1", 5.0, ""), actual("b", "2", 5.0, "")]).await;
    assert_eq!(errors(&world).await, [(1, 1.0)]);
    // This one came before its prediction, which belongs to another hour.
    world.inputs(&[row("c", "2", 2.0, 1)]).await;
    assert_eq!(errors(&world).await, [(1, 1.0), (1, 3.0)]);
    world.restart().await;
    world.fold().await;
    // Another row with the same association id meets the actual too.
    world.inputs(&[row("d", "2", 4.0, 1)]).await;
    assert_eq!(errors(&world).await, [(1, 1.0), (2, 2.0)]);
    // A changed actual changes all of them, in the hours of the predictions.
    world.actuals(&[actual("e", "2", 4.0, ""), actual("e", "1", 4.0, "")]).await;
    assert_eq!(errors(&world).await, [(1, 0.0), (2, 1.0)]);
    // A repeat does nothing.
    let answer = world.actuals(&[actual("e", "2", 4.0, ""), actual("e", "2", 9.0, "")]).await;
    assert_eq!((taken(&answer), errors(&world).await), ((0, 2, 0), vec![(1, 0.0), (2, 1.0)]));
});

on_both!(a_later_actual_counts_whenever_it_comes, async |world: World| {
    world.inputs(&[row("a", "1", 4.0, 0)]).await;
    world.actuals(&[actual("b", "1", 6.0, "2026-11-25T00:00:00Z")]).await;
    world.actuals(&[actual("c", "1", 9.0, "2026-11-24T00:00:00Z")]).await;
    assert_eq!(errors(&world).await, [(1, 2.0)]);
    world.fold().await;
    world.actuals(&[actual("d", "1", 9.0, "2026-11-24T12:00:00Z")]).await;
    assert_eq!(errors(&world).await, [(1, 2.0)]);
    // Of the same time, the one that comes later.
    world.actuals(&[actual("e", "1", 5.0, "2026-11-25T00:00:00Z")]).await;
    assert_eq!(errors(&world).await, [(1, 1.0)]);
    world.actuals(&[actual("f", "1", 4.0, "2026-11-25T00:00:00.001Z")]).await;
    assert_eq!(errors(&world).await, [(1, 0.0)]);
});

on_both!(champion_canary_and_challengers_each_meet_it, async |world: World| {
    let role = |role: &str, record: &str, prediction: f64| {
        row(record, "1", prediction, 0).replacen(
            '{',
            &format!("{{\"role\":\"{role}\",\"gateway\":\"g\","),
            1,
        )
    };
    world.inputs(&[role("champion", "a", 1.0), role("canary", "b", 2.0)]).await;
    world.actuals(&[actual("c", "1", 4.0, "")]).await;
    world.inputs(&[role("challenger", "d", 3.0)]).await;
    let mut roles: Vec<(Option<String>, (u64, f64))> = world
        .rollups()
        .await
        .into_iter()
        .map(|(key, _, rollup)| (key.role.clone(), error(&rollup)))
        .collect();
    roles.sort_by(|a, b| a.0.cmp(&b.0));
    let role = |role: &str| Some(role.to_owned());
    assert_eq!(
        roles,
        [(None, (1, 3.0)), (role("canary"), (1, 2.0)), (role("challenger"), (1, 1.0))]
    );
});

on_both!(classes_meet_by_name, async |mut world: World| {
    world.change(|plan| {
        plan.target =
            Target::Binary { classes: ["no".to_owned(), "yes".to_owned()], threshold: 0.5 };
        let bins =
            Bins::Levels { listed: vec!["no".to_owned(), "yes".to_owned()], known: Vec::new() };
        plan.packages = vec![PackagePlan::new(2, "m", None, Vec::new(), Some(bins))];
    });
    let row = |ids: &str, names: &str, predictions: &str| {
        format!(
            "{{\"modelId\":\"m\",\"predictions\":{predictions},\"associationIds\":{ids},\"classNames\":{names}}}"
        )
    };
    let answer = world
        .inputs(&[
            row("[\"1\",\"2\"]", "[\"yes\",\"no\"]", "[[0.75,0.25],[0.5,0.5]]"),
            row("[\"3\"]", "[]", "[0.25]"),
            row("[\"4\"]", "[\"a\",\"b\"]", "[[0.75,0.25]]"),
            row("[\"5\"]", "[\"a\"]", "[[0.75]]"),
        ])
        .await;
    assert_eq!(taken(&answer), (2, 0, 2));
    let actual =
        |id: &str, value: &str| format!("{{\"associationId\":\"{id}\",\"actualValue\":{value}}}");
    let answer = world
        .actuals(&[
            actual("1", "\"yes\""),
            actual("2", "\"no\""),
            actual("3", "\"maybe\""),
            actual("3", "7"),
        ])
        .await;
    assert_eq!(taken(&answer), (2, 0, 2));
    world.fold().await;
    let total =
        world.rollups().await.into_iter().find(|(key, _, _)| key.plan == Some(2)).unwrap().2;
    assert_eq!((total.rows, total.accuracy.rows()), (3, 2));
    assert_eq!(
        (&*total.predicted.as_ref().unwrap().0, total.prediction_sum.value()),
        (&[1, 2, 0, 0, 0][..], 1.5)
    );
});

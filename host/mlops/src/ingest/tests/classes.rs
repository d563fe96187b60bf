//! Predictions of classes are counted for the class that was predicted.

use serde_json::{Value, json};

use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A deployment whose package has a place for each of its classes.
fn classes(world: &mut World, target: Target) {
    let listed = super::super::target::classes(&target).to_vec();
    let bins = Bins::Levels { listed, known: Vec::new() };
    let package = PackagePlan::new(1, "m", None, Vec::new(), Some(bins));
    world.plan = Arc::new(DeploymentPlan::new("d", target, vec![package]));
}

fn binary(threshold: f64) -> Target {
    Target::Binary { classes: ["no", "yes"].map(str::to_owned), threshold }
}

fn entry(predictions: Value, more: Value) -> String {
    let mut entry = json!({"timestamp": at(0), "modelId": "m", "predictions": predictions});
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry.to_string()
}

/// What one class came to in a sum: centroids with their counts, and rows in which it won.
fn summed(missing: u64, histogram: &[(f64, u64)], won: Option<u64>) -> Value {
    let (centroids, counts): (Vec<f64>, Vec<u64>) = histogram.iter().copied().unzip();
    let mut stats = json!({"count": counts.iter().sum::<u64>(), "sum": 1.5,
        "histogram": {"centroids": centroids, "counts": counts}});
    if let Some(won) = won {
        stats["decisionCount"] = json!(won);
    }
    json!({"numericStats": stats, "missingCount": missing})
}

async fn predicted(world: &World) -> Vec<u64> {
    world.total().await.predicted.unwrap().0
}

on_both!(two_classes_are_told_apart_by_the_threshold, async |mut world: World| {
    classes(&mut world, binary(0.3));
    // In the record's order: also such as do not add up to one, or are not there.
    let rows = json!([[0.8, 0.2], [0.7, 0.3], [0.9, 0.9], [0.0, 0.0], null, [1.0, null], [0.5, 7]]);
    let order = json!({"classNames": ["no", "yes"]});
    assert_eq!(taken(&world.inputs(&[entry(rows, order)]).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [2, 2, 0, 0, 3]);
    // In the package's, which has the positive one first.
    assert_eq!(taken(&world.inputs(&[entry(json!([[0.2, 0.8]]), json!({}))]).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [3, 2, 0, 0, 3]);
    // The positive one alone.
    assert_eq!(taken(&world.inputs(&[entry(json!([0.3, 0.29]), json!({}))]).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [4, 3, 0, 0, 3]);
    // Rows without predictions are none that are missing.
    let rows =
        json!({"timestamp": at(0), "modelId": "m", "features": [{"name": "a", "values": [1]}]});
    assert_eq!(taken(&world.inputs(&[rows.to_string()]).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [4, 3, 0, 0, 3]);
    // What was counted stays as it was when the threshold changes.
    classes(&mut world, binary(0.9));
    world.inputs(&[entry(json!([0.3, 0.9]), json!({}))]).await;
    world.restart().await;
    assert_eq!(predicted(&world).await, [5, 4, 0, 0, 3]);
});

on_both!(of_several_classes_the_first_of_the_most_probable_counts, async |mut world: World| {
    classes(&mut world, Target::Multiclass { classes: names(&["a", "b", "c"]) });
    let rows = json!([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4], [0.9, 1.0, 0.9], [0.5, null, 0.1], null]);
    assert_eq!(taken(&world.inputs(&[entry(rows, json!({}))]).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [1, 2, 0, 0, 0, 2]);
    let order = json!({"classNames": ["c", "a", "b"]});
    assert_eq!(taken(&world.inputs(&[entry(json!([[0.7, 0.2, 0.1]]), order)]).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [1, 2, 1, 0, 0, 2]);
    for wrong in [json!(["a", "b", "d"]), json!(["a", "b"]), json!(["a", "b", "b"])] {
        let more = json!({"classNames": wrong});
        let answer = world.inputs(&[entry(json!([[0.7, 0.2, 0.1]]), more)]).await;
        assert_eq!(answer.refused[0].field, "classNames", "{wrong}");
    }
    assert_eq!(predicted(&world).await, [1, 2, 1, 0, 0, 2]);
});

on_both!(a_sum_of_two_classes_tells_what_won_and_no_other_threshold, async |mut world: World| {
    classes(&mut world, binary(0.5));
    let no = summed(1, &[(0.7, 2), (0.2, 3)], Some(2));
    let yes = summed(1, &[(0.3, 2), (0.8, 3)], Some(3));
    let sum = entry(json!([no, yes]), json!({"classNames": ["no", "yes"]}));
    assert_eq!(taken(&world.stats(std::slice::from_ref(&sum)).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [2, 3, 0, 0, 1]);
    let other = entry(json!([yes, no]), json!({}));
    assert_eq!(taken(&world.stats(&[other]).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [4, 6, 0, 0, 2]);
    let wrong = entry(json!([yes, no]), json!({"classNames": ["yes", "maybe"]}));
    assert_eq!(world.stats(&[wrong]).await.refused[0].field, "classNames");
    for threshold in [0.5 - f64::EPSILON, 0.5 + f64::EPSILON] {
        classes(&mut world, binary(threshold));
        assert_eq!(taken(&world.stats(std::slice::from_ref(&sum)).await), (1, 0, 0));
        assert_eq!(predicted(&world).await, [4, 6, 0, 0, 2]);
    }
    assert_eq!(world.total().await.rows, 24);
});

on_both!(a_sum_of_several_classes_says_itself_which_won, async |mut world: World| {
    classes(&mut world, Target::Multiclass { classes: names(&["a", "b", "c"]) });
    let class = |won| summed(1, &[(0.4, 6)], won);
    let sum = entry(
        json!([class(Some(3)), class(Some(2)), class(Some(1))]),
        json!({"classNames": ["c", "a", "b"]}),
    );
    assert_eq!(taken(&world.stats(&[sum]).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [2, 1, 3, 0, 0, 1]);
    // One that does not say it is counted otherwise, but its classes are not guessed.
    let sum = entry(json!([class(Some(3)), class(Some(2)), class(None)]), json!({}));
    assert_eq!(taken(&world.stats(&[sum]).await), (1, 0, 0));
    assert_eq!(predicted(&world).await, [2, 1, 3, 0, 0, 1]);
    assert_eq!(world.total().await.rows, 14);
    let sum = entry(json!([class(Some(1 << 60)), class(Some(2)), class(Some(1))]), json!({}));
    assert_eq!(world.stats(&[sum]).await.refused[0].field, "count");
});

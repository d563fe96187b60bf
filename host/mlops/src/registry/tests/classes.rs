//! Training data of classifications.

use models::manifest::distribution::LEVELS_LISTED;

use super::*;
use crate::numbers::Bins;
use crate::report::Column;

fn target(kind: &str, classes: &[&str]) -> Value {
    json!({"target": {"name": "Y", "type": kind, "classNames": classes}})
}

/// A deployment of an external model with this training data: how its predictions are compared.
async fn predictions(world: &World, target: Value, file: &str) -> Column {
    let package = world.external(target).await.unwrap();
    let package = world.registry.train_external(&package.id, file.as_bytes()).await.unwrap();
    let known = world.deploy(&package.id, &package.id).await.unwrap();
    let column = known.baseline.as_ref().unwrap().predictions.clone().unwrap();
    // Rows are counted in the same bins.
    assert_eq!(known.plan.packages[0].predictions.as_ref(), Some(&column.bins));
    column
}

fn listed(column: &Column) -> (Vec<&str>, Vec<&str>) {
    let Bins::Levels { listed, known } = &column.bins else { panic!("{:?}", column.bins) };
    (listed.iter().map(String::as_str).collect(), known.iter().map(String::as_str).collect())
}

on_both!(the_baseline_is_how_often_each_class_was_there, async |world: World| {
    let binary = target("Binary", &["no", "yes"]);
    let file = "a,Y\n1,yes\n2,yes\n3,no\n4,\n5,YES\n";
    let column = predictions(&world, binary.clone(), file).await;
    assert_eq!((&*column.name, listed(&column)), ("Y", (vec!["no", "yes"], vec![])));
    assert_eq!(column.tally.0, [1, 3, 0, 0, 1]);
    // In the order of the classes, also of one that training has none of.
    let three = target("Multiclass", &["c", "a", "b"]);
    let column = predictions(&world, three.clone(), "a,Y\n1,a\n2,b\n3,b\n").await;
    assert_eq!(listed(&column), (vec!["c", "a", "b"], vec![]));
    assert_eq!(column.tally.0, [0, 1, 2, 0, 0, 0]);
    // What the model said comes before what it was taught.
    let file = "a,Y,prediction\n1,a,c\n2,b,b\n3,b,c\n";
    let column = predictions(&world, three, file).await;
    assert_eq!(column.tally.0, [2, 0, 1, 0, 0, 0]);
    // Classes that look like numbers, or like nothing.
    let numbers = target("Binary", &["0", "1"]);
    let column = predictions(&world, numbers, "a,Y\n1,1.0\n2,0\n3,1\n4,NA\n").await;
    assert_eq!(column.tally.0, [1, 2, 0, 0, 1]);
    let nothing = target("Binary", &["NA", "some"]);
    let column = predictions(&world, nothing, "a,Y\n1,NA\n2,some\n3,null\n").await;
    assert_eq!(column.tally.0, [1, 1, 0, 0, 1]);
});

on_both!(more_classes_than_are_listed_share_a_place, async |mut world: World| {
    for classes in [LEVELS_LISTED, LEVELS_LISTED + 2] {
        let names: Vec<String> = (0..classes).map(|at| format!("c{at:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // The last but one is the rarest, the last is not there.
        let row = |(at, name): (usize, &&str)| match classes - at {
            1 => String::new(),
            2 => format!("1,{name}\n"),
            _other => format!("1,{name}\n2,{name}\n"),
        };
        let rows: String = names.iter().enumerate().map(row).collect();
        let column =
            predictions(&world, target("Multiclass", &names), &format!("a,Y\n{rows}")).await;
        let (listed, known) = listed(&column);
        assert_eq!(listed, names[..LEVELS_LISTED]);
        assert_eq!(known, names[LEVELS_LISTED..]);
        let mut counts = vec![2; LEVELS_LISTED];
        match classes {
            LEVELS_LISTED => {
                counts[LEVELS_LISTED - 2..].copy_from_slice(&[1, 0]);
                counts.extend([0, 0, 0]);
            }
            _more => counts.extend([1, 0, 0]),
        }
        assert_eq!(column.tally.0, counts);
        // It is the same when it is read again.
        world.restart().await;
        let known = world.registry.deployments().pop().unwrap();
        let again = known.baseline.as_ref().unwrap().predictions.as_ref().unwrap();
        assert_eq!((&again.bins, &again.tally), (&column.bins, &column.tally));
    }
});

on_both!(what_is_no_class_is_refused_with_its_line, async |world: World| {
    let package = world.external(target("Binary", &["no", "yes"])).await.unwrap();
    for (file, column, line) in [
        ("a,Y\n1,yes\n2,maybe\n", "\"Y\"", "line 3"),
        ("a,Y\n1,1\n", "\"Y\"", "line 2"),
        ("a,Y,prediction\n1,yes,no\n2,no,0.7\n", "\"prediction\"", "line 3"),
    ] {
        let error = world.registry.train_external(&package.id, file.as_bytes()).await.unwrap_err();
        assert!(matches!(&error, RegistryError::Training(TrainingFault::NotAClass { .. })));
        let text = error.to_string();
        for said in [column, line, "classNames", "\"no\", \"yes\""] {
            assert!(text.contains(said), "{text} does not say {said}");
        }
    }
    assert!(world.registry.package(&package.id).unwrap().baseline.is_none());
});

on_both!(a_baseline_of_before_is_read_by_the_names_of_the_classes, async |mut world: World| {
    let package = world.external(target("Binary", &["no", "yes"])).await.unwrap();
    let package = world.registry.train_external(&package.id, b"a,Y\n1,yes\n2,no\n").await.unwrap();
    world.deploy("d", &package.id).await.unwrap();
    for (predictions, counts) in [
        (
            json!({"categorical": {"missing": 1, "levels": [["yes", 5], ["rare", 2]], "other": 3}}),
            Some(vec![0, 5, 5, 0, 1]),
        ),
        // The classes were taken for numbers: which is which is not known any more.
        (
            json!({"numeric": {"missing": 0, "min": 0.0, "max": 1.0, "mean": 0.5, "std": 0.5, "counts": [1, 1]}}),
            None,
        ),
    ] {
        let mut body = serde_json::to_value(&*package).unwrap();
        body["baseline"]["predictions"] = predictions;
        sqlx::query("UPDATE packages SET body = $1")
            .bind(body.to_string())
            .execute(world.registry.store().pool())
            .await
            .unwrap();
        world.restart().await;
        let known = world.registry.deployment("d").unwrap();
        let column = known.baseline.as_ref().unwrap().predictions.as_ref();
        assert_eq!(column.map(|column| column.tally.0.clone()), counts);
    }
});

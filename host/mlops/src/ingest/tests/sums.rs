//! Sums are put into the bins that their rows would be in, also where numbers were counted as levels or levels as numbers.

use super::*;

on_both!(numbers_and_levels_fall_where_rows_fall, async |mut world: World| {
    world.change(|plan| {
        let levels = ["1", "2.5"].map(str::to_owned).to_vec();
        let features = vec![
            ("age".to_owned(), Bins::Numeric { min: 0.0, max: 100.0 }),
            ("code".to_owned(), Bins::Levels { listed: levels, known: vec!["3".to_owned()] }),
        ];
        plan.packages = vec![PackagePlan::new(1, "m", None, features, None)];
    });
    let rows = format!(
        "{{\"timestamp\":\"{}\",\"modelId\":\"m\",\"features\":[\
         {{\"name\":\"age\",\"values\":[15,\"15\",\"x\",250,null,15]}},\
         {{\"name\":\"code\",\"values\":[1,2.5,1,3,4,null]}}]}}",
        at(0)
    );
    assert_eq!(taken(&world.inputs(&[rows]).await), (1, 0, 0));
    let by_rows = world.total().await;
    let sum = format!(
        "{{\"timestamp\":\"{}\",\"modelId\":\"m\",\"features\":[\
         {{\"name\":\"age\",\"stats\":{{\"count\":5,\"missingCount\":1,\
         \"categories\":{{\"values\":[\"15\",\"250\",\"x\"],\"counts\":[3,1,1]}}}}}},\
         {{\"name\":\"code\",\"stats\":{{\"numericStats\":{{\"count\":5,\
         \"histogram\":{{\"centroids\":[1,2.5,3,4],\"counts\":[2,1,1,1]}}}},\"missingCount\":1}}}}]}}",
        at(0)
    );
    assert_eq!(taken(&world.stats(&[sum]).await), (1, 0, 0));
    let both = world.total().await;
    for (both, rows) in both.features.iter().zip(&by_rows.features) {
        let twice: Vec<u64> = rows.0.iter().map(|count| 2 * count).collect();
        assert_eq!(both.0, twice);
    }
    // A level that is listed, one that is not, and a new one.
    assert_eq!(by_rows.features[1].0, [2, 1, 1, 1, 1]);
});

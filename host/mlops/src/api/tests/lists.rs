//! Lists, part by part.

use super::*;

on_both!(a_list_is_read_part_by_part_and_searched, async |world: World| {
    let made = async |name: &str| {
        let given = json!({"name": name, "platform": "other", "supportedModelFormats": []});
        world.made("predictionEnvironments/", given).await
    };
    let (north, south, east) = (made("North").await, made("south").await, made("East").await);
    let mut found = Vec::new();
    let mut next = "predictionEnvironments/?limit=2".to_owned();
    loop {
        let (status, answer) = world.get(&next).await;
        assert_eq!((status, &answer["totalCount"]), (200, &json!(3)));
        found.extend(answer["data"].as_array().unwrap().iter().map(|it| it["id"].clone()));
        match answer["next"].as_str() {
            Some(address) => next = address.to_owned(),
            None => {
                let first =
                    "http://outpost.example/api/v2/predictionEnvironments/?offset=0&limit=2";
                assert_eq!(answer["previous"], first);
                break;
            }
        }
    }
    assert_eq!(found, [json!(north), json!(south), json!(east)]);
    let ids = async |query: &str| {
        let (_, answer) = world.get(&format!("predictionEnvironments/?{query}")).await;
        let data = answer["data"].as_array().unwrap().clone();
        data.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("search=TH").await, [&*north, &*south]);
    assert_eq!(ids(&format!("search={east}")).await, [&*east]);
    assert!(ids(&format!("search={}", &east[1..])).await.is_empty());
    assert_eq!(ids("limit=0").await.len(), 3);
    // What was searched for is searched for in the next part too.
    let (_, answer) = world.get("predictionEnvironments/?search=th&limit=1").await;
    let (_, answer) = world.get(answer["next"].as_str().unwrap()).await;
    assert_eq!((&answer["data"][0]["id"], &answer["next"]), (&json!(south), &Value::Null));
    assert_eq!(world.get("predictionEnvironments/?limit=10000").await.0, 200);
    let (status, answer) = world.get("predictionEnvironments/?limit=10001").await;
    assert_eq!(status, 422);
    let message = "`limit` must be at most 10000; 0 is as many as there may be";
    assert_eq!(answer["message"], message);
});

//! Files in and out.

use super::*;

on_both!(an_external_package_has_no_file_and_says_so, async |world: World| {
    world.deployment().await;
    let (_, list) = world.get("modelPackages/").await;
    let id = list["data"][0]["id"].as_str().unwrap();
    for (method, path) in [
        ("GET", format!("modelPackages/{id}/artifact/")),
        ("POST", format!("modelPackages/{id}/modelPackageFileBuilds/")),
        ("POST", format!("modelPackages/{id}/scoringCodeBuilds/")),
        ("GET", "deployments/d/scoringCode/".to_owned()),
        ("POST", "deployments/d/modelPackageFileBuilds/".to_owned()),
    ] {
        let (status, answer) = world.call(method, &path, "", "application/json").await;
        let words = format!("model package {id:?} is external: there is no file of it here");
        assert_eq!((status, answer["message"].as_str().unwrap()), (422, &*words), "{path}");
    }
});

on_both!(a_file_that_was_scored_is_noted_and_its_rows_are_not_counted, async |world: World| {
    world.deployment().await;
    let (status, made) = world.call("POST", "datasets/fromFile/", "a\n1\n", "text/csv").await;
    assert_eq!(status, 202);
    let scored = json!({"datasetId": made["catalogId"]});
    let path = "deployments/d/predictionInputs/fromDataset/";
    let (status, answer) = world.post(path, scored.clone()).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(0)));
    let (_, events) = world.get("deployments/d/events/").await;
    assert_eq!(events["data"][0]["eventType"], "scoringDataset");
    assert_eq!(events["data"][0]["event"]["datasetId"], made["catalogId"]);
    let (_, health) = world.get("deployments/d/health/").await;
    assert_eq!(health["usage"]["rows"], 0);
    let id = made["catalogId"].as_str().unwrap();
    for status in [204, 410] {
        let path = format!("datasets/{id}/");
        assert_eq!(world.call("DELETE", &path, "", "application/json").await.0, status);
    }
    assert_eq!(world.post(path, scored).await.0, 410);
});

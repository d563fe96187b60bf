//! Monitoring jobs.

use super::*;

fn job(more: Value) -> Value {
    let mut job = json!({
        "deploymentId": "d",
        "intakeSettings": {"type": "localFile"},
        "monitoringColumns": {"predictionsColumns": "p", "associationIdColumn": "id", "actualsValueColumn": "y"},
    });
    for (key, value) in more.as_object().unwrap() {
        job[key] = value.clone();
    }
    job
}

const ROWS: &str = "a,p,id,y\n1,2.0,q,3\n2,4.0,r,\n3,x,s,5\n";

impl World {
    async fn upload(&self, job: &str, text: &str) -> (u16, Value) {
        self.call("PUT", &format!("batchJobs/{job}/csvUpload/"), text, "text/csv").await
    }

    async fn job(&self, id: &str) -> Value {
        self.get(&format!("batchJobs/{id}/")).await.1
    }

    async fn counted(&self) -> (Value, Value) {
        let path = "deployments/d/predictionsVsActualsOverTime/";
        let summary = self.get(path).await.1["summary"].clone();
        (summary["rowCountTotal"].clone(), summary["rowCountWithActual"].clone())
    }
}

on_both!(a_jobs_file_is_counted_once_however_often_it_comes, async |world: World| {
    world.deployment().await;
    let id = world.made("batchMonitoring/", job(json!({"monitoringBatchPrefix": "night"}))).await;
    assert_eq!(world.job(&id).await["status"], "INITIALIZING");
    assert_eq!(world.upload(&id, ROWS).await.0, 202);
    let done = world.job(&id).await;
    assert_eq!((&done["status"], &done["percentageCompleted"]), (&json!("COMPLETED"), &json!(100)));
    assert_eq!((&done["scoredRows"], &done["failedRows"]), (&json!(2), &json!(1)));
    assert_eq!(done["statusDetails"], "line 4: \"p\" must be a number");
    assert_eq!(world.counted().await, (json!(2), json!(1)));
    let batch = done["batchId"].as_str().unwrap();
    let (_, batch) = world.get(&format!("deployments/d/monitoringBatches/{batch}/")).await;
    assert!(batch["batchName"].as_str().unwrap().starts_with("night "), "{batch}");
    assert_eq!((&batch["rowCount"], &batch["meanPredictedValue"]), (&json!(2), &json!(3.0)));
    assert_eq!(world.upload(&id, ROWS).await.0, 409);
    // A server that was killed before the end finds the job running.
    let registry = world.server.registry();
    let (_, stored) = registry.find_definition("monitoring job", &id).await.unwrap();
    let mut running = stored.body.clone();
    running["at"]["status"] = json!("RUNNING");
    assert!(registry.redefine(&id, &stored.body, &running).await.unwrap());
    assert_eq!(world.upload(&id, ROWS).await.0, 202);
    assert_eq!(world.job(&id).await["scoredRows"], 2);
    assert_eq!(world.counted().await, (json!(2), json!(1)));
});

on_both!(a_file_that_is_here_is_counted_at_once, async |world: World| {
    world.deployment().await;
    let (_, file) = world.call("POST", "datasets/fromFile/", ROWS, "text/csv").await;
    let intake = json!({"type": "dataset", "datasetId": file["catalogId"]});
    let id = world.made("batchMonitoring/", job(json!({"intakeSettings": intake}))).await;
    assert_eq!(world.job(&id).await["status"], "COMPLETED");
    assert_eq!(world.counted().await, (json!(2), json!(1)));
    let (_, list) = world.get("batchJobs/?search=D").await;
    assert_eq!(list["data"][0]["id"], json!(id));
});

on_both!(a_job_that_was_ended_takes_no_file, async |world: World| {
    world.deployment().await;
    let id = world.made("batchMonitoring/", job(json!({}))).await;
    let path = format!("batchJobs/{id}/");
    let (status, answer) = world.call("DELETE", &path, "", "application/json").await;
    assert_eq!((status, &answer["status"]), (202, &json!("ABORTED")));
    let (status, answer) = world.upload(&id, ROWS).await;
    assert_eq!(status, 409);
    assert!(answer["message"].as_str().unwrap().contains("was ended by a client"), "{answer}");
    assert_eq!(world.counted().await, (json!(0), json!(0)));
});

on_both!(a_job_that_cannot_be_done_says_why, async |world: World| {
    world.deployment().await;
    for (more, words) in [
        (json!({"intakeSettings": {"type": "s3"}}), "s3"),
        (json!({"monitoringColumns": {}}), "predictionsColumns"),
        (json!({"csvSettings": {"encoding": "latin-1"}}), "`csvSettings.encoding` must be utf-8"),
    ] {
        let message = world.refused("batchMonitoring/", job(more.clone())).await;
        assert!(message.contains(words), "{more}: {message}");
    }
    let (status, _) = world.post("batchMonitoring/", job(json!({"deploymentId": "none"}))).await;
    assert_eq!(status, 404);
    let id = world.made("batchMonitoring/", job(json!({}))).await;
    let (status, answer) = world.upload(&id, "a,b\n1,2\n").await;
    let words = "the file has no column \"p\", which monitoringColumns names";
    assert_eq!((status, answer["message"].as_str().unwrap()), (422, words));
    let failed = world.job(&id).await;
    assert_eq!((&failed["status"], &failed["statusDetails"]), (&json!("FAILED"), &json!(words)));
});

on_both!(a_job_that_is_ended_while_its_file_comes_stays_ended, async |world: World| {
    world.deployment().await;
    let columns = json!({"monitoringColumns": {"predictionsColumns": "p"}});
    let id = world.made("batchMonitoring/", job(columns)).await;
    let rows = format!("a,p\n{}", "1,2\n".repeat(200_000));
    let end = async {
        while world.job(&id).await["scoredRows"].as_u64().unwrap() == 0 {}
        let path = format!("batchJobs/{id}/");
        world.call("DELETE", &path, "", "application/json").await.1["status"].clone()
    };
    let ((status, answer), ended) = tokio::join!(world.upload(&id, &rows), end);
    // Unless all of it was counted when the call came.
    let (expected, done) = if ended == "ABORTED" { (409, false) } else { (202, true) };
    assert_eq!(status, expected, "{answer}");
    let after = world.job(&id).await;
    assert_eq!((&after["status"], after["scoredRows"] == 200_000), (&ended, done), "{after}");
});

//! What is left of a request in the outbox.

use std::borrow::Cow;

use record::{Outcome, Payload, PredictionRecord, Record, Values};

use spool::channel::Secret;

use crate::privacy::{PrivacyAction, PrivacyRule, PrivacySettings};

use super::harness::{CSV, JSON, Memory, Plan, Server, post};

fn read(bytes: &[u8]) -> (Record<'_>, PredictionRecord<'_>) {
    let record = Record::decode(bytes).unwrap();
    let Payload::Prediction(prediction) = record.payload.clone() else { panic!() };
    (record, prediction)
}

#[tokio::test]
async fn a_prediction_leaves_its_rows() {
    let server = Server::plain().await;
    let body = br#"[{"a":1,"c":"blue","associationId":"x"},{"b":2,"c":"red"}]"#;
    let request = String::from_utf8(post("/predict", JSON, body)).unwrap();
    server.send(request.replacen("host: x", "host: x\r\nx-request-id: r", 1)).await;
    let records = server.outbox.records.lock();
    assert_eq!(records.len(), 1);
    let (record, prediction) = read(&records[0]);
    assert_eq!((&*record.deployment_id, &*record.model_id), ("d1", "m1"));
    assert!(record.timestamp_us > 1_700_000_000_000_000);
    assert_eq!((&*prediction.request_id, prediction.status), ("r", 200));
    assert_eq!((prediction.outcome, prediction.predictions, prediction.part), (Outcome::Ok, 2, 0));
    let rows = prediction.rows.unwrap();
    assert_eq!(rows.predictions, Cow::Borrowed(&[-9.0, 4.0][..]));
    assert_eq!(rows.association_ids, ["x", "r-1"]);
    let names: Vec<_> = rows.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let Values::Numbers(a) = &rows.columns[0].values else { panic!("{rows:?}") };
    assert!(a[0] == 1.0 && a[1].is_nan());
    // As the caller wrote them, known or not.
    let Values::Texts(c) = &rows.columns[2].values else { panic!("{rows:?}") };
    assert_eq!(*c, [Some(Cow::Borrowed("blue")), Some(Cow::Borrowed("red"))]);
}

#[tokio::test]
async fn a_refused_request_leaves_a_record_without_rows() {
    let server = Plan::settings(|settings| settings.body_bytes = 10).start().await;
    server.get("/predict?a=x").await;
    server.get("/predict").await;
    server.post(CSV, "a\n1\n2\n3\n4\n5\n").await;
    server.post("text/plain", "a").await;
    let records = server.outbox.records.lock();
    let statuses: Vec<_> = records
        .iter()
        .map(|bytes| read(bytes).1)
        .inspect(|record| assert_eq!((record.outcome, &record.rows), (Outcome::UserError, &None)))
        .map(|record| record.status)
        .collect();
    assert_eq!(statuses, [400, 400, 413, 415]);
}

#[tokio::test]
async fn what_is_no_request_for_predictions_leaves_nothing() {
    let server = Server::plain().await;
    server.get("/healthz").await;
    server.get("/deployments/other/predict?a=1").await;
    server.send("PUT /predict HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(server.outbox.records.lock().is_empty());
}

#[tokio::test]
async fn many_rows_leave_parts_that_fit_and_miss_nothing() {
    let outbox = Memory { max_record_bytes: 2000, ..Memory::default() };
    let server = Plan { outbox, ..Plan::default() }.start().await;
    let lines: String = (0..300).map(|row| format!("{row},{}\n", "x".repeat(row % 50))).collect();
    server.post(CSV, format!("a,c\n{lines}")).await.predictions();
    let records = server.outbox.records.lock();
    let mut seen = Vec::new();
    for (part, bytes) in (0..).zip(records.iter()) {
        assert!(bytes.len() <= 2000, "{} bytes", bytes.len());
        let (_, prediction) = read(bytes);
        assert_eq!((prediction.part, prediction.predictions), (part, 300));
        let rows = prediction.rows.unwrap();
        let Values::Numbers(a) = &rows.columns[0].values else { panic!("{rows:?}") };
        assert_eq!((a.len(), rows.predictions.len()), (rows.association_ids.len(), a.len()));
        seen.extend_from_slice(a);
    }
    assert!(records.len() > 5);
    assert_eq!(seen, (0..300).map(f64::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_private_is_in_no_record_and_changes_no_answer() {
    let rule = |feature: &str, action| PrivacyRule { feature: feature.to_owned(), action };
    let mut plan = Plan::default();
    plan.deployment.privacy = PrivacySettings {
        rules: vec![
            rule("a", PrivacyAction::Width(10.0)),
            rule("b", PrivacyAction::Drop),
            rule("c", PrivacyAction::Hash),
        ],
        hash_association_ids: true,
        key: Some(Secret::new("0123456789abcdef")),
    };
    let private = plan.start().await;
    let plain = Server::plain().await;
    let body = r#"[{"a":27.5,"b":2,"c":"green","associationId":"visit-9"},{"b":3.25,"c":"blue"}]"#;
    let answer = private.post(JSON, body).await;
    assert_eq!(answer.predictions(), plain.post(JSON, body).await.predictions());
    assert_eq!(answer.json()["predictions"][0]["associationId"], "visit-9");
    let records = private.outbox.records.lock();
    let (_, prediction) = read(&records[0]);
    let rows = prediction.rows.unwrap();
    let names: Vec<_> = rows.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["a", "c"]);
    let Values::Texts(a) = &rows.columns[0].values else { panic!("{rows:?}") };
    assert_eq!(*a, [Some(Cow::Borrowed("[20,30)")), None]);
    let Values::Texts(c) = &rows.columns[1].values else { panic!("{rows:?}") };
    assert!(c.iter().all(|hash| hash.as_deref().unwrap().len() == 32) && c[0] != c[1], "{c:?}");
    assert!(rows.association_ids.iter().all(|id| id.len() == 32), "{rows:?}");
    for raw in ["green", "blue", "visit-9"] {
        let raw = raw.as_bytes();
        assert!(!records[0].windows(raw.len()).any(|bytes| bytes == raw), "{raw:?} is there");
    }
    for raw in [27.5f64, 3.25] {
        assert!(!records[0].windows(8).any(|bytes| bytes == raw.to_le_bytes()), "{raw} is there");
    }
}

#[tokio::test]
async fn private_rows_fit_into_their_records_too() {
    let outbox = Memory { max_record_bytes: 2000, ..Memory::default() };
    let mut plan = Plan { outbox, ..Plan::default() };
    let rule =
        |feature: &str| PrivacyRule { feature: feature.to_owned(), action: PrivacyAction::Hash };
    plan.deployment.privacy = PrivacySettings {
        rules: vec![rule("a"), rule("b"), rule("c")],
        hash_association_ids: true,
        key: Some(Secret::new("0123456789abcdef")),
    };
    let server = plan.start().await;
    let lines: String = (0..300).map(|row| format!("{row},1,x\n")).collect();
    server.post(CSV, format!("a,b,c\n{lines}")).await.predictions();
    let records = server.outbox.records.lock();
    let rows: usize = records
        .iter()
        .inspect(|bytes| assert!(bytes.len() <= 2000, "{} bytes", bytes.len()))
        .map(|bytes| read(bytes).1.rows.unwrap().predictions.len())
        .sum();
    assert_eq!(rows, 300);
}

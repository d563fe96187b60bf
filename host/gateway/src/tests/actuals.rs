//! Outcomes that become known: which are taken, what is left of them in the outbox, what is refused and how.

use std::sync::atomic::Ordering;

use record::{Actual, ActualValue, ActualsRecord, Payload, Record};
use spool::channel::Secret;

use crate::{
    privacy::PrivacySettings,
    settings::{
        ACTUAL_TEXT_CHARS, ASSOCIATION_ID_CHARS, INLINE_BODY_BYTES, RecordClass, UnknownNames,
    },
};

use super::harness::{CSV, FORM, JSON, Memory, Plan, Reply, Server, post};

impl Server {
    async fn tell(&self, content_type: &str, body: impl AsRef<[u8]>) -> Reply {
        self.send(post("/actuals", content_type, body.as_ref())).await
    }

    /// What the outbox has of actuals, all requests together.
    fn told(&self) -> Vec<Actual<'static>> {
        let records = self.outbox.records.lock();
        records.iter().flat_map(|bytes| actuals(bytes)).collect()
    }
}

fn read(bytes: &[u8]) -> (Record<'_>, ActualsRecord<'_>) {
    let record = Record::decode(bytes).unwrap();
    let Payload::Actuals(actuals) = record.payload.clone() else { panic!("{record:?}") };
    (record, actuals)
}

/// The actuals of one record, which outlive it.
fn actuals(bytes: &[u8]) -> Vec<Actual<'static>> {
    let own = |actual: Actual<'_>| Actual {
        association_id: actual.association_id.into_owned().into(),
        value: match actual.value {
            ActualValue::Number(number) => ActualValue::Number(number),
            ActualValue::Text(text) => ActualValue::Text(text.into_owned().into()),
        },
        ..actual
    };
    read(bytes).1.actuals.into_iter().map(own).collect()
}

fn number(id: &'static str, value: f64) -> Actual<'static> {
    Actual {
        association_id: id.into(),
        value: ActualValue::Number(value),
        acted_on: None,
        timestamp_us: None,
    }
}

fn text(id: &'static str, value: &'static str) -> Actual<'static> {
    Actual { value: ActualValue::Text(value.into()), ..number(id, 0.0) }
}

#[tokio::test]
async fn an_actual_is_answered_when_the_outbox_has_it() {
    let mut plan = Plan::default();
    plan.settings.name = Some("ward 3".to_owned());
    let server = plan.start().await;
    let request = post("/actuals", FORM, b"associationId=row-1&actualValue=151");
    let request = String::from_utf8(request).unwrap();
    let request = request.replacen("host: x", "host: x\r\nx-request-id: r", 1);
    let reply = server.send(request).await;
    assert_eq!((reply.status, &*reply.body), (200, r#"{"requestId":"r","accepted":1}"#));
    assert_eq!(reply.header("x-request-id"), Some("r"));
    let records = server.outbox.records.lock().clone();
    let (record, actuals) = read(&records[0]);
    assert_eq!((&*record.deployment_id, &*record.model_id), ("d1", "m1"));
    assert_eq!((record.model_digest, record.gateway.as_deref()), (None, Some("ward 3")));
    assert!(record.timestamp_us > 1_700_000_000_000_000);
    assert_eq!((&*actuals.request_id, actuals.part), ("r", 0));
    assert_eq!(actuals.actuals, [number("row-1", 151.0)]);
    assert_eq!(records.len(), 1);
    assert_eq!(server.metric("gateway_actuals_total").await, Some(1.0));
    let requests = r#"gateway_requests_total{route="actuals",status="200"}"#;
    assert_eq!(server.metric(requests).await, Some(1.0));
    // The record of a prediction has the name too.
    server.get("/predict?a=1").await.predictions();
    let records = server.outbox.records.lock();
    assert_eq!(Record::decode(&records[1]).unwrap().gateway.as_deref(), Some("ward 3"));
}

#[tokio::test]
async fn every_door_takes_the_same_actuals() {
    let wanted = [
        Actual {
            acted_on: Some(true),
            timestamp_us: Some(1_795_562_956_242_000),
            ..number("x", 1.5)
        },
        text("y", "green"),
    ];
    let rows = [
        (
            JSON,
            r#"[{"associationId":"x","actualValue":1.5,"timestamp":"2026-11-25T00:29:16.242+01:00","wasActedOn":true},
                {"association_id":"y","actual_value":"green","timestamp":null,"wasActedOn":null}]"#,
        ),
        (
            CSV,
            "was_acted_on,timestamp,actual_value,association_id\ntrue,2026-11-24 23:29:16.242+0000,1.5,x\n,,green,y\n",
        ),
        (
            JSON,
            r#"[{"associationId":"x","actualValue":15e-1,"timestamp":1795562956242,"wasActedOn":"True"},
                {"associationId":"y","actualValue":"green"}]"#,
        ),
    ];
    for (content_type, body) in rows {
        let server = Server::plain().await;
        let reply = server.send(post("/deployments/d1/actuals", content_type, body.as_bytes()));
        assert_eq!(reply.await.json()["accepted"], 2, "{body}");
        assert_eq!(server.told(), wanted, "{body}");
    }
    let server = Server::plain().await;
    server
        .tell(
            FORM,
            "associationId=x&actualValue=1.5&timestamp=2026-11-24T23:29:16.242%2B00:00&wasActedOn=TRUE",
        )
        .await;
    server
        .send("POST /actuals?associationId=y&actualValue=green HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert_eq!(server.told(), wanted);
}

#[tokio::test]
async fn json_tells_labels_from_numbers_and_text_doors_take_numbers_where_they_can() {
    let server = Server::plain().await;
    let body =
        r#"[{"associationId":"a","actualValue":"01"},{"associationId":7,"actualValue":true}]"#;
    server.tell(JSON, body).await;
    server.tell(CSV, "associationId,actualValue\nb,01\n").await;
    assert_eq!(server.told(), [text("a", "01"), text("7", "true"), number("b", 1.0)]);
}

/// Content type, body, problem, field, row, and a word of the detail.
type Refusal =
    (&'static str, String, &'static str, Option<&'static str>, Option<u32>, &'static str);

#[tokio::test]
async fn what_is_no_actual_is_refused_by_field_and_row_and_leaves_nothing() {
    let of = |rest: &str| format!("associationId=x&{rest}");
    let two = |second: &str| format!(r#"[{{"associationId":"x","actualValue":1}},{second}]"#);
    let id = "i".repeat(ASSOCIATION_ID_CHARS + 1);
    let label = "l".repeat(ACTUAL_TEXT_CHARS + 1);
    let cases: [Refusal; 28] = [
        (FORM, "actualValue=1".into(), "bad-row", Some("associationId"), None, "is missing"),
        (FORM, of("actualValue="), "bad-row", Some("actualValue"), None, "is missing"),
        (FORM, of("actualValue=null"), "bad-row", Some("actualValue"), None, "is missing"),
        (FORM, of("actualValue=NaN"), "bad-value", Some("actualValue"), None, "no outcome"),
        (FORM, of("actualValue=-Infinity"), "bad-value", Some("actualValue"), None, "no outcome"),
        (FORM, of("actualValue=1e999"), "bad-value", Some("actualValue"), None, "too large"),
        (
            FORM,
            of("actualValue=1&actual_value=2"),
            "duplicate-name",
            Some("actualValue"),
            None,
            "more than once",
        ),
        (
            FORM,
            of("actualValue=1&age=2"),
            "unknown-name",
            Some("age"),
            None,
            "no field of an actual",
        ),
        (
            FORM,
            of("actualValue=1&timestamp=yesterday"),
            "bad-value",
            Some("timestamp"),
            None,
            "no point in time",
        ),
        (
            FORM,
            of("actualValue=1&timestamp=2026-11-24T23:29:16"),
            "bad-value",
            Some("timestamp"),
            None,
            "offset",
        ),
        (
            FORM,
            of("actualValue=1&wasActedOn=1"),
            "bad-value",
            Some("wasActedOn"),
            None,
            "true or false",
        ),
        (
            FORM,
            format!("associationId={id}&actualValue=1"),
            "bad-value",
            Some("associationId"),
            None,
            "128",
        ),
        (FORM, of(&format!("actualValue={label}")), "bad-value", Some("actualValue"), None, "256"),
        (FORM, of("actualValue=%zz"), "bad-body", Some("actualValue"), None, "escape"),
        (FORM, "{}".into(), "bad-body", None, None, "looks like JSON"),
        (JSON, two("{}"), "bad-row", Some("associationId"), Some(1), "row 1"),
        (
            JSON,
            two(r#"{"associationId":"y"}"#),
            "bad-row",
            Some("actualValue"),
            Some(1),
            "is missing",
        ),
        (
            JSON,
            two(r#"{"associationId":"y","actualValue":"inf"}"#),
            "bad-value",
            Some("actualValue"),
            Some(1),
            "no outcome",
        ),
        (
            JSON,
            two(r#"{"associationId":"y","actualValue":[1]}"#),
            "bad-value",
            Some("actualValue"),
            Some(1),
            "array",
        ),
        (
            JSON,
            two(r#"{"associationId":true,"actualValue":1}"#),
            "bad-value",
            Some("associationId"),
            Some(1),
            "text",
        ),
        (
            JSON,
            two(r#"{"associationId":"y","actualValue":1,"timestamp":1e300}"#),
            "bad-value",
            Some("timestamp"),
            Some(1),
            "no point",
        ),
        (
            JSON,
            two(r#"{"associationId":"x","actualValue":2}"#),
            "bad-row",
            Some("associationId"),
            Some(1),
            "earlier row",
        ),
        (JSON, "[]".into(), "no-actuals", None, None, "no actuals"),
        (JSON, "3".into(), "bad-body", None, None, "array of objects"),
        (
            CSV,
            "associationId,actualValue\nx,1\ny,nan\n".into(),
            "bad-value",
            Some("actualValue"),
            Some(1),
            "no outcome",
        ),
        (
            CSV,
            "associationId,association_id\nx,1\n".into(),
            "duplicate-name",
            Some("association_id"),
            None,
            "once",
        ),
        (CSV, "associationId,actualValue\nx\n".into(), "bad-row", None, None, "line 2"),
        ("text/plain", "x".into(), "unsupported-media-type", None, None, "text/csv"),
    ];
    let server = Server::plain().await;
    for (content_type, body, problem, field, row, word) in &cases {
        let reply = server.tell(content_type, body).await;
        assert_eq!(reply.problem(), *problem, "{body}: {reply:?}");
        let json = reply.json();
        assert_eq!(json["field"].as_str(), *field, "{body}: {reply:?}");
        assert_eq!(json["row"].as_u64(), row.map(u64::from), "{body}: {reply:?}");
        assert!(reply.detail().contains(word), "{body}: {reply:?}");
    }
    assert_eq!(server.told(), []);
    assert!(server.metric(r#"gateway_refused_total{reason="no-actuals"}"#).await > Some(0.0));
}

#[tokio::test]
async fn what_is_at_a_limit_is_taken() {
    let server = Plan::settings(|settings| settings.rows = 2).start().await;
    let (id, label) = ("ü".repeat(ASSOCIATION_ID_CHARS), "ü".repeat(ACTUAL_TEXT_CHARS));
    let body = format!("associationId,actualValue\n{id},{label}\ny,1\n");
    assert_eq!(server.tell(CSV, &body).await.status, 200);
    assert_eq!(server.told().len(), 2);
    let reply = server.tell(CSV, body + "z,1\n").await;
    assert_eq!((reply.status, reply.problem()), (413, "too-many-rows".to_owned()));
}

#[tokio::test]
async fn paths_and_methods_are_those_of_predictions_but_only_post() {
    let server = Server::plain().await;
    let target = "/actuals?associationId=x&actualValue=1";
    let reply = server.get(target).await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    assert_eq!(server.send(post("/deployments/none/actuals", FORM, b"a=1")).await.status, 404);
    assert_eq!(server.send(post("/deployments//actuals", FORM, b"a=1")).await.status, 404);
    assert_eq!(
        server.send("POST /actuals HTTP/1.1\r\nhost: x\r\n\r\n").await.problem(),
        "no-actuals"
    );
    assert_eq!(server.told(), []);
}

#[tokio::test]
async fn names_follow_the_deployment() {
    let mut plan = Plan::default();
    plan.deployment.unknown_names = UnknownNames::Ignore;
    plan.deployment.association_id_column = "visit".to_owned();
    let server = plan.start().await;
    server.tell(CSV, "visit,actualValue,ward\nx,1,3\n").await;
    server.tell(FORM, "association_id=y&actualValue=1&ward=3").await;
    assert_eq!(server.told(), [number("x", 1.0), number("y", 1.0)]);
    assert_eq!(server.metric("gateway_unknown_fields_total").await, Some(2.0));
}

#[tokio::test]
async fn a_private_association_id_is_hashed_as_that_of_the_prediction() {
    let mut plan = Plan::default();
    plan.deployment.privacy = PrivacySettings {
        hash_association_ids: true,
        key: Some(Secret::new("0123456789abcdef")),
        ..PrivacySettings::default()
    };
    let server = plan.start().await;
    for id in ["visit-9", "7"] {
        server.get(&format!("/predict?a=1&associationId={id}")).await.predictions();
    }
    let told = server.tell(
        JSON,
        r#"[{"associationId":"visit-9","actualValue":4},{"associationId":7,"actualValue":4}]"#,
    );
    let mut predicted = Vec::new();
    assert_eq!(told.await.status, 200);
    let records = server.outbox.records.lock();
    for bytes in &records[..2] {
        let Payload::Prediction(prediction) = Record::decode(bytes).unwrap().payload else {
            panic!()
        };
        predicted.push(prediction.rows.unwrap().association_ids[0].to_string());
    }
    let ids: Vec<_> =
        actuals(&records[2]).into_iter().map(|it| it.association_id.into_owned()).collect();
    assert_eq!(ids, predicted);
    assert!(ids.iter().all(|id| id.len() == 32), "{ids:?}");
}

#[tokio::test]
async fn an_actual_that_is_not_on_disk_is_not_acknowledged() {
    for stuck in [false, true] {
        let mut plan = Plan::settings(|settings| {
            settings.durable_time = std::time::Duration::from_millis(20);
        });
        // Whatever the predictions do.
        plan.deployment.record_class = RecordClass::Observe;
        let server = plan.start().await;
        let flag = if stuck { &server.outbox.stuck } else { &server.outbox.full };
        flag.store(true, Ordering::SeqCst);
        let reply = server.tell(FORM, "associationId=x&actualValue=1").await;
        assert_eq!((reply.status, reply.problem()), (503, "not-durable".to_owned()));
        flag.store(false, Ordering::SeqCst);
        assert_eq!(server.tell(FORM, "associationId=x&actualValue=1").await.status, 200);
    }
}

#[tokio::test]
async fn many_actuals_leave_parts_that_fit_and_miss_nothing() {
    let outbox = Memory { max_record_bytes: 2000, ..Memory::default() };
    let server = Plan { outbox, ..Plan::default() }.start().await;
    let body: String = (0..900)
        .map(|row| {
            let value = if row % 2 == 0 { "l".repeat(row % 200 + 1) } else { row.to_string() };
            format!("visit-number-{row},{value}\n")
        })
        .collect();
    assert!(body.len() > INLINE_BODY_BYTES, "not on the request's own thread");
    let reply = server.tell(CSV, format!("associationId,actualValue\n{body}")).await;
    assert_eq!(reply.json()["accepted"], 900);
    let records = server.outbox.records.lock().clone();
    for (part, bytes) in (0..).zip(&records) {
        assert!(bytes.len() <= 2000, "{} bytes", bytes.len());
        assert_eq!(read(bytes).1.part, part);
    }
    let ids = server.told().into_iter().map(|actual| actual.association_id.into_owned());
    assert!(ids.eq((0..900).map(|row| format!("visit-number-{row}"))));
    assert!(records.len() > 5);
}

//! What comes back when all is well.

use super::harness::{CSV, FORM, JSON, Plan, Server, post};
use crate::settings::UnknownNames;

#[tokio::test]
async fn the_demo_works_through_every_door() {
    let server = Server::plain().await;
    let want = [34.5];
    assert_eq!(server.get("/predict?a=30&b=-2.75&c=green").await.predictions(), want);
    let get = "GET /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 18\r\n\r\nc=green&b=-2.75&a=3e1";
    let get = get.replace("length: 18", "length: 21");
    assert_eq!(server.send(get).await.predictions(), want);
    assert_eq!(server.post(FORM, "a=30.0&b=-2.75&c=green").await.predictions(), want);
    assert_eq!(server.post(JSON, r#"{"c":"green","a":30,"b":-2.75}"#).await.predictions(), want);
    assert_eq!(
        server.post(JSON, r#"[{"c":"green","a":30,"b":-2.75},{"a":1}]"#).await.predictions(),
        [34.5, 1.0]
    );
    assert_eq!(server.post(CSV, "b,c,a\n-2.75,green,30\n,,1\n").await.predictions(), [34.5, 1.0]);
    assert_eq!(
        server.send(post("/deployments/d1/predict", FORM, b"a=1")).await.predictions(),
        [1.0]
    );
    assert_eq!(server.send(post("/predict?a=1", FORM, b"")).await.predictions(), [1.0]);
}

#[tokio::test]
async fn the_answer_has_this_form() {
    let server = Server::plain().await;
    let request = "GET /predict?a=0.1&b=0.1 HTTP/1.1\r\nhost: x\r\nX-Request-Id: my-id\r\n\r\n";
    let reply = server.send(request).await;
    assert_eq!(
        reply.body,
        r#"{"requestId":"my-id","target":"Y","predictions":[{"rowId":0,"associationId":"my-id","prediction":0.30000000000000004}]}"#
    );
    assert_eq!(reply.header("x-request-id"), Some("my-id"));
    assert_eq!(reply.header("x-model-digest"), Some("sha256:00"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn rows_carry_their_own_association_id_or_one_of_the_request() {
    let server = Server::plain().await;
    let body = r#"[{"a":1,"associationId":"x\"ä"},{"a":2},{"a":3,"associationId":7}]"#;
    let request = String::from_utf8(post("/predict", JSON, body.as_bytes())).unwrap();
    let reply = server.send(request.replacen("host: x", "host: x\r\nx-request-id: r", 1)).await;
    let rows = reply.json()["predictions"].clone();
    let ids: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["associationId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["x\"ä", "r-1", "7"]);
}

#[tokio::test]
async fn our_request_ids_are_unique() {
    let server = Server::plain().await;
    let mut client = server.connect().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..25 {
        client.write("GET /predict?a=1 HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let reply = client.reply().await;
        assert!(seen.insert(reply.header("x-request-id").unwrap().to_owned()));
    }
}

#[tokio::test]
async fn a_request_id_that_cannot_be_echoed_is_refused() {
    let server = Server::plain().await;
    let request = |ids: &str| format!("GET /predict?a=1 HTTP/1.1\r\nhost: x\r\n{ids}\r\n");
    let longest = "x".repeat(128);
    let reply = server.send(request(&format!("x-request-id: {longest}\r\n"))).await;
    assert_eq!((reply.status, reply.header("x-request-id")), (200, Some(&*longest)));
    for ids in [
        format!("x-request-id: {longest}x\r\n"),
        "x-request-id: a b\r\n".to_owned(),
        "x-request-id: ä\r\n".to_owned(),
        "x-request-id:\r\n".to_owned(),
        "x-request-id: a\r\nx-request-id: b\r\n".to_owned(),
    ] {
        let reply = server.send(request(&ids)).await;
        assert_eq!((reply.status, reply.problem()), (400, "bad-request-id".to_owned()), "{ids}");
    }
}

#[tokio::test]
async fn a_request_id_too_long_for_several_rows_says_so() {
    let server = Server::plain().await;
    let request = |length: usize| {
        let id = "x".repeat(length);
        let request = String::from_utf8(post("/predict", CSV, b"a\n1\n2\n")).unwrap();
        request.replacen("host: x", &format!("host: x\r\nx-request-id: {id}"), 1)
    };
    assert_eq!(server.send(request(126)).await.status, 200);
    let reply = server.send(request(127)).await;
    assert_eq!(reply.status, 400);
    assert!(reply.detail().contains("X-Request-Id"), "{reply:?}");
}

#[tokio::test]
async fn unknown_names_can_be_ignored_and_are_counted() {
    let mut plan = Plan::default();
    plan.deployment.unknown_names = UnknownNames::Ignore;
    let server = plan.start().await;
    assert_eq!(server.post(FORM, "a=1&x=2&y=3").await.predictions(), [1.0]);
    assert_eq!(server.metric("gateway_unknown_fields_total").await, Some(2.0));
}

#[tokio::test]
async fn health_readiness_and_index() {
    let server = Server::plain().await;
    assert_eq!(server.get("/healthz").await.json()["status"], "ok");
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["ready"].as_bool()), (200, Some(true)));
    assert_eq!(server.get("/").await.json()["default"], "d1");
    let mut client = server.connect().await;
    client.write("HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let head = client.rest().await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let server = Server::plain().await;
    server.get("/predict?a=1").await;
    server.post(CSV, "a\n1\n2\n").await;
    server.get("/predict?a=x").await;
    let reply = server.get("/metrics").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in reply.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("gateway_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    for line in [
        r#"gateway_requests_total{route="predict",status="200"} 2"#,
        r#"gateway_requests_total{route="predict",status="400"} 1"#,
        r#"gateway_refused_total{reason="bad-value"} 1"#,
        "gateway_rows_total 3",
        r#"gateway_request_seconds_bucket{le="+Inf"} 3"#,
        "gateway_request_seconds_count 3",
        "gateway_connections 1",
        "gateway_inflight 0",
    ] {
        assert!(reply.body.lines().any(|found| found == line), "{line} is not in\n{}", reply.body);
    }
    assert!(reply.body.contains("gateway_build_info{"), "{}", reply.body);
}

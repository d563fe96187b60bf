//! Everything that is refused: with which status, and with which words.

use super::harness::{CSV, FORM, JSON, Plan, Server, post};

/// Content type, body, problem, field, row, and a piece of the detail.
type Case =
    (&'static str, &'static str, &'static str, Option<&'static str>, Option<u64>, &'static str);

const CASES: &[Case] = &[
    // Values.
    (FORM, "a=abc", "bad-value", Some("a"), None, "\"abc\" is not a number"),
    (FORM, "a=NaN", "bad-value", Some("a"), None, "\"NaN\" is not a number"),
    (FORM, "a=Infinity", "bad-value", Some("a"), None, "is not a number"),
    (FORM, "a=0x1E", "bad-value", Some("a"), None, "is not a number"),
    (FORM, "a=1_000", "bad-value", Some("a"), None, "is not a number"),
    (FORM, "a=true", "bad-value", Some("a"), None, "is not a number"),
    (FORM, "a=1e999", "bad-value", Some("a"), None, "too large"),
    (JSON, r#"{"a":"30"}"#, "bad-value", Some("a"), None, "is a string where a number belongs"),
    (JSON, r#"{"a":true}"#, "bad-value", Some("a"), None, "is not a number"),
    (JSON, r#"{"a":NaN}"#, "bad-body", Some("a"), None, "line 1 column"),
    (JSON, r#"{"a":Infinity}"#, "bad-body", Some("a"), None, "line 1 column"),
    (JSON, r#"{"a":1e999}"#, "bad-body", Some("a"), None, "out of range"),
    (JSON, r#"{"a":0x1E}"#, "bad-body", None, None, "line 1 column"),
    (JSON, r#"{"a":[1]}"#, "bad-value", Some("a"), None, "an object or an array"),
    (JSON, r#"{"c":{"d":1}}"#, "bad-value", Some("c"), None, "an object or an array"),
    (JSON, r#"{"a":1,"associationId":true}"#, "bad-value", Some("associationId"), None, "string"),
    (JSON, r#"[{"a":1},{"a":"x"}]"#, "bad-value", Some("a"), Some(1), "in row 1"),
    (CSV, "a,b\n1,2\n3,x\n", "bad-value", Some("b"), Some(1), "in row 1"),
    // Names.
    (FORM, "a=1&d=2", "unknown-name", Some("d"), None, "not a feature"),
    (FORM, "A=1", "unknown-name", Some("A"), None, "names are exact"),
    (JSON, r#"[{"a":1},{"d":1}]"#, "unknown-name", Some("d"), Some(1), "in row 1"),
    (CSV, "a,d\n1,2\n", "unknown-name", Some("d"), None, "not a feature"),
    (FORM, "a=1&b=2&a=1", "duplicate-name", Some("a"), None, "more than once"),
    (JSON, r#"{"a":1,"a":1}"#, "duplicate-name", Some("a"), None, "more than once"),
    (CSV, "a,b,a\n1,2,3\n", "duplicate-name", Some("a"), None, "more than once"),
    (
        JSON,
        r#"{"associationId":"x","a":1,"associationId":"x"}"#,
        "duplicate-name",
        Some("associationId"),
        None,
        "",
    ),
    // Nothing.
    (FORM, "associationId=x", "no-features", None, None, "no feature"),
    (FORM, "&&", "no-features", None, None, "no feature"),
    (JSON, "{}", "no-features", None, None, "no feature"),
    (JSON, "[]", "no-features", None, None, "no rows"),
    (JSON, r#"[{"a":1},{}]"#, "no-features", None, Some(1), "row 1"),
    (CSV, "a,b\n", "no-features", None, None, "no rows"),
    (CSV, "associationId\nx\n", "no-features", None, Some(0), "no feature"),
    // Syntax.
    (FORM, r#" {"a":1}"#, "bad-body", None, None, "Content-Type: application/json"),
    (FORM, "c=%zz", "bad-body", Some("c"), None, "% escape"),
    (FORM, "c=%F", "bad-body", Some("c"), None, "% escape"),
    (FORM, "c=%FF", "bad-body", Some("c"), None, "UTF-8"),
    (JSON, "a=1", "bad-body", None, None, "line 1 column"),
    (JSON, "3", "bad-body", None, None, "an object (one row)"),
    (JSON, r#""abc""#, "bad-body", None, None, "an object (one row)"),
    (JSON, "[1]", "bad-body", None, None, "an object (one row)"),
    (JSON, r#"{"a":1} x"#, "bad-body", None, None, "trailing"),
    (JSON, r#"{"a":1"#, "bad-body", None, None, "EOF"),
    (
        CSV,
        "a,b\n1,2\n3\n",
        "bad-row",
        None,
        None,
        "line 3 of the CSV has 1 fields, the header has 2",
    ),
];

#[tokio::test]
async fn every_mistake_is_named() {
    let server = Server::plain().await;
    for (content_type, body, problem, field, row, detail) in CASES {
        let reply = server.post(content_type, body).await;
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        let json = reply.json();
        assert_eq!(reply.problem(), *problem, "{body}: {reply:?}");
        assert_eq!(json["field"].as_str(), *field, "{body}: {reply:?}");
        assert_eq!(json["row"].as_u64(), *row, "{body}: {reply:?}");
        assert!(reply.detail().contains(detail), "{body}: {reply:?}");
    }
    // One record each, none of them with rows.
    assert_eq!(server.outbox.records.lock().len(), CASES.len());
}

#[tokio::test]
async fn long_values_are_cut_and_control_characters_escaped() {
    let server = Server::plain().await;
    let reply = server.post(FORM, format!("a={}%0A", "x".repeat(500))).await;
    assert!(reply.detail().contains(&format!("\"{}…\"", "x".repeat(40))), "{reply:?}");
    let reply = server.post(FORM, "a=%0A").await;
    assert!(reply.detail().contains(r#""\n" is not a number"#), "{reply:?}");
}

#[tokio::test]
async fn utf8_is_checked_in_every_door() {
    let server = Server::plain().await;
    for (content_type, body) in [
        (FORM, &b"c=\xff"[..]),
        (JSON, &b"{\"c\":\"\xff\"}"[..]),
        (CSV, &b"a,c\n1,\xff\n"[..]),
        (CSV, &b"a,\xff\n1,2\n"[..]),
    ] {
        let reply = server.post(content_type, body).await;
        assert_eq!((reply.status, reply.problem()), (400, "bad-body".to_owned()), "{reply:?}");
    }
}

#[tokio::test]
async fn a_deep_document_is_refused_and_costs_nothing() {
    let server = Server::plain().await;
    let deep = format!(r#"{{"a":{}"#, "[".repeat(100_000));
    let reply = server.post(JSON, deep).await;
    assert_eq!((reply.status, reply.problem()), (400, "bad-value".to_owned()));
}

#[tokio::test]
async fn a_get_whose_body_got_lost_is_no_prediction() {
    let server = Server::plain().await;
    let reply = server.get("/predict").await;
    assert_eq!((reply.status, reply.problem()), (400, "no-features".to_owned()));
    assert!(reply.detail().contains("dropped"), "{reply:?}");
    let with_type = format!("GET /predict? HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\n\r\n");
    assert_eq!(server.send(with_type).await.status, 400);
    assert_eq!(server.post(FORM, "").await.problem(), "no-features");
}

#[tokio::test]
async fn rows_come_in_the_query_or_in_the_body() {
    let server = Server::plain().await;
    let reply = server.send(post("/predict?a=1", FORM, b"b=2")).await;
    assert_eq!((reply.status, reply.problem()), (400, "bad-body".to_owned()));
    let chunked =
        "POST /predict?a=1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(server.send(chunked).await.predictions(), [1.0]);
}

#[tokio::test]
async fn only_the_doors_media_types_are_taken() {
    let server = Server::plain().await;
    for content_type in [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "text/csv; charset=latin1",
    ] {
        let reply = server.post(content_type, "a=1").await;
        assert_eq!((reply.status, reply.problem()), (415, "unsupported-media-type".to_owned()));
    }
    let none = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\na=1";
    assert!(server.send(none).await.detail().contains("no Content-Type"));
    let zipped = format!(
        "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\na=1"
    );
    assert_eq!(server.send(zipped).await.status, 415);
    for content_type in ["TEXT/CSV; header=present; charset=\"UTF-8\"", "text/csv"] {
        assert_eq!(server.post(content_type, "a\n1\n").await.predictions(), [1.0]);
    }
}

#[tokio::test]
async fn paths_and_methods() {
    let server = Server::plain().await;
    for path in [
        "/nothing",
        "/predict/",
        "/deployments/d1",
        "/deployments//predict",
        "/deployments/d1/x/predict",
    ] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    assert!(server.get("/deployments/other/predict?a=1").await.detail().contains("deployment"));
    let reply = server.send("DELETE /predict HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, POST")));
    let reply = server.send("POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn the_body_limit_is_exact_announced_or_not() {
    let server = Plan::settings(|settings| settings.body_bytes = 10).start().await;
    assert_eq!(server.post(FORM, "a=12345678").await.predictions(), [12345678.0]);
    let reply = server.post(FORM, "a=123456789").await;
    assert_eq!((reply.status, reply.problem()), (413, "too-large".to_owned()));
    let chunked = |body: &str| {
        let half = body.len() / 2;
        format!(
            "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n\
             {:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            half,
            &body[..half],
            body.len() - half,
            &body[half..]
        )
    };
    assert_eq!(server.send(chunked("a=12345678")).await.predictions(), [12345678.0]);
    assert_eq!(server.send(chunked("a=123456789")).await.status, 413);
    // Said before the body is sent.
    let mut client = server.connect().await;
    client.write(format!("POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ncontent-length: 11\r\n\r\n")).await;
    assert_eq!(client.reply().await.status, 413);
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_still_sees_why() {
    let server = Plan::settings(|settings| settings.body_bytes = 1000).start().await;
    let reply = server.post(FORM, vec![b'x'; 16 << 20]).await;
    assert_eq!((reply.status, reply.problem()), (413, "too-large".to_owned()));
}

#[tokio::test]
async fn the_row_limit_is_a_413() {
    let server = Plan::settings(|settings| settings.rows = 2).start().await;
    assert_eq!(server.post(CSV, "a\n1\n2\n").await.predictions(), [1.0, 2.0]);
    let reply = server.post(CSV, "a\n1\n2\n3\n").await;
    assert_eq!((reply.status, reply.problem()), (413, "too-many-rows".to_owned()));
}

#[tokio::test]
async fn the_header_limit_is_a_431() {
    let server = Plan::settings(|settings| settings.header_bytes = 1024).start().await;
    let request = |fill: usize| {
        format!("GET /predict?a=1 HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(fill))
    };
    let empty = request(0).len();
    assert_eq!(server.send(request(1024 - empty)).await.status, 200);
    let mut client = server.connect().await;
    client.write(request(1025 - empty)).await;
    assert!(client.rest().await.starts_with("HTTP/1.1 431 "));
}

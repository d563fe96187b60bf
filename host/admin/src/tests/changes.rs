//! What becomes of each request: the call of the fleet, and what is told of it.

use std::io::ErrorKind;
use std::sync::mpsc;

use gateway::fleet::ChangeError;

use super::harness::{PACKAGE, TOKENS, TestRoom, wait_until};
use crate::act::JSON_BYTES_MAX;

const WASM: &str = "Content-Type: application/wasm";

/// A request, more of its head, its body; the status and a word of the answer.
type Refused<'a> = (String, &'a [&'a str], &'a [u8], u16, &'a str);

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[test]
fn each_change_reaches_the_fleet_with_its_name() {
    let room = TestRoom::on_socket();
    let by = format!("by uid:{}", uid());
    let size = PACKAGE.len();
    let one = "/api/v1/deployments/a%20b";
    let pushes = [
        (
            format!("POST {one}/deploy"),
            vec![WASM],
            format!("push a b Champion {size} None false {by}"),
        ),
        (
            format!("POST {one}/deploy?canary=0.05&force=true"),
            vec![WASM, "X-Outpost-Signature: AQID"],
            format!("push a b Canary(0.05) {size} Some([1, 2, 3]) true {by}"),
        ),
        (
            format!("PUT {one}/challengers/trees"),
            vec!["Content-Type: Application/WASM"],
            format!("push a b Challenger(\"trees\") {size} None false {by}"),
        ),
    ];
    for (request, head, said) in pushes {
        let reply = room.send(&request, &head, PACKAGE);
        assert_eq!(reply.status, 200, "{request}: {reply:?}");
        assert_eq!(room.fleet.said(), [said]);
        let change: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(
            (change["action"].as_str(), change["to"].as_str()),
            (Some("deploy"), Some("sha256:00"))
        );
    }
    let others = [
        (format!("POST {one}/promote"), "", "promote a b None false"),
        (
            format!("POST {one}/promote"),
            r#"{"challenger":"t","force":true}"#,
            "promote a b Some(\"t\") true",
        ),
        (format!("POST {one}/rollback"), "", "rollback a b"),
        (format!("PUT {one}/canary"), r#"{"share":0.5}"#, "share a b 0.5"),
        (format!("DELETE {one}/canary"), "", "abort a b"),
        (format!("DELETE {one}/challengers/t"), "", "unchallenge a b t"),
        (format!("DELETE {one}"), "", "remove a b"),
        (format!("POST {one}/drain"), "", "drain Some(\"a b\")"),
        (format!("POST {one}/resume"), "", "resume Some(\"a b\")"),
        ("POST /api/v1/drain".into(), "", "drain None"),
        ("POST /api/v1/resume".into(), "", "resume None"),
        ("PUT /api/v1/default".into(), r#"{"deployment":"a b"}"#, "default a b"),
        ("PUT /api/v1/log".into(), r#"{"filter":"debug"}"#, "note log-level true Some(\"debug\")"),
    ];
    for (request, body, said) in others {
        let reply = if body.is_empty() {
            room.send(&request, &[], b"")
        } else {
            room.send_json(&request, body)
        };
        assert_eq!(reply.status, 200, "{request}: {reply:?}");
        assert_eq!(room.fleet.said(), [format!("{said} {by}")]);
    }
}

#[test]
fn what_does_not_fit_is_named_and_does_nothing() {
    let room = TestRoom::on_socket();
    let one = "/api/v1/deployments/d";
    let json = "Content-Type: application/json";
    let cases: [Refused; 14] = [
        (format!("POST {one}/deploy"), &[], PACKAGE, 415, "application/wasm"),
        (format!("POST {one}/deploy"), &[json], PACKAGE, 415, "application/wasm"),
        (format!("POST {one}/deploy"), &[WASM], b"\0asm", 422, "package"),
        (format!("POST {one}/deploy"), &[WASM], b"", 422, "package"),
        (format!("POST {one}/deploy?canary=2"), &[WASM], PACKAGE, 400, "canary"),
        (format!("POST {one}/deploy?forse=true"), &[WASM], PACKAGE, 400, "forse"),
        (format!("PUT {one}/challengers/t?canary=0.1"), &[WASM], PACKAGE, 400, "canary"),
        (format!("POST {one}/deploy"), &[WASM, "X-Outpost-Signature: %%"], PACKAGE, 400, "base64"),
        (format!("PUT {one}/canary"), &[json], b"{\"share\":1}", 400, "share"),
        (format!("PUT {one}/canary"), &[json], b"{\"shar\":0.5}", 400, "shar"),
        (format!("PUT {one}/canary"), &[], b"{\"share\":0.5}", 415, "application/json"),
        (format!("POST {one}/promote"), &[json], b"{\"chalenger\":\"t\"}", 400, "chalenger"),
        ("PUT /api/v1/log".into(), &[json], b"[]", 400, "body"),
        ("GET /api/v1/events?of=d".into(), &[], b"", 400, "deployment"),
    ];
    for (request, head, body, status, word) in cases {
        let reply = room.send(&request, head, body);
        assert_eq!(reply.problem().0, status, "{request}: {reply:?}");
        assert!(reply.detail().contains(word), "{request}: {reply:?}");
    }
    assert_eq!(room.fleet.said(), [""; 0]);
    let reply = room.send("PATCH /api/v1/log", &[], b"");
    reply.is(405, "method-not-allowed");
    assert!(reply.head.contains("allow: put\r\n"), "{reply:?}");
    room.send("GET /api/v1/deployments/d", &[], b"").is(404, "not-found");
    room.send("GET /api/v2/status", &[], b"").is(404, "not-found");
}

#[test]
fn a_wrong_log_filter_leaves_a_line_too() {
    let room = TestRoom::on_socket();
    let reply = room.send_json("PUT /api/v1/log", r#"{"filter":"wrong"}"#);
    reply.is(400, "invalid");
    assert!(reply.detail().contains("not a level"), "{reply:?}");
    assert_eq!(
        room.fleet.said(),
        [format!("note log-level false Some(\"wrong\") by uid:{}", uid())]
    );
}

#[test]
fn a_change_that_is_refused_says_whose_fault_it_is() {
    let room = TestRoom::on_socket();
    let cases = [
        (ChangeError::NoDeployment("d".into()), 404, "not-found"),
        (ChangeError::Nothing { deployment: "d".into(), what: "canary".into() }, 404, "not-found"),
        (ChangeError::Invalid { field: "name", rule: "must be short".into() }, 400, "invalid"),
        (ChangeError::UnderWay("d".into()), 409, "under-way"),
        (ChangeError::Schema(vec!["age is gone".into()]), 409, "schema-changed"),
        (ChangeError::Untrusted(engine::SignatureError::Unsigned), 422, "untrusted"),
        (ChangeError::Older { version: "1".into(), floor: "2".into() }, 422, "refused"),
        (
            ChangeError::Store {
                what: "write the state".into(),
                source: ErrorKind::StorageFull.into(),
            },
            500,
            "internal",
        ),
    ];
    for (error, status, word) in cases {
        let says = error.to_string();
        *room.fleet.refuses.lock() = Some(error);
        let reply = room.send("POST /api/v1/deployments/d/rollback", &[], b"");
        reply.is(status, word);
        assert!(reply.detail().starts_with(&says), "{reply:?}");
    }
}

#[test]
fn a_client_that_goes_away_stops_no_change_and_the_end_waits_for_it() {
    let mut room = TestRoom::on_socket();
    let (open, gate) = mpsc::sync_channel(1);
    *room.fleet.gate.lock() = Some(gate);
    let mut client = room.connect();
    let head = format!(
        "POST /api/v1/deployments/d/deploy HTTP/1.1\r\nHost: localhost\r\n{WASM}\r\nContent-Length: {}\r\n\r\n",
        PACKAGE.len()
    );
    client.write(head.as_bytes()).unwrap();
    client.write(PACKAGE).unwrap();
    let mut said = vec![];
    wait_until("the package at the gate", || {
        said.extend(room.fleet.said());
        said == ["push waits"]
    });
    drop(client);
    room.stop();
    wait_until("the end of listening", || !room.socket().exists());
    open.send(()).unwrap();
    room.join();
    let said = room.fleet.said();
    assert!(said.len() == 2 && said[0].starts_with("push d Champion"), "{said:?}");
    assert_eq!(said[1], "ended");
}

#[test]
fn a_json_body_has_a_limit() {
    let room = TestRoom::on_socket();
    let of = |bytes: usize| {
        let frame = r#"{"deployment":""}"#.len();
        format!(r#"{{"deployment":"{}"}}"#, "x".repeat(bytes - frame))
    };
    assert_eq!(room.send_json("PUT /api/v1/default", &of(JSON_BYTES_MAX)).status, 200);
    room.send_json("PUT /api/v1/default", &of(JSON_BYTES_MAX + 1)).is(413, "too-large");
}

#[test]
fn a_head_request_has_no_body() {
    let room = TestRoom::on_port();
    let mut client = room.connect();
    let token = TOKENS[0].1;
    let head = format!(
        "HEAD /api/v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    client.write(head.as_bytes()).unwrap();
    client.write(b"GET /nothing HTTP/1.1\r\nHost: evil.example\r\n\r\n").unwrap();
    // The length that a GET would have is told, so the next answer follows the head at once.
    let mut first = vec![];
    wait_until("two heads", || {
        first.push(client.read_line());
        first.iter().filter(|line| line.starts_with("HTTP/1.1 ")).count() == 2
    });
    assert!(first[0].contains("200") && first.last().unwrap().contains("421"), "{first:?}");
}

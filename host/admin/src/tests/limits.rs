//! Each limit at its edge.

use std::sync::mpsc;
use std::time::Duration;

use super::harness::{PACKAGE, TestRoom, wait_until};

const WASM: &str = "Content-Type: application/wasm";
const DEPLOY: &str = "POST /api/v1/deployments/d/deploy";

#[test]
fn a_package_has_a_limit() {
    let fits = TestRoom::on_socket_with(|settings| settings.package_bytes = PACKAGE.len());
    assert_eq!(fits.send(DEPLOY, &[WASM], PACKAGE).status, 200);
    let short = TestRoom::on_socket_with(|settings| settings.package_bytes = PACKAGE.len() - 1);
    let reply = short.send(DEPLOY, &[WASM], PACKAGE);
    reply.is(413, "too-large");
    assert!(reply.detail().contains("package_bytes_max"), "{reply:?}");

    // The same where the length is not told before.
    let mut client = short.connect();
    let head = format!(
        "{DEPLOY} HTTP/1.1\r\nHost: localhost\r\n{WASM}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    client.write(head.as_bytes()).unwrap();
    client.write(format!("{:x}\r\n", PACKAGE.len()).as_bytes()).unwrap();
    client.write(PACKAGE).unwrap();
    client.write(b"\r\n0\r\n\r\n").unwrap();
    client.read().unwrap().is(413, "too-large");
    assert_eq!(short.fleet.said(), [""; 0]);
}

#[test]
fn a_large_body_that_is_refused_is_read_so_that_the_answer_arrives() {
    let room = TestRoom::on_port();
    let body = vec![0; 8 << 20];
    let mut client = room.connect();
    let head =
        format!("{DEPLOY} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    client.write(head.as_bytes()).unwrap();
    client.write(&body).unwrap();
    client.read().unwrap().is(401, "unauthenticated");
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let room = TestRoom::on_socket_with(|settings| settings.body_time = Duration::from_millis(50));
    let mut client = room.connect();
    let head = format!(
        "{DEPLOY} HTTP/1.1\r\nHost: localhost\r\n{WASM}\r\nContent-Length: 10\r\n\r\n12345"
    );
    client.write(head.as_bytes()).unwrap();
    client.read().unwrap().is(408, "too-slow");
}

#[test]
fn a_head_that_does_not_come_and_a_quiet_connection_are_closed() {
    let room =
        TestRoom::on_socket_with(|settings| settings.header_time = Duration::from_millis(50));
    for start in ["", "GET / HT"] {
        let mut client = room.connect();
        client.write(start.as_bytes()).unwrap();
        // hyper may say 408 before it closes.
        let end = client.read();
        assert!(end.as_ref().is_ok_and(|reply| reply.status == 408) || end.is_err(), "{end:?}");
    }
}

#[test]
fn a_head_has_a_limit() {
    let room = TestRoom::on_socket_with(|settings| settings.header_bytes = 1024);
    let head = |bytes: usize| format!("X-Filler: {}", "x".repeat(bytes));
    assert_eq!(room.send("GET /", &[&head(700)], b"").status, 200);
    assert_eq!(room.send("GET /", &[&head(1024)], b"").status, 431);
}

#[test]
fn so_many_packages_are_loaded_at_once_and_no_more() {
    let room = TestRoom::on_socket_with(|settings| settings.uploads = 1);
    let (open, gate) = mpsc::sync_channel(1);
    *room.fleet.gate.lock() = Some(gate);
    let mut first = room.connect();
    let head = format!(
        "{DEPLOY} HTTP/1.1\r\nHost: localhost\r\n{WASM}\r\nContent-Length: {}\r\n\r\n",
        PACKAGE.len()
    );
    first.write(head.as_bytes()).unwrap();
    first.write(PACKAGE).unwrap();
    wait_until("the package at the gate", || !room.fleet.said().is_empty());
    let second = room.send(DEPLOY, &[WASM], PACKAGE);
    second.is(503, "busy");
    assert!(second.head.contains("retry-after: "), "{second:?}");
    assert_eq!(room.send("POST /api/v1/deployments/d/rollback", &[], b"").status, 200);
    open.send(()).unwrap();
    assert_eq!(first.read().unwrap().status, 200);
    assert_eq!(room.send(DEPLOY, &[WASM], PACKAGE).status, 200);
}

#[test]
fn so_many_connections_are_served_at_once_and_the_next_waits() {
    let room = TestRoom::on_socket_with(|settings| settings.connections = 1);
    let mut first = room.connect();
    assert_eq!(first.send("GET /api/v1/status", &[], b"").status, 200);
    let mut second = room.connect();
    second.write(b"POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(first.send("POST /api/v1/resume", &[], b"").status, 200);
    let said = room.fleet.said();
    assert!(said.len() == 1 && said[0].starts_with("resume"), "{said:?}");
    drop(first);
    assert_eq!(second.read().unwrap().status, 200);
}

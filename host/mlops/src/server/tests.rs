//! A whole server, called through its port.

mod metrics;

use std::fs;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const GRACE: Duration = Duration::from_secs(60);

fn settings(folder: &std::path::Path) -> Settings {
    Settings { listen: "127.0.0.1:0".into(), data: folder.join("data"), ..Settings::default() }
}

fn token(server: &Server, role: Role) -> String {
    let text = fs::read_to_string(server.tokens().path()).unwrap();
    let line = text.lines().find(|line| line.starts_with(role.name())).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

/// Sends one request and reads until the connection ends.
async fn call(server: &Server, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let length = body.len();
    let text = format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn every_role_comes_as_far_as_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(settings(folder.path())).await.unwrap();
    let healthy = call(&server, "GET /healthz HTTP/1.1\r\nHost: a", "").await;
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");
    let routes = [
        (Role::Read, "GET /api/v2/deployments/"),
        (Role::Report, "POST /api/v2/deployments/none/predictionRequests/fromJSON/"),
        (Role::Admin, "POST /api/v2/modelPackages/fromJSON/"),
    ];
    for (needed, route) in routes {
        let head = format!("{route} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json");
        let unknown = call(&server, &head, "{}").await;
        assert!(unknown.starts_with("HTTP/1.1 401"), "{unknown}");
        assert!(unknown.contains("Invalid Authorization header"), "{unknown}");
        for role in Role::ALL {
            let bearer = format!("{head}\r\nAuthorization: Bearer  {}", token(&server, role));
            let answer = call(&server, &bearer, "{}").await;
            let forbidden = answer.starts_with("HTTP/1.1 403");
            assert_eq!(forbidden, role < needed, "{role:?} {route}: {answer}");
            assert!(!answer.starts_with("HTTP/1.1 401"), "{answer}");
        }
    }
    assert_eq!(server.stop(GRACE).await, 0);
}

#[tokio::test]
async fn a_location_is_the_address_that_the_client_called() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(settings(folder.path())).await.unwrap();
    let bearer = token(&server, Role::Read);
    let head = |host: &str, more: &str| {
        format!(
            "GET /api/v2/status/deployments%2Fd/ HTTP/1.1\r\nHost: {host}{more}\r\nAuthorization: Bearer {bearer}"
        )
    };
    for (host, more, location) in [
        ("outpost.example:81", "", "http://outpost.example:81/api/v2/deployments/d/"),
        ("[::1]:81", "", "http://[::1]:81/api/v2/deployments/d/"),
        ("a", "\r\nX-Forwarded-Proto: https", "https://a/api/v2/deployments/d/"),
        ("no host", "", "/api/v2/deployments/d/"),
    ] {
        let answer = call(&server, &head(host, more), "").await;
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        assert!(answer.contains(&format!("location: {location}\r\n")), "{answer}");
    }
    server.stop(GRACE).await;
}

#[tokio::test]
async fn a_slow_header_and_a_slow_request_end() {
    let folder = tempfile::tempdir().unwrap();
    let short = Duration::from_millis(50);
    let settings = Settings { header_time: short, request_time: short, ..settings(folder.path()) };
    let server = Server::start(settings).await.unwrap();
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    silent.write_all(b"GET / HT").await.unwrap();
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).await.unwrap();
    let bearer = token(&server, Role::Admin);
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /api/v2/modelPackages/fromJSON/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    server.stop(GRACE).await;
}

#[tokio::test]
async fn no_more_connections_than_the_settings_say() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Server::start(Settings { connections: 1, ..settings(folder.path()) }).await.unwrap();
    let first = TcpStream::connect(server.address()).await.unwrap();
    let mut second = Box::pin(call(&server, "GET /healthz HTTP/1.1\r\nHost: a", ""));
    // The first one holds the only place, whatever it does with it.
    let waited = tokio::time::timeout(Duration::from_millis(200), &mut second).await;
    assert!(waited.is_err(), "{waited:?}");
    drop(first);
    assert!(second.as_mut().await.starts_with("HTTP/1.1 200"));
    drop(second);
    server.stop(GRACE).await;
}

#[tokio::test]
async fn what_was_taken_is_there_after_a_stop_and_a_second_server_is_kept_off() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(settings(folder.path())).await.unwrap();
    let bearer = token(&first, Role::Admin);
    let second = Server::start(settings(folder.path())).await.unwrap_err();
    assert!(matches!(second, ServerError::Ingest(StartError::Taken)), "{second}");
    let head = |line: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json"
        )
    };
    let made = call(
        &first,
        &head("POST /api/v2/modelPackages/fromJSON/"),
        r#"{"name":"m","target":{"type":"Regression","name":"t"}}"#,
    )
    .await;
    assert!(made.starts_with("HTTP/1.1 20"), "{made}");
    first.stop(GRACE).await;
    let again = Server::start(settings(folder.path())).await.unwrap();
    let listed = call(&again, &head("GET /api/v2/modelPackages/"), "").await;
    assert!(listed.contains("\"totalCount\":1"), "{listed}");
    again.stop(GRACE).await;
}

//! The document beside what is served.

use std::collections::BTreeSet;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::server::Server;
use crate::settings::Settings;

async fn call(server: &Server, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let text = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn every_call_that_is_served_is_told_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = Settings { listen: "127.0.0.1:0".into(), data, ..Settings::default() };
    let server = Server::start(settings).await.unwrap();
    let document = document();
    for (path, calls) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/api/v2/") else { continue };
        // A method that nothing takes is told which ones are, whoever asks.
        let real = path.replace(['{', '}'], "");
        let answer = call(&server, "TRACE", &format!("/api/v2/{real}")).await;
        let allow = answer.lines().find_map(|line| line.strip_prefix("allow: "));
        let allow = allow.unwrap_or_else(|| panic!("nothing is at {path}: {answer}"));
        let allowed: BTreeSet<_> =
            allow.split(',').filter(|it| *it != "HEAD").map(str::to_lowercase).collect();
        assert_eq!(allowed, calls.as_object().unwrap().keys().cloned().collect(), "{path}");
    }
    let mut routes = super::super::routes();
    routes.extend(super::super::uploads());
    assert!(routes.iter().all(|(.., served)| !served.summary.is_empty()));
    let answer = call(&server, "GET", "/openapi.json").await;
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), document);
    server.stop(std::time::Duration::from_secs(60)).await;
}

/// All schemas in a document, with the way to them.
fn schemas<'a>(value: &'a Value, at: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                let at = format!("{at}/{key}");
                if ["schema", "items", "additionalProperties"].contains(&&**key) {
                    found.push((at.clone(), value));
                }
                if key == "properties" || at == "/components/schemas" {
                    let all = value.as_object().unwrap();
                    found.extend(all.iter().map(|(key, value)| (format!("{at}/{key}"), value)));
                }
                schemas(value, &at, found);
            }
        }
        Value::Array(all) => {
            for (index, value) in all.iter().enumerate() {
                schemas(value, &format!("{at}/{index}"), found);
            }
        }
        _plain => {}
    }
}

#[test]
fn every_answer_says_what_it_is() {
    let document = document();
    let bodies = ["artifact", "modelPackageFile", "scoringCode"];
    for (_, path, served) in routes().into_iter().chain(uploads()) {
        let (method, status) = (served.method, served.status);
        let operation = &document["paths"][format!("/api/v2/{path}/")][method];
        let content = &operation["responses"][status.to_string()]["content"];
        let schema = &content["application/json"]["schema"];
        // What has no body: something is gone, or a job has its file.
        let nothing = status == 204 || (method, path) == ("put", "batchJobs/{id}/csvUpload");
        if nothing {
            assert!(content.is_null(), "{method} {path}: {content}");
        } else if bodies.iter().any(|end| path.ends_with(end)) {
            assert!(content["application/wasm"].is_object(), "{method} {path}: {content}");
        } else {
            assert!(schema["$ref"].is_string(), "{method} {path} answers {content}");
        }
    }
}

#[test]
fn every_schema_is_there_and_says_something() {
    let document = document();
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    schemas(&document, "", &mut all);
    assert!(all.len() > 500, "{}", all.len());
    for (at, schema) in all {
        let mut is_wrong = |is: bool, what: &str| {
            if is {
                wrong.push(format!("{at} {what}: {schema}"));
            }
        };
        if let Some(name) = schema["$ref"].as_str() {
            let there = document.pointer(name.strip_prefix("#").unwrap()).is_some();
            is_wrong(!there, "refers to what is not there");
        }
        // What clients put in as they like.
        let open = at.ends_with("additionalProperties") || at.ends_with("/Event/properties/event");
        let says =
            ["$ref", "properties", "anyOf", "oneOf", "items", "additionalProperties", "const"]
                .iter()
                .any(|key| schema.get(key).is_some());
        let plain = schema["type"] != "object" && schema.get("type").is_some();
        is_wrong(!says && !plain && !open, "says nothing");
        let described =
            ["description", "$ref", "const"].iter().any(|key| schema.get(key).is_some());
        let named = at.contains("/properties/") && at.rsplit('/').nth(1) == Some("properties");
        let words = schema["description"].as_str().unwrap_or_default();
        is_wrong(words.contains("[`") || words.contains(" \n"), "is described in Rust");
        is_wrong(named && !described && !open, "has no description");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

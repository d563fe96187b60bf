//! The OpenAPI document: made of the routes, each of which says what it is for and what its handler's types are.

use std::sync::LazyLock;

use axum::Json;
use serde_json::{Map, Value, json};

use super::Needs;
use super::describe::{Schemas, Sent, Told};
use super::fault::Explained;
use super::file::FILE;
use super::served::Served;
use super::{routes, uploads};

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// What a call is answered too when it is done: what was there already is told again.
const ALSO: [(&str, &str, u16, &str); 1] =
    [("post", "modelPackages/fromFile", 200, "It is here already")];

/// Answers it; everybody may read it.
pub(super) async fn serve() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let fault = schemas.answered::<Explained>();
    let mut paths = super::open::told(&mut schemas);
    for (needs, path, served) in routes().into_iter().chain(uploads()) {
        let told = (served.tell)(&mut schemas);
        let all = paths.entry(format!("/api/v2/{path}/")).or_insert_with(|| json!({}));
        all[served.method] = operation(needs, path, &served, told, &fault);
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Outpost MLOps server", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas.named(),
        },
        "security": [{"token": []}],
    })
}

fn operation(needs: Needs, path: &str, served: &Served, told: Told, fault: &Value) -> Value {
    let Served { method, status, summary, .. } = *served;
    let text = json!({"type": "string"});
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": text}))
        .collect();
    parameters.extend(told.query);
    let mut done = json!({"description": "Done"});
    if let Some(content) = told.answer {
        done["content"] = content;
    }
    let mut responses = Map::new();
    for (_, _, status, why) in ALSO.iter().filter(|also| (also.0, also.1) == (method, path)) {
        let mut also = done.clone();
        also["description"] = json!(why);
        responses.insert(status.to_string(), also);
    }
    responses.insert(status.to_string(), done);
    let mut refused = vec![
        ("401", "No token, or one that is not known"),
        ("403", "The token's role is not enough"),
        ("404", "There is none"),
        ("422", "A field cannot be"),
        ("503", "Come again"),
    ];
    if told.body.is_some() {
        refused.extend([
            ("400", "The body cannot be read"),
            ("408", "The body did not come in time"),
            ("413", "The body is too large"),
            ("415", "The body is said to be something else"),
        ]);
    }
    if method != "get" {
        refused.extend([("409", "Something stands in the way"), ("410", "It is gone")]);
    }
    for (status, why) in refused {
        let response =
            json!({"description": why, "content": {"application/json": {"schema": fault}}});
        responses.insert(status.to_owned(), response);
    }
    let mut operation = json!({
        "operationId": format!("{method} {path}"),
        "summary": summary,
        "x-outpost-role": format!("{needs:?}").to_lowercase(),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = told.body {
        operation["requestBody"] = json!({"required": true, "content": content(body)});
    }
    operation
}

/// What is sent with a call.
fn content(sent: Sent) -> Value {
    match sent {
        Sent::Json(schema) => json!({"application/json": {"schema": schema}}),
        Sent::File => {
            let part = json!({"type": "string", "description": "The file.", "contentMediaType": "application/octet-stream"});
            let form = json!({"type": "object", "required": [FILE], "properties": {FILE: part}});
            json!({"application/octet-stream": {}, "multipart/form-data": {"schema": form}})
        }
    }
}

#[cfg(test)]
mod tests;

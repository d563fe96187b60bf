//! Calls that everybody may make: there is nothing in their answers that could be secret.

use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::describe::{Handler, Schemas};

/// It lives.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(super) struct Healthy {
    /// `ok`: a server that is not does not answer.
    status: &'static str,
}

pub(super) async fn healthy() -> Json<Healthy> {
    Json(Healthy { status: "ok" })
}

/// What the document says of them, by path.
pub(super) fn told(schemas: &mut Schemas) -> Map<String, Value> {
    let healthy = of(healthy, schemas).unwrap_or_default();
    let metrics = json!({"text/plain": {"schema": {"type": "string"}}});
    let version = json!({"type": "string", "description": "The version of OpenAPI."});
    let document = json!({"application/json": {"schema": {
        "type": "object",
        "required": ["openapi"],
        "properties": {"openapi": version},
        "additionalProperties": true,
    }}});
    let calls = [
        ("/healthz", "Whether it lives", healthy),
        ("/metrics", "What it counts, in the text form of Prometheus", metrics),
        ("/openapi.json", "This document", document),
    ];
    let call = |(path, summary, content): (&str, &str, Value)| {
        let operation = json!({
            "operationId": format!("get {path}"),
            "summary": summary,
            "security": [],
            "responses": {"200": {"description": "Done", "content": content}},
        });
        (path.to_owned(), json!({ "get": operation }))
    };
    calls.into_iter().map(call).collect()
}

fn of<A, H: Handler<A>>(_handler: H, schemas: &mut Schemas) -> Option<Value> {
    H::tell(schemas).answer
}

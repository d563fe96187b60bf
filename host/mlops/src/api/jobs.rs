//! The version, and jobs: what the service does later, we have done when we answer, so every job is done.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Fault;

/// The version of the service that we stand in for: clients of 11.2 ask for 2.18 at least.
const VERSION: (u32, u32) = (2, 36);

pub(super) async fn version() -> Json<Value> {
    let (major, minor) = VERSION;
    Json(json!({
        "versionString": format!("{major}.{minor}.0"),
        "major": major,
        "minor": minor,
        "outpost": env!("CARGO_PKG_VERSION"),
    }))
}

/// An answer of something that is done, to clients who expect to wait: 202, and where to ask whether it is. What they
/// find there leads to `at`, a path below `/api/v2/`.
pub(super) fn done(at: &str, body: Value) -> Response {
    let mut headers = HeaderMap::new();
    let job = format!("/api/v2/status/{}/", escape(at));
    headers.insert(header::LOCATION, location(&job));
    (StatusCode::ACCEPTED, headers, Json(body)).into_response()
}

/// A job's name is the path that it leads to.
pub(super) async fn status(Path(job): Path<String>) -> Result<Response, Fault> {
    let fits = !job.is_empty() && job.split('/').all(|part| part != ".." && !part.is_empty());
    if !fits || job.chars().any(char::is_control) {
        return Err(Fault::new(StatusCode::NOT_FOUND, "there is no such job"));
    }
    let mut path = "/api/v2/".to_owned();
    for part in job.split('/') {
        path.push_str(&escape(part));
        path.push('/');
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::LOCATION, location(&path));
    Ok((StatusCode::SEE_OTHER, headers, Json(json!({"status": "COMPLETED"}))).into_response())
}

fn location(path: &str) -> HeaderValue {
    HeaderValue::from_str(path).expect("an escaped path is visible ASCII")
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

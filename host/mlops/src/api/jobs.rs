//! The version, and jobs: what the service does later, we have done when we answer, so every job is done.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::Fault;

/// The version of the service that we stand in for: clients of 11.2 ask for 2.18 at least.
const VERSION: (u32, u32) = (2, 36);

/// Which version of the calls there is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    /// The service's version that these calls are of.
    version_string: String,
    /// Its first number.
    major: u32,
    /// Its second number.
    minor: u32,
    /// The version of this server.
    outpost: &'static str,
}

pub(super) async fn version() -> Result<Json<Version>, Fault> {
    let (major, minor) = VERSION;
    let version_string = format!("{major}.{minor}.0");
    Ok(Json(Version { version_string, major, minor, outpost: env!("CARGO_PKG_VERSION") }))
}

/// It was done, and there is nothing to say of it.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(super) struct Said {
    /// `ok`.
    message: &'static str,
}

/// All is well.
pub(super) const OK: Said = Said { message: "ok" };

/// An answer of something that is done, to clients who expect to wait: 202, and where to ask whether it is. What they
/// find there leads to `at`, a path below `/api/v2/`.
#[derive(Debug)]
pub(super) struct Done<T> {
    at: String,
    body: T,
}

pub(super) fn done<T: Serialize>(at: String, body: T) -> Done<T> {
    Done { at, body }
}

impl<T: Serialize> IntoResponse for Done<T> {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        let job = format!("/api/v2/status/{}/", escape(&self.at));
        headers.insert(header::LOCATION, location(&job));
        (StatusCode::ACCEPTED, headers, Json(self.body)).into_response()
    }
}

/// Where a job led: 303.
#[derive(Debug)]
pub(super) struct Led(HeaderValue);

/// What is said of a job.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(super) struct Finished {
    /// It always is, where we are asked.
    status: &'static str,
}

impl IntoResponse for Led {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, self.0);
        (StatusCode::SEE_OTHER, headers, Json(Finished { status: "COMPLETED" })).into_response()
    }
}

/// A job's name is the path that it leads to.
pub(super) async fn status(Path(job): Path<String>) -> Result<Led, Fault> {
    let fits = !job.is_empty() && job.split('/').all(|part| part != ".." && !part.is_empty());
    if !fits || job.chars().any(char::is_control) {
        return Err(Fault::new(StatusCode::NOT_FOUND, "there is no such job"));
    }
    let mut path = "/api/v2/".to_owned();
    for part in job.split('/') {
        path.push_str(&escape(part));
        path.push('/');
    }
    Ok(Led(location(&path)))
}

fn location(path: &str) -> HeaderValue {
    HeaderValue::from_str(path).expect("an escaped path is visible ASCII")
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

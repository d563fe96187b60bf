//! Answers, with the headers that all of them have.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
        WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use serde::Serialize;
use tracing::error;

use crate::problem::Problem;

/// What every route answers with.
pub(crate) type Answer = Response<Full<Bytes>>;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Seconds after which a caller may come again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// An answer with this body.
pub(crate) fn with_type(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// An answer that is this value.
pub(crate) fn json(value: &impl Serialize) -> Result<Answer, Problem> {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(with_type(StatusCode::OK, "application/json", body)),
        Err(error) => {
            error!(%error, "An answer was not written");
            Err(Problem::internal())
        }
    }
}

/// An answer that says why there is none.
pub(crate) fn problem(problem: &Problem, request_id: &str) -> Answer {
    let mut answer =
        with_type(problem.status, "application/problem+json", problem.json(request_id));
    let headers = answer.headers_mut();
    if let Some(allow) = problem.allow.as_ref().and_then(|allow| HeaderValue::from_str(allow).ok())
    {
        headers.insert(ALLOW, allow);
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"outpost\""));
    }
    if problem.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    answer
}

/// Adds the headers that all answers have: nothing is kept by a cache, shown in a frame or taken for another type.
pub(crate) fn finish(answer: &mut Answer, request_id: &str) {
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

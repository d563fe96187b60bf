//! Answers: strict JSON, written straight into the buffer that is sent.

use std::borrow::Cow;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};

use crate::{
    fault::Fault,
    problem::{Problem, RETRY_AFTER_SECONDS},
    request_id::{RequestId, X_REQUEST_ID},
};

/// What every route answers with.
pub(crate) type Answer = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Bytes of one prediction besides its association id.
const ROW_BYTES: usize = 80;

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> Answer {
    with_type(status, JSON, body)
}

/// An answer with a body of any type.
pub(crate) fn with_type(status: StatusCode, content_type: HeaderValue, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// Adds the request's id.
pub(crate) fn identify(answer: &mut Answer, request_id: &RequestId) {
    answer.headers_mut().insert(X_REQUEST_ID, request_id.header());
}

/// An answer that says why there is none.
pub(crate) fn problem(fault: &Fault, problem: &Problem, request_id: &RequestId) -> Answer {
    let status = problem.kind.status();
    let mut answer = with_type(status, PROBLEM_JSON, problem.json(request_id.as_str()));
    identify(&mut answer, request_id);
    if let Fault::Method { allow } = fault {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
    answer
}

/// The body of a prediction. `target` is JSON already.
pub(crate) fn predictions(
    request_id: &str,
    target: &[u8],
    association_ids: &[Cow<'_, str>],
    predictions: &[f64],
) -> Vec<u8> {
    let ids: usize = association_ids.iter().map(|id| id.len()).sum();
    let mut out = Vec::with_capacity(128 + target.len() + ids + ROW_BYTES * predictions.len());
    out.extend_from_slice(b"{\"requestId\":");
    write(&mut out, request_id);
    out.extend_from_slice(b",\"target\":");
    out.extend_from_slice(target);
    out.extend_from_slice(b",\"predictions\":[");
    for (row, (id, prediction)) in association_ids.iter().zip(predictions).enumerate() {
        if row > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"rowId\":");
        write(&mut out, &row);
        out.extend_from_slice(b",\"associationId\":");
        write(&mut out, id);
        out.extend_from_slice(b",\"prediction\":");
        write(&mut out, prediction);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

/// The body of an answer to actuals.
pub(crate) fn accepted(request_id: &str, count: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + request_id.len());
    out.extend_from_slice(b"{\"requestId\":");
    write(&mut out, request_id);
    out.extend_from_slice(b",\"accepted\":");
    write(&mut out, &count);
    out.push(b'}');
    out
}

fn write<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("strings and finite numbers are always JSON");
}

//! The one place that turns what is refused into answers: status, stable type, and what the caller is told (RFC 9457).
//!
//! Callers are operators who have shown who they are, so they hear the whole reason. Somebody who has not hears none.

use std::error::Error;

use engine::PackageError;
use gateway::fleet::{ChangeError, ChangeFault};
use hyper::StatusCode;
use serde::Serialize;

use crate::tokens::Scope;

/// Something that is refused, ready to be told.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// The stable word for it: `urn:outpost:problem:<slug>`.
    slug: &'static str,
    title: &'static str,
    detail: String,
    /// The field of the request that is to blame.
    field: Option<&'static str>,
    /// The methods that the path takes.
    pub(crate) allow: Option<String>,
}

fn problem(
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: impl Into<String>,
) -> Problem {
    Problem { status, slug, title, detail: detail.into(), field: None, allow: None }
}

impl Problem {
    pub(crate) fn no_route() -> Self {
        let detail = "nothing is served here; GET /openapi.json lists what is";
        problem(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    pub(crate) fn no_deployment(id: &str) -> Self {
        let detail = format!("there is no deployment {id:?}");
        problem(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    pub(crate) fn method(allow: String) -> Self {
        let detail = format!("this path takes only {allow}");
        let it = problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Method not allowed",
            detail,
        );
        Self { allow: Some(allow), ..it }
    }

    pub(crate) fn host() -> Self {
        problem(
            StatusCode::MISDIRECTED_REQUEST,
            "wrong-host",
            "Not this host",
            "the Host header must be one, and name this machine: localhost, 127.0.0.1 or [::1], with any port",
        )
    }

    pub(crate) fn cross_site() -> Self {
        let detail = "changes are not taken from other pages";
        problem(StatusCode::FORBIDDEN, "cross-site", "From another page", detail)
    }

    pub(crate) fn unauthenticated() -> Self {
        problem(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Who are you?",
            "send a token that this gateway knows, as in Authorization: Bearer TOKEN",
        )
    }

    pub(crate) fn scope(name: &str, has: Scope, needs: Scope) -> Self {
        let (has, needs) = (has.as_str(), needs.as_str());
        let detail = format!("this needs a token of scope {needs}; {name} has scope {has}");
        problem(StatusCode::FORBIDDEN, "forbidden", "Not with this token", detail)
    }

    pub(crate) fn invalid(field: &'static str, rule: impl std::fmt::Display) -> Self {
        let detail = format!("{field} {rule}");
        Self {
            field: Some(field),
            ..problem(StatusCode::BAD_REQUEST, "invalid", "Bad request", detail)
        }
    }

    pub(crate) fn media(expected: &str) -> Self {
        let detail = format!("send the body with Content-Type: {expected}");
        problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported media type",
            detail,
        )
    }

    pub(crate) fn too_large(limit: usize, setting: Option<&str>) -> Self {
        let raise =
            setting.map(|setting| format!("; {setting} raises the limit")).unwrap_or_default();
        let detail = format!("the body is larger than {limit} bytes{raise}");
        problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large", detail)
    }

    pub(crate) fn too_slow() -> Self {
        let detail = "the body did not arrive in time";
        problem(StatusCode::REQUEST_TIMEOUT, "too-slow", "Body too slow", detail)
    }

    pub(crate) fn broken_body() -> Self {
        let detail = "the body broke off or is framed wrongly";
        problem(StatusCode::BAD_REQUEST, "bad-body", "Bad body", detail)
    }

    pub(crate) fn busy() -> Self {
        let detail = "other packages are being loaded; try again when they are done";
        problem(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail)
    }

    pub(crate) fn package(error: &PackageError) -> Self {
        problem(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad-package",
            "Not a model package",
            chain(error),
        )
    }

    pub(crate) fn internal() -> Self {
        let detail = "the gateway failed; its log has the reason";
        problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    pub(crate) fn change(error: &ChangeError) -> Self {
        let (slug, title) = match error {
            ChangeError::UnderWay(_) => ("under-way", "Another change is under way"),
            ChangeError::Schema(_) => ("schema-changed", "Callers would notice"),
            ChangeError::Untrusted(_) => ("untrusted", "Not trusted"),
            _ => match error.fault() {
                ChangeFault::NotFound => ("not-found", "Not found"),
                ChangeFault::Invalid => ("invalid", "Bad request"),
                ChangeFault::Conflict => ("conflict", "Not now"),
                ChangeFault::Refused => ("refused", "Package refused"),
                ChangeFault::Host => ("internal", "Internal error"),
            },
        };
        let status = match error.fault() {
            ChangeFault::NotFound => StatusCode::NOT_FOUND,
            ChangeFault::Invalid => StatusCode::BAD_REQUEST,
            ChangeFault::Conflict => StatusCode::CONFLICT,
            ChangeFault::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            ChangeFault::Host => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let field =
            if let ChangeError::Invalid { field, .. } = error { Some(*field) } else { None };
        Self { field, ..problem(status, slug, title, chain(error)) }
    }

    /// The answer's body.
    pub(crate) fn json(&self, request_id: &str) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            request_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            field: Option<&'a str>,
        }
        serde_json::to_vec(&Body {
            r#type: format!("urn:outpost:problem:{}", self.slug),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            request_id,
            field: self.field,
        })
        .expect("strings and numbers are always JSON")
    }
}

/// An error with everything behind it.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

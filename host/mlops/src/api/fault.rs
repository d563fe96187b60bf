//! From a fault to a status and a body. One file, so that nobody invents statuses.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ingest::IngestError;
use crate::registry::RegistryError;
use crate::store::StoreError;

/// How long a client waits before it calls again, seconds.
const RETRY_AFTER: &str = "1";

/// A call that was not done.
#[derive(Debug)]
pub struct Fault {
    status: StatusCode,
    message: String,
    /// The field that is wrong.
    field: Option<String>,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), field: None }
    }

    /// Whether the same call may be done later.
    pub(crate) fn is_ours(&self) -> bool {
        self.status.is_server_error()
    }

    /// There is no such thing.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// A field of the query or of the body that cannot be.
    pub(crate) fn field(field: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        let field = field.into();
        let message = format!("`{field}` {reason}");
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, message, field: Some(field) }
    }

    pub(crate) fn inside(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = chain(error), "A call failed inside");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer; try again")
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error with what is behind it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// Why a call was not done.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fault")]
pub(super) struct Explained {
    /// What is wrong, and what to do.
    message: String,
    /// The field that is wrong, with the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<BTreeMap<String, String>>,
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let errors = self.field.map(|field| BTreeMap::from([(field, self.message.clone())]));
        let body = Explained { message: self.message, errors };
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

impl From<RegistryError> for Fault {
    fn from(error: RegistryError) -> Self {
        let status = match &error {
            RegistryError::Missing { .. } => StatusCode::NOT_FOUND,
            RegistryError::Gone { .. } => StatusCode::GONE,
            RegistryError::Invalid { field, reason } => return Self::field(field.clone(), reason),
            RegistryError::Conflict(_) => StatusCode::CONFLICT,
            RegistryError::Package(_) | RegistryError::Training(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            RegistryError::Store(error) => return Self::inside(error),
        };
        Self::new(status, error.to_string())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::inside(&error)
    }
}

impl From<IngestError> for Fault {
    fn from(error: IngestError) -> Self {
        let status = match &error {
            IngestError::NotJson(_) => StatusCode::BAD_REQUEST,
            IngestError::Body { field, reason } => return Self::field(field, reason),
            IngestError::Busy | IngestError::Unavailable | IngestError::Closed => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Self::new(status, error.to_string())
    }
}

/// What axum could not read, with its own status and words.
macro_rules! rejections {
    ($($rejection:ty),+) => {
        $(impl From<$rejection> for Fault {
            fn from(rejection: $rejection) -> Self {
                Self::new(rejection.status(), rejection.body_text())
            }
        })+
    };
}
rejections!(BytesRejection, JsonRejection, PathRejection, QueryRejection);

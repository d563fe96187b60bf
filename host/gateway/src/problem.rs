//! The one place that turns faults into answers: status, stable type, and what the caller is told (RFC 9457).
//!
//! The caller hears of the caller's own mistakes and nothing of our insides; those go to the log. Values are
//! shown to whoever sent them, cut to [`SHOWN_CHARS`], and never logged.

use hyper::StatusCode;
use serde::Serialize;

use crate::{
    door::MediaError,
    fault::{BadRequest, Declined, Fault, Reason},
};

/// Characters of a caller's own text that are shown back.
const SHOWN_CHARS: usize = 40;
/// Characters of a model's own message that are shown.
const MESSAGE_CHARS: usize = 500;
/// Seconds after which a caller may come again.
pub(crate) const RETRY_AFTER_SECONDS: &str = "1";

const MEDIA_TYPES: &str = "application/x-www-form-urlencoded, application/json or text/csv";

const NO_ACTUALS: &str = "there are no actuals; send at least one, with associationId and actualValue, as body or in the query";

/// The kinds of problem: a closed list, stable for callers and for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    MethodNotAllowed,
    BadRequestId,
    UnsupportedMediaType,
    BadBody,
    BadValue,
    BadRow,
    UnknownName,
    DuplicateName,
    NoFeatures,
    NoActuals,
    TooLarge,
    TooManyRows,
    TooSlow,
    Declined,
    NoModel,
    Draining,
    Busy,
    Late,
    NotDurable,
    ModelFailed,
    Internal,
}

/// A problem, ready to be told.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
    pub(crate) row: Option<u32>,
    /// The model's own word for it.
    pub(crate) code: Option<String>,
}

impl Kind {
    pub(crate) const ALL: [Self; 22] = [
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BadRequestId,
        Self::UnsupportedMediaType,
        Self::BadBody,
        Self::BadValue,
        Self::BadRow,
        Self::UnknownName,
        Self::DuplicateName,
        Self::NoFeatures,
        Self::NoActuals,
        Self::TooLarge,
        Self::TooManyRows,
        Self::TooSlow,
        Self::Declined,
        Self::NoModel,
        Self::Draining,
        Self::Busy,
        Self::Late,
        Self::NotDurable,
        Self::ModelFailed,
        Self::Internal,
    ];

    fn describe(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Self::BadRequestId => (StatusCode::BAD_REQUEST, "bad-request-id", "Bad request id"),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Unsupported media type",
            ),
            Self::BadBody => (StatusCode::BAD_REQUEST, "bad-body", "Rows that cannot be read"),
            Self::BadValue => (StatusCode::BAD_REQUEST, "bad-value", "Bad value"),
            Self::BadRow => (StatusCode::BAD_REQUEST, "bad-row", "Bad row"),
            Self::UnknownName => (StatusCode::BAD_REQUEST, "unknown-name", "Unknown name"),
            Self::DuplicateName => (StatusCode::BAD_REQUEST, "duplicate-name", "Duplicate name"),
            Self::NoFeatures => (StatusCode::BAD_REQUEST, "no-features", "No features"),
            Self::NoActuals => (StatusCode::BAD_REQUEST, "no-actuals", "No actuals"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large"),
            Self::TooManyRows => (StatusCode::PAYLOAD_TOO_LARGE, "too-many-rows", "Too many rows"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "Body too slow"),
            Self::Declined => {
                (StatusCode::UNPROCESSABLE_ENTITY, "declined", "Declined by the model")
            }
            Self::NoModel => (StatusCode::SERVICE_UNAVAILABLE, "no-model", "No model"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining", "Taking no requests"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy"),
            Self::Late => (StatusCode::GATEWAY_TIMEOUT, "late", "Out of time"),
            Self::NotDurable => {
                (StatusCode::SERVICE_UNAVAILABLE, "not-durable", "Not recorded in time")
            }
            Self::ModelFailed => {
                (StatusCode::INTERNAL_SERVER_ERROR, "model-failed", "The model failed")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        self.describe().0
    }

    /// The stable word for it.
    pub(crate) fn slug(self) -> &'static str {
        self.describe().1
    }
}

impl Problem {
    pub(crate) fn of(fault: &Fault) -> Self {
        let (kind, detail) = match fault {
            Fault::BadRequest(bad) => return bad_request(bad),
            Fault::Declined(declined) => return self::declined(declined),
            Fault::NoRoute => {
                (Kind::NotFound, "nothing is served here; GET / lists what is".to_owned())
            }
            Fault::NoDeployment => (
                Kind::NotFound,
                "no deployment has this id; GET / lists those that there are".to_owned(),
            ),
            Fault::NoModel => (
                Kind::NoModel,
                "the deployment has no model: its packages could not be loaded".to_owned(),
            ),
            Fault::Draining => {
                (Kind::Draining, "takes no requests for now; ask another gateway".to_owned())
            }
            Fault::Method { allow } => {
                (Kind::MethodNotAllowed, format!("this path takes only {allow}"))
            }
            Fault::RequestId => (
                Kind::BadRequestId,
                format!(
                    "send one X-Request-Id of 1 to {} visible ASCII characters, or none",
                    crate::settings::REQUEST_ID_BYTES
                ),
            ),
            Fault::Media(error) => (Kind::UnsupportedMediaType, media(error)),
            Fault::QueryAndBody => (
                Kind::BadBody,
                "there are rows in the query and in the body; send them in one of the two"
                    .to_owned(),
            ),
            Fault::Nothing { get } => (Kind::NoFeatures, nothing(*get)),
            Fault::NoActuals => (Kind::NoActuals, NO_ACTUALS.to_owned()),
            Fault::BodyTooLarge { limit } => (
                Kind::TooLarge,
                format!("the body is larger than {limit} bytes; send fewer rows at once"),
            ),
            Fault::BodyTooSlow => (Kind::TooSlow, "the body did not arrive in time".to_owned()),
            Fault::BodyBroken(_) => {
                (Kind::BadBody, "the body broke off or is framed wrongly".to_owned())
            }
            Fault::Busy => {
                (Kind::Busy, "every instance of the model is taken; try again".to_owned())
            }
            Fault::Crowded => {
                (Kind::Busy, "too many large requests are being read; try again".to_owned())
            }
            Fault::Late => (Kind::Late, "the request could not be scored in its time".to_owned()),
            Fault::Overran => (Kind::Late, "the model did not answer in its time".to_owned()),
            Fault::NotDurable => (
                Kind::NotDurable,
                "the record of this prediction was not on disk in time; it may still get there"
                    .to_owned(),
            ),
            Fault::ActualsNotDurable => (
                Kind::NotDurable,
                "the actuals were not on disk in time; send them again, for it does no harm if they still get there"
                    .to_owned(),
            ),
            Fault::Broke(_) => (Kind::ModelFailed, "the model failed on these rows".to_owned()),
            Fault::Host(_) => {
                (Kind::Internal, "the gateway failed; its log has the reason".to_owned())
            }
        };
        Self { kind, detail, field: None, row: None, code: None }
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
            #[serde(skip_serializing_if = "Option::is_none")]
            row: Option<u32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<&'a str>,
        }
        let (status, slug, title) = self.kind.describe();
        serde_json::to_vec(&Body {
            r#type: format!("urn:outpost:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            request_id,
            field: self.field.as_deref(),
            row: self.row,
            code: self.code.as_deref(),
        })
        .expect("strings and numbers are always JSON")
    }
}

pub(crate) fn bad_request(bad: &BadRequest) -> Problem {
    const NUMBER: &str =
        "send a decimal number such as 30, 30.0 or 3e1, or nothing for a missing value";
    let (kind, what) = match &bad.reason {
        Reason::NotANumber(value) => (Kind::BadValue, format!("{} is not a number; {NUMBER}", shown(value))),
        Reason::StringForNumber(value) => (
            Kind::BadValue,
            format!("{} is a string where a number belongs; {NUMBER}, without quotes", shown(value)),
        ),
        Reason::OutOfRange(value) => {
            (Kind::BadValue, format!("{} is too large for a 64-bit number", shown(value)))
        }
        Reason::NotAText => (Kind::BadValue, "is not a text; send a string".to_owned()),
        Reason::Nested => {
            (Kind::BadValue, "is an object or an array; send a plain value".to_owned())
        }
        Reason::Unknown => (Kind::UnknownName, "is not a feature of this model; names are exact".to_owned()),
        Reason::Duplicate => (Kind::DuplicateName, "is given more than once".to_owned()),
        Reason::AssociationIdTooLong => (
            Kind::BadValue,
            format!(
                "the association id is longer than {} characters; send a shorter one, or a shorter X-Request-Id",
                crate::settings::ASSOCIATION_ID_CHARS
            ),
        ),
        Reason::NothingGiven => (Kind::NoFeatures, "no feature of the model is given".to_owned()),
        Reason::NoRows => (Kind::NoFeatures, "there are no rows; send at least one".to_owned()),
        Reason::NotOfAnActual => (
            Kind::UnknownName,
            "is no field of an actual; there are associationId, actualValue, timestamp and wasActedOn".to_owned(),
        ),
        Reason::Needed => (Kind::BadRow, "is missing, and every actual has one".to_owned()),
        Reason::NoActuals => (Kind::NoActuals, NO_ACTUALS.to_owned()),
        Reason::Repeated => (
            Kind::BadRow,
            "an earlier row has the same one; send the outcome that holds, once".to_owned(),
        ),
        Reason::NotFinite(value) => (
            Kind::BadValue,
            format!("{} is no outcome; send a decimal number or a label", shown(value)),
        ),
        Reason::ActualTooLong => (
            Kind::BadValue,
            format!(
                "the label is longer than {} characters; send a shorter one",
                crate::settings::ACTUAL_TEXT_CHARS
            ),
        ),
        Reason::NotATime(value) => (
            Kind::BadValue,
            format!(
                "{} is no point in time; send one such as 2026-11-24T23:29:16Z, or seconds since 1970 (in a form, write + as %2B)",
                shown(value)
            ),
        ),
        Reason::NoOffset(value) => (
            Kind::BadValue,
            format!("{} does not say where; add Z or an offset such as +01:00 (in a form, %2B01:00)", shown(value)),
        ),
        Reason::NotTrueOrFalse(value) => {
            (Kind::BadValue, format!("{} is neither; send true or false", shown(value)))
        }
        Reason::TooManyRows { limit } => {
            (Kind::TooManyRows, format!("there are more than {limit} rows; send fewer at once"))
        }
        Reason::BadEscape => (
            Kind::BadBody,
            "a % escape is broken or is not UTF-8; write % as %25 and text as percent-encoded UTF-8"
                .to_owned(),
        ),
        Reason::NotUtf8 => (Kind::BadBody, "is not UTF-8; send UTF-8".to_owned()),
        Reason::JsonAsForm => (
            Kind::BadBody,
            "the body looks like JSON but is sent as a form; send it with Content-Type: application/json"
                .to_owned(),
        ),
        Reason::NotRows => {
            (Kind::BadBody, "a JSON body is an object (one row) or an array of objects (rows)".to_owned())
        }
        Reason::JsonSyntax(error) => (Kind::BadBody, format!("the JSON cannot be read: {error}")),
        Reason::Ragged { line, expected, found } => (
            Kind::BadRow,
            format!("line {line} of the CSV has {found} fields, the header has {expected}"),
        ),
        Reason::CsvSyntax(error) => (Kind::BadBody, format!("the CSV cannot be read: {error}")),
    };
    let detail = match (&bad.field, bad.row) {
        (Some(field), Some(row)) => format!("field {} in row {row}: {what}", shown(field)),
        (Some(field), None) => format!("field {}: {what}", shown(field)),
        (None, Some(row)) => format!("row {row}: {what}"),
        (None, None) => what,
    };
    Problem {
        kind,
        detail,
        field: bad.field.as_deref().map(|field| cut(field, SHOWN_CHARS)),
        row: bad.row,
        code: None,
    }
}

fn declined(declined: &Declined) -> Problem {
    Problem {
        kind: Kind::Declined,
        detail: cut(&declined.message, MESSAGE_CHARS),
        field: declined.feature.clone(),
        row: declined.row,
        code: Some(cut(&declined.code, SHOWN_CHARS)),
    }
}

fn media(error: &MediaError) -> String {
    match error {
        MediaError::Type(None) => format!("the body has no Content-Type; send {MEDIA_TYPES}"),
        MediaError::Type(Some(found)) => {
            format!("bodies of type {} are not taken; send {MEDIA_TYPES}", shown(found))
        }
        MediaError::Charset(found) => format!("charset {} is not taken; send UTF-8", shown(found)),
        MediaError::Encoding(found) => {
            format!("Content-Encoding {} is not taken; send the body as it is", shown(found))
        }
    }
}

fn nothing(get: bool) -> String {
    if get {
        "no features came with this GET; if you sent a body, something on the way dropped it: use POST, or put \
         the features into the query"
            .to_owned()
    } else {
        "no features came with this request; send them as body or in the query".to_owned()
    }
}

/// A caller's text as it is shown back: quoted, escaped, cut.
fn shown(text: &str) -> String {
    format!("{:?}", cut(text, SHOWN_CHARS))
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

//! What can go wrong with a request, in types that say whose fault it is. How each is told to the caller is
//! [`crate::problem`]'s business.

use crate::door::MediaError;

/// Why a request gets no prediction.
#[derive(Debug)]
pub(crate) enum Fault {
    // The caller's.
    /// No such path.
    NoRoute,
    /// No such deployment.
    NoDeployment,
    /// The path does not take this method.
    Method { allow: &'static str },
    /// An `X-Request-Id` that cannot be echoed.
    RequestId,
    /// A body that no door takes.
    Media(MediaError),
    /// Rows in the query and in the body.
    QueryAndBody,
    /// Neither a query nor a body.
    Nothing { get: bool },
    /// Actuals without a single one.
    NoActuals,
    /// More bytes than the limit.
    BodyTooLarge { limit: usize },
    /// The body did not come in time.
    BodyTooSlow,
    /// The connection broke, or the body's framing is wrong.
    BodyBroken(hyper::Error),
    /// Rows that are not what the model takes.
    BadRequest(BadRequest),
    /// The model will not score these rows.
    Declined(Declined),

    // Nobody's: come again.
    /// The deployment has no model, because none of its packages could be loaded.
    NoModel,
    /// An operator has told the deployment, or the gateway, to take no requests.
    Draining,
    /// Every instance of the model is taken.
    Busy,
    /// Too many large bodies in memory.
    Crowded,
    /// The request's time was over before it could be scored.
    Late,
    /// The record was not on disk in time.
    NotDurable,
    /// The actuals were not on disk in time, or are not taken.
    ActualsNotDurable,

    // The model's.
    /// The model ran into its deadline.
    Overran,
    /// The model trapped, used up its memory or answered nonsense.
    Broke(Box<dyn std::error::Error + Send + Sync>),

    // Ours.
    /// Anything else.
    Host(Box<dyn std::error::Error + Send + Sync>),
}

/// The model's reason not to score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declined {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) row: Option<u32>,
    pub(crate) feature: Option<String>,
}

/// Rows that are not what the model takes, and where the first mistake is.
#[derive(Debug)]
pub(crate) struct BadRequest {
    pub(crate) field: Option<String>,
    /// From 0; only where several rows can be sent.
    pub(crate) row: Option<u32>,
    pub(crate) reason: Reason,
}

/// What is wrong with rows. Texts are the caller's, whole; they are cut when they are shown.
#[derive(Debug)]
pub(crate) enum Reason {
    NotANumber(String),
    /// A JSON string where a number belongs.
    StringForNumber(String),
    OutOfRange(String),
    NotAText,
    /// An object or array where a value belongs.
    Nested,
    /// No feature has this name.
    Unknown,
    Duplicate,
    AssociationIdTooLong,
    /// A row without a single feature.
    NothingGiven,
    NoRows,
    /// No field of an actual has this name.
    NotOfAnActual,
    /// A field that every actual has.
    Needed,
    NoActuals,
    /// An association id that an earlier row has.
    Repeated,
    /// Something like NaN as the value of an actual.
    NotFinite(String),
    /// A label of too many characters.
    ActualTooLong,
    NotATime(String),
    /// A time of which nobody can tell where it was shown.
    NoOffset(String),
    NotTrueOrFalse(String),
    TooManyRows {
        limit: u32,
    },
    BadEscape,
    NotUtf8,
    /// JSON that says it is a form.
    JsonAsForm,
    /// JSON that is neither an object nor an array of objects.
    NotRows,
    JsonSyntax(serde_json::Error),
    Ragged {
        line: u64,
        expected: u64,
        found: u64,
    },
    CsvSyntax(csv::Error),
}

impl BadRequest {
    /// A mistake that belongs to no field and no row.
    pub(crate) fn new(reason: Reason) -> Self {
        Self { field: None, row: None, reason }
    }
}

impl Fault {
    /// Whether it is the caller's fault.
    pub(crate) fn is_callers(&self) -> bool {
        !matches!(
            self,
            Self::NoModel
                | Self::Draining
                | Self::Busy
                | Self::Crowded
                | Self::Late
                | Self::NotDurable
                | Self::ActualsNotDurable
                | Self::Overran
                | Self::Broke(_)
                | Self::Host(_)
        )
    }
}

impl From<BadRequest> for Fault {
    fn from(bad: BadRequest) -> Self {
        Self::BadRequest(bad)
    }
}

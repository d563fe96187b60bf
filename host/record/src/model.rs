//! What a record holds. Strings are borrowed on the way in (from the request) and on the way out (from the
//! outbox's buffer), so that making a record copies each byte once.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use crate::ModelDigest;

/// The monitoring record of one request: for predictions, or with outcomes that became known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record<'a> {
    /// The deployment that the record belongs to. Never empty: readers of the wire form die of null.
    #[serde(borrow)]
    pub deployment_id: Cow<'a, str>,
    /// The model that answered, as the monitoring side knows it.
    #[serde(borrow)]
    pub model_id: Cow<'a, str>,
    /// When the request came in: microseconds since 1970-01-01T00:00Z by the device's clock.
    pub timestamp_us: i64,
    /// What happened.
    pub payload: Payload<'a>,
    /// The package that gave the numbers, or should have; none in records of form 1, and where it is not known.
    pub model_digest: Option<ModelDigest>,
    /// The part that this package plays in its deployment.
    pub role: Role,
    /// The gateway that the record comes from; none in records of forms 1 and 2, and where it has no name. It is in the
    /// record, not with the channel, so that a message sent again after the gateway got another name has the same bytes.
    pub gateway: Option<Cow<'a, str>>,
}

/// The part that a package plays in its deployment. New roles are added at the end: the place in this list is the
/// number on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It answers.
    #[default]
    Champion,
    /// It answers a share of the requests, on trial.
    Canary,
    /// It scores beside the champion; nobody gets its answers.
    Challenger,
}

impl Role {
    /// Its name, in small letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Champion => "champion",
            Self::Canary => "canary",
            Self::Challenger => "challenger",
        }
    }
}

/// What a record tells. New kinds are added at the end: the place in this list is the number on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Payload<'a> {
    /// A request for predictions, whatever came of it.
    #[serde(borrow)]
    Prediction(PredictionRecord<'a>),
    /// Outcomes that became known.
    #[serde(borrow)]
    Actuals(ActualsRecord<'a>),
}

/// A request for predictions, whatever came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionRecord<'a> {
    /// The request's id: the client's `X-Request-Id`, or ours.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// What came of it.
    pub outcome: Outcome,
    /// The HTTP status of the answer.
    pub status: u16,
    /// From the request's arrival to the answer, microseconds.
    pub execution_us: u64,
    /// How many predictions the whole request got; 0 when nothing was scored.
    pub predictions: u32,
    /// A request with too many rows for one record leaves several; this counts them from 0. Only part 0 speaks
    /// of the request itself (time, outcome), so that nothing is counted twice.
    pub part: u32,
    /// The scored rows; none when nothing was scored.
    pub rows: Option<Rows<'a>>,
}

/// Whose fault it was, if anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Predictions were given.
    Ok,
    /// The caller's: a bad row, a row that the model declines.
    UserError,
    /// Ours or the model's: a trap, a deadline, an overload.
    SystemError,
}

/// Rows that were scored, column by column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rows<'a> {
    /// One for each feature, each as long as `predictions`.
    #[serde(borrow)]
    pub columns: Vec<Column<'a>>,
    /// One prediction a row, in the order of the request.
    pub predictions: Cow<'a, [f64]>,
    /// One id a row; the key by which actuals join.
    pub association_ids: Vec<Cow<'a, str>>,
}

/// The values of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column<'a> {
    /// The feature's name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// One value a row.
    pub values: Values<'a>,
}

/// The values of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Values<'a> {
    /// Numbers; NaN is a missing value.
    #[serde(borrow)]
    Numbers(Cow<'a, [f64]>),
    /// Levels as the caller wrote them, known to the model or not; none is a missing value.
    Texts(Vec<Option<Cow<'a, str>>>),
}

/// Outcomes that became known, as one request told them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActualsRecord<'a> {
    /// The request's id: the client's `X-Request-Id`, or ours.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// A request with too many actuals for one record leaves several; this counts them from 0.
    pub part: u32,
    /// The outcomes, in the order of the request.
    pub actuals: Vec<Actual<'a>>,
}

/// An outcome that became known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Actual<'a> {
    /// The association id of the prediction that it belongs to.
    #[serde(borrow)]
    pub association_id: Cow<'a, str>,
    /// What came of it.
    #[serde(borrow)]
    pub value: ActualValue<'a>,
    /// Whether somebody acted on the prediction, where that was said.
    pub acted_on: Option<bool>,
    /// When it was so: microseconds since 1970; none where nobody said, and then it is the record's time.
    pub timestamp_us: Option<i64>,
}

/// The value of an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActualValue<'a> {
    /// A finite number.
    Number(f64),
    /// A label.
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

//! Reading the bodies of the five calls: typed, with texts borrowed from the body, a call of thousands of rows in one
//! pass.
//!
//! What [`crate::wire::read`] takes in a message passes here in an entry. A body that is not JSON is an error; an entry
//! that cannot be used is a [`Refused`] in its place, and the entries beside it are good. A fault names the field and
//! never shows a value.

mod actuals;
mod columns;
mod lenient;
mod stats;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, IgnoredAny, MapAccess};

pub use self::actuals::{ActualEntry, ActualValue, Bucket, MetricBody};
pub use self::columns::{Column, InputEntry, Predictions, Value, Values};
use self::lenient::{Boolean, Float, Got, Shape, Text, Time, Whole, field};
pub use self::stats::{StatsEntry, Summary, SummedFeature};
use crate::wire::read::without_no_numbers;
use crate::wire::timestamp::Moment;

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, with the way to it.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Fault {
    /// A fault of a field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// The same fault, seen from outside.
    fn within(mut self, outer: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{outer}{dot}{}", self.field);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.reason)
    }
}

/// An entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The message that it came from, when it says so.
    pub record_id: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// The body cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is not JSON.
    #[error("the body is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// It is JSON, but not what the call takes.
    #[error("{0}")]
    Shape(Fault),
}

/// Where an entry comes from: what we add to the wire, and others leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The message's own id; a repeat has the same.
    pub record_id: Option<Cow<'a, str>>,
    /// The package that gave the numbers, `sha256:<hex>`.
    pub model_digest: Option<Cow<'a, str>>,
    /// The part that it plays in its deployment; none for the champion.
    pub role: Option<Cow<'a, str>>,
    /// The gateway that answered.
    pub gateway: Option<Cow<'a, str>>,
}

/// The body of a call: a list of entries, and what is said once for all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Body<T> {
    /// The entries, each good or refused.
    pub data: Vec<Result<T, Refused>>,
    /// The rows do not count for drift.
    pub skip_drift_tracking: bool,
    /// The rows do not count for accuracy.
    pub skip_accuracy_tracking: bool,
}

/// An entry of a `predictionRequests/fromJSON/` call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestEntry<'a> {
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// When; none when it does not say.
    pub timestamp: Option<Moment>,
    /// The model that answered.
    pub model_id: Option<Cow<'a, str>>,
    /// The batch that the request belongs to.
    pub batch_id: Option<Cow<'a, str>>,
    /// How many predictions it got; the library lets negative numbers through.
    pub num_predictions: i64,
    /// How long it took, in milliseconds.
    pub execution_time: Option<f64>,
    /// It failed, and the caller is to blame.
    pub user_error: bool,
    /// It failed, and the model or what runs it is to blame.
    pub system_error: bool,
}

/// An entry of any call.
pub trait Entry<'de>: Sized {
    /// Reads the value of a key; false when the key is not known, and nothing was read.
    ///
    /// # Errors
    ///
    /// When it is not JSON.
    fn take<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        fault: &mut Option<Fault>,
    ) -> Result<bool, A::Error>;
    /// Nothing read yet.
    fn empty() -> Self;
    /// Where it comes from.
    fn origin(&mut self) -> &mut Origin<'de>;
    /// What only the whole entry shows.
    ///
    /// # Errors
    ///
    /// What is wrong.
    fn check(&mut self) -> Result<(), Fault>;
}

/// Reads a body with a `data` list.
///
/// # Errors
///
/// When it is not JSON, or has no such list.
pub fn body<'a, T: Entry<'a>>(text: &'a [u8]) -> Result<Body<T>, BodyError> {
    let ReadBody(body) = parse(text)?;
    body.map_err(BodyError::Shape)
}

/// Reads the body of a `customMetrics/<id>/fromJSON/` call.
///
/// # Errors
///
/// When it is not JSON, or cannot be used.
pub fn metric(text: &[u8]) -> Result<Result<MetricBody<'_>, Refused>, BodyError> {
    let Got(entry) = parse::<Got<Read<MetricBody<'_>>>>(text)?;
    let nothing = || BodyError::Shape(Read::<MetricBody<'_>>::fault("null"));
    Ok(entry.map_err(BodyError::Shape)?.ok_or_else(nothing)?.0)
}

/// The text without the tokens that Python writes for what is no number; none when there is none. A body that is not
/// JSON may be JSON after that.
pub fn without_tokens(text: &[u8]) -> Option<Vec<u8>> {
    without_no_numbers(text)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, BodyError> {
    serde_json::from_slice(text).map_err(|error| {
        if error.is_data() {
            BodyError::Shape(Fault::new("data", "must be in an object: {\"data\": [..]}"))
        } else {
            BodyError::NotJson(error)
        }
    })
}

/// An entry, read to its end.
struct Read<T>(Result<T, Refused>);

impl<'de, T: Entry<'de>> Shape<'de> for Read<T> {
    const MUST_BE: &'static str = "an object";

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        let mut entry = T::empty();
        let mut fault = None;
        while let Some(Got(key)) = map.next_key::<Got<Text<'de>>>()? {
            let key = key.ok().flatten().map_or(Cow::Borrowed(""), |text| text.0);
            if !entry.take(&key, &mut map, &mut fault)?
                && !entry.origin().take(&key, &mut map, &mut fault)?
            {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let checked = fault.map_or_else(|| entry.check(), Err);
        Ok(Ok(Self(match checked {
            Ok(()) => Ok(entry),
            Err(fault) => {
                let record_id = entry.origin().record_id.take().map(Cow::into_owned);
                Err(Refused { record_id, fault })
            }
        })))
    }
}

/// Entries; what is none is refused in its place.
struct Entries<T>(Vec<Result<T, Refused>>);

impl<'de, T: Entry<'de>> Shape<'de> for Entries<T> {
    const MUST_BE: &'static str = "a list";

    fn list<A: serde::de::SeqAccess<'de>>(mut list: A) -> Result<Result<Self, Fault>, A::Error> {
        let mut entries = Vec::new();
        while let Some(Got(entry)) = list.next_element::<Got<Read<T>>>()? {
            let entry = entry.and_then(|entry| entry.ok_or_else(|| Read::<T>::fault("null")));
            entries.push(match entry {
                Ok(Read(entry)) => entry,
                Err(fault) => Err(Refused { record_id: None, fault: fault.within("data[]") }),
            });
        }
        Ok(Ok(Self(entries)))
    }
}

struct ReadBody<T>(Result<Body<T>, Fault>);

impl<'de, T: Entry<'de>> Deserialize<'de> for ReadBody<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Got(body) = Got::<Self>::deserialize(from)?;
        let body = body.and_then(|body| body.ok_or_else(|| Self::fault("null")));
        Ok(body.unwrap_or_else(|fault| Self(Err(fault.within("the body")))))
    }
}

impl<'de, T: Entry<'de>> Shape<'de> for ReadBody<T> {
    const MUST_BE: &'static str = "an object with a list `data`";

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        let (mut data, mut drift, mut accuracy, mut fault) = (None, None, None, None);
        while let Some(Got(key)) = map.next_key::<Got<Text<'de>>>()? {
            let key = key.ok().flatten().map_or(Cow::Borrowed(""), |text| text.0);
            match &*key {
                "data" => field::<Entries<T>, A>(&mut map, "data", &mut data, &mut fault)?,
                "skipDriftTracking" => {
                    field::<Boolean, A>(&mut map, "skipDriftTracking", &mut drift, &mut fault)?;
                }
                "skipAccuracyTracking" => {
                    field::<Boolean, A>(
                        &mut map,
                        "skipAccuracyTracking",
                        &mut accuracy,
                        &mut fault,
                    )?;
                }
                _other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let body = match (fault, data) {
            (Some(fault), _) => Err(fault),
            (None, None) => {
                Err(Fault::new("data", "is missing: the body must be {\"data\": [..]}"))
            }
            (None, Some(Entries(data))) => Ok(Body {
                data,
                skip_drift_tracking: drift.is_some_and(|yes| yes.0),
                skip_accuracy_tracking: accuracy.is_some_and(|yes| yes.0),
            }),
        };
        Ok(Ok(Self(body)))
    }
}

/// Reads a field into a place, with a conversion; for the arms of [`Entry::take`].
macro_rules! take {
    ($map:ident, $fault:ident, $name:expr, $shape:ty => $place:expr) => {{
        let mut value: Option<$shape> = None;
        $crate::wire::rest::read::lenient::field($map, $name, &mut value, $fault)?;
        if let Some(value) = value {
            $place = value.0.into();
        }
    }};
}
use take;

impl<'de> Origin<'de> {
    fn take<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        fault: &mut Option<Fault>,
    ) -> Result<bool, A::Error> {
        match key {
            "recordId" => take!(map, fault, key, Text<'de> => self.record_id),
            "modelDigest" => take!(map, fault, key, Text<'de> => self.model_digest),
            "role" => take!(map, fault, key, Text<'de> => self.role),
            "gateway" => take!(map, fault, key, Text<'de> => self.gateway),
            _other => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Entry<'de> for RequestEntry<'de> {
    fn take<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        fault: &mut Option<Fault>,
    ) -> Result<bool, A::Error> {
        match key {
            "timestamp" => take!(map, fault, key, Time => self.timestamp),
            "modelId" => take!(map, fault, key, Text<'de> => self.model_id),
            "batchId" => take!(map, fault, key, Text<'de> => self.batch_id),
            "numPredictions" => take!(map, fault, key, Whole => self.num_predictions),
            "executionTime" => take!(map, fault, key, Float => self.execution_time),
            "userError" => take!(map, fault, key, Boolean => self.user_error),
            "systemError" => take!(map, fault, key, Boolean => self.system_error),
            _other => return Ok(false),
        }
        Ok(true)
    }
    fn empty() -> Self {
        Self::default()
    }
    fn origin(&mut self) -> &mut Origin<'de> {
        &mut self.origin
    }
    fn check(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;

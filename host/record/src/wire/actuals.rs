//! What a message with actuals holds, in the order in which the public library writes it.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::timestamp;
use crate::{Actual, ActualValue};

/// The payload of an `ACTUALS_DATA` message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActualsData<'a> {
    actuals_list: List<'a>,
    model_id: &'a str,
}

/// Actuals, and the time of those that have none.
struct List<'a> {
    actuals: &'a [Actual<'a>],
    timestamp: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    association_id: &'a str,
    actual_value: Value<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    was_acted_on: Option<bool>,
    timestamp: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Number(f64),
    Text(&'a str),
}

impl<'a> ActualsData<'a> {
    pub(super) fn new(actuals: &'a [Actual<'a>], timestamp: &'a str, model_id: &'a str) -> Self {
        Self { actuals_list: List { actuals, timestamp }, model_id }
    }
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.actuals.iter().map(|actual| Entry {
            association_id: &actual.association_id,
            actual_value: match &actual.value {
                ActualValue::Number(number) => Value::Number(*number),
                ActualValue::Text(text) => Value::Text(text),
            },
            was_acted_on: actual.acted_on,
            timestamp: match actual.timestamp_us {
                Some(us) => Cow::Owned(timestamp(us)),
                None => Cow::Borrowed(self.timestamp),
            },
        }))
    }
}

//! Outcomes that became known, and values of metrics that somebody defined.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess};

use super::lenient::{Boolean, Float, Got, List, Shape, Text, Time};
use super::{Entry, Fault, Origin, take};
use crate::wire::timestamp::Moment;

/// An entry of an `actuals/fromJSON/` call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActualEntry<'a> {
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// The prediction that it belongs to; never empty.
    pub association_id: Cow<'a, str>,
    /// What came true.
    pub actual_value: ActualValue<'a>,
    /// Somebody acted on the prediction.
    pub was_acted_on: Option<bool>,
    /// When it became known; none when it does not say.
    pub timestamp: Option<Moment>,
}

/// What came true.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ActualValue<'a> {
    /// Not said.
    #[default]
    Missing,
    /// A number.
    Number(f64),
    /// A class.
    Text(Cow<'a, str>),
}

impl<'de> Shape<'de> for ActualValue<'de> {
    const MUST_BE: &'static str = "a number or a text";

    fn boolean(value: bool) -> Option<Self> {
        Some(Self::Text(Cow::Borrowed(if value { "true" } else { "false" })))
    }
    fn number(value: f64) -> Option<Self> {
        Some(Self::Number(value))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self::Text(text))
    }
}

impl<'de> Entry<'de> for ActualEntry<'de> {
    fn take<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        fault: &mut Option<Fault>,
    ) -> Result<bool, A::Error> {
        match key {
            "associationId" => take!(map, fault, key, Text<'de> => self.association_id),
            "actualValue" => {
                let mut value = None;
                super::field(map, key, &mut value, fault)?;
                self.actual_value = value.unwrap_or_default();
            }
            "wasActedOn" => take!(map, fault, key, Boolean => self.was_acted_on),
            "timestamp" => take!(map, fault, key, Time => self.timestamp),
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
        if self.association_id.is_empty() {
            return Err(Fault::new("associationId", "is missing"));
        }
        if self.actual_value == ActualValue::Missing {
            return Err(Fault::new("actualValue", "is missing"));
        }
        Ok(())
    }
}

/// The body of a `customMetrics/<id>/fromJSON/` call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricBody<'a> {
    /// Where it comes from.
    pub origin: Origin<'a>,
    /// The model; none when the metric is the deployment's.
    pub model_id: Option<Cow<'a, str>>,
    /// The values.
    pub buckets: Vec<Bucket>,
}

/// A value of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// When; none when it does not say.
    pub timestamp: Option<Moment>,
    /// The value.
    pub value: f64,
}

impl<'de> Shape<'de> for Bucket {
    const MUST_BE: &'static str = "an object with `timestamp` and `value`";

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        let (mut time, mut value, mut fault) = (None, None, None);
        while let Some(Got(key)) = map.next_key::<Got<Text<'de>>>()? {
            match key.as_ref().ok().and_then(|key| key.as_ref().map(|text| &*text.0)) {
                Some("timestamp") => {
                    super::field::<Time, A>(&mut map, "timestamp", &mut time, &mut fault)?
                }
                Some("value") => {
                    super::field::<Float, A>(&mut map, "value", &mut value, &mut fault)?
                }
                _other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(match (fault, value) {
            (Some(fault), _) => Err(fault),
            (None, Some(Float(value))) => Ok(Self { timestamp: time.map(|time| time.0), value }),
            (None, None) => Err(Fault::new("value", "is missing")),
        })
    }
}

impl<'de> Entry<'de> for MetricBody<'de> {
    fn take<A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
        fault: &mut Option<Fault>,
    ) -> Result<bool, A::Error> {
        match key {
            "modelId" => take!(map, fault, key, Text<'de> => self.model_id),
            "buckets" => take!(map, fault, key, List<Bucket> => self.buckets),
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
        if self.buckets.is_empty() {
            return Err(Fault::new("buckets", "is missing or empty"));
        }
        Ok(())
    }
}

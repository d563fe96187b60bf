//! What rollups say: service health, drift and accuracy, as plain values that become JSON.
//!
//! A report is made of what groups came to in hours, and knows nothing of where that is kept. Where it has nothing to say
//! it says why, rather than zero.

pub mod accuracy;
pub mod drift;
pub mod health;

use serde::{Serialize, Serializer};

use crate::numbers::accuracy::Sums;
use crate::numbers::{Health, Tally, Usage};

/// An hour, in microseconds: the time that one part spans.
pub const HOUR_US: i64 = 3_600_000_000;

/// What one group came to in one hour.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// When the hour begins, in microseconds since 1970.
    pub start_us: i64,
    /// Whose records they are.
    pub group: Group<'a>,
    /// The number of the plan that the tallies were counted with.
    pub plan: Option<u32>,
    /// How requests went.
    pub health: &'a Health,
    /// What became of rows.
    pub usage: &'a Usage,
    /// The features, in the order of the plan.
    pub features: &'a [Tally],
    /// The predictions.
    pub predicted: Option<&'a Tally>,
    /// Predictions with their actuals.
    pub accuracy: &'a Sums,
}

/// Whose records are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group<'a> {
    /// The model's id.
    pub model_id: &'a str,
    /// The package, `sha256:<hex>`, where records name it.
    pub model_digest: Option<&'a str>,
    /// `canary` or `challenger`; none for the champion.
    #[serde(serialize_with = "role")]
    pub role: Option<&'a str>,
    /// The gateway that answered, where records name it.
    pub gateway: Option<&'a str>,
}

impl Group<'_> {
    /// Whether callers got its answers. A challenger scores what others answer, and would count every request twice.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.role != Some(CHALLENGER)
    }

    /// The role by its name.
    #[must_use]
    pub fn role_name(&self) -> &str {
        self.role.unwrap_or(CHAMPION)
    }
}

const CHAMPION: &str = "champion";
const CHALLENGER: &str = "challenger";

fn role<S: Serializer>(role: &Option<&str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.unwrap_or(CHAMPION))
}

/// A moment, in microseconds since 1970. In JSON it is a text of RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => serializer.collect_str(&moment),
            Err(_) => serializer.serialize_none(),
        }
    }
}

/// A stretch of time, from its first moment up to, but not including, its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Its first moment.
    pub start: Moment,
    /// Its end.
    pub end: Moment,
}

impl Window {
    /// Whether an hour begins in it.
    #[must_use]
    pub fn has(&self, start_us: i64) -> bool {
        (self.start.0..self.end.0).contains(&start_us)
    }

    /// The bucket of this width that an hour falls into. Buckets start at multiples of their width since 1970; widths are
    /// whole hours.
    fn bucket(start_us: i64, width_us: i64) -> Moment {
        let width_us = width_us.max(HOUR_US);
        Moment(start_us.div_euclid(width_us).saturating_mul(width_us))
    }
}

/// What a light would show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// All is well.
    Green,
    /// Somebody should look at it.
    Yellow,
    /// Somebody must.
    Red,
    /// Too few rows or requests to say.
    NotEnoughData,
    /// There is nothing to compare with.
    NoBaseline,
}

#[cfg(test)]
mod tests;

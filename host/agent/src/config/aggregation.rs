//! Whether rows are summed up before they are sent, and how.

use std::time::Duration;

use serde_json::{Value, json};

use super::keys::{boolean, size, whole};
use super::nearest::nearest;

/// Most centroids that a histogram may be given: each number costs a look at all of them.
const MOST_BINS: usize = 10_000;
const NAMES: [&str; 6] =
    ["enabled", "windowMs", "recordsMax", "bins", "categoriesMax", "keepRawForAccuracy"];

/// How rows are summed up before they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// They are.
    pub enabled: bool,
    /// So long the oldest record of a sum waits at most.
    pub window: Duration,
    /// Most records of a sum.
    pub records_max: usize,
    /// Most centroids of a histogram; up to so many distinct numbers it is exact.
    pub bins: usize,
    /// Most levels of a column that are listed.
    pub categories_max: usize,
    /// Predictions and association ids are sent as well, so that outcomes can be joined.
    pub keep_raw_for_accuracy: bool,
}

impl Default for Aggregation {
    fn default() -> Self {
        Self {
            enabled: false,
            window: Duration::from_secs(10),
            records_max: 1000,
            bins: 100,
            categories_max: 10_000,
            keep_raw_for_accuracy: true,
        }
    }
}

impl Aggregation {
    /// Reads the map of the file.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let map = value.as_object().ok_or("a map of its own settings")?;
        let mut found = Self::default();
        for (key, value) in map {
            let read = match key.as_str() {
                "enabled" => boolean(value).map(|yes| found.enabled = yes),
                "windowMs" => whole(value).map(|ms| found.window = Duration::from_millis(ms)),
                "recordsMax" => at_least_one(value, usize::MAX).map(|n| found.records_max = n),
                "bins" => at_least_one(value, MOST_BINS).map(|n| found.bins = n),
                "categoriesMax" => {
                    at_least_one(value, usize::MAX).map(|n| found.categories_max = n)
                }
                "keepRawForAccuracy" => boolean(value).map(|yes| found.keep_raw_for_accuracy = yes),
                unknown => {
                    let near = nearest(unknown, NAMES.into_iter());
                    let near = near.map_or_else(String::new, |near| format!(", perhaps {near:?}"));
                    let known = NAMES.join(", ");
                    return Err(format!("a map of {known}; {unknown:?} is none of them{near}"));
                }
            };
            read.map_err(|must_be| format!("a map in which {key} is {must_be}"))?;
        }
        Ok(found)
    }

    /// What [`Self::read`] reads.
    pub(super) fn show(&self) -> Value {
        json!({
            "enabled": self.enabled,
            "windowMs": self.window.as_millis() as u64,
            "recordsMax": self.records_max,
            "bins": self.bins,
            "categoriesMax": self.categories_max,
            "keepRawForAccuracy": self.keep_raw_for_accuracy,
        })
    }
}

fn at_least_one(value: &Value, most: usize) -> Result<usize, String> {
    let must_be = || match most {
        usize::MAX => "at least 1".to_owned(),
        most => format!("1 to {most}"),
    };
    size(value).ok().filter(|n| (1..=most).contains(n)).ok_or_else(must_be)
}

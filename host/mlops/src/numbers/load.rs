//! Requests per minute.
//!
//! A rollup keeps the 60 minutes of its hour. A report puts hours side by side ([`Loads`]): the same minute seen by two
//! gateways adds up, two hours do not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Minutes of an hour.
pub const MINUTES: usize = 60;

/// Requests in each minute of one hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// As long as the last minute with a request.
    minutes: Vec<u64>,
}

impl Load {
    /// Takes requests of a minute, 0 to 59; a later one counts as the last.
    pub fn add(&mut self, minute_of_hour: usize, requests: u64) {
        let minute = minute_of_hour.min(MINUTES - 1);
        if self.minutes.len() <= minute {
            self.minutes.resize(minute + 1, 0);
        }
        self.minutes[minute] += requests;
    }

    /// Takes another load of the **same** hour.
    pub fn merge(&mut self, other: &Self) {
        for (minute, requests) in other.minutes.iter().enumerate() {
            self.add(minute, *requests);
        }
    }
}

/// The loads of many hours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loads {
    hours: BTreeMap<i64, Load>,
}

impl Loads {
    /// Takes the load of an hour, by any number that tells hours apart.
    pub fn add(&mut self, hour: i64, load: &Load) {
        self.hours.entry(hour).or_default().merge(load);
    }

    /// The most requests in a minute; none when there was none.
    #[must_use]
    pub fn peak(&self) -> Option<u64> {
        self.busy().max()
    }

    /// The median of the minutes that had a request; none when there was none. Minutes without one say how long a window
    /// was chosen, not how busy the deployment is.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        let mut minutes: Vec<u64> = self.busy().collect();
        minutes.sort_unstable();
        let middle = minutes.len() / 2;
        let upper = *minutes.get(middle)?;
        let lower = if minutes.len() % 2 == 0 { minutes[middle - 1] } else { upper };
        Some((lower as f64 + upper as f64) / 2.0)
    }

    fn busy(&self) -> impl Iterator<Item = u64> {
        let minutes = self.hours.values().flat_map(|load| &load.minutes);
        minutes.copied().filter(|requests| *requests > 0)
    }
}

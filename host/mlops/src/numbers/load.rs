//! How many requests came in each minute.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Minutes of an hour.
pub const MINUTES: usize = 60;

/// The requests of one hour, minute by minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load(Vec<u64>);

impl Load {
    /// Counts requests in a minute of the hour, 0 to 59.
    pub fn add(&mut self, minute: usize, requests: u64) {
        self.0.resize(MINUTES, 0);
        let minute = &mut self.0[minute.min(MINUTES - 1)];
        *minute = minute.saturating_add(requests);
    }

    /// Adds what another group had in the same hour.
    pub fn merge(&mut self, other: &Self) {
        if other.0.is_empty() {
            return;
        }
        self.0.resize(MINUTES, 0);
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            *ours = ours.saturating_add(*theirs);
        }
    }

    /// The minutes that had requests.
    fn busy(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied().filter(|requests| *requests > 0)
    }
}

/// What the minutes of several hours came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Load")]
pub struct Peaks {
    /// Requests in the middle one of the minutes that had any; between the two middle ones when their number is even.
    pub median: Option<f64>,
    /// Requests in the busiest minute.
    pub peak: Option<u64>,
    /// Minutes that had requests.
    pub busy_minutes: u64,
}

impl Peaks {
    /// Of these hours. Each must be a different one: what several groups had in one hour is merged before.
    pub fn of<'a>(hours: impl IntoIterator<Item = &'a Load>) -> Self {
        let mut minutes: Vec<u64> = hours.into_iter().flat_map(Load::busy).collect();
        minutes.sort_unstable();
        let half = minutes.len() / 2;
        let middle = |at: usize| minutes.get(at).map(|requests| *requests as f64);
        let median = match minutes.len() % 2 {
            1 => middle(half),
            _even => {
                half.checked_sub(1).and_then(middle).zip(middle(half)).map(|(a, b)| (a + b) / 2.0)
            }
        };
        Self { median, peak: minutes.last().copied(), busy_minutes: minutes.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_of_an_hour_add_up_before_minutes_are_compared() {
        let (mut one, mut two) = (Load::default(), Load::default());
        assert_eq!(Peaks::of([&one]), Peaks::default());
        one.add(0, 3);
        one.add(59, 5);
        two.add(0, 4);
        one.merge(&two);
        one.merge(&Load::default());
        let mut next = Load::default();
        next.add(0, 1);
        let peaks = Peaks::of([&one, &next]);
        assert_eq!(peaks, Peaks { median: Some(5.0), peak: Some(7), busy_minutes: 3 });
        assert_eq!(Peaks::of([&one]).median, Some(6.0));
    }
}

//! Plain counts of requests and rows.

use serde::{Deserialize, Serialize};

use super::{Load, Times};

/// How the requests of one hour went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Requests.
    pub requests: u64,
    /// Predictions that they got.
    pub predictions: u64,
    /// Requests that failed, and the caller was to blame.
    pub user_errors: u64,
    /// Requests that failed, and the model or what runs it was to blame.
    pub system_errors: u64,
    /// Requests that took longer than the deployment's limit.
    pub slow: u64,
    /// How long requests took.
    pub times: Times,
    /// Requests in each minute.
    pub load: Load,
}

impl Health {
    /// Adds what another group had in the same hour. Of other hours the counts and times add up too, but the load does
    /// not: [`super::load::Peaks`] takes it hour by hour.
    pub fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.predictions = self.predictions.saturating_add(other.predictions);
        self.user_errors = self.user_errors.saturating_add(other.user_errors);
        self.system_errors = self.system_errors.saturating_add(other.system_errors);
        self.slow = self.slow.saturating_add(other.slow);
        self.times.merge(&other.times);
        self.load.merge(&other.load);
    }
}

/// What became of the rows of one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Rows that arrived.
    pub rows: u64,
    /// Of them, those without an association id, which can never meet an actual.
    pub without_association_id: u64,
    /// Of them, those beyond the deployment's limit, which are counted nowhere else.
    pub rate_limited: u64,
}

impl Usage {
    /// Adds what another group or hour had.
    pub fn merge(&mut self, other: &Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.without_association_id =
            self.without_association_id.saturating_add(other.without_association_id);
        self.rate_limited = self.rate_limited.saturating_add(other.rate_limited);
    }
}

//! How a deployment is doing, and how it is used.

use serde::{Deserialize, Serialize};

use super::{load::Load, times::Times};

/// Service health of one group in one hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Requests, those that failed too.
    pub requests: u64,
    /// Rows that were predicted.
    pub predictions: u64,
    /// Requests that failed by the caller's fault.
    pub user_errors: u64,
    /// Requests that failed by ours.
    pub system_errors: u64,
    /// Requests that took longer than the deployment's limit.
    pub slow: u64,
    /// Execution times.
    pub times: Times,
    /// Requests per minute of the hour.
    pub load: Load,
}

impl Health {
    /// Takes everything of another of the same hour. Of another hour all but `load` is right: a report reads
    /// loads through [`Loads`](super::Loads).
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.predictions += other.predictions;
        self.user_errors += other.user_errors;
        self.system_errors += other.system_errors;
        self.slow += other.slow;
        self.times.merge(&other.times);
        self.load.merge(&other.load);
    }
}

/// What was processed, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Rows processed.
    pub rows: u64,
    /// Of them, rows without an association id.
    pub without_association_id: u64,
    /// Rows refused because too many came.
    pub rate_limited: u64,
}

impl Usage {
    /// Takes everything of another.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.without_association_id += other.without_association_id;
        self.rate_limited += other.rate_limited;
    }
}

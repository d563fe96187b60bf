//! The desk, for whoever looks at it.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Desk;
use crate::lane::{Health, Lane};
use crate::parked::Park;

/// A lane, for whoever looks at the statistics.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LaneStatus {
    pub(crate) deployment: String,
    pub(crate) call: String,
    pub(crate) waiting_records: usize,
    pub(crate) waiting_bytes: usize,
    pub(crate) parked_bytes: u64,
    pub(crate) failures: u32,
    pub(crate) state: &'static str,
    pub(crate) why: Option<String>,
    pub(crate) next_try_in_ms: Option<u64>,
}

impl Desk {
    /// Records that wait, in memory and on the disk's account.
    pub(crate) fn left(&self) -> (usize, u64) {
        let state = self.state.lock();
        let waiting = |lane: &Lane| {
            lane.items.len() + lane.again.iter().map(|batch| batch.items.len()).sum::<usize>()
        };
        (state.lanes.values().map(waiting).sum(), self.parked.load(Ordering::Relaxed))
    }

    /// Calls that are being made.
    pub(crate) fn calling(&self) -> usize {
        self.state.lock().calling
    }

    /// All lanes that have something, or trouble.
    pub(crate) fn status(&self) -> Vec<LaneStatus> {
        let now = Instant::now();
        let state = self.state.lock();
        let status = |lane: &Lane| {
            let again = lane.again.iter().map(|batch| batch.items.len()).sum::<usize>();
            let (state, why) = match &lane.health {
                Health::Fine => ("fine", None),
                Health::Waiting { why } => ("waiting", Some(why.clone())),
                Health::Operator { why } => ("needs an operator", Some(why.clone())),
            };
            LaneStatus {
                deployment: lane.key.deployment.clone(),
                call: lane.key.path().join("/"),
                waiting_records: lane.items.len() + again,
                waiting_bytes: lane.bytes,
                parked_bytes: lane.park.as_ref().map_or(0, Park::bytes),
                failures: lane.failures,
                state,
                why,
                next_try_in_ms: lane
                    .until
                    .map(|until| until.saturating_duration_since(now).as_millis() as u64),
            }
        };
        state.lanes.values().map(status).collect()
    }
}

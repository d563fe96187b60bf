//! What bounds the desk and its lanes.

use std::path::PathBuf;

use record::wire::rest::Kind;

use crate::config::Config;
use crate::lane::{Caps, LaneKey};

/// The settings, as the desk needs them.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) config: Config,
    pub(super) directory: PathBuf,
}

impl Limits {
    /// Most of everything in a call of a lane.
    pub(super) fn caps(&self, key: &LaneKey) -> Caps {
        let config = &self.config;
        let aggregator = config.aggregator(key.data_type());
        let (entries, rows) = match key.kind {
            Kind::Requests | Kind::Stats => (config.max_aggregated_records, usize::MAX),
            Kind::Inputs(_) => (config.max_groups, config.rows_per_call),
            Kind::Actuals => (config.actuals_per_call, usize::MAX),
            Kind::CustomMetric(_) | Kind::Event | Kind::Ping => (1, usize::MAX),
        };
        // Outcomes of one prediction replace each other in the order in which they come; events are a story.
        let calls = match &key.kind {
            Kind::Requests | Kind::Inputs(_) | Kind::Stats => {
                (config.http_concurrent_request / 2).max(1)
            }
            _other => 1,
        };
        let bytes = config.call_bytes;
        Caps { entries, rows, bytes, ready: aggregator.records, wait: aggregator.wait, calls }
    }
}

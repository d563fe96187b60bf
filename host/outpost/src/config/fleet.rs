//! What is said about all deployments together.

use super::Fleet as Proven;
use crate::error::CliError;
use gateway::{FleetSettings, WatchSettings};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fleet {
    pub(super) models: Option<PathBuf>,
    default: Option<String>,
    pub(super) state: PathBuf,
    deployments_max: usize,
    challengers_max: usize,
    versions_kept: usize,
    watch_requests: u64,
    watch_faults_max: f64,
    watch_late: u64,
    shadow_cpu_max: f64,
    shadow_bytes_max: usize,
}

impl Fleet {
    /// A state folder is kept where something can change.
    pub(super) fn proven(self, changes: bool) -> Result<Proven, CliError> {
        let rules = [
            ("deployments_max", "must be at least 1", self.deployments_max > 0),
            (
                "versions_kept",
                "must be at least 2, or there is none to go back to",
                self.versions_kept > 1,
            ),
            (
                "watch_faults_max",
                "must be from 0 to 1",
                (0.0..=1.0).contains(&self.watch_faults_max),
            ),
            (
                "shadow_cpu_max",
                "must be above 0 and at most 1",
                self.shadow_cpu_max > 0.0 && self.shadow_cpu_max <= 1.0,
            ),
        ];
        if let Some((key, rule, _)) = rules.into_iter().find(|(_, _, kept)| !kept) {
            return Err(CliError::Usage(format!("fleet.{key} {rule}")));
        }
        Ok(Proven {
            state: (changes || self.models.is_some()).then_some(self.state),
            models: self.models,
            default: self.default,
            settings: FleetSettings {
                deployments: self.deployments_max,
                challengers: self.challengers_max,
                versions: self.versions_kept,
                watch: WatchSettings {
                    requests: self.watch_requests,
                    faults: self.watch_faults_max,
                    late: Duration::from_millis(self.watch_late),
                },
                shadow_cpu: self.shadow_cpu_max,
                shadow_bytes: self.shadow_bytes_max,
            },
        })
    }
}

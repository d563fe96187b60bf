//! The deployments of a gateway, and everything that can be done to them.

mod change;
mod report;

pub use change::{Change, ChangeError, ChangeFault, Place, Push};
pub use report::{
    CanaryReport, ChallengerReport, ChannelReport, ComparisonReport, DeploymentReport, Event,
    FleetReport, OutboxReport, PackageReport, VersionReport, WatchReport,
};

use std::sync::Arc;

use crate::state::State;

/// The deployments of a gateway, from any thread. Cheap to clone.
///
/// Changes block while packages are compiled and files are synced, so they do not belong on a thread of requests.
#[derive(Clone, Debug)]
pub struct Fleet {
    #[expect(dead_code, reason = "skeleton")]
    state: Arc<State>,
}

/// Skeleton: the bodies are being written.
#[expect(unused_variables, clippy::todo, missing_docs, reason = "skeleton")]
impl Fleet {
    /// All deployments, as they are now.
    pub fn report(&self) -> FleetReport {
        todo!()
    }
    /// One of them.
    pub fn deployment(&self, id: &str) -> Option<DeploymentReport> {
        todo!()
    }
    /// The last changes, the latest first; only of this deployment where one is named.
    pub fn events(&self, deployment: Option<&str>) -> Vec<Event> {
        todo!()
    }
    pub fn push(&self, push: Push) -> Result<Change, ChangeError> {
        todo!()
    }
    /// The canary becomes the champion; or, where `challenger` names one, that challenger.
    pub fn promote(
        &self,
        deployment: &str,
        challenger: Option<&str>,
        force: bool,
        by: &str,
    ) -> Result<Change, ChangeError> {
        todo!()
    }
    /// The champion before comes back.
    pub fn rollback(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        todo!()
    }
    pub fn set_canary_share(
        &self,
        deployment: &str,
        share: f64,
        by: &str,
    ) -> Result<Change, ChangeError> {
        todo!()
    }
    pub fn abort_canary(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        todo!()
    }
    pub fn remove_challenger(
        &self,
        deployment: &str,
        name: &str,
        by: &str,
    ) -> Result<Change, ChangeError> {
        todo!()
    }
    pub fn remove(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        todo!()
    }
    pub fn set_default(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        todo!()
    }
    /// The deployment (or the whole gateway) answers 503 from now on and is not ready, until `resume`.
    pub fn drain(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError> {
        todo!()
    }
    pub fn resume(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError> {
        todo!()
    }
    /// Leaves an audit line about something that is not a deployment's: a new log level.
    pub fn note(&self, event: Event) {
        todo!()
    }
}

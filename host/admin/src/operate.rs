//! What this room needs of the deployments. The gateway's fleet gives it; tests give it too.

use gateway::fleet::{Change, ChangeError, DeploymentReport, Event, Fleet, FleetReport, Push};

/// Deployments that can be looked at and changed. Each call may block. What each does, and refuses, the methods of
/// [`Fleet`] with the same names say.
#[expect(missing_docs, reason = "the fleet's methods have the words")]
pub trait Operate: Send + Sync + 'static {
    fn report(&self) -> FleetReport;
    fn deployment(&self, id: &str) -> Option<DeploymentReport>;
    fn events(&self, deployment: Option<&str>) -> Vec<Event>;
    fn push(&self, push: Push) -> Result<Change, ChangeError>;
    fn promote(
        &self,
        deployment: &str,
        challenger: Option<&str>,
        force: bool,
        by: &str,
    ) -> Result<Change, ChangeError>;
    fn rollback(&self, deployment: &str, by: &str) -> Result<Change, ChangeError>;
    fn set_canary_share(
        &self,
        deployment: &str,
        share: f64,
        by: &str,
    ) -> Result<Change, ChangeError>;
    fn abort_canary(&self, deployment: &str, by: &str) -> Result<Change, ChangeError>;
    fn remove_challenger(
        &self,
        deployment: &str,
        name: &str,
        by: &str,
    ) -> Result<Change, ChangeError>;
    fn remove(&self, deployment: &str, by: &str) -> Result<Change, ChangeError>;
    fn set_default(&self, deployment: &str, by: &str) -> Result<Change, ChangeError>;
    fn drain(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError>;
    fn resume(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError>;
    fn note(&self, event: Event);
}

impl Operate for Fleet {
    fn report(&self) -> FleetReport {
        Self::report(self)
    }

    fn deployment(&self, id: &str) -> Option<DeploymentReport> {
        Self::deployment(self, id)
    }

    fn events(&self, deployment: Option<&str>) -> Vec<Event> {
        Self::events(self, deployment)
    }

    fn push(&self, push: Push) -> Result<Change, ChangeError> {
        Self::push(self, push)
    }

    fn promote(
        &self,
        deployment: &str,
        challenger: Option<&str>,
        force: bool,
        by: &str,
    ) -> Result<Change, ChangeError> {
        Self::promote(self, deployment, challenger, force, by)
    }

    fn rollback(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        Self::rollback(self, deployment, by)
    }

    fn set_canary_share(
        &self,
        deployment: &str,
        share: f64,
        by: &str,
    ) -> Result<Change, ChangeError> {
        Self::set_canary_share(self, deployment, share, by)
    }

    fn abort_canary(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        Self::abort_canary(self, deployment, by)
    }

    fn remove_challenger(
        &self,
        deployment: &str,
        name: &str,
        by: &str,
    ) -> Result<Change, ChangeError> {
        Self::remove_challenger(self, deployment, name, by)
    }

    fn remove(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        Self::remove(self, deployment, by)
    }

    fn set_default(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        Self::set_default(self, deployment, by)
    }

    fn drain(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError> {
        Self::drain(self, deployment, by)
    }

    fn resume(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError> {
        Self::resume(self, deployment, by)
    }

    fn note(&self, event: Event) {
        Self::note(self, event);
    }
}

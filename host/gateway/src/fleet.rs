//! The deployments of a gateway, and everything that can be done to them.
//!
//! # Constraints
//!
//! * A request is answered by the line-up that it began with. A change replaces the line-up in one store and waits for
//!   nobody; who has left it is dropped when its last request ends.
//! * A package is trusted, compiled, proven on its golden rows and warm before it is in any line-up. One that fails at
//!   any of that changes nothing.
//! * What is changed is on disk before it serves: killed at any moment, the gateway comes back with the line-up of before or
//!   the one of after.
//! * What is said to serve is what serves: all that is told about a deployment is read from its line-up.
//!
//! # Operation
//!
//! `lineup` is who takes part, `watch` and `pace` judge packages by their calls, `shadow` lets challengers score along,
//! `compare` compares. `operate` is what can be asked for, `arrive` checks packages on their way in, `install` makes a
//! change so, `verdict` ends a trial. `start` brings back what a restart finds, `folder` follows a folder of
//! packages, `store` and `events` remember.
//!
//! # Failure
//!
//! Every refusal is a [`ChangeError`] that says why and whose fault it is, and leaves an event.

mod arrive;
#[cfg(test)]
mod bare;
mod change;
mod compare;
mod events;
mod features;
mod folder;
mod install;
mod lineup;
mod names;
mod operate;
mod pace;
mod report;
mod shadow;
mod start;
mod stats;
mod store;
mod tell;
mod trust;
mod verdict;
mod versions;
mod watch;

pub use change::{Change, ChangeError, ChangeFault, Place, Push};
pub use report::{
    CanaryReport, ChallengerReport, ChannelReport, ComparisonReport, DeploymentReport, Event,
    FleetReport, OutboxReport, PackageReport, VersionReport, WatchReport,
};
pub use start::DeploymentPlan;
pub use store::StoreError;
pub use trust::Trust;

pub(crate) use compare::Comparison;
pub(crate) use folder::Follower;
pub(crate) use lineup::{Champion, Lineup, Pick, Slot};
#[cfg(test)]
pub(crate) use pace::PROBATION;
pub(crate) use pace::Pace;
pub(crate) use shadow::{Shadow, ShadowJob};
pub(crate) use stats::CallStats;
pub(crate) use tell::Readiness;
pub(crate) use watch::{Verdict, Watch};

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use engine::{Engine, LimitSettings};
use parking_lot::Mutex;

use crate::{
    settings::{DeploymentSettings, FleetSettings},
    state::State,
};
use events::Events;
use store::{Saved, Store};

/// The longest id of a deployment and name of a challenger, in characters.
pub(crate) const NAME_CHARS: usize = 128;

/// What a gateway's deployments are started with.
#[derive(Debug, Default)]
pub struct FleetPlan {
    /// Deployments that the settings name.
    pub deployments: Vec<DeploymentPlan>,
    /// The deployment that `/predict` serves; without one, the first of the settings, or the only one there is.
    pub default: Option<String>,
    /// A folder of packages to follow: each `<id>.wasm` is the champion of the deployment with that id.
    pub folder: Option<PathBuf>,
    /// Where changes are remembered. Without it nothing survives a restart.
    pub state: Option<PathBuf>,
    /// What is asked of packages.
    pub trust: Trust,
    /// How deployments that the settings do not name treat their requests.
    pub deployment: DeploymentSettings,
    /// What their packages may use.
    pub limits: LimitSettings,
    /// Limits of all together.
    pub settings: FleetSettings,
}

/// What changes need, beside the deployments themselves.
#[derive(Debug)]
pub(crate) struct Operations {
    /// None in tests, whose models are no packages.
    engine: Option<Engine>,
    trust: Trust,
    store: Option<Store>,
    /// What is on disk, where there is a store.
    saved: Mutex<Saved>,
    events: Events,
    deployment: Arc<DeploymentSettings>,
    limits: LimitSettings,
    /// The default that the settings name.
    default: Option<String>,
    pub(crate) settings: FleetSettings,
}

/// All deployments at one moment.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    by_id: HashMap<Arc<str>, Arc<Slot>>,
    default: Option<Arc<Slot>>,
}

/// The deployments of a gateway, from any thread. Cheap to clone.
///
/// Changes block while packages are compiled and files are synced, so they do not belong on a thread of requests. Each
/// leaves an event and, with a state folder, a line in its `audit.jsonl`, also when it is refused.
#[derive(Clone, Debug)]
pub struct Fleet {
    state: Arc<State>,
}

impl Slots {
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Slot>> {
        self.by_id.get(id)
    }

    /// The deployment that `/predict` serves.
    pub(crate) fn default(&self) -> Option<&Arc<Slot>> {
        self.default.as_ref()
    }

    /// By id.
    pub(crate) fn sorted(&self) -> Vec<&Arc<Slot>> {
        let mut all: Vec<_> = self.by_id.values().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}

impl Operations {
    /// Without engine, store and trust, for models that are no packages.
    #[cfg(test)]
    pub(crate) fn bare(settings: FleetSettings) -> Self {
        Self::assemble(
            None,
            FleetPlan { settings, ..FleetPlan::default() },
            None,
            Saved::default(),
            Events::default(),
        )
    }

    fn assemble(
        engine: Option<Engine>,
        plan: FleetPlan,
        store: Option<Store>,
        saved: Saved,
        events: Events,
    ) -> Self {
        let FleetPlan { default, trust, deployment, limits, settings, .. } = plan;
        let deployment = Arc::new(deployment);
        Self {
            engine,
            trust,
            store,
            saved: Mutex::new(saved),
            events,
            deployment,
            limits,
            default,
            settings,
        }
    }
}

impl Fleet {
    pub(crate) fn of(state: &Arc<State>) -> Self {
        Self { state: Arc::clone(state) }
    }

    fn operations(&self) -> &Operations {
        &self.state.operations
    }

    fn slot(&self, id: &str) -> Result<Arc<Slot>, ChangeError> {
        let slot = self.state.slots.load().get(id).cloned();
        slot.ok_or_else(|| ChangeError::NoDeployment(id.to_owned()))
    }
}

//! Who answers for a deployment, who answers for a share, and who only scores along.

use std::{
    hash::{BuildHasher as _, Hasher as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
};

use arc_swap::ArcSwap;
use engine::LimitSettings;
use foldhash::fast::FixedState;
use jiff::Timestamp;
use parking_lot::Mutex;
use record::Role;

use super::{compare::Comparison, stats::Traffic, watch::Watch};
use crate::{deployment::Serving, settings::DeploymentSettings};

/// The seed of the canary's dice: the same on every gateway and after every start, so that an association id that once went
/// to the canary goes to it again.
const DICE: u64 = 0x6f75_7470_6f73_7421;

/// A deployment: a named place that packages come into and leave.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: Arc<str>,
    pub(crate) name: String,
    pub(crate) made_by: MadeBy,
    pub(crate) settings: Arc<DeploymentSettings>,
    pub(crate) limits: LimitSettings,
    /// The model id that the settings give to the package that they name.
    pub(crate) model_id: Option<String>,
    pub(crate) lineup: ArcSwap<Lineup>,
    pub(crate) draining: AtomicBool,
    pub(crate) traffic: Traffic,
    /// Held by whoever changes the line-up. The champion before stays loaded, so that it is back at once.
    pub(crate) previous: Mutex<Option<Arc<Serving>>>,
}

/// Who made a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MadeBy {
    /// The settings.
    #[default]
    Config,
    /// A file in the watched folder.
    Folder,
    /// The admin API.
    Admin,
}

/// Who takes part in a deployment at one moment. A request keeps the one that it began with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lineup {
    pub(crate) champion: Option<Champion>,
    pub(crate) canary: Option<Canary>,
    pub(crate) challengers: Vec<Arc<Challenger>>,
}

/// Who answers.
#[derive(Clone, Debug)]
pub(crate) struct Champion {
    pub(crate) serving: Arc<Serving>,
    pub(crate) since: Timestamp,
    /// While it is new.
    pub(crate) watch: Option<Arc<Watch>>,
}

/// Who answers a share.
#[derive(Clone, Debug)]
pub(crate) struct Canary {
    pub(crate) serving: Arc<Serving>,
    pub(crate) since: Timestamp,
    pub(crate) share: f64,
    pub(crate) watch: Arc<Watch>,
    pub(crate) comparison: Arc<Comparison>,
}

/// Who scores along.
#[derive(Debug)]
pub(crate) struct Challenger {
    pub(crate) name: String,
    pub(crate) serving: Arc<Serving>,
    pub(crate) since: Timestamp,
    pub(crate) comparison: Comparison,
    pub(crate) shed: AtomicU64,
}

/// Who is to answer a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick<'a> {
    pub(crate) serving: &'a Arc<Serving>,
    pub(crate) role: Role,
    pub(crate) watch: Option<&'a Arc<Watch>>,
}

impl MadeBy {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Folder => "folder",
            Self::Admin => "admin",
        }
    }
}

impl Champion {
    pub(crate) fn pick(&self) -> Pick<'_> {
        Pick { serving: &self.serving, role: Role::Champion, watch: self.watch.as_ref() }
    }
}

impl Canary {
    /// Whether a request with this key is the canary's. The same key always gets the same answer to that while the share
    /// stays, and a larger share only adds keys.
    pub(crate) fn takes(&self, key: &str) -> bool {
        let mut dice = FixedState::with_seed(DICE).build_hasher();
        dice.write(key.as_bytes());
        // The upper 53 bits, as a number from 0 to 1.
        let drawn = (dice.finish() >> 11) as f64 / (1u64 << 53) as f64;
        drawn < self.share
    }

    pub(crate) fn pick(&self) -> Pick<'_> {
        Pick { serving: &self.serving, role: Role::Canary, watch: Some(&self.watch) }
    }
}

impl Lineup {
    pub(crate) fn challenger(&self, name: &str) -> Option<&Arc<Challenger>> {
        self.challengers.iter().find(|challenger| challenger.name == name)
    }

    /// Whether anybody scores along after this one has answered.
    pub(crate) fn is_shadowed(&self, answered: Role) -> bool {
        !self.challengers.is_empty() || answered == Role::Canary
    }
}

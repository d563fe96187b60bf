//! The start: deployments of the settings, and what the state folder says was decided since.
//!
//! While the settings (or the folder) name the package that they named last, whatever was decided since then stands: a
//! rollback is not undone by a restart. When they name another one, that is the newer decision.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use engine::{Engine, LimitSettings, Package};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::{
    Fleet, FleetPlan, Operations,
    arrive::Arrival,
    change::{ChangeError, Place},
    events::Events,
    install::admit_challenger,
    lineup::{Champion, Lineup, MadeBy, Slot},
    names::check_id,
    operate::chain,
    store::{Saved, SavedDeployment, Store, StoreError},
};
use crate::{deployment::Serving, gateway::GatewayError, settings::DeploymentSettings};

/// Who the settings are in events.
const CONFIG: &str = "config";

/// A deployment that the settings name.
#[derive(Debug)]
pub struct DeploymentPlan {
    /// Its id: the last part but one of `/deployments/{id}/predict`, and the record's deployment id.
    pub id: String,
    /// Its name for people; the id when there is none.
    pub name: Option<String>,
    /// The package that it starts with.
    pub package: Package,
    /// A signature that is not in the package.
    pub signature: Option<Vec<u8>>,
    /// The package's id on the monitoring side; the first 24 digits of its digest when there is none. Packages that come
    /// later have their own.
    pub model_id: Option<String>,
    /// How it treats its requests.
    pub settings: DeploymentSettings,
    /// What its packages may use.
    pub limits: LimitSettings,
}

impl Operations {
    /// Opens the state folder, where there is one.
    pub(crate) fn open(
        engine: Engine,
        plan: FleetPlan,
    ) -> Result<(Self, Vec<DeploymentPlan>), StoreError> {
        let mut plan = plan;
        let deployments = std::mem::take(&mut plan.deployments);
        if plan.default.is_none() {
            plan.default = deployments.first().map(|first| first.id.clone());
        }
        let (store, saved) = match &plan.state {
            Some(folder) => {
                let (store, saved) = Store::open(folder)?;
                (Some(store), saved)
            }
            None => (None, Saved::default()),
        };
        let audit = store.as_ref().map(Store::audit);
        let events = Events::open(audit.as_deref())
            .map_err(|source| StoreError::Io { path: audit.clone().unwrap_or_default(), source })?;
        Ok((Self::assemble(Some(engine), plan, store, saved, events), deployments))
    }
}

impl Fleet {
    /// Starts the deployments of the settings, and those that were made since. Whatever the settings name must load.
    /// `follows` tells whether there is a folder to follow.
    pub(crate) fn start(
        &self,
        plans: &[DeploymentPlan],
        follows: bool,
    ) -> Result<(), GatewayError> {
        self.forget_unnamed(plans, follows)?;
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(plans.len());
        let work = || {
            while let Some(plan) = plans.get(next.fetch_add(1, Relaxed)) {
                if failed.lock().is_some() {
                    return;
                }
                if let Err(source) = self.start_one(plan) {
                    let id = plan.id.clone();
                    failed.lock().get_or_insert(GatewayError::Deployment { id, source });
                }
            }
        };
        if threads > 1 {
            std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        } else {
            work();
        }
        if let Some(error) = failed.into_inner() {
            return Err(error);
        }
        let made: Vec<String> = {
            let saved = self.operations().saved.lock();
            let made = saved.deployments.iter().filter(|(_, entry)| entry.made_by == MadeBy::Admin);
            made.map(|(id, _)| id.clone()).collect()
        };
        for id in made.iter().filter(|id| self.slot(id).is_err()) {
            match self.new_slot(id) {
                Ok(slot) => self.restart(&Arc::new(slot)),
                Err(error) => {
                    tracing::error!(deployment = id, error = chain(&error), "Not restarted")
                }
            }
        }
        Ok(())
    }

    /// What the settings no longer name is gone.
    fn forget_unnamed(&self, plans: &[DeploymentPlan], follows: bool) -> Result<(), GatewayError> {
        let edit = |saved: &mut Saved| {
            saved.deployments.retain(|id, entry| match entry.made_by {
                MadeBy::Config => plans.iter().any(|plan| plan.id == *id),
                MadeBy::Folder => follows,
                MadeBy::Admin => true,
            });
            Ok(())
        };
        self.commit(None, edit, || {})
            .map_err(|source| GatewayError::Deployment { id: String::new(), source })
    }

    fn start_one(&self, plan: &DeploymentPlan) -> Result<(), ChangeError> {
        check_id(&plan.id)?;
        let slot = Slot {
            name: plan.name.clone().unwrap_or_else(|| plan.id.clone()),
            made_by: MadeBy::Config,
            settings: Arc::new(plan.settings.clone()),
            limits: plan.limits.clone(),
            model_id: plan.model_id.clone(),
            ..self.new_slot(&plan.id)?
        };
        self.begin(&Arc::new(slot), &plan.package, plan.signature.as_deref(), CONFIG)
    }

    /// Starts a slot with the package that settings or folder name, or with what was decided since they named it first.
    pub(super) fn begin(
        &self,
        slot: &Arc<Slot>,
        package: &Package,
        signature: Option<&[u8]>,
        by: &str,
    ) -> Result<(), ChangeError> {
        let digest = package.digest().to_string();
        let entry = self.saved(&slot.id).filter(|entry| entry.given.as_deref() == Some(&*digest));
        if let Some(entry) = entry {
            let signer = || {
                let signer = self.operations().trust.signer(package, signature);
                Ok(signer.map_err(ChangeError::Untrusted)?.map(ToString::to_string))
            };
            let serving = match entry.champion() {
                Some(champion) if champion == digest => {
                    // It was deployed before; only trust may have changed since.
                    Some(self.load(slot, package, signer()?, slot.model_id.clone())?)
                }
                Some(champion) => self.tried(slot, self.recall(slot, champion)),
                None => None,
            };
            if let Some(serving) = serving {
                self.restore(slot, serving, &entry);
                return Ok(());
            }
        }
        let arrive = || {
            self.arrive(Arrival {
                slot,
                package,
                signature,
                place: Place::Champion,
                force: true,
                by,
                how: "start",
                given: true,
            })
        };
        self.told(&slot.id, "deploy", by, Some(digest), arrive).map(drop)
    }

    /// Brings a deployment back from the state folder alone: with its champion, or else the one before.
    pub(super) fn restart(&self, slot: &Arc<Slot>) {
        let Some(entry) = self.saved(&slot.id) else { return };
        for version in entry.history.iter().rev() {
            if let Some(serving) = self.tried(slot, self.recall(slot, &version.digest)) {
                return self.restore(slot, serving, &entry);
            }
        }
        // It is still there, and says that it has no model.
        let _saved = self.operations().saved.lock();
        self.set_slot(&slot.id, Some(slot));
    }

    /// A package from the state folder, or an event that says why not.
    fn tried(
        &self,
        slot: &Slot,
        loaded: Result<Arc<Serving>, ChangeError>,
    ) -> Option<Arc<Serving>> {
        match loaded {
            Ok(serving) => Some(serving),
            Err(error) => {
                let error = chain(&error);
                tracing::error!(deployment = &*slot.id, error, "Package of before not restarted");
                None
            }
        }
    }

    fn saved(&self, id: &str) -> Option<SavedDeployment> {
        self.operations().saved.lock().deployments.get(id).cloned()
    }

    /// The line-up of before, as far as it loads.
    fn restore(&self, slot: &Arc<Slot>, serving: Arc<Serving>, entry: &SavedDeployment) {
        let since = entry.history.iter().rev().find(|version| version.digest == serving.digest);
        let since = since.and_then(|version| version.since.parse().ok());
        let since = since.unwrap_or_else(Timestamp::now);
        let champion = Some(Champion { serving, since, watch: None });
        slot.lineup.store(Arc::new(Lineup { champion, ..Lineup::default() }));
        for (name, digest) in &entry.challengers {
            if let Some(serving) = self.tried(slot, self.recall(slot, digest)) {
                admit_challenger(slot, &serving, name);
            }
        }
        if let Some(canary) = &entry.canary
            && let Some(serving) = self.tried(slot, self.recall(slot, &canary.digest))
        {
            self.admit_canary(slot, &serving, canary.share);
        }
        let install = || self.set_slot(&slot.id, Some(slot));
        // Nothing is written, because nothing changes.
        if let Err(error) = self.commit(None, |_| Ok(()), install) {
            tracing::error!(error = chain(&error), "State not kept");
        }
    }
}

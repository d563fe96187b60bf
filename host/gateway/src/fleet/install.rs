//! The change itself: the state on disk, and then the one store that makes it so.

use std::sync::Arc;

use engine::Package;
use jiff::Timestamp;

use super::{
    Fleet, Slots,
    arrive::version,
    change::ChangeError,
    compare::Comparison,
    lineup::{Canary, Challenger, Champion, Lineup, Slot},
    store::{Saved, SavedDeployment, SavedVersion},
    versions,
    watch::Watch,
};
use crate::deployment::Serving;

/// Champions that were taken back, and are still told of.
const WITHDRAWN: usize = 20;

impl Fleet {
    /// Writes the state, then makes it so. Both under one lock, so that disk and memory tell of the same order of changes.
    pub(super) fn commit(
        &self,
        package: Option<(&Package, Option<&[u8]>)>,
        edit: impl FnOnce(&mut Saved) -> Result<(), ChangeError>,
        install: impl FnOnce(),
    ) -> Result<(), ChangeError> {
        let operations = self.operations();
        let mut saved = operations.saved.lock();
        let mut next = saved.clone();
        edit(&mut next)?;
        if let Some(store) = &operations.store {
            let fail = |what: &str| {
                let what = what.to_owned();
                move |source| ChangeError::Store { what, source }
            };
            if let Some((package, signature)) = package {
                store.put(package, signature).map_err(fail("store the package"))?;
            }
            if next != *saved {
                store.save(&next).map_err(fail("write the state"))?;
            }
            if let Err(error) = store.sweep(&next) {
                tracing::warn!(%error, "Packages that nobody wants are still stored");
            }
        }
        *saved = next;
        install();
        self.settle_default(&saved);
        Ok(())
    }

    /// Puts a slot into the map, or takes it out. The caller holds the state's lock.
    pub(super) fn set_slot(&self, id: &Arc<str>, slot: Option<&Arc<Slot>>) {
        let slots = self.state.slots.load();
        let mut by_id = slots.by_id.clone();
        match slot {
            Some(slot) => drop(by_id.insert(Arc::clone(id), Arc::clone(slot))),
            None => drop(by_id.remove(id)),
        }
        self.state.slots.store(Arc::new(Slots { by_id, default: slots.default.clone() }));
    }

    /// Finds the deployment that `/predict` serves: the one that an operator or the settings have named, or the only one.
    pub(super) fn settle_default(&self, saved: &Saved) {
        let slots = self.state.slots.load();
        let named = [&saved.default, &self.operations().default];
        let named = named.into_iter().flatten().find_map(|id| slots.get(id));
        let only = || slots.by_id.values().next().filter(|_| slots.by_id.len() == 1);
        let default = named.or_else(only).cloned();
        let same = |a: &Option<Arc<Slot>>, b: &Option<Arc<Slot>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        if !same(&default, &slots.default) {
            let by_id = slots.by_id.clone();
            self.state.slots.store(Arc::new(Slots { by_id, default }));
        }
    }

    /// Makes a package the champion, with the one before standing by.
    pub(super) fn crown(
        &self,
        slot: &Arc<Slot>,
        previous: &mut Option<Arc<Serving>>,
        serving: &Arc<Serving>,
        challenger: Option<&str>,
    ) {
        let settings = self.operations().settings.watch;
        let old = slot.lineup.load_full();
        let watch =
            old.champion.as_ref().filter(|_| settings.requests > 0).map(|old| {
                Arc::new(Watch::new(serving, Arc::clone(&old.serving), settings, false))
            });
        if let Some(old) = &old.champion {
            if watch.is_none() {
                old.serving.scorer.rest();
            }
            *previous = Some(Arc::clone(&old.serving));
        }
        let mut challengers = old.challengers.clone();
        challengers.retain(|other| Some(&*other.name) != challenger);
        let serving = Arc::clone(serving);
        let champion = Some(Champion { serving, since: Timestamp::now(), watch });
        slot.lineup.store(Arc::new(Lineup { champion, canary: None, challengers }));
        if self.state.slots.load().get(&slot.id).is_none() {
            self.set_slot(&slot.id, Some(slot));
        }
    }

    pub(super) fn admit_canary(&self, slot: &Slot, serving: &Arc<Serving>, share: f64) {
        let mut lineup = Lineup::clone(&slot.lineup.load());
        let Some(champion) = &lineup.champion else { return };
        let settings = self.operations().settings.watch;
        let watch = Watch::new(serving, Arc::clone(&champion.serving), settings, true);
        lineup.canary = Some(Canary {
            serving: Arc::clone(serving),
            since: Timestamp::now(),
            share,
            watch: Arc::new(watch),
            comparison: Arc::default(),
        });
        slot.lineup.store(Arc::new(lineup));
    }

    /// Puts the champion before in the champion's place. It has stood its trial, so nobody watches it.
    pub(super) fn take_back(
        &self,
        slot: &Arc<Slot>,
        previous: &mut Option<Arc<Serving>>,
        serving: &Arc<Serving>,
        by: &str,
        how: &str,
        why: &str,
    ) -> Result<(), ChangeError> {
        let edit = |saved: &mut Saved| {
            let entry = saved.deployments.entry(slot.id.to_string()).or_default();
            while let Some(mut gone) = entry.history.pop_if(|last| last.digest != serving.digest) {
                gone.withdrawn = Some(why.to_owned());
                entry.withdrawn.push(gone);
            }
            let over = entry.withdrawn.len().saturating_sub(WITHDRAWN);
            entry.withdrawn.drain(..over);
            entry.history.pop();
            entry.history.push(version(serving, by, how));
            entry.canary = None;
            Ok(())
        };
        self.commit(None, edit, || {
            let challengers = slot.lineup.load().challengers.clone();
            let serving = Arc::clone(serving);
            let champion = Some(Champion { serving, since: Timestamp::now(), watch: None });
            slot.lineup.store(Arc::new(Lineup { champion, canary: None, challengers }));
            *previous = None;
        })
    }
}

pub(super) fn admit_challenger(slot: &Slot, serving: &Arc<Serving>, name: &str) {
    let mut lineup = Lineup::clone(&slot.lineup.load());
    lineup.challengers.retain(|other| other.name != name);
    lineup.challengers.push(Arc::new(Challenger {
        name: name.to_owned(),
        serving: Arc::clone(serving),
        since: Timestamp::now(),
        comparison: Comparison::default(),
        shed: 0.into(),
    }));
    slot.lineup.store(Arc::new(lineup));
}

impl SavedDeployment {
    /// Another champion. A canary was one beside the champion of before, so it goes.
    pub(super) fn crown(&mut self, version: SavedVersion, kept: usize) {
        if self.floor.as_deref().is_none_or(|floor| versions::follows(&version.version, floor)) {
            self.floor = Some(version.version.clone());
        }
        self.history.push(version);
        let over = self.history.len().saturating_sub(kept.max(2));
        self.history.drain(..over);
        self.canary = None;
    }
}

impl Saved {
    /// Notes what the settings or the folder have named.
    pub(super) fn given(&mut self, slot: &Slot, digest: Option<&str>) -> Result<(), ChangeError> {
        let entry = self.deployments.entry(slot.id.to_string()).or_default();
        entry.made_by = slot.made_by;
        if let Some(digest) = digest {
            entry.given = Some(digest.to_owned());
        }
        Ok(())
    }
}

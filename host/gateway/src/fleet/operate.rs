//! Changes: what is checked in which order, what is written when, and the one store that makes it so.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use engine::Package;
use jiff::Timestamp;
use parking_lot::MutexGuard;
use record::Role;

use super::{
    Fleet, NAME_CHARS, Slots,
    change::{Change, ChangeError, Place, Push},
    compare::Comparison,
    events::{now, time},
    features::differences,
    lineup::{Canary, Challenger, Champion, Lineup, MadeBy, Slot},
    report::Event,
    store::{Saved, SavedCanary, SavedVersion},
    versions,
    watch::{Verdict, Watch},
};
use crate::{deployment::Serving, scoring};

/// Who the gateway itself is in events.
const GATEWAY: &str = "gateway";
/// Champions that were taken back, and are still told of.
const WITHDRAWN: usize = 20;

/// A package on its way into a slot, which may be in use or new.
pub(super) struct Arrival<'a> {
    pub(super) slot: &'a Arc<Slot>,
    pub(super) package: &'a Package,
    pub(super) signature: Option<&'a [u8]>,
    pub(super) place: Place,
    pub(super) force: bool,
    pub(super) by: &'a str,
    /// As in [`super::VersionReport::how`].
    pub(super) how: &'static str,
    /// Whether it comes from the settings or the folder, so that its next start finds it there again.
    pub(super) given: bool,
}

/// Where a package that is ready comes from, as in [`Arrival`].
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    /// To be stored.
    pub(super) package: Option<(&'a Package, Option<&'a [u8]>)>,
    pub(super) by: &'a str,
    pub(super) how: &'static str,
    pub(super) given: bool,
}

/// The right to change a slot, and the champion before the one that serves.
type Previous<'a> = MutexGuard<'a, Option<Arc<Serving>>>;

impl Slot {
    fn changing(&self) -> Result<Previous<'_>, ChangeError> {
        self.previous.try_lock().ok_or_else(|| ChangeError::UnderWay(self.id.to_string()))
    }

    fn champion(&self) -> Result<Champion, ChangeError> {
        self.lineup.load().champion.clone().ok_or_else(|| self.lacks("champion"))
    }

    fn lacks(&self, what: &str) -> ChangeError {
        ChangeError::Nothing { deployment: self.id.to_string(), what: what.to_owned() }
    }

    fn change(&self, action: &'static str, from: Option<&Serving>, to: Option<&Serving>) -> Change {
        let digest = |serving: &Serving| serving.digest.clone();
        Change {
            deployment: self.id.to_string(),
            action,
            from: from.map(digest),
            to: to.map(digest),
            warnings: Vec::new(),
        }
    }
}

impl Fleet {
    /// Brings a package into a deployment: trusted, compiled, proven and warm before anybody sees it.
    ///
    /// # Errors
    ///
    /// Any of [`ChangeError`]; the deployment is as it was.
    pub fn push(&self, push: Push) -> Result<Change, ChangeError> {
        let Push { deployment, package, signature, place, force, by } = push;
        let action = action(&place);
        let wanted = package.digest().to_string();
        self.told(&deployment, action, &by, Some(wanted), || {
            let slot = match self.slot(&deployment) {
                Ok(slot) => slot,
                Err(_) if place == Place::Champion => {
                    check_name("deployment", &deployment)?;
                    Arc::new(self.new_slot(&deployment)?)
                }
                Err(error) => return Err(error),
            };
            self.arrive(Arrival {
                slot: &slot,
                package: &package,
                signature: signature.as_deref(),
                place: place.clone(),
                force,
                by: &by,
                how: "deploy",
                given: false,
            })
        })
    }

    /// Makes the canary the champion, or the challenger with this name. `force` goes on where a challenger drops or
    /// retypes a feature in use.
    ///
    /// # Errors
    ///
    /// When there is no such deployment, canary or challenger, or it may not serve.
    pub fn promote(
        &self,
        deployment: &str,
        challenger: Option<&str>,
        force: bool,
        by: &str,
    ) -> Result<Change, ChangeError> {
        self.told(deployment, "promote", by, None, || {
            let slot = self.slot(deployment)?;
            let mut previous = slot.changing()?;
            let lineup = slot.lineup.load_full();
            let serving = match challenger {
                None => lineup.canary.as_ref().map(|canary| Arc::clone(&canary.serving)),
                Some(name) => lineup.challenger(name).map(|found| Arc::clone(&found.serving)),
            };
            let what =
                challenger.map_or("canary".to_owned(), |name| format!("challenger {name:?}"));
            let serving = serving.ok_or_else(|| slot.lacks(&what))?;
            let champion = slot.champion()?;
            let warnings = compatible(&champion.serving, &serving, force)?;
            self.newer(&slot, &serving.version)?;
            let edit = |saved: &mut Saved| {
                let entry = saved.deployments.entry(slot.id.to_string()).or_default();
                if let Some(name) = challenger {
                    entry.challengers.remove(name);
                }
                entry.crown(version(&serving, by, "promote"), self.operations().settings.versions);
                Ok(())
            };
            self.commit(None, edit, || self.crown(&slot, &mut previous, &serving, challenger))?;
            Ok(Change {
                warnings,
                ..slot.change("promote", Some(&champion.serving), Some(&serving))
            })
        })
    }

    /// Brings the champion before back. It is at once there when it was replaced since the start; an older one is loaded.
    ///
    /// # Errors
    ///
    /// When there is no such deployment, or no champion before.
    pub fn rollback(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        self.told(deployment, "rollback", by, None, || {
            let slot = self.slot(deployment)?;
            let mut previous = slot.changing()?;
            let champion = slot.champion()?;
            let serving = self.before(&slot, &previous)?;
            self.take_back(&slot, &mut previous, &serving, by, "rollback", "rolled back")?;
            Ok(slot.change("rollback", Some(&champion.serving), Some(&serving)))
        })
    }

    /// Gives the canary another share.
    ///
    /// # Errors
    ///
    /// When there is no such deployment or no canary, or the share is not above 0 and below 1.
    pub fn set_canary_share(
        &self,
        deployment: &str,
        share: f64,
        by: &str,
    ) -> Result<Change, ChangeError> {
        self.told(deployment, "canary", by, None, || {
            check_share(share)?;
            let slot = self.slot(deployment)?;
            let _changing = slot.changing()?;
            let mut lineup = Lineup::clone(&slot.lineup.load());
            let canary = lineup.canary.as_mut().ok_or_else(|| slot.lacks("canary"))?;
            canary.share = share;
            let serving = Arc::clone(&canary.serving);
            let edit = |saved: &mut Saved| {
                let digest = serving.digest.clone();
                let entry = saved.deployments.entry(slot.id.to_string()).or_default();
                entry.canary = Some(SavedCanary { digest, share });
                Ok(())
            };
            self.commit(None, edit, || slot.lineup.store(Arc::new(lineup)))?;
            Ok(slot.change("canary", Some(&serving), Some(&serving)))
        })
    }

    /// Ends the canary; the champion answers all requests again.
    ///
    /// # Errors
    ///
    /// When there is no such deployment or no canary.
    pub fn abort_canary(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        self.told(deployment, "canary-abort", by, None, || {
            let slot = self.slot(deployment)?;
            let _changing = slot.changing()?;
            self.drop_canary(&slot)
        })
    }

    /// Ends a challenger.
    ///
    /// # Errors
    ///
    /// When there is no such deployment or challenger.
    pub fn remove_challenger(
        &self,
        deployment: &str,
        name: &str,
        by: &str,
    ) -> Result<Change, ChangeError> {
        self.told(deployment, "challenger-remove", by, None, || {
            let slot = self.slot(deployment)?;
            let _changing = slot.changing()?;
            let mut lineup = Lineup::clone(&slot.lineup.load());
            let what = || slot.lacks(&format!("challenger {name:?}"));
            let gone = Arc::clone(lineup.challenger(name).ok_or_else(what)?);
            lineup.challengers.retain(|other| other.name != name);
            let edit = |saved: &mut Saved| {
                let entry = saved.deployments.entry(slot.id.to_string()).or_default();
                entry.challengers.remove(name);
                Ok(())
            };
            self.commit(None, edit, || slot.lineup.store(Arc::new(lineup)))?;
            Ok(slot.change("challenger-remove", Some(&gone.serving), None))
        })
    }

    /// Removes a deployment that the admin API has made.
    ///
    /// # Errors
    ///
    /// When there is no such deployment, or when it comes from the settings or the folder: there it is to be removed.
    pub fn remove(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        self.told(deployment, "remove", by, None, || {
            let slot = self.slot(deployment)?;
            let rule = match slot.made_by {
                MadeBy::Admin => return self.forget(&slot),
                MadeBy::Config => "is named by the settings; take it out there",
                MadeBy::Folder => "is a file in the watched folder; remove the file",
            };
            Err(ChangeError::Invalid { field: "deployment", rule: rule.to_owned() })
        })
    }

    /// Lets `/predict` serve this deployment.
    ///
    /// # Errors
    ///
    /// When there is no such deployment.
    pub fn set_default(&self, deployment: &str, by: &str) -> Result<Change, ChangeError> {
        self.told(deployment, "default", by, None, || {
            let slot = self.slot(deployment)?;
            let edit = |saved: &mut Saved| {
                saved.default = Some(deployment.to_owned());
                Ok(())
            };
            self.commit(None, edit, || {})?;
            Ok(slot.change("default", None, None))
        })
    }

    /// Takes no requests any more, until [`Fleet::resume`]: a deployment answers 503; the whole gateway also says that it
    /// is not ready, so that a balancer sends nobody.
    ///
    /// # Errors
    ///
    /// When there is no such deployment.
    pub fn drain(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError> {
        self.pause(deployment, true, "drain", by)
    }

    /// Takes requests again.
    ///
    /// # Errors
    ///
    /// When there is no such deployment.
    pub fn resume(&self, deployment: Option<&str>, by: &str) -> Result<(), ChangeError> {
        self.pause(deployment, false, "resume", by)
    }

    /// Leaves an event about something that is not a deployment's, such as a new log level.
    pub fn note(&self, event: Event) {
        self.operations().events.note(event);
    }

    fn pause(
        &self,
        deployment: Option<&str>,
        paused: bool,
        action: &'static str,
        by: &str,
    ) -> Result<(), ChangeError> {
        match deployment {
            Some(id) => {
                let pause = || {
                    let slot = self.slot(id)?;
                    slot.draining.store(paused, Relaxed);
                    Ok(slot.change(action, None, None))
                };
                self.told(id, action, by, None, pause).map(drop)
            }
            None => {
                self.state.paused.store(paused, Relaxed);
                self.note(event(None, action, by, true));
                Ok(())
            }
        }
    }

    /// Makes a change and leaves an event of it. `wanted` is the digest of a package that may be refused.
    pub(super) fn told(
        &self,
        deployment: &str,
        action: &'static str,
        by: &str,
        wanted: Option<String>,
        change: impl FnOnce() -> Result<Change, ChangeError>,
    ) -> Result<Change, ChangeError> {
        let result = change();
        let mut event = event(Some(deployment), action, by, result.is_ok());
        match &result {
            Ok(change) => {
                (event.from, event.to) = (change.from.clone(), change.to.clone());
                event.message = (!change.warnings.is_empty()).then(|| change.warnings.join("; "));
            }
            Err(error) => {
                let champion = self.slot(deployment).and_then(|slot| slot.champion());
                event.from = champion.ok().map(|champion| champion.serving.digest.clone());
                event.to = wanted;
                event.message = Some(chain(error));
            }
        }
        self.note(event);
        result
    }

    /// A slot that is in no map yet.
    pub(super) fn new_slot(&self, id: &str) -> Result<Slot, ChangeError> {
        let operations = self.operations();
        if self.state.slots.load().len() >= operations.settings.deployments {
            let rule = format!(
                "would be number {}, and fleet.deployments_max is {}",
                operations.settings.deployments + 1,
                operations.settings.deployments
            );
            return Err(ChangeError::Invalid { field: "deployment", rule });
        }
        Ok(Slot {
            id: id.into(),
            name: id.to_owned(),
            made_by: MadeBy::Admin,
            settings: Arc::clone(&operations.deployment),
            limits: operations.limits.clone(),
            model_id: None,
            lineup: Default::default(),
            draining: false.into(),
            traffic: Default::default(),
            previous: Default::default(),
        })
    }

    /// Everything between a package and its place.
    pub(super) fn arrive(&self, arrival: Arrival<'_>) -> Result<Change, ChangeError> {
        let Arrival { slot, package, signature, place, force, by, how, given } = arrival;
        let operations = self.operations();
        self.check_place(slot, &place)?;
        let mut previous = slot.changing()?;
        let champion = slot.lineup.load().champion.clone();
        let champion = champion.as_ref().map(|champion| &champion.serving);
        if champion.is_none() && place != Place::Champion {
            return Err(slot.lacks("champion"));
        }
        let action = action(&place);
        if let Some(champion) = champion
            && champion.digest == package.digest().to_string()
        {
            if place != Place::Champion {
                let rule = "is the champion's own package".to_owned();
                return Err(ChangeError::Invalid { field: "package", rule });
            }
            self.commit(
                None,
                |saved| saved.given(slot, given.then_some(&*champion.digest)),
                || {},
            )?;
            let warnings = vec!["the deployment serves this package already".to_owned()];
            return Ok(Change { warnings, ..slot.change(action, Some(champion), Some(champion)) });
        }
        let signer = operations.trust.signer(package, signature).map_err(ChangeError::Untrusted)?;
        let signer = signer.map(ToString::to_string);
        if !matches!(place, Place::Challenger(_)) {
            self.newer(slot, &package.manifest().version)?;
        }
        // Said before the long work; challengers answer nobody, so they may take what they like.
        let warnings = match (&place, champion) {
            (Place::Challenger(_), _) | (_, None) => Vec::new(),
            (_, Some(champion)) => {
                judge(champion.scorer.features(), &package.manifest().features, force)?
            }
        };
        let model_id = if given { slot.model_id.clone() } else { None };
        let serving = self.load(slot, package, signer, model_id)?;
        let origin = Origin { package: Some((package, signature)), by, how, given };
        let change = self.seat(slot, &mut previous, &serving, &place, origin)?;
        Ok(Change { warnings, ..change })
    }

    /// Refuses a share, a name or a number of challengers out of range.
    pub(super) fn check_place(&self, slot: &Slot, place: &Place) -> Result<(), ChangeError> {
        let most = self.operations().settings.challengers;
        match place {
            Place::Champion => Ok(()),
            Place::Canary(share) => check_share(*share),
            Place::Challenger(name) => {
                check_name("challenger", name)?;
                let lineup = slot.lineup.load();
                if lineup.challenger(name).is_some() || lineup.challengers.len() < most {
                    return Ok(());
                }
                let rule = format!("would be one too many: fleet.challengers_max is {most}");
                Err(ChangeError::Invalid { field: "challenger", rule })
            }
        }
    }

    /// Gives a package that is ready its place.
    pub(super) fn seat(
        &self,
        slot: &Arc<Slot>,
        previous: &mut Option<Arc<Serving>>,
        serving: &Arc<Serving>,
        place: &Place,
        origin: Origin<'_>,
    ) -> Result<Change, ChangeError> {
        let Origin { package, by, how, given } = origin;
        let versions = self.operations().settings.versions;
        let edit = |saved: &mut Saved| {
            if self.state.slots.load().get(&slot.id).is_none_or(|other| !Arc::ptr_eq(other, slot))
                && saved.deployments.contains_key(&*slot.id)
                && slot.made_by == MadeBy::Admin
            {
                // Somebody else has made it meanwhile.
                return Err(ChangeError::UnderWay(slot.id.to_string()));
            }
            saved.given(slot, given.then_some(&*serving.digest))?;
            let entry = saved.deployments.entry(slot.id.to_string()).or_default();
            let digest = serving.digest.clone();
            match place {
                Place::Champion => entry.crown(version(serving, by, how), versions),
                Place::Canary(share) => entry.canary = Some(SavedCanary { digest, share: *share }),
                Place::Challenger(name) => drop(entry.challengers.insert(name.clone(), digest)),
            }
            Ok(())
        };
        let from = self.replaced(slot, place);
        self.commit(package, edit, || match place {
            Place::Champion => self.crown(slot, previous, serving, None),
            Place::Canary(share) => self.admit_canary(slot, serving, *share),
            Place::Challenger(name) => admit_challenger(slot, serving, name),
        })?;
        Ok(slot.change(action(place), from.as_deref(), Some(serving)))
    }

    /// Who has the place now.
    fn replaced(&self, slot: &Slot, place: &Place) -> Option<Arc<Serving>> {
        let lineup = slot.lineup.load();
        match place {
            Place::Champion => lineup.champion.as_ref().map(|champion| &champion.serving),
            Place::Canary(_) => lineup.canary.as_ref().map(|canary| &canary.serving),
            Place::Challenger(name) => lineup.challenger(name).map(|found| &found.serving),
        }
        .cloned()
    }

    fn newer(&self, slot: &Slot, version: &str) -> Result<(), ChangeError> {
        let operations = self.operations();
        let saved = operations.saved.lock();
        let entry = saved.deployments.get(&*slot.id);
        operations.trust.newer(version, entry.and_then(|entry| entry.floor.as_deref()))
    }

    /// Compiles, proves and binds a package.
    pub(super) fn load(
        &self,
        slot: &Slot,
        package: &Package,
        signer: Option<String>,
        model_id: Option<String>,
    ) -> Result<Arc<Serving>, ChangeError> {
        let engine = self.operations().engine.as_ref().ok_or_else(|| ChangeError::Invalid {
            field: "package",
            rule: "cannot be loaded: this gateway has no engine".to_owned(),
        })?;
        let scorer = engine.load(package, slot.limits.clone()).map_err(ChangeError::Load)?;
        let scorer = Box::new(scoring::Package(scorer));
        let settings = Arc::clone(&slot.settings);
        Serving::new(Arc::clone(&slot.id), model_id, scorer, signer, settings)
            .map(Arc::new)
            .map_err(ChangeError::Bind)
    }

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
    fn settle_default(&self, saved: &Saved) {
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

    fn drop_canary(&self, slot: &Slot) -> Result<Change, ChangeError> {
        let mut lineup = Lineup::clone(&slot.lineup.load());
        let canary = lineup.canary.take().ok_or_else(|| slot.lacks("canary"))?;
        let edit = |saved: &mut Saved| {
            saved.deployments.entry(slot.id.to_string()).or_default().canary = None;
            Ok(())
        };
        self.commit(None, edit, || slot.lineup.store(Arc::new(lineup)))?;
        Ok(slot.change("canary-abort", Some(&canary.serving), None))
    }

    /// Removes a deployment whoever made it.
    pub(super) fn forget(&self, slot: &Arc<Slot>) -> Result<Change, ChangeError> {
        let _changing = slot.changing()?;
        let gone = slot.lineup.load().champion.clone();
        let edit = |saved: &mut Saved| {
            saved.deployments.remove(&*slot.id);
            Ok(())
        };
        self.commit(None, edit, || self.set_slot(&slot.id, None))?;
        Ok(slot.change("remove", gone.as_ref().map(|gone| &*gone.serving), None))
    }

    /// The champion before the one that serves, loaded.
    fn before(
        &self,
        slot: &Slot,
        previous: &Option<Arc<Serving>>,
    ) -> Result<Arc<Serving>, ChangeError> {
        let operations = self.operations();
        let champion = slot.champion()?;
        let digest = {
            let saved = operations.saved.lock();
            let entry = saved.deployments.get(&*slot.id);
            let before = entry.and_then(|entry| entry.before(&champion.serving.digest));
            before.ok_or_else(|| slot.lacks("champion to go back to"))?.digest.clone()
        };
        match (previous, &operations.store) {
            (Some(previous), _) if previous.digest == digest => Ok(Arc::clone(previous)),
            (_, Some(_)) => self.recall(slot, &digest),
            (_, None) => Err(slot.lacks("champion to go back to")),
        }
    }

    /// Loads a package from the state folder, trusted as if it were new.
    pub(super) fn recall(&self, slot: &Slot, digest: &str) -> Result<Arc<Serving>, ChangeError> {
        let operations = self.operations();
        let unread = |source| ChangeError::Store { what: format!("read package {digest}"), source };
        let store = operations.store.as_ref().ok_or_else(|| slot.lacks("stored packages"))?;
        let (package, signature) = store.get(digest).map_err(unread)?;
        let signer = operations.trust.signer(&package, signature.as_deref());
        let signer = signer.map_err(ChangeError::Untrusted)?.map(ToString::to_string);
        let given = operations
            .saved
            .lock()
            .deployments
            .get(&*slot.id)
            .and_then(|entry| entry.given.clone());
        let model_id = slot.model_id.clone().filter(|_| given.as_deref() == Some(digest));
        self.load(slot, &package, signer, model_id)
    }

    /// Puts the champion before in the champion's place. It has stood its trial, so nobody watches it.
    fn take_back(
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

    /// Acts on the verdict about a new package. Waits for changes under way, so it belongs on no thread of requests.
    pub(crate) fn judged(&self, slot: &Arc<Slot>, digest: &str, role: Role, verdict: Verdict) {
        let mut previous = slot.previous.lock();
        let lineup = slot.lineup.load_full();
        let champion =
            lineup.champion.as_ref().filter(|champion| champion.serving.digest == digest);
        let canary = lineup.canary.as_ref().filter(|canary| canary.serving.digest == digest);
        // Whoever has changed the line-up meanwhile knew better.
        match (role, verdict, champion.and_then(|champion| champion.watch.as_ref()), canary) {
            (Role::Champion, Verdict::Good, Some(watch), _) => {
                let mut settled = Lineup::clone(&lineup);
                if let Some(champion) = &mut settled.champion {
                    champion.watch = None;
                }
                slot.lineup.store(Arc::new(settled));
                watch.fallback.scorer.rest();
            }
            (Role::Champion, Verdict::Bad, Some(watch), _) => {
                let why = watch.why();
                let done = self.told(&slot.id, "automatic-rollback", GATEWAY, None, || {
                    let how = "automatic-rollback";
                    self.take_back(slot, &mut previous, &watch.fallback, GATEWAY, how, &why)?;
                    let change = slot.change(
                        how,
                        champion.map(|gone| &*gone.serving),
                        Some(&watch.fallback),
                    );
                    Ok(Change { warnings: vec![why.clone()], ..change })
                });
                if let Err(error) = done {
                    tracing::error!(error = chain(&error), "A bad package serves on");
                }
            }
            (Role::Canary, Verdict::Bad, _, Some(canary)) => {
                let why = canary.watch.why();
                let done = self.told(&slot.id, "canary-abort", GATEWAY, None, || {
                    Ok(Change { warnings: vec![why], ..self.drop_canary(slot)? })
                });
                if let Err(error) = done {
                    tracing::error!(error = chain(&error), "A bad canary serves on");
                }
            }
            _ => {}
        }
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

fn action(place: &Place) -> &'static str {
    match place {
        Place::Champion => "deploy",
        Place::Canary(_) => "canary",
        Place::Challenger(_) => "challenger-add",
    }
}

fn event(deployment: Option<&str>, action: &'static str, by: &str, done: bool) -> Event {
    Event {
        at: now(),
        deployment: deployment.map(str::to_owned),
        action,
        by: by.to_owned(),
        from: None,
        to: None,
        done,
        message: None,
    }
}

/// What serves from now on, as the state has it.
fn version(serving: &Serving, by: &str, how: &str) -> SavedVersion {
    SavedVersion {
        digest: serving.digest.clone(),
        name: serving.name.clone(),
        version: serving.version.clone(),
        since: time(Timestamp::now()),
        by: by.to_owned(),
        how: how.to_owned(),
        withdrawn: None,
    }
}

fn compatible(old: &Serving, new: &Serving, force: bool) -> Result<Vec<String>, ChangeError> {
    judge(old.scorer.features(), new.scorer.features(), force)
}

/// What callers notice, as warnings; or as an error, unless it is forced.
fn judge(
    old: &[models::schema::Feature],
    new: &[models::schema::Feature],
    force: bool,
) -> Result<Vec<String>, ChangeError> {
    let mut found = differences(old, new);
    if !found.breaking.is_empty() && !force {
        return Err(ChangeError::Schema(found.breaking));
    }
    found.breaking.append(&mut found.harmless);
    Ok(found.breaking)
}

/// Ids are parts of paths, of file names and of commands.
pub(super) fn check_name(field: &'static str, name: &str) -> Result<(), ChangeError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=NAME_CHARS).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
        return Ok(());
    }
    let rule = format!(
        "must be 1 to {NAME_CHARS} letters, digits, `.`, `_` or `-`, not beginning with a dot"
    );
    Err(ChangeError::Invalid { field, rule })
}

/// Ids of the settings are the caller's own business, as long as they can be a path's segment, escaped where needed.
pub(super) fn check_id(id: &str) -> Result<(), ChangeError> {
    let fits = (1..=NAME_CHARS).contains(&id.chars().count());
    if fits && !id.contains('/') && !id.chars().any(char::is_control) {
        return Ok(());
    }
    let rule = format!("must be 1 to {NAME_CHARS} characters, without `/` and control characters");
    Err(ChangeError::Invalid { field: "id", rule })
}

fn check_share(share: f64) -> Result<(), ChangeError> {
    if share > 0.0 && share < 1.0 {
        return Ok(());
    }
    let rule =
        "must be above 0 and below 1 (100 %); `promote` gives a canary everything".to_owned();
    Err(ChangeError::Invalid { field: "share", rule })
}

/// An error with everything behind it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl super::store::SavedDeployment {
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
    fn given(&mut self, slot: &Slot, digest: Option<&str>) -> Result<(), ChangeError> {
        let entry = self.deployments.entry(slot.id.to_string()).or_default();
        entry.made_by = slot.made_by;
        if let Some(digest) = digest {
            entry.given = Some(digest.to_owned());
        }
        Ok(())
    }
}

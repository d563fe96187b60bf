//! What operators, the folder and the gateway itself can ask for: one method each, and an event of each.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use parking_lot::MutexGuard;

use super::{
    Fleet,
    arrive::{Arrival, action, compatible, version},
    change::{Change, ChangeError, Place, Push},
    events::now,
    lineup::{Champion, Lineup, MadeBy, Slot},
    names::{check_name, check_share},
    report::Event,
    store::{Saved, SavedCanary},
};
use crate::deployment::Serving;

/// The right to change a slot, and the champion before the one that serves.
pub(super) type Previous<'a> = MutexGuard<'a, Option<Arc<Serving>>>;

impl Slot {
    pub(super) fn changing(&self) -> Result<Previous<'_>, ChangeError> {
        self.previous.try_lock().ok_or_else(|| ChangeError::UnderWay(self.id.to_string()))
    }

    pub(super) fn champion(&self) -> Result<Champion, ChangeError> {
        self.lineup.load().champion.clone().ok_or_else(|| self.lacks("champion"))
    }

    pub(super) fn lacks(&self, what: &str) -> ChangeError {
        ChangeError::Nothing { deployment: self.id.to_string(), what: what.to_owned() }
    }

    pub(super) fn change(
        &self,
        action: &'static str,
        from: Option<&Serving>,
        to: Option<&Serving>,
    ) -> Change {
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

    pub(super) fn pause(
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

    pub(super) fn drop_canary(&self, slot: &Slot) -> Result<Change, ChangeError> {
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
    pub(super) fn before(
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
}

pub(super) fn event(deployment: Option<&str>, action: &'static str, by: &str, done: bool) -> Event {
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

/// An error with everything behind it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

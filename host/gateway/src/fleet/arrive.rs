//! The way of a package into a deployment: what is checked in which order, before anybody sees it.

use std::sync::Arc;

use engine::Package;
use jiff::Timestamp;
use models::schema::Feature;

use super::{
    Fleet,
    change::{Change, ChangeError, Place},
    events::time,
    features::differences,
    install::admit_challenger,
    lineup::{MadeBy, Slot},
    names::{check_name, check_share},
    store::{Saved, SavedCanary, SavedVersion},
};
use crate::{deployment::Serving, scoring};

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

impl Fleet {
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
    pub(super) fn replaced(&self, slot: &Slot, place: &Place) -> Option<Arc<Serving>> {
        let lineup = slot.lineup.load();
        match place {
            Place::Champion => lineup.champion.as_ref().map(|champion| &champion.serving),
            Place::Canary(_) => lineup.canary.as_ref().map(|canary| &canary.serving),
            Place::Challenger(name) => lineup.challenger(name).map(|found| &found.serving),
        }
        .cloned()
    }

    pub(super) fn newer(&self, slot: &Slot, version: &str) -> Result<(), ChangeError> {
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
}

pub(super) fn action(place: &Place) -> &'static str {
    match place {
        Place::Champion => "deploy",
        Place::Canary(_) => "canary",
        Place::Challenger(_) => "challenger-add",
    }
}

/// What serves from now on, as the state has it.
pub(super) fn version(serving: &Serving, by: &str, how: &str) -> SavedVersion {
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

pub(super) fn compatible(
    old: &Serving,
    new: &Serving,
    force: bool,
) -> Result<Vec<String>, ChangeError> {
    judge(old.scorer.features(), new.scorer.features(), force)
}

/// What callers notice, as warnings; or as an error, unless it is forced.
pub(super) fn judge(
    old: &[Feature],
    new: &[Feature],
    force: bool,
) -> Result<Vec<String>, ChangeError> {
    let mut found = differences(old, new);
    if !found.breaking.is_empty() && !force {
        return Err(ChangeError::Schema(found.breaking));
    }
    found.breaking.append(&mut found.harmless);
    Ok(found.breaking)
}

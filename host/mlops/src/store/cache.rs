//! Rollups of deployments that somebody looks at, decoded, in memory.
//!
//! A month of hours takes longer to fetch and decode than to report on, and nearly all of it is as it was at the last
//! look. The one writer brings what is here up to date after each commit; what it does not write does not change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::rollup::{GroupKey, Rollup};

/// A group in an hour.
pub type Hour = (Arc<GroupKey>, i64, Arc<Rollup>);

/// Rollups that are kept, of the deployments looked at last: some kilobytes each.
const ROLLUPS: usize = 20_000;

/// Rollups in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    deployments: HashMap<String, Deployment>,
    /// Counts looks, to tell the ones looked at last.
    looks: u64,
}

/// The rollups of a deployment, from an hour on.
#[derive(Debug)]
struct Deployment {
    from: i64,
    /// False while they are being read: until then only what was written in the meantime is here.
    whole: bool,
    /// By hour and group.
    hours: BTreeMap<(i64, u32), (Arc<GroupKey>, Arc<Rollup>)>,
    looked: u64,
}

impl Cache {
    /// The rollups of the hours `from..=to`, when they are here. When they are not, what is written from now on is kept
    /// for [`Cache::fill`].
    pub(super) fn look(&self, deployment: &str, from: i64, to: i64) -> Option<Vec<Hour>> {
        let mut kept = self.0.lock();
        kept.looks += 1;
        let look = kept.looks;
        match kept.deployments.get_mut(deployment) {
            Some(found) if found.whole && found.from <= from => {
                found.looked = look;
                return Some(found.between(from, to));
            }
            // Somebody is reading just these.
            Some(found) if !found.whole && found.from == from => return None,
            _other => {}
        }
        let empty = Deployment { from, whole: false, hours: BTreeMap::new(), looked: look };
        kept.deployments.insert(deployment.to_owned(), empty);
        None
    }

    /// Puts in what was read of the hours from `from` on.
    pub(super) fn fill(&self, deployment: &str, from: i64, read: Vec<(u32, Hour)>) {
        let mut kept = self.0.lock();
        // It may have been put out, or asked for from an earlier hour on.
        let found = kept.deployments.get_mut(deployment);
        let Some(found) = found.filter(|found| found.from == from && !found.whole) else { return };
        for (group, (key, hour, rollup)) in read {
            // What was written in the meantime is newer.
            found.hours.entry((hour, group)).or_insert((key, rollup));
        }
        found.whole = true;
        kept.trim();
    }

    /// After a commit: what a group has in an hour now.
    pub(crate) fn written(&self, group: u32, key: &Arc<GroupKey>, hour: i64, rollup: &Rollup) {
        let mut kept = self.0.lock();
        let Some(found) = kept.deployments.get_mut(&key.deployment) else { return };
        if hour < found.from {
            return;
        }
        found.hours.insert((hour, group), (Arc::clone(key), Arc::new(rollup.clone())));
        kept.trim();
    }

    /// How many rollups are here.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Forgets all of it.
    pub(crate) fn clear(&self) {
        self.0.lock().deployments.clear();
    }
}

impl Kept {
    fn len(&self) -> usize {
        self.deployments.values().map(|one| one.hours.len()).sum()
    }

    /// Puts out deployments that nobody looked at for the longest time, until there are few enough rollups.
    fn trim(&mut self) {
        while self.len() > ROLLUPS {
            let oldest = self.deployments.iter().min_by_key(|(_, one)| one.looked);
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else { return };
            self.deployments.remove(&oldest);
        }
    }
}

impl Deployment {
    fn between(&self, from: i64, to: i64) -> Vec<Hour> {
        if from > to {
            return Vec::new();
        }
        let hours = self.hours.range((from, 0)..=(to, u32::MAX));
        hours
            .map(|((hour, _), (key, rollup))| (Arc::clone(key), *hour, Arc::clone(rollup)))
            .collect()
    }
}

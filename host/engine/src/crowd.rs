//! All instances of an engine together: who gives one up when there is no room for another.
//!
//! Each scorer keeps its idle instances warm (`pool.rs`), but the slots for instances are the engine's. When they are
//! all taken, one that is idle somewhere is thrown away for the one that is wanted now: of the scorer that was used
//! least recently. "Recently" is counted in such moments, so that a call has no clock to read; of those that were used
//! since the last one, the scorer with most idle instances gives.
//!
//! Where all slots are at work, whoever wants another waits, as for an instance of its own package, and then gives up.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::instance::Instance;
use crate::pool::Pool;

/// The pools of all scorers.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    pools: Mutex<Vec<Weak<Pool>>>,
    /// How often an instance was given up.
    moment: AtomicU64,
    /// How many wait for a slot. While it is 0, giving an instance back costs nothing more.
    waiting: AtomicUsize,
    /// Counts what was given back while somebody waited.
    changes: Mutex<u64>,
    changed: Condvar,
}

/// Somebody who needs a slot.
pub(crate) struct Waiter<'a> {
    crowd: &'a Crowd,
    seen: u64,
}

impl Crowd {
    /// Adds a scorer's pool.
    pub(crate) fn join(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.lock();
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// How many scorers there are.
    pub(crate) fn scorers(&self) -> usize {
        self.pools.lock().iter().filter(|pool| pool.strong_count() > 0).count()
    }

    /// Throws one idle instance away. False when there is none.
    pub(crate) fn reclaim(&self) -> bool {
        // The instance is dropped when nothing is locked any more: that gives its memory back, which takes a moment.
        self.take().is_some()
    }

    fn take(&self) -> Option<Instance> {
        let pools = self.pools.lock();
        loop {
            let idle = pools.iter().filter_map(Weak::upgrade).filter_map(|pool| {
                let (used, idle) = pool.idle()?;
                Some((used, Reverse(idle), pool))
            });
            let (.., pool) = idle.min_by_key(|(used, idle, _)| (*used, *idle))?;
            self.moment.fetch_add(1, Ordering::Relaxed);
            // None when a call was faster.
            if let Some(instance) = pool.give_up() {
                return Some(instance);
            }
        }
    }

    /// The moment that it is now.
    pub(crate) fn moment(&self) -> u64 {
        self.moment.load(Ordering::Relaxed)
    }

    /// Begins to wait for a slot. What is given back from now on is not missed.
    pub(crate) fn waiter(&self) -> Waiter<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiter { crowd: self, seen: *self.changes.lock() }
    }

    /// Says that an instance was given back, or is gone.
    pub(crate) fn tell(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            *self.changes.lock() += 1;
            self.changed.notify_all();
        }
    }
}

impl Waiter<'_> {
    /// Waits until something was given back since the last time. False when nothing was until then.
    pub(crate) fn wait(&mut self, until: Instant) -> bool {
        let mut changes = self.crowd.changes.lock();
        while *changes == self.seen {
            if self.crowd.changed.wait_until(&mut changes, until).timed_out() {
                break;
            }
        }
        let changed = *changes != self.seen;
        self.seen = *changes;
        changed
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.crowd.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

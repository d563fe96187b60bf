//! The instances of one package that wait for work.
//!
//! Last in, first out: the instance that worked last has its memory in the processor's cache. Whoever takes an
//! instance holds a [`Place`]; a place that is dropped, also in a panic, lets another instance be made. So a broken
//! instance is replaced by doing nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::crowd::Crowd;
use crate::instance::Instance;

pub(crate) struct Pool {
    state: Mutex<State>,
    changed: Condvar,
    places: usize,
    crowd: Arc<Crowd>,
}

struct State {
    idle: Vec<Instance>,
    /// Places in use and idle instances together.
    live: usize,
    /// The moment of the last use, as the crowd counts them.
    used: u64,
}

/// The right to have one instance.
pub(crate) struct Place<'a> {
    pool: &'a Pool,
}

/// What [`Pool::take`] gives.
pub(crate) struct Taken<'a> {
    pub(crate) place: Place<'a>,
    /// None when one is to be made.
    pub(crate) instance: Option<Instance>,
    pub(crate) waited: bool,
}

impl Pool {
    /// An empty pool that the others of the engine know of.
    pub(crate) fn new(places: usize, crowd: &Arc<Crowd>) -> Arc<Self> {
        // Places are many and instances few, when there are many scorers.
        let state = State { idle: Vec::new(), live: 0, used: crowd.moment() };
        let crowd = Arc::clone(crowd);
        let pool = Self { state: Mutex::new(state), changed: Condvar::new(), places, crowd };
        let pool = Arc::new(pool);
        pool.crowd.join(&pool);
        pool
    }

    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Puts in the first instances.
    pub(crate) fn fill(&self, instances: Vec<Instance>) {
        let mut state = self.state.lock();
        state.live += instances.len();
        state.idle.extend(instances);
    }

    /// Takes a place, with an instance when one is idle. None when no place came free within `wait`.
    pub(crate) fn take(&self, wait: Duration) -> Option<Taken<'_>> {
        let mut state = self.state.lock();
        state.used = self.crowd.moment();
        let mut until = None;
        loop {
            let instance = state.idle.pop();
            if instance.is_some() || state.live < self.places {
                state.live += usize::from(instance.is_none());
                let place = Place { pool: self };
                return Some(Taken { place, instance, waited: until.is_some() });
            }
            let until = *until.get_or_insert_with(|| Instant::now() + wait);
            if self.changed.wait_until(&mut state, until).timed_out() && Instant::now() >= until {
                return None;
            }
        }
    }
}

impl Pool {
    /// When it was used, and how many instances are idle; None when none is.
    pub(crate) fn idle(&self) -> Option<(u64, usize)> {
        let state = self.state.lock();
        (!state.idle.is_empty()).then_some((state.used, state.idle.len()))
    }

    /// Gives the instance up that has been idle for longest.
    pub(crate) fn give_up(&self) -> Option<Instance> {
        let mut state = self.state.lock();
        if state.idle.is_empty() {
            return None;
        }
        state.live -= 1;
        Some(state.idle.remove(0))
    }

    /// Gives all idle instances up.
    pub(crate) fn clear(&self) {
        let idle = {
            let mut state = self.state.lock();
            state.live -= state.idle.len();
            std::mem::take(&mut state.idle)
        };
        drop(idle);
        self.crowd.tell();
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Its instances are gone with it, in a moment.
        self.state.get_mut().idle.clear();
        self.crowd.tell();
    }
}

impl Place<'_> {
    /// Gives a good instance back.
    pub(crate) fn keep(self, instance: Instance) {
        self.pool.state.lock().idle.push(instance);
        self.pool.changed.notify_one();
        self.pool.crowd.tell();
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pool.state.lock().live -= 1;
        self.pool.changed.notify_one();
        self.pool.crowd.tell();
    }
}

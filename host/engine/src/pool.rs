//! The instances of one package that wait for work.
//!
//! Last in, first out: the instance that worked last has its memory in the processor's cache. Whoever takes an
//! instance holds a [`Place`]; a place that is dropped, also in a panic, lets another instance be made. So a broken
//! instance is replaced by doing nothing.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::instance::Instance;

pub(crate) struct Pool {
    state: Mutex<State>,
    changed: Condvar,
    places: usize,
}

struct State {
    idle: Vec<Instance>,
    /// Places in use and idle instances together.
    live: usize,
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
    pub(crate) fn new(places: usize) -> Self {
        let state = State { idle: Vec::with_capacity(places), live: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new(), places }
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

impl Place<'_> {
    /// Gives a good instance back.
    pub(crate) fn keep(self, instance: Instance) {
        self.pool.state.lock().idle.push(instance);
        self.pool.changed.notify_one();
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pool.state.lock().live -= 1;
        self.pool.changed.notify_one();
    }
}

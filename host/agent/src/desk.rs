//! The desk between readers and posters: the lanes, their budgets, whose turn it is.
//!
//! Readers put items into lanes and wait when there is no room; posters take calls out. All of it is behind one lock
//! that nobody holds while a server or a channel is waited for.
//!
//! Memory has two bounds, one for everything and one for a lane. A lane that the server holds up while it serves others
//! ([`Lane::alone`], or for longer than [`HOLD`]) does not fill the whole: what comes for it beyond its bound goes to
//! the disk ([`crate::parked`]), and its channel is read on. Where the disk's bound is reached too, the channel waits.

mod limits;
mod status;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use self::limits::Limits;
use crate::config::Config;
use crate::lane::{Batch, Health, Lane, LaneKey};
use crate::message::Item;
use crate::parked::Park;
use crate::repeats::Repeats;

/// A lane that fails for longer than this counts as held up, whatever becomes of others: they may lie behind it.
const HOLD: Duration = Duration::from_secs(10);
/// How often somebody who waits for room looks whether to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How long a poster sleeps while there is nothing at all.
const SLEEP: Duration = Duration::from_secs(1);

/// The desk.
#[derive(Debug)]
pub(crate) struct Desk {
    limits: Limits,
    state: Mutex<State>,
    /// There may be a call to make.
    work: Condvar,
    /// There may be room.
    room: Condvar,
    parked: Arc<AtomicU64>,
    pub(crate) repeats: Repeats,
}

#[derive(Debug, Default)]
struct State {
    lanes: BTreeMap<Arc<LaneKey>, Lane>,
    bytes: usize,
    calling: usize,
    /// Calls of lanes that fail.
    failing: usize,
    /// Whose turn was last.
    last: Option<Arc<LaneKey>>,
    /// What waits is not to wait for more.
    hurry: bool,
    closed: bool,
    /// When the server last took something.
    taken: Option<Instant>,
}

/// A call to be made.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) key: Arc<LaneKey>,
    pub(crate) batch: Batch,
    failing: bool,
}

/// What became of a call.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Done with.
    pub(crate) done: Vec<Item>,
    /// To be made again.
    pub(crate) again: Vec<Batch>,
    /// The server found so many bytes too many.
    pub(crate) too_large: Option<usize>,
    /// The lane waits, for this reason, for at least so long; without it the server took something.
    pub(crate) wait: Option<(Duration, Health)>,
    /// Others are not concerned, as the answer says.
    pub(crate) alone: bool,
}

impl Desk {
    /// An empty desk.
    pub(crate) fn empty(config: &Config) -> Self {
        let directory = config.state_directory.clone();
        Self {
            limits: Limits { config: config.clone(), directory },
            state: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            repeats: Repeats::new(config.recent_records),
            parked: Arc::new(AtomicU64::new(0)),
        }
    }

    /// A desk with what the last run left on the disk.
    pub(crate) fn open(config: &Config) -> io::Result<Self> {
        let desk = Self::empty(config);
        for (key, park) in Park::all(&desk.limits.directory, &desk.parked)? {
            let mut state = desk.state.lock();
            desk.lane(&mut state, &Arc::new(key)).park = Some(park);
        }
        Ok(desk)
    }

    fn lane<'s>(&self, state: &'s mut State, key: &Arc<LaneKey>) -> &'s mut Lane {
        state
            .lanes
            .entry(Arc::clone(key))
            .or_insert_with(|| Lane::new((**key).clone(), self.limits.caps(key)))
    }

    /// Puts items of a lane in, when there is room. False when `stop` came first: they are not in.
    pub(crate) fn push(
        &self,
        key: &Arc<LaneKey>,
        items: Vec<Item>,
        stop: impl Fn() -> bool,
    ) -> bool {
        let config = &self.limits.config;
        let mut state = self.state.lock();
        loop {
            let full = state.bytes >= config.buffer_bytes;
            let taken = state.taken;
            let lane = self.lane(&mut state, key);
            let parks = lane.park.as_ref().is_some_and(|park| !park.is_empty());
            if !parks && lane.bytes < config.lane_bytes && !full {
                let now = Instant::now();
                let bytes: usize = items.iter().map(Item::bytes).sum();
                items.into_iter().for_each(|item| lane.push(item, now));
                state.bytes += bytes;
                self.work.notify_one();
                return true;
            }
            if (parks || is_held_up(lane, taken)) && self.park_room() {
                match self.park(lane, &items) {
                    Ok(()) => {
                        drop(state);
                        items.iter().for_each(|item| item.origin.done(&self.repeats));
                        self.work.notify_one();
                        return true;
                    }
                    Err(error) => tracing::error!(%error, "Records cannot be parked on the disk"),
                }
            }
            if full {
                self.make_room(&mut state);
            }
            if stop() {
                return false;
            }
            self.room.wait_for(&mut state, LOOK);
        }
    }

    fn park_room(&self) -> bool {
        self.parked.load(Ordering::Relaxed) < self.limits.config.parked_bytes
    }

    fn park(&self, lane: &mut Lane, items: &[Item]) -> io::Result<()> {
        if lane.park.is_none() {
            let park = Park::open(&self.limits.directory, &lane.key, &self.parked)?;
            tracing::warn!(deployment = lane.key.deployment, "Records are parked on the disk");
            lane.park = Some(park);
        }
        lane.park.as_mut().map_or(Ok(()), |park| park.keep(items.iter()))
    }

    /// Moves what lanes that are held up have in memory to the disk, so that others find room.
    fn make_room(&self, state: &mut State) {
        let taken = state.taken;
        let mut freed = 0;
        for lane in state.lanes.values_mut().filter(|lane| !lane.items.is_empty()) {
            // What the disk has already given out once stays.
            let parks = lane.park.as_ref().is_some_and(|park| !park.is_empty());
            if parks || !is_held_up(lane, taken) || !self.park_room() {
                continue;
            }
            let before = lane.bytes;
            let items: Vec<Item> = lane.take_items().into();
            match self.park(lane, &items) {
                Ok(()) => {
                    freed += before - lane.bytes;
                    items.iter().for_each(|item| item.origin.done(&self.repeats));
                }
                Err(error) => {
                    tracing::error!(%error, "Records cannot be parked on the disk");
                    let now = Instant::now();
                    items.into_iter().for_each(|item| lane.push(item, now));
                }
            }
        }
        state.bytes -= freed;
    }

    /// Waits for the next call that is to be made. None when the desk is closed.
    pub(crate) fn next(&self) -> Option<Turn> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            self.unpark(&mut state, now);
            match self.pick(&mut state, now) {
                Ok(turn) => return Some(turn),
                Err(at) => {
                    let at = at.unwrap_or(now + SLEEP).min(now + SLEEP);
                    self.work.wait_until(&mut state, at);
                }
            }
        }
    }

    /// Fetches what lies on the disk for lanes that have room again.
    fn unpark(&self, state: &mut State, now: Instant) {
        let config = &self.limits.config;
        let mut more = 0;
        for lane in state.lanes.values_mut() {
            let Some(park) = lane.park.as_mut().filter(|park| !park.is_empty()) else { continue };
            let waits = lane.failures > 0;
            let room = if waits {
                lane.items.is_empty() && lane.again.is_empty()
            } else {
                lane.bytes < config.lane_bytes / 2
            };
            if !room {
                continue;
            }
            match park.next(config.lane_bytes / 4) {
                Ok(items) => {
                    more += items.iter().map(Item::bytes).sum::<usize>();
                    items.into_iter().for_each(|item| lane.push(item, now));
                }
                Err(error) => tracing::error!(%error, "Parked records cannot be read"),
            }
        }
        state.bytes += more;
    }

    /// The next lane's call, or when there is one.
    fn pick(&self, state: &mut State, now: Instant) -> Result<Turn, Option<Instant>> {
        // Lanes that fail may keep half of the posters busy with waiting, and no more.
        let most_failing = (self.limits.config.http_concurrent_request / 2).max(1);
        let failing_full = state.failing >= most_failing;
        let mut soonest: Option<Instant> = None;
        let mut found = None;
        let behind = |key: &Arc<LaneKey>| state.last.as_ref().is_none_or(|last| key > last);
        let lanes = state.lanes.iter().filter(|(key, _)| behind(key));
        for (key, lane) in lanes.chain(state.lanes.iter().filter(|(key, _)| !behind(key))) {
            if failing_full && lane.failures > 0 {
                continue;
            }
            match lane.due(now, state.hurry) {
                Some(at) if at <= now => {
                    found = Some(Arc::clone(key));
                    break;
                }
                Some(at) => soonest = Some(soonest.map_or(at, |soonest| soonest.min(at))),
                None => {}
            }
        }
        let Some(key) = found else { return Err(soonest) };
        let Some(lane) = state.lanes.get_mut(&key) else { return Err(soonest) };
        let failing = lane.failures > 0;
        let Some(batch) = lane.take(now) else { return Err(soonest) };
        lane.calling += 1;
        state.calling += 1;
        state.failing += usize::from(failing);
        state.bytes = state.bytes.saturating_sub(batch.bytes());
        state.last = Some(Arc::clone(&key));
        // There may be more to do for another.
        self.work.notify_one();
        Ok(Turn { key, batch, failing })
    }

    /// Notes what became of a call.
    pub(crate) fn settle(&self, key: &Arc<LaneKey>, failing: bool, settled: Settled) {
        let Settled { done, again, too_large, wait, alone } = settled;
        let now = Instant::now();
        let mut state = self.state.lock();
        state.calling -= 1;
        state.failing -= usize::from(failing);
        state.bytes += again.iter().map(Batch::bytes).sum::<usize>();
        if wait.is_none() && !done.is_empty() {
            state.taken = Some(now);
        }
        let lane = self.lane(&mut state, key);
        lane.calling -= 1;
        again.into_iter().for_each(|batch| lane.put_back(batch));
        if let Some(bytes) = too_large {
            lane.shrink(bytes);
        }
        match wait {
            Some((wait, health)) => {
                lane.failures = lane.failures.saturating_add(1);
                lane.failing_since.get_or_insert(now);
                lane.until = Some(now + wait);
                lane.health = health;
                lane.alone = alone;
            }
            None => {
                (lane.failures, lane.until, lane.failing_since) = (0, None, None);
                (lane.health, lane.alone) = (Health::Fine, false);
            }
        }
        drop(state);
        done.iter().for_each(|item| item.origin.done(&self.repeats));
        let mut state = self.state.lock();
        if state.lanes.get(key).is_some_and(Lane::is_idle) {
            state.lanes.remove(key);
        }
        drop(state);
        self.room.notify_all();
        self.work.notify_all();
    }

    /// How often a lane failed since it last succeeded.
    pub(crate) fn failures(&self, key: &LaneKey) -> u32 {
        self.state.lock().lanes.get(key).map_or(0, |lane| lane.failures)
    }

    /// Makes calls of what waits now.
    pub(crate) fn flush(&self) {
        self.state.lock().lanes.values_mut().for_each(|lane| lane.flush = !lane.items.is_empty());
        self.work.notify_all();
    }

    /// From now on nothing waits for more.
    pub(crate) fn hurry(&self) {
        self.state.lock().hurry = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    /// Waits until everything is done with, or (not `patient`) all that is left is held up by the server.
    pub(crate) fn wait_idle(&self, until: Instant, patient: bool) -> bool {
        let mut state = self.state.lock();
        loop {
            if is_over(&state, patient) {
                return true;
            }
            if self.room.wait_until(&mut state, until.min(Instant::now() + LOOK)).timed_out()
                && Instant::now() >= until
            {
                return false;
            }
        }
    }

    /// No more calls.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_all();
        self.room.notify_all();
    }
}

impl Turn {
    /// Whether the lane failed before.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing
    }
}

fn is_held_up(lane: &Lane, taken: Option<Instant>) -> bool {
    let Some(since) = lane.failing_since else { return false };
    lane.alone || taken.is_some_and(|taken| taken > since) || since.elapsed() >= HOLD
}

fn is_over(state: &State, patient: bool) -> bool {
    let over = |lane: &Lane| lane.is_idle() || (!patient && lane.calling == 0 && lane.failures > 0);
    state.calling == 0 && state.lanes.values().all(over)
}

//! Counters for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::Broke;

/// What has happened since the engine started. Everything only grows, except the live instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches scored.
    pub scored: u64,
    /// Batches declined by a model.
    pub declined: u64,
    /// Batches refused because every instance was busy.
    pub busy: u64,
    /// Batches that had to wait for an instance.
    pub waited: u64,
    /// Batches that failed by the runtime's fault.
    pub host_failures: u64,
    /// Instances made.
    pub instances_created: u64,
    /// Instances that exist now.
    pub instances_live: u64,
    /// Instances that broke and were thrown away, by [`Broke::KINDS`].
    pub discarded: [u64; Broke::KINDS.len()],
    /// Instances made in the place of another, because all slots were taken.
    pub reclaimed: u64,
    /// Packages whose machine code another scorer had.
    pub shared: u64,
    /// Packages compiled.
    pub compiled: u64,
    /// Packages whose machine code came from the cache.
    pub cache_hits: u64,
    /// Files of the cache that were damaged or not ours.
    pub cache_refused: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) scored: AtomicU64,
    pub(crate) declined: AtomicU64,
    pub(crate) busy: AtomicU64,
    pub(crate) waited: AtomicU64,
    pub(crate) host_failures: AtomicU64,
    pub(crate) instances_created: AtomicU64,
    pub(crate) instances_gone: AtomicU64,
    pub(crate) discarded: [AtomicU64; Broke::KINDS.len()],
    pub(crate) reclaimed: AtomicU64,
    pub(crate) shared: AtomicU64,
    pub(crate) compiled: AtomicU64,
    pub(crate) cache_hits: AtomicU64,
    pub(crate) cache_refused: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Stats {
        // Gone before created, so that their difference is never negative.
        let gone = self.instances_gone.load(Relaxed);
        let instances_created = self.instances_created.load(Relaxed);
        Stats {
            scored: self.scored.load(Relaxed),
            declined: self.declined.load(Relaxed),
            busy: self.busy.load(Relaxed),
            waited: self.waited.load(Relaxed),
            host_failures: self.host_failures.load(Relaxed),
            instances_created,
            instances_live: instances_created.saturating_sub(gone),
            discarded: self.discarded.each_ref().map(|counter| counter.load(Relaxed)),
            reclaimed: self.reclaimed.load(Relaxed),
            shared: self.shared.load(Relaxed),
            compiled: self.compiled.load(Relaxed),
            cache_hits: self.cache_hits.load(Relaxed),
            cache_refused: self.cache_refused.load(Relaxed),
        }
    }
}

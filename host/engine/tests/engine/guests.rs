//! What the engine's tests do with guests.

use std::time::Duration;

use engine::{Batch, Engine, EngineSettings, Limits, LoadError, Package, Scorer};

pub(crate) use crate::guest::{Guest, manifest, with_manifest};

impl Guest<'_> {
    /// The package: the component with a manifest that agrees with the usual signature.
    pub(crate) fn package(&self) -> Package {
        Package::parse(with_manifest(self.component(), &manifest().to_json())).unwrap()
    }

    /// Loads it.
    pub(crate) fn load(&self, engine: &Engine, limits: Limits) -> Result<Scorer, LoadError> {
        engine.load(&self.package(), limits)
    }
}

/// An engine without a pool and a cache, with a fine clock.
pub(crate) fn engine() -> Engine {
    let tick = Duration::from_millis(1);
    Engine::new(EngineSettings { pool_slots: 0, tick, ..EngineSettings::default() }).unwrap()
}

/// One instance, short deadlines, no waiting.
pub(crate) fn limits() -> Limits {
    Limits {
        instances: 1,
        call_deadline: Duration::from_millis(20),
        start_deadline: Duration::from_millis(20),
        wait: Duration::ZERO,
        ..Limits::default()
    }
}

/// One row.
pub(crate) fn row(x: &f64) -> Batch<'_> {
    Batch { rows: 1, numbers: std::slice::from_ref(x) }
}

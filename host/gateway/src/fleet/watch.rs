//! A new package's first requests.
//!
//! While a package is new its predecessor stands by. What the new one cannot answer (it traps, is late, or declines a row
//! that its predecessor scores) its predecessor answers, so that no caller pays for the trial; and when that happens too
//! often the new one is taken back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::report::WatchReport;
use crate::{deployment::Serving, settings::WatchSettings};

/// The watch over one new package.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Who answers in its place.
    pub(crate) fallback: Arc<Serving>,
    /// Whether the predecessor takes the same numbers.
    pub(crate) same_layout: bool,
    settings: WatchSettings,
    /// A canary is watched for as long as it is one.
    endless: bool,
    requests: AtomicU64,
    faults: AtomicU64,
    decided: AtomicBool,
}

/// What follows from one more request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The watch goes on, or its end has been told already.
    Wait,
    /// The package has stood its trial.
    Good,
    /// The package is to be taken back.
    Bad,
}

impl Watch {
    pub(crate) fn new(
        new: &Serving,
        fallback: Arc<Serving>,
        settings: WatchSettings,
        endless: bool,
    ) -> Self {
        Self {
            same_layout: new.schema.same_layout(&fallback.schema),
            fallback,
            settings,
            endless,
            requests: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            decided: AtomicBool::new(false),
        }
    }

    /// Whether a call was slower than it may be.
    pub(crate) fn is_late(&self, took: Duration) -> bool {
        took > self.settings.late
    }

    /// One more request, and whether it was a fault of the new package.
    pub(crate) fn note(&self, fault: bool) -> Verdict {
        let requests = self.requests.fetch_add(1, Relaxed) + 1;
        let faults = self.faults.fetch_add(u64::from(fault), Relaxed) + u64::from(fault);
        let window = self.settings.requests;
        let verdict = if fault && faults as f64 > self.settings.faults * window as f64 {
            Verdict::Bad
        } else if requests < window {
            return Verdict::Wait;
        } else if self.endless {
            // The next window begins. Requests that are counted at this very moment may fall into either.
            self.requests.store(0, Relaxed);
            self.faults.store(0, Relaxed);
            return Verdict::Wait;
        } else {
            Verdict::Good
        };
        if self.decided.swap(true, Relaxed) { Verdict::Wait } else { verdict }
    }

    /// Why it is taken back.
    pub(crate) fn why(&self) -> String {
        format!(
            "{} of its last {} requests were faults: it broke, was late, or declined what its predecessor scores",
            self.faults.load(Relaxed),
            self.requests.load(Relaxed)
        )
    }

    pub(crate) fn report(&self) -> WatchReport {
        WatchReport {
            requests: self.requests.load(Relaxed),
            faults: self.faults.load(Relaxed),
            window: self.settings.requests,
        }
    }
}

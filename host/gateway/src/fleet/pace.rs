//! Whether a model may be called on the thread of a request.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use crate::settings::INLINE_TIME;

/// Quick calls in a row after which a model is trusted to be quick.
pub(crate) const PROBATION: u32 = 64;
/// A model that was this much slower than is good for a request's thread is never called there again.
const BANNED_TIME: Duration = Duration::from_millis(100);
/// The count that says so.
const BANNED: u32 = u32::MAX;

/// A model's pace, from its calls with small bodies.
///
/// A call on the thread of a request is cheapest, and a slow one there holds up whoever else is on that thread. So a
/// package begins away from it, comes onto it when it has been quick for a while, and leaves it when it was not.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Quick calls in a row, up to [`PROBATION`]; or [`BANNED`].
    quick: AtomicU32,
}

impl Pace {
    /// `may_be_quick` is false for packages that are never called on the thread of a request.
    pub(crate) fn new(may_be_quick: bool) -> Self {
        Self { quick: AtomicU32::new(if may_be_quick { 0 } else { BANNED }) }
    }

    /// Whether it is to be called elsewhere.
    pub(crate) fn is_slow(&self) -> bool {
        self.quick.load(Relaxed) != PROBATION
    }

    /// Notes how long a call with a small body took.
    pub(crate) fn took(&self, time: Duration, answered: bool) {
        let quick = self.quick.load(Relaxed);
        if quick == BANNED || (quick == PROBATION && answered && time <= INLINE_TIME) {
            return;
        }
        let next = if time > BANNED_TIME {
            BANNED
        } else if time > INLINE_TIME {
            0
        } else {
            (quick + 1).min(PROBATION)
        };
        self.quick.store(next, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_trusted_when_it_was_quick_for_a_while() {
        let pace = Pace::new(true);
        for _ in 0..PROBATION {
            assert!(pace.is_slow());
            pace.took(INLINE_TIME, true);
        }
        assert!(!pace.is_slow());
        pace.took(INLINE_TIME + Duration::from_nanos(1), true);
        assert!(pace.is_slow());
        for _ in 0..PROBATION {
            pace.took(Duration::ZERO, true);
        }
        assert!(!pace.is_slow());
    }

    #[test]
    fn a_model_that_was_very_slow_is_never_trusted_again() {
        let pace = Pace::new(true);
        pace.took(BANNED_TIME + Duration::from_nanos(1), false);
        for _ in 0..=PROBATION {
            pace.took(Duration::ZERO, true);
        }
        assert!(pace.is_slow());
        assert!(Pace::new(false).is_slow());
    }
}

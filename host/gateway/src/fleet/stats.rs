//! How often and how long: counters that a request may touch, and times of the last minute.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::fault::Fault;

/// Times are kept in two halves of this length; the older one is emptied when its turn comes again.
const HALF: u64 = 30;
/// Buckets an octave of microseconds: a time is known to 1/16 of itself.
const STEPS: u64 = 8;
/// Up to 2^32 microseconds, which is more than an hour.
const BUCKETS: usize = 8 * 30;

/// The zero of [`Recent`]'s clock.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Times of the last 30 to 60 seconds.
#[derive(Debug)]
pub(crate) struct Recent {
    halves: [Half; 2],
}

#[derive(Debug)]
struct Half {
    /// Which half minute since the start it counts, from 1; 0 before its first.
    turn: AtomicU64,
    counts: [AtomicU32; BUCKETS],
}

/// What [`Recent`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

impl Default for Recent {
    fn default() -> Self {
        LazyLock::force(&START);
        let half =
            || Half { turn: AtomicU64::new(0), counts: std::array::from_fn(|_| AtomicU32::new(0)) };
        Self { halves: [half(), half()] }
    }
}

impl Recent {
    /// Something took this long and is over now.
    pub(crate) fn took(&self, time: Duration) {
        self.took_at(START.elapsed(), time);
    }

    fn took_at(&self, now: Duration, time: Duration) {
        let turn = now.as_secs() / HALF + 1;
        let half = &self.halves[(turn % 2) as usize];
        let seen = half.turn.load(Relaxed);
        // Who sees the new half first empties it. A time that another thread adds at that very moment may be lost to
        // the picture; counters that must be right are not here.
        if seen != turn && half.turn.compare_exchange(seen, turn, Relaxed, Relaxed).is_ok() {
            half.counts.iter().for_each(|count| count.store(0, Relaxed));
        }
        half.counts[bucket(time)].fetch_add(1, Relaxed);
    }

    pub(crate) fn summary(&self) -> Summary {
        self.summary_at(START.elapsed())
    }

    fn summary_at(&self, now: Duration) -> Summary {
        let turn = now.as_secs() / HALF + 1;
        let current = |half: &&Half| {
            let seen = half.turn.load(Relaxed);
            seen > 0 && seen + 1 >= turn
        };
        let mut counts = [0u64; BUCKETS];
        for half in self.halves.iter().filter(current) {
            for (sum, count) in counts.iter_mut().zip(&half.counts) {
                *sum += u64::from(count.load(Relaxed));
            }
        }
        let all: u64 = counts.iter().sum();
        let since = Duration::from_secs((turn.saturating_sub(2)) * HALF);
        let seconds = now.saturating_sub(since).as_secs_f64().max(1.0);
        let quantile = |q: f64| {
            let rank = (all as f64 * q).ceil().max(1.0) as u64;
            let mut left = rank;
            let place = counts.iter().position(|count| match left.checked_sub(*count) {
                None | Some(0) => true,
                Some(rest) => {
                    left = rest;
                    false
                }
            });
            place.filter(|_| all > 0).map(|place| middle_us(place) / 1000.0)
        };
        Summary { per_second: all as f64 / seconds, p50_ms: quantile(0.5), p99_ms: quantile(0.99) }
    }
}

/// Logarithmic, with [`STEPS`] an octave, linear below.
fn bucket(time: Duration) -> usize {
    let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    if us < STEPS {
        return us as usize;
    }
    let octave = u64::from(us.ilog2()) - 3;
    let place = (octave + 1) * STEPS + ((us >> octave) & (STEPS - 1));
    (place as usize).min(BUCKETS - 1)
}

/// The time in the middle of a bucket, in microseconds.
fn middle_us(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket as f64 + 0.5;
    }
    let (octave, step) = (bucket / STEPS - 1, bucket % STEPS);
    ((STEPS + step) << octave) as f64 + (1u64 << octave) as f64 / 2.0
}

/// The calls of one package.
#[derive(Debug, Default)]
pub(crate) struct CallStats {
    pub(crate) scored: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) declined: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) recent: Recent,
}

impl CallStats {
    pub(crate) fn count(&self, result: &Result<Vec<f64>, Fault>, rows: u32, took: Duration) {
        match result {
            Ok(_) => {
                self.scored.fetch_add(1, Relaxed);
                self.rows.fetch_add(u64::from(rows), Relaxed);
            }
            Err(Fault::Declined(_)) => drop(self.declined.fetch_add(1, Relaxed)),
            Err(Fault::Overran) => drop(self.late.fetch_add(1, Relaxed)),
            Err(Fault::Broke(_)) => drop(self.broken.fetch_add(1, Relaxed)),
            // It was not called.
            Err(_) => return,
        }
        self.recent.took(took);
    }

    pub(crate) fn calls(&self) -> u64 {
        [&self.scored, &self.declined, &self.broken, &self.late]
            .iter()
            .map(|count| count.load(Relaxed))
            .sum()
    }
}

/// The requests of one deployment.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) requests: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) recent: Recent,
}

impl Traffic {
    pub(crate) fn answered(&self, took: Duration, by_us_failed: bool) {
        self.requests.fetch_add(1, Relaxed);
        if by_us_failed {
            self.errors.fetch_add(1, Relaxed);
        }
        self.recent.took(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_known_to_a_sixteenth() {
        for us in (0..100_000u64).chain([1 << 20, 1 << 30, (1 << 32) - 1]) {
            let middle = middle_us(bucket(Duration::from_micros(us)));
            assert!((middle - us as f64).abs() <= (us as f64 / 16.0).max(0.5), "{us}: {middle}");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn times_of_more_than_a_minute_ago_are_forgotten() {
        let recent = Recent::default();
        assert_eq!(recent.summary_at(Duration::from_secs(1)).p50_ms, None);
        for _ in 0..60 {
            recent.took_at(Duration::from_secs(29), Duration::from_millis(1));
        }
        recent.took_at(Duration::from_secs(30), Duration::from_millis(100));
        let seen = recent.summary_at(Duration::from_secs(31));
        assert!((seen.p50_ms.unwrap() - 1.0).abs() < 0.1, "{seen:?}");
        assert!((seen.p99_ms.unwrap() - 100.0).abs() < 7.0, "{seen:?}");
        assert!((seen.per_second - 61.0 / 31.0).abs() < 0.01, "{seen:?}");
        let later = recent.summary_at(Duration::from_secs(60));
        assert!((later.p50_ms.unwrap() - 100.0).abs() < 7.0, "{later:?}");
        assert_eq!(recent.summary_at(Duration::from_secs(90)), Summary::default());
    }
}

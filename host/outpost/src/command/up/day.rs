//! A day of traffic that never was, for a first look: what a gateway would have seen in the 24 hours before now.
//!
//! Patients, or whatever the rows are, come from a CSV file with outcomes. More come at two in the afternoon than at night.
//! One feature, the one that goes with the outcome most, wanders off in the second half of the day. Some callers leave a
//! field out, and for twenty minutes in the evening the model cannot be reached. Most outcomes become known hours later,
//! a few of them wrongly at first. The same seed gives the same day.

use models::{Feature, Kind};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::command::rows::Rows;

/// Length of the day, microseconds.
const DAY_US: i64 = 24 * HOUR_US;
const HOUR_US: i64 = 60 * MINUTE_US;
const MINUTE_US: i64 = 60_000_000;
/// Minutes in it.
const MINUTES: i64 = 24 * 60;
/// Requests a minute, on average over the day.
const REQUESTS: f64 = 6.0;
/// The hour, counted from the day's begin, in which most come.
const PEAK_HOUR: f64 = 14.0;
/// One request in so many has several rows, up to [`BATCH_ROWS`].
const BATCH_EVERY: u32 = 20;
const BATCH_ROWS: usize = 40;
/// The part of the requests that are refused for a fault of the caller's.
const REFUSED: f64 = 0.015;
/// When the model cannot be reached, minutes from the day's begin.
const OUTAGE: std::ops::Range<i64> = 1170..1190;
/// From when on the feature wanders, minutes from the day's begin, and how far it gets, in its standard deviations.
const DRIFT_FROM: i64 = 720;
const DRIFT: f64 = 1.6;
/// The part of the rows whose outcome becomes known, and after how long at most.
const KNOWN: f64 = 0.8;
const KNOWN_AFTER_HOURS: std::ops::Range<f64> = 0.25..8.0;
/// The part of the outcomes that are corrected an hour later.
const CORRECTED: f64 = 0.03;
/// Time of a prediction, microseconds: the fastest, and the mean of what comes on top.
const FASTEST_US: f64 = 180.0;
const SLOWER_US: f64 = 140.0;

/// Something that happened.
#[derive(Debug, PartialEq)]
pub(crate) struct Happening {
    /// When, microseconds since 1970.
    pub(crate) at_us: i64,
    pub(crate) what: What,
}

#[derive(Debug, PartialEq)]
pub(crate) enum What {
    /// A request whose rows are to be scored.
    Request {
        /// One number a feature, row by row, as they cross into the model.
        numbers: Vec<f64>,
        /// One a row.
        ids: Vec<String>,
        took_us: u64,
    },
    /// A request that the gateway refused.
    Refused { took_us: u64 },
    /// A request that the gateway could not answer.
    Failed { took_us: u64 },
    /// An outcome that became known.
    Actual { id: String, value: f64 },
}

/// What happened in the 24 hours before `now_us`, in order. `rows` have outcomes.
pub(crate) fn day(rows: &Rows, features: &[Feature], now_us: i64, seed: u64) -> Vec<Happening> {
    let outcomes = rows.target.as_deref().unwrap_or_default();
    let known: Vec<usize> = (0..rows.lines.len())
        .filter(|&row| outcomes.get(row).is_some_and(|outcome| outcome.is_finite()))
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let begin = now_us - DAY_US;
    let wanderer = wanderer(rows, features, &known);
    let mut happenings = Vec::new();
    if known.is_empty() {
        return happenings;
    }
    let mut count = 0_u64;
    for minute in 0..MINUTES {
        for _ in 0..arrivals(&mut random, minute) {
            let at_us = begin + minute * MINUTE_US + random.random_range(0..MINUTE_US);
            let took_us = took(&mut random);
            let what = if OUTAGE.contains(&minute) {
                What::Failed { took_us: took_us + 1_000_000 }
            } else if random.random_bool(REFUSED) {
                What::Refused { took_us: took_us / 4 }
            } else {
                let size = if random.random_ratio(1, BATCH_EVERY) {
                    random.random_range(2..=BATCH_ROWS)
                } else {
                    1
                };
                let mut numbers = Vec::with_capacity(size * features.len());
                let mut ids = Vec::with_capacity(size);
                for _ in 0..size {
                    let row = known[random.random_range(0..known.len())];
                    let from = numbers.len();
                    let width = features.len();
                    numbers.extend_from_slice(&rows.numbers[row * width..(row + 1) * width]);
                    if let Some(wanderer) = &wanderer {
                        numbers[from + wanderer.place] += wanderer.shift(minute);
                    }
                    count += 1;
                    let id = format!("day-{seed}-{count}");
                    happenings.extend(outcome(&mut random, &id, at_us, outcomes[row]));
                    ids.push(id);
                }
                What::Request { numbers, ids, took_us }
            };
            happenings.push(Happening { at_us, what });
        }
    }
    happenings.retain(|happening| happening.at_us < now_us);
    happenings.sort_by_key(|happening| happening.at_us);
    happenings
}

/// The feature that wanders.
struct Wanderer {
    place: usize,
    deviation: f64,
}

impl Wanderer {
    /// How far off it is, in its own unit.
    fn shift(&self, minute: i64) -> f64 {
        let along = (minute - DRIFT_FROM) as f64 / (MINUTES - DRIFT_FROM) as f64;
        along.max(0.0) * DRIFT * self.deviation
    }
}

/// The number that goes with the outcome most; none where there are only levels.
fn wanderer(rows: &Rows, features: &[Feature], known: &[usize]) -> Option<Wanderer> {
    let outcomes = rows.target.as_deref()?;
    let numeric = features.iter().enumerate().filter(|(_, feature)| feature.kind == Kind::Numeric);
    let strength = |(place, _): (usize, &Feature)| {
        let pairs: Vec<(f64, f64)> = known
            .iter()
            .map(|&row| (rows.numbers[row * features.len() + place], outcomes[row]))
            .filter(|(value, _)| value.is_finite())
            .collect();
        let count = pairs.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| {
            pairs.iter().map(|pair| of(pair.0 - x, pair.1 - y)).sum::<f64>()
        };
        let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
        let correlation = xy.abs() / (xx * yy).sqrt();
        (correlation.is_finite())
            .then(|| (correlation, Wanderer { place, deviation: (xx / count).sqrt() }))
    };
    let strongest = numeric.filter_map(strength).max_by(|one, other| one.0.total_cmp(&other.0));
    strongest.map(|(_, wanderer)| wanderer)
}

/// How many requests come in this minute.
fn arrivals(random: &mut ChaCha8Rng, minute: i64) -> u32 {
    let angle = (minute as f64 / 60.0 - PEAK_HOUR) / 24.0 * std::f64::consts::TAU;
    let mean = REQUESTS * (1.0 + 0.8 * angle.cos());
    // Waits between arrivals are exponential.
    let mut left = mean;
    let mut count = 0;
    loop {
        left += random.random_range(f64::MIN_POSITIVE..1.0).ln();
        if left < 0.0 {
            return count;
        }
        count += 1;
    }
}

fn took(random: &mut ChaCha8Rng) -> u64 {
    (FASTEST_US - random.random_range(f64::MIN_POSITIVE..1.0).ln() * SLOWER_US) as u64
}

/// When the outcome of a row becomes known, if it does, and perhaps once more, corrected.
fn outcome(random: &mut ChaCha8Rng, id: &str, at_us: i64, value: f64) -> Vec<Happening> {
    if !random.random_bool(KNOWN) {
        return Vec::new();
    }
    let after = random.random_range(KNOWN_AFTER_HOURS) * HOUR_US as f64;
    let actual =
        |at_us, value| Happening { at_us, what: What::Actual { id: id.to_owned(), value } };
    let known = at_us + after as i64;
    if random.random_bool(CORRECTED) {
        let wrong = value * random.random_range(0.5..1.5);
        return vec![actual(known, wrong), actual(known + HOUR_US, value)];
    }
    vec![actual(known, value)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use models::{Missing, Unknown};

    const NOW_US: i64 = 1_795_600_000_000_000;

    fn feature(name: &str) -> Feature {
        Feature {
            name: name.into(),
            kind: Kind::Numeric,
            missing: Missing::Refuse,
            unknown: Unknown::Refuse,
        }
    }

    /// A feature that says nothing, and one that says all.
    fn rows() -> (Rows, [Feature; 2]) {
        let count = 100;
        let numbers = (0..count).flat_map(|row| [f64::from(row * 37 % 11), f64::from(row)]);
        let target = (0..count).map(|row| 2.0 * f64::from(row)).collect();
        let rows = Rows {
            numbers: numbers.collect(),
            lines: (0..count as u64).collect(),
            target: Some(target),
        };
        (rows, [feature("noise"), feature("signal")])
    }

    #[test]
    fn a_day_is_in_order_and_before_now_and_the_same_by_its_seed() {
        let (rows, features) = rows();
        let first = day(&rows, &features, NOW_US, 1);
        assert!(first.is_sorted_by_key(|happening| happening.at_us));
        assert!(first.first().unwrap().at_us >= NOW_US - DAY_US);
        assert!(first.last().unwrap().at_us < NOW_US);
        assert!(first == day(&rows, &features, NOW_US, 1));
        assert!(first != day(&rows, &features, NOW_US, 2));
    }

    #[test]
    fn it_has_what_a_day_has() {
        let (rows, features) = rows();
        let day = day(&rows, &features, NOW_US, 1);
        let count = |of: fn(&What) -> bool| day.iter().filter(|it| of(&it.what)).count();
        let requests = count(|what| matches!(what, What::Request { .. }));
        assert!((7000..10_000).contains(&requests), "{requests} requests");
        assert!(count(|what| matches!(what, What::Failed { .. })) > 20);
        assert!(count(|what| matches!(what, What::Refused { .. })) > 50);
        assert!(count(|what| matches!(what, What::Actual { .. })) > requests / 2);
        let signal = |from: i64, to: i64| {
            let values = day
                .iter()
                .filter(|it| (from..to).contains(&((it.at_us - (NOW_US - DAY_US)) / HOUR_US)));
            let values: Vec<f64> = values
                .filter_map(|it| match &it.what {
                    What::Request { numbers, .. } => Some(numbers.chunks(2).map(|row| row[1])),
                    _ => None,
                })
                .flatten()
                .collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(signal(22, 24) > signal(0, 12) + 20.0, "the signal wandered");
    }

    #[test]
    fn without_outcomes_there_is_no_day() {
        let (mut rows, features) = rows();
        rows.target = None;
        assert!(day(&rows, &features, NOW_US, 1).is_empty());
    }
}

//! Two packages on the same rows.

use std::time::Duration;

use parking_lot::Mutex;

use super::report::ComparisonReport;

/// How one package compares with the one that answers. Only the thread that scores along writes it.
#[derive(Debug, Default)]
pub(crate) struct Comparison(Mutex<Sums>);

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    requests: u64,
    rows: u64,
    failed: u64,
    differences: f64,
    largest: f64,
    own_s: f64,
    other_s: f64,
}

/// What one package gave, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) predictions: &'a [f64],
    pub(crate) took: Duration,
}

impl Comparison {
    /// One request that both have scored.
    pub(crate) fn both(&self, own: Given<'_>, champions: Given<'_>) {
        let mut sums = self.0.lock();
        sums.requests += 1;
        sums.own_s += own.took.as_secs_f64();
        sums.other_s += champions.took.as_secs_f64();
        for (own, champions) in own.predictions.iter().zip(champions.predictions) {
            let difference = own - champions;
            sums.rows += 1;
            sums.differences += difference;
            sums.largest = sums.largest.max(difference.abs());
        }
    }

    /// One request that only the champion has scored.
    pub(crate) fn failed(&self) {
        self.0.lock().failed += 1;
    }

    pub(crate) fn report(&self) -> ComparisonReport {
        let Sums { requests, rows, failed, differences, largest, own_s, other_s } = *self.0.lock();
        let per = |sum: f64, count: u64| (count > 0).then(|| sum / count as f64);
        ComparisonReport {
            requests,
            rows,
            failed,
            mean_difference: per(differences, rows),
            largest_difference: (rows > 0).then_some(largest),
            mean_ms: per(own_s * 1000.0, requests),
            champion_mean_ms: per(other_s * 1000.0, requests),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_keep_their_sign_in_the_mean_and_lose_it_in_the_largest() {
        let comparison = Comparison::default();
        let given = |predictions, ms| Given { predictions, took: Duration::from_millis(ms) };
        comparison.both(given(&[1.0, 2.0], 4), given(&[3.0, 1.0], 2));
        comparison.both(given(&[5.0], 8), given(&[5.0], 2));
        comparison.failed();
        let seen = comparison.report();
        assert_eq!((seen.requests, seen.rows, seen.failed), (2, 3, 1));
        assert_eq!(seen.mean_difference, Some(-1.0 / 3.0));
        assert_eq!(seen.largest_difference, Some(2.0));
        assert!((seen.mean_ms.unwrap() - 6.0).abs() < 1e-9, "{seen:?}");
        assert!((seen.champion_mean_ms.unwrap() - 2.0).abs() < 1e-9, "{seen:?}");
        let none = Comparison::default().report();
        assert_eq!((none.mean_difference, none.largest_difference), (None, None));
    }
}
